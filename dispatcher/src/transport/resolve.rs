//! From a name to addresses that may be connected to.

use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};
use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;
use tracing::info;

use super::{SendError, TargetError, Targets};
use crate::faults::Fault;

/// How long a name may take. Less than connecting, so that there is time to find out whose fault
/// it is.
const NAME_TIMEOUT: Duration = Duration::from_millis(3_500);
/// How long another name may take that has been resolved before.
const PROOF_TIMEOUT: Duration = Duration::from_secs(1);

/// Why there is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// The name servers say that there is none.
    #[error("{0}")]
    NoAddress(String),
    /// Nobody could say: the name's servers have a fault, or ours.
    #[error("{0}")]
    NoAnswer(String),
}

/// Knows the addresses of names.
#[async_trait]
pub trait Resolve: Debug + Send + Sync + 'static {
    /// Every address of the name. May take for ever: the caller has a deadline.
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved>;
}

/// Asks the system: its hosts file, its name servers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved> {
        let name = name.to_owned();
        let asked = tokio::task::spawn_blocking(move || ask(&name)).await;
        asked.unwrap_or_else(|failed| Err(Unresolved::NoAnswer(failed.to_string())))
    }
}

/// AI_ADDRCONFIG: no IPv6 addresses where there is no IPv6.
#[cfg(target_os = "linux")]
const ADDRESSES_LIKE_OURS: i32 = 0x20;
#[cfg(not(target_os = "linux"))]
const ADDRESSES_LIKE_OURS: i32 = 0;

fn ask(name: &str) -> Result<Vec<IpAddr>, Unresolved> {
    let socktype = SockType::Stream.into();
    let hints = AddrInfoHints { socktype, flags: ADDRESSES_LIKE_OURS, ..AddrInfoHints::default() };
    let found = getaddrinfo(Some(name), None, Some(hints)).map_err(|error| match error.kind() {
        LookupErrorKind::NoName | LookupErrorKind::NoData => {
            Unresolved::NoAddress("the name has no address".into())
        }
        _ => Unresolved::NoAnswer(std::io::Error::from(error).to_string()),
    })?;
    Ok(found.flatten().map(|found| found.sockaddr.ip()).collect())
}

/// Lets pass only addresses that may be connected to. One address that may not refuses them all: a
/// name with a public and a private answer is not a mistake.
#[derive(Debug, Clone)]
pub(super) struct GuardedResolver {
    resolver: Arc<dyn Resolve>,
    targets: Targets,
    /// The last two names that were resolved.
    proofs: Arc<Mutex<[Option<String>; 2]>>,
}

impl GuardedResolver {
    pub(super) fn new(resolver: impl Resolve, targets: Targets) -> Self {
        Self { resolver: Arc::new(resolver), targets, proofs: Arc::default() }
    }

    async fn resolve(self, name: Name) -> Result<std::vec::IntoIter<SocketAddr>, BoxError> {
        let name = name.as_str();
        let found = tokio::time::timeout(NAME_TIMEOUT, self.resolver.resolve(name)).await;
        let found = found.unwrap_or_else(|_| {
            Err(Unresolved::NoAnswer(format!("no answer within {} s", NAME_TIMEOUT.as_secs_f32())))
        });
        let addresses = match found {
            Ok(addresses) => addresses,
            Err(Unresolved::NoAnswer(why)) if !self.can_resolve_others(name).await => {
                return Err(SendError::Ours(Fault::Resolver, why).into());
            }
            Err(unresolved) => return Err(SendError::Dns(unresolved.to_string()).into()),
        };
        if addresses.is_empty() {
            return Err(SendError::Dns("the name has no address".into()).into());
        }
        self.remember(name);
        if let Some(refused) = addresses.iter().find(|address| !self.targets.allows(**address)) {
            // For the operator. The partner is not told what our name servers say.
            info!(name, address = %refused, "a name of an address not allowed");
            return Err(TargetError::NotPublic(format!("what {name} resolves to")).into());
        }
        // The port is the URL's; the connector puts it in.
        let addresses: Vec<_> = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
        Ok(addresses.into_iter())
    }

    fn remember(&self, name: &str) {
        let mut proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        if proofs[0].as_deref() != Some(name) {
            proofs.swap(0, 1);
            proofs[0] = Some(name.to_owned());
        }
    }

    /// Whether another name can be resolved, one that could be before. If so, that this one cannot
    /// is the fault of its own name servers.
    async fn can_resolve_others(&self, name: &str) -> bool {
        let proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let other = proofs.into_iter().flatten().find(|other| other != name);
        let Some(other) = other else { return false };
        let found = tokio::time::timeout(PROOF_TIMEOUT, self.resolver.resolve(&other)).await;
        matches!(found, Ok(Ok(_)))
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
