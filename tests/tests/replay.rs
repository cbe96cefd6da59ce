//! Replay over real sockets: what was parked or delivered is owed again, in order, once, however
//! often the daemon dies. And what a stopped webhook missed comes before what is new.
#![expect(clippy::expect_used, reason = "a helper of tests stops where it cannot go on")]

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bluum_hooks_tests::client::{Client, Response, text};
use bluum_hooks_tests::daemon::Daemon;
use bluum_hooks_tests::partner::{Partner, Webhook};
use bluum_hooks_tests::seed::{self, Chance};
use bluum_hooks_tests::sink::{Answer, Request, Sink};
use bluum_hooks_tests::wait;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const OBJECTS: u64 = 50;
const MAX_IN_FLIGHT: usize = 32;
const CATCH_UP: Duration = Duration::from_secs(120);

/// A receiver that answers 500 until it is opened.
struct Receiver {
    sink: Sink,
    open: Arc<AtomicBool>,
}

impl Receiver {
    async fn shut() -> Self {
        let open = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&open);
        let status = move || if seen.load(Ordering::Relaxed) { 200 } else { 500 };
        Self { sink: Sink::start(move |_| Answer::status(status())).await, open }
    }

    /// Gives the number of requests that were refused.
    fn open(&self) -> usize {
        self.open.store(true, Ordering::Relaxed);
        self.sink.look(<[Request]>::len)
    }
}

/// A webhook that is tried again after these seconds.
async fn subscribe(partner: &Partner, receiver: &Receiver, retries: &[u64]) -> Webhook {
    let body = json!({
        "url": receiver.sink.url("/"), "eventTypeNames": ["*"], "retry_schedule": retries,
        "max_in_flight": MAX_IN_FLIGHT,
    });
    partner.subscribe_as(&body).await
}

async fn set_status(partner: &Partner, webhook: &Webhook, status: &str) {
    let path = format!("/v1/webhooks/{}", webhook.id);
    partner.operator.patch(&path, &json!({"status": status})).await.must_be(200);
}

/// Publishes events with these numbers, in batches, spread over so many objects.
async fn publish(partner: &Partner, numbers: std::ops::Range<u64>, objects: u64, batch: usize) {
    let numbers: Vec<u64> = numbers.collect();
    for numbers in numbers.chunks(batch) {
        let event = |n: &u64| {
            let data = json!({"id": format!("ord_{}", n % objects), "n": n});
            json!({"event": "order.filled", "tenant": partner.tenant, "data": data})
        };
        let events: Vec<Value> = numbers.iter().map(event).collect();
        partner.operator.post("/v1/events/batch", &json!(events)).await.must_be(202);
    }
}

/// Waits until every delivery of the webhook is parked for this reason, or delivered for none.
async fn until_all(partner: &Partner, webhook: &Webhook, reason: Option<&str>) -> Vec<Value> {
    let status = if reason.is_some() { "parked" } else { "delivered" };
    wait::until_within(CATCH_UP, &format!("all deliveries to be {status}"), async || {
        // The newest hundred first, for one look at all of them is long.
        let path = format!("/v1/webhooks/{}/deliveries", webhook.id);
        let newest = partner.operator.get(&format!("{path}?limit=100")).await.must_be(200);
        let is_other = |one: &&Value| one["status"] != status || one["reason"] != json!(reason);
        if let Some(other) = newest["data"].as_array().and_then(|all| all.iter().find(is_other)) {
            return Err(other.to_string());
        }
        let deliveries = partner.deliveries(webhook).await;
        match deliveries.iter().find(is_other) {
            None => Ok(deliveries),
            Some(other) => Err(other.to_string()),
        }
    })
    .await
}

async fn replay(client: &Client, webhook: &Webhook, body: &Value) -> Response {
    client.post(&format!("/v1/webhooks/{}/replay", webhook.id), body).await
}

async fn replay_one(client: &Client, delivery: &Value) -> Response {
    client.post(&format!("/v1/deliveries/{}/replay", text(delivery, "id")), &json!({})).await
}

async fn progress(client: &Client, replay: &Value) -> Value {
    client.get(&format!("/v1/replays/{}", text(replay, "id"))).await.must_be(200)
}

/// Waits until the replay, or another fact about its progress, is there.
async fn until_progress(
    client: &Client,
    replay: &Value,
    what: &str,
    fact: impl Fn(&Value) -> bool,
) -> Value {
    wait::until_within(CATCH_UP, what, async || {
        let now = progress(client, replay).await;
        if fact(&now) { Ok(now) } else { Err(now.to_string()) }
    })
    .await
}

