//! The fuzz targets on a stable Rust: the corpus first, then what becomes of it by chance, for a
//! second each. `BLUUM_FUZZ_SECONDS` sets another time, `BLUUM_TEST_SEED` another chance.
//!
//! `cargo fuzz` finds deeper: CONTRIBUTING.md says how. What it finds goes into the corpus.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]
#![expect(clippy::print_stdout, reason = "how often, and the input that failed")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::Duration;

use bluum_hooks_receiver::now;

#[expect(clippy::panic, unreachable_pub, reason = "it is a library's, and panics are its answers")]
#[path = "../fuzz/src/targets.rs"]
mod targets;

#[test]
fn headers() {
    run("headers", targets::headers);
}

#[test]
fn verify() {
    run("verify", targets::verify);
}

#[test]
fn envelope() {
    run("envelope", targets::envelope);
}

#[test]
fn money() {
    run("money", targets::money);
}

/// What is interesting in any of the inputs.
const WORDS: [&[u8]; 30] = [
    b"webhook-id: ",
    b"webhook-timestamp: ",
    b"webhook-signature: ",
    b"Webhook-Id: ",
    b"\n",
    b"\n\n",
    b"1781533815",
    b"1781533515",
    b"1781534116",
    b"-1",
    b"9223372036854775807",
    b"v1,",
    b"v1a,",
    b"v2,",
    b"=",
    b" ",
    b".",
    b",",
    b"\0",
    b"\xff",
    "é".as_bytes(),
    b"null",
    b"{}",
    b"[]",
    b"\"id\":\"evt_1\"",
    b"\"event\":\"order.filled\"",
    b"1e9",
    b"0.1",
    b"99999999999999999999999999999",
    b"-0",
];

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn run(name: &str, target: fn(&[u8])) {
    let corpus = corpus(name);
    let time = Duration::from_secs(variable("BLUUM_FUZZ_SECONDS").unwrap_or(1));
    let seed = variable("BLUUM_TEST_SEED").unwrap_or(1);
    let mut chance = Chance(seed);
    let execute = |input: &[u8]| {
        let died = catch_unwind(AssertUnwindSafe(|| target(input)));
        died.unwrap_or_else(|panic| {
            println!("seed {seed}, '{}'", input.escape_ascii());
            resume_unwind(panic);
        });
    };
    corpus.iter().for_each(|input| execute(input));
    let mut executions = corpus.len();
    let start = now();
    // The clock is read once in a while: that takes longer than some of the targets.
    while now().since(start) < time {
        for _ in 0..100 {
            execute(&chance.input(&corpus));
        }
        executions += 100;
    }
    println!("{name}: {executions} executions, {} of them the corpus", corpus.len());
}

/// Every file of a target's corpus, in the order of names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 10, "the corpus of {name} is not there");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Numbers by chance (xorshift), and what they make of inputs.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % limit.max(1)
    }

    /// One of the corpus, changed in up to four places; now and then nothing but chance.
    fn input(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        if self.below(20) == 0 {
            return (0..self.below(64)).map(|_| self.byte()).collect();
        }
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(4) {
            self.change(&mut input, corpus);
        }
        input
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        let until = (at + self.below(8)).min(input.len());
        match self.below(8) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = self.byte(),
            2 => input.insert(at, self.byte()),
            3 => drop(input.drain(at..until)),
            4 => input.truncate(at),
            5 => {
                let word = WORDS[self.below(WORDS.len())];
                drop(input.splice(at..until, word.iter().copied()));
            }
            6 => {
                let again = input[at..until].to_vec();
                drop(input.splice(at..at, again));
            }
            _ => {
                // The one's beginning, the other's end.
                let other = &corpus[self.below(corpus.len())];
                input.truncate(at);
                input.extend(&other[self.below(other.len() + 1)..]);
            }
        }
    }
}
