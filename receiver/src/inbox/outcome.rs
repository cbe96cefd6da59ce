//! What became of a delivery, and what to answer.

use super::HandlerError;

/// What became of a delivery. None of it is an error of the inbox; each has an answer.
#[derive(Debug)]
#[must_use = "its status is what the sender must be answered"]
#[non_exhaustive]
pub enum Outcome<T> {
    /// The handler ran, and this is what it gave.
    Processed(T),
    /// The event was processed before. The handler did not run.
    Duplicate,
    /// A later event about the same object was processed before
    /// ([`Inbox::drop_stale`](super::Inbox::drop_stale)). The handler did not run, and will not.
    Stale,
    /// The handler failed. Nothing of what it wrote is left; the failure is counted.
    Failed {
        /// How often it has failed now.
        failures: u32,
        /// What the handler failed with.
        error: HandlerError,
    },
    /// The handler has failed too often, now or before. It does not run for this event again until
    /// the event is [replayed](super::Inbox::replay) or [released](super::Inbox::release). The
    /// bytes are kept.
    Quarantined {
        /// How often it has failed.
        failures: u32,
        /// What its last failure said.
        error: String,
    },
}

impl<T> Outcome<T> {
    /// What to answer, **after the commit**: 204, or 500 if the handler failed and shall run again
    /// when the sender tries again.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Failed { .. } => 500,
            Self::Processed(_) | Self::Duplicate | Self::Stale | Self::Quarantined { .. } => 204,
        }
    }
}

#[cfg(feature = "axum")]
mod answer {
    use axum_core::extract::FromRef;
    use axum_core::response::{IntoResponse, Response};
    use http::{StatusCode, header};

    use super::Outcome;
    use crate::Verifier;
    use crate::inbox::{Backend, Inbox, InboxError};

    /// Seconds. No shorter than the sender's first wait, which is a minute.
    const RETRY_AFTER: &str = "60";

    /// A router that verifies and has an inbox: `.with_state((verifier, inbox))`.
    impl<DB: Backend> FromRef<(Verifier, Self)> for Inbox<DB> {
        fn from_ref((_, inbox): &(Verifier, Self)) -> Self {
            inbox.clone()
        }
    }

    /// The [status](Outcome::status), and an empty body.
    impl<T> IntoResponse for Outcome<T> {
        fn into_response(self) -> Response {
            let failed = StatusCode::INTERNAL_SERVER_ERROR;
            StatusCode::from_u16(self.status()).unwrap_or(failed).into_response()
        }
    }

    /// 503 with `Retry-After` and an empty body; the reason goes to `tracing`.
    impl IntoResponse for InboxError {
        fn into_response(self) -> Response {
            tracing::error!(reason = %self, "webhook not processed");
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, RETRY_AFTER)]).into_response()
        }
    }
}
