//! The write-ahead log stays small. It is written back into the database beside the writer, and at
//! 6,000 pages by the writer itself; SQLite begins it anew when everything is written back and
//! nobody reads in it: so nobody may stay.
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bluum_hooks_tests::client::{Call, Client, Credentials, text};
use bluum_hooks_tests::daemon::Daemon;
use bluum_hooks_tests::partner::Partner;
use bluum_hooks_tests::socket::Socket;
use bluum_hooks_tests::sse::Stream;
use bluum_hooks_tests::wait;
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Executor};
use tokio::task::JoinSet;

/// More than twice what comes together before the writer writes it back: readers may keep it
/// waiting, for a moment.
const BOUND: u64 = 64 << 20;
/// When the writer does.
const WRITERS_PAGES: u64 = 6_000;
const PAGE: u64 = 4_096;
/// Far more than that, if nothing is ever written back.
const EVENTS: usize = 3_000;
const BATCH: usize = 10;
const PUBLISHERS: usize = 4;

/// The bytes of the log. SQLite never makes the file smaller while it is open, so this is also the
/// most that there ever were.
fn log(daemon: &Daemon) -> u64 {
    let log = format!("{}-wal", daemon.database().display());
    std::fs::metadata(log).map_or(0, |file| file.len())
}

/// Publishes [`EVENTS`], in batches, several at a time.
async fn publish(partner: &Partner) {
    let mut publishers = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let partner = partner.clone();
        publishers.spawn(async move {
            for batch in 0..EVENTS / BATCH / PUBLISHERS {
                let event = |n| {
                    let id = format!("ord_{publisher}_{batch}_{n}");
                    let data = json!({"id": id, "note": "x".repeat(16_000)});
                    json!({"event": "order.filled", "tenant": partner.tenant, "data": data})
                };
                let batch = json!((0..BATCH).map(event).collect::<Vec<_>>());
                partner.operator.post("/v1/events/batch", &batch).await.must_be(202);
            }
        });
    }
    publishers.join_all().await;
}

/// Reads a list from its beginning to its end, again and again, until it is over. Gives how many
/// pages that were.
async fn read(client: Client, list: String, over: Arc<AtomicBool>) -> usize {
    let mut pages = 0;
    while !over.load(Ordering::Relaxed) {
        let offset = 200 * (pages % (EVENTS / 200));
        let page = client.get(&format!("{list}?limit=200&offset={offset}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        pages += 1;
    }
    pages
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stays_bounded_while_events_come_in_and_lists_are_read_without_a_pause() {
    let daemon = Daemon::start();
    let (sink, partner, webhook) = Partner::joined(&daemon).await;
    let first = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    let delivery = partner.until_delivery(&webhook, &first, "delivered").await;
    let over = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    let deliveries = format!("/v1/webhooks/{}/deliveries", webhook.id);
    for list in ["/v1/events", "/v1/events", &deliveries, &deliveries] {
        readers.spawn(read(partner.api.clone(), list.to_owned(), Arc::clone(&over)));
    }
    let (one, until) = (partner.api.clone(), Arc::clone(&over));
    let path = format!("/v1/deliveries/{}", text(&delivery, "id"));
    readers.spawn(async move {
        let mut reads = 0;
        while !until.load(Ordering::Relaxed) {
            one.get(&path).await.must_be(200);
            reads += 1;
        }
        reads
    });
    let mut stream = Stream::open(&partner.api, Call::get("/v1/events/stream")).await;
    let streamed = tokio::spawn(async move { stream.events(EVENTS + 1).await.len() });
    publish(&partner).await;
    sink.until("all deliveries", |requests| requests.len() > EVENTS).await;
    over.store(true, Ordering::Relaxed);
    let read = readers.join_all().await;
    assert_eq!(streamed.await.unwrap(), EVENTS + 1);
    assert!(read.iter().all(|&pages| pages > 10), "nobody was kept from reading: {read:?}");
    let log = log(&daemon);
    assert!(log < BOUND, "the log has grown to {log} bytes, over so many pages: {read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_written_back_before_a_commit_has_to_do_it() {
    /// What is published, in bytes: less than the writer waits for, and more than the other does.
    const BODIES: u64 = 100 * 100_000;
    let daemon = Daemon::start();
    let partner = Partner::join(&daemon).await;
    let data = json!({"id": "ord_1", "note": "x".repeat(100_000)});
    let event = json!({"event": "order.filled", "tenant": partner.tenant, "data": data});
    for _ in 0..10 {
        let batch = json!(vec![event.clone(); 10]);
        partner.operator.post("/v1/events/batch", &batch).await.must_be(202);
    }
    wait::until("the database to hold what was published", async || {
        let size = std::fs::metadata(daemon.database()).map_or(0, |file| file.len());
        if size > BODIES / 2 { Ok(()) } else { Err(format!("it has {size} bytes")) }
    })
    .await;
    let log = log(&daemon);
    assert!(log < WRITERS_PAGES * PAGE, "the writer did it: the log has {log} bytes");
}

/// A request for a list, over a bare connection.
fn list(by: &Credentials) -> String {
    let authorization = by.header();
    format!("GET /v1/events HTTP/1.1\r\nHost: hooks\r\nAuthorization: {authorization}\r\n\r\n")
}

/// Writes back everything and empties the log, which SQLite does when nobody reads in it.
async fn empty(connection: &mut SqliteConnection) -> bool {
    let busy: i64 =
        sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection).await.unwrap();
    busy == 0
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_that_leaves_its_answer_unread_stands_in_its_way() {
    /// Pages of a megabyte: together far more than the system's buffers take.
    const PAGES: usize = 64;
    // Nobody is sent away while they are looked at.
    let daemon = Daemon::start_with(&["--answer-timeout", "10m"]);
    let (sink, partner, _) = Partner::joined(&daemon).await;
    let data = json!({"id": "dep_1", "note": "x".repeat(250_000)});
    let event = json!({"event": "deposit.completed", "tenant": partner.tenant, "data": data});
    for _ in 0..PAGES / 8 {
        let batch = json!(vec![event.clone(); 28]);
        partner.operator.post("/v1/events/batch", &batch).await.must_be(202);
    }
    let key = daemon.new_key(&json!({"role": "tenant", "tenant": partner.tenant})).await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut socket = Socket::open(&daemon).await;
        socket.send(list(&key).repeat(PAGES)).await;
        socket.head().await;
        slow.push(socket);
    }
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(Stream::open(&partner.api, Call::get("/v1/events/stream")).await);
    }
    publish(&partner).await;
    sink.until("all deliveries", |requests| requests.len() >= EVENTS).await;
    let log = log(&daemon);
    assert!(log < BOUND, "the log has grown to {log} bytes");

    let options = SqliteConnectOptions::new().filename(daemon.database());
    let options = options.busy_timeout(Duration::ZERO);
    let (mut mine, mut reader) =
        (options.connect().await.unwrap(), options.connect().await.unwrap());
    wait::until("nobody to read in the log", async || {
        if empty(&mut mine).await { Ok(()) } else { Err("somebody does") }
    })
    .await;
    // A transaction that is left open would have been seen.
    reader.execute("BEGIN; SELECT count(*) FROM events").await.unwrap();
    partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    assert!(!empty(&mut mine).await, "a reader does not stand in the way");
    drop((slow, streams));
}
