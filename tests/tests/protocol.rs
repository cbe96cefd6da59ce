//! Manners of HTTP: what every answer says, and what becomes of requests that no client would make.

use bluum_hooks_tests::client::{Call, Response};
use bluum_hooks_tests::daemon::{self, Shared};
use bluum_hooks_tests::socket::Socket;
use http::{HeaderMap, Method};
use serde_json::{Value, json};

/// What can be asked for, and by which methods.
const ROUTES: [(&str, &str); 12] = [
    ("/healthz", "GET,HEAD"),
    ("/readyz", "GET,HEAD"),
    ("/metrics", "GET,HEAD"),
    ("/v1/events", "GET,HEAD,POST"),
    ("/v1/events/batch", "POST"),
    ("/v1/webhooks", "GET,HEAD,POST"),
    ("/v1/webhooks/event-types", "GET,HEAD"),
    ("/v1/webhooks/wh_1", "DELETE,GET,HEAD,PATCH"),
    ("/v1/webhooks/wh_1/secrets", "POST"),
    ("/v1/deliveries/dlv_1", "GET,HEAD"),
    ("/v1/tenants", "GET,HEAD,POST"),
    ("/v1/keys", "GET,HEAD,POST"),
];

fn daemon() -> Shared {
    daemon::shared(&[])
}

/// Lists, in one order.
fn sorted(list: &str) -> Vec<&str> {
    let mut entries: Vec<&str> = list.split(',').map(str::trim).collect();
    entries.sort_unstable();
    entries
}

/// Headers but those that are new each time.
fn lasting(answer: &Response) -> HeaderMap {
    let mut headers = answer.headers.clone();
    headers.remove("date");
    headers.remove("x-request-id");
    headers
}

fn safe(answer: &Response) {
    for (name, value) in [
        ("x-content-type-options", Some("nosniff")),
        ("cache-control", Some("no-store")),
        ("content-security-policy", Some("default-src 'none'; frame-ancestors 'none'")),
        ("referrer-policy", Some("no-referrer")),
        ("server", None),
    ] {
        assert_eq!(answer.header(name), value, "{name} in {answer:?}");
        assert!(answer.headers.get_all(name).iter().count() <= 1, "{name} in {answer:?}");
    }
}

