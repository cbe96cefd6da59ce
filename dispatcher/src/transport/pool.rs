//! Connections that are kept alive, by the origin they lead to.
//!
//! Whoever makes a request over HTTP/1 drives its connection, too: a request is one task, and not
//! two that wake each other. Between requests nobody does, and what the other end has done
//! meanwhile is seen by the next one. An HTTP/2 connection has a task of its own and is shared.

use std::collections::HashMap;
use std::fmt::{self, Debug, Formatter};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Uri;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::header::{HOST, HeaderValue};
use hyper_util::client::legacy::connect::Connection as _;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::{Service, ServiceExt};

use super::Answer;
use super::answer::{READ_BYTES, read};
use super::connect::Connector;
use super::resolve::BoxError;

/// How often idle connections are looked through: each is a second older then.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Shorter than the five seconds after which the commonest server framework closes an idle
/// connection: a request sent into that moment would fail for no fault of anybody's.
const MAX_SWEEPS: u32 = 4;
/// How much all answers on one HTTP/2 connection may be ahead of their readers.
const AHEAD_BYTES: u32 = 1024 * 1024;
/// How long an HTTP/2 connection may be silent before it is asked whether it is still there, and
/// how long it has to answer. Else a dead one would take every request until TCP gives it up.
const PING_AFTER: Duration = Duration::from_secs(5);

type Request = hyper::Request<Full<Bytes>>;
type Stream = <Connector as Service<Uri>>::Response;

/// Where requests go.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// With scheme and authority: what is connected to, and what HTTP/2 asks for.
    whole: Uri,
    /// Path and query: what HTTP/1 asks for.
    path: Uri,
    host: HeaderValue,
    origin: Origin,
}

/// Scheme and authority.
type Origin = Arc<str>;

impl Target {
    pub(super) fn new(url: &str) -> Result<Self, hyper::http::Error> {
        let whole: Uri = url.parse()?;
        let authority = whole.authority().map_or("", |authority| authority.as_str());
        let path = whole.path_and_query().map_or("/", |path| path.as_str());
        let origin = format!("{}://{authority}", whole.scheme_str().unwrap_or_default());
        let (path, host) = (path.parse()?, HeaderValue::from_str(authority)?);
        Ok(Self { path, host, origin: origin.into(), whole })
    }
}

/// Why there is no answer.
pub(super) enum Failure {
    Connecting(BoxError),
    Exchanging(hyper::Error),
}

/// All connections. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    connector: Connector,
    shared: Arc<Shared>,
}

impl Pool {
    pub(super) fn new(connector: Connector) -> Self {
        Self { connector, shared: Arc::default() }
    }

    /// Sends the request, and reads the answer.
    pub(super) async fn exchange(
        &self,
        target: &Target,
        mut request: Request,
    ) -> Result<Answer, Failure> {
        if let Some(kept) = self.shared.take(&target.origin) {
            match self.exchange_over(kept, target, request).await {
                // Closed while it was idle.
                Err(Broken::Unsent(unsent, _)) => request = *unsent,
                done => return done.map_err(Broken::into_failure),
            }
        }
        let fresh = self.connect(target).await.map_err(Failure::Connecting)?;
        let done = self.exchange_over(fresh, target, request).await;
        done.map_err(Broken::into_failure)
    }

    async fn exchange_over(
        &self,
        connection: Connection,
        target: &Target,
        mut request: Request,
    ) -> Result<Answer, Broken> {
        match connection {
            Connection::Http1(mut http1) => {
                *request.uri_mut() = target.path.clone();
                request.headers_mut().entry(HOST).or_insert_with(|| target.host.clone());
                let answer = http1.exchange(request).await?;
                if http1.connection.is_some() && http1.requests.is_ready() {
                    self.shared.keep(&target.origin, |kept| kept.idle.push((http1, 0)));
                }
                Ok(answer)
            }
            Connection::Http2(mut requests) => {
                *request.uri_mut() = target.whole.clone();
                if let Err(closed) = requests.ready().await {
                    return Err(Broken::Unsent(Box::new(request), closed));
                }
                let answer = requests.try_send_request(request).await?;
                read(answer).await.map_err(Broken::Sent)
            }
        }
    }

    async fn connect(&self, target: &Target) -> Result<Connection, BoxError> {
        let stream = self.connector.clone().oneshot(target.whole.clone()).await?;
        if !stream.connected().is_negotiated_h2() {
            let mut protocol = http1::Builder::new();
            protocol.max_buf_size(READ_BYTES as usize);
            let (requests, connection) = protocol.handshake(stream).await?;
            return Ok(Connection::Http1(Box::new(Http1 {
                requests,
                connection: Some(connection),
            })));
        }
        let mut protocol = http2::Builder::new(TokioExecutor::new());
        protocol
            .timer(TokioTimer::new())
            .initial_stream_window_size(READ_BYTES)
            .initial_connection_window_size(AHEAD_BYTES)
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PING_AFTER);
        let (requests, connection) = protocol.handshake(stream).await?;
        tokio::spawn(connection);
        // Where many connect at once, the last is kept; the others end with their requests.
        self.shared.keep(&target.origin, |kept| kept.http2 = Some((requests.clone(), 0)));
        Ok(Connection::Http2(requests))
    }
}

