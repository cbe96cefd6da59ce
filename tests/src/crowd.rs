//! Many webhooks at one daemon, each of a tenant of its own, some of them at receivers that are
//! stuck; and how long it takes from publishing to the healthy ones.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::client::{Call, Client};
use crate::daemon::Daemon;
use crate::partner::{Partner, Webhook};
use crate::sink::refusing_port;
use crate::wait;

/// How a receiver fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// Takes the request, and never says a word.
    Hangs,
    /// Answers a byte a second.
    Drips,
    /// Takes no connection.
    Refuses,
}

impl Bad {
    pub const ALL: [Self; 3] = [Self::Hangs, Self::Drips, Self::Refuses];
}

/// How long each delivery took, from the call that published it to its arrival: of each healthy
/// webhook, in the order of their arrival.
type Latencies = Vec<Vec<Duration>>;

/// A daemon, its partners, and their receivers.
#[derive(Debug)]
pub struct Crowd {
    pub daemon: Daemon,
    pub healthy: Vec<(Partner, Webhook)>,
    pub bad: Vec<(Partner, Webhook)>,
    /// Of those that hang or drip.
    stuck: Vec<Arc<Held>>,
    arrivals: Arc<Arrivals>,
    tasks: JoinSet<()>,
    /// Held, so that nobody else listens there.
    _refusing: TcpSocket,
}

/// What has arrived at the healthy receivers.
#[derive(Debug)]
struct Arrivals {
    since: Instant,
    took: Mutex<Latencies>,
    count: AtomicUsize,
}

/// Requests that a stuck receiver holds: now, and at most.
#[derive(Debug, Default)]
struct Held {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Crowd {
    /// Starts a daemon with these options, and lets that many healthy and these bad ones join.
    pub async fn gather(options: &[&str], healthy: usize, bad: &[Bad]) -> Self {
        let daemon = Daemon::start_with(options);
        let mut tasks = JoinSet::new();
        let took = Mutex::new(vec![Vec::new(); healthy]);
        let arrivals = Arc::new(Arrivals { since: wait::now(), took, count: AtomicUsize::new(0) });
        let (refusing, refused) = refusing_port();
        let base = receive(&mut tasks, Arc::clone(&arrivals)).await;
        let mut crowd = Self {
            daemon,
            healthy: Vec::new(),
            bad: Vec::new(),
            stuck: Vec::new(),
            arrivals,
            tasks,
            _refusing: refusing,
        };
        for number in 0..healthy {
            let joined = crowd.join(&format!("{base}/{number}")).await;
            crowd.healthy.push(joined);
        }
        for bad in bad {
            let url = match bad {
                Bad::Refuses => format!("http://{refused}/"),
                _ => crowd.stick(*bad == Bad::Drips).await,
            };
            let joined = crowd.join(&url).await;
            crowd.bad.push(joined);
        }
        crowd
    }

    async fn join(&self, url: &str) -> (Partner, Webhook) {
        let partner = Partner::join(&self.daemon).await;
        let webhook = partner.subscribe(url, &["order.*"]).await;
        (partner, webhook)
    }