fn is_finished(replay: &Value) -> bool {
    replay["status"] == "finished"
}

/// The releases and replays of a webhook, newest first.
async fn replays(partner: &Partner, webhook: &Webhook) -> Vec<Value> {
    partner.operator.list(&format!("/v1/webhooks/{}/replays", webhook.id)).await
}

fn number(request: &Request) -> u64 {
    request.json()["data"]["n"].as_u64().expect("a number")
}

/// First arrivals of the events of one object come in the order of their numbers.
fn check_order(requests: &[Request], objects: u64) {
    let mut last: HashMap<u64, u64> = HashMap::new();
    let mut seen = HashSet::new();
    for n in requests.iter().map(number).filter(|&n| seen.insert(n)) {
        let before = last.insert(n % objects, n);
        assert!(before.is_none_or(|before| before < n), "{n} came after {before:?}");
    }
}

/// A hundred are waiting for their retry or queued behind it when the webhook is stopped, a
/// thousand arrive while it is; then more arrive during the release, and after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stopped_webhook_missed_comes_in_order_and_before_what_is_new() {
    let (mut daemon, receiver) = (Daemon::start(), Receiver::shut().await);
    let partner = Partner::join(&daemon).await;
    let webhook = subscribe(&partner, &receiver, &[3600]).await;
    publish(&partner, 0..100, OBJECTS, 100).await;
    let all = |count| move |requests: &[Request]| requests.len() >= count;
    let heads = usize::try_from(OBJECTS).unwrap();
    receiver.sink.until("the heads of all lines to fail", all(heads)).await;
    set_status(&partner, &webhook, "inactive").await;
    until_all(&partner, &webhook, Some("disabled")).await;
    publish(&partner, 100..1_100, OBJECTS, 1_000).await;
    assert_eq!(until_all(&partner, &webhook, Some("disabled")).await.len(), 1_100);

    let refused = receiver.open();
    assert_eq!(refused, heads, "a stopped webhook is left alone");
    set_status(&partner, &webhook, "active").await;
    publish(&partner, 1_100..1_300, OBJECTS, 1).await;
    let release = replays(&partner, &webhook).await.remove(0);
    assert_eq!(
        (&release["reason"], &release["delivery_status"]),
        (&json!("disabled"), &json!("parked"))
    );
    assert_eq!(release["total"], 1_100, "what was there when it began");
    let release = until_progress(&partner.operator, &release, "the release", is_finished).await;
    assert!(release["replayed"].as_u64() >= Some(1_100), "{release}");
    publish(&partner, 1_300..1_400, OBJECTS, 1).await;

    assert_eq!(until_all(&partner, &webhook, None).await.len(), 1_400);
    let requests = receiver.sink.until_count(refused + 1_400).await.split_off(refused);
    check_order(&requests, OBJECTS);
    let numbers: HashSet<u64> = requests.iter().map(number).collect();
    assert_eq!(numbers.len(), 1_400, "some came twice");
    daemon.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_are_replayed_once_each_although_the_daemon_is_killed_twice() {
    const PARKED: u64 = 10_000;
    let (mut daemon, receiver) = (Daemon::start(), Receiver::shut().await);
    let partner = Partner::join(&daemon).await;
    let webhook = subscribe(&partner, &receiver, &[]).await;
    publish(&partner, 0..PARKED, PARKED / 10, 1_000).await;
    until_all(&partner, &webhook, Some("exhausted")).await;
    let refused = receiver.open();

    let counted = replay(&partner.operator, &webhook, &json!({"dry_run": true})).await.must_be(200);
    assert_eq!((&counted["total"], &counted["id"]), (&json!(PARKED), &Value::Null));
    assert!(replays(&partner, &webhook).await.is_empty(), "a dry run is not kept");
    let begun = replay(&partner.operator, &webhook, &json!({"reason": "exhausted"})).await;
    let begun = begun.must_be(202);
    assert_eq!((&begun["total"], &begun["replayed"]), (&json!(PARKED), &json!(0)));

    let replayed = |replay: &Value| replay["replayed"].as_u64().unwrap_or_default();
    let mut before = 0;
    for kill in 1..=2 {
        let moved = |now: &Value| replayed(now) > before;
        let seen = until_progress(&daemon.operator(), &begun, "some to be replayed", moved).await;
        assert!(!is_finished(&seen), "over before kill {kill}: this has shown nothing: {seen}");
        daemon.kill();
        daemon.restart();
        let after = progress(&daemon.operator(), &begun).await;
        assert!(replayed(&after) >= replayed(&seen), "{after} after {seen}");
        assert_eq!((&after["total"], &after["id"]), (&seen["total"], &seen["id"]));
        before = replayed(&after);
    }
    let operator = daemon.operator();
    let ended = wait::until_within(CATCH_UP, "the replay to finish", async || {
        let now = progress(&operator, &begun).await;
        assert!(replayed(&now) >= before, "{now} after {before}");
        before = replayed(&now);
        if is_finished(&now) { Ok(now) } else { Err(now.to_string()) }
    })
    .await;
    assert_eq!((&ended["replayed"], &ended["total"]), (&json!(PARKED), &json!(PARKED)));
    assert!(ended["finished_at"].is_string(), "{ended}");

    let partner = Partner { operator, ..partner };
    for delivery in until_all(&partner, &webhook, None).await {
        let counts = (&delivery["attempt_count"], &delivery["failures"]);
        assert_eq!(counts, (&json!(2), &json!(0)), "replayed once: {delivery}");
    }
    let requests = receiver.sink.requests().split_off(refused);
    check_order(&requests, PARKED / 10);
    let repeats = requests.len() - 10_000;
    assert!(repeats <= 2 * MAX_IN_FLIGHT, "{repeats} repeats, more than were in flight");
    println!("{repeats} repeats");
    daemon.audit();
}

