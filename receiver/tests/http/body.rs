//! Bodies as no good server would hand them over, and in pieces of every size.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bluum_hooks_receiver::tower::{DEFAULT_READ_DEADLINE, Rejection, VerifyLayer};
use bluum_hooks_receiver::{Timestamp, Verified, Verifier, VerifyError};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use proptest::prelude::*;
use tokio::time::Interval;
use tower::{Layer, ServiceExt};

use super::client::{Headers, secret, signed};

/// What comes of a request: what the handler was given, or why it was not called.
async fn receive<B>(headers: &Headers, body: B) -> Result<Verified<Bytes>, Rejection>
where
    B: Body + Send + 'static,
    B::Error: std::fmt::Display,
{
    let timestamp: i64 = headers[1].1.parse().unwrap();
    let layer = VerifyLayer::new(Verifier::new([secret()]))
        .clock(move || Timestamp::from_unix_seconds(timestamp));
    let handler = tower::service_fn(async |request: Request<Verified<Bytes>>| {
        let mut response = Response::new(());
        response.extensions_mut().insert(request.into_body());
        Ok::<_, Infallible>(response)
    });
    let mut request = Request::new(body);
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    let mut response = layer.layer(handler).oneshot(request).await.unwrap();
    match response.extensions_mut().remove::<Rejection>() {
        Some(rejection) => Err(rejection),
        None => Ok(response.extensions_mut().remove().unwrap()),
    }
}

fn pieces(pieces: Vec<Bytes>) -> impl Body<Data = Bytes, Error = Infallible> + Send + 'static {
    let frames = pieces.into_iter().map(|piece| Ok(Frame::data(piece)));
    StreamBody::new(futures_util::stream::iter(frames.collect::<Vec<_>>()))
}

/// Cuts `whole` at these places, in any order, some perhaps the same.
fn cut(whole: &Bytes, places: &[prop::sample::Index]) -> Vec<Bytes> {
    let mut places: Vec<_> = places.iter().map(|place| place.index(whole.len() + 1)).collect();
    places.extend([0, whole.len()]);
    places.sort_unstable();
    places.windows(2).map(|ends| whole.slice(ends[0]..ends[1])).collect()
}

proptest! {
    #[test]
    fn it_does_not_matter_where_a_body_is_cut(
        body in prop::collection::vec(any::<u8>(), 0..600),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        changed in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let headers = signed(&body);
        let mut sent = body.clone();
        let changed = changed.filter(|_| !body.is_empty()).map(|at| at.index(body.len()));
        if let Some(at) = changed {
            sent[at] ^= 1;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let cut = cut(&sent.into(), &places);
        let received = runtime.block_on(receive(&headers, pieces(cut)));
        match received {
            Ok(verified) => prop_assert_eq!((verified.body(), changed), (&body[..], None)),
            Err(Rejection::Unverified(VerifyError::NoMatch { body_bytes, .. })) => {
                prop_assert_eq!((body_bytes, changed.is_some()), (body.len(), true));
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
    }
}

#[tokio::test]
async fn a_body_in_one_piece_is_not_copied() {
    let body = Bytes::from(vec![b'x'; 1000]);
    let verified = receive(&signed(&body), Full::new(body.clone())).await.unwrap();
    assert_eq!(verified.body().as_ptr(), body.as_ptr());
    // Nor where it is handed on as a body.
    let again = verified.clone().collect().await.unwrap().to_bytes();
    assert_eq!(again.as_ptr(), body.as_ptr());
}

#[tokio::test]
async fn what_is_verified_is_a_body_of_one_frame() {
    for body in ["", "{}"] {
        let mut verified = receive(&signed(body), body.to_owned()).await.unwrap();
        assert_eq!(verified.size_hint().exact(), Some(body.len() as u64));
        assert_eq!(verified.is_end_stream(), body.is_empty());
        if !body.is_empty() {
            assert_eq!(verified.frame().await.unwrap().unwrap().into_data().unwrap(), body);
        }
        assert!(verified.frame().await.is_none());
    }
}

type Polled = Poll<Option<Result<Frame<Bytes>, &'static str>>>;

/// Gives one piece, and then the same again for ever; it never says that it has ended.
struct Stubborn {
    polls: Arc<AtomicUsize>,
    then: fn() -> Polled,
}

impl Body for Stubborn {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled {
        match self.polls.fetch_add(1, Ordering::Relaxed) {
            0 => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"{}"))))),
            _ => (self.then)(),
        }
    }
}

/// tower-github-webhook 0.2.0 went by `is_end_stream` alone, and so in circles on an error.
#[tokio::test]
async fn a_body_is_polled_no_further_than_its_end() {
    let run = async |then| {
        let polls = Arc::default();
        let body = Stubborn { polls: Arc::clone(&polls), then };
        (receive(&signed("{}"), body).await, polls.load(Ordering::Relaxed))
    };
    let (received, polls) = run(|| Poll::Ready(Some(Err("reset by peer")))).await;
    let rejection = received.unwrap_err();
    assert_eq!((rejection.status().as_u16(), rejection.reason()), (400, "broken_off"));
    assert_eq!(rejection.to_string(), "the body broke off: reset by peer");
    assert_eq!(polls, 2);

    let (received, polls) = run(|| Poll::Ready(None)).await;
    assert_eq!((received.unwrap().body(), polls), (&b"{}"[..], 2));

    let trailers = || Poll::Ready(Some(Ok(Frame::trailers(http::HeaderMap::new()))));
    let (received, polls) = run(trailers).await;
    assert_eq!((received.unwrap().body(), polls), (&b"{}"[..], 2));
}

#[tokio::test]
async fn nothing_is_read_where_the_headers_say_enough() {
    let polls = Arc::default();
    let body = Stubborn { polls: Arc::clone(&polls), then: || Poll::Ready(None) };
    let mut headers = signed("{}");
    headers[0].1 = "evt.1".to_owned();
    assert_eq!(receive(&headers, body).await.unwrap_err().reason(), "malformed_id");
    assert_eq!(polls.load(Ordering::Relaxed), 0);
}

/// A byte a second, without end.
struct Drip {
    every: Interval,
    drops: Arc<AtomicUsize>,
}

impl Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.every.poll_tick(context).map(|_| {
            self.drops.fetch_add(1, Ordering::Relaxed);
            Some(Ok(Frame::data(Bytes::from_static(b"x"))))
        })
    }
}

/// The deadline is for the whole body: no single piece of it is late.
#[tokio::test(start_paused = true)]
async fn a_body_that_drips_is_cut_off() {
    let drops = Arc::default();
    let every = tokio::time::interval(Duration::from_secs(1));
    let drip = Drip { every, drops: Arc::clone(&drops) };
    let rejection = receive(&signed("{}"), drip).await.unwrap_err();
    assert_eq!((rejection.status().as_u16(), rejection.reason()), (408, "too_slow"));
    assert_eq!(rejection.to_string(), "the body did not arrive in time, within 10 s");
    let seconds = usize::try_from(DEFAULT_READ_DEADLINE.as_secs()).unwrap();
    // One at once, and the last perhaps at the very end.
    assert!((seconds..=seconds + 1).contains(&drops.load(Ordering::Relaxed)));
}
