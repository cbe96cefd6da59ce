//! Chance that can be repeated: a failing test prints its seed, and the seed brings the failure
//! back.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::time::Duration;

/// The variable that fixes the seed of a run.
pub const VARIABLE: &str = "BLUUM_TEST_SEED";

/// SplitMix64: eight lines, evenly spread, the same on every machine.
#[derive(Debug, Clone)]
pub struct Chance {
    state: u64,
}

/// The seed in [`VARIABLE`], else a new one each run.
pub fn from_environment() -> u64 {
    match std::env::var(VARIABLE) {
        Ok(text) => text.parse().expect("BLUUM_TEST_SEED is a whole number"),
        // The standard library seeds every `RandomState` from the system.
        Err(_) => RandomState::new().hash_one(0_u8),
    }
}

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Evenly spread over all 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of the range, which must not be empty.
    pub fn number(&mut self, range: Range<u64>) -> u64 {
        range.start + self.bits() % (range.end - range.start)
    }

    /// A duration of the range, in milliseconds.
    pub fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.number(range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_tells_the_same_story() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            [chance.bits(), chance.bits(), chance.number(3..9)]
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn numbers_stay_in_their_range_and_reach_both_ends() {
        let mut chance = Chance::new(1);
        let drawn: Vec<u64> = (0..200).map(|_| chance.number(10..13)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&10), Some(&12)));
    }
}
