//! The way out: one request, one answer or one reason why there is none.

mod address;
mod answer;
mod connect;
pub mod guard;
pub mod http;
mod pool;
mod resolve;
mod stream;

use std::fmt::Debug;
use std::time::Duration;

use ::http::HeaderMap;
use async_trait::async_trait;
use bluum_hooks_shared::api::AttemptOutcome;
use bytes::Bytes;

pub use address::is_public;
pub use guard::{TargetError, Targets};
pub use resolve::{Resolve, SystemResolver, Unresolved};

use crate::faults::Fault;

/// A delivery as it goes over the wire.
#[derive(Debug, Clone)]
pub struct Request {
    pub url: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// For the whole exchange: connecting, sending, and the answer to its last byte.
    pub timeout: Duration,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// The `Retry-After` header as it stands.
    pub retry_after: Option<String>,
    /// The beginning of the body, [`KEPT_BYTES`] at most.
    pub body: Bytes,
}

/// How much of an answer's body is kept.
pub const KEPT_BYTES: usize = 1024;

/// Why no answer came. The text is shown to the partner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("{0}")]
    Target(#[from] TargetError),
    #[error("the host name could not be resolved: {0}")]
    Dns(String),
    #[error("could not connect: {0}")]
    Connect(String),
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("no complete answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    #[error("the connection broke before a complete answer: {0}")]
    Broken(String),
    /// Nothing the receiver could do about.
    #[error("not sent, for a fault on the sender's side, which is not counted: {1}")]
    Ours(Fault, String),
}

impl SendError {
    /// How it is recorded.
    pub const fn outcome(&self) -> AttemptOutcome {
        match self {
            Self::Target(_) => AttemptOutcome::Blocked,
            Self::Dns(_) => AttemptOutcome::Dns,
            Self::Connect(_) => AttemptOutcome::Connect,
            Self::Tls(_) => AttemptOutcome::Tls,
            Self::Timeout(_) => AttemptOutcome::Timeout,
            Self::Broken(_) => AttemptOutcome::Protocol,
            Self::Ours(..) => AttemptOutcome::OurFault,
        }
    }
}

/// Sends requests. Never follows a redirect, never retries what may have arrived.
#[async_trait]
pub trait Transport: Debug + Send + Sync + 'static {
    /// Resolves within `request.timeout`, one way or the other.
    async fn send(&self, request: Request) -> Result<Answer, SendError>;
}
