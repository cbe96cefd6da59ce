//! The extractor and the layer in a real router.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRef, FromRequest, Request, State};
use axum::routing::post;
use axum::{Extension, Router};
use bluum_hooks_receiver::axum::{Rejection, Webhook};
use bluum_hooks_receiver::header::MAX_DELIVERY_BYTES;
use bluum_hooks_receiver::tower::VerifyLayer;
use bluum_hooks_receiver::{Data, Event, Secret, Verified, Verifier};
use tokio::net::TcpListener;

use super::client::{
    CHUNKED, Client, Headers, ID, bare, chunk, event, forged, head, length, secret, signed,
    signed_by,
};

/// A state with more in it than the verifier.
#[derive(Clone)]
struct Partner {
    verifier: Verifier,
    handled: Arc<AtomicUsize>,
}

impl FromRef<Partner> for Verifier {
    fn from_ref(partner: &Partner) -> Self {
        partner.verifier.clone()
    }
}

async fn typed(State(partner): State<Partner>, Webhook(event): Webhook<Event>) -> String {
    partner.handled.fetch_add(1, Ordering::Relaxed);
    let what = match &event.data {
        Data::Order(order) => format!("order {}", order.status),
        Data::Unknown => "unknown".to_owned(),
        Data::Unreadable { .. } => "unreadable".to_owned(),
        other => format!("{other:?}"),
    };
    format!("{} {} {what}", event.id, event.name)
}

async fn raw(State(partner): State<Partner>, Webhook(delivery): Webhook<Verified<Bytes>>) -> Bytes {
    partner.handled.fetch_add(1, Ordering::Relaxed);
    delivery.into_body()
}

struct Server {
    address: SocketAddr,
    handled: Arc<AtomicUsize>,
}

impl Server {
    async fn with(verifier: Verifier, around: impl FnOnce(Router) -> Router) -> Self {
        let handled = Arc::default();
        let partner = Partner { verifier, handled: Arc::clone(&handled) };
        let router = Router::new().route("/typed", post(typed)).route("/raw", post(raw));
        Self { address: serve(around(router.with_state(partner))).await, handled }
    }

    async fn new() -> Self {
        Self::with(Verifier::new([secret()]), |router| router).await
    }

    async fn post(&self, path: &str, headers: &Headers, body: impl AsRef<[u8]>) -> (u16, String) {
        post_to(self.address, path, headers, body).await
    }