#[tokio::test]
async fn every_answer_says_that_it_is_data_for_one_client() {
    let daemon = daemon();
    let operator = daemon.operator();
    let event = json!({"event": "order.filled", "data": {"id": "ord_1"}}).to_string();
    for (status, call) in [
        (200, Call::get("/healthz")),
        (200, Call::get("/v1/events")),
        (202, Call::post("/v1/events", event)),
        (204, Call::new(Method::OPTIONS, "/v1/events")),
        (400, Call::post("/v1/events", "")),
        (401, Call::get("/v1/events").header("authorization", "Basic AAAA")),
        (404, Call::get("/nothing")),
        (405, Call::new(Method::PUT, "/v1/events")),
        (413, Call::post("/v1/webhooks", "x".repeat(70_000))),
        (414, Call::get(format!("/{}", "x".repeat(9_000)))),
        (415, Call::post("/v1/events", "{}").header("content-type", "text/plain")),
        (431, Call::get("/healthz").header("a", &"a".repeat(17_000))),
    ] {
        let answer = operator.send(call).await;
        assert_eq!(answer.status, status, "{answer:?}");
        safe(&answer);
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let daemon = daemon();
    let authorization = daemon.operator_key().header();
    for (path, methods) in ROUTES {
        let mut socket = Socket::open(&daemon).await;
        let rest =
            format!("{path} HTTP/1.1\r\nHost: hooks\r\nAuthorization: {authorization}\r\n\r\n");
        let get = socket.ask(format!("GET {rest}")).await;
        socket.send(format!("HEAD {rest}")).await;
        let head = socket.head().await;
        assert_eq!(head.status, get.status, "{path}");
        if methods.contains("GET") {
            assert_eq!(lasting(&head), lasting(&get), "{path}");
        }
        assert_eq!(socket.ask(format!("GET {rest}")).await.status, get.status, "after {path}");
    }
}

#[tokio::test]
async fn options_tells_the_methods_of_every_route_without_a_key() {
    let daemon = daemon();
    for (path, methods) in ROUTES {
        let answer = daemon.client(None).send(Call::new(Method::OPTIONS, path)).await;
        assert_eq!(answer.status, 204, "{path}: {answer:?}");
        assert_eq!(sorted(answer.header("allow").unwrap()), sorted(methods), "{path}");
        assert!(answer.body.is_empty(), "{path}: {answer:?}");
        let refused = daemon.operator().send(Call::new(Method::PUT, path)).await;
        assert_eq!(refused.must_be(405)["error"]["code"], "BLUM-405-001");
        assert_eq!(sorted(refused.header("allow").unwrap()), sorted(methods), "{path}");
    }
    let nothing = daemon.client(None).send(Call::new(Method::OPTIONS, "/v1/nothing")).await;
    assert_eq!(nothing.must_be(404)["error"]["code"], "BLUM-404-002");
}

#[tokio::test]
async fn a_slash_too_many_is_pointed_out() {
    let daemon = daemon();
    let operator = daemon.operator();
    for path in ["/v1/webhooks", "/v1/webhooks/event-types", "/v1/events/evt_1"] {
        let answer = operator.get(&format!("{path}/")).await.must_be(404);
        let message = format!("There is no route {path}/; did you mean {path}?");
        let error = json!({"type": "not_found_error", "code": "BLUM-404-002", "message": message});
        assert_eq!(answer, json!({ "error": error }));
    }
}

#[tokio::test]
async fn bodies_are_plain_json_in_utf_8() {
    let daemon = daemon();
    let operator = daemon.operator();
    let url = "http://127.0.0.1:9/in";
    let body = json!({"url": url, "eventTypeNames": ["order.*"]}).to_string();
    let webhook =
        |name: &str, value: &str| Call::post("/v1/webhooks", body.clone()).header(name, value);
    let form = "application/x-www-form-urlencoded";
    for fine in ["application/json", "application/json; charset=UTF-8", "application/x+json", form]
    {
        operator.send(webhook("content-type", fine)).await.must_be(201);
    }
    operator.send(webhook("content-encoding", "identity")).await.must_be(201);
    let of_a_browser = webhook("content-type", form).header("origin", "https://elsewhere.example");
    operator.send(of_a_browser).await.must_be(415);
    for (name, value, advice) in [
        ("content-type", "text/plain", "'Content-Type: application/json'"),
        ("content-type", "application/json; charset=latin1", "UTF-8"),
        ("content-encoding", "gzip", "without Content-Encoding"),
        ("content-encoding", "identity, gzip", "without Content-Encoding"),
    ] {
        let refused = operator.send(webhook(name, value)).await;
        let error = &refused.must_be(415)["error"];
        assert_eq!((&error["code"], &error["param"]), (&json!("BLUM-415-001"), &json!(name)));
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(advice), "{value}: {message}");
    }
    let mut doubled = webhook("content-encoding", "identity");
    doubled.headers.append("content-encoding", "gzip".parse().unwrap());
    operator.send(doubled).await.must_be(415);
    let mut untold = webhook("a", "b");
    untold.headers.remove("content-type");
    operator.send(untold).await.must_be(201);
}

#[tokio::test]
async fn who_is_refused_while_sending_hears_why() {
    const BODY: usize = 6 << 20;
    let daemon = daemon();
    let right = daemon.operator_key().header();
    for (path, authorization, status) in [
        ("/v1/events/batch", "Basic d3Jvbmc6a2V5", 401),
        ("/v1/events", &*right, 413),
        ("/v1/nowhere", &right, 404),
        ("/v1/webhooks", &right, 413),
    ] {
        for _ in 0..3 {
            let mut request = format!(
                "POST {path} HTTP/1.1\r\nHost: hooks\r\nAuthorization: {authorization}\r\n\
                 Content-Length: {BODY}\r\n\r\n"
            );
            request.push_str(&" ".repeat(BODY));
            let answer = Socket::open(&daemon).await.ask(request).await;
            assert_eq!(answer.status, status, "{path}");
        }
    }
}

