//! A partner's server over real sockets: keeps every request as it came, answers by a script.

mod answer;
mod line;

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use answer::Answer;
use line::Line;

use crate::wait;

/// One request as it came in.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its place among all requests to this sink, from 0.
    pub number: usize,
    /// When its last byte was here.
    pub at: Instant,
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Bytes,
}

impl Request {
    /// A header that must be there, once, and be text.
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().unwrap_or_else(|| panic!("no header '{name}' in {self:?}"));
        assert!(values.next().is_none(), "'{name}' is there twice in {self:?}");
        value.to_str().unwrap()
    }

    /// `webhook-sequence`: the place of this delivery among all of its webhook, from 1.
    pub fn sequence(&self) -> u64 {
        self.header("webhook-sequence").parse().expect("webhook-sequence is a number")
    }

    /// `webhook-attempt`: 1 on the first try.
    pub fn attempt(&self) -> u64 {
        self.header("webhook-attempt").parse().expect("webhook-attempt is a number")
    }

    /// `webhook-id`: the id of the event.
    pub fn event_id(&self) -> &str {
        self.header("webhook-id")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body of a delivery is JSON")
    }

    /// The name of the event, from the body.
    pub fn event(&self) -> String {
        self.json()["event"].as_str().expect("event").to_owned()
    }
}

type Script = dyn Fn(&Request) -> Answer + Send + Sync;
type Requests = watch::Sender<Vec<Request>>;

/// A server on a free port of the loopback; stops when dropped.
pub struct Sink {
    address: SocketAddr,
    seen: Requests,
    server: JoinHandle<()>,
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sink({}, {} requests)", self.address, self.seen.borrow().len())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Sink {
    /// Answers each request as `script` says.
    pub async fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), script)
    }

    /// [`start`](Self::start) on a port of the test's own, such as one that was refused before.
    pub fn on(
        listener: TcpListener,
        script: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let seen = Requests::default();
        let server = tokio::spawn(accept(listener, seen.clone(), Arc::new(script)));
        Self { address, seen, server }
    }

    /// Answers every request with this status.
    pub async fn always(status: u16) -> Self {
        Self::start(move |_| Answer::status(status)).await
    }

    /// Answers the first requests with these statuses, all later ones with the last of them.
    pub async fn in_turn(statuses: &'static [u16]) -> Self {
        let last = statuses.len() - 1;
        Self::start(move |request| Answer::status(statuses[request.number.min(last)])).await
    }

    /// A URL at this server; `path` begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What has come in so far.
    pub fn requests(&self) -> Vec<Request> {
        self.seen.borrow().clone()
    }

    /// Looks at what has come in so far, without a copy.
    pub fn look<T>(&self, at: impl FnOnce(&[Request]) -> T) -> T {
        at(&self.seen.borrow())
    }

    /// Waits until what has come in satisfies `fact`, and gives a copy of it.
    ///
    /// # Panics
    ///
    /// After [`wait::DEADLINE`], with `what` was waited for and the last requests that came.
    pub async fn until(&self, what: &str, fact: impl FnMut(&[Request]) -> bool) -> Vec<Request> {
        self.until_within(wait::DEADLINE, what, fact).await
    }

    /// [`until`](Self::until), with a deadline of its own.
    pub async fn until_within(
        &self,
        limit: Duration,
        what: &str,
        mut fact: impl FnMut(&[Request]) -> bool,
    ) -> Vec<Request> {
        let mut seen = self.seen.subscribe();
        let reached = seen.wait_for(|requests| fact(requests));
        match wait::within(limit, reached).await {
            Some(requests) => requests.unwrap().clone(),
            None => panic!("waited {limit:?} for {what}, came: {}", brief(&self.requests())),
        }
    }

    /// Waits for this many requests, and checks that no more than these have come.
    pub async fn until_count(&self, count: usize) -> Vec<Request> {
        let what = format!("{count} requests");
        let requests = self.until(&what, |requests| requests.len() >= count).await;
        assert_eq!(requests.len(), count, "more came than expected: {}", brief(&requests));
        requests
    }
}

/// How many requests came, and the last few of them, a line each.
fn brief(requests: &[Request]) -> String {
    let last = &requests[requests.len().saturating_sub(20)..];
    let lines: Vec<String> = last
        .iter()
        .map(|request| {
            let Request { number, path, headers, .. } = request;
            let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
            let [id, sequence, attempt] =
                ["webhook-id", "webhook-sequence", "webhook-attempt"].map(header);
            format!("  {number}: {path} {id:?} sequence {sequence:?} attempt {attempt:?}")
        })
        .collect();
    format!("{} requests, the last of them:\n{}", requests.len(), lines.join("\n"))
}

/// A port that is taken and refuses every connection, for as long as the socket is held.
pub fn refusing_port() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Accepts until the sink is dropped; its connections end with it.
async fn accept(listener: TcpListener, seen: Requests, script: Arc<Script>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("accept");
        connections.spawn(serve(stream, seen.clone(), script.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// One connection, request after request.
async fn serve(stream: TcpStream, seen: Requests, script: Arc<Script>) {
    let reset = Arc::new(AtomicBool::new(false));
    let line = TokioIo::new(Line::new(stream, reset.clone()));
    let service = service_fn(async |request| answer(request, &seen, &*script, &reset).await);
    // A client that goes away in the middle is its own affair.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(line, service).await;
}

/// Reads the whole request, keeps it, and does what the script says.
async fn answer(
    request: http::Request<Incoming>,
    seen: &Requests,
    script: &Script,
    reset: &AtomicBool,
) -> Result<Response<BoxBody<Bytes, Infallible>>, &'static str> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| "the client went away")?.to_bytes();
    let mut answer = Answer::status(200);
    seen.send_modify(|requests| {
        let request = Request {
            number: requests.len(),
            at: wait::now(),
            method: head.method,
            path: head.uri.path().to_owned(),
            headers: head.headers,
            body,
        };
        answer = script(&request);
        requests.push(request);
    });
    wait::pause(answer.delay).await;
    if answer.resets() {
        reset.store(true, Ordering::Relaxed);
        return Err("reset, as the script says");
    }
    Ok(answer.into_response())
}

#[cfg(test)]
mod tests;
