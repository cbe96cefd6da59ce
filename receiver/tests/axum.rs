//! The extractor in a real router: what reaches the handler, and what the sender learns.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{FromRef, FromRequest, Request};
use axum::http::StatusCode;
use axum::routing::post;
use axum_test::{TestRequest, TestServer};
use bluum_hooks_receiver::axum::{Raw, Webhook};
use bluum_hooks_receiver::{Data, Event, Secret, SigningKey, Verifier, header, now};

const ID: &str = "evt_01kv5v1cd09n7q5s3v1x0z2b4d";

#[derive(Clone)]
struct App {
    verifier: Verifier,
}

impl FromRef<App> for Verifier {
    fn from_ref(app: &App) -> Self {
        app.verifier.clone()
    }
}

fn secret() -> Secret {
    Secret::from_bytes(&[7; 32]).unwrap()
}

async fn typed(Webhook(event): Webhook<Event>) -> String {
    let what = match &event.data {
        Data::Order(order) => format!("order {}", order.status),
        Data::Unknown => "unknown".to_owned(),
        Data::Unreadable { .. } => "unreadable".to_owned(),
        other => format!("{other:?}"),
    };
    format!("{} {} {what}", event.id, event.name)
}

async fn raw(Webhook(raw): Webhook<Raw>) -> Vec<u8> {
    [raw.id.as_bytes(), b" ", &raw.body].concat()
}

fn server() -> TestServer {
    let app = App { verifier: Verifier::new([secret()]) };
    let router = Router::new().route("/typed", post(typed)).route("/raw", post(raw));
    TestServer::new(router.with_state(app))
}

fn event(name: &str, data: &str) -> String {
    format!(
        r#"{{"id":"{ID}","created":1781533815,"livemode":false,"event":"{name}",
           "timestamp":"2026-06-15T14:30:15.123Z","investor_id":null,"data":{data}}}"#
    )
}

fn signed(server: &TestServer, path: &str, body: impl Into<Bytes>) -> TestRequest {
    let (body, timestamp) = (body.into(), now().as_unix_seconds());
    let signature = SigningKey::new(&secret()).sign(ID, timestamp, &body);
    server
        .post(path)
        .add_header(header::WEBHOOK_ID, ID)
        .add_header(header::WEBHOOK_TIMESTAMP, timestamp.to_string())
        .add_header(header::WEBHOOK_SIGNATURE, signature)
        .bytes(body)
}

/// The status, and that nothing else was said.
async fn refusal(request: TestRequest) -> StatusCode {
    let response = request.await;
    assert_eq!(response.as_bytes(), "");
    response.status_code()
}

#[tokio::test]
async fn a_delivery_reaches_the_handler_typed() {
    let body = event("order.filled", r#"{"id":"ord_1","status":"filled"}"#);
    let response = signed(&server(), "/typed", body).await;
    assert_eq!(response.status_code(), StatusCode::OK);
    assert_eq!(response.text(), format!("{ID} order.filled order filled"));
}

#[tokio::test]
async fn what_cannot_be_typed_reaches_the_handler_too() {
    let server = server();
    let unknown = signed(&server, "/typed", event("order.settled", "[1]")).await;
    assert_eq!(unknown.text(), format!("{ID} order.settled unknown"));
    let unreadable = signed(&server, "/typed", event("order.filled", "[1]")).await;
    assert_eq!(unreadable.text(), format!("{ID} order.filled unreadable"));
}

#[tokio::test]
async fn raw_bodies_arrive_byte_for_byte() {
    let response = signed(&server(), "/raw", &b"\xff\x00 not JSON"[..]).await;
    assert_eq!(response.status_code(), StatusCode::OK);
    assert_eq!(&response.as_bytes()[..], [ID.as_bytes(), b" \xff\x00 not JSON"].concat());
}

#[tokio::test]
async fn signed_but_no_event_is_400() {
    let server = server();
    assert_eq!(refusal(signed(&server, "/typed", "{}")).await, StatusCode::BAD_REQUEST);
    assert_eq!(refusal(signed(&server, "/typed", "")).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn missing_and_doubled_headers_are_400() {
    let server = server();
    let bare = server.post("/typed").bytes(event("order.filled", "{}").into());
    assert_eq!(refusal(bare).await, StatusCode::BAD_REQUEST);
    for name in [header::WEBHOOK_ID, header::WEBHOOK_TIMESTAMP, header::WEBHOOK_SIGNATURE] {
        let doubled = signed(&server, "/typed", "{}").add_header(name, "1");
        assert_eq!(refusal(doubled).await, StatusCode::BAD_REQUEST, "{name}");
    }
}

#[tokio::test]
async fn old_and_foreign_signatures_are_401() {
    let server = server();
    let request = |key: u8, age: i64| {
        let timestamp = now().as_unix_seconds() - age;
        let key = SigningKey::new(&Secret::from_bytes(&[key; 32]).unwrap());
        server
            .post("/typed")
            .add_header(header::WEBHOOK_ID, ID)
            .add_header(header::WEBHOOK_TIMESTAMP, timestamp.to_string())
            .add_header(header::WEBHOOK_SIGNATURE, key.sign(ID, timestamp, b"{}"))
            .bytes(Bytes::from_static(b"{}"))
    };
    assert_eq!(refusal(request(8, 0)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(refusal(request(7, 3600)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(refusal(request(7, -3600)).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_largest_delivery_passes_and_one_byte_more_is_413() {
    let server = server();
    let largest = vec![b'x'; header::MAX_DELIVERY_BYTES];
    let response = signed(&server, "/raw", largest.clone()).await;
    assert_eq!(response.status_code(), StatusCode::OK);
    let larger = [&largest[..], b"x"].concat();
    assert_eq!(refusal(signed(&server, "/raw", larger)).await, StatusCode::PAYLOAD_TOO_LARGE);
}

/// Past axum's own limit of 2 MB, where an extractor built on `Bytes` meets somebody else's error.
#[tokio::test]
async fn far_too_large_is_413_without_a_good_signature() {
    let body = Bytes::from(vec![b'x'; 3 << 20]);
    let request = server()
        .post("/typed")
        .add_header(header::WEBHOOK_ID, ID)
        .add_header(header::WEBHOOK_TIMESTAMP, now().as_unix_seconds().to_string())
        .add_header(header::WEBHOOK_SIGNATURE, "v1,AAAA")
        .bytes(body);
    assert_eq!(refusal(request).await, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_cap_can_be_set() {
    let verifier = Verifier::new([secret()]).max_body_bytes(4);
    let server = TestServer::new(Router::new().route("/raw", post(raw)).with_state(verifier));
    assert_eq!(signed(&server, "/raw", "1234").await.status_code(), StatusCode::OK);
    assert_eq!(refusal(signed(&server, "/raw", "12345")).await, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_400() {
    let timestamp = now().as_unix_seconds();
    let parts = [Ok("{"), Err(std::io::Error::other("the client went away"))];
    let broken = Body::from_stream(futures_util::stream::iter(parts));
    let request = Request::post("/")
        .header(header::WEBHOOK_ID, ID)
        .header(header::WEBHOOK_TIMESTAMP, timestamp)
        .header(header::WEBHOOK_SIGNATURE, "v1,AAAA")
        .body(broken)
        .unwrap();
    let verifier = Verifier::new([secret()]);
    let rejection = Webhook::<Event>::from_request(request, &verifier).await.unwrap_err();
    assert_eq!(rejection.status(), StatusCode::BAD_REQUEST);
    assert_eq!(rejection.to_string(), "the body broke off");
}
