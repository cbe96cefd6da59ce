//! What is measured, each on a daemon and a database of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;

use super::load::{self, Done};
use super::process::{self, Used};
use super::receiver::Receiver;
use super::report::{Figures, Progress};
use super::{CONNECTIONS, event, limit, on_a_thread, order, since};
use crate::client::{Client, Credentials};
use crate::daemon::Daemon;
use crate::wait;

/// How long plain HTTP is measured, before a scenario and after it.
const LIMIT: Duration = Duration::from_secs(2);
/// Not measured: connections are opened, caches filled.
const WARM_UP: u64 = 2_000;
/// Events in a batch, and connections that publish batches.
const BATCH: u64 = 100;
const BATCH_CONNECTIONS: usize = 16;
/// How long it may take until everything has arrived.
const PATIENCE: Duration = Duration::from_secs(1_200);

/// A daemon with its load and its receiver.
struct Stage {
    daemon: Daemon,
    operator: Client,
    publisher: Arc<str>,
    receiver: Receiver,
    /// Deliveries of each event that the receiver answers.
    fan_out: u64,
    /// Events published so far.
    published: u64,
    progress: Progress,
}

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub seconds: u64,
    pub backlog: u64,
    pub steady: u64,
}

impl Size {
    /// What the table in BENCHMARKS.md is made with.
    pub const FULL: Self = Self { seconds: 15, backlog: 1_000_000, steady: 5_000_000 };
    /// To see it work.
    pub const QUICK: Self = Self { seconds: 3, backlog: 20_000, steady: 50_000 };
}

/// The names of the scenarios, in their order.
pub const ALL: [&str; 8] =
    ["single", "batch", "light", "fan-out-10", "fan-out-100", "hanging", "backlog", "steady"];

/// Plays one of [`ALL`].
pub async fn play(name: &str, size: Size, progress: Progress) -> Vec<Figures> {
    match name {
        "single" => single(size, progress).await,
        "batch" => batch(size, progress).await,
        "light" => light(size, progress).await,
        "fan-out-10" => fan_out(10, size, progress).await,
        "fan-out-100" => fan_out(100, size, progress).await,
        "hanging" => hanging(size, progress).await,
        "backlog" => backlog(size, progress).await,
        "steady" => steady(size, progress).await,
        unknown => panic!("there is no scenario '{unknown}'; they are {}", ALL.join(", ")),
    }
}

impl Stage {
    /// With so many webhooks that answer.
    async fn set(webhooks: u64, progress: Progress) -> Self {
        let daemon = Daemon::start_with(&["--allow-target", "127.0.0.0/8"]);
        let receiver = Receiver::start();
        let tenant = json!({"role": "tenant", "tenant": daemon.tenant_id()});
        let key = daemon.new_key(&tenant).await;
        let operator = daemon.operator();
        let stage = Self {
            operator,
            publisher: Credentials::header(&key).into(),
            daemon,
            receiver,
            fan_out: webhooks,
            published: 0,
            progress,
        };
        for number in 0..webhooks {
            stage.webhook(&format!("/in/{number}")).await;
        }
        stage
    }

    async fn webhook(&self, path: &str) {
        let webhook = json!({
            "url": self.receiver.url(path), "eventTypeNames": ["*"],
            "tenant": self.daemon.tenant_id(),
        });
        self.operator.post("/v1/webhooks", &webhook).await.must_be(201);
    }

