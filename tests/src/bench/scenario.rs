//! What is measured, each on a daemon and a database of its own.

use std::time::Duration;

use serde_json::json;

use super::figures::Figures;
use super::progress::Progress;
use super::stage::{BATCH, End, Stage};
use super::{Outcome, process, since};
use crate::wait;

/// Webhooks that answer beside the one that hangs.
const HEALTHY: u64 = 3;
/// How often the full and the empty database are measured in turn. The one in the middle counts.
const ROUNDS: usize = 3;
/// Events after which a large database rests while it grows.
const CHUNK: u64 = 200_000;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub seconds: u64,
    /// How long plain HTTP is measured, before a scenario and after it.
    pub limit: Duration,
    /// Events that are not measured.
    pub warm_up: u64,
    pub backlog: u64,
    pub steady: u64,
}

impl Size {
    /// What BENCHMARKS.md is made with.
    pub const FULL: Self = Self {
        seconds: 15,
        limit: Duration::from_secs(2),
        warm_up: 2_000,
        backlog: 1_000_000,
        steady: 5_000_000,
    };
    /// To see it work.
    pub const QUICK: Self = Self { seconds: 3, backlog: 20_000, steady: 50_000, ..Self::FULL };
}

/// What can be played.
#[derive(Debug)]
pub struct Scenario {
    pub name: &'static str,
    /// In full size, on two cores.
    pub takes: &'static str,
    pub measures: &'static str,
}

const fn scenario(name: &'static str, takes: &'static str, measures: &'static str) -> Scenario {
    Scenario { name, takes, measures }
}

/// In their order.
pub const ALL: [Scenario; 8] = [
    scenario("single", "½ min", "events one by one over 64 connections, as fast as they are taken"),
    scenario("batch", "½ min", "events in batches of 100, as fast as they are taken"),
    scenario("light", "¾ min", "100 events a second: how long from publishing to arrival"),
    scenario("fan-out-10", "½ min", "as single, each event to 10 webhooks"),
    scenario("fan-out-100", "½ min", "as single, each event to 100 webhooks"),
    scenario("hanging", "1½ min", "as light, to 3 webhooks; again while a fourth never answers"),
    scenario("backlog", "5 min", "1,000,000 deliveries wait: memory, restart, drain"),
    scenario("steady", "15 min", "as single, after 5,000,000 events, beside an empty database"),
];

/// Plays one of [`ALL`].
pub async fn play(scenario: &Scenario, size: Size) -> Outcome<Vec<Figures>> {
    let progress = Progress::new(scenario.name);
    let played = match scenario.name {
        "single" => single(size, &progress).await,
        "batch" => batch(size, &progress).await,
        "light" => light(size, &progress).await,
        "fan-out-10" => fan_out("fan-out-10", 10, size, &progress).await,
        "fan-out-100" => fan_out("fan-out-100", 100, size, &progress).await,
        "hanging" => hanging(size, &progress).await,
        "backlog" => backlog(size, &progress).await,
        "steady" => steady(size, &progress).await,
        unknown => Err(format!("nobody knows how to play '{unknown}'")),
    };
    progress.clear();
    played
}

async fn single(size: Size, progress: &Progress) -> Outcome<Vec<Figures>> {
    let mut stage = Stage::warm(1, size, progress).await?;
    let name = ("single", "single publish, 64 connections");
    Ok(vec![stage.measure(name, 1, size.end()).await?])
}

async fn batch(size: Size, progress: &Progress) -> Outcome<Vec<Figures>> {
    let mut stage = Stage::warm(1, size, progress).await?;
    Ok(vec![stage.measure(("batch", "batches of 100"), BATCH, size.end()).await?])
}

async fn light(size: Size, progress: &Progress) -> Outcome<Vec<Figures>> {
    let mut stage = Stage::warm(1, size, progress).await?;
    Ok(vec![stage.paced("light", "light load, 100/s").await?])
}

async fn fan_out(
    name: &'static str,
    webhooks: u64,
    size: Size,
    progress: &Progress,
) -> Outcome<Vec<Figures>> {
    let mut stage = Stage::warm(webhooks, size, progress).await?;
    let events = End::Events(15_000 * size.seconds / webhooks);
    let title = format!("fan-out to {webhooks} webhooks");
    Ok(vec![stage.measure((name, &title), 1, events).await?])
}

