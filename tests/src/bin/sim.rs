//! Simulated worlds: `sim --seeds N [--from SEED]` runs many until one breaks, `sim --seed SEED
//! [--trace]` runs one and tells its story.

use std::process::ExitCode;

use bluum_hooks_tests::sim::{self, Search};

const USAGE: &str = "expected --seeds N [--from SEED], or --seed SEED [--trace]";

/// What was asked for.
#[derive(Default)]
struct Wish {
    seed: Option<u64>,
    trace: bool,
    seeds: Option<u64>,
    from: Option<u64>,
}

fn main() -> ExitCode {
    match read(std::env::args().skip(1)) {
        Some(Wish { seed: Some(seed), trace, seeds: None, from: None }) => one(seed, trace),
        Some(Wish { seed: None, trace: false, seeds: Some(seeds), from }) => {
            many(from.unwrap_or(1), seeds)
        }
        _ => {
            println!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn read(mut arguments: impl Iterator<Item = String>) -> Option<Wish> {
    let mut wish = Wish::default();
    while let Some(argument) = arguments.next() {
        let place = match &*argument {
            "--trace" => {
                wish.trace = true;
                continue;
            }
            "--seed" => &mut wish.seed,
            "--seeds" => &mut wish.seeds,
            "--from" => &mut wish.from,
            _ => return None,
        };
        *place = Some(arguments.next()?.parse().ok()?);
    }
    Some(wish)
}

fn one(seed: u64, traced: bool) -> ExitCode {
    let story = sim::run(seed, traced);
    story.trace.iter().for_each(|line| println!("{line}"));
    let sim::Story { requests, starts, lasted, broken, .. } = story;
    println!("seed {seed}: {requests} requests, {starts} starts, {lasted:?}");
    match broken {
        Some(broken) => {
            println!("broken: {broken}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

fn many(from: u64, seeds: u64) -> ExitCode {
    let search = sim::search(from..from.saturating_add(seeds), tell);
    tell(&search);
    match search.broken {
        Some((seed, broken)) => {
            println!("seed {seed}: {broken}\nsee it again: {}", sim::again(seed));
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

fn tell(search: &Search) {
    let Search { seeds, requests, starts, lasted, .. } = search;
    let days = lasted.as_secs() / 86_400;
    println!("{seeds} worlds: {requests} requests, {starts} starts, {days} days");
}
