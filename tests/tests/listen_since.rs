//! `listen` and what is not now: where in the stream it begins, and what it saves for later.

use bluum_hooks_tests::binary;
use bluum_hooks_tests::client::text;
use bluum_hooks_tests::daemon::{self, Daemon, Shared};
use bluum_hooks_tests::sink::{Request, Sink};
use bluum_hooks_tests::terminal::{Developer, Listening};
use bluum_hooks_tests::wait;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

fn daemon() -> Shared {
    daemon::shared(&[])
}

/// Makes the listener, and listens no further.
fn make(developer: &Developer) {
    developer.listen(&["--print-secret"]).run().must_exit(0);
}

async fn publish(developer: &Developer, count: usize) -> Vec<String> {
    let mut events = Vec::new();
    for number in 0..count {
        events.push(developer.publish(&format!("ord_{number}")).await);
    }
    events
}

/// Waits for so many deliveries; the events of all that have come, in order.
async fn until_came(listening: &Listening, count: usize) -> Vec<String> {
    wait::until(&format!("{count} deliveries"), async || {
        let records = listening.records();
        let events: Vec<String> = records
            .iter()
            .filter(|record| record["type"] == "delivery")
            .map(|record| text(record, "event").to_owned())
            .collect();
        if events.len() >= count { Ok(events) } else { Err(listening.stderr()) }
    })
    .await
}

/// In order, and without a local server.
async fn listen_since(developer: &Developer, since: &str) -> Listening {
    developer.listen(&["-j", "1", "--json", "--since", since]).ready().await
}

#[tokio::test]
async fn it_begins_where_it_is_told_to() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    make(&developer);
    let skipped = publish(&developer, 3).await;
    let mut listening = listen_since(&developer, "now").await;
    let later = developer.publish("ord_3").await;
    assert_eq!(until_came(&listening, 1).await, [&*later]);
    listening.signal("TERM");
    listening.must_exit(0).await;

    let mut listening = listen_since(&developer, "last").await;
    assert_eq!(until_came(&listening, 3).await, skipped);
    listening.signal("TERM");
    listening.must_exit(0).await;

    let listening = listen_since(&developer, "2").await;
    assert_eq!(until_came(&listening, 2).await, [&*skipped[2], &*later], "after number 2");
}

#[tokio::test]
async fn a_new_name_can_begin_before_it_was_there() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let events = publish(&developer, 3).await;
    let listening = listen_since(&developer, "10m").await;
    assert_eq!(until_came(&listening, 3).await, events);
    let stamp = developer.partner.events().await;
    let arguments = ["-n", "new", "-j", "1", "--json", "--since", text(&stamp[1], "timestamp")];
    let listening = developer.listen(&arguments).ready().await;
    assert_eq!(until_came(&listening, 2).await[..2], events[1..]);
}

#[tokio::test]
async fn by_itself_it_goes_on_where_it_left_off_unless_that_is_far() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    make(&developer);
    developer.publish_many(100).await;
    let mut listening = listen_since(&developer, "auto").await;
    until_came(&listening, 100).await;
    assert!(!listening.stderr().contains("skipped"), "{}", listening.stderr());
    listening.signal("TERM");
    listening.must_exit(0).await;

    developer.publish_many(101).await;
    let mut listening = developer.listen(&["--json"]).ready().await;
    let words = "! 101 older events skipped; --since last brings them";
    assert!(listening.stderr().contains(words), "{}", listening.stderr());
    let event = developer.publish("ord_1").await;
    assert_eq!(until_came(&listening, 1).await, [event]);
    listening.signal("TERM");
    listening.must_exit(0).await;

    let listening = listen_since(&developer, "last").await;
    assert_eq!(until_came(&listening, 101).await.len(), 101);
}

