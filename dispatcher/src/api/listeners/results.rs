//! What came of deliveries that went down a stream.

use std::str::FromStr;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bluum_hooks_shared::api::ResultsTaken;
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::id::{DeliveryId, TenantId};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::super::answer::{self, Answer};
use super::super::auth::Caller;
use super::super::openapi::requests::{ListenerName, Results};
use super::super::path::Path;
use super::super::{Shared, body};
use super::find_alone;
use crate::fields;
use crate::invalid::Invalid;
use crate::listeners::Word;

/// Most results in one request.
pub(in crate::api) const MAX_RESULTS: usize = 256;
/// Their bodies, and what stands around them.
const MAX_BYTES: usize = MAX_RESULTS * 2 * 1024;

#[derive(Debug, Deserialize)]
struct Told {
    delivery: DeliveryId,
    #[serde(deserialize_with = "whole")]
    attempt: u32,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome {
    Response {
        #[serde(deserialize_with = "whole")]
        status: u16,
        body_b64: Option<String>,
    },
    ConnectError {
        error: Option<String>,
    },
    TlsError {
        error: Option<String>,
    },
    Timeout,
    Reset {
        error: Option<String>,
    },
    Cancelled,
    Filtered,
    Working,
}

/// A whole number, however it is written.
fn whole<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
{
    let number = f64::deserialize(deserializer)?;
    fields::whole_of(number)
        .ok_or_else(|| D::Error::custom(format!("{number} is not a number that can stand here")))
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
    let webhook = find_alone(&api, &caller, &name, request.uri())?;
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

fn word(outcome: Outcome, timeout: Duration) -> Result<Word, Invalid> {
    let told = |error: Option<String>| error.unwrap_or_else(|| "no reason was given".into());
    Ok(match outcome {
        Outcome::Response { status, body_b64 } => answered(status, body_b64)?,
        Outcome::ConnectError { error } => Word::not_connected(&told(error)),
        Outcome::TlsError { error } => Word::not_trusted(&told(error)),
        Outcome::Reset { error } => Word::broken(&told(error)),
        Outcome::Timeout => Word::timed_out(timeout),
        Outcome::Cancelled => Word::Declined,
        Outcome::Filtered => Word::filtered(),
        Outcome::Working => Word::Working,
    })
}

fn answered(status: u16, body_b64: Option<String>) -> Result<Word, Invalid> {
    if !(100..=999).contains(&status) {
        let message = "'status' is an HTTP status, 100 to 999.";
        return Err(Invalid::field(ErrorCode::Validation, "status", message));
    }
    let body = STANDARD.decode(body_b64.unwrap_or_default()).map_err(|_| {
        Invalid::field(ErrorCode::InvalidFormat, "body_b64", "'body_b64' is not base64.")
    })?;
    Ok(Word::answered(status, body))
}