/// What is between two requests.
#[derive(Default)]
struct Shared {
    kept: Mutex<HashMap<Origin, Kept>>,
}

/// What is kept of one origin, each with the sweeps since it was used.
#[derive(Default)]
struct Kept {
    /// The one that was used last comes last.
    idle: Vec<(Box<Http1>, u32)>,
    http2: Option<(http2::SendRequest<Full<Bytes>>, u32)>,
}

impl Debug for Shared {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").field("origins", &self.lock().len()).finish()
    }
}

impl Shared {
    fn take(&self, origin: &Origin) -> Option<Connection> {
        let mut all = self.lock();
        let kept = all.get_mut(origin)?;
        if let Some((http2, sweeps)) = kept.http2.as_mut().filter(|(http2, _)| !http2.is_closed()) {
            *sweeps = 0;
            return Some(Connection::Http2(http2.clone()));
        }
        kept.http2 = None;
        kept.idle.pop().map(|(http1, _)| Connection::Http1(http1))
    }

    fn keep(self: &Arc<Self>, origin: &Origin, put: impl FnOnce(&mut Kept)) {
        let mut all = self.lock();
        if all.is_empty() {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
        put(all.entry(Arc::clone(origin)).or_default());
    }

    /// Takes out what has been idle for too long.
    fn expired(&self) -> (Vec<Http1>, bool) {
        let mut expired = Vec::new();
        let mut all = self.lock();
        all.retain(|_, Kept { idle, http2 }| {
            idle.iter_mut().for_each(|(_, sweeps)| *sweeps += 1);
            // The one that was used last comes last.
            let count = idle.iter().take_while(|(_, sweeps)| *sweeps >= MAX_SWEEPS).count();
            expired.extend(idle.drain(..count).map(|(http1, _)| *http1));
            http2.take_if(|(_, sweeps)| {
                *sweeps += 1;
                *sweeps >= MAX_SWEEPS
            });
            !idle.is_empty() || http2.is_some()
        });
        (expired, all.is_empty())
    }

    /// Whole after every statement, so a poisoned lock has nothing wrong in it.
    fn lock(&self) -> MutexGuard<'_, HashMap<Origin, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes what is idle for too long, until there is nothing.
async fn sweep(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let Some(shared) = shared.upgrade() else { return };
        let (expired, nothing_left) = shared.expired();
        for http1 in expired {
            http1.close().await;
        }
        if nothing_left {
            return;
        }
    }
}

/// Why a connection gave no answer.
enum Broken {
    /// Nothing of the request has left.
    Unsent(Box<Request>, hyper::Error),
    Sent(hyper::Error),
}

impl Broken {
    fn into_failure(self) -> Failure {
        let (Self::Unsent(_, error) | Self::Sent(error)) = self;
        Failure::Exchanging(error)
    }
}

impl From<TrySendError<Request>> for Broken {
    fn from(mut failed: TrySendError<Request>) -> Self {
        match failed.take_message() {
            Some(unsent) => Self::Unsent(Box::new(unsent), failed.into_error()),
            None => Self::Sent(failed.into_error()),
        }
    }
}

enum Connection {
    Http1(Box<Http1>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// An HTTP/1 connection, which moves on only when it is polled.
struct Http1 {
    requests: http1::SendRequest<Full<Bytes>>,
    /// None, once it is over: with it goes what it has not sent, back to the exchange.
    connection: Option<http1::Connection<Stream, Full<Bytes>>>,
}

impl Http1 {
    async fn exchange(&mut self, request: Request) -> Result<Answer, Broken> {
        let answer = self.requests.try_send_request(request);
        let mut exchange = pin!(async { read(answer.await?).await.map_err(Broken::Sent) });
        poll_fn(|context| {
            // What it fails of is told to the exchange.
            self.connection.take_if(|connection| Pin::new(connection).poll(context).is_ready());
            exchange.as_mut().poll(context)
        })
        .await
    }

    /// Takes leave, if that takes no time.
    async fn close(self) {
        let Self { requests, mut connection, .. } = self;
        drop(requests);
        poll_fn(|context| {
            let _ = connection.as_mut().map(|connection| Pin::new(connection).poll(context));
            Poll::Ready(())
        })
        .await;
    }
}
