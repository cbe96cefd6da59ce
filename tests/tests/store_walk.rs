//! The SQLite store answers as the reference does, whatever it is asked.

use bluum_hooks_tests::conformance::world::World;
use bluum_hooks_tests::{seed, walk};

const OPERATIONS: usize = 3_000;

/// What a walk must have come across, or it has shown nothing.
const SEEN: [&str; 27] = [
    "CrashesWorker",
    "Delivered",
    "Disabled",
    "Exhausted",
    "Gone",
    "Leased",
    "Queued",
    "Waiting",
    "advanced",
    "answer",
    "applied",
    "changed",
    "claimed",
    "declined",
    "delivery",
    "drained",
    "event",
    "handed on",
    "key used",
    "left waiting",
    "next due",
    "one delivery",
    "refused",
    "replayed",
    "replayed one",
    "stale",
    "to replay",
];

#[expect(clippy::print_stderr, reason = "the seed brings a failure back")]
async fn walk_with(seed: u64) -> walk::Tally {
    eprintln!("{}={seed}", seed::VARIABLE);
    let (reference, sqlite) = (World::memory().await, World::sqlite().await);
    walk::take(seed, OPERATIONS, reference, sqlite).await
}

#[tokio::test]
async fn both_stores_answer_alike_with_a_seed_that_stays() {
    let tally = walk_with(3).await;
    for kind in SEEN {
        assert!(tally.get(kind).is_some_and(|count| *count >= 5), "{kind} in {tally:?}");
    }
}

#[tokio::test]
async fn both_stores_answer_alike_with_a_new_seed_each_time() {
    walk_with(seed::from_environment()).await;
}