    fn handled(&self) -> usize {
        self.handled.load(Ordering::Relaxed)
    }
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn post_to(
    server: SocketAddr,
    path: &str,
    headers: &Headers,
    body: impl AsRef<[u8]>,
) -> (u16, String) {
    let answer = super::client::post(server, path, headers, body).await;
    (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
}

fn refused(status: u16) -> (u16, String) {
    (status, String::new())
}

#[tokio::test]
async fn a_delivery_reaches_the_handler_typed() {
    let server = Server::new().await;
    for (name, data, what) in [
        ("order.filled", r#"{"id":"ord_1","status":"filled"}"#, "order filled"),
        ("order.settled", "[1]", "unknown"),
        ("order.filled", "[1]", "unreadable"),
    ] {
        let body = event(name, data);
        let answer = server.post("/typed", &signed(&body), &body).await;
        assert_eq!(answer, (200, format!("{ID} {name} {what}")));
    }
}

#[tokio::test]
async fn raw_bodies_arrive_byte_for_byte() {
    let server = Server::new().await;
    for body in [&b"\xff\x00 not JSON"[..], b"", &vec![b'x'; MAX_DELIVERY_BYTES]] {
        let answer = super::client::post(server.address, "/raw", &signed(body), body).await;
        assert_eq!((answer.status, &answer.body[..]), (200, body));
    }
}

#[tokio::test]
async fn what_was_not_signed_never_reaches_the_handler() {
    let server = Server::new().await;
    let body = event("order.filled", "{}");
    let other = Secret::from_bytes(&[8; 32]).unwrap();
    for path in ["/typed", "/raw"] {
        for (status, headers) in [
            (400, Vec::new()),
            (400, [signed(&body), signed(&body)].concat()),
            (401, signed(body.replace("filled", "killed"))),
            (401, signed_by(&other, body.as_bytes(), 0)),
            (401, signed_by(&secret(), body.as_bytes(), 3600)),
            (401, signed_by(&secret(), body.as_bytes(), -3600)),
        ] {
            assert_eq!(server.post(path, &headers, &body).await, refused(status), "{headers:?}");
        }
    }
    assert_eq!(server.handled(), 0);
}

#[tokio::test]
async fn signed_but_no_event_is_400() {
    let server = Server::new().await;
    assert_eq!(server.post("/typed", &signed("{}"), "{}").await, refused(400));
    assert_eq!(server.post("/typed", &signed(""), "").await, refused(400));
    assert_eq!(server.handled(), 0);
}

/// axum-standardwebhooks 1.0.0 panicked where axum's own limit, of 2 MiB, was passed.
#[tokio::test]
async fn too_large_is_413_and_no_panic() {
    let server = Server::new().await;
    for bytes in [MAX_DELIVERY_BYTES + 1, (2 << 20) + 1, 1 << 40] {
        let mut client = Client::connect(server.address).await;
        client.send(head("/typed", &forged(), &length(bytes))).await;
        assert_eq!(client.answer().await, bare(413), "{bytes}");
    }
    let mut client = Client::connect(server.address).await;
    client.send(head("/typed", &forged(), CHUNKED)).await;
    client.send(chunk(&vec![b'x'; MAX_DELIVERY_BYTES])).await;
    client.send(chunk(b"x")).await;
    assert_eq!(client.answer().await, bare(413));
    assert_eq!(server.handled(), 0);
}

/// axum-standardwebhooks 1.0.0 lost what `DefaultBodyLimit` says, in both directions. Here it is
/// for axum's own extractors, and the cap of the verifier for deliveries.
#[tokio::test]
async fn the_cap_is_the_verifiers_whatever_axum_allows() {
    let large = vec![b'x'; 3 << 20];
    let wide = Verifier::new([secret()]).max_body_bytes(large.len());
    for limit in [DefaultBodyLimit::disable(), DefaultBodyLimit::max(4)] {
        let layer = VerifyLayer::new(wide.clone());
        let (inner, outer) = (limit, limit);
        for server in [
            Server::with(wide.clone(), |router| router.layer(inner)).await,
            Server::with(wide.clone(), |router| router.layer(layer).layer(outer)).await,
        ] {
            assert_eq!(server.post("/raw", &signed(&large), &large).await.0, 200);
            let mut client = Client::connect(server.address).await;
            client.send(head("/raw", &forged(), &length(large.len() + 1))).await;
            assert_eq!(client.answer().await, bare(413));
            assert_eq!(server.handled(), 1);
        }
    }
}

#[tokio::test]
async fn behind_the_layer_every_extractor_sees_what_was_signed() {
    async fn whole(body: Bytes) -> Bytes {
        body
    }
    async fn extension(Extension(delivery): Extension<Verified<Bytes>>) -> String {
        format!("{} {}", delivery.id(), delivery.event().unwrap().name)
    }
    let verified = Router::new().route("/whole", post(whole)).route("/extension", post(extension));
    let limited = Router::new().route("/limited", post(whole)).layer(DefaultBodyLimit::max(4));
    let router = verified.merge(limited).route_layer(VerifyLayer::new(Verifier::new([secret()])));
    let server = serve(router.route("/open", post(async || "open to all"))).await;

    let body = event("order.filled", "{}");
    let filled = (200, format!("{ID} order.filled"));
    assert_eq!(post_to(server, "/extension", &signed(&body), &body).await, filled);
    assert_eq!(post_to(server, "/whole", &signed(&body), &body).await, (200, body.clone()));
    assert_eq!(post_to(server, "/whole", &forged(), &body).await, refused(401));
    assert_eq!(post_to(server, "/limited", &signed("1234"), "1234").await, (200, "1234".into()));
    // axum's limit, behind the layer as it would be without.
    assert_eq!(post_to(server, "/limited", &signed("12345"), "12345").await.0, 413);
    assert_eq!(post_to(server, "/open", &Vec::new(), "").await, (200, "open to all".into()));
}

/// The layer has verified it, so the keys in the state are not asked; and nobody gets around it.
#[tokio::test]
async fn a_webhook_takes_what_the_layer_has_verified() {
    let (layer, none) =
        (VerifyLayer::new(Verifier::new([secret()])), [Secret::from_bytes(&[9; 32]).unwrap()]);
    let server = Server::with(Verifier::new(none), |router| router.layer(layer)).await;
    let body = event("order.filled", r#"{"id":"ord_1","status":"filled"}"#);
    let filled = (200, format!("{ID} order.filled order filled"));
    assert_eq!(server.post("/typed", &signed(&body), &body).await, filled);
    assert_eq!(server.post("/raw", &signed(&body), &body).await, (200, body.clone()));
    let inside = Secret::from_bytes(&[9; 32]).unwrap();
    let headers = signed_by(&inside, body.as_bytes(), 0);
    assert_eq!(server.post("/typed", &headers, &body).await, refused(401));
}

#[tokio::test]
async fn a_rejection_says_why() {
    let request = Request::post("/").body(axum::body::Body::empty()).unwrap();
    let verifier = Verifier::new([secret()]);
    let rejection = Webhook::<Event>::from_request(request, &verifier).await.unwrap_err();
    assert_eq!(rejection.to_string(), "the header 'webhook-id' is missing");
    assert_eq!((rejection.status().as_u16(), rejection.reason()), (400, "missing_header"));

    let rejection = Rejection::Malformed(Event::parse(b"{").unwrap_err());
    assert_eq!((rejection.status().as_u16(), rejection.reason()), (400, "malformed_event"));
}
