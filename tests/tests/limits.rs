//! What the daemon takes of a client, and what it answers to more: each limit over a real socket.

use std::time::Duration;

use bluum_hooks_dispatcher::config::SETTINGS;
use bluum_hooks_tests::client::{Call, Client, Credentials, Response};
use bluum_hooks_tests::daemon::Daemon;
use bluum_hooks_tests::partner::Partner;
use bluum_hooks_tests::socket::Socket;
use bluum_hooks_tests::{binary, wait};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// How often a body drips.
const INTERVAL: Duration = Duration::from_millis(50);

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: hooks\r\n\r\n";

/// Begins to publish, and says how long the body will be.
fn publishing(by: &Credentials, length: usize) -> String {
    let authorization = by.header();
    format!(
        "POST /v1/events HTTP/1.1\r\nHost: hooks\r\nAuthorization: {authorization}\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

fn error<'a>(answer: &Response, body: &'a Value) -> (u16, &'a str, &'a str) {
    let error = &body["error"];
    let text = |name: &str| error[name].as_str().unwrap_or_default();
    (answer.status.as_u16(), text("code"), text("message"))
}

#[tokio::test]
async fn sizes() {
    let options = ["--max-header-bytes", "1024", "--max-target-bytes", "300"];
    let more = ["--max-query-parameters", "8", "--max-offset", "1000"];
    let batches = ["--max-batch-events", "3", "--max-batch-bytes", "65536"];
    let daemon = Daemon::start_with(&[&options[..], &more, &batches].concat());
    let operator = daemon.operator();
    let long = |count| "x".repeat(count);
    let event = json!({"event": "order.filled", "data": {"id": "ord_1"}});
    let batch = |count| Call::post("/v1/events/batch", json!(vec![&event; count]).to_string());
    let padded = |path, count| Call::post(path, long(count));
    for (what, call, status, code) in [
        ("a target", Call::get(format!("/v1/{}", long(296))), 404, "BLUM-404-002"),
        ("longer", Call::get(format!("/v1/{}", long(297))), 414, "BLUM-414-001"),
        ("a query counts", Call::get(format!("/v1/events?{}", long(300))), 414, "BLUM-414-001"),
        ("headers", Call::get("/healthz").header("a", &long(700)), 200, ""),
        ("longer", Call::get("/healthz").header("a", &long(1_024)), 431, "BLUM-431-001"),
        ("parameters", Call::get("/v1/events?a&b&c&d&e&f&g&h"), 400, "BLUM-400-001"),
        ("an offset", Call::get("/v1/events?offset=1000"), 200, ""),
        ("larger", Call::get("/v1/events?offset=1001"), 400, "BLUM-400-001"),
        ("a batch", batch(3), 202, ""),
        ("longer", batch(4), 400, "BLUM-400-001"),
        ("larger", padded("/v1/events/batch", 65_537), 413, "BLUM-400-008"),
        ("an event", padded("/v1/events", 262_145), 413, "BLUM-400-008"),
        ("far larger", padded("/v1/events", 900_000), 413, "BLUM-400-008"),
        ("a webhook", padded("/v1/webhooks", 65_537), 413, "BLUM-400-008"),
    ] {
        let answer = operator.send(call).await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        let (told, its_code, _) = error(&answer, &body);
        assert_eq!((told, its_code), (status, code), "{what}: {answer:?}");
    }
    let skipping = operator.get("/v1/events?offset=1001").await.must_be(400);
    assert_eq!(skipping["error"]["param"], "offset");
    let advice = skipping["error"]["message"].as_str().unwrap();
    assert!(advice.contains("1000") && advice.contains("starting_after"), "{advice}");
    let many = operator.get("/v1/events?a&b&c&d&e&f&g&h&i").await.must_be(400);
    assert_eq!(many["error"]["message"], "A query may have 8 parameters, this has more.");
}

/// Beyond what we take there is what the library takes: it refuses too, though in fewer words.
#[tokio::test]
async fn far_beyond_all_limits_the_answer_is_short() {
    let daemon = Daemon::start();
    let header = |size| format!("A: {}\r\n", "a".repeat(size));
    let many = "a: b\r\n".repeat(101);
    for (target, headers, status, has_body) in [
        ("/healthz".to_owned(), header(30_000), 431, true),
        ("/healthz".to_owned(), header(300_000), 431, false),
        ("/healthz".to_owned(), many, 431, false),
        (format!("/{}", "x".repeat(60_000)), String::new(), 414, true),
    ] {
        let mut socket = Socket::open(&daemon).await;
        let request = format!("GET {target} HTTP/1.1\r\nHost: hooks\r\n{headers}\r\n");
        let answer = socket.ask(request).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(!answer.body.is_empty(), has_body, "{answer:?}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let daemon = Daemon::start_with(&["--body-timeout", "1s"]);
    let mut socket = Socket::open(&daemon).await;
    let answer = socket.ask(publishing(daemon.operator_key(), 100) + "{\"event\":").await;
    let body = answer.must_be(408);
    let message = "The body did not arrive within 1 s; send it again.";
    assert_eq!(error(&answer, &body), (408, "BLUM-408-001", message));
    assert_eq!(answer.header("connection"), Some("close"));
    socket.until_closed().await;
}

/// The deadline is for the whole: a byte now and then does not move it.
#[tokio::test]
async fn a_body_that_drips_is_not_waited_for() {
    let daemon = Daemon::start_with(&["--body-timeout", "1s"]);
    let mut socket = Socket::open(&daemon).await;
    socket.send(publishing(daemon.operator_key(), 1_000_000)).await;
    let dripping = async {
        loop {
            socket.send(" ").await;
            if let Some(answer) = wait::within(INTERVAL, socket.answer()).await {
                return answer;
            }
        }
    };
    let answer = wait::within(wait::DEADLINE, dripping).await.unwrap();
    assert_eq!(answer.must_be(408)["error"]["code"], "BLUM-408-001");
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let daemon = Daemon::start_with(&["--head-timeout", "1s"]);
    let mut silent = Socket::open(&daemon).await;
    let mut half = Socket::open(&daemon).await;
    half.send("GET /healthz HTTP/1.1\r\nHost: ho").await;
    let mut idle = Socket::open(&daemon).await;
    idle.ask(HEALTH).await.must_be(200);
    for socket in [&mut silent, &mut half, &mut idle] {
        socket.until_closed().await;
    }
}

async fn until_there_is_a_place(daemon: &Daemon) {
    wait::until("a place", async || {
        let answer = daemon.operator().try_send(Call::get("/v1/webhooks")).await?;
        if answer.status == 200 { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_connection_too_many_is_told_so_and_places_come_free() {
    let daemon = Daemon::start_with(&["--max-connections", "3"]);
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut socket = Socket::open(&daemon).await;
        socket.ask(HEALTH).await.must_be(200);
        held.push(socket);
    }
    let list = format!(
        "GET /v1/webhooks HTTP/1.1\r\nHost: hooks\r\nAuthorization: {}\r\n\r\n",
        daemon.operator_key().header()
    );
    let mut refused = Socket::open(&daemon).await;
    let answer = refused.ask(&list).await;
    let body = answer.must_be(503);
    let message = "All connections are in use; see Retry-After.";
    assert_eq!(error(&answer, &body), (503, "BLUM-503-001", message));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(answer.header("x-request-id").is_some_and(|id| id.starts_with("req_")));
    refused.until_closed().await;
    Socket::open(&daemon).await.ask(HEALTH).await.must_be(200);

    // Many that say nothing keep nobody from the places there are, nor these from their answers.
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(Socket::open(&daemon).await);
    }
    for socket in &mut held {
        socket.ask(&list).await.must_be(200);
    }
    held.pop();
    drop(silent);
    until_there_is_a_place(&daemon).await;
}

/// Slow loris: heads that never end hold all places, until their time is over.
#[tokio::test]
async fn half_heads_do_not_hold_places_for_ever() {
    let daemon = Daemon::start_with(&["--max-connections", "3", "--head-timeout", "2s"]);
    let mut lorises = Vec::new();
    for _ in 0..3 {
        let mut socket = Socket::open(&daemon).await;
        socket.send("GET /healthz HTTP/1.1\r\nX-Slow: ").await;
        lorises.push(socket);
    }
    let operator = daemon.operator();
    operator.get("/v1/webhooks").await.must_be(503);
    until_there_is_a_place(&daemon).await;
}

/// Answers larger than all buffers on the way, and a client that reads none of them.
#[tokio::test]
async fn an_answer_that_nobody_reads_is_not_kept() {
    let daemon = Daemon::start_with(&["--max-connections", "1", "--answer-timeout", "1s"]);
    let data = json!({"id": "ord_1", "note": "x".repeat(250_000)});
    let batch = json!(vec![json!({"event": "order.filled", "data": data}); 5]).to_string();
    daemon.operator().send(Call::post("/v1/events/batch", batch)).await.must_be(202);
    let authorization = daemon.operator_key().header();
    let list = |limit| {
        let host = "Host: hooks";
        let target = format!("/v1/events?limit={limit}");
        format!("GET {target} HTTP/1.1\r\n{host}\r\nAuthorization: {authorization}\r\n\r\n")
    };
    let mut socket = wait::until("a place", async || {
        let mut socket = Socket::open(&daemon).await;
        let status = socket.ask(list(1)).await.status;
        if status == 200 { Ok(socket) } else { Err(status) }
    })
    .await;
    const ASKED: usize = 30;
    socket.send(list(5).repeat(ASKED)).await;
    until_there_is_a_place(&daemon).await;
    let head = socket.head().await;
    let each: usize = head.header("content-length").unwrap().parse().unwrap();
    let came = socket.rest().await.len();
    assert!(each > 900_000 && came < ASKED * each, "{came} of {ASKED} times {each} bytes");
}

/// The command line waits, as `Retry-After` says.
#[tokio::test]
async fn the_command_line_comes_back_when_there_is_a_place() {
    let daemon = Daemon::start_with(&["--max-connections", "1", "--head-timeout", "1s"]);
    let mut held = Socket::open(&daemon).await;
    held.ask(HEALTH).await.must_be(200);
    daemon.run(&["webhooks", "list"]).must_exit(0);
}

/// How many of `tries` requests at the same moment get this status.
async fn at_once(client: &Client, call: Call, tries: usize) -> Vec<u16> {
    let mut asking = JoinSet::new();
    for _ in 0..tries {
        let (client, call) = (client.clone(), call.clone());
        asking.spawn(async move { client.send(call).await.status.as_u16() });
    }
    let mut told = asking.join_all().await;
    told.sort_unstable();
    told
}

#[tokio::test]
async fn a_tenant_has_so_many_webhooks_and_keys_and_no_more() {
    let daemon = Daemon::start_with(&["--max-webhooks", "2", "--max-keys", "3"]);
    let partner = Partner::join(&daemon).await;
    let webhook = json!({"url": "http://127.0.0.1:9/in", "eventTypeNames": ["order.*"]});
    let webhook = Call::post("/v1/webhooks", webhook.to_string());
    assert_eq!(at_once(&partner.api, webhook.clone(), 5).await, [201, 201, 409, 409, 409]);
    let refused = partner.api.send(webhook.clone()).await;
    let body = refused.must_be(409);
    let message = "A tenant may have 2 webhooks in each mode; delete one, or ask the operator to \
                   raise max_webhooks.";
    assert_eq!(error(&refused, &body), (409, "BLUM-409-003", message));
    let other = Partner::join(&daemon).await;
    other.api.send(webhook.clone()).await.must_be(201);
    let one = partner.api.list("/v1/webhooks").await[0]["id"].clone();
    partner.api.delete(&format!("/v1/webhooks/{}", one.as_str().unwrap())).await.must_be(200);
    partner.api.send(webhook).await.must_be(201);

    let key = |live: bool| {
        let key = json!({"role": "tenant", "tenant": partner.tenant, "livemode": live});
        Call::post("/v1/keys", key.to_string())
    };
    assert_eq!(at_once(&partner.operator, key(false), 4).await, [201, 201, 409, 409]);
    let refused = partner.operator.send(key(false)).await;
    let body = refused.must_be(409);
    let message = "A tenant may have 3 keys in each mode; revoke one, or raise max_keys.";
    assert_eq!(error(&refused, &body), (409, "BLUM-409-003", message));
    partner.operator.send(key(true)).await.must_be(201);
}

#[test]
fn every_setting_is_in_the_help_and_every_limit_in_the_readme() {
    let help = binary::run(&["serve", "--help"]).must_exit(0).stdout;
    let readme = std::fs::read_to_string(binary::workspace().join("README.md")).unwrap();
    for setting in SETTINGS {
        let flag = format!("--{}", setting.replace('_', "-"));
        assert!(help.contains(&format!("{flag} <")), "{flag} is not in `serve --help`");
        let is_limit = setting.starts_with("rate_") || setting.starts_with("max_");
        let is_limit = is_limit || setting.ends_with("_timeout");
        assert!(!is_limit || readme.contains(&format!("`{flag}`")), "{flag} is not in README.md");
    }
}
