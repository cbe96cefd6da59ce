//! The seeded world: the real engine, acceptor, replayer and retention in one thread, on a memory
//! store that fails, with receivers that have moods and a clock that jumps; crashed and restarted
//! again and again. One seed decides everything, so it brings a failure back, byte for byte.
//!
//! ```text
//!   deed ──▶ drive (one life of the process) ──▶ acceptor ─▶ store ─▶ engine ─▶ receivers
//!              │ crash: everything is dropped                 │                     │
//!              ▼                                              ▼                     ▼
//!            the next life                             law (all stored)   ledger ─▶ history
//! ```
//!
//! In the end the faults stop, the receivers heal, and whatever was given up is replayed. Then
//! everything that was accepted must have been delivered, in order, once, and for a reason each time
//! it was asked again.

mod clock;
mod deed;
mod drive;
mod history;
mod law;
mod ledger;
pub mod planted;
mod receivers;
mod store;
mod trace;
mod world;

use std::ops::Range;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bluum_hooks_dispatcher::clock::Clock as _;

use world::World;

/// What became of the world of a seed.
#[derive(Debug)]
pub struct Story {
    /// What broke, if anything did.
    pub broken: Option<String>,
    /// How many requests receivers were sent.
    pub requests: usize,
    /// How often the dispatcher was started.
    pub starts: usize,
    /// How much time passed in it.
    pub lasted: Duration,
    /// Everything that happened, if that was wanted.
    pub trace: Vec<String>,
}

/// Lets the world of this seed happen.
pub fn run(seed: u64, traced: bool) -> Story {
    let mut world = World::new(seed, traced);
    let broken = world.live().err();
    let entries = world.ledger.open();
    Story {
        broken,
        requests: entries.asked.len(),
        starts: entries.boot(),
        lasted: world.clock.monotonic(),
        trace: world.trace.take(),
    }
}

/// What became of the worlds of many seeds.
#[derive(Debug, Default)]
pub struct Search {
    pub seeds: u64,
    pub requests: usize,
    pub starts: usize,
    pub lasted: Duration,
    /// The lowest seed that broke, and how.
    pub broken: Option<(u64, String)>,
}

/// Runs the worlds of these seeds, on all processors, until one breaks. `progress` hears of it
/// every thousand.
pub fn search(seeds: Range<u64>, progress: impl Fn(&Search) + Sync) -> Search {
    let next = AtomicU64::new(seeds.start);
    let all = Mutex::new(Search::default());
    let look = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= seeds.end || all.lock().unwrap().broken.is_some() {
            return;
        }
        let story = catch_unwind(|| run(seed, false));
        let mut all = all.lock().unwrap();
        all.seeds += 1;
        let broken = match story {
            Ok(story) => {
                all.requests += story.requests;
                all.starts += story.starts;
                all.lasted += story.lasted;
                story.broken
            }
            Err(_) => Some("it panicked".to_owned()),
        };
        let lowest = all.broken.as_ref().is_none_or(|(other, _)| seed < *other);
        if let Some(broken) = broken.filter(|_| lowest) {
            all.broken = Some((seed, broken));
        }
        if all.seeds % 1_000 == 0 {
            progress(&all);
        }
    };
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get());
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(look))));
    all.into_inner().unwrap()
}

/// How to see the story of a seed again.
pub fn again(seed: u64) -> String {
    format!("cargo run -p bluum-hooks-tests --bin sim -- --seed {seed} --trace")
}
