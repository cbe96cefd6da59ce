//! Load: requests over kept-alive connections, as fast as they are answered or at a pace.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Outcome, since};
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

async fn connect(address: SocketAddr) -> Outcome<Sender> {
    let stream = in_time("no connection", TcpStream::connect(address)).await?;
    stream.set_nodelay(true).map_err(|error| format!("no connection: {error}"))?;
    let (sender, connection) = in_time("no HTTP", http1::handshake(TokioIo::new(stream))).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Sends one and reads its answer to the end. An answer that is not a success is an error: a
/// benchmark of refusals is none.
async fn exchange(sender: &mut Sender, request: Request<Full<Bytes>>) -> Outcome<()> {
    let answered = async {
        sender.ready().await?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await?))
    };
    let answered = answered.await.map_err(|error: hyper::Error| format!("no answer: {error}"));
    let (status, body) = answered?;
    if status.is_success() {
        return Ok(());
    }
    Err(format!("answered {status}: {}", String::from_utf8_lossy(&body.to_bytes())))
}

/// The result, unless it takes longer than anything does when all is well.
async fn in_time<T, E: Display>(
    what: &str,
    future: impl Future<Output = Result<T, E>>,
) -> Outcome<T> {
    match wait::within(wait::DEADLINE, future).await {
        Some(result) => result.map_err(|error| format!("{what}: {error}")),
        None => Err(format!("{what} within {:?}", wait::DEADLINE)),
    }
}

/// Sends on each connection the next request as soon as the last is answered, for so long. The
/// argument of `request` counts from 0.
pub async fn saturate(
    address: SocketAddr,
    connections: usize,
    length: Duration,
    request: impl Fn(u64) -> Request<Full<Bytes>> + Send + Sync + 'static,
) -> Outcome<Done> {
    until(address, connections, request, move |_, elapsed| elapsed >= length).await
}

/// The same, for so many requests.
pub async fn send(
    address: SocketAddr,
    connections: usize,
    count: u64,
    request: impl Fn(u64) -> Request<Full<Bytes>> + Send + Sync + 'static,
) -> Outcome<Done> {
    until(address, connections, request, move |number, _| number >= count).await
}

async fn until(
    address: SocketAddr,
    connections: usize,
    request: impl Fn(u64) -> Request<Full<Bytes>> + Send + Sync + 'static,
    ends: impl Fn(u64, Duration) -> bool + Send + Sync + 'static,
) -> Outcome<Done> {
    let (request, ends) = (Arc::new(request), Arc::new(ends));
    let (next, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut senders = Vec::with_capacity(connections);
    for _ in 0..connections {
        senders.push(connect(address).await?);
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
                    return Ok(());
                }
                exchange(&mut sender, request(number)).await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    all(tasks, &done).await?;
    Ok(Done { requests: done.load(Ordering::Relaxed), took: since(began) })
}

/// Waits for all connections, as long as anything is answered. A clock for each request would
/// cost more than what is measured allows.
async fn all(mut tasks: JoinSet<Outcome<()>>, done: &AtomicU64) -> Outcome<()> {
    let mut before = None;
    loop {
        match wait::within(wait::DEADLINE, tasks.join_next()).await {
            Some(Some(ended)) => ended.expect("a connection")?,
            Some(None) => return Ok(()),
            None => {
                let now = Some(done.load(Ordering::Relaxed));
                if now == before {
                    return Err(format!("nothing was answered for {:?}", wait::DEADLINE));
                }
                before = now;
            }
        }
    }
}

/// Sends one request after the other at this pace, whether or not the last was answered.
pub async fn paced(
    address: SocketAddr,
    pace: Duration,
    count: u32,
    request: impl Fn(u64) -> Request<Full<Bytes>>,
) -> Outcome<()> {
    let mut idle: Vec<Sender> = Vec::new();
    for _ in 0..8 {
        idle.push(connect(address).await?);
    }
    let mut running: JoinSet<Outcome<Sender>> = JoinSet::new();
    let began = wait::now();
    for number in 0..count {
        wait::pause((pace * number).saturating_sub(since(began))).await;
        while let Some(free) = running.try_join_next() {
            idle.push(free.expect("an exchange")?);
        }
        let mut sender = match idle.pop() {
            Some(sender) => sender,
            None => connect(address).await?,
        };
        let request = request(u64::from(number));
        running.spawn(async move {
            in_time("an event", exchange(&mut sender, request)).await?;
            Ok(sender)
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("an exchange")?;
    }
    Ok(())
}
