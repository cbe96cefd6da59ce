//! What a tower layer owes to the services inside and outside of it.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bluum_hooks_receiver::tower::{Rejection, VerifyLayer};
use bluum_hooks_receiver::{Secret, Timestamp, Verified, Verifier, VerifyError};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt};

use super::client::{Headers, ID, secret, signed, signed_by};

type Answer = Result<Response<Full<Bytes>>, &'static str>;

fn layer() -> VerifyLayer {
    VerifyLayer::new(Verifier::new([secret()]))
}

fn request(headers: &Headers, body: &str) -> Request<String> {
    let mut request = Request::new(body.to_owned());
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    request
}

/// Which kind of request it is ready for would be open otherwise.
async fn ready<S: Service<Request<String>>>(service: &mut S) -> Result<&mut S, S::Error> {
    service.ready().await
}

/// Has a place for one request, which must be taken by `poll_ready` before each call. A clone has
/// not taken it.
struct OnePlace {
    places: Arc<Mutex<usize>>,
    taken: bool,
}

impl Clone for OnePlace {
    fn clone(&self) -> Self {
        Self { places: Arc::clone(&self.places), taken: false }
    }
}

impl Drop for OnePlace {
    fn drop(&mut self) {
        *self.places.lock().unwrap() += usize::from(self.taken);
    }
}

impl Service<Request<Verified<Bytes>>> for OnePlace {
    type Response = Response<Full<Bytes>>;
    type Error = &'static str;
    type Future = std::future::Ready<Answer>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        let mut places = self.places.lock().unwrap();
        if !self.taken && *places == 0 {
            return Poll::Ready(Err("no place"));
        }
        *places -= usize::from(!self.taken);
        self.taken = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Verified<Bytes>>) -> Self::Future {
        assert!(self.taken, "called without having been ready");
        self.taken = false;
        *self.places.lock().unwrap() += 1;
        std::future::ready(Ok(Response::new(Full::new(request.into_body().into_body()))))
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_that_is_called() {
    let places = Arc::new(Mutex::new(1));
    let mut service = layer().layer(OnePlace { places: Arc::clone(&places), taken: false });
    for _ in 0..3 {
        let ready = ready(&mut service).await.unwrap();
        assert_eq!(*places.lock().unwrap(), 0);
        let answer = ready.call(request(&signed("{}"), "{}")).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "{}");
        assert_eq!(*places.lock().unwrap(), 1);
    }
    // A refusal gives the place back, and so does a request that nobody waits for any more.
    let refused = ready(&mut service).await.unwrap().call(request(&signed("{}"), "{ }")).await;
    assert_eq!((refused.unwrap().status().as_u16(), *places.lock().unwrap()), (401, 1));
    drop(ready(&mut service).await.unwrap().call(request(&signed("{}"), "{}")));
    assert_eq!(*places.lock().unwrap(), 1);
    // What the service inside says of itself is said outside.
    *places.lock().unwrap() = 0;
    assert_eq!(ready(&mut service).await.err(), Some("no place"));
}

#[tokio::test]
async fn the_delivery_is_among_the_extensions_and_they_stay() {
    let handler = tower::service_fn(async |mut request: Request<Verified<Bytes>>| {
        let extensions = request.extensions_mut();
        assert_eq!(extensions.remove::<&str>(), Some("put there by a layer outside"));
        let verified: Verified<Bytes> = extensions.remove().unwrap();
        assert_eq!((verified.id(), verified.body()), (ID, request.body().body()));
        Ok::<_, &str>(Response::new(Full::new(verified.into_body())))
    });
    let mut request = request(&signed("{}"), "{}");
    request.extensions_mut().insert("put there by a layer outside");
    assert_eq!(layer().layer(handler).oneshot(request).await.unwrap().status(), 200);
}

/// What comes of a request at this time, as seen by a service around the layer.
async fn rejected(layer: &VerifyLayer, request: Request<String>) -> Option<Rejection> {
    let places = Arc::new(Mutex::new(1));
    let service = layer.layer(OnePlace { places, taken: false });
    let response = service.oneshot(request).await.unwrap();
    let rejection = response.extensions().get::<Rejection>().cloned();
    let status = rejection.as_ref().map_or(200, |rejection| rejection.status().as_u16());
    assert_eq!(response.status().as_u16(), status);
    rejection
}

#[tokio::test]
async fn the_clock_is_an_argument() {
    let now = Arc::new(Mutex::new(Timestamp::from_unix_seconds(0)));
    let clock = Arc::clone(&now);
    let verifier = Verifier::new([secret()]);
    let layer =
        VerifyLayer::new(verifier.tolerance(Duration::from_secs(300), Duration::from_secs(30)))
            .clock(move || *clock.lock().unwrap());
    let headers = signed("{}");
    let sent: i64 = headers[1].1.parse().unwrap();
    for (seconds, reason) in
        [(-31, Some("too_new")), (-30, None), (0, None), (300, None), (301, Some("too_old"))]
    {
        *now.lock().unwrap() = Timestamp::from_unix_seconds(sent + seconds);
        let rejection = rejected(&layer, request(&headers, "{}")).await;
        assert_eq!(rejection.as_ref().map(Rejection::reason), reason, "{seconds}");
    }
}

#[tokio::test]
async fn services_outside_learn_the_reason() {
    let other = Secret::from_bytes(&[8; 32]).unwrap();
    let rejection = rejected(&layer(), request(&signed_by(&other, b"{}", 0), "{}")).await;
    let Some(Rejection::Unverified(VerifyError::NoMatch { fingerprints, body_bytes })) = rejection
    else {
        panic!("{rejection:?}")
    };
    assert_eq!((fingerprints, body_bytes), (vec![secret().fingerprint()], 2));
}
