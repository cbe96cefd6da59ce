//! A daemon with its load and its receiver, and what can be done with them.
//!
//! Every wait ends: with what was waited for, with the death of the daemon, or when nothing has
//! moved for long.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use super::figures::Figures;
use super::load::{self, Done};
use super::process::{self, Used};
use super::progress::Progress;
use super::receiver::Receiver;
use super::scenario::Size;
use super::{CONNECTIONS, Outcome, add_event, limit, on_a_thread, since};
use crate::client::{Client, Credentials};
use crate::daemon::Daemon;
use crate::wait;

/// Events in a batch, and connections that publish batches.
pub(super) const BATCH: u64 = 100;
const BATCH_CONNECTIONS: usize = 16;
/// A hundred events a second.
const PACE: Duration = Duration::from_millis(10);
/// How long nothing may arrive that is on its way.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How long a process that breaks its connections takes to be dead.
const DYING: Duration = Duration::from_secs(1);
/// Lines of the daemon's log that are told when something fails.
const LAST_LINES: usize = 20;

/// When to stop publishing.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    After(Duration),
    Events(u64),
}

/// A daemon on a database of its own.
pub(super) struct Stage {
    pub(super) daemon: Daemon,
    operator: Client,
    publisher: Arc<str>,
    pub(super) receiver: Receiver,
    /// Deliveries of each event that the receiver answers.
    fan_out: u64,
    /// Events published so far.
    pub(super) published: u64,
    size: Size,
    progress: Progress,
    patience: Duration,
}

impl Stage {
    /// Without a webhook.
    pub(super) async fn set(size: Size, progress: &Progress) -> Self {
        progress.step("a new daemon");
        // What hangs is not waited for when it is ended.
        let daemon = Daemon::start_with(&["--grace", "1s"]);
        let tenant = json!({"role": "tenant", "tenant": daemon.tenant_id()});
        let key = daemon.new_key(&tenant).await;
        Self {
            operator: daemon.operator(),
            publisher: Credentials::header(&key).into(),
            daemon,
            receiver: Receiver::start(),
            fan_out: 0,
            published: 0,
            size,
            progress: progress.clone(),
            patience: PATIENCE,
        }
    }

    /// With so many webhooks that answer, warmed up: connections are opened, caches filled.
    pub(super) async fn warm(webhooks: u64, size: Size, progress: &Progress) -> Outcome<Self> {
        let mut stage = Self::set(size, progress).await;
        for _ in 0..webhooks {
            stage.webhook(json!({})).await;
        }
        stage.publish(1, End::Events(size.warm_up / webhooks)).await?;
        stage.arrived().await?;
        Ok(stage)
    }

    /// One more webhook that answers, with these settings.
    pub(super) async fn webhook(&mut self, settings: Value) {
        self.register(&format!("/in/{}", self.fan_out), settings).await;
        self.fan_out += 1;
    }

    /// One that never does.
    pub(super) async fn hanging_webhook(&self) {
        self.register("/hang", json!({})).await;
    }

    async fn register(&self, path: &str, mut webhook: Value) {
        webhook["url"] = self.receiver.url(path).into();
        webhook["eventTypeNames"] = json!(["*"]);
        webhook["tenant"] = self.daemon.tenant_id().into();
        self.operator.post("/v1/webhooks", &webhook).await.must_be(201);
    }

    /// Ends the daemon and starts it again on the same database.
    pub(super) fn end(&mut self) {
        self.progress.step("the daemon ends");
        self.daemon.terminate();
    }

    pub(super) fn start_again(&mut self) {
        self.progress.step("the daemon starts again");
        self.daemon.restart();
        self.operator = self.daemon.operator();
    }

    fn address(&self) -> SocketAddr {
        let address = self.daemon.base().trim_start_matches("http://").parse();
        address.expect("an address")
    }

