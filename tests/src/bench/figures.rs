//! What a scenario came to, in figures.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::process::Used;
use super::table::table;
use crate::crowd::{millis, quantile};

/// One measurement. What was not measured is `None`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// As it is called on the command line. Some measure more than once.
    pub scenario: &'static str,
    /// What exactly was measured.
    pub title: String,
    /// Requests a second of plain HTTP, before and after.
    pub limit: f64,
    pub deliveries_per_second: f64,
    /// Deliveries of the limit.
    pub share: f64,
    /// Events accepted a second, while they were published.
    pub accepted: Option<f64>,
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    /// Of the daemon alone.
    pub cpu_us_per_delivery: Option<f64>,
    /// Each is synced.
    pub commits_per_second: Option<f64>,
    pub peak_mib: Option<f64>,
    pub bytes_per_event: Option<f64>,
    /// Before anything was published.
    pub idle_mib: Option<f64>,
    /// At most, while the backlog came in.
    pub filling_mib: Option<f64>,
    /// From starting the process to the first arrival.
    pub first_delivery_ms: Option<f64>,
    /// How much smaller the share is than on an empty database, in percent of that.
    pub slowdown_percent: Option<f64>,
    pub note: Option<String>,
}

impl Figures {
    pub fn new(scenario: &'static str, title: &str, limit: f64) -> Self {
        Self { scenario, title: title.to_owned(), limit, ..Self::default() }
    }

    pub fn rate(&mut self, delivered: u64, took: Duration) {
        self.deliveries_per_second = delivered as f64 / took.as_secs_f64();
        self.share = self.deliveries_per_second / self.limit;
    }

    pub fn use_of(&mut self, before: Used, after: Used, delivered: u64, took: Duration) {
        let cpu = after.cpu.saturating_sub(before.cpu);
        self.cpu_us_per_delivery = Some(cpu.as_secs_f64() * 1e6 / delivered as f64);
        let commits = after.commits.saturating_sub(before.commits);
        self.commits_per_second = Some(commits as f64 / took.as_secs_f64());
    }

    pub fn latencies(&mut self, latencies: &[Duration]) {
        let at = |share| Some(millis(quantile(latencies, share)));
        (self.p50_ms, self.p99_ms) = (at(0.5), at(0.99));
    }

    fn row(&self) -> [String; 10] {
        let or_dash = |value: Option<f64>| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0}"))
        };
        [
            self.title.clone(),
            format!("{:.0}", self.deliveries_per_second),
            format!("{:.3}", self.share),
            format!("{:.0}", self.limit),
            or_dash(self.accepted),
            match (self.p50_ms, self.p99_ms) {
                (Some(p50), Some(p99)) => format!("{p50:.1} / {p99:.1}"),
                _ => "-".to_owned(),
            },
            or_dash(self.cpu_us_per_delivery),
            or_dash(self.commits_per_second),
            or_dash(self.peak_mib),
            or_dash(self.bytes_per_event),
        ]
    }
}

const HEADINGS: [&str; 10] = [
    "scenario",
    "deliveries/s",
    "share",
    "limit/s",
    "accepted/s",
    "p50 / p99 ms",
    "CPU µs",
    "commits/s",
    "peak MiB",
    "bytes/event",
];

/// All of them in a table, and what else is to be said below it.
pub fn to_text(all: &[Figures]) -> String {
    let mut text = table(HEADINGS, &all.iter().map(Figures::row).collect::<Vec<_>>());
    for figures in all {
        if let Some(note) = &figures.note {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n- {}: {note}.", figures.title);
        }
    }
    text.trim_end().to_owned()
}