async fn hanging(size: Size, progress: &Progress) -> Outcome<Vec<Figures>> {
    let mut stage = Stage::warm(HEALTHY, size, progress).await?;
    let title = format!("100/s to {HEALTHY} webhooks");
    let alone = stage.paced("hanging", &title).await?;
    stage.hanging_webhook().await;
    let beside = stage.paced("hanging", &format!("{title}, one more hangs")).await?;
    Ok(vec![alone, beside])
}

/// What waits when the daemon starts again goes out.
async fn backlog(size: Size, progress: &Progress) -> Outcome<Vec<Figures>> {
    let mut stage = Stage::set(size, progress).await;
    let idle = process::resident_mib(&stage.daemon);
    // What is tried meanwhile, in vain, is due again with the rest and not minutes later.
    let patient = json!({"timeout_seconds": 60, "retry_schedule": [1, 1, 1, 1, 1]});
    stage.webhook(patient).await;
    stage.receiver.hang(true);
    let filled = stage.publish(BATCH, End::Events(size.backlog)).await?;
    let filling = process::peak_mib(&stage.daemon);
    stage.end();
    stage.receiver.hang(false);
    let before = stage.limit()?;
    let began = wait::now();
    stage.start_again();
    stage.until_arrived(1).await?;
    let first = since(began);
    let (count, drains) = (stage.receiver.count(), wait::now());
    stage.arrived().await?;
    let (took, used) = (since(drains), stage.used().await?);
    let delivered = stage.receiver.count();
    let title = format!("drain of {} waiting deliveries", size.backlog);
    let limit = f64::midpoint(before, stage.limit()?);
    let mut drain = Figures::new("backlog", &title, limit);
    drain.rate(delivered - count, took);
    drain.accepted = Some(filled.per_second());
    // When it started again, the daemon had used nothing.
    drain.use_of(process::Used::default(), used, delivered, took);
    drain.peak_mib = Some(process::peak_mib(&stage.daemon));
    drain.bytes_per_event = Some(stage.bytes_per_event());
    (drain.idle_mib, drain.filling_mib) = (Some(idle), Some(filling));
    drain.first_delivery_ms = Some(first.as_secs_f64() * 1e3);
    drain.note = Some(format!(
        "{idle:.0} MiB idle, {filling:.0} MiB at most while the backlog came in; {} ms from the \
         start to the first delivery",
        first.as_millis()
    ));
    Ok(vec![drain])
}

/// No slower for all that is there already. Both are measured in turn, because machines drift.
async fn steady(size: Size, progress: &Progress) -> Outcome<Vec<Figures>> {
    let mut full = Stage::warm(1, size, progress).await?;
    while full.published < size.steady {
        let some = (size.steady - full.published).min(CHUNK);
        progress.step(&format!("{} of {} events are there", full.published, size.steady));
        full.publish(BATCH, End::Events(some)).await?;
        full.arrived().await?;
    }
    let mut empty = Stage::warm(1, size, progress).await?;
    let title = format!("single publish after {} events", size.steady);
    let (mut of_full, mut of_empty) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let name = ("steady", "single publish, empty database");
        of_empty.push(empty.measure(name, 1, size.end()).await?);
        of_full.push(full.measure(("steady", &title), 1, size.end()).await?);
    }
    let (empty, mut full) = (middle(of_empty), middle(of_full));
    full.slowdown_percent = Some(100.0 * (1.0 - full.share / empty.share));
    full.note = Some(format!(
        "its share is {:+.1} % of that on an empty database; both are the middle of {ROUNDS} \
         measured in turn",
        100.0 * (full.share / empty.share - 1.0)
    ));
    Ok(vec![empty, full])
}

/// The one with the share in the middle.
fn middle(mut figures: Vec<Figures>) -> Figures {
    figures.sort_by(|one, other| one.share.total_cmp(&other.share));
    figures.swap_remove(figures.len() / 2)
}

impl Size {
    /// Of publishing at saturation.
    fn end(self) -> End {
        End::After(Duration::from_secs(self.seconds))
    }
}
