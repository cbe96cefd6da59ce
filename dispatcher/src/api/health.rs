//! Liveness and readiness, for whoever watches the daemon. No key needed, nothing told but health.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use bluum_hooks_shared::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{self, Answer};
use super::{Shared, error::ApiError};
use crate::context::Context;
use crate::faults::Standing;
use crate::metrics::CONTENT_TYPE;
use crate::store::Outage;

#[derive(Serialize, ToSchema)]
pub(super) struct Alive {
    pub(super) status: &'static str,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Ready {
    /// `ok`, or `degraded` while a fault of our own stands.
    pub(super) status: &'static str,
    /// What is wrong here at the moment; deliveries it keeps from being sent count no failure.
    pub(super) faults: Vec<StandingFault>,
    /// Rows that a publisher inserted and nobody could accept: for a person to look at.
    pub(super) outbox_rejected: i64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct StandingFault {
    /// `resolver`, `resources`, `network` or `secrets`.
    pub(super) fault: &'static str,
    pub(super) since: Timestamp,
    /// What was heard last.
    pub(super) detail: String,
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
            let faults = api.context.faults.standing(api.context.clock.now());
            let faults: Vec<_> = faults.into_iter().map(StandingFault::from).collect();
            let status = if faults.is_empty() { "ok" } else { "degraded" };
            let ready = Ready { status, faults, outbox_rejected: health.outbox_rejected };
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

impl From<Standing> for StandingFault {
    fn from(Standing { fault, since, detail }: Standing) -> Self {
        Self { fault: fault.as_str(), since, detail }
    }
}

/// What has it done?
///
/// Counters and measures since it started, for Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "scrape_metrics",
    responses((status = 200, body = String, content_type = CONTENT_TYPE,
        example = "# TYPE bluum_hooks_claims counter\nbluum_hooks_claims_total 7\n# EOF\n")))]
pub(super) async fn metrics(State(api): Shared) -> Answer {
    let Context { metrics, slots, store, .. } = &api.context;
    // If the database does not answer, the rest is worth all the more.
    if let Ok(health) = store.ping().await {
        metrics.outbox_rejected(health.outbox_rejected);
    }
    let mut answer = answer::raw(StatusCode::OK, metrics.to_text(slots));
    let content_type = HeaderValue::from_static(CONTENT_TYPE);
    answer.headers_mut().insert(header::CONTENT_TYPE, content_type);
    Ok(answer)
}
