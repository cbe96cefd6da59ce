//! Liveness and readiness, for whoever watches the daemon. No key needed, nothing told but health.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use super::answer::{self, Answer};
use super::{Shared, error::ApiError};

#[derive(Serialize)]
struct Alive {
    status: &'static str,
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    /// Rows that a publisher inserted and nobody could accept: for a person to look at.
    outbox_rejected: i64,
}

/// `GET /healthz`: the process answers.
pub(super) async fn live() -> Answer {
    Ok(answer::json(StatusCode::OK, &Alive { status: "ok" }))
}

/// `GET /readyz`: the database answers, and requests are taken.
pub(super) async fn ready(State(api): Shared) -> Answer {
    if api.context.shutdown.is_intake_stopped() {
        return Ok(answer::json(StatusCode::SERVICE_UNAVAILABLE, &Alive { status: "stopping" }));
    }
    match api.context.store.ping().await {
        Ok(health) => {
            let ready = Ready { status: "ok", outbox_rejected: health.outbox_rejected };
            Ok(answer::json(StatusCode::OK, &ready))
        }
        Err(failure) => {
            let _logged = ApiError::internal(&failure);
            let unavailable = Alive { status: "the database does not answer" };
            Ok(answer::json(StatusCode::SERVICE_UNAVAILABLE, &unavailable))
        }
    }
}
