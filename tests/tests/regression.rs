//! One test per bug that was found, named after it.
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::net::TcpListener;
use std::time::Duration;

use bluum_hooks_tests::binary;
use bluum_hooks_tests::client::text;
use bluum_hooks_tests::daemon::Daemon;
use bluum_hooks_tests::partner::{Partner, about};
use bluum_hooks_tests::sink::{Answer, Sink};
use bluum_hooks_tests::wait;
use serde_json::json;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

/// A connection beside the daemon's own.
async fn connect(daemon: &Daemon) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(daemon.database());
    options.busy_timeout(Duration::from_secs(30)).connect().await.unwrap()
}

/// On a full disk SQLite ends a transaction by itself, as this trigger does. The connection then
/// believed for ever that it was inside one, and every later write was refused.
#[tokio::test]
async fn one_failed_commit_stopped_the_daemon_for_good() {
    let (mut daemon, sink) = (Daemon::start(), Sink::always(200).await);
    let partner = Partner::join(&daemon).await;
    let webhook = partner.subscribe(&sink.url("/in"), &["order.*"]).await;
    let mut database = connect(&daemon).await;
    for table in ["events", "attempts"] {
        let full = format!(
            "CREATE TRIGGER full BEFORE INSERT ON {table} BEGIN SELECT RAISE(ROLLBACK, 'full'); END"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(full)).execute(&mut database).await.unwrap();
        let data = json!({"id": format!("ord_{table}")});
        if table == "events" {
            let refused = partner.publish_text("order.filled", &data.to_string()).await;
            assert_eq!(refused.must_be(503)["error"]["code"], "BLUM-503-001");
        } else {
            let event = partner.publish("order.filled", &data).await;
            sink.until("the attempt that is not recorded", |all| !about(all, &event).is_empty())
                .await;
        }
        sqlx::raw_sql("DROP TRIGGER full").execute(&mut database).await.unwrap();
        let event = partner.publish("order.filled", &data).await;
        partner.until_delivery(&webhook, &event, "delivered").await;
    }
    assert_eq!(sink.requests().len(), 3, "what could not be recorded was not sent again");
    drop(database);
    daemon.audit();
}

/// The keys of a new database were made before the port was bound, and shown after it.
#[test]
fn a_busy_port_at_the_first_start_lost_the_keys() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("new.db").display());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    binary::run(&["serve", "--database", &url, "--listen", &address]).must_exit(1);
    let keys = binary::run(&["init", "--database", &url, "--json"]).must_exit(0).json();
    assert!(text(&keys["operator"], "api_key").starts_with("apk_"));
}

/// The lock was beside the name of the file, not beside the file.
#[cfg(unix)]
#[test]
fn two_dispatchers_met_on_one_file_through_a_link() {
    let daemon = Daemon::start();
    let link = daemon.folder().join("link.db");
    std::os::unix::fs::symlink(daemon.database(), &link).unwrap();
    let url = format!("sqlite:{}", link.display());
    let key = format!("{}.key", daemon.database().display());
    let arguments = ["serve", "--database", &url, "--listen", "127.0.0.1:0"];
    let refused = binary::run(&[&arguments[..], &["--secrets-key-file", &key]].concat());
    assert!(refused.must_exit(1).stderr.contains("another dispatcher"));
}

/// A change that was committed after its client had gone away never reached memory.
#[tokio::test]
async fn a_client_that_hung_up_left_a_revoked_key_alive() {
    let daemon = Daemon::start();
    let partner = Partner::join(&daemon).await;
    let key = daemon.new_key(&json!({"role": "tenant", "tenant": partner.tenant})).await;
    let mut database = connect(&daemon).await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut database).await.unwrap();
    let path = format!("/v1/keys/{}", key.key);
    let hung_up = wait::within(Duration::from_millis(300), partner.operator.delete(&path)).await;
    assert!(hung_up.is_none(), "the write lock is held, and yet: {hung_up:?}");
    sqlx::raw_sql("COMMIT").execute(&mut database).await.unwrap();
    let revoked = daemon.client(Some(&key));
    wait::until("the key to be refused", async || {
        let answer = revoked.get("/v1/webhooks").await;
        if answer.status == 401 { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await;
}

/// The next in line was claimed with the webhook as it was before the answer.
#[tokio::test]
async fn requests_went_on_after_410() {
    let (daemon, sink) = (Daemon::start(), Sink::always(410).await);
    let partner = Partner::join(&daemon).await;
    let webhook = partner.subscribe(&sink.url("/in"), &["order.*"]).await;
    let batch: Vec<_> = (0..3)
        .map(|_| json!({"event": "order.filled", "tenant": partner.tenant, "data": {"id": "o"}}))
        .collect();
    partner.operator.post("/v1/events/batch", &json!(batch)).await.must_be(202);
    wait::until("all to be parked", async || {
        let all = partner.deliveries(&webhook).await;
        match all.iter().all(|delivery| delivery["status"] == "parked") {
            true => Ok(()),
            false => Err(format!("{all:?}")),
        }
    })
    .await;
    assert_eq!(sink.requests().len(), 1);
}

/// A line of events about one object kept its slot to its end, whoever else waited for one.
#[tokio::test]
async fn a_long_line_kept_its_slot_from_everybody_else() {
    let daemon = Daemon::start_with(&["--max-in-flight", "1"]);
    let slow = Sink::start(|_| Answer::status(200).after(Duration::from_millis(100))).await;
    let quick = Sink::always(200).await;
    let (first, second) = (Partner::join(&daemon).await, Partner::join(&daemon).await);
    first.subscribe(&slow.url("/in"), &["order.*"]).await;
    second.subscribe(&quick.url("/in"), &["order.*"]).await;
    let line: Vec<_> = (0..20)
        .map(|_| json!({"event": "order.filled", "tenant": first.tenant, "data": {"id": "o"}}))
        .collect();
    first.operator.post("/v1/events/batch", &json!(line)).await.must_be(202);
    second.publish("order.filled", &json!({"id": "o"})).await;
    quick.until_count(1).await;
    let before = slow.requests().len();
    assert!(before < 10, "{before} of the line went first");
}
