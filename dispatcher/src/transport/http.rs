//! Deliveries over HTTP/1.1 and 2, on kept-alive connections.

use std::error::Error;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::RETRY_AFTER;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::guard::{GuardedResolver, Unresolved};
use super::{Answer, KEPT_BYTES, Request, SendError, TargetError, Targets, Transport};

/// For the TCP handshake alone; the whole exchange has its own limit.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Shorter than the five seconds after which the commonest server framework closes an idle
/// connection: a request sent into that moment would fail for no fault of anybody's.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// How much of an answer is read so that its connection can be used again. What sends more has its
/// connection closed.
const READ_BYTES: usize = 64 * 1024;

type Connector = HttpsConnector<HttpConnector<GuardedResolver>>;

/// The transport of the daemon.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    targets: Targets,
    client: Client<Connector, Full<Bytes>>,
}

/// The certificates of the system could not be read.
#[derive(Debug, thiserror::Error)]
#[error("no trusted root certificates found; install the package ca-certificates")]
pub struct NoRoots(#[source] io::Error);

impl HttpTransport {
    /// Trusts the certificates that the system trusts. Ignores proxy variables.
    pub fn new(targets: Targets) -> Result<Self, NoRoots> {
        let mut tcp = HttpConnector::new_with_resolver(GuardedResolver::new(targets.clone()));
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(NoRoots)?
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Self { targets, client })
    }

    async fn exchange(&self, request: Request) -> Result<Answer, SendError> {
        // Addresses written as such never reach the resolver; this is their check. The mode was
        // checked when the webhook was set.
        let url = self.targets.check(&request.url, false)?;
        let mut outgoing = hyper::Request::post(url.as_str())
            .body(Full::new(request.body))
            .map_err(|error| TargetError::Malformed(error.to_string()))?;
        *outgoing.headers_mut() = request.headers;
        let answer = self.client.request(outgoing).await.map_err(|error| explain(&error))?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = read(answer.into_body()).await?;
        Ok(Answer { status, retry_after, body })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request) -> Result<Answer, SendError> {
        let timeout = request.timeout;
        match tokio::time::timeout(timeout, self.exchange(request)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(SendError::Timeout(timeout)),
        }
    }
}

/// The beginning of the body; the rest is read as far as it is worth it, and dropped.
async fn read(mut body: Incoming) -> Result<Bytes, SendError> {
    let mut kept = BytesMut::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| explain(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        seen += data.len();
        kept.extend_from_slice(&data[..data.len().min(KEPT_BYTES - kept.len())]);
        if seen > READ_BYTES {
            break;
        }
    }
    Ok(kept.freeze())
}

/// The cause that says most, in words for the partner.
fn explain(error: &(dyn Error + 'static)) -> SendError {
    let mut cause = Some(error);
    let mut deepest = error.to_string();
    let mut connecting = false;
    while let Some(error) = cause {
        deepest = error.to_string();
        if let Some(refused) = error.downcast_ref::<TargetError>() {
            return SendError::Target(refused.clone());
        }
        if let Some(unresolved) = error.downcast_ref::<Unresolved>() {
            return SendError::Dns(unresolved.to_string());
        }
        if let Some(failed) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            connecting |= failed.is_connect();
        }
        if let Some(failed) = error.downcast_ref::<io::Error>() {
            let inner = failed.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            if let Some(tls) = inner {
                return SendError::Tls(tls.to_string());
            }
            deepest = plain(failed);
        }
        cause = error.source();
    }
    if connecting { SendError::Connect(deepest) } else { SendError::Broken(deepest) }
}

/// Without the number of the operating system.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "connection reset by peer".into(),
        io::ErrorKind::TimedOut => "connecting timed out".into(),
        io::ErrorKind::HostUnreachable => "host unreachable".into(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".into(),
        _ => error.to_string(),
    }
}