#[tokio::test]
async fn who_asks_before_sending_a_body_is_told() {
    let daemon = daemon();
    let body = json!({"event": "order.filled", "data": {"id": "ord_1"}}).to_string();
    let head = |length| {
        let authorization = daemon.operator_key().header();
        format!(
            "POST /v1/events HTTP/1.1\r\nHost: hooks\r\nAuthorization: {authorization}\r\n\
             Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let mut socket = Socket::open(&daemon).await;
    assert_eq!(socket.ask(head(body.len())).await.status, 100);
    socket.ask(body).await.must_be(202);

    let mut socket = Socket::open(&daemon).await;
    let refused = socket.ask(head(10_000_000)).await;
    assert_eq!(refused.must_be(413)["error"]["code"], "BLUM-400-008");
}

/// Each gets an answer that blames the client, or what it asked for; none an error of ours.
#[tokio::test]
async fn strange_requests() {
    let daemon = daemon();
    let key = format!("Authorization: {}\r\n", daemon.operator_key().header());
    let event = r#"{"event":"order.filled","data":{"id":"ord_1"}}"#;
    let chunked = format!("{:x}\r\n{event}\r\n0\r\n\r\n", event.len());
    let post = |headers: &str, body: &str| {
        format!("POST /v1/events HTTP/1.1\r\nHost: a\r\n{key}{headers}\r\n\r\n{body}")
    };
    let te = "Transfer-Encoding";
    for (name, status, request) in [
        ("chunked", 202, post(&format!("{te}: chunked"), &chunked)),
        ("length and chunks", 202, post(&format!("Content-Length: 3\r\n{te}: chunked"), &chunked)),
        ("two lengths", 400, post("Content-Length: 3\r\nContent-Length: 4", "abcd")),
        ("a negative length", 400, post("Content-Length: -1", "")),
        ("no such chunks", 400, post(&format!("{te}: chunked"), "zz\r\nabc\r\n0\r\n\r\n")),
        ("coded, not chunked", 400, post(&format!("{te}: gzip"), event)),
        ("no host", 400, "GET /healthz HTTP/1.1\r\n\r\n".into()),
        ("two hosts", 400, "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".into()),
        ("a whole URL", 200, "GET http://b/healthz HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        ("HTTP/1.0", 200, "GET /healthz HTTP/1.0\r\n\r\n".into()),
        ("HTTP/0.9", 400, "GET /healthz\r\n\r\n".into()),
        ("HTTP/3", 400, "GET /healthz HTTP/3.0\r\n\r\n".into()),
        ("a star", 404, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        ("a tunnel", 404, "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n".into()),
        ("a new method", 405, "BREW /healthz HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        ("no path", 400, "GET  HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        ("a space too many", 400, "GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n".into()),
        ("a folded header", 400, "GET /healthz HTTP/1.1\r\nHost: a\r\n b\r\n\r\n".into()),
        ("bare line ends", 200, "GET /healthz HTTP/1.1\nHost: a\n\n".into()),
        ("a zero", 400, "GET /healthz HTTP/1.1\r\nHost: a\r\nB: \0\r\n\r\n".into()),
        ("dots", 404, "GET /v1/../healthz HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        ("half an escape", 404, "GET /v1/%zz HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        ("no UTF-8", 404, format!("GET /v1/events/%ff HTTP/1.1\r\nHost: a\r\n{key}\r\n")),
        ("TLS", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03".into()),
    ] {
        let mut socket = Socket::open(&daemon).await;
        println!("{name}");
        let answer = socket.ask(request).await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
    }
    let mut socket = Socket::open(&daemon).await;
    socket.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    socket.until_closed().await;
}

#[tokio::test]
async fn connections_end_when_the_client_says_so_and_not_before() {
    let daemon = daemon();
    let get = |version, headers| format!("GET /healthz HTTP/{version}\r\nHost: a\r\n{headers}\r\n");
    let mut socket = Socket::open(&daemon).await;
    let pipelined: String = (0..20).map(|_| get("1.1", "")).collect();
    socket.send(pipelined + &get("1.1", "Connection: close\r\n")).await;
    for _ in 0..21 {
        socket.answer().await.must_be(200);
    }
    socket.until_closed().await;

    let mut old = Socket::open(&daemon).await;
    old.ask(get("1.0", "Connection: keep-alive\r\n")).await.must_be(200);
    old.ask(get("1.0", "")).await.must_be(200);
    old.until_closed().await;
}

/// `OPTIONS` and `HEAD` do nothing: a webhook is not made by looking.
#[tokio::test]
async fn only_the_methods_that_change_something_do() {
    let daemon = daemon();
    let operator = daemon.operator();
    let name = json!({"name": "made by looking"}).to_string();
    for method in [Method::OPTIONS, Method::HEAD, Method::PUT, Method::GET] {
        operator.send(Call::new(method, "/v1/tenants").body(name.clone())).await;
    }
    let tenants = operator.list("/v1/tenants").await;
    let is_made = |tenant: &Value| tenant["name"] == "made by looking";
    assert!(!tenants.iter().any(is_made), "{tenants:?}");
}
