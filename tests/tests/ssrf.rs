//! Where deliveries may not go, shown by listeners at which nobody arrives.
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use bluum_hooks_dispatcher::transport::http::HttpTransport;
use bluum_hooks_dispatcher::transport::{
    Request, Resolve, SendError, TargetError, Targets, Transport, Unresolved,
};
use bluum_hooks_tests::client::text;
use bluum_hooks_tests::clockwork::Clockwork;
use bluum_hooks_tests::daemon::Daemon;
use bluum_hooks_tests::partner::Partner;
use bluum_hooks_tests::sink::{Answer, Sink};
use bluum_hooks_tests::trap::Trap;
use bluum_hooks_tests::wait;
use bytes::Bytes;
use serde_json::json;

/// Ways to write this machine, or one beside it, that need no name server.
const WRITTEN: [&str; 62] = [
    "127.0.0.1",
    "127.0.0.2",
    "127.1.2.3",
    "127.255.255.254",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0X7F000001",
    "0x7f.1",
    "0x7f.0x0.0x0.0x1",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.01",
    "00000177.1",
    "127.0x0.00.1",
    "0",
    "0.0.0.0",
    "0x0",
    "localhost",
    "LocalHost",
    "localhost.",
    "localhost..",
    "app.localhost",
    "a.b.localhost.",
    "ｌｏｃａｌｈｏｓｔ",
    "local\u{ad}host",
    "loc%61lhost",
    "localhost。",
    "①②⑦.⓪.⓪.①",
    "１２７.０.０.１",
    "𝟏𝟐𝟕.𝟎.𝟎.𝟏",
    "127。0。0。1",
    "127．0．0．1",
    "127｡0｡0｡1",
    "%31%32%37.0.0.1",
    "127.0\t.0.\n1",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::ffff:0.0.0.0]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::127.0.0.1]",
    "[2002:7f00:1::1]",
    "[2001:0:7f00:1::1]",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[::1%25lo]",
    "[::1%lo]",
    "user@127.0.0.1",
    "partner.example@127.0.0.1",
    "user:password@partner.example",
    "127.0.0.1:80@partner.example",
    "partner.example:80#@127.0.0.1",
    "256.256.256.256",
    "127.0.0.1 partner.example",
];

/// Names that look like others; here every name server says that they are this machine.
const NAMES: [&str; 10] = [
    "partner.example",
    "partner.example.",
    "127.0.0.1.partner.example",
    "127-0-0-1.partner.example",
    "localhost.partner.example",
    "notlocalhost",
    "localhost.localdomain",
    "ip6-loopback",
    "xn--bcher-kva.example",
    "metadata.internal",
];

/// The first and the last address of every range that the IANA special-purpose registries call not
/// globally reachable, and of multicast.
const RANGES: [(&str, &str); 34] = [
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "239.255.255.255"),
    ("240.0.0.0", "255.255.255.255"),
    ("::", "::1"),
    ("::2", "::ffff:ffff"),
    ("::ffff:0.0.0.0", "::ffff:255.255.255.255"),
    ("::ffff:10.0.0.0", "::ffff:10.255.255.255"),
    ("64:ff9b::10.0.0.0", "64:ff9b::10.255.255.255"),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
    ("100::", "100::ffff:ffff:ffff:ffff"),
    ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff"),
    ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002:a00::", "2002:aff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
];

/// Answers in turn, the last one for ever, whatever the name.
#[derive(Debug)]
struct Script(Mutex<Vec<Vec<IpAddr>>>);

impl Script {
    fn new(answers: &[&[&str]]) -> Self {
        let parse = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        Self(Mutex::new(answers.iter().map(parse).collect()))
    }
}

#[async_trait::async_trait]
impl Resolve for Script {
    async fn resolve(&self, _: &str) -> Result<Vec<IpAddr>, Unresolved> {
        let mut answers = self.0.lock().unwrap();
        if answers.len() > 1 { Ok(answers.remove(0)) } else { Ok(answers[0].clone()) }
    }
}

/// The transport of the daemon, for which every name has these addresses.
fn transport(answers: &[&[&str]], allowed: &[&str]) -> HttpTransport {
    let allowed = allowed.iter().map(|range| range.parse().unwrap()).collect();
    HttpTransport::with_resolver(Targets::new(allowed), Script::new(answers)).unwrap()
}

async fn send(transport: &HttpTransport, url: String) -> Result<u16, SendError> {
    let (headers, body) = (http::HeaderMap::new(), Bytes::from_static(b"{}"));
    let request = Request { url, headers, body, timeout: Duration::from_secs(10) };
    transport.send(request).await.map(|answer| answer.status)
}