    /// A receiver that never ends an answer; gives its URL.
    async fn stick(&mut self, drips: bool) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let held = Arc::new(Held::default());
        self.stuck.push(Arc::clone(&held));
        self.tasks.spawn(async move {
            let mut victims = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("accept");
                victims.spawn(hold(stream, Arc::clone(&held), drips));
                while victims.try_join_next().is_some() {}
            }
        });
        url
    }

    /// The most requests that each of the stuck held at a time.
    pub fn most_held(&self) -> Vec<usize> {
        self.stuck.iter().map(|held| held.most.load(Ordering::Relaxed)).collect()
    }

    /// Publishes an event for every webhook, again and again at that pace, waits until all have
    /// arrived at the healthy ones, and gives their latencies.
    ///
    /// The next batch never waits for the answer to the one before it: what is slow is measured,
    /// not spared.
    pub async fn publish(&self, pace: Duration, length: Duration) -> Latencies {
        let client = self.daemon.operator();
        let begin = wait::now();
        let mut calls = JoinSet::new();
        let mut batches: u32 = 0;
        while pace * batches < length {
            wait::pause((pace * batches).saturating_sub(wait::now() - begin)).await;
            calls.spawn(publish(client.clone(), self.batch(batches)));
            batches += 1;
        }
        calls.join_all().await;
        let wanted = self.healthy.len() * usize::try_from(batches).expect("few");
        wait::until(&format!("{wanted} arrivals"), async || {
            let arrived = self.arrivals.count.load(Ordering::Relaxed);
            if arrived >= wanted { Ok(()) } else { Err(format!("{arrived}")) }
        })
        .await;
        self.arrivals.count.store(0, Ordering::Relaxed);
        let mut took = self.arrivals.took.lock().unwrap_or_else(PoisonError::into_inner);
        took.iter_mut().map(std::mem::take).collect()
    }

    /// The body of a call that publishes for everybody, and says when.
    fn batch(&self, number: u32) -> String {
        let sent = (wait::now() - self.arrivals.since).as_micros();
        let mut body = String::from("[");
        for (partner, _) in self.healthy.iter().chain(&self.bad) {
            let comma = if body.len() > 1 { "," } else { "" };
            let (tenant, event) = (&partner.tenant, "order.filled");
            let data = format!(r#"{{"id":"ord_{number}","sent":{sent}}}"#);
            let one = format!(r#"{{"event":"{event}","tenant":"{tenant}","data":{data}}}"#);
            let _ = write!(body, "{comma}{one}");
        }
        body + "]"
    }
}

async fn publish(client: Client, body: String) {
    client.send(Call::post("/v1/events/batch", body)).await.must_be(202);
}

/// The server of all healthy receivers; gives its base. Each has a path of its own, its number.
async fn receive(tasks: &mut JoinSet<()>, arrivals: Arc<Arrivals>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.expect("accept");
            let arrivals = Arc::clone(&arrivals);
            connections.spawn(async move {
                let service = service_fn(async |request| arrivals.note(request).await);
                let server = hyper::server::conn::http1::Builder::new();
                // A client that goes away in the middle is its own affair.
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
            while connections.try_join_next().is_some() {}
        }
    });
    base
}

impl Arrivals {
    async fn note(
        &self,
        request: http::Request<Incoming>,
    ) -> Result<http::Response<Full<Bytes>>, Infallible> {
        let now = wait::now() - self.since;
        let number: usize = request.uri().path()[1..].parse().expect("a number");
        let body = request.into_body().collect().await.expect("a body").to_bytes();
        let text = str::from_utf8(&body).expect("JSON");
        let sent = text.rsplit_once("\"sent\":").expect("when").1.trim_end_matches('}');
        let sent = Duration::from_micros(sent.parse().expect("a number"));
        let mut took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        took[number].push(now.saturating_sub(sent));
        drop(took);
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(http::Response::new(Full::default()))
    }
}

/// Takes a request and keeps it until the other side has had enough.
async fn hold(mut stream: TcpStream, held: Arc<Held>, drips: bool) {
    let now = held.now.fetch_add(1, Ordering::Relaxed) + 1;
    held.most.fetch_max(now, Ordering::Relaxed);
    let mut request = [0; 4096];
    let mut dripped = !drips || stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.is_err();
    loop {
        let second = if dripped { wait::DEADLINE * 100 } else { Duration::from_secs(1) };
        match wait::within(second, stream.read(&mut request)).await {
            Some(Ok(1..)) => {}
            Some(_) => break,
            None => dripped |= stream.write_all(b".").await.is_err(),
        }
    }
    held.now.fetch_sub(1, Ordering::Relaxed);
}

/// The latency that this share of all is not above; zero if there are none.
pub fn quantile(latencies: &[Duration], share: f64) -> Duration {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place among some ten thousand"
    )]
    let place = ((sorted.len() as f64 * share).ceil() as usize).max(1) - 1;
    sorted.get(place).copied().unwrap_or_default()
}

/// Milliseconds, to three places.
pub fn millis(latency: Duration) -> f64 {
    (latency.as_secs_f64() * 1e6).round() / 1e3
}

/// What stands for a set of latencies, as JSON.
pub fn summary(latencies: &[Duration]) -> serde_json::Value {
    let at = |share| millis(quantile(latencies, share));
    let count = latencies.len();
    json!({"count": count, "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": at(1.0)})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let hundred: Vec<_> = (1..=100).rev().map(Duration::from_millis).collect();
        for (share, millis) in [(0.0, 1), (0.5, 50), (0.99, 99), (1.0, 100)] {
            assert_eq!(quantile(&hundred, share), Duration::from_millis(millis), "{share}");
        }
        assert_eq!(quantile(&[], 0.99), Duration::ZERO);
    }
}
