//! An extractor for axum: a handler that takes a [`Webhook`] runs for verified deliveries alone.
//!
//! It owns the body, because verification needs the bytes as they were received. The sender of a
//! refused request learns a status and nothing else; the reason goes to `tracing`.

use std::fmt;

use axum_core::body::Body;
use axum_core::extract::{FromRef, FromRequest, Request};
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::{Event, EventError, Verified, Verifier, VerifyError, now};

/// A verified delivery. The state of the router must provide a [`Verifier`].
///
/// `Webhook<Event>` reads the body; `Webhook<Raw>` hands it over as it is, for a handler that
/// stores first and reads later.
#[derive(Debug, Clone)]
pub struct Webhook<T = Event>(pub T);

/// What a verified delivery can be read into.
pub trait Payload: Sized {
    /// Reads it. An error is answered with 400, so the sender will try again.
    fn read(verified: &Verified<Bytes>) -> Result<Self, EventError>;
}

impl Payload for Event {
    fn read(verified: &Verified<Bytes>) -> Result<Self, EventError> {
        verified.event()
    }
}

/// A verified delivery that has not been read.
#[derive(Clone)]
#[non_exhaustive]
pub struct Raw {
    /// The id of the event, the same on every attempt: deduplicate on it.
    pub id: String,
    /// The body, byte for byte what was signed.
    pub body: Vec<u8>,
}

impl Payload for Raw {
    fn read(verified: &Verified<Bytes>) -> Result<Self, EventError> {
        Ok(Self { id: verified.id().to_owned(), body: verified.body().to_vec() })
    }
}

/// Leaves the body out: it may name a person, and `{:?}` ends up in logs.
impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raw").field("id", &self.id).field("body_bytes", &self.body.len()).finish()
    }
}

/// Why a request was refused. As a response it is a status with an empty body.
#[derive(Debug)]
#[non_exhaustive]
pub enum Rejection {
    /// Not a delivery to be trusted.
    Unverified(VerifyError),
    /// The body broke off.
    Unread,
    /// Signed, but not an event.
    Malformed(EventError),
}

impl Rejection {
    /// What is answered: 400, 401 or 413.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unverified(error) => {
                StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST)
            }
            Self::Unread | Self::Malformed(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unverified(error) => error.fmt(f),
            Self::Unread => f.write_str("the body broke off"),
            Self::Malformed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Rejection {}

impl From<VerifyError> for Rejection {
    fn from(error: VerifyError) -> Self {
        Self::Unverified(error)
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.status().into_response()
    }
}

impl<S, T> FromRequest<S> for Webhook<T>
where
    Verifier: FromRef<S>,
    S: Send + Sync,
    T: Payload,
{
    type Rejection = Rejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, Rejection> {
        receive(request, &Verifier::from_ref(state)).await.map(Self).inspect_err(|rejection| {
            let status = rejection.status().as_u16();
            tracing::warn!(status, reason = %rejection, "webhook refused");
        })
    }
}

async fn receive<T: Payload>(request: Request, verifier: &Verifier) -> Result<T, Rejection> {
    let (head, body) = request.into_parts();
    // Before the body: a stranger's request is not worth reading.
    let pending = verifier.begin(&head.headers, now())?;
    let body = read(body, pending.max_body_bytes()).await?;
    let verified = pending.finish(body, Vec::new())?;
    tracing::debug!(event.id = verified.id(), key = verified.fingerprint(), "webhook verified");
    T::read(&verified).map_err(Rejection::Malformed)
}

/// The whole body, or a refusal as soon as it has grown past `limit`.
async fn read(body: Body, limit: usize) -> Result<Bytes, Rejection> {
    match Limited::new(body, limit).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(VerifyError::TooLarge { allowed: limit }.into())
        }
        Err(_) => Err(Rejection::Unread),
    }
}
