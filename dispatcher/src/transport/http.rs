//! Deliveries over HTTP/1.1 and 2, on kept-alive connections.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::net::UdpSocket;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use http_body_util::Full;
use hyper::Method;
use rustls::CertificateError;

use super::connect::Connector;
use super::pool::{Failure, Pool, Target};
use super::resolve::{GuardedResolver, Resolve, SystemResolver};
use super::{Answer, Request, SendError, TargetError, Targets, Transport};
use crate::faults::Fault;

/// URLs that are known to be sound, at most; they are all forgotten then.
const KNOWN_URLS: usize = 4096;

/// ENFILE, EMFILE: no more files, in all or for this process. ENOBUFS: no memory for a socket.
#[cfg(target_os = "linux")]
const OUT_OF_FILES: [i32; 3] = [23, 24, 105];
#[cfg(not(target_os = "linux"))]
const OUT_OF_FILES: [i32; 3] = [23, 24, 55];

/// The transport of the daemon.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    targets: Targets,
    pool: Pool,
    /// What has passed the check, which asks for nothing but the URL.
    known: Arc<RwLock<HashMap<String, Target>>>,
}

/// The certificates of the system could not be read.
#[derive(Debug, thiserror::Error)]
#[error("no trusted root certificates found; install the package ca-certificates")]
pub struct NoRoots(#[source] io::Error);

impl HttpTransport {
    /// Trusts the certificates that the system trusts. Ignores proxy variables.
    pub fn new(targets: Targets) -> Result<Self, NoRoots> {
        Self::with_resolver(targets, SystemResolver)
    }

    /// [`new`](Self::new) with another source of addresses.
    pub fn with_resolver(targets: Targets, resolver: impl Resolve) -> Result<Self, NoRoots> {
        let resolver = GuardedResolver::new(resolver, targets.clone());
        let pool = Pool::new(Connector::new(resolver).map_err(NoRoots)?);
        Ok(Self { targets, pool, known: Arc::default() })
    }

    async fn exchange(&self, request: Request) -> Result<Answer, SendError> {
        let target = self.target(request.url)?;
        let mut outgoing = hyper::Request::new(Full::new(request.body));
        *outgoing.method_mut() = Method::POST;
        *outgoing.headers_mut() = request.headers;
        self.pool.exchange(&target, outgoing).await.map_err(|failure| match failure {
            Failure::Connecting(error) => explain(&*error, SendError::Connect),
            Failure::Exchanging(error) => explain(&error, SendError::Broken),
        })
    }

    fn target(&self, url: String) -> Result<Target, TargetError> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&url).cloned();
        if let Some(target) = known {
            return Ok(target);
        }
        // Addresses written as such never reach the resolver; this is their check. The mode was
        // checked when the webhook was set.
        let target = Target::new(self.targets.check(&url, false)?.as_str())
            .map_err(|error| TargetError::Malformed(error.to_string()))?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_URLS {
            known.clear();
        }
        known.insert(url, target.clone());
        Ok(target)
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

/// The cause that says most, in words for the partner.
fn explain(error: &(dyn Error + 'static), otherwise: fn(String) -> SendError) -> SendError {
    let mut cause = Some(error);
    let mut deepest = error.to_string();
    while let Some(error) = cause {
        deepest = error.to_string();
        if let Some(refused) = error.downcast_ref::<TargetError>() {
            return SendError::Target(refused.clone());
        }
        if let Some(unresolved) = error.downcast_ref::<SendError>() {
            return unresolved.clone();
        }
        if let Some(failed) = error.downcast_ref::<io::Error>() {
            if let Some(failed) = tls(failed) {
                return SendError::Tls(distrust(failed));
            }
            if let Some(fault) = ours(failed) {
                return SendError::Ours(fault, failed.to_string());
            }
            deepest = plain(failed);
        }
        cause = error.source();
    }
    otherwise(deepest)
}

/// What fails before anything leaves this machine is no receiver's fault.
fn ours(error: &io::Error) -> Option<Fault> {
    match error.kind() {
        io::ErrorKind::OutOfMemory | io::ErrorKind::AddrNotAvailable => Some(Fault::Resources),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
            (!has_a_way_out()).then_some(Fault::Network)
        }
        // The standard library has no name for these.
        _ => OUT_OF_FILES.contains(&error.raw_os_error()?).then_some(Fault::Resources),
    }
}

/// Whether this machine knows a way to the world: the addresses of a root name server. Connecting a
/// UDP socket sends nothing.
fn has_a_way_out() -> bool {
    [("0.0.0.0:0", "198.41.0.4:53"), ("[::]:0", "[2001:503:ba3e::2:30]:53")].into_iter().any(
        |(here, there)| UdpSocket::bind(here).is_ok_and(|socket| socket.connect(there).is_ok()),
    )
}

/// The error of TLS inside one of I/O, or inside one that is inside.
fn tls(error: &io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner.downcast_ref().or_else(|| tls(inner.downcast_ref()?))
}

/// The commonest failure is the shortest in the words of the library.
fn distrust(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the certificate is not from an authority that is trusted here; if it is not \
             self-signed, the server may leave out the certificates between"
                .to_owned()
        }
        _ => error.to_string(),
    }
}

/// Without the number of the operating system.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "connection reset by peer".into(),
        io::ErrorKind::TimedOut => "timed out".into(),
        io::ErrorKind::HostUnreachable => "host unreachable".into(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".into(),
        _ => error.to_string(),
    }
}
