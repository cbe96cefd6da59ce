//! `Idempotency-Key`: the same request twice has one effect, and one answer.
//!
//! The answer is kept in the commit of what it answers. So a client that heard nothing, because the
//! connection or the daemon died in between, asks again and hears what it would have heard.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::header::IDEMPOTENCY_KEY;
use bluum_hooks_shared::id::KeyId;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::auth::Caller;
use super::error::ApiError;
use super::{Api, answer};
use crate::invalid::Invalid;
use crate::publish::MAX_KEY_LENGTH;
use crate::store::{Answer, NewAnswer};

/// On an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The key that a request came with. Bound to the method, the path and the body once they are
/// known.
#[derive(Debug, Clone)]
pub(super) struct Key {
    caller: KeyId,
    text: String,
    method: Method,
    path: String,
}

/// A key with the request that it stands for.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    caller: KeyId,
    key: String,
    request_sha256: String,
}

impl Key {
    /// The request's key, if it has one.
    pub(super) fn of(request: &Request, caller: &Caller) -> Result<Option<Self>, Invalid> {
        let mut values = request.headers().get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let text = value.to_str().ok().filter(|text| (1..=MAX_KEY_LENGTH).contains(&text.len()));
        let Some(text) = text.filter(|_| values.next().is_none()) else {
            let message =
                format!("Idempotency-Key must be one text of 1 to {MAX_KEY_LENGTH} characters.");
            return Err(Invalid::field(ErrorCode::InvalidFormat, IDEMPOTENCY_KEY, message));
        };
        Ok(Some(Self {
            caller: caller.key_id(),
            text: text.to_owned(),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
        }))
    }

    pub(super) fn guard(self, body: &[u8]) -> Guard {
        let mut hash = Sha256::new();
        for part in [self.method.as_str().as_bytes(), b" ", self.path.as_bytes(), b"\n", body] {
            hash.update(part);
        }
        let request_sha256 = hex::encode(hash.finalize());
        Guard { caller: self.caller, key: self.text, request_sha256 }
    }
}

impl Guard {
    /// What to keep, if this is the first time.
    pub(super) fn keep(&self, status: StatusCode, body: Bytes) -> NewAnswer {
        let request_sha256 = self.request_sha256.clone();
        let answer = Answer { request_sha256, status: status.as_u16(), body };
        NewAnswer { caller: self.caller, idempotency_key: self.key.clone(), answer }
    }

    /// The answer that was given to this request before, if it was.
    pub(super) async fn answered(&self, api: &Api) -> Result<Option<Response>, ApiError> {
        let now = api.context.clock.now();
        let Some(kept) = api.context.store.answer(self.caller, &self.key, now).await? else {
            return Ok(None);
        };
        if kept.request_sha256 != self.request_sha256 {
            let message = "This Idempotency-Key was used for another request; use a new one.";
            let conflict = Invalid::field(ErrorCode::KeyConflict, IDEMPOTENCY_KEY, message);
            return Err(conflict.into());
        }
        let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
        let mut response = answer::raw(status, kept.body);
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        Ok(Some(response))
    }

    /// The same, when the store has said that the key was used.
    pub(super) async fn must_be_answered(&self, api: &Api) -> Result<Response, ApiError> {
        let answered = self.answered(api).await?;
        answered.ok_or_else(|| {
            // It expired between the two looks: as unlikely as harmless.
            Invalid::request(ErrorCode::Unavailable, "Try again.").into()
        })
    }
}