    /// Requests that publish: each one event, or a batch.
    fn requests(&self, batch: u64) -> impl Fn(u64) -> Request<Full<Bytes>> + Send + Sync + use<> {
        let (publisher, first) = (Arc::clone(&self.publisher), self.published);
        let clock = self.receiver.clock();
        move |number| {
            let from = first + number * batch;
            let mut body = String::new();
            let path = if batch == 1 {
                add_event(&mut body, from, clock());
                "/v1/events"
            } else {
                for number in from..from + batch {
                    body.push(if number == from { '[' } else { ',' });
                    add_event(&mut body, number, clock());
                }
                body.push(']');
                "/v1/events/batch"
            };
            Request::post(path)
                .header("host", "localhost")
                .header("content-type", "application/json")
                .header("authorization", &*publisher)
                .body(Full::new(body.into()))
                .expect("a request")
        }
    }

    /// Runs a load on a thread of its own, and tells how far it is.
    async fn load<F, T>(&mut self, load: impl FnOnce() -> F + Send + 'static) -> Outcome<T>
    where
        F: Future<Output = Outcome<T>> + 'static,
        T: Send + 'static,
    {
        self.progress.step("publishing");
        let load = on_a_thread(load);
        while !load.is_finished() {
            self.progress.tell(&format!("publishing; {} have arrived", self.receiver.count()));
            wait::pause(LOOK).await;
        }
        match load.join().expect("the load") {
            Ok(done) => Ok(done),
            Err(why) => Err(self.failed(&format!("publishing: {why}")).await),
        }
    }

    /// Publishes so many events, or for so long, over 64 connections or in batches.
    pub(super) async fn publish(&mut self, batch: u64, end: End) -> Outcome<Done> {
        let (address, request) = (self.address(), self.requests(batch));
        let connections = if batch == 1 { CONNECTIONS } else { BATCH_CONNECTIONS };
        let load = move || async move {
            match end {
                End::After(length) => load::saturate(address, connections, length, request).await,
                End::Events(count) => {
                    load::send(address, connections, count.div_ceil(batch), request).await
                }
            }
        };
        let done = self.load(load).await?;
        self.published += done.requests * batch;
        Ok(Done { requests: done.requests * batch, ..done })
    }

    /// Waits until everything that was published has arrived.
    pub(super) async fn arrived(&mut self) -> Outcome<()> {
        self.progress.step("waiting for the rest to arrive");
        self.until_arrived(self.published * self.fan_out).await
    }

    /// Waits until so many have arrived.
    pub(super) async fn until_arrived(&mut self, expected: u64) -> Outcome<()> {
        let (mut last, mut moved) = (self.receiver.count(), wait::now());
        loop {
            let count = self.receiver.count();
            if count >= expected {
                return Ok(());
            }
            if count > last {
                (last, moved) = (count, wait::now());
            }
            let dead = self.daemon.ended_within(Duration::ZERO).await.is_some();
            if dead || since(moved) > self.patience {
                let moved = since(moved).as_secs_f64();
                let what = format!("{count} of {expected} have arrived, none for {moved:.1} s");
                return Err(self.failed(&what).await);
            }
            self.progress.tell(&format!("waiting; {count} of {expected} have arrived"));
            wait::pause(LOOK).await;
        }
    }

    /// What failed, and how the daemon is.
    async fn failed(&mut self, what: &str) -> String {
        let daemon = match self.daemon.ended_within(DYING).await {
            Some(status) => format!("the daemon has ended ({status})"),
            None => "the daemon runs".to_owned(),
        };
        let log = self.daemon.log();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
        let last = if last.is_empty() { "nothing".to_owned() } else { last };
        format!("{what}; {daemon}; the last lines of its log:\n{last}")
    }

    /// Plain HTTP, now.
    pub(super) fn limit(&self) -> Outcome<f64> {
        self.progress.step("plain HTTP, for comparison");
        limit::measure(self.size.limit)
    }

    pub(super) async fn used(&self) -> Outcome<Used> {
        process::used(&self.daemon, &self.operator).await
    }

    pub(super) fn bytes_per_event(&self) -> f64 {
        process::database_bytes(&self.daemon) as f64 / self.published as f64
    }

    /// Publishes, waits until everything has arrived, and says how that went.
    pub(super) async fn measure(
        &mut self,
        (scenario, title): (&'static str, &str),
        batch: u64,
        end: End,
    ) -> Outcome<Figures> {
        let before = self.limit()?;
        let (count, used, began) = (self.receiver.count(), self.used().await?, wait::now());
        let accepted = self.publish(batch, end).await?;
        self.arrived().await?;
        let (took, used_then) = (since(began), self.used().await?);
        let delivered = self.receiver.count() - count;
        let mut figures = Figures::new(scenario, title, f64::midpoint(before, self.limit()?));
        figures.rate(delivered, took);
        figures.accepted = Some(accepted.per_second());
        figures.use_of(used, used_then, delivered, took);
        figures.peak_mib = Some(process::peak_mib(&self.daemon));
        figures.bytes_per_event = Some(self.bytes_per_event());
        Ok(figures)
    }

    /// A hundred a second, and how long each took.
    pub(super) async fn paced(&mut self, scenario: &'static str, title: &str) -> Outcome<Figures> {
        let count = u32::try_from(self.size.seconds * 200).unwrap_or(u32::MAX);
        let before = self.limit()?;
        let (address, request) = (self.address(), self.requests(1));
        let (arrived, used, began) = (self.receiver.count(), self.used().await?, wait::now());
        self.receiver.measure();
        self.load(move || load::paced(address, PACE, count, request)).await?;
        self.published += u64::from(count);
        self.arrived().await?;
        let (took, used_then) = (since(began), self.used().await?);
        let delivered = self.receiver.count() - arrived;
        let mut figures = Figures::new(scenario, title, f64::midpoint(before, self.limit()?));
        figures.rate(delivered, took);
        figures.use_of(used, used_then, delivered, took);
        figures.latencies(&self.receiver.latencies());
        figures.peak_mib = Some(process::peak_mib(&self.daemon));
        figures.bytes_per_event = Some(self.bytes_per_event());
        Ok(figures)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    async fn stage() -> Stage {
        let size = Size { warm_up: 10, ..Size::QUICK };
        Stage::warm(1, size, &Progress::new("single")).await.unwrap()
    }

    #[tokio::test]
    async fn a_daemon_that_dies_is_not_waited_for_and_its_last_words_are_told() {
        let mut stage = stage().await;
        std::fs::write(stage.daemon.folder().join("log"), "one\n".repeat(30) + "the last").unwrap();
        let id = stage.daemon.process_id().to_string();
        let killed = Command::new("sh").args(["-c", "kill -KILL \"$0\"", &id]).status();
        assert!(killed.unwrap().success());
        let why = stage.publish(1, End::Events(10)).await.unwrap_err();
        for part in
            ["publishing: no ", "the daemon has ended (signal: 9", "log:\none\n", "the last"]
        {
            assert!(why.contains(part), "{part} in {why}");
        }
        assert_eq!(why.lines().count(), 1 + LAST_LINES, "{why}");
        stage.published += 1;
        let why = stage.arrived().await.unwrap_err();
        assert!(why.starts_with("10 of 11 have arrived, none for "), "{why}");
        assert!(why.contains("the daemon has ended"), "{why}");
    }

    #[tokio::test]
    async fn what_does_not_arrive_is_not_waited_for_for_ever() {
        let mut stage = stage().await;
        (stage.published, stage.patience) = (stage.published + 1, Duration::from_millis(50));
        let why = stage.arrived().await.unwrap_err();
        assert!(why.starts_with("10 of 11 have arrived, none for 0.1 s; the daemon runs"), "{why}");
    }
}
