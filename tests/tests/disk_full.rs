//! The disk is full, or the database may not be written: publishers hear so, nothing is lost, what
//! was delivered is not delivered again, and when the fault ends all goes on by itself.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::collections::HashMap;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use bluum_hooks_tests::binary;
use bluum_hooks_tests::client::{Call, Client, Response, text};
use bluum_hooks_tests::daemon::{self, Daemon};
use bluum_hooks_tests::partner::{Partner, Webhook, about};
use bluum_hooks_tests::sink::{Answer, Sink};
use bluum_hooks_tests::wait;
use rlimit::{INFINITY, Resource};
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What an operator is promised: from room on the disk to the next delivery.
const RECOVERY: Duration = Duration::from_secs(5);
const PUBLISHERS: u64 = 4;

/// How many bytes a file of the daemon may have from now on. Beyond it a write fails as on a full
/// disk; the log is such a file, too.
fn limit_files(daemon: &Daemon, bytes: u64) {
    let process = i32::try_from(daemon.process_id()).unwrap();
    rlimit::prlimit(process, Resource::FSIZE, Some((bytes, INFINITY)), None).unwrap();
}

async fn ready(client: &Client) -> (u16, Value) {
    let answer = client.get("/readyz").await;
    (answer.status.as_u16(), answer.json())
}

async fn until_ready(client: &Client, limit: Duration) {
    let ready =
        wait::until_within(limit, "the daemon to be ready", async || match ready(client).await {
            (200, _) => Ok(()),
            other => Err(format!("{other:?}")),
        });
    ready.await;
}

/// 202 is accepted, 503 is not; nothing else is answered. Gives the id of the accepted.
fn accepted(answer: &Response) -> Option<String> {
    if answer.status.as_u16() == 202 {
        return Some(text(&answer.json(), "id").to_owned());
    }
    assert_eq!(answer.must_be(503)["error"]["code"], "BLUM-503-001");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    None
}

/// Publishes one event after the other until told to end; gives the accepted ones, and how many
/// were refused.
async fn publish(
    client: Client,
    tenant: String,
    number: u64,
    refused: watch::Sender<u64>,
    end: watch::Receiver<bool>,
) -> Vec<String> {
    let mut all = Vec::new();
    let mut n = number;
    while !*end.borrow() {
        let data = json!({"id": format!("ord_{n}"), "n": n});
        let body = json!({"event": "order.filled", "tenant": tenant, "data": data});
        n += PUBLISHERS;
        match accepted(&client.send(Call::post("/v1/events", body.to_string())).await) {
            Some(event) => all.push(event),
            None => refused.send_modify(|refused| *refused += 1),
        }
        wait::pause(Duration::from_millis(2)).await;
    }
    all
}

struct Load {
    publishers: JoinSet<Vec<String>>,
    refused: watch::Sender<u64>,
    end: watch::Sender<bool>,
}

impl Load {
    fn start(partner: &Partner) -> Self {
        let (refused, end) = (watch::Sender::new(0), watch::Sender::new(false));
        let mut publishers = JoinSet::new();
        for number in 0..PUBLISHERS {
            let (client, tenant) = (partner.operator.clone(), partner.tenant.clone());
            publishers.spawn(publish(client, tenant, number, refused.clone(), end.subscribe()));
        }
        Self { publishers, refused, end }
    }

    async fn until_refused(&self, more: u64) {
        let mut refused = self.refused.subscribe();
        let enough = *refused.borrow() + more;
        let reached = refused.wait_for(|refused| *refused >= enough);
        let reached = wait::within(wait::DEADLINE, reached).await.map(|seen| *seen.unwrap());
        assert!(reached.is_some(), "publishers are not refused");
    }

    async fn stop(self) -> Vec<String> {
        self.end.send_replace(true);
        self.publishers.join_all().await.concat()
    }
}

