//! The dispatcher in simulated worlds: never lost, never out of order, never for no reason again.

use bluum_hooks_tests::binary::workspace;
use bluum_hooks_tests::sim::planted::BUGS;
use bluum_hooks_tests::{compare, seed, sim};

/// Worlds in a run of the tests; half of them are the same each time.
const WORLDS: u64 = 1_500;

fn all_hold(first: u64) {
    let search = sim::search(first..first + WORLDS, |_| {});
    if let Some((seed, broken)) = search.broken {
        panic!("seed {seed}: {broken}\nsee it again: {}", sim::again(seed));
    }
    assert!(search.starts > 2 * 1_500 && search.requests > 20 * 1_500, "{search:?}");
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

#[test]
fn every_planted_bug_has_its_place() {
    for bug in BUGS {
        let source = std::fs::read_to_string(workspace().join(bug.file)).unwrap();
        let places = source.matches(bug.sound).count();
        assert_eq!(places, 1, "'{}' is to be planted at: {}", bug.name, bug.sound);
        assert_ne!(bug.sound, bug.broken);
    }
}
