//! `Idempotency-Key`: the same request twice has one effect, and one answer.
//!
//! The answer is kept in the commit of what it answers. So a client that heard nothing, because the
//! connection or the daemon died in between, asks again and hears what it would have heard.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::header::IDEMPOTENCY_KEY;
use bluum_hooks_shared::id::KeyId;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::auth::Caller;
use super::error::ApiError;
use super::{Api, answer, body, to_the_end};
use crate::invalid::Invalid;
use crate::publish::MAX_KEY_LENGTH;
use crate::store::{Answer, Change, Keep, NewAnswer, Registry, StoreError};

/// On an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A request's body, with the key that it came with.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) body: Bytes,
    guard: Option<Guard>,
}

/// A key with the request that it stands for: method, path and body.
#[derive(Debug, Clone)]
struct Guard {
    caller: KeyId,
    key: String,
    request_sha256: String,
}

/// How a write answers.
#[derive(Debug, Clone)]
pub(super) struct Telling {
    pub(super) status: StatusCode,
    /// Whether the answer shows a secret.
    pub(super) secret: bool,
    /// What is wrong if the write does not apply to what is there.
    pub(super) declined: String,
}

impl Asked {
    /// Reads a request of this caller, with a body of at most `limit` bytes.
    pub(super) async fn read(
        caller: &Caller,
        request: Request,
        limit: usize,
    ) -> Result<Self, Invalid> {
        let key = key(&request)?;
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let body = body::read(request, limit).await?;
        let guard = key.map(|key| {
            let mut hash = Sha256::new();
            for part in [method.as_str().as_bytes(), b" ", path.as_bytes(), b"\n", &body] {
                hash.update(part);
            }
            let request_sha256 = hex::encode(hash.finalize());
            Guard { caller: caller.key_id(), key, request_sha256 }
        });
        Ok(Self { body, guard })
    }

    /// The answer that was given to this request before, if it was.
    pub(super) async fn answered(&self, api: &Api) -> Result<Option<Response>, ApiError> {
        match &self.guard {
            Some(guard) => guard.answered(api).await,
            None => Ok(None),
        }
    }

    /// The answer to keep, if the request came with a key.
    pub(super) fn keep(&self, status: StatusCode, body: &Bytes) -> Option<NewAnswer> {
        Some(self.guard.as_ref()?.keep(status, body.clone(), false))
    }

    /// The answer to a request whose key turned out to be used.
    pub(super) async fn answer_of_first(&self, api: &Api) -> Result<Response, ApiError> {
        let answered = self.answered(api).await?;
        answered.ok_or_else(|| {
            // It expired between the two looks: as unlikely as harmless.
            Invalid::request(ErrorCode::Unavailable, "Try again.").into()
        })
    }

    /// Does a write to the end, and answers with what `render` makes of what it brought about: this
    /// time and every time.
    pub(super) async fn tell<T, W, R>(
        self,
        api: &Api,
        telling: Telling,
        render: impl Fn(&T) -> Bytes + Clone + Send + 'static,
        write: impl FnOnce(Option<Keep<T>>) -> W,
    ) -> Result<Response, ApiError>
    where
        R: AsRef<T> + Send + 'static,
        W: Future<Output = Result<R, StoreError>> + Send + 'static,
    {
        let Telling { status, secret, declined } = telling;
        let keep = self.guard.clone().map(|guard| -> Keep<T> {
            let render = render.clone();
            Box::new(move |done| guard.keep(status, render(done), secret))
        });
        match to_the_end(write(keep)).await? {
            Ok(done) => Ok(answer::raw(status, render(done.as_ref()))),
            Err(StoreError::KeyUsed) => self.answer_of_first(api).await,
            // Perhaps because the same request, made at the same time, has just done it.
            Err(StoreError::Declined) => self
                .answered(api)
                .await?
                .ok_or_else(|| Invalid::request(ErrorCode::StateConflict, declined).into()),
            Err(failure) => Err(failure.into()),
        }
    }
}

/// Makes a change, and answers with what `render` makes of the registry after it.
pub(super) async fn change_and_tell(
    api: &Api,
    asked: Asked,
    telling: Telling,
    change: Change,
    render: impl Fn(&Registry) -> Bytes + Clone + Send + 'static,
) -> Result<Response, ApiError> {
    let (context, now) = (api.context.clone(), api.context.clock.now());
    let write = |keep| async move { context.change(change, keep, now).await };
    asked.tell(api, telling, render, write).await
}

/// Why nothing more can be added.
pub(super) fn no_room(at_most: usize, what: &str, advice: &str) -> String {
    format!("A tenant may have {at_most} {what} in each mode; {advice}.")
}

/// The request's key, if it has one.
fn key(request: &Request) -> Result<Option<String>, Invalid> {
    let mut values = request.headers().get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| (1..=MAX_KEY_LENGTH).contains(&text.len()));
    let Some(text) = text.filter(|_| values.next().is_none()) else {
        let message =
            format!("Idempotency-Key must be one text of 1 to {MAX_KEY_LENGTH} characters.");
        return Err(Invalid::field(ErrorCode::InvalidFormat, IDEMPOTENCY_KEY, message));
    };
    Ok(Some(text.to_owned()))
}

impl Guard {
    fn keep(&self, status: StatusCode, body: Bytes, secret: bool) -> NewAnswer {
        let request_sha256 = self.request_sha256.clone();
        let answer = Answer { request_sha256, status: status.as_u16(), body, secret };
        NewAnswer { caller: self.caller, idempotency_key: self.key.clone(), answer }
    }

    async fn answered(&self, api: &Api) -> Result<Option<Response>, ApiError> {
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
}
