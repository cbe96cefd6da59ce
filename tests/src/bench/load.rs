//! Load: requests over kept-alive connections, as fast as they are answered or at a pace.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::since;
use crate::wait;

/// What was done.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    pub requests: u64,
    pub took: Duration,
}

impl Done {
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.took.as_secs_f64()
    }
}

type Sender = SendRequest<Full<Bytes>>;

async fn connect(address: SocketAddr) -> Sender {
    let stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    sender
}

/// Sends one and reads its answer to the end.
async fn exchange(sender: &mut Sender, request: Request<Full<Bytes>>) -> StatusCode {
    sender.ready().await.expect("a connection that stays");
    let answer = sender.send_request(request).await.expect("an answer");
    let status = answer.status();
    answer.into_body().collect().await.expect("the whole answer");
    status
}

/// Sends on each connection the next request as soon as the last is answered, for so long. The
/// argument of `request` counts from 0.
///
/// # Panics
///
/// If an answer is not a success: a benchmark of refusals is none.
pub async fn saturate(
    address: SocketAddr,
    connections: usize,
    length: Duration,
    request: impl Fn(u64) -> Request<Full<Bytes>> + Send + Sync + 'static,
) -> Done {
    until(address, connections, request, move |_, elapsed| elapsed >= length).await
}

/// The same, for so many requests.
pub async fn send(
    address: SocketAddr,
    connections: usize,
    count: u64,
    request: impl Fn(u64) -> Request<Full<Bytes>> + Send + Sync + 'static,
) -> Done {
    until(address, connections, request, move |number, _| number >= count).await
}

async fn until(
    address: SocketAddr,
    connections: usize,
    request: impl Fn(u64) -> Request<Full<Bytes>> + Send + Sync + 'static,
    ends: impl Fn(u64, Duration) -> bool + Send + Sync + 'static,
) -> Done {
    let (request, ends) = (Arc::new(request), Arc::new(ends));
    let (next, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut senders = Vec::with_capacity(connections);
    for _ in 0..connections {
        senders.push(connect(address).await);
    }
    let mut tasks = JoinSet::new();
    let began = wait::now();
    for mut sender in senders {
        let (request, ends) = (Arc::clone(&request), Arc::clone(&ends));
        let (next, done) = (Arc::clone(&next), Arc::clone(&done));
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if ends(number, since(began)) {
                    return;
                }
                let status = exchange(&mut sender, request(number)).await;
                assert!(status.is_success(), "answered {status}");
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("a connection that works");
    }
    Done { requests: done.load(Ordering::Relaxed), took: since(began) }
}

/// Sends one request after the other at this pace, whether or not the last was answered.
pub async fn paced(
    address: SocketAddr,
    pace: Duration,
    count: u32,
    request: impl Fn(u64) -> Request<Full<Bytes>>,
) {
    let mut idle: Vec<Sender> = Vec::new();
    for _ in 0..8 {
        idle.push(connect(address).await);
    }
    let mut running = JoinSet::new();
    let began = wait::now();
    for number in 0..count {
        wait::pause((pace * number).saturating_sub(since(began))).await;
        while let Some(free) = running.try_join_next() {
            idle.push(free.expect("an exchange"));
        }
        let mut sender = match idle.pop() {
            Some(sender) => sender,
            None => connect(address).await,
        };
        let request = request(u64::from(number));
        running.spawn(async move {
            let status = exchange(&mut sender, request).await;
            assert!(status.is_success(), "answered {status}");
            sender
        });
    }
    while running.join_next().await.is_some() {}
}
