//! From a publisher to a partner's server: what arrives, what is tried again, what is given up.
#![expect(clippy::expect_used, reason = "a helper of tests stops where it cannot go on")]

use std::time::Duration;

use bluum_hooks_receiver::Verifier;
use bluum_hooks_tests::client::text;
use bluum_hooks_tests::daemon::{self, Shared};
use bluum_hooks_tests::partner::{Partner, Webhook, first_about};
use bluum_hooks_tests::sink::{self, Answer, Request, Sink};
use http::Method;
use serde_json::{Value, json};
use standardwebhooks::Webhook as Independent;

/// Two retries, after about one and two seconds.
const SCHEDULE: [&str; 2] = ["--retry-schedule", "1s,2s"];

/// Numbers and letters that a careless re-encoding changes.
const WEIRD: &str = concat!(
    r#"{"id":"ord_weird","object":"order","large":1e30,"scale":12.750,"#,
    r#""digits":12345678901234567890,"tiny":-0.0,"price":"0.10","#,
    r#""name":"Zoë Übersee 株式 🚀","escaped":"\u00e9\n\/","empty":{}}"#
);

fn daemon() -> Shared {
    daemon::shared(&SCHEDULE)
}

/// A partner with one webhook on `order.*` that points at the sink.
async fn partner_of(daemon: &Shared, sink: &Sink) -> (Partner, Webhook) {
    let partner = Partner::join(daemon).await;
    let webhook = partner.subscribe(&sink.url("/in"), &["order.*"]).await;
    (partner, webhook)
}

/// The attempts of a delivery as (number, status), in order.
fn attempts(delivery: &Value) -> Vec<(u64, Option<u64>)> {
    let attempts = delivery["attempts"].as_array().expect("attempts");
    let mut attempts: Vec<_> = attempts
        .iter()
        .map(|attempt| (attempt["number"].as_u64().expect("number"), attempt["status"].as_u64()))
        .collect();
    attempts.sort_unstable();
    attempts
}

