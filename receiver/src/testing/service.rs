//! Routers and layered services as handlers.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{Answer, Signed};

/// A handler out of anything that is a service of HTTP: a router of axum, a layered service.
///
/// Requests are POSTs to `uri`. `Retry-After` is understood in seconds. A service that fails
/// counts as a 500, and so does a request that cannot be sent over HTTP.
///
/// A layer that verifies goes by the sender's clock, or later attempts come from the future:
///
/// ```
/// # async fn deliver() {
/// use bluum_hooks_receiver::testing::{Dispatcher, TestEvent, TestSender, service};
/// use bluum_hooks_receiver::{Verified, tower::VerifyLayer};
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use tower::{Layer, service_fn};
///
/// let sender = TestSender::new();
/// let clock = sender.clock().clone();
/// let layer = VerifyLayer::new(sender.verifier()).clock(move || clock.now());
/// let handler = service_fn(async |request: Request<Verified<Bytes>>| {
///     println!("{}", request.body().id());
///     Ok::<_, std::convert::Infallible>(Response::new(String::new()))
/// });
/// let handler = service(layer.layer(handler), "/webhooks");
/// let event = TestEvent::new("order.filled");
/// let report = Dispatcher::new(&sender).lost_answers(1).deliver(&[event], handler).await;
/// report.assert_delivered();
/// assert_eq!(report.statuses(), [200, 200]);
/// # }
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
/// # runtime.block_on(deliver());
/// ```
pub fn service<S, B>(service: S, uri: &str) -> impl AsyncFn(Signed) -> Answer
where
    S: tower_service::Service<http::Request<Whole>, Response = http::Response<B>> + Clone,
{
    const FAILED: Answer = Answer { status: 500, retry_after: None };
    async move |request: Signed| {
        let Ok(request) = request.into_http::<Vec<u8>>(uri) else { return FAILED };
        let request = request.map(|body| Whole(Some(body.into())));
        let mut service = service.clone();
        if poll_fn(|context| service.poll_ready(context)).await.is_err() {
            return FAILED;
        }
        let Ok(response) = service.call(request).await else { return FAILED };
        let asked = response.headers().get(http::header::RETRY_AFTER);
        let seconds = asked.and_then(|value| value.to_str().ok()?.parse().ok());
        Answer { status: response.status().as_u16(), retry_after: seconds.map(Duration::from_secs) }
    }
}

/// The body of such a request: all of it at once.
#[derive(Debug, Clone)]
pub struct Whole(Option<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        let bytes = self.0.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(u64::try_from(bytes).unwrap_or(u64::MAX))
    }
}
