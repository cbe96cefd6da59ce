//! Connections, made within a time: name, TCP and TLS together.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::crypto::ring;
use tower::Service;

use super::resolve::{BoxError, BoxFuture, GuardedResolver};
use super::stream::BoundedStream;

/// How long connecting may take; the whole exchange has its own limit, which may be longer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the other end may leave unread what we have sent, before the system gives it up.
#[cfg(target_os = "linux")]
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);

type Https = HttpsConnector<HttpConnector<GuardedResolver>>;

/// Connects where the resolver lets it, trusting the certificates that the system trusts.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    https: Https,
}

impl Connector {
    /// Fails if the system's certificates cannot be read.
    pub(super) fn new(resolver: GuardedResolver) -> io::Result<Self> {
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        // Shared out among the addresses of a name, so that a dead one leaves time for the next.
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(UNREAD_TIMEOUT));
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(ring::default_provider())?
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        Ok(Self { https })
    }
}

impl Service<Uri> for Connector {
    type Response = BoundedStream<<Https as Service<Uri>>::Response>;
    type Error = BoxError;
    type Future = BoxFuture<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, self.https.call(target));
        Box::pin(async {
            let late = |_| io::Error::from(io::ErrorKind::TimedOut);
            Ok(BoundedStream::new(connecting.await.map_err(late)??))
        })
    }
}
