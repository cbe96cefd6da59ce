//! From a name to addresses that may be connected to.

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;
use tracing::info;

use super::{TargetError, Targets};

/// Knows the addresses of names.
#[async_trait]
pub trait Resolve: Debug + Send + Sync + 'static {
    /// Every address of the name. May take for ever: the caller has a deadline.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// Asks the system: its hosts file, its name servers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Lets pass only addresses that may be connected to. One address that may not refuses them all: a
/// name with a public and a private answer is not a mistake.
#[derive(Debug, Clone)]
pub(super) struct GuardedResolver {
    pub(super) resolver: Arc<dyn Resolve>,
    pub(super) targets: Targets,
}

impl GuardedResolver {
    async fn resolve(self, name: Name) -> Result<std::vec::IntoIter<SocketAddr>, BoxError> {
        let addresses = self.resolver.resolve(name.as_str()).await.map_err(Unresolved)?;
        if addresses.is_empty() {
            let nothing = io::Error::new(io::ErrorKind::NotFound, "it has no address");
            return Err(Unresolved(nothing).into());
        }
        if let Some(refused) = addresses.iter().find(|address| !self.targets.allows(**address)) {
            // For the operator. The partner is not told what our name servers say.
            info!(name = name.as_str(), address = %refused, "a name of an address not allowed");
            return Err(
                TargetError::NotPublic(format!("what {} resolves to", name.as_str())).into()
            );
        }
        // The port is the URL's; the connector puts it in.
        let addresses: Vec<_> = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
        Ok(addresses.into_iter())
    }
}

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(super) type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = BoxFuture<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(self.clone().resolve(name))
    }
}

/// No address was found.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unresolved(#[source] io::Error);
