//! Figures, as a table, as JSON, and as the file in the repository.

use std::fmt::Write;
use std::io::{IsTerminal, Write as _};
use std::process::Command;
use std::time::Duration;

use serde::Serialize;

use super::process::Used;
use crate::binary::workspace;
use crate::crowd::{millis, quantile};

/// What a scenario came to.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    pub scenario: String,
    /// Requests a second of plain HTTP, before and after.
    pub limit: f64,
    pub deliveries_per_second: f64,
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
    pub note: Option<String>,
}

impl Figures {
    pub fn new(scenario: &str, limit: f64) -> Self {
        Self {
            scenario: scenario.to_owned(),
            limit,
            deliveries_per_second: 0.0,
            accepted: None,
            p50_ms: None,
            p99_ms: None,
            cpu_us_per_delivery: None,
            commits_per_second: None,
            peak_mib: None,
            bytes_per_event: None,
            note: None,
        }
    }

    pub fn rate(&mut self, delivered: u64, took: Duration) {
        self.deliveries_per_second = delivered as f64 / took.as_secs_f64();
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

    /// The share of the limit.
    pub fn ratio(&self) -> f64 {
        self.deliveries_per_second / self.limit
    }

    fn row(&self) -> [String; 10] {
        let or_dash = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
        };
        [
            self.scenario.clone(),
            format!("{:.0}", self.deliveries_per_second),
            format!("{:.3}", self.ratio()),
            format!("{:.0}", self.limit),
            or_dash(self.accepted, 0),
            match (self.p50_ms, self.p99_ms) {
                (Some(p50), Some(p99)) => format!("{p50:.1} / {p99:.1}"),
                _ => "-".to_owned(),
            },
            or_dash(self.cpu_us_per_delivery, 0),
            or_dash(self.commits_per_second, 0),
            or_dash(self.peak_mib, 0),
            or_dash(self.bytes_per_event, 0),
        ]
    }
}

const HEADINGS: [&str; 10] = [
    "scenario",
    "deliveries/s",
    "share of limit",
    "limit/s",
    "accepted/s",
    "p50 / p99 ms",
    "CPU µs",
    "commits/s",
    "peak MiB",
    "bytes/event",
];

/// A table in Markdown, which is a table on a terminal as well.
pub fn table(all: &[Figures]) -> String {
    let rows: Vec<_> = all.iter().map(Figures::row).collect();
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([HEADINGS[column].chars().count()]).max().unwrap_or(0)
        })
        .collect();
    let mut table = String::new();
    let mut line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| {} |", padded.collect::<Vec<_>>().join(" | "));
    };
    line(&HEADINGS.map(str::to_owned));
    line(&widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>());
    rows.iter().for_each(|row| line(row));
    for figures in all {
        if let Some(note) = &figures.note {
            let _ = write!(table, "\n- {}: {note}.", figures.scenario);
        }
    }
    table
}

/// Where and when: the machine, the day, the commit.
pub fn circumstances() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let model = Some(field(&cpu, "model name")).filter(|name| !name.is_empty());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kilobytes: u64 = field(&memory, "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0);
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(workspace()).output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        text.unwrap_or_default().trim().to_owned()
    };
    let changed = !said("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty();
    format!(
        "{cores} cores ({}), {} GiB, Linux {}; {}; commit {}{}",
        model.as_deref().unwrap_or("unknown"),
        kilobytes >> 20,
        read("/proc/sys/kernel/osrelease").trim(),
        said("date", &["-u", "+%Y-%m-%d"]),
        said("git", &["rev-parse", "--short", "HEAD"]),
        if changed { ", with changes" } else { "" },
    )
}

/// The file in the repository.
pub fn document(all: &[Figures]) -> String {
    format!(
        "# Benchmarks\n\n\
         Written by `cargo run --release -p bluum-hooks-tests --bin bench -- --write`. Do not \
         edit.\n\n\
         {}.\n\n\
         Daemon, load generator and receiver share the cores. Events carry 1 KiB of data. Every \
         202 was synced\n(`synchronous=FULL`), and every attempt is recorded. *Limit*: requests a \
         second of plain HTTP on the same\nmachine in the same minute, a hyper client posting 1 \
         KiB to a hyper server over 64 kept-alive connections.\n*Deliveries/s* is end to end: from \
         the first request to the last arrival. *CPU µs*: of the daemon alone, for each\ndelivery.\
         \n\n{}\n",
        circumstances(),
        table(all)
    )
}

/// One line that says what is going on, where somebody looks.
#[derive(Debug, Clone)]
pub struct Progress {
    pub scenario: String,
}

impl Progress {
    pub fn tell(&self, text: &str) {
        let mut stderr = std::io::stderr();
        if stderr.is_terminal() {
            let _ = write!(stderr, "\r{}: {text}\x1b[K", self.scenario);
        }
    }
}
