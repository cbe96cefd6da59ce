//! Nobody is slowed by a neighbour: webhooks that hang, drip, refuse or have much to catch up with
//! cost the others nothing. The figures are the program `isolation`'s; here are bounds that hold
//! on a busy machine too.

use std::time::Duration;

use bluum_hooks_tests::crowd::{Bad, Crowd, quantile};
use bluum_hooks_tests::daemon::{Daemon, memory};
use bluum_hooks_tests::hostile::{Hostile, Trick};
use bluum_hooks_tests::partner::{Partner, Webhook};
use bluum_hooks_tests::sink::Sink;
use bluum_hooks_tests::wait;
use serde_json::json;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

/// Longer than a delivery takes on a busy machine, shorter than the stuck are waited for.
const SOON: Duration = Duration::from_secs(5);
/// What all that is stuck or waits may add to the memory of the daemon.
const MAX_GROWTH: u64 = 64 << 20;

/// The requests to one webhook at a time, if it does not say otherwise.
const CAP: usize = 128;

#[tokio::test(flavor = "multi_thread")]
async fn healthy_webhooks_do_not_feel_the_stuck_ones() {
    const PACE: Duration = Duration::from_millis(50);
    const LENGTH: Duration = Duration::from_secs(3);
    let alone = Crowd::gather(&[], 10, &[]).await;
    let beside = Crowd::gather(&[], 10, &Bad::ALL).await;
    let alone = alone.publish(PACE, LENGTH).await.concat();
    let took = beside.publish(PACE, LENGTH).await.concat();
    let median = |took: &[Duration]| quantile(took, 0.5);
    assert!(
        median(&took) < 3 * median(&alone) + Duration::from_millis(50),
        "half of them took {:?} and more, and {:?} without the stuck",
        median(&took),
        median(&alone),
    );
    let longest = quantile(&took, 1.0);
    assert!(longest < SOON, "one waited {longest:?}");
    let held = beside.most_held();
    assert!(held.iter().all(|&held| held > 0 && held <= CAP), "the stuck held {held:?}");
}

/// Publishes some orders, one after the other, and checks that each arrives soon.
async fn arrive_soon(partner: &Partner, sink: &Sink) {
    let before = sink.look(<[_]>::len);
    for number in 1..=10 {
        partner.publish("order.filled", &json!({"id": format!("ord_{number}")})).await;
        let what = format!("order {number}, although others wait");
        sink.until_within(SOON, &what, |requests| requests.len() >= before + number).await;
    }
}

/// Webhook 1 is owed the event 1 and as many more as `?1` says, all due.
const OWE: [&str; 3] = [
    "INSERT INTO events (id, tenant_id, livemode, name, created_at, body)
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
     SELECT
         printf('evt_%026d', i), tenant_id, livemode, name, created_at,
         CAST(replace(CAST(body AS TEXT), id, printf('evt_%026d', i)) AS BLOB)
     FROM n, (SELECT * FROM events WHERE position = 1)",
    "INSERT INTO deliveries (
         id, event, webhook, sequence, state, due_at, claim, lost_claims, attempts, failures,
         created_at
     )
     SELECT printf('dlv_%026d', position), position, 1, position, 'waiting', created_at, 0, 0, 0,
         0, created_at
     FROM events WHERE position > 1",
    "UPDATE webhooks SET last_sequence = ?1 + 1 WHERE number = 1",
];

#[tokio::test(flavor = "multi_thread")]
async fn much_to_catch_up_with_keeps_nobody_else_waiting() {
    const WAITING: i64 = 100_000;
    let mut daemon = Daemon::start();
    let stuck = Hostile::start(Trick::Silence).await;
    let busy = Partner::join(&daemon).await;
    busy.subscribe(&stuck.url(), &["order.*"]).await;
    busy.publish("order.filled", &json!({"id": "ord_1"})).await;
    daemon.terminate();
    let options = SqliteConnectOptions::new().filename(daemon.database());
    let mut connection = options.connect().await.unwrap();
    for statement in OWE {
        sqlx::query(statement).bind(WAITING).execute(&mut connection).await.unwrap();
    }
    drop(connection);
    daemon.restart();
    let before = memory(&daemon, "VmRSS");

    let (sink, other) = (Sink::always(200).await, Partner::join(&daemon).await);
    other.subscribe(&sink.url("/"), &["order.*"]).await;
    arrive_soon(&other, &sink).await;
    let growth = memory(&daemon, "VmHWM").saturating_sub(before);
    assert!(growth < MAX_GROWTH, "the daemon grew by {growth} bytes");
    daemon.audit();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_hanging_webhooks_leave_room_for_a_healthy_one() {
    const HANGING: usize = 200;
    let daemon = Daemon::start();
    let (sink, healthy) = (Sink::always(200).await, Partner::join(&daemon).await);
    healthy.subscribe(&sink.url("/"), &["order.*"]).await;
    arrive_soon(&healthy, &sink).await;
    let before = memory(&daemon, "VmRSS");

    let stuck = Hostile::start(Trick::Silence).await;
    let hanging = Partner::join(&daemon).await;
    let mut webhooks: Vec<Webhook> = Vec::new();
    for _ in 0..HANGING {
        webhooks.push(hanging.subscribe(&stuck.url(), &["deposit.completed"]).await);
    }
    // More than all slots.
    for number in 0..8 {
        let data = json!({"id": format!("dep_{number}")});
        hanging.publish("deposit.completed", &data).await;
    }
    wait::until("the last webhook to have an attempt under way", async || {
        let deliveries = hanging.deliveries(&webhooks[HANGING - 1]).await;
        let leased = deliveries.iter().filter(|delivery| delivery["status"] == "leased").count();
        if leased > 0 { Ok(()) } else { Err(format!("{} deliveries", deliveries.len())) }
    })
    .await;
    arrive_soon(&healthy, &sink).await;
    let growth = memory(&daemon, "VmHWM").saturating_sub(before);
    assert!(growth < MAX_GROWTH, "the daemon grew by {growth} bytes");
}
