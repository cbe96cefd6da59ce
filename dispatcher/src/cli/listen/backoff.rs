//! When to try again: full jitter, so that many who lost the same daemon do not come back at once.

use std::time::Duration;

use crate::random::Random;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(15);

#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How long to wait after one more failure: anything up to a limit that doubles.
    pub(super) fn next(&mut self, random: &dyn Random) -> Duration {
        let limit = FIRST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = (self.failures + 1).min(16);
        limit.min(LONGEST).mul_f64(random.unit())
    }

    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Most;

    impl Random for Most {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0xff);
        }
    }

    #[test]
    fn the_limit_doubles_up_to_fifteen_seconds() {
        let mut backoff = Backoff::default();
        // Half a second is the first limit that rounds to a whole one.
        let mut seconds = || (backoff.next(&Most).as_millis() + 1) / 1_000;
        let waits: Vec<u128> = (0..40).map(|_| seconds()).collect();
        assert_eq!(waits[..8], [0, 0, 1, 2, 4, 8, 15, 15]);
        assert!(waits[8..].iter().all(|wait| *wait == 15), "{waits:?}");
        backoff.reset();
        assert!(backoff.next(&Most) <= FIRST);
    }
}
