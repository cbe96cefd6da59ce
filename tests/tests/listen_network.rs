//! `listen` on a bad network: nothing is lost, and nothing is forwarded twice.

use std::collections::BTreeSet;
use std::time::Duration;

use bluum_hooks_tests::client::text;
use bluum_hooks_tests::daemon::Daemon;
use bluum_hooks_tests::listening::Listener;
use bluum_hooks_tests::seed::{self, Chance};
use bluum_hooks_tests::severable::Severable;
use bluum_hooks_tests::sink::{Answer, Sink};
use bluum_hooks_tests::terminal::{Developer, Listening};
use bluum_hooks_tests::wait;
use serde_json::json;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

/// Many times what a stream that is lost may take to be opened again.
const LONG: Duration = Duration::from_mins(5);

/// How many different events have come, and how many requests in all.
fn came(app: &Sink) -> (usize, usize) {
    app.look(|requests| {
        let ids: BTreeSet<&[u8]> =
            requests.iter().map(|request| request.headers["webhook-id"].as_bytes()).collect();
        (ids.len(), requests.len())
    })
}

async fn until_came(app: &Sink, count: usize, listening: &Listening) {
    wait::until_within(LONG, &format!("{count} events"), async || {
        // Counted first: to tell them apart takes longer.
        let requests = app.look(<[_]>::len);
        if requests >= count && came(app).0 >= count {
            return Ok(());
        }
        let said = listening.stderr();
        let last = said.lines().rev().take(5).collect::<Vec<_>>().join("\n");
        Err(format!("{requests} requests\n{last}"))
    })
    .await;
}

/// How many records say this.
fn count(listening: &Listening, field: &str, word: &str) -> usize {
    listening.records().iter().filter(|record| record[field] == word).count()
}

#[tokio::test]
async fn fifty_cuts_lose_nothing_and_repeat_nothing() {
    const EVENTS: usize = 10_000;
    const CUTS: usize = 50;
    let daemon = Daemon::start();
    let (developer, app) = (Developer::join(&daemon).await, Sink::always(200).await);
    let proxy = Severable::before(daemon.base()).await;
    let target = app.url("/");
    let arguments = [&*target, "-j", "32", "--json"];
    let listening = developer.listen_through(&proxy.base(), &arguments).ready().await;
    developer.publish_many(EVENTS).await;
    let seed = seed::from_environment();
    println!("{}={seed}", seed::VARIABLE);
    let mut chance = Chance::new(seed);
    let mut place = || usize::try_from(chance.number(0..EVENTS as u64)).unwrap();
    let mut places: Vec<usize> = (0..CUTS).map(|_| place()).collect();
    places.sort_unstable();
    for (place, felt) in places.into_iter().zip(1..) {
        until_came(&app, place, &listening).await;
        proxy.cut();
        // A stream that is down already feels nothing.
        wait::until(&format!("to be back after cut {felt}"), async || {
            let back = count(&listening, "type", "resumed");
            if back >= felt { Ok(()) } else { Err(back) }
        })
        .await;
    }
    until_came(&app, EVENTS, &listening).await;
    assert_eq!(came(&app), (EVENTS, EVENTS), "each event is forwarded once");
    assert_eq!(count(&listening, "type", "disconnected"), CUTS);
    #[cfg(target_os = "linux")]
    assert!(listening.peak_memory() < 128 << 20, "{} bytes", listening.peak_memory());
}

#[tokio::test]
async fn a_daemon_that_is_killed_and_comes_again_goes_on() {
    let mut daemon = Daemon::start();
    let (developer, app) = (Developer::join(&daemon).await, Sink::always(200).await);
    let proxy = Severable::before(daemon.base()).await;
    let target = app.url("/");
    let listening = developer.listen_through(&proxy.base(), &[&target, "--json"]).ready().await;
    developer.publish_many(500).await;
    until_came(&app, 100, &listening).await;
    daemon.restart();
    proxy.lead_to(daemon.base());
    until_came(&app, 500, &listening).await;
    assert_eq!(came(&app), (500, 500));
    let resumed = listening.record("resumed", |_| true).await;
    assert_eq!(resumed["transport"], "sse");
}

/// As behind a proxy that has lost the connection and tells nobody.
#[tokio::test]
async fn a_stream_that_falls_silent_is_opened_again() {
    let daemon = Daemon::start_with(&["--stream-heartbeat", "1s"]);
    let (developer, app) = (Developer::join(&daemon).await, Sink::always(200).await);
    let proxy = Severable::before(daemon.base()).await;
    let target = app.url("/");
    let listening = developer.listen_through(&proxy.base(), &[&target, "--json"]).ready().await;
    developer.publish_many(50).await;
    until_came(&app, 20, &listening).await;
    proxy.fall_silent();
    developer.publish_many(50).await;
    // Found out by itself: nothing has been cut.
    let down = listening.record("disconnected", |_| true).await;
    assert!(text(&down, "reason").starts_with("no word for"), "{down}");
    proxy.heal();
    until_came(&app, 100, &listening).await;
    listening.record("resumed", |_| true).await;
    assert_eq!(came(&app), (100, 100), "each event is forwarded once");
}

