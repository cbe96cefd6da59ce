//! How many events, how they went, and how long the middle one took.

use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) delivered: u64,
    pub(super) failed: u64,
    /// How many took so many milliseconds.
    latencies: BTreeMap<u64, u64>,
}

impl Tally {
    /// `latency` of what was answered.
    pub(super) fn count(&mut self, success: bool, latency: Option<Duration>) {
        match success {
            true => self.delivered += 1,
            false => self.failed += 1,
        }
        if let Some(latency) = latency {
            *self.latencies.entry(millis(latency)).or_default() += 1;
        }
    }

    fn median(&self) -> Option<u64> {
        let all: u64 = self.latencies.values().sum();
        let mut seen = 0;
        let middle = |count: &u64| {
            seen += count;
            seen * 2 >= all
        };
        let mut latencies = self.latencies.iter();
        let mut middle = middle;
        latencies.find(|(_, count)| middle(count)).map(|(millis, _)| *millis)
    }

    /// `34 events, 30 ok, 4 failed, median 24 ms`.
    pub(super) fn summary(&self) -> String {
        let all = self.delivered + self.failed;
        let events = if all == 1 { "event" } else { "events" };
        let median = self.median().map(|millis| format!(", median {millis} ms"));
        let median = median.unwrap_or_default();
        format!("{all} {events}, {} ok, {} failed{median}", self.delivered, self.failed)
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
    fn the_summary_counts() {
        let mut tally = Tally::default();
        assert_eq!(tally.summary(), "0 events, 0 ok, 0 failed");
        for (success, latency) in [(true, 10), (true, 24), (false, 500)] {
            tally.count(success, Some(Duration::from_millis(latency)));
        }
        assert_eq!(tally.summary(), "3 events, 2 ok, 1 failed, median 24 ms");
    }
}
