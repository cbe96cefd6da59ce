//! Liveness and readiness, for whoever watches the daemon. No key needed, nothing told but health.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{self, Answer};
use super::{Shared, error::ApiError};
use crate::store::Outage;

#[derive(Serialize, ToSchema)]
pub(super) struct Alive {
    pub(super) status: &'static str,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Ready {
    pub(super) status: &'static str,
    /// Rows that a publisher inserted and nobody could accept: for a person to look at.
    pub(super) outbox_rejected: i64,
}

/// Is it alive?
///
/// The process answers.
#[utoipa::path(get, path = "/healthz", operation_id = "check_life",
    responses((status = 200, body = Alive)))]
pub(super) async fn live() -> Answer {
    Ok(answer::json(StatusCode::OK, &Alive { status: "ok" }))
}

/// Is it ready?
///
/// The database answers and takes writes, and requests are taken.
#[utoipa::path(get, path = "/readyz", operation_id = "check_readiness",
    responses((status = 200, body = Ready), (status = 503, body = Alive)))]
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
            let status = failure.outage().map_or_else(
                || {
                    let _logged = ApiError::internal(&failure);
                    "the database does not answer"
                },
                Outage::as_str,
            );
            let unavailable = Alive { status };
            Ok(answer::json(StatusCode::SERVICE_UNAVAILABLE, &unavailable))
        }
    }
}