/// As on a breakpoint: the lease is that of a time-out of a second, and that is over 16 s later.
#[tokio::test]
async fn a_handler_that_takes_longer_than_the_lease_keeps_it() {
    const LONGER: Duration = Duration::from_secs(20);
    let daemon = Daemon::start_with(&["--stream-heartbeat", "1s"]);
    let developer = Developer::join(&daemon).await;
    let app = Sink::start(|_| Answer::status(200).after(LONGER)).await;
    let proxy = Severable::before(daemon.base()).await;
    let arguments = [&*app.url("/"), "--json", "--timeout", "0"];
    let listening = developer.listen_through(&proxy.base(), &arguments).ready().await;
    let short = json!({"timeout_seconds": 1});
    let listener = Listener::put(&developer.partner.api, "dev", &short).await;
    proxy.cut();
    listening.record("resumed", |_| true).await;
    developer.publish("ord_1").await;
    let record = listening.record("delivery", |_| true).await;
    assert_eq!(record["status"], 200);
    wait::until("it to be delivered", async || {
        let delivery = listener.deliveries().await.remove(0);
        if delivery["status"] == "delivered" { Ok(()) } else { Err(delivery) }
    })
    .await;
    assert_eq!(came(&app), (1, 1));
    let database = SqliteConnectOptions::new().filename(daemon.database());
    let mut database = database.connect().await.unwrap();
    let claims = sqlx::query_scalar::<_, i64>("SELECT claim FROM deliveries");
    let claims = claims.fetch_one(&mut database).await.unwrap();
    assert_eq!(claims, 1, "it was offered once");
    assert_eq!(count(&listening, "type", "disconnected"), 1, "heartbeats were heard meanwhile");
}

#[tokio::test]
async fn what_is_under_way_goes_on_without_the_dispatcher_and_is_told_later() {
    let daemon = Daemon::start();
    let developer = Developer::join(&daemon).await;
    let app = Sink::start(|_| Answer::status(200).after(Duration::from_millis(700))).await;
    let proxy = Severable::before(daemon.base()).await;
    let target = app.url("/");
    let listening = developer.listen_through(&proxy.base(), &[&target, "--json"]).ready().await;
    developer.publish("ord_1").await;
    app.until_count(1).await;
    proxy.refuse();
    listening.record("disconnected", |_| true).await;
    listening.record("delivery", |record| record["status"] == 200).await;
    assert!(!listening.is_ready(), "the file says so while it is offline");
    proxy.heal();
    listening.record("resumed", |_| true).await;
    assert!(listening.is_ready());
    developer.publish("ord_2").await;
    until_came(&app, 2, &listening).await;
    assert_eq!(came(&app), (2, 2), "the result was told, not made again");
}

#[tokio::test]
async fn the_first_dial_may_fail() {
    let daemon = Daemon::start();
    let (developer, app) = (Developer::join(&daemon).await, Sink::always(200).await);
    let proxy = Severable::before(daemon.base()).await;
    proxy.refuse();
    let target = app.url("/");
    let arguments = [&*target, "--json", "--max-offline", "1m"];
    let listening = developer.listen_through(&proxy.base(), &arguments).start();
    wait::pause(Duration::from_millis(500)).await;
    proxy.heal();
    let ready = listening.record("ready", |_| true).await;
    assert_eq!((&ready["listener"], &ready["targets"]), (&json!("dev"), &json!([target])));
    developer.publish("ord_1").await;
    app.until_count(1).await;
}

/// Stopped as a closed laptop is, for longer than a lease: the time-out and fifteen seconds.
#[tokio::test]
async fn a_process_that_stood_still_forwards_nothing_twice() {
    let daemon = Daemon::start();
    let (developer, app) = (Developer::join(&daemon).await, Sink::always(200).await);
    let target = app.url("/");
    let listening = developer.listen(&[&target, "--json", "--timeout", "10s"]).ready().await;
    developer.publish_many(200).await;
    until_came(&app, 20, &listening).await;
    listening.signal("STOP");
    wait::pause(Duration::from_secs(30)).await;
    listening.signal("CONT");
    // A request that was under way has timed out by then, if its answer was not read before.
    wait::until_within(LONG, "200 events to come or to be told as timed out", async || {
        let (here, late) = (came(&app).0, count(&listening, "outcome", "timeout"));
        if here + late >= 200 { Ok(()) } else { Err(format!("{here} came, {late} timed out")) }
    })
    .await;
    let (events, requests) = came(&app);
    assert_eq!(events, requests, "none came twice");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_is_bounded() {
    memory_stays(20_000).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "takes minutes; CONTRIBUTING.md says how to run it"]
async fn memory_is_bounded_over_a_hundred_thousand() {
    memory_stays(100_000).await;
}

/// No more in the second half than in the first.
#[cfg(target_os = "linux")]
async fn memory_stays(events: usize) {
    let daemon = Daemon::start();
    let (developer, app) = (Developer::join(&daemon).await, Sink::always(200).await);
    let listening = developer.listen(&[&app.url("/"), "-j", "32"]).ready().await;
    let mut half = 0;
    // In parts: so many may wait for a listener, and no more.
    for part in 1..=10 {
        developer.publish_many(events / 10).await;
        wait::until_within(LONG, "all requests", async || {
            let requests = app.look(<[_]>::len);
            if requests >= part * events / 10 { Ok(()) } else { Err(requests) }
        })
        .await;
        if part == 5 {
            half = listening.peak_memory();
        }
    }
    let whole = listening.peak_memory();
    assert!(whole < half + (8 << 20), "{half} bytes after half of it, {whole} after all");
}
