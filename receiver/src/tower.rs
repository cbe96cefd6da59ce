//! A layer for tower: the service behind it is called for verified deliveries alone.
//!
//! It goes around any service that takes a `Request<Verified<Bytes>>`, or a request with any body
//! at all, since a [`Verified<Bytes>`](Verified) is one:
//!
//! ```
//! use std::convert::Infallible;
//! use bluum_hooks_receiver::{Verified, Verifier, tower::VerifyLayer};
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use tower::ServiceBuilder;
//!
//! async fn receive(request: Request<Verified<Bytes>>) -> Result<Response<String>, Infallible> {
//!     let delivery = request.body();
//!     println!("{}: {} bytes, as they were signed", delivery.id(), delivery.body().len());
//!     let mut response = Response::default();
//!     *response.status_mut() = StatusCode::NO_CONTENT;
//!     Ok(response)
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let verifier: Verifier = "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=".parse()?;
//! let service = ServiceBuilder::new().layer(VerifyLayer::new(verifier)).service_fn(receive);
//! # tower::ServiceExt::<Request<String>>::ready_oneshot(service);
//! # Ok(())
//! # }
//! ```
//!
//! `examples/tower_hyper.rs` serves it with hyper. What the layer does, in this order:
//!
//! 1. It checks the headers. A request without a timestamp of these minutes is answered before
//!    a byte of its body is asked for; so is one that announces too large a body.
//! 2. It reads the body, up to [`Verifier::max_body_bytes`] and for
//!    [`read_deadline`](VerifyLayer::read_deadline) in all, and computes the MAC meanwhile.
//! 3. It calls the service, with the [`Verified<Bytes>`](Verified) as the body, and once more
//!    among the extensions of the request.
//!
//! A refusal is a status without a body: 400, 401, 408 or 413. The reason goes to `tracing`, as
//! a warning with the fields `status`, `reason` (one of a few words, to count by) and `error`;
//! and for services around the layer the [`Rejection`] is among the extensions of the response.
//!
//! It needs tokio with its timers, as hyper, axum and actix run it.

use std::convert::Infallible;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower_layer::Layer;
use tower_service::Service;

use crate::receive::receive;
pub use crate::receive::{DEFAULT_READ_DEADLINE, Rejection};
use crate::{Timestamp, Verified, Verifier, now};

/// Puts a [`Verify`] around a service.
#[derive(Clone)]
pub struct VerifyLayer {
    verifier: Verifier,
    read_deadline: Duration,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl VerifyLayer {
    /// Lets through what this verifier accepts.
    pub fn new(verifier: Verifier) -> Self {
        Self { verifier, read_deadline: DEFAULT_READ_DEADLINE, clock: Arc::new(now) }
    }

    /// How long the whole body may take, from the headers on; ten seconds by default.
    #[must_use]
    pub fn read_deadline(self, read_deadline: Duration) -> Self {
        Self { read_deadline, ..self }
    }

    /// Where the time comes from that timestamps are held against: for tests. The system's clock
    /// by default.
    #[must_use]
    pub fn clock(self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }
}

impl fmt::Debug for VerifyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyLayer")
            .field("verifier", &self.verifier)
            .field("read_deadline", &self.read_deadline)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for VerifyLayer {
    type Service = Verify<S>;

    fn layer(&self, inner: S) -> Verify<S> {
        Verify { inner, layer: self.clone() }
    }
}

/// Calls the service inside for verified deliveries, and answers all else by itself.
#[derive(Debug, Clone)]
pub struct Verify<S> {
    inner: S,
    layer: VerifyLayer,
}

impl<S, B, R> Service<Request<B>> for Verify<S>
where
    S: Service<Request<Verified<Bytes>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Error: fmt::Display,
    R: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that is ready goes along, and a clone, which may not be, stays.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let VerifyLayer { verifier, read_deadline, clock } = self.layer.clone();
        let now = clock();
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            match receive(&verifier, &head.headers, body, now, read_deadline).await {
                Ok(verified) => {
                    head.extensions.insert(verified.clone());
                    inner.call(Request::from_parts(head, verified)).await
                }
                Err(rejection) => Ok(rejection.answer()),
            }
        })
    }
}

/// As the body of a request it is one frame, and once that is taken, [`body`](Verified::body) is
/// empty.
impl Body for Verified<Bytes> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = mem::take(&mut self.body);
        Poll::Ready((!bytes.is_empty()).then_some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.len() as u64)
    }
}
