//! An extractor for axum: a handler that takes a [`Webhook`] runs for verified deliveries alone.
//!
//! The state of the router provides the [`Verifier`], by itself or by `FromRef`:
//!
//! ```
//! use axum::{Router, http::StatusCode, routing::post};
//! use bluum_hooks_receiver::{Event, Verifier, axum::Webhook};
//!
//! async fn receive(Webhook(event): Webhook<Event>) -> StatusCode {
//!     println!("{} {}", event.id, event.name);
//!     StatusCode::NO_CONTENT
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let verifier: Verifier = "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=".parse()?;
//! let app: Router = Router::new().route("/webhooks", post(receive)).with_state(verifier);
//! # let _ = app;
//! # Ok(())
//! # }
//! ```
//!
//! It reads the body itself, as the [layer](crate::tower) does and with the same refusals, up to
//! [`Verifier::max_body_bytes`] and for [`DEFAULT_READ_DEADLINE`]. The limit that axum has for the
//! bodies of its own extractors is none of its concern, in either direction.
//!
//! With the layer around a router, everything behind it is verified, the deadline can be set, and
//! other extractors (`Bytes`, `Json`) see what was signed. The handler takes the delivery from
//! the extensions; a `Webhook` finds it there too, and does not verify again:
//!
//! ```
//! use axum::{Extension, Router, http::StatusCode, routing::post};
//! use bluum_hooks_receiver::{Verified, Verifier, tower::VerifyLayer};
//! use bytes::Bytes;
//!
//! async fn receive(Extension(delivery): Extension<Verified<Bytes>>) -> StatusCode {
//!     match delivery.event() {
//!         Ok(event) => println!("{} {}", event.id, event.name),
//!         Err(_) => return StatusCode::BAD_REQUEST,
//!     }
//!     StatusCode::NO_CONTENT
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let verifier: Verifier = "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=".parse()?;
//! let webhooks = Router::new().route("/webhooks", post(receive));
//! let app: Router = webhooks.route_layer(VerifyLayer::new(verifier));
//! # let _ = app;
//! # Ok(())
//! # }
//! ```

use axum_core::extract::{FromRef, FromRequest, Request};
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;

pub use crate::receive::Rejection;
use crate::receive::{DEFAULT_READ_DEADLINE, receive};
use crate::{Event, EventError, Verified, Verifier, now};

/// A verified delivery. The state of the router must provide a [`Verifier`].
///
/// `Webhook<Event>` reads the body; `Webhook<Verified<Bytes>>` hands it over as it is, for a
/// handler that stores first and reads later.
#[derive(Debug, Clone)]
pub struct Webhook<T = Event>(pub T);

/// What a verified delivery can be read into.
pub trait Payload: Sized {
    /// Reads it. An error is answered with 400, so the sender will try again.
    fn read(verified: Verified<Bytes>) -> Result<Self, EventError>;
}

impl Payload for Event {
    fn read(verified: Verified<Bytes>) -> Result<Self, EventError> {
        verified.event()
    }
}

impl Payload for Verified<Bytes> {
    fn read(verified: Self) -> Result<Self, EventError> {
        Ok(verified)
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.answer()
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
        let (mut head, body) = request.into_parts();
        let verified = match head.extensions.remove::<Verified<Bytes>>() {
            Some(by_the_layer) => by_the_layer,
            None => {
                let verifier = Verifier::from_ref(state);
                receive(&verifier, &head.headers, body, now(), DEFAULT_READ_DEADLINE).await?
            }
        };
        let read = T::read(verified).map_err(Rejection::Malformed);
        read.map(Self).inspect_err(Rejection::log)
    }
}
