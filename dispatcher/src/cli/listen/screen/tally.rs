//! What there was in all.

use std::collections::BTreeMap;
use std::fmt;

use super::super::record::{Delivery, Outcome};
use super::line::{failed, plural};

/// Counts of one run of `listen`.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Summary {
    pub(in crate::cli) ok: u64,
    pub(in crate::cli) failed: u64,
    pub(in crate::cli) filtered: u64,
    /// How many answers took so many milliseconds.
    latencies: BTreeMap<u64, u64>,
}

impl Summary {
    pub(super) fn count(&mut self, delivery: &Delivery) {
        match delivery.outcome {
            Outcome::Cancelled => return,
            Outcome::Filtered => self.filtered += 1,
            _ if failed(delivery) => self.failed += 1,
            _ => self.ok += 1,
        }
        if delivery.outcome == Outcome::Response {
            *self.latencies.entry(delivery.latency_ms).or_default() += 1;
        }
    }

    /// What was forwarded, or printed.
    pub(in crate::cli) fn events(&self) -> u64 {
        self.ok + self.failed
    }

    fn median_ms(&self) -> Option<u64> {
        let answers: u64 = self.latencies.values().sum();
        let mut before = 0;
        let reaches_half = |(ms, count): (&u64, &u64)| {
            before += count;
            (before * 2 >= answers).then_some(*ms)
        };
        self.latencies.iter().find_map(reaches_half)
    }
}

/// `34 events, 30 ok, 4 failed, median 24 ms`
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ok, failed, filtered, .. } = self;
        write!(f, "{}, {ok} ok, {failed} failed", plural(self.events(), "event"))?;
        if *filtered > 0 {
            write!(f, ", {filtered} filtered")?;
        }
        match self.median_ms() {
            Some(ms) => write!(f, ", median {ms} ms"),
            None => Ok(()),
        }
    }
}
