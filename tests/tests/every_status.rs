//! Every status that there is, from a real receiver: how the attempt is recorded, and what follows.
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use bluum_hooks_shared::time::Timestamp;
use bluum_hooks_tests::client::text;
use bluum_hooks_tests::daemon::{Daemon, memory, open_files};
use bluum_hooks_tests::partner::{Partner, Webhook};
use bluum_hooks_tests::wait;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const STATUSES: RangeInclusive<u16> = 100..=599;

/// What all of them together may add to the memory of the daemon.
const MAX_GROWTH: u64 = 32 << 20;

/// Seconds: the one retry comes between 32 and 48 of them later, and so before the minute that a
/// receiver in trouble is left alone.
const WAIT: u32 = 40;

/// What the wire contract says of a status: the class of the attempt, and where the delivery
/// stands after it: when it waits, for how many seconds at least.
fn contract(status: u16) -> (&'static str, Result<&'static str, u32>) {
    match status {
        // More is to come after these, and then nothing comes.
        100 | 102..=199 => ("timeout", Err(32)),
        // Nobody asked for another protocol.
        101 => ("other_status", Err(32)),
        200..=299 => ("delivered", Ok("delivered")),
        300..=399 => ("redirect", Err(32)),
        410 => ("gone", Ok("parked")),
        429 => ("throttled", Err(60)),
        400..=499 => ("client_error", Err(32)),
        502 | 504 => ("server_error", Err(60)),
        _ => ("server_error", Err(32)),
    }
}

/// A receiver that answers with the status that the path names; gives its base.
async fn receiver(tasks: &mut JoinSet<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(answer(stream));
        }
    });
    base
}

/// In bytes, because no HTTP library would send some of these.
async fn answer(mut stream: TcpStream) {
    // A delivery of these tests fits into one read.
    let mut request = [0; 16_384];
    while let Ok(1..) = stream.read(&mut request).await {
        let path = str::from_utf8(&request).unwrap_or_default().split(' ').nth(1);
        let status = path.unwrap_or_default().trim_start_matches('/').to_owned();
        let length = if status.starts_with('1') { "" } else { "content-length: 0\r\n" };
        let head = format!("HTTP/1.1 {status} As Asked\r\nlocation: /200\r\n{length}\r\n");
        if stream.write_all(head.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The deliveries of the event, when none is under way any more, by their webhooks.
async fn attempted(partner: &Partner, event: &str) -> BTreeMap<String, Value> {
    let list = format!("/v1/events/{event}/deliveries");
    wait::until("every delivery to be attempted", async || {
        let deliveries = partner.operator.list(&list).await;
        let untried = deliveries.iter().filter(|delivery| delivery["attempt_count"] == 0).count();
        if untried > 0 || deliveries.is_empty() {
            return Err(format!("{untried} of {} were not", deliveries.len()));
        }
        let of = |delivery: Value| (text(&delivery, "webhook_id").to_owned(), delivery);
        Ok(deliveries.into_iter().map(of).collect())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_status_is_recorded_and_followed_as_the_contract_says() {
    let (daemon, mut tasks) = (Daemon::start(), JoinSet::new());
    let partner = Partner::join(&daemon).await;
    let base = receiver(&mut tasks).await;
    let mut webhooks: Vec<(u16, Webhook)> = Vec::new();
    for status in STATUSES {
        let webhook = json!({
            "url": format!("{base}/{status}"), "eventTypeNames": ["order.*"],
            "timeout_seconds": if status < 200 { 2 } else { 20 }, "retry_schedule": [WAIT],
        });
        webhooks.push((status, partner.subscribe_as(&webhook).await));
    }
    let (before, open) = (memory(&daemon, "VmRSS"), open_files(&daemon));
    let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    let deliveries = attempted(&partner, &event).await;
    assert_eq!(deliveries.len(), webhooks.len());
    for (status, webhook) in &webhooks {
        let path = format!("/v1/deliveries/{}", text(&deliveries[&webhook.id], "id"));
        check(*status, &partner.operator.get(&path).await.must_be(200));
        let now = partner.webhook(webhook).await;
        let disabled =
            (&now["status"], &now["status_reason"]) == (&"disabled".into(), &"gone".into());
        assert_eq!(disabled, *status == 410, "{status}: {now}");
    }
    let growth = memory(&daemon, "VmHWM").saturating_sub(before);
    assert!(growth < MAX_GROWTH, "the daemon grew by {growth} bytes");
    wait::until("their connections to be closed", async || {
        let now = open_files(&daemon);
        if now <= open + 8 { Ok(()) } else { Err(format!("{now} open files, {open} before")) }
    })
    .await;
}

fn check(status: u16, delivery: &Value) {
    let (outcome, then) = contract(status);
    let attempt = &delivery["attempts"][0];
    let answered = if outcome == "timeout" { Value::Null } else { json!(status) };
    assert_eq!(
        (&attempt["outcome"], &attempt["status"]),
        (&json!(outcome), &answered),
        "{attempt}"
    );
    assert_eq!(attempt["error"].is_null(), outcome == "delivered", "{attempt}");
    let took = attempt["duration_ms"].as_u64().unwrap();
    assert!(took < 20_000, "{status}: {attempt}");
    match then {
        Ok(end) => assert_eq!(delivery["status"], end, "{status}: {delivery}"),
        Err(least) => {
            let time = |object: &Value, name| text(object, name).parse::<Timestamp>().unwrap();
            // On a very busy machine, the retry may be here already.
            let next = match delivery["attempts"].get(1) {
                Some(second) => time(second, "started_at"),
                None => time(delivery, "next_attempt_at"),
            };
            let waits = next.since(time(attempt, "started_at")).as_millis();
            let waits = waits - u128::from(took);
            let most = if least < 60 { 49_000 } else { 61_000 };
            let range = u128::from(least) * 1000 - 1..most;
            assert!(range.contains(&waits), "{status}: waits {waits} ms: {delivery}");
        }
    }
}
