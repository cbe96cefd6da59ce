//! Errors as answers: a public message, and a private cause that goes to the log.

use std::error::Error;
use std::panic::AssertUnwindSafe;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bluum_hooks_shared::error::{ErrorBody, ErrorCode};
use futures_util::FutureExt;
use tracing::error;

use super::answer;
use crate::acceptor::AcceptFailed;
use crate::invalid::Invalid;
use crate::store::StoreError;
use crate::telemetry::Chain;

/// What a handler answers when it cannot do what was asked.
#[derive(Debug)]
pub(super) struct ApiError(Invalid);

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        Self(invalid)
    }
}

impl From<StoreError> for ApiError {
    fn from(cause: StoreError) -> Self {
        match cause {
            StoreError::Declined => {
                let message = "What is there does not allow this, or not any more; look again.";
                Self(Invalid::request(ErrorCode::StateConflict, message))
            }
            cause if cause.outage().is_some() => {
                let message = "Nothing can be stored now, and nothing was done. Try again.";
                Self(Invalid::request(ErrorCode::Unavailable, message))
            }
            cause => Self::internal(&cause),
        }
    }
}

impl From<AcceptFailed> for ApiError {
    /// The acceptor has logged the cause.
    fn from(failed: AcceptFailed) -> Self {
        let message = format!("Try again: {failed}.");
        Self(Invalid::request(ErrorCode::Unavailable, message))
    }
}

impl ApiError {
    /// Our fault: the cause is logged, and not told.
    pub(super) fn internal(cause: &(dyn Error + 'static)) -> Self {
        error!(error = %Chain(cause), "a request failed for our own fault");
        Self(unexplained())
    }
}

fn unexplained() -> Invalid {
    let message = "Something went wrong on our side. Try again; quote X-Request-Id if it stays.";
    Invalid::request(ErrorCode::Internal, message)
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Invalid { code, message, param } = self.0;
        let status =
            StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = answer::json(status, &ErrorBody::new(code, message, param));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"bluum-hooks\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if status == StatusCode::REQUEST_TIMEOUT {
            // The rest of the body may still come, and is not the next request.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// What a handler answers. One that panics has broken nothing but its own request.
pub(super) async fn unless_it_panics(handler: impl Future<Output = Response>) -> Response {
    AssertUnwindSafe(handler).catch_unwind().await.unwrap_or_else(|_| {
        error!("a handler panicked; please report this");
        ApiError(unexplained()).into_response()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_as_an_error_of_ours() {
        let response = unless_it_panics(async { panic!("a handler") }).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let response = unless_it_panics(async { StatusCode::ACCEPTED.into_response() }).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
    }
}