#[tokio::test]
async fn one_delivery_is_replayed_when_it_is_finished_and_seen() {
    let (mut daemon, receiver) = (Daemon::start(), Receiver::shut().await);
    let partner = Partner::join(&daemon).await;
    let webhook = subscribe(&partner, &receiver, &[3600]).await;
    let waits = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    receiver.sink.until_count(1).await;
    let waits = partner.until_delivery(&webhook, &waits, "waiting").await;
    let refused = replay_one(&partner.api, &waits).await.must_be(409);
    assert_eq!(refused["error"]["code"], "BLUM-409-003");

    receiver.open();
    let event = partner.publish("order.filled", &json!({"id": "ord_2"})).await;
    let delivered = partner.until_delivery(&webhook, &event, "delivered").await;
    let stranger = Partner::join(&daemon).await;
    assert_eq!(replay_one(&stranger.api, &delivered).await.must_be(404)["error"]["param"], "id");
    let again = replay_one(&partner.api, &delivered).await.must_be(202);
    assert_eq!((&again["id"], &again["attempt_count"]), (&delivered["id"], &json!(1)));
    assert_ne!(again["status"], "delivered");
    let requests = receiver.sink.until_count(3).await;
    assert_eq!((requests[2].event_id(), requests[2].attempt()), (&*event, 2));
    assert_eq!((&requests[2].body, requests[2].sequence()), (&requests[1].body, 2));
    partner.until_delivery(&webhook, &event, "delivered").await;

    set_status(&partner, &webhook, "inactive").await;
    for refused in [
        replay_one(&partner.api, &delivered).await,
        replay(&partner.api, &webhook, &json!({})).await,
    ] {
        assert_eq!(refused.must_be(409)["error"]["code"], "BLUM-409-003");
    }
    let foreign = replay(&stranger.api, &webhook, &json!({})).await.must_be(404);
    assert_eq!(foreign["error"]["param"], "id");
    daemon.audit();
}

