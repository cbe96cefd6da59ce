//! What the daemon's process has used, by the system's own books.

use std::time::Duration;

use super::Outcome;
use crate::client::{Call, Client};
use crate::daemon::{Daemon, memory};

/// Ticks of the system's clock in a second: fixed for user space on Linux.
const TICKS: u64 = 100;
/// How many commits of accepting and recording there were.
const COMMITS: &str = "bluum_hooks_commit_duration_seconds_count";

/// A moment's reading.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// On all processors, in user and kernel mode.
    pub cpu: Duration,
    /// Commits of accepting and recording. Each is synced.
    pub commits: u64,
}

/// Reads the books of a daemon.
pub async fn used(daemon: &Daemon, operator: &Client) -> Outcome<Used> {
    let metrics = operator.try_send(Call::get("/metrics")).await;
    let metrics = metrics.map_err(|why| format!("no metrics: {why}"))?;
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let commits = metrics.lines().find_map(|line| line.strip_prefix(COMMITS)?.trim().parse().ok());
    let commits = commits.ok_or_else(|| format!("the daemon's metrics have no {COMMITS}"))?;
    Ok(Used { cpu: cpu(daemon)?, commits })
}

fn cpu(daemon: &Daemon) -> Outcome<Duration> {
    let path = format!("/proc/{}/stat", daemon.process_id());
    let stat = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    // Behind the name, which may hold spaces: the 14th and the 15th field.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|ticks| ticks.parse::<u64>().ok());
    match (ticks(11), ticks(12)) {
        (Some(user), Some(system)) => Ok(Duration::from_millis((user + system) * 1000 / TICKS)),
        _ => Err(format!("{path} says '{stat}'")),
    }
}

/// The most memory it has had, in MiB, since its start.
pub fn peak_mib(daemon: &Daemon) -> f64 {
    memory(daemon, "VmHWM") as f64 / f64::from(1 << 20)
}

/// What it has now.
pub fn resident_mib(daemon: &Daemon) -> f64 {
    memory(daemon, "VmRSS") as f64 / f64::from(1 << 20)
}

/// The bytes of its database, log and all.
pub fn database_bytes(daemon: &Daemon) -> u64 {
    let file = daemon.database();
    let size = |suffix: &str| {
        let path = format!("{}{suffix}", file.display());
        std::fs::metadata(path).map_or(0, |found| found.len())
    };
    size("") + size("-wal")
}