fn trap() -> Trap {
    Trap::set(&["127.0.0.1", "127.0.0.2", "127.1.2.3", "127.255.255.254", "::1"])
}

#[tokio::test]
async fn nothing_that_is_not_public_is_connected_to() {
    let trap = trap();
    let port = trap.port();
    let here = transport(&[&["127.0.0.1"]], &[]);
    for scheme in ["http", "https"] {
        for host in WRITTEN.iter().chain(&NAMES) {
            let outcome = send(&here, format!("{scheme}://{host}:{port}/in")).await;
            assert!(matches!(outcome, Err(SendError::Target(_))), "{host}: {outcome:?}");
            assert_eq!(trap.caught(), 0, "{host} was connected to");
        }
    }
    for url in
        ["http:127.0.0.1", "http:\\\\127.0.0.1", "http:///127.0.0.1", "\u{1}http://127.0.0.1"]
    {
        let outcome = send(&here, format!("{url}:{port}/")).await;
        assert!(matches!(outcome, Err(SendError::Target(_))), "{url}: {outcome:?}");
    }
    assert_eq!(trap.caught(), 0);

    // The same trap, the same names, and an open gate.
    let open = transport(&[&["127.0.0.1"]], &["127.0.0.0/8"]);
    for host in ["127.0.0.1", "0x7f.1", "①②⑦.⓪.⓪.①", "localhost", "partner.example"] {
        let sent = tokio::spawn({
            let (open, url) = (open.clone(), format!("http://{host}:{port}/"));
            async move { send(&open, url).await }
        });
        wait::until("a connection", async || if trap.caught() == 1 { Ok(()) } else { Err(host) })
            .await;
        sent.abort();
    }
}

#[tokio::test]
async fn no_range_that_is_not_global_is_connected_to() {
    for (first, last) in RANGES {
        for address in [first, last] {
            let ip: IpAddr = address.parse().unwrap();
            let host = if ip.is_ipv6() { format!("[{ip}]") } else { address.to_owned() };
            let literal = transport(&[&[]], &[]);
            let named = transport(&[&[address]], &[]);
            for outcome in [
                send(&literal, format!("http://{host}/")).await,
                send(&named, "http://partner.example/".into()).await,
            ] {
                let refused = matches!(outcome, Err(SendError::Target(TargetError::NotPublic(_))));
                assert!(refused, "{address}: {outcome:?}");
            }
        }
    }
}

#[tokio::test]
async fn one_private_answer_refuses_the_name() {
    let trap = trap();
    let url = || format!("http://partner.example:{}/", trap.port());
    for answer in [
        &["127.0.0.1"][..],
        &["::1", "127.0.0.1"],
        &["198.41.0.4", "127.0.0.1"],
        &["127.0.0.1", "198.41.0.4"],
        &["198.41.0.4", "::ffff:127.0.0.1", "2606:4700::1111"],
    ] {
        let outcome = send(&transport(&[answer], &[]), url()).await;
        let error = outcome.expect_err("refused").to_string();
        assert!(error.contains("what partner.example resolves to"), "{answer:?}: {error}");
        assert!(error.contains("is not a public address"), "{answer:?}: {error}");
    }
    assert_eq!(trap.caught(), 0);
}

/// DNS rebinding: the name was fine when the webhook was set, and for the first attempt.
#[tokio::test]
async fn a_name_that_changes_its_answer_is_refused_and_tried_again_on_schedule() {
    let trap = Trap::set(&["127.0.0.1", "::1"]);
    let sink = Sink::start(|_| Answer::status(500).header("connection", "close")).await;
    let port = sink.url("").rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let transport =
        transport(&[&["127.0.0.1"], &["127.0.0.1", "::1"], &["10.1.2.3"]], &["127.0.0.1/32"]);
    let url = format!("http://partner.example:{port}/in");
    let engine = Clockwork::start(transport, &url).await;
    engine.publish().await;
    engine.until_attempts(1).await;
    sink.until_count(1).await;

    for (attempt, address) in [(2, "::1"), (3, "10.1.2.3")] {
        let wait = engine.wait_ahead().await.expect("a next attempt");
        let documented = Duration::from_mins([0, 0, 1, 5][attempt]);
        assert!(wait >= documented.mul_f64(0.8) && wait <= documented.mul_f64(1.2), "{wait:?}");
        engine.pass(wait).await;
        let (delivery, attempts) = engine.until_attempts(attempt).await;
        assert_eq!(usize::try_from(delivery.progress.failures).unwrap(), attempt);
        let error = attempts[attempt - 1].attempt.error.clone().unwrap_or_default();
        let expected = "what partner.example resolves to is not a public address";
        assert!(error.starts_with(expected), "{error}");
        assert!(!error.contains(address), "our name servers' answers are not told: {error}");
        assert!(error.contains("--allow-target"), "it says what can be done: {error}");
    }
    sink.until_count(1).await;
    assert_eq!(trap.caught(), 0);
}

