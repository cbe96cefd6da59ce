//! A receiver that takes everything, counts it, and says nothing.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::{on_a_thread, since};
use crate::wait;

/// A receiver on a thread of its own.
#[derive(Debug)]
pub struct Receiver {
    pub address: SocketAddr,
    seen: Arc<Seen>,
}

/// What has arrived.
#[derive(Debug)]
struct Seen {
    since: Instant,
    count: AtomicU64,
    /// Microseconds from sending to arrival, if that is measured.
    took: Mutex<Vec<u64>>,
    measuring: AtomicBool,
    hanging: AtomicBool,
}

impl Receiver {
    pub fn start() -> Self {
        let seen = Arc::new(Seen {
            since: wait::now(),
            count: AtomicU64::new(0),
            took: Mutex::default(),
            measuring: AtomicBool::new(false),
            hanging: AtomicBool::new(false),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::clone(&seen);
        on_a_thread(move || async move {
            let listener = TcpListener::from_std(listener).expect("a socket");
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                stream.set_nodelay(true).expect("no delay");
                let seen = Arc::clone(&shared);
                let service = service_fn(move |request| receive(Arc::clone(&seen), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, seen }
    }

    /// The URL of one of its webhooks. One that begins with `/hang` is never answered.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on, nothing is answered, or everything.
    pub fn hang(&self, hang: bool) {
        self.seen.hanging.store(hang, Ordering::Relaxed);
    }

    pub fn count(&self) -> u64 {
        self.seen.count.load(Ordering::Relaxed)
    }

    /// Microseconds since it was started: what `sent_at_us` is to be.
    pub fn clock(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        let seen = Arc::clone(&self.seen);
        move || micros(since(seen.since))
    }

    /// From now on, how long each took is kept.
    pub fn measure(&self) {
        self.seen.measuring.store(true, Ordering::Relaxed);
    }

    /// How long they took, of those that were not asked for yet.
    pub fn latencies(&self) -> Vec<Duration> {
        let mut took = self.seen.took.lock().unwrap_or_else(PoisonError::into_inner);
        took.drain(..).map(Duration::from_micros).collect()
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

async fn receive(
    seen: Arc<Seen>,
    request: Request<Incoming>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let hangs = request.uri().path().starts_with("/hang");
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    if hangs || seen.hanging.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
    seen.count.fetch_add(1, Ordering::Relaxed);
    if seen.measuring.load(Ordering::Relaxed)
        && let Some(sent_at) = sent_at(&body)
    {
        let took = micros(since(seen.since)).saturating_sub(sent_at);
        seen.took.lock().unwrap_or_else(PoisonError::into_inner).push(took);
    }
    Ok(Response::new(Empty::new()))
}

fn sent_at(body: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"\"sent_at_us\":\"";
    let start = body.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    std::str::from_utf8(body.get(start..start + 16)?).ok()?.parse().ok()
}
