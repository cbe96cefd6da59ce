//! What came of deliveries that went down a stream.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bluum_hooks_shared::api::ResultsTaken;
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::id::{DeliveryId, TenantId};
use bytes::Bytes;
use serde::Deserialize;

use super::super::answer::{self, Answer};
use super::super::auth::Caller;
use super::super::openapi::requests::{ListenerName, Results};
use super::super::path::Path;
use super::super::query::Query;
use super::super::{Shared, body};
use super::find;
use crate::invalid::Invalid;
use crate::listeners::Word;
use crate::transport::{self, KEPT_BYTES, SendError};

/// Most results in one request.
pub(in crate::api) const MAX_RESULTS: usize = 256;
/// Their bodies, and what stands around them.
const MAX_BYTES: usize = MAX_RESULTS * 2 * 1024;
/// Most characters of an error that are kept.
const MAX_ERROR: usize = 500;
/// What is recorded of a delivery that was not forwarded, as the developer wished: it is done with.
const NO_CONTENT: u16 = 204;

#[derive(Debug, Deserialize)]
struct Told {
    delivery: DeliveryId,
    attempt: u32,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome {
    Response { status: u16, body_b64: Option<String> },
    ConnectError { error: Option<String> },
    TlsError { error: Option<String> },
    Timeout,
    Reset { error: Option<String> },
    Cancelled,
    Filtered,
    Working,
}

/// Tell what came of deliveries
///
/// A delivery that is not under way any more, or not with this attempt, is `unknown`: it will be
/// offered again, and the same can be told again.
#[utoipa::path(post, path = "/v1/listeners/{name}/results", operation_id = "send_results",
    params(("name" = ListenerName, Path), ("tenant" = Option<TenantId>, Query)),
    request_body = Results, responses((status = 200, body = ResultsTaken)))]
pub(in crate::api) async fn take(
    State(api): Shared,
    caller: Caller,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    let mut query = Query::new(request.uri())?;
    let tenant = query.text("tenant");
    query.finish()?;
    let webhook = find(&api, &caller, &name, tenant.as_deref())?;
    let body = body::read(request, MAX_BYTES).await?;
    let told: Vec<Told> = serde_json::from_slice(&body).map_err(|error| {
        let message = format!("The body is not an array of results: {error}.");
        Invalid::request(ErrorCode::Validation, message)
    })?;
    if !(1..=MAX_RESULTS).contains(&told.len()) {
        let message = format!("Send 1 to {MAX_RESULTS} results at once.");
        return Err(Invalid::request(ErrorCode::Validation, message).into());
    }
    let timeout = webhook.settings.timeout;
    let mut words = Vec::with_capacity(told.len());
    for (place, Told { delivery, attempt, outcome }) in told.into_iter().enumerate() {
        let word = word(outcome, timeout).map_err(|fault| fault.within(&format!("[{place}]")))?;
        words.push((delivery, attempt, word));
    }
    let mut taken = ResultsTaken { accepted: 0, unknown: Vec::new() };
    for (delivery, attempt, word) in words {
        if api.context.listeners.tell(webhook.number, delivery, attempt, word) {
            taken.accepted += 1;
        } else {
            taken.unknown.push(delivery);
        }
    }
    Ok(answer::json(StatusCode::OK, &taken))
}

fn word(outcome: Outcome, timeout: std::time::Duration) -> Result<Word, Invalid> {
    let failed = |make: fn(String) -> SendError, error: Option<String>| {
        let error = error.unwrap_or_else(|| "no reason was given".into());
        Word::Done(Err(make(error.chars().take(MAX_ERROR).collect())))
    };
    Ok(match outcome {
        Outcome::Response { status, body_b64 } => Word::Done(Ok(answered(status, body_b64)?)),
        Outcome::ConnectError { error } => failed(SendError::Connect, error),
        Outcome::TlsError { error } => failed(SendError::Tls, error),
        Outcome::Reset { error } => failed(SendError::Broken, error),
        Outcome::Timeout => Word::Done(Err(SendError::Timeout(timeout))),
        Outcome::Cancelled => Word::Declined,
        Outcome::Filtered => Word::Done(Ok(transport::Answer {
            status: NO_CONTENT,
            retry_after: None,
            body: Bytes::from_static(b"not forwarded: the listener filters it out"),
        })),
        Outcome::Working => Word::Working,
    })
}

fn answered(status: u16, body_b64: Option<String>) -> Result<transport::Answer, Invalid> {
    if !(100..=999).contains(&status) {
        let message = "'status' is an HTTP status, 100 to 999.";
        return Err(Invalid::field(ErrorCode::Validation, "status", message));
    }
    let body = STANDARD.decode(body_b64.unwrap_or_default()).map_err(|_| {
        Invalid::field(ErrorCode::InvalidFormat, "body_b64", "'body_b64' is not base64.")
    })?;
    let body = Bytes::from(body);
    let body = body.slice(..body.len().min(KEPT_BYTES));
    Ok(transport::Answer { status, retry_after: None, body })
}
