//! The dispatcher in simulated worlds: never lost, never out of order, never for no reason again.

use bluum_hooks_tests::{compare, seed, sim};

/// Worlds of a test.
const WORLDS: u64 = 1_500;

fn all_hold(first: u64) {
    let search = sim::search(first..first + WORLDS, |_| {});
    let again = search.broken.as_ref().map(|(seed, _)| sim::again(*seed));
    assert_eq!(search.broken, None, "see it again: {again:?}");
    assert!(search.starts as u64 > 2 * WORLDS && search.requests as u64 > 20 * WORLDS);
}

#[test]
fn every_world_of_seeds_that_stay_holds() {
    all_hold(1);
}

#[test]
fn every_world_of_new_seeds_holds() {
    // Not so large that it could not be typed again.
    all_hold(seed::from_environment() % 1_000_000_000_000);
}

#[test]
fn a_seed_tells_the_same_story_byte_for_byte() {
    for seed in 1..=20 {
        let (one, other) = (sim::run(seed, true).trace, sim::run(seed, true).trace);
        assert!(one.len() > 50, "seed {seed} has no story");
        compare::same(&format!("seed {seed}"), &other, &one);
    }
}