#[tokio::test]
async fn only_what_was_asked_for_is_replayed() {
    let (mut daemon, receiver) = (Daemon::start(), Receiver::shut().await);
    let partner = Partner::join(&daemon).await;
    let webhook = subscribe(&partner, &receiver, &[]).await;
    let mut events = Vec::new();
    for (name, status) in [
        ("order.filled", "parked"),
        ("order.rejected", "parked"),
        ("deposit.completed", "delivered"),
    ] {
        if status == "delivered" {
            receiver.open();
        }
        let event = partner.publish(name, &json!({"id": "obj_1"})).await;
        partner.until_delivery(&webhook, &event, status).await;
        events.push(event);
    }
    let far = "2999-01-01T00:00:00Z";
    for (filter, expected) in [
        (json!({"since": far}), None),
        (json!({"until": "2020-01-01T00:00:00Z", "status": "delivered"}), None),
        (json!({"reason": "gone"}), None),
        (json!({"event": "order.rejected", "until": far}), Some(1)),
        (json!({"status": "delivered", "event": "deposit.completed"}), Some(2)),
        (json!({"status": "parked", "reason": "exhausted"}), Some(0)),
    ] {
        let before = receiver.sink.requests().len();
        let mut dry = filter.clone();
        dry["dry_run"] = json!(true);
        let total = json!(usize::from(expected.is_some()));
        let counted = replay(&partner.operator, &webhook, &dry).await.must_be(200);
        assert_eq!(counted["total"], total, "{filter}");
        let begun = replay(&partner.operator, &webhook, &filter).await.must_be(202);
        let ended = until_progress(&partner.operator, &begun, "the replay", is_finished).await;
        assert_eq!((&ended["total"], &ended["replayed"]), (&total, &total), "{filter}");
        if let Some(place) = expected {
            partner.until_delivery(&webhook, &events[place], "delivered").await;
            let requests = receiver.sink.until_count(before + 1).await;
            assert_eq!(requests[before].event_id(), events[place], "{filter}");
        }
    }
    for (body, param) in [
        (json!({"status": "queued"}), "status"),
        (json!({"reason": "boredom"}), "reason"),
        (json!({"status": "delivered", "reason": "gone"}), "reason"),
        (json!({"event": "order.fileld"}), "event"),
        (json!({"since": "yesterday"}), "since"),
        (json!({"dry_run": "yes"}), "dry_run"),
        (json!({"statuses": "parked"}), "statuses"),
    ] {
        let refused = replay(&partner.operator, &webhook, &body).await.must_be(400);
        assert_eq!(refused["error"]["param"], param, "{body}: {refused}");
    }
    daemon.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_can_be_canceled_and_a_release_cannot() {
    let (mut daemon, receiver) = (Daemon::start(), Receiver::shut().await);
    let partner = Partner::join(&daemon).await;
    let webhook = subscribe(&partner, &receiver, &[]).await;
    publish(&partner, 0..3_000, 3_000, 1_000).await;
    until_all(&partner, &webhook, Some("exhausted")).await;
    let begun = replay(&partner.operator, &webhook, &json!({})).await.must_be(202);
    let path = format!("/v1/replays/{}", text(&begun, "id"));
    let stranger = Partner::join(&daemon).await;
    assert_eq!(stranger.api.get(&path).await.must_be(404)["error"]["param"], "id");
    stranger.api.delete(&path).await.must_be(404);
    let canceled = partner.operator.delete(&path).await.must_be(200);
    assert_eq!(canceled["status"], "canceled");
    assert!(canceled["replayed"].as_u64() < Some(3_000), "over before it was canceled: {canceled}");
    assert_eq!(partner.operator.delete(&path).await.must_be(200), canceled, "once more");
    assert_eq!(progress(&partner.operator, &begun).await, canceled);

    set_status(&partner, &webhook, "inactive").await;
    publish(&partner, 0..3_000, 3_000, 1_000).await;
    set_status(&partner, &webhook, "active").await;
    let release = replays(&partner, &webhook).await.remove(0);
    let path = format!("/v1/replays/{}", text(&release, "id"));
    let refused = partner.operator.delete(&path).await.must_be(409);
    assert_eq!(refused["error"]["code"], "BLUM-409-003");
    until_progress(&partner.operator, &release, "the release", is_finished).await;
    daemon.audit();
}

/// A client that hangs up at any moment leaves no replay behind that was begun and never runs.
#[tokio::test]
async fn a_replay_runs_although_nobody_waits_for_the_answer() {
    let seed = seed::from_environment();
    let mut chance = Chance::new(seed);
    let (mut daemon, receiver) = (Daemon::start(), Receiver::shut().await);
    let partner = Partner::join(&daemon).await;
    let webhook = subscribe(&partner, &receiver, &[]).await;
    let address = daemon.base().trim_start_matches("http://");
    let request = format!(
        "POST /v1/webhooks/{}/replay HTTP/1.1\r\nhost: {address}\r\nauthorization: {}\r\n\
         content-length: 2\r\n\r\n{{}}",
        webhook.id,
        daemon.operator_key().header(),
    );
    for _ in 0..60 {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        wait::pause(Duration::from_micros(chance.number(0..6_000))).await;
        drop(connection);
        // The newest: old ones are forgotten when another one begins.
        for begun in replays(&partner, &webhook).await.into_iter().take(3) {
            let what = format!("a replay to end, seed {seed}");
            until_progress(&partner.operator, &begun, &what, is_finished).await;
        }
    }
    assert!(!replays(&partner, &webhook).await.is_empty(), "none was begun, seed {seed}");
    daemon.audit();
}