#[tokio::test]
async fn the_daemon_takes_no_webhook_that_points_inside() {
    let (trap, daemon) = (trap(), Daemon::start_as(&[], &[]));
    let tenant = daemon.tenant();
    for host in WRITTEN {
        let url = format!("http://{host}:{}/in", trap.port());
        let webhook = json!({"url": url, "eventTypeNames": ["order.*"]});
        let answer = tenant.post("/v1/webhooks", &webhook).await;
        let error = &answer.must_be(400)["error"];
        assert_eq!((text(error, "code"), text(error, "param")), ("BLUM-400-003", "url"), "{host}");
    }
    assert_eq!(tenant.list("/v1/webhooks").await.len(), 0);
    assert_eq!(trap.caught(), 0);
}

/// The webhooks were set when the range was open.
#[tokio::test]
async fn a_target_that_is_no_longer_allowed_is_a_failed_attempt() {
    let (trap, mut daemon) = (trap(), Daemon::start());
    let partner = Partner::join(&daemon).await;
    let mut webhooks = Vec::new();
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{}/in", trap.port());
        webhooks.push(partner.subscribe(&url, &["order.*"]).await);
    }
    daemon.restart_as(&[]);
    let partner = Partner { operator: daemon.operator(), ..partner };
    let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    for webhook in webhooks {
        let what = "an attempt to be recorded";
        let delivery = wait::until(what, async || {
            let delivery = partner.deliveries(&webhook).await.remove(0);
            if delivery["attempt_count"] == 1 { Ok(delivery) } else { Err(delivery) }
        })
        .await;
        assert_eq!((text(&delivery, "status"), &delivery["failures"]), ("waiting", &json!(1)));
        let delivery = partner.until_delivery(&webhook, &event, "waiting").await;
        let error = text(&delivery["attempts"][0], "error");
        assert!(error.contains("is not a public address"), "{delivery}");
    }
    assert_eq!(trap.caught(), 0);
}

/// Even where the target of the redirect would be allowed.
#[tokio::test]
async fn a_redirect_is_followed_nowhere() {
    let (trap, daemon) = (trap(), Daemon::start_with(&["--retry-schedule", "1s"]));
    let partner = Partner::join(&daemon).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("http://127.0.0.1:{}/", trap.port());
        let sink = Sink::start(move |_| Answer::status(status).header("location", &location)).await;
        let webhook = partner.subscribe(&sink.url("/in"), &["order.*"]).await;
        let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
        let delivery = partner.until_delivery(&webhook, &event, "parked").await;
        let error = text(&delivery["attempts"][0], "error");
        assert_eq!(error, format!("answered {status}; redirects are not followed"));
        assert_eq!(delivery["attempts"][1]["status"], status);
        partner.api.delete(&format!("/v1/webhooks/{}", webhook.id)).await;
    }
    assert_eq!(trap.caught(), 0);
}

#[tokio::test]
async fn proxies_of_the_environment_are_ignored() {
    let (trap, sink) = (Trap::set(&["127.0.0.1"]), Sink::always(200).await);
    let proxy = format!("http://{}", trap.address());
    let names =
        ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    let variables: Vec<_> = names.iter().map(|name| (*name, proxy.as_str())).collect();
    let daemon = Daemon::start_as(&["--allow-target", "127.0.0.0/8"], &variables);
    let partner = Partner::join(&daemon).await;
    for url in [sink.url("/in"), sink.url("/in").replace("http:", "https:")] {
        let webhook = json!({
            "url": url, "eventTypeNames": ["order.*"], "timeout_seconds": 1, "retry_schedule": [],
        });
        let webhook = partner.subscribe_as(&webhook).await;
        let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
        let direct = if url.starts_with("https") { "parked" } else { "delivered" };
        partner.until_delivery(&webhook, &event, direct).await;
    }
    assert_eq!(trap.caught(), 0);
}
