//! What a listener says of a delivery, in the words of an attempt.

use std::time::Duration;

use bytes::Bytes;

use crate::transport::{Answer, KEPT_BYTES, SendError};

/// What the listener says of an offer.
#[derive(Debug)]
pub enum Word {
    /// It is still at it.
    Working,
    /// This came of it.
    Done(Result<Answer, SendError>),
    /// It will not do it.
    Declined,
}

/// Most characters of an error that are kept.
const MAX_ERROR: usize = 500;
/// What is recorded of a delivery that was not forwarded, as the developer wished: it is done with.
const NO_CONTENT: u16 = 204;

impl Word {
    /// The local server answered; the beginning of the body is kept.
    pub fn answered(status: u16, body: Vec<u8>) -> Self {
        let body = Bytes::from(body);
        let body = body.slice(..body.len().min(KEPT_BYTES));
        Self::Done(Ok(Answer { status, retry_after: None, body }))
    }

    /// It was not forwarded, because the developer filters it out.
    pub fn filtered() -> Self {
        Self::answered(NO_CONTENT, b"not forwarded: the listener filters it out".to_vec())
    }

    pub fn not_connected(error: &str) -> Self {
        Self::failed(SendError::Connect, error)
    }

    pub fn not_trusted(error: &str) -> Self {
        Self::failed(SendError::Tls, error)
    }

    pub fn broken(error: &str) -> Self {
        Self::failed(SendError::Broken, error)
    }

    pub fn timed_out(after: Duration) -> Self {
        Self::Done(Err(SendError::Timeout(after)))
    }

    fn failed(make: fn(String) -> SendError, error: &str) -> Self {
        Self::Done(Err(make(error.chars().take(MAX_ERROR).collect())))
    }
}
