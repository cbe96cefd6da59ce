//! `bluum-hooks audit`: finds each way to break a database, says so, and sets right what it can.
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bluum_hooks_dispatcher::store::sqlite::rules;
use bluum_hooks_tests::binary::{self, Run};
use bluum_hooks_tests::breakage::{Breakage, OF_DELIVERIES, OF_THE_FILE, OF_WEBHOOKS};
use bluum_hooks_tests::client::{Call, text};
use bluum_hooks_tests::daemon::Daemon;
use bluum_hooks_tests::partner::{Partner, Webhook};
use bluum_hooks_tests::sink::Sink;
use bluum_hooks_tests::wait;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// A database as [`bluum_hooks_tests::breakage`] wants it, its daemon stopped.
async fn sound() -> &'static [u8] {
    static SOUND: OnceCell<Vec<u8>> = OnceCell::const_new();
    SOUND.get_or_init(make).await
}

async fn make() -> Vec<u8> {
    let (good, bad) = (Sink::always(200).await, Sink::always(500).await);
    let mut daemon = Daemon::start();
    let partner = Partner::join(&daemon).await;
    let orders = json!({"url": good.url("/"), "eventTypeNames": ["order.*"]});
    let create = Call::post("/v1/webhooks", orders.to_string()).header("idempotency-key", "one");
    let first = partner.api.send(create).await.must_be(201);
    let failing = partner.subscribe(&bad.url("/"), &["deposit.completed"]).await;
    let idle = partner.subscribe(&good.url("/"), &["kyc.decided"]).await;
    let idle = format!("/v1/webhooks/{}", idle.id);
    partner.api.patch(&idle, &json!({"status": "inactive"})).await.must_be(200);
    for object in ["ord_1", "ord_1", "ord_2"] {
        partner.publish("order.filled", &json!({"id": object})).await;
    }
    let mut deposits = Vec::new();
    for object in ["dep_1", "dep_1", "dep_2"] {
        deposits.push(partner.publish("deposit.completed", &json!({"id": object})).await);
    }
    for object in ["kyc_1", "kyc_2"] {
        partner.publish("kyc.decided", &json!({"id": object})).await;
    }
    good.until_count(3).await;
    for (event, attempts) in [(&deposits[0], 1), (&deposits[2], 1)] {
        let waits = async || {
            let found = partner.until_delivery(&failing, event, "waiting").await;
            if found["attempts"].as_array().unwrap().len() == attempts {
                Ok(())
            } else {
                Err(found)
            }
        };
        wait::until("an attempt to be recorded", waits).await;
    }
    let replays = format!("/v1/webhooks/{}/replay", text(&first, "id"));
    let replay = partner.api.post(&replays, &json!({"status": "delivered"})).await.must_be(202);
    let replay = format!("/v1/replays/{}", text(&replay, "id"));
    wait::until("the replay to end", async || {
        let replay = partner.api.get(&replay).await.must_be(200);
        if replay["status"] == "finished" { Ok(()) } else { Err(replay) }
    })
    .await;
    good.until_count(6).await;
    let first = Webhook { id: text(&first, "id").into(), secret: text(&first, "secret").into() };
    wait::until("what was replayed to be recorded", async || {
        let deliveries = partner.deliveries(&first).await;
        let delivered = deliveries.iter().all(|delivery| delivery["status"] == "delivered");
        if delivered { Ok(()) } else { Err(json!(deliveries)) }
    })
    .await;
    daemon.kill();
    let mut connection = by_hand(&daemon.database()).await;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    fs::read(daemon.database()).unwrap()
}

/// A copy of the sound database, without its key.
struct Copy {
    folder: TempDir,
}

impl Copy {
    async fn new() -> Self {
        let copy = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(copy.file(), sound().await).unwrap();
        copy
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("copy.db")
    }