#[tokio::test]
async fn a_quarter_of_an_hour_is_far() {
    let mut daemon = Daemon::start();
    let developer = Developer::join(&daemon).await;
    for name in ["near", "far"] {
        developer.listen(&["--name", name, "--print-secret"]).run().must_exit(0);
    }
    developer.publish_many(3).await;
    daemon.kill();
    let database = SqliteConnectOptions::new().filename(daemon.database());
    let mut database = database.connect().await.unwrap();
    let age = "UPDATE deliveries SET created_at = created_at - 60000000 * ?2 WHERE webhook = ?1";
    for (webhook, minutes) in [(1, 14), (2, 16)] {
        sqlx::query(age).bind(webhook).bind(minutes).execute(&mut database).await.unwrap();
    }
    database.close().await.unwrap();
    daemon.restart();
    for (name, waiting) in [("near", 3), ("far", 0)] {
        let listen = developer.listen_through(daemon.base(), &["--name", name, "--json"]);
        let listening = listen.ready().await;
        let ready = listening.record("ready", |_| true).await;
        assert_eq!(ready["waiting"], waiting, "{name}: {}", listening.stderr());
        let skipped = "! 3 older events skipped; --since last brings them";
        assert_eq!(listening.stderr().contains(skipped), name == "far", "{}", listening.stderr());
    }
}

#[tokio::test]
async fn what_is_not_kept_any_more_is_told() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    make(&developer);
    developer.publish_many(10_050).await;
    let listening = listen_since(&developer, "last").await;
    let gap = listening.record("gap", |_| true).await;
    let told = [("from", 1), ("to", 50), ("count", 50)].map(|(name, count)| gap[name] == count);
    assert!(told == [true; 3] && gap["reason"] == "retention", "{gap}");
    listening.says("! 50 events are missing, 1 to 50: retention").await;
    let first = listening.record("delivery", |_| true).await;
    assert_eq!(first["cursor"], 51, "it goes on with the oldest that is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_added_and_can_be_sent_again_as_it_was() {
    let daemon = daemon();
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("saved.ndjson").display().to_string();
    let (developer, app) = (Developer::join(&daemon).await, Sink::always(200).await);
    let target = app.url("/");
    for _ in 0..2 {
        let arguments = [&*target, "--save", &saved, "--exit-after", "1"];
        let mut listening = developer.listen(&arguments).ready().await;
        developer.publish("ord_1").await;
        listening.must_exit(0).await;
    }
    let later = Sink::always(200).await;
    let (from, to) = (format!("@{saved}"), later.url("/"));
    binary::run(&["replay", &from, "--to", &to, "--exact", "-y"]).must_exit(0);
    let (first, again) = (app.until_count(2).await, later.until_count(2).await);
    for (first, again) in first.iter().zip(&again) {
        assert_eq!((first.event_id(), &first.body), (again.event_id(), &again.body));
        let signature = |request: &Request| {
            ["webhook-signature", "webhook-timestamp"].map(|name| request.header(name).to_owned())
        };
        assert_eq!(signature(first), signature(again));
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_stops_nothing_and_is_in_the_exit_status() {
    let daemon = daemon();
    let (developer, app) = (Developer::join(&daemon).await, Sink::always(200).await);
    let target = app.url("/");
    // One event more than it takes to notice, and one alone, which the end has to notice.
    for count in [3, 1] {
        let arguments = [&*target, "--save", "/dev/full", "--json"];
        let mut listening = developer.listen(&arguments).ready().await;
        for event in publish(&developer, count).await {
            listening.record("delivery", |record| record["event"] == event).await;
        }
        listening.signal("TERM");
        listening.must_exit(1).await;
        let end = listening.record("end", |_| true).await;
        assert_eq!((&end["exit"], &end["delivered"]), (&1.into(), &count.into()), "{end}");
        let stderr = listening.stderr();
        assert!(stderr.contains("is the disk full?"), "{stderr}");
        assert!(stderr.matches("going on").count() <= 1, "{stderr}");
    }
    app.until_count(4).await;
}
