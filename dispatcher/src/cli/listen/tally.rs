//! What there was in all: how many events, how they went, how long the middle one took.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::record::{Delivery, Outcome};

/// Counts of one run of `listen`.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) ok: u64,
    pub(super) failed: u64,
    pub(super) filtered: u64,
    /// How many answers took so many milliseconds.
    latencies: BTreeMap<u64, u64>,
}

impl Tally {
    pub(super) fn count(&mut self, delivery: &Delivery) {
        match delivery.outcome {
            Outcome::Cancelled => return,
            Outcome::Filtered => self.filtered += 1,
            _ if delivery.failed() => self.failed += 1,
            _ => self.ok += 1,
        }
        if delivery.outcome == Outcome::Response {
            *self.latencies.entry(delivery.latency_ms).or_default() += 1;
        }
    }

    /// What was forwarded, or printed.
    pub(super) fn events(&self) -> u64 {
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
impl fmt::Display for Tally {
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

/// `1 event`, `3 events`
pub(super) fn plural(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

/// `; 3 events were waiting`, unless there was none.
pub(super) fn were_waiting(count: u64) -> String {
    match count {
        0 => String::new(),
        1 => "; 1 event was waiting".into(),
        _ => format!("; {count} events were waiting"),
    }
}

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_waiting_is_said_if_there_was_something() {
        let said = [0, 1, 3].map(were_waiting);
        assert_eq!(said, ["", "; 1 event was waiting", "; 3 events were waiting"]);
    }
}
