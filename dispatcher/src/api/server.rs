//! The listening socket: connections in, requests to the router, until told to stop.
//!
//! Connections beyond the limit are told so, each once, by a lane of their own: short, narrow, and
//! never in the way of those that have a place.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bluum_hooks_shared::error::ErrorCode;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use super::error::ApiError;
use super::unread::Unread;
use super::{Api, health, receive, router};
use crate::context::Context;
use crate::invalid::Invalid;
use crate::shutdown::Shutdown;

/// How long to wait when the system gives no more connections, as when out of file descriptors.
const AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(100);
/// How often the log says that there is no place: there may be thousands who want one.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(60);
/// How many connections beyond the limit may be told so at the same time. Others are closed.
pub const MAX_REFUSALS: usize = 64;
/// How long such a connection may take to ask.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);
/// What the HTTP library buffers of a head at least, and so what a refusal of ours can be about.
const MIN_BUFFER: usize = 64 * 1024;

/// Serves until intake stops, then finishes the requests under way, until they are abandoned.
pub async fn serve(listener: TcpListener, api: Arc<Api>) {
    let Context { clock, shutdown, .. } = &api.context;
    let places = Lane::with_a_place(&api);
    let refusals = Lane::without(&api);
    let connections = GracefulShutdown::new();
    let mut warn_from = Duration::ZERO;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.intake_stopped() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let refused = places.take(stream, &connections, shutdown);
                if refused.is_some() && clock.monotonic() >= warn_from {
                    warn!(limit = api.limits.connections, "no place for another connection");
                    warn_from = clock.monotonic() + BETWEEN_WARNINGS;
                }
                refused.and_then(|stream| refusals.take(stream, &connections, shutdown));
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection; trying again");
                clock.sleep_until(clock.now().plus(AFTER_ACCEPT_ERROR)).await;
            }
        }
    }
    drop(listener);
    tokio::select! {
        () = connections.shutdown() => {}
        () = shutdown.abandoned() => {}
    }
}

/// A number of connections, and what answers them.
struct Lane {
    free: Arc<Semaphore>,
    protocol: auto::Builder<TokioExecutor>,
    router: Router,
    /// How long a client may leave its answer unread.
    patience: Duration,
}

impl Lane {
    fn with_a_place(api: &Arc<Api>) -> Self {
        let limits = &api.limits;
        // Twice what we take: the client hears of the difference from us, and not from the library,
        // whose refusals have no body.
        let buffer = MIN_BUFFER.max(2 * (limits.header_bytes + limits.target_bytes));
        let mut protocol = http1(limits.head_timeout);
        protocol.http1().max_buf_size(buffer);
        let free = Arc::new(Semaphore::new(limits.connections));
        let router = router(Arc::clone(api));
        Self { free, protocol, router, patience: limits.answer_timeout }
    }

    /// Who watches the process should not kill it because it is popular; all others come later.
    fn without(api: &Arc<Api>) -> Self {
        let mut protocol = http1(REFUSAL_TIMEOUT);
        protocol.http1().keep_alive(false);
        let router = Router::new()
            .route("/healthz", get(health::live))
            .fallback(full)
            .layer(middleware::from_fn_with_state(Arc::clone(api), receive))
            .with_state(Arc::clone(api));
        let free = Arc::new(Semaphore::new(MAX_REFUSALS));
        Self { free, protocol, router, patience: REFUSAL_TIMEOUT }
    }

    /// Serves the connection in a task of its own, or gives it back if there is no place free.
    fn take(
        &self,
        stream: TcpStream,
        connections: &GracefulShutdown,
        shutdown: &Shutdown,
    ) -> Option<TcpStream> {
        let Ok(place) = Arc::clone(&self.free).try_acquire_owned() else { return Some(stream) };
        // Answers are small and wait for nothing; a failure here only costs latency.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(self.router.clone());
        let stream = TokioIo::new(Unread::within(self.patience, stream));
        let connection = self.protocol.serve_connection(stream, service).into_owned();
        let connection = connections.watch(connection);
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.abandoned() => {}
                ended = connection => if let Err(error) = ended {
                    debug!(%error, "a connection ended badly");
                }
            }
            drop(place);
        });
        None
    }
}

/// HTTP/1 alone: telling the versions apart would wait for the first bytes without a limit.
fn http1(head_timeout: Duration) -> auto::Builder<TokioExecutor> {
    let mut protocol = auto::Builder::new(TokioExecutor::new()).http1_only();
    protocol.http1().timer(TokioTimer::new()).header_read_timeout(head_timeout);
    protocol
}

async fn full() -> Response {
    let message = "All connections are in use; see Retry-After.";
    ApiError::from(Invalid::request(ErrorCode::Unavailable, message)).into_response()
}
