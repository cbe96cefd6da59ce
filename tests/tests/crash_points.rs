//! The daemon dies once at every crash point, between any two steps of what must survive it.
//! `cargo run --release -p bluum-hooks-tests --bin crash` does it thousands of times.

use bluum_hooks_dispatcher::crash_point;
use bluum_hooks_tests::binary::{self, workspace};
use bluum_hooks_tests::crash::{Death, Story, Tally};
use bluum_hooks_tests::seed::{self, Chance};
use bluum_hooks_tests::tidy;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_by_a_death_at_any_crash_point() {
    let seed = seed::from_environment();
    println!("{}={seed}", seed::VARIABLE);
    let mut chance = Chance::new(seed);
    let mut points = crash_point::ALL.to_vec();
    points.sort_by_cached_key(|_| chance.bits());
    let (mut story, mut tally) = (Story::begin(seed).await, Tally::default());
    for point in points {
        story.live(Death::first(point), &mut tally).await;
    }
    story.end(&mut tally).await;
    println!("{tally}");
    assert_eq!(tally.untouched(), [] as [&str; 0], "no death at these points");
}

/// The table and the calls are the same points, each called in one place.
#[test]
fn every_crash_point_is_listed_and_called_once() {
    let call = concat!("crash_point::", "reach(\"");
    let files = tidy::read(&workspace().join("dispatcher/src"));
    let mut called: Vec<&str> = files
        .iter()
        .flat_map(|file| file.text.split(call).skip(1))
        .map(|rest| rest.split_once('"').expect("a name in quotes").0)
        .collect();
    called.sort_unstable();
    let mut listed = crash_point::ALL.to_vec();
    listed.sort_unstable();
    assert_eq!(called, listed);
}

#[test]
fn the_binary_that_is_shipped_knows_no_crash_point() {
    let bytes = std::fs::read(binary::path()).expect("the binary");
    let name = crash_point::VARIABLE.as_bytes();
    assert!(!bytes.windows(name.len()).any(|window| window == name));
}