    /// Requests that publish: each one event, or a batch.
    fn requests(&self, batch: u64) -> impl Fn(u64) -> Request<Full<Bytes>> + Send + Sync + use<> {
        let (publisher, first) = (Arc::clone(&self.publisher), self.published);
        let clock = self.receiver.clock();
        move |number| {
            let (path, body) = if batch == 1 {
                ("/v1/events", event(first + number, clock()))
            } else {
                let from = first + number * batch;
                let events = (from..from + batch).map(|number| {
                    format!(r#"{{"event":"order.filled","data":{}}}"#, order(number, clock()))
                });
                let events = format!("[{}]", events.collect::<Vec<_>>().join(","));
                ("/v1/events/batch", events.into())
            };
            Request::post(path)
                .header("host", "localhost")
                .header("content-type", "application/json")
                .header("authorization", &*publisher)
                .body(Full::new(body))
                .expect("a request")
        }
    }

    /// Publishes so many events, or for so long, over 64 connections or in batches.
    async fn publish(&mut self, batch: u64, end: End) -> Done {
        let address = self.daemon.base().trim_start_matches("http://").parse();
        let address = address.expect("an address");
        let request = self.requests(batch);
        let connections = if batch == 1 { CONNECTIONS } else { BATCH_CONNECTIONS };
        let load = on_a_thread(move || async move {
            match end {
                End::After(length) => load::saturate(address, connections, length, request).await,
                End::Events(count) => {
                    load::send(address, connections, count.div_ceil(batch), request).await
                }
            }
        });
        while !load.is_finished() {
            self.tell("published, and so many have arrived:");
            wait::pause(Duration::from_millis(50)).await;
        }
        let done = load.join().expect("the load");
        self.published += done.requests * batch;
        Done { requests: done.requests * batch, ..done }
    }

    /// Waits until everything that was published has arrived.
    async fn arrived(&self) {
        let expected = self.published * self.fan_out;
        wait::until_within(PATIENCE, "everything to arrive", async || {
            self.tell("still on their way; so many have arrived:");
            let count = self.receiver.count();
            if count >= expected { Ok(()) } else { Err(format!("{count} of {expected}")) }
        })
        .await;
    }

    fn tell(&self, what: &str) {
        self.progress.tell(&format!("{what} {}", self.receiver.count()));
    }

    async fn used(&self) -> Used {
        process::used(&self.daemon, &self.operator).await
    }

    async fn warm_up(&mut self) {
        self.publish(1, End::Events(WARM_UP)).await;
        self.arrived().await;
    }

    /// Publishes, waits until everything has arrived, and says how that went.
    async fn measure(&mut self, name: &str, batch: u64, end: End) -> Figures {
        let before = limit::measure(LIMIT);
        let (count, used, began) = (self.receiver.count(), self.used().await, wait::now());
        let accepted = self.publish(batch, end).await;
        self.arrived().await;
        let took = since(began);
        let after_use = self.used().await;
        let limit = f64::midpoint(before, limit::measure(LIMIT));
        let delivered = self.receiver.count() - count;
        let mut figures = Figures::new(name, limit);
        figures.rate(delivered, took);
        figures.accepted = Some(accepted.per_second());
        figures.use_of(used, after_use, delivered, took);
        figures.peak_mib = Some(process::peak_mib(&self.daemon));
        let events = i64::try_from(self.published).unwrap_or(i64::MAX);
        figures.bytes_per_event =
            Some(process::database_bytes(&self.daemon) as f64 / events as f64);
        figures
    }
}

/// When to stop publishing.
#[derive(Debug, Clone, Copy)]
enum End {
    After(Duration),
    Events(u64),
}

async fn single(size: Size, progress: Progress) -> Vec<Figures> {
    let mut stage = Stage::set(1, progress).await;
    stage.warm_up().await;
    let length = Duration::from_secs(size.seconds);
    vec![stage.measure("single publish, 64 connections", 1, End::After(length)).await]
}

async fn batch(size: Size, progress: Progress) -> Vec<Figures> {
    let mut stage = Stage::set(1, progress).await;
    stage.warm_up().await;
    let length = Duration::from_secs(size.seconds);
    vec![stage.measure("batches of 100", BATCH, End::After(length)).await]
}

async fn light(size: Size, progress: Progress) -> Vec<Figures> {
    let mut stage = Stage::set(1, progress).await;
    stage.warm_up().await;
    vec![stage.paced("light load, 100/s", size).await]
}

async fn fan_out(webhooks: u64, size: Size, progress: Progress) -> Vec<Figures> {
    let mut stage = Stage::set(webhooks, progress).await;
    stage.publish(1, End::Events(WARM_UP / webhooks)).await;
    stage.arrived().await;
    let events = 15_000 * size.seconds / webhooks;
    let name = format!("fan-out to {webhooks} webhooks");
    vec![stage.measure(&name, 1, End::Events(events)).await]
}

async fn hanging(size: Size, progress: Progress) -> Vec<Figures> {
    let mut stage = Stage::set(1, progress).await;
    stage.webhook("/hang").await;
    stage.warm_up().await;
    vec![stage.paced("100/s beside a webhook that hangs", size).await]
}

impl Stage {
    /// A hundred a second, and how long each took.
    async fn paced(&mut self, name: &str, size: Size) -> Figures {
        let count = u32::try_from(size.seconds * 200).unwrap_or(u32::MAX);
        let before = limit::measure(LIMIT);
        let address = self.daemon.base().trim_start_matches("http://").parse();
        let (address, request) = (address.expect("an address"), self.requests(1));
        let (used, began) = (self.used().await, wait::now());
        self.receiver.measure();
        let pace = Duration::from_millis(10);
        let load =
            on_a_thread(move || async move { load::paced(address, pace, count, request).await });
        while !load.is_finished() {
            self.tell("so many have arrived:");
            wait::pause(Duration::from_millis(50)).await;
        }
        load.join().expect("the load");
        self.published += u64::from(count);
        self.arrived().await;
        let (took, after_use) = (since(began), self.used().await);
        let mut figures = Figures::new(name, f64::midpoint(before, limit::measure(LIMIT)));
        figures.rate(u64::from(count), took);
        figures.use_of(used, after_use, u64::from(count), took);
        figures.latencies(&self.receiver.latencies());
        figures.peak_mib = Some(process::peak_mib(&self.daemon));
        figures
    }
}

/// What waits when the daemon starts again goes out.
async fn backlog(size: Size, progress: Progress) -> Vec<Figures> {
    let mut stage = Stage::set(1, progress).await;
    let idle = process::resident_mib(&stage.daemon);
    stage.receiver.hang(true);
    let filled = stage.publish(BATCH, End::Events(size.backlog)).await;
    let full = process::peak_mib(&stage.daemon);
    stage.daemon.terminate();
    stage.receiver.hang(false);
    let before = limit::measure(LIMIT);
    let began = wait::now();
    stage.daemon.restart();
    stage.operator = stage.daemon.operator();
    wait::until("the first delivery", async || {
        if stage.receiver.count() > 0 { Ok(()) } else { Err("none yet") }
    })
    .await;
    let first = since(began);
    let (count, used, drains) = (stage.receiver.count(), stage.used().await, wait::now());
    stage.arrived().await;
    let took = since(drains);
    let after_use = stage.used().await;
    let limit = f64::midpoint(before, limit::measure(LIMIT));
    let delivered = stage.receiver.count() - count;
    let mut drain = Figures::new(&format!("drain of {} waiting deliveries", size.backlog), limit);
    drain.rate(delivered, took);
    drain.accepted = Some(filled.per_second());
    drain.use_of(used, after_use, delivered, took);
    drain.peak_mib = Some(process::peak_mib(&stage.daemon));
    drain.bytes_per_event =
        Some(process::database_bytes(&stage.daemon) as f64 / stage.published as f64);
    drain.note = Some(format!(
        "{idle:.0} MiB idle, {full:.0} MiB at most while filling; {} ms from start to the first \
         delivery",
        first.as_millis()
    ));
    vec![drain]
}

/// No slower for all that is there already.
async fn steady(size: Size, progress: Progress) -> Vec<Figures> {
    let mut stage = Stage::set(1, progress).await;
    stage.warm_up().await;
    let length = End::After(Duration::from_secs(size.seconds));
    let empty = stage.measure("single publish, empty database", 1, length).await;
    while stage.published < size.steady {
        let some = (size.steady - stage.published).min(200_000);
        stage.publish(BATCH, End::Events(some)).await;
        stage.arrived().await;
    }
    let name = format!("single publish after {} events", size.steady);
    let mut full = stage.measure(&name, 1, length).await;
    let change = 100.0 * (full.ratio() / empty.ratio() - 1.0);
    full.note = Some(format!("{change:+.1} % against the empty database, as shares of the limit"));
    vec![empty, full]
}