async fn until_all_delivered(partner: &Partner, webhook: &Webhook, events: &[String]) {
    wait::until("all that was accepted to be delivered", async || {
        let deliveries = partner.deliveries(webhook).await;
        let states: HashMap<&str, &str> = deliveries
            .iter()
            .map(|delivery| (text(delivery, "event_id"), text(delivery, "status")))
            .collect();
        let owed = events.iter().find(|event| states.get(event.as_str()) != Some(&"delivered"));
        owed.map_or(Ok(()), |owed| Err(format!("{owed}: {:?}", states.get(owed.as_str()))))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_nothing_is_lost_and_nothing_sent_twice() {
    let mut daemon = Daemon::start();
    // Answers that come when they cannot be recorded any more.
    let sink = Sink::start(|_| Answer::status(200).after(Duration::from_millis(50))).await;
    let partner = Partner::join(&daemon).await;
    let webhook = partner.subscribe(&sink.url("/in"), &["order.*"]).await;
    let load = Load::start(&partner);
    sink.until("deliveries under way", |requests| requests.len() > 20).await;

    limit_files(&daemon, 1);
    load.until_refused(100).await;
    let (status, body) = ready(&partner.operator).await;
    assert_eq!(status, 503, "{body}");
    assert!(text(&body, "status").starts_with("the database takes no writes"), "{body}");
    let change = json!({"url": sink.url("/in"), "eventTypeNames": ["*"]});
    let refused = partner.api.post("/v1/webhooks", &change).await;
    assert!(accepted(&refused).is_none(), "{refused:?}");
    load.until_refused(100).await;
    let received = sink.requests().len();

    limit_files(&daemon, INFINITY);
    let began = wait::now();
    sink.until_within(RECOVERY, "a delivery", |requests| requests.len() > received + 20).await;
    until_ready(&partner.operator, RECOVERY).await;
    println!("ready and delivering {:?} after there was room", wait::now() - began);
    let events = load.stop().await;
    until_all_delivered(&partner, &webhook, &events).await;
    let requests = sink.requests();
    let repeated = events.iter().find(|event| about(&requests, event).len() != 1);
    assert_eq!(repeated, None, "did not come once");
    println!("{} accepted, {} received", events.len(), requests.len());
    let log = daemon.log();
    assert!(log.contains("the database takes writes again"), "{log}");
    daemon.audit();
}

/// Without load nobody else writes: the health check finds out by itself.
#[tokio::test]
async fn an_idle_daemon_sees_that_there_is_room_again() {
    let (daemon, sink) = (Daemon::start(), Sink::always(200).await);
    let partner = Partner::join(&daemon).await;
    let webhook = partner.subscribe(&sink.url("/in"), &["order.*"]).await;
    limit_files(&daemon, 1);
    let data = r#"{"id":"ord_1"}"#;
    assert_eq!(accepted(&partner.publish_text("order.filled", data).await), None);
    for _ in 0..3 {
        assert_eq!(ready(&partner.operator).await.0, 503);
    }
    limit_files(&daemon, INFINITY);
    until_ready(&partner.operator, RECOVERY).await;
    let event = accepted(&partner.publish_text("order.filled", data).await).unwrap();
    partner.until_delivery(&webhook, &event, "delivered").await;
}

/// `serve` as somebody whom permissions bind, which they do not bind root: nobody, with a copy of
/// the binary where he gets at it.
fn serve_as_nobody(daemon: &Daemon) -> Command {
    const NOBODY: Option<u32> = Some(65_534);
    let folder = daemon.folder();
    let mut serve = binary::command(&[]);
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        let copy = folder.join("copy");
        std::fs::copy(binary::path(), &copy).unwrap();
        serve = Command::new(copy);
        serve.uid(65_534).gid(65_534).env_clear();
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        files.for_each(|file| std::os::unix::fs::chown(file, NOBODY, NOBODY).unwrap());
        std::os::unix::fs::chown(folder, NOBODY, NOBODY).unwrap();
    }
    serve.args(["serve", "--listen", "127.0.0.1:0", "--database", &daemon.url()]);
    serve
}

/// SQLite opened the file for reading and left others beside it, read-only as well: when it could
/// be written again, they could not.
#[test]
fn a_read_only_database_is_refused_with_advice_and_serves_once_it_is_not() {
    let mut daemon = Daemon::start();
    assert!(daemon.terminate().success());
    for (path, read_only) in [(daemon.database(), 0o444), (daemon.folder().to_owned(), 0o555)] {
        let serve = serve_as_nobody(&daemon);
        let before = std::fs::metadata(&path).unwrap().permissions();
        std::fs::set_permissions(&path, Permissions::from_mode(read_only)).unwrap();
        let refused = binary::finish(serve);
        std::fs::set_permissions(&path, before).unwrap();
        let refused = refused.must_exit(1);
        assert!(refused.stderr.contains("may be written"), "{refused:?}");
        let (mut process, line) = daemon::first_line(serve_as_nobody(&daemon), daemon.folder());
        assert!(line.starts_with("listening on"), "{line}");
        // Closed whole, so that the next has to make the files beside it.
        process.terminate();
        process.wait(wait::DEADLINE, "the end");
    }
}

/// A connection beside the daemon's own.
async fn connect(daemon: &Daemon) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(daemon.database());
    options.busy_timeout(wait::DEADLINE).connect().await.unwrap()
}

/// What the database will never take is given up alone, and said with the delivery's id.
#[tokio::test]
async fn an_outcome_that_is_refused_for_ever_holds_up_no_other() {
    let daemon = Daemon::start();
    let sink = Sink::start(|request| match request.path.as_str() {
        "/odd" => Answer::status(499),
        _ => Answer::status(200),
    })
    .await;
    let partner = Partner::join(&daemon).await;
    let odd = partner.subscribe(&sink.url("/odd"), &["order.*"]).await;
    let even = partner.subscribe(&sink.url("/even"), &["order.*"]).await;
    let refusal = "CREATE TRIGGER odd BEFORE INSERT ON attempts WHEN new.status = 499
        BEGIN SELECT RAISE(ABORT, 'odd'); END";
    sqlx::raw_sql(refusal).execute(&mut connect(&daemon).await).await.unwrap();
    for n in 0..20 {
        let event = partner.publish("order.filled", &json!({"id": format!("ord_{n}")})).await;
        partner.until_delivery(&even, &event, "delivered").await;
    }
    assert_eq!(ready(&partner.operator).await.0, 200);
    wait::until("the refusals to be logged", async || {
        let log = daemon.log();
        let deliveries = partner.deliveries(&odd).await;
        match deliveries.iter().find(|delivery| !log.contains(text(delivery, "id"))) {
            None => Ok(()),
            Some(other) => Err(format!("not in the log: {other}")),
        }
    })
    .await;
}
