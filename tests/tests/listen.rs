//! `listen`: what is forwarded and how, and what is told of it.

use std::collections::BTreeSet;
use std::time::Duration;

use bluum_hooks_shared::signature::SigningKey;
use bluum_hooks_tests::client::text;
use bluum_hooks_tests::daemon::{self, Shared};
use bluum_hooks_tests::sink::{Answer, Request, Sink, refusing_port};
use bluum_hooks_tests::terminal::Developer;
use bluum_hooks_tests::wait;
use serde_json::{Value, json};

fn daemon() -> Shared {
    daemon::shared(&[])
}

/// What the daemon knows of the listener's deliveries, each with this status.
async fn until_delivered(developer: &Developer, count: usize) -> Vec<Value> {
    let webhooks = developer.partner.api.list("/v1/webhooks").await;
    let id = text(&webhooks[0], "id").to_owned();
    wait::until("deliveries to be done", async || {
        let deliveries = developer.partner.api.list(&format!("/v1/webhooks/{id}/deliveries")).await;
        let done = deliveries.iter().filter(|one| one["status"] == "delivered").count();
        if done == count { Ok(deliveries) } else { Err(format!("{deliveries:?}")) }
    })
    .await
}

#[tokio::test]
async fn the_app_gets_what_a_url_would_get() {
    let daemon = daemon();
    let (developer, app) = (Developer::join(&daemon).await, Sink::always(200).await);
    let port = app.url("/in?a=b").replace("http://127.0.0.1:", "");
    let secret = developer.listen(&["--print-secret"]).run().must_exit(0).stdout;
    let listening = developer.listen(&[&port, "-H", "x-dev: 1"]).ready().await;
    let data = r#"{"id":"ord_1","b":12345678901234567890,"a":"\/ \u00e9\r\n"}"#;
    let event = developer.partner.publish_text("order.filled", data).await.must_be(202);

    let request = app.until_count(1).await.remove(0);
    assert_eq!((request.path.as_str(), request.header("x-dev")), ("/in", "1"));
    assert_eq!(
        request.header("host"),
        format!("localhost:{}", app.url("").rsplit(':').next().unwrap())
    );
    assert!(request.header("user-agent").starts_with("Bluum-Hooks/"), "{request:?}");
    assert!(!request.headers.contains_key("accept-encoding"), "{request:?}");
    let body = std::str::from_utf8(&request.body).unwrap();
    assert!(body.contains(r#""b":12345678901234567890,"a":"\/ \u00e9\r\n""#), "{body}");
    let key = SigningKey::new(&secret.trim().parse().unwrap());
    let mac = key.mac(text(&event, "id"), request.header("webhook-timestamp"), &request.body);
    assert!(mac.is_listed(request.header("webhook-signature")), "{request:?}");

    listening.says(text(&event, "id")).await;
    let line = listening.stdout();
    assert!(line.contains("  200  ") && line.contains("  order.filled  "), "{line}");
    until_delivered(&developer, 1).await;
}

#[tokio::test]
async fn each_line_of_json_parses_and_the_file_holds_the_events() {
    let daemon = daemon();
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("saved.ndjson").display().to_string();
    let developer = Developer::join(&daemon).await;
    let app = Sink::start(|request| match request.number {
        0 => Answer::status(204),
        1 => Answer::status(302).header("location", "/in/"),
        _ => Answer::reset(),
    })
    .await;
    let target = app.url("/in");
    let mut listening =
        developer.listen(&[&target, "--json", "--save", &saved, "-j", "1"]).ready().await;
    for order in ["ord_1", "ord_2", "ord_3"] {
        developer.publish(order).await;
    }
    listening.record("delivery", |record| record["outcome"] == "reset").await;
    listening.signal("TERM");
    listening.must_exit(0).await;

    let records = listening.records();
    let kinds: Vec<&str> = records.iter().map(|record| text(record, "type")).collect();
    assert_eq!(kinds, ["ready", "delivery", "delivery", "delivery", "end"], "{records:?}");
    assert!(listening.stdout().lines().all(|line| line.starts_with(r#"{"v":1,"type":""#)));
    let delivery = &records[1];
    assert_eq!((&delivery["status"], &delivery["attempt"]), (&json!(204), &json!(1)));
    assert_eq!(delivery["target"], target);
    assert!(text(&delivery["request"], "body").contains("ord_1"), "{delivery}");
    assert_eq!(records[2]["status"], 302, "a redirect is followed nowhere: {records:?}");
    assert_eq!(records[4]["reason"], "terminated");
    assert_eq!((&records[4]["delivered"], &records[4]["failed"]), (&json!(1), &json!(2)));
    let file = std::fs::read_to_string(&saved).unwrap();
    assert_eq!(
        file.lines().collect::<Vec<_>>(),
        listening.stdout().lines().collect::<Vec<_>>()[1..4]
    );
    assert!(listening.stderr().contains("hint  redirected to /in/"), "{}", listening.stderr());
    app.until_count(3).await;
}

#[tokio::test]
async fn slow_answers_go_side_by_side_or_one_after_the_other() {
    let daemon = daemon();
    for (concurrency, most) in [("8", 3), ("1", 1)] {
        let developer = Developer::join(&daemon).await;
        let slow = Duration::from_millis(300);
        let app = Sink::start(move |_| Answer::status(200).after(slow)).await;
        let listening =
            developer.listen(&[&app.url("/"), "-j", concurrency, "--json"]).ready().await;
        let mut events = Vec::new();
        for order in ["ord_1", "ord_2", "ord_3"] {
            events.push(developer.publish(order).await);
        }
        let requests = app.until_count(3).await;
        let within = |other: &Request| {
            requests.iter().filter(|one| one.at >= other.at && one.at < other.at + slow).count()
        };
        let side_by_side = requests.iter().map(within).max().unwrap();
        assert_eq!(side_by_side, most, "-j {concurrency}");
        if most == 1 {
            let ids: Vec<&str> = requests.iter().map(Request::event_id).collect();
            assert_eq!(ids, events, "in the order of the stream");
        }
        drop(listening);
    }
}

#[tokio::test]
async fn routes_and_conditions_choose() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let (orders, rest) = (Sink::always(200).await, Sink::always(200).await);
    let routes = [format!("order.*={}", orders.url("/")), format!("*={}", rest.url("/"))];
    let arguments =
        [&routes[0], &routes[1], "-e", "*,!order.accepted", "-w", "data.amount>=99.99", "--json"];
    let listening = developer.listen(&arguments).ready().await;
    for (event, amount) in [
        ("order.filled", "\"100.00\""),
        ("order.filled", "99.98999999999999999999999"),
        ("order.accepted", "100"),
        ("deposit.completed", "99.990"),
    ] {
        let data = format!(r#"{{"id":"x_1","amount":{amount}}}"#);
        developer.partner.publish_text(event, &data).await.must_be(202);
    }
    orders.until_count(1).await;
    rest.until_count(1).await;
    // What was filtered out counts as delivered.
    until_delivered(&developer, 3).await;
    let types: BTreeSet<String> = listening
        .records()
        .iter()
        .filter(|record| record["type"] == "delivery")
        .map(|record| text(record, "event_type").to_owned())
        .collect();
    assert_eq!(types, BTreeSet::from(["order.filled".into(), "deposit.completed".into()]));
}

/// As while a dev server restarts.
#[tokio::test]
async fn a_port_that_is_refused_is_tried_again_for_a_while() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let (held, address) = refusing_port();
    let listening = developer.listen(&[&address.port().to_string(), "--json"]).ready().await;
    developer.publish("ord_1").await;
    listening.says("ready").await;
    wait::pause(Duration::from_secs(1)).await;
    assert_eq!(listening.records().len(), 1, "it is tried again: {:?}", listening.records());
    let listener = held.listen(8).unwrap();
    let accepted = wait::within(wait::DEADLINE, listener.accept()).await;
    drop(accepted.unwrap().unwrap());
    let record = listening.record("delivery", |_| true).await;
    assert_eq!(record["outcome"], "reset", "what was begun is not tried again: {record}");
}

#[tokio::test]
async fn a_signature_that_is_refused_is_checked_here_and_said_once() {
    let daemon = daemon();
    let (developer, app) = (Developer::join(&daemon).await, Sink::always(401).await);
    let listening = developer.listen(&[&app.url("/")]).ready().await;
    developer.publish("ord_1").await;
    developer.publish("ord_2").await;
    app.until_count(2).await;
    listening.says("hint").await;
    wait::until("both lines", async || {
        let lines = listening.stdout().matches("  401  ").count();
        if lines == 2 { Ok(()) } else { Err(listening.stdout()) }
    })
    .await;
    let stderr = listening.stderr();
    assert_eq!(stderr.matches("hint").count(), 1, "{stderr}");
    assert!(stderr.contains("signature is valid for the secret"), "{stderr}");
    assert!(listening.stdout().contains("│ the sink says 401"), "{}", listening.stdout());
}

#[tokio::test]
async fn a_time_out_is_told_and_the_next_goes_on() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let app = Sink::start(|request| match request.number {
        0 => Answer::status(200).after(Duration::from_secs(20)),
        _ => Answer::status(200),
    })
    .await;
    let arguments = [&*app.url("/"), "-j", "1", "--timeout", "1s", "--json"];
    let listening = developer.listen(&arguments).ready().await;
    let (first, second) = (developer.publish("ord_1").await, developer.publish("ord_2").await);
    let record = listening.record("delivery", |record| record["event"] == *first).await;
    assert_eq!((&record["outcome"], &record["status"]), (&json!("timeout"), &Value::Null));
    let record = listening.record("delivery", |record| record["event"] == *second).await;
    assert_eq!(record["status"], 200);
}
