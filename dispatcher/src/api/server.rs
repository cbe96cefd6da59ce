//! The listening socket: connections in, requests to the router, until told to stop.

use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

use crate::context::Context;
use crate::shutdown::Shutdown;

/// How long a client may take to send the head of a request, counted from the end of the last one:
/// so also how long a connection may stay open unused.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long to wait when the system gives no more connections, as when out of file descriptors.
const AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(100);

/// Serves until intake stops, then finishes the requests under way, until they are abandoned.
pub async fn serve(listener: TcpListener, router: Router, context: Context) {
    let Context { clock, shutdown, .. } = context;
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.intake_stopped() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => connect(stream, router.clone(), &connections, shutdown.clone()),
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

fn connect(stream: TcpStream, router: Router, connections: &GracefulShutdown, shutdown: Shutdown) {
    // Answers are small and wait for nothing; a failure here only costs latency.
    let _ = stream.set_nodelay(true);
    // HTTP/1 alone: telling the versions apart would wait for the first bytes without a limit.
    let mut protocol = auto::Builder::new(TokioExecutor::new()).http1_only();
    protocol.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let connection = protocol
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .into_owned();
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        tokio::select! {
            () = shutdown.abandoned() => {}
            ended = connection => if let Err(error) = ended {
                debug!(%error, "a connection ended badly");
            }
        }
    });
}