#[tokio::test]
async fn an_event_arrives_signed_and_with_its_headers() {
    let (daemon, sink) = (daemon(), Sink::always(200).await);
    let (partner, webhook) = partner_of(&daemon, &sink).await;
    let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    let request = first_about(&sink, &event).await;

    assert_eq!((&request.method, request.path.as_str()), (&Method::POST, "/in"));
    assert_eq!((request.sequence(), request.attempt()), (1, 1));
    assert_eq!(request.header("content-type"), "application/json");
    assert!(request.header("user-agent").starts_with("Bluum-Hooks/"), "{request:?}");
    assert!(request.header("webhook-signature").starts_with("v1,"), "{request:?}");
    let trace: Vec<usize> = request.header("traceparent").split('-').map(str::len).collect();
    assert_eq!(trace, [2, 32, 16, 2], "traceparent of {request:?}");
    Independent::new(&webhook.secret).unwrap().verify(&request.body, &request.headers).unwrap();

    let ours = Verifier::parse(&webhook.secret).unwrap();
    let now = bluum_hooks_receiver::now();
    let verified = ours.verify(&request.headers, &request.body[..], now).unwrap();
    assert_eq!(verified.id(), event);
    assert_eq!(verified.event().unwrap().raw_data(), r#"{"id":"ord_1"}"#);

    let stranger = partner.subscribe(&sink.url("/other"), &["order.*"]).await;
    let other_secret = Independent::new(&stranger.secret).unwrap();
    assert!(other_secret.verify(&request.body, &request.headers).is_err());
}

#[tokio::test]
async fn the_body_is_the_event_byte_for_byte() {
    let (daemon, sink) = (daemon(), Sink::always(200).await);
    let (partner, _) = partner_of(&daemon, &sink).await;
    let accepted = partner.publish_text("order.filled", WEIRD).await;
    let event = accepted.must_be(202);
    let request = first_about(&sink, text(&event, "id")).await;

    let read = partner.operator.get(&format!("/v1/events/{}", text(&event, "id"))).await;
    assert_eq!(request.body, read.body, "the body differs from GET /v1/events/{{id}}");
    assert_eq!(request.body, accepted.body, "the body differs from the answer to POST");
    let body = std::str::from_utf8(&request.body).unwrap();
    assert!(body.contains(WEIRD), "the data was written anew: {body}");

    let keys: Vec<&String> = event.as_object().unwrap().keys().collect();
    let mut expected =
        ["id", "object", "created", "livemode", "event", "timestamp", "investor_id", "data"];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!((&event["object"], &event["livemode"]), (&json!("event"), &json!(false)));
}

#[tokio::test]
async fn only_subscribed_events_come_and_aliases_are_one() {
    let (daemon, sink) = (daemon(), Sink::always(200).await);
    let partner = Partner::join(&daemon).await;
    let webhook = partner.subscribe(&sink.url("/"), &["deposit.completed"]).await;
    partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    partner.publish("transfer.deposit.failed", &json!({"id": "dep_1"})).await;
    let alias = partner.publish("transfer.deposit.completed", &json!({"id": "dep_2"})).await;

    let request = first_about(&sink, &alias).await;
    assert_eq!(request.event(), "transfer.deposit.completed", "the published name is kept");
    assert_eq!(request.sequence(), 1, "events it did not subscribe to have no number");
    let deliveries = partner.deliveries(&webhook).await;
    assert_eq!(deliveries.len(), 1, "{deliveries:?}");
    sink.until_count(1).await;
}

#[tokio::test]
async fn any_2xx_is_success() {
    for status in [200, 201, 204, 299] {
        let (daemon, sink) = (daemon(), Sink::always(status).await);
        let (partner, webhook) = partner_of(&daemon, &sink).await;
        let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
        let delivery = partner.until_delivery(&webhook, &event, "delivered").await;
        assert_eq!(attempts(&delivery), [(1, Some(status.into()))]);
        assert_eq!((&delivery["failures"], &delivery["reason"]), (&json!(0), &Value::Null));
        assert!(delivery["finished_at"].is_string(), "{delivery}");
        assert!(delivery["next_attempt_at"].is_null(), "{delivery}");
    }
}

#[tokio::test]
async fn failures_are_retried_on_schedule_and_then_parked() {
    let (daemon, sink) = (daemon(), Sink::in_turn(&[500, 404]).await);
    let (partner, webhook) = partner_of(&daemon, &sink).await;
    let event = partner.publish("order.rejected", &json!({"id": "ord_1"})).await;
    let delivery = partner.until_delivery(&webhook, &event, "parked").await;

    assert_eq!(delivery["reason"], "exhausted", "{delivery}");
    assert_eq!((&delivery["failures"], &delivery["attempt_count"]), (&json!(3), &json!(3)));
    assert_eq!(attempts(&delivery), [(1, Some(500)), (2, Some(404)), (3, Some(404))]);
    for attempt in delivery["attempts"].as_array().unwrap() {
        assert!(text(attempt, "id").starts_with("att_"), "{attempt}");
        assert!(attempt["duration_ms"].is_u64() && attempt["started_at"].is_string(), "{attempt}");
        assert!(text(attempt, "response_body").starts_with("the sink says"), "{attempt}");
    }
    let requests = sink.until_count(3).await;
    let tries: Vec<u64> = requests.iter().map(Request::attempt).collect();
    assert_eq!(tries, [1, 2, 3]);
    assert!(requests.iter().all(|request| request.body == requests[0].body));
    assert!(requests.iter().all(|request| request.sequence() == 1));
    // The schedule, give or take a fifth of jitter and what a busy machine needs to notice.
    for (retry, seconds) in [(1, 1.0), (2, 2.0)] {
        let gap = (requests[retry].at - requests[retry - 1].at).as_secs_f64();
        let allowed = 0.8 * seconds..1.2 * seconds + 1.5;
        assert!(allowed.contains(&gap), "retry {retry} came {gap} s later, expected {allowed:?}");
    }
}

#[tokio::test]
async fn a_retry_that_succeeds_ends_it() {
    let (daemon, sink) = (daemon(), Sink::in_turn(&[503, 200]).await);
    let (partner, webhook) = partner_of(&daemon, &sink).await;
    let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    let delivery = partner.until_delivery(&webhook, &event, "delivered").await;
    assert_eq!(attempts(&delivery), [(1, Some(503)), (2, Some(200))]);
    assert_eq!(delivery["failures"], 1);
    let requests = sink.until_count(2).await;
    Independent::new(&webhook.secret)
        .unwrap()
        .verify(&requests[1].body, &requests[1].headers)
        .expect("a retry is signed anew");
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let sink = Sink::start(|_| Answer::status(302).header("location", "/elsewhere")).await;
    let daemon = daemon();
    let (partner, webhook) = partner_of(&daemon, &sink).await;
    let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    let delivery = partner.until_delivery(&webhook, &event, "parked").await;
    assert_eq!(attempts(&delivery), [(1, Some(302)), (2, Some(302)), (3, Some(302))]);
    let requests = sink.until_count(3).await;
    assert!(requests.iter().all(|request| request.path == "/in"), "{requests:?}");
}

#[tokio::test]
async fn gone_disables_the_webhook() {
    let (daemon, sink) = (daemon(), Sink::always(410).await);
    let (partner, webhook) = partner_of(&daemon, &sink).await;
    let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    let delivery = partner.until_delivery(&webhook, &event, "parked").await;
    assert_eq!(delivery["reason"], "gone", "{delivery}");
    assert_eq!(attempts(&delivery), [(1, Some(410))]);

    let shown = partner.webhook(&webhook).await;
    assert_eq!((text(&shown, "status"), text(&shown, "status_reason")), ("disabled", "gone"));
    let later = partner.publish("order.filled", &json!({"id": "ord_2"})).await;
    let kept = partner.until_delivery(&webhook, &later, "parked").await;
    assert_eq!(kept["attempts"], json!([]), "a disabled webhook is left alone");
    sink.until_count(1).await;
}

#[tokio::test]
async fn what_happens_below_http_is_told() {
    let (_held, refused) = sink::refusing_port();
    let resetting = Sink::start(|_| Answer::reset()).await;
    let silent = Sink::start(|_| Answer::status(200).after(Duration::from_secs(600))).await;
    let dripping =
        Sink::start(|_| Answer::status(200).drip("0123456789", Duration::from_secs(60))).await;
    let cases = [
        (format!("http://{refused}/"), "refused"),
        (resetting.url("/"), "reset"),
        (silent.url("/"), "within 1 s"),
        (dripping.url("/"), "within 1 s"),
    ];
    let daemon = daemon();
    let partner = Partner::join(&daemon).await;
    let mut webhooks = Vec::new();
    for (url, word) in cases {
        let webhook = json!({
            "url": url, "eventTypeNames": ["order.*"], "timeout_seconds": 1, "retry_schedule": [1],
        });
        webhooks.push((partner.subscribe_as(&webhook).await, word));
    }
    let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    for (webhook, word) in webhooks {
        let delivery = partner.until_delivery(&webhook, &event, "parked").await;
        assert_eq!(attempts(&delivery), [(1, None), (2, None)], "{delivery}");
        let error = text(&delivery["attempts"][0], "error").to_lowercase();
        assert!(error.contains(word), "expected an error with '{word}': {delivery}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_off_and_its_status_counts() {
    let sink = Sink::start(|_| Answer::status(200).endless()).await;
    let daemon = daemon();
    let (partner, webhook) = partner_of(&daemon, &sink).await;
    let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    let delivery = partner.until_delivery(&webhook, &event, "delivered").await;
    let kept = text(&delivery["attempts"][0], "response_body");
    assert!(kept.len() <= 16_384, "{} bytes of the answer are kept", kept.len());
}

/// The first event of `ord_a` fails once. Its successors wait for it; `ord_b` does not.
#[tokio::test]
async fn events_of_one_object_stay_in_order() {
    let is_first = |request: &Request| {
        let body = request.json();
        body["event"] == "order.accepted" && body["data"]["id"] == "ord_a" && request.attempt() == 1
    };
    let script = move |request: &Request| Answer::status(if is_first(request) { 500 } else { 200 });
    let (daemon, sink) = (daemon(), Sink::start(script).await);
    let (partner, webhook) = partner_of(&daemon, &sink).await;
    for event in ["order.accepted", "order.partially_filled", "order.filled"] {
        partner.publish(event, &json!({"id": "ord_a"})).await;
    }
    let last = partner.publish("order.accepted", &json!({"id": "ord_b"})).await;
    partner.until_delivery(&webhook, &last, "delivered").await;

    let requests = sink.until_count(5).await;
    let of_a = |request: &&Request| request.json()["data"]["id"] == "ord_a";
    let order: Vec<String> = requests.iter().filter(of_a).map(Request::event).collect();
    let expected = ["order.accepted", "order.accepted", "order.partially_filled", "order.filled"];
    assert_eq!(order, expected);
    let places: Vec<u64> = requests.iter().map(Request::sequence).collect();
    assert_eq!(places, [1, 4, 1, 2, 3], "ord_b goes on while ord_a waits for its retry");
}