    async fn execute(&self, sql: &'static str) {
        let mut connection = by_hand(&self.file()).await;
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    fn audit(&self, options: &[&str]) -> Run {
        let url = format!("sqlite:{}", self.file().display());
        binary::run(&[&["audit", "--database", &url], options].concat())
    }
}

/// As somebody who knows better than the schema.
async fn by_hand(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(file).foreign_keys(false);
    options.pragma("ignore_check_constraints", "on").connect().await.unwrap()
}

fn codes(audit: &Value) -> BTreeSet<&str> {
    audit["violations"].as_array().unwrap().iter().map(|one| text(one, "code")).collect()
}

/// Whether the first rule is broken at a place that is told with these words.
fn told(audit: &Value, broken: &Breakage) -> bool {
    let violations = audit["violations"].as_array().unwrap();
    let mut first = violations.iter().filter(|one| one["code"] == broken.codes[0]);
    first.any(|one| text(one, "place").contains(broken.words))
}

async fn find_and_repair(broken: &Breakage) {
    let copy = Copy::new().await;
    copy.execute(broken.sql).await;
    let found = copy.audit(&["--json"]);
    assert_eq!(found.status.code(), Some(9), "{broken:?}: {found:?}");
    let audit = found.json();
    assert_eq!(codes(&audit), broken.codes.iter().copied().collect(), "{broken:?}: {found:?}");
    assert!(told(&audit, broken), "{broken:?}: {found:?}");

    let tried = copy.audit(&["--repair", "--dry-run", "--json"]).must_exit(9).json();
    assert_eq!(copy.audit(&["--json"]).must_exit(9).json(), audit, "a dry run changed something");
    let status = if broken.repaired.is_some() { 0 } else { 9 };
    let repaired = copy.audit(&["--repair", "--json"]).must_exit(status);
    let after = repaired.json();
    assert_eq!(after["repaired"], tried["repaired"], "done and announced: {repaired:?}");
    match broken.repaired {
        Some(words) => {
            let done = after["repaired"].as_array().unwrap();
            let says = done.iter().any(|one| text(one, "done").contains(words));
            assert!(says, "'{words}' in {repaired:?}");
        }
        None => {
            assert_eq!(after["repaired"], json!([]), "{repaired:?}");
            assert_eq!(codes(&after), codes(&audit));
        }
    }
    let again = copy.audit(&["--json"]).must_exit(status).json();
    assert_eq!(again["violations"], after["violations"]);
    assert_eq!(copy.audit(&["--repair", "--json"]).must_exit(status).json()["repaired"], json!([]));
}

#[tokio::test]
async fn a_broken_file_is_found() {
    for broken in OF_THE_FILE {
        find_and_repair(broken).await;
    }
}

#[tokio::test]
async fn broken_webhooks_are_found() {
    for broken in OF_WEBHOOKS {
        find_and_repair(broken).await;
    }
}

#[tokio::test]
async fn broken_deliveries_are_found() {
    for broken in OF_DELIVERIES {
        find_and_repair(broken).await;
    }
}

#[test]
fn every_rule_is_broken_once() {
    let all = [OF_THE_FILE, OF_WEBHOOKS, OF_DELIVERIES].into_iter().flatten();
    let all: BTreeSet<_> = all.map(|broken| broken.codes[0]).collect();
    let known: BTreeSet<_> = rules().map(|rule| rule.code).collect();
    assert_eq!(all, known);
}

#[tokio::test]
async fn what_is_broken_is_told_with_what_to_do() {
    let copy = Copy::new().await;
    let healthy = copy.audit(&[]).must_exit(0);
    assert!(healthy.stdout.contains("every promise is kept"), "{healthy:?}");
    assert_eq!(copy.audit(&["--repair", "--json"]).must_exit(0).json()["repaired"], json!([]));
    copy.execute("UPDATE webhooks SET last_sequence = 1 WHERE number = 2").await;
    let told = copy.audit(&[]).must_exit(9);
    for words in [
        "broken: the next sequence number is a new one (last_sequence)\n  wh_",
        ": the last number given is 1, and there is number 3\n  → stop the dispatcher and run",
    ] {
        assert!(told.stdout.contains(words), "{told:?}");
    }
    assert!(told.stderr.contains("error: 2 promises are not kept; see"), "{told:?}");
    let repaired = copy.audit(&["--repair"]).must_exit(0);
    assert!(repaired.stdout.starts_with("repaired:\n  wh_"), "{repaired:?}");
    assert!(repaired.stdout.contains(" goes on after number 3 (last_sequence)\n"), "{repaired:?}");
}

#[tokio::test]
async fn what_the_outbox_rejected_waits_for_a_person() {
    let copy = Copy::new().await;
    let reject = "INSERT INTO outbox_rejected (position, reason, rejected_at) VALUES (1, 'odd', 1)";
    copy.execute(reject).await;
    let told = copy.audit(&[]).must_exit(0);
    assert!(told.stdout.contains("1 rejected, for a person to look at"), "{told:?}");
    assert_eq!(copy.audit(&["--json"]).must_exit(0).json()["outbox_rejected"], 1);
}

/// A page in the middle is overwritten: whatever cannot be read is a violation, not a crash.
#[tokio::test]
async fn a_damaged_file_is_told_as_far_as_it_can_be_read() {
    for table in ["attempts", "deliveries", "answers_by_age"] {
        let copy = Copy::new().await;
        let mut connection = by_hand(&copy.file()).await;
        let page = sqlx::query_as(
            "SELECT rootpage, (SELECT page_size FROM pragma_page_size)
            FROM sqlite_schema WHERE name = ?1",
        );
        let (page, size): (usize, usize) = {
            let (page, size): (i64, i64) =
                page.bind(table).fetch_one(&mut connection).await.unwrap();
            (page.try_into().unwrap(), size.try_into().unwrap())
        };
        connection.close().await.unwrap();
        let mut bytes = fs::read(copy.file()).unwrap();
        bytes[(page - 1) * size..page * size].fill(0x5a);
        fs::write(copy.file(), bytes).unwrap();
        let told = copy.audit(&["--json"]).must_exit(9);
        assert!(codes(&told.json()).contains("file"), "{table}: {told:?}");
    }
}

/// While events come in and are delivered, replayed and refused, every audit finds all in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_daemon_under_load_audits_clean() {
    const EVENTS: usize = 300;
    let sink = Sink::in_turn(&[200, 500, 200, 200, 503, 200]).await;
    let daemon = Daemon::start_with(&["--retry-schedule", "1s,1s,1s"]);
    let partner = Partner::join(&daemon).await;
    let webhook = partner.subscribe(&sink.url("/"), &["order.*"]).await;
    let load = tokio::spawn({
        let partner = partner.clone();
        async move {
            for n in 0..EVENTS {
                partner.publish("order.filled", &json!({"id": format!("ord_{}", n % 7)})).await;
            }
        }
    });
    let mut audits = 0;
    while !load.is_finished() || audits < 3 {
        let url = daemon.url();
        let options: &[&str] = if audits % 2 == 0 { &["--json"] } else { &[] };
        let audit = async move || {
            let run = move || binary::run(&[&["audit", "--database", &url], options].concat());
            tokio::task::spawn_blocking(run).await.unwrap().must_exit(0)
        };
        audit().await;
        audits += 1;
    }
    load.await.unwrap();
    sink.until("everything", |requests| requests.len() >= EVENTS).await;
    let refused = binary::run(&["audit", "--repair", "--database", &daemon.url()]).must_exit(1);
    assert!(refused.stderr.contains("a dispatcher uses"), "{refused:?}");
    assert!(refused.stderr.contains("stop it first"), "{refused:?}");
    assert_eq!(partner.deliveries(&webhook).await.len(), EVENTS);
}
