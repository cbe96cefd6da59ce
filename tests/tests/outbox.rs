//! Publishing in one's own transaction: committed, it is delivered, once, in commit order; rolled
//! back or malformed, it is not, whenever the publisher dies.
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::collections::{BTreeMap, HashMap};
use std::process::Command;
use std::time::Duration;

use bluum_hooks_tests::binary::Ending;
use bluum_hooks_tests::compare;
use bluum_hooks_tests::daemon::Daemon;
use bluum_hooks_tests::partner::Partner;
use bluum_hooks_tests::seed::{self, Chance};
use bluum_hooks_tests::sink::Sink;
use bluum_hooks_tests::wait;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Row};

const EVENTS: u64 = 10_000;
const KILLS: usize = 5;
const CATCH_UP: Duration = Duration::from_secs(180);

/// A connection beside the daemon's own.
async fn connect(daemon: &Daemon) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(daemon.database());
    options.busy_timeout(Duration::from_secs(30)).connect().await.unwrap()
}

/// Starts the publisher; each start goes on where the last one was killed.
fn start_publisher(daemon: &Daemon, tenant: &str, seed: u64) -> Ending {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outbox_publisher"));
    command.arg(daemon.database()).arg(tenant);
    command.args([seed.to_string(), EVENTS.to_string()]);
    Ending(command.spawn().unwrap())
}

/// Kills the publisher at random instants, then lets it finish.
async fn publish_with_kills(daemon: &Daemon, tenant: &str, seed: u64) {
    let mut chance = Chance::new(seed);
    for _ in 0..KILLS {
        let mut publisher = start_publisher(daemon, tenant, seed);
        wait::pause(chance.millis(30..400)).await;
        publisher.kill();
    }
    let mut publisher = start_publisher(daemon, tenant, seed);
    let status = wait::until_within(CATCH_UP, "the publisher to finish", async || {
        publisher.0.try_wait().unwrap().ok_or("it is running")
    });
    assert!(status.await.success(), "the publisher failed");
}

/// The committed numbers in commit order: there is one writer at a time, and it counts upwards.
async fn committed(connection: &mut SqliteConnection) -> Vec<i64> {
    let numbers = sqlx::query_scalar("SELECT n FROM ledger ORDER BY n").fetch_all(connection);
    numbers.await.unwrap()
}

/// The numbers of these events, in the order given.
fn numbers<'a>(data: impl Iterator<Item = &'a Value>) -> Vec<i64> {
    data.map(|data| data["n"].as_i64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_committed_events_arrive_in_commit_order() {
    let seed = seed::from_environment();
    println!("{}={seed}", seed::VARIABLE);
    let sink = Sink::always(200).await;
    let mut daemon = Daemon::start();
    let partner = Partner::join(&daemon).await;
    partner.subscribe(&sink.url("/"), &["order.*"]).await;

    publish_with_kills(&daemon, &partner.tenant, seed).await;
    let mut connection = connect(&daemon).await;
    let committed = committed(&mut connection).await;
    // A third is rolled back: about 6,667 of 10,000 stay.
    assert!((5_500..7_800).contains(&committed.len()), "{} were committed", committed.len());
    let what = format!("{} committed events", committed.len());
    let reached = |requests: &[_]| requests.len() >= committed.len();
    let requests = sink.until_within(CATCH_UP, &what, reached).await;

    let events = partner.events().await;
    let listed = numbers(events.iter().map(|event| &event["data"]));
    compare::same("the events of GET /v1/events", &listed, &committed);
    let data: Vec<Value> = requests.iter().map(|request| request.json()["data"].clone()).collect();
    let mut arrived = numbers(data.iter());
    let mut last: HashMap<String, i64> = HashMap::new();
    for (data, n) in data.iter().zip(&arrived) {
        let before = last.insert(data["id"].to_string(), *n).unwrap_or(-1);
        assert!(before < *n, "of {}, {before} arrived before {n}", data["id"]);
    }
    arrived.sort_unstable();
    compare::same("the events that arrived", &arrived, &committed);

    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM outbox").fetch_one(&mut connection).await.unwrap();
    assert_eq!(left, 0, "the outbox is not empty");
    drop(connection);
    daemon.audit();
}

const INSERT: &str =
    "INSERT INTO outbox (tenant_id, livemode, event, data, idempotency_key) VALUES (?, 0, ?, ?, ?)";

#[tokio::test]
async fn a_row_that_cannot_be_accepted_is_kept_with_the_reason() {
    let sink = Sink::always(200).await;
    let daemon = Daemon::start();
    let partner = Partner::join(&daemon).await;
    partner.subscribe(&sink.url("/"), &["*"]).await;
    let (ours, stranger) = (partner.tenant.as_str(), "tnt_00000000000000000000000000");
    let good = r#"{"id":"ord_1","n":1}"#;
    let rows = [
        (ours, "order.filled", r#"{"id":"#, "JSON"),
        (ours, "order.filled", r#""a text""#, "object"),
        (ours, "order.fild", good, "order.filled"),
        (stranger, "order.filled", good, "tenant"),
        ("not an id", "order.filled", good, "tenant"),
        (ours, "order.filled", good, ""),
    ];
    let mut connection = connect(&daemon).await;
    for (tenant, event, data, _) in rows {
        let row = sqlx::query(INSERT).bind(tenant).bind(event).bind(data).bind(None::<&str>);
        row.execute(&mut connection).await.unwrap();
    }
    // The good row comes last, so once it is delivered the others have been judged.
    let requests = sink.until_count(1).await;
    assert_eq!(requests[0].json()["data"]["n"], 1);

    let rejected = sqlx::query("SELECT tenant_id, event, data, reason FROM outbox_rejected");
    let rejected = rejected.fetch_all(&mut connection).await.unwrap();
    let reasons: BTreeMap<[String; 3], String> = rejected
        .iter()
        .map(|row| ([0, 1, 2].map(|column| row.get(column)), row.get("reason")))
        .collect();
    assert_eq!(reasons.len(), rows.len() - 1, "{reasons:#?}");
    for (tenant, event, data, word) in &rows[..rows.len() - 1] {
        let reason = &reasons[&[tenant, event, data].map(|text| (*text).to_owned())];
        assert!(reason.contains(word), "expected '{word}' in the reason for {data}: {reason}");
    }
}

#[tokio::test]
async fn one_idempotency_key_is_one_event() {
    let sink = Sink::always(200).await;
    let daemon = Daemon::start();
    let partner = Partner::join(&daemon).await;
    partner.subscribe(&sink.url("/"), &["order.*"]).await;
    let mut connection = connect(&daemon).await;
    for (n, key) in [(1, Some("same")), (1, Some("same")), (2, None)] {
        let data = format!(r#"{{"id":"ord_1","n":{n}}}"#);
        let row = sqlx::query(INSERT).bind(&partner.tenant).bind("order.filled").bind(data);
        row.bind(key).execute(&mut connection).await.unwrap();
    }
    let requests = sink.until_count(2).await;
    let data: Vec<Value> = requests.iter().map(|request| request.json()["data"].clone()).collect();
    assert_eq!(numbers(data.iter()), [1, 2]);
}
