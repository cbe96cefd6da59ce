//! `crash [--kills N] [--seed S]`: kills the daemon N times, at the crash points and in between, on
//! one database after the other, and says at the end where. A failure prints the seed of its
//! database, which brings it back.
#![expect(clippy::print_stdout, reason = "a table is what it is for")]

use bluum_hooks_tests::crash::{Death, Story, Tally};
use bluum_hooks_tests::seed::{self, Chance};

type Failure = Box<dyn std::error::Error>;

/// Deaths on one database.
const DEATHS: u64 = 100;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let (mut kills, mut seed) = (DEATHS, seed::from_environment());
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    for pair in arguments.chunks(2) {
        match pair {
            [name, value] if name == "--kills" => kills = value.parse()?,
            [name, value] if name == "--seed" => seed = value.parse()?,
            _ => return Err("expected --kills N and --seed S".into()),
        }
    }
    let mut tally = Tally::default();
    while tally.kills() < kills {
        println!("{} of {kills} kills; --seed {seed}", tally.kills());
        let mut chance = Chance::new(seed);
        let mut story = Story::begin(seed).await;
        for _ in 0..DEATHS.min(kills - tally.kills()) {
            story.live(Death::drawn(&mut chance), &mut tally).await;
        }
        story.end(&mut tally).await;
        seed = chance.bits();
    }
    println!("{tally}");
    Ok(())
}
