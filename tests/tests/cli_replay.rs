//! Replays, test events and the stream of events on the command line.
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::fs::File;
use std::path::Path;

use bluum_hooks_tests::binary::{self, Ending};
use bluum_hooks_tests::client::{Credentials, text};
use bluum_hooks_tests::daemon::{self, Daemon};
use bluum_hooks_tests::partner::{Partner, Webhook};
use bluum_hooks_tests::sink::Sink;
use bluum_hooks_tests::wait;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A partner whose webhook has so many deliveries that were given up, at a receiver that takes
/// what comes from now on.
async fn with_parked(daemon: &Daemon, count: usize) -> (Sink, Partner, Webhook) {
    let refused = count;
    let sink = Sink::start(move |request| {
        bluum_hooks_tests::sink::Answer::status(if request.number < refused { 500 } else { 200 })
    })
    .await;
    let partner = Partner::join(daemon).await;
    let body = json!({"url": sink.url("/"), "eventTypeNames": ["*"], "retry_schedule": []});
    let webhook = partner.subscribe_as(&body).await;
    for n in 0..count {
        let event = partner.publish("order.filled", &json!({"id": format!("ord_{n}")})).await;
        partner.until_delivery(&webhook, &event, "parked").await;
    }
    (sink, partner, webhook)
}

#[tokio::test]
async fn what_is_parked_is_counted_replayed_and_followed() {
    let daemon = daemon::shared(&[]);
    let (sink, partner, webhook) = with_parked(&daemon, 3).await;
    let run = |more: &[&str]| daemon.run(&[&["webhooks", "replay", &webhook.id], more].concat());
    assert_eq!(run(&["--dry-run"]).must_exit(0).stdout, "3 would be replayed\n");
    let counted = run(&["--dry-run", "--reason", "gone", "--json"]).must_exit(0).json();
    assert_eq!((&counted["total"], &counted["dry_run"]), (&json!(0), &json!(true)));

    let waited = run(&["--reason", "exhausted", "--event", "order.filled", "--wait"]).must_exit(0);
    assert!(waited.stdout.starts_with("rpl_"), "{waited:?}");
    assert!(waited.stdout.ends_with(" finished: 3 replayed\n"), "{waited:?}");
    assert!(waited.stderr.ends_with("3 of 3 replayed\n"), "{waited:?}");
    assert!(!waited.stderr.contains('\r'), "plain lines where there is no terminal: {waited:?}");
    sink.until_count(6).await;

    let since = ["--status", "delivered", "--since", "2999-01-01T00:00:00Z", "--json"];
    let begun = run(&since).must_exit(0).json();
    assert_eq!((&begun["status"], &begun["total"]), (&json!("running"), &json!(0)));
    let json = run(&["--wait", "--json"]).must_exit(0);
    assert_eq!((&json.json()["status"], &*json.stderr), (&json!("finished"), ""));

    let listed = daemon.run(&["webhooks", "replays", &webhook.id]).must_exit(0).stdout;
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 4, "{listed}");
    assert!(lines[0].starts_with("ID") && lines[3].contains("exhausted"), "{listed}");
    let json = ["webhooks", "replays", &webhook.id, "--limit", "1", "--json"];
    assert_eq!(daemon.run(&json).must_exit(0).json()["has_more"], true);

    let first = partner.deliveries(&webhook).await.remove(0);
    let again = daemon.run(&["deliveries", "replay", text(&first, "id")]).must_exit(0);
    let said = format!("{} replayed; it is waiting\n", text(&first, "id"));
    assert_eq!(again.stdout, said);
    sink.until_count(7).await;
}

#[tokio::test]
async fn what_cannot_be_replayed_ends_with_the_status_of_the_error() {
    let daemon = daemon::shared(&[]);
    let (_sink, partner, webhook) = with_parked(&daemon, 1).await;
    let parked = text(&partner.deliveries(&webhook).await[0], "id").to_owned();
    let inactive = daemon.run(&["webhooks", "update", &webhook.id, "--status", "inactive"]);
    inactive.must_exit(0);
    let follow = ["events", "follow", "--tenant", &partner.tenant];
    for (arguments, exit, word) in [
        (vec!["webhooks", "replay", &webhook.id], 2, "BLUM-409-003"),
        (vec!["webhooks", "replay", &webhook.id, "--status", "queued"], 2, "'status'"),
        (vec!["webhooks", "replay", &webhook.id, "--since", "yesterday"], 2, "'since'"),
        (vec!["webhooks", "replay", &webhook.id, "--dry-run", "--wait"], 2, "--wait"),
        (vec!["webhooks", "replay", "wh_00000000000000000000000000"], 4, "BLUM-404"),
        (vec!["webhooks", "replays", "wh_00000000000000000000000000"], 4, "BLUM-404"),
        (vec!["webhooks", "test", &webhook.id], 2, "BLUM-409-003"),
        (vec!["webhooks", "test", &webhook.id, "--event", "order.fileld"], 2, "order.filled"),
        (vec!["deliveries", "replay", &parked], 2, "BLUM-409-003"),
        (vec!["deliveries", "replay", "dlv_00000000000000000000000000"], 4, "BLUM-404"),
        ([&follow[..], &["--event", "order.fileld"]].concat(), 2, "order.filled"),
        ([&follow[..], &["--base-url", "http://127.0.0.1:9"]].concat(), 5, "cannot reach"),
    ] {
        let run = daemon.run(&arguments).must_exit(exit);
        assert!(run.stderr.contains(word), "expected '{word}' in {run:?}");
        assert_eq!(run.stdout, "", "{run:?}");
    }
}

#[tokio::test]
async fn a_test_event_is_sent_from_the_command_line() {
    let (daemon, sink) = (daemon::shared(&[]), Sink::always(200).await);
    let partner = Partner::join(&daemon).await;
    let webhook = partner.subscribe(&sink.url("/"), &["order.*"]).await;
    let run = daemon.run(&["webhooks", "test", &webhook.id]).must_exit(0);
    assert!(run.stdout.contains(" order.") && run.stdout.contains(&webhook.id), "{run:?}");
    let chosen = ["webhooks", "test", &webhook.id, "--event", "kyc.decided", "--json"];
    assert_eq!(daemon.run(&chosen).must_exit(0).json()["event"], "kyc.decided");
    sink.until_count(2).await;
}

/// Connections to one port, passed on to where the daemon is now; all are cut when that changes.
async fn passage(target: watch::Receiver<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut target = target;
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                _ = target.changed() => connections.abort_all(),
                accepted = listener.accept() => {
                    let (mut near, _) = accepted.unwrap();
                    let address = target.borrow().trim_start_matches("http://").to_owned();
                    connections.spawn(async move {
                        if let Ok(mut far) = TcpStream::connect(address).await {
                            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                        }
                    });
                }
            }
        }
    });
    base
}

/// `events follow`, with its lines in a file of this folder.
fn follow(base: &str, key: &Credentials, folder: &Path, arguments: &[&str]) -> Ending {
    let mut command = binary::command(&["events", "follow"]);
    command.args(arguments).env("BLUUM_BASE_URL", base);
    command.env("BLUUM_API_KEY", &key.key).env("BLUUM_API_SECRET", &key.secret);
    command.stdout(File::create(folder.join("followed")).unwrap());
    command.stderr(File::create(folder.join("told")).unwrap());
    Ending(command.spawn().unwrap())
}

/// Waits for so many lines in the file.
async fn lines(folder: &Path, count: usize) -> Vec<String> {
    wait::until(&format!("{count} lines"), async || {
        let text = std::fs::read_to_string(folder.join("followed")).unwrap();
        let told = std::fs::read_to_string(folder.join("told")).unwrap();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.len() >= count { Ok(lines) } else { Err(format!("{text}{told}")) }
    })
    .await
}

#[tokio::test]
async fn following_goes_on_where_it_was_when_the_daemon_is_back() {
    let mut daemon = Daemon::start();
    let partner = Partner::join(&daemon).await;
    let order = json!({"id": "ord_1", "note": "a\nb"});
    let first = partner.publish("order.filled", &order).await;
    let (target, at) = watch::channel(daemon.base().to_owned());
    let base = passage(at).await;
    let folder = daemon.folder().join("follow");
    std::fs::create_dir(&folder).unwrap();
    let options = ["--tenant", &partner.tenant, "--json"];
    let mut following = follow(&base, daemon.operator_key(), &folder, &options);
    lines(&folder, 1).await;

    daemon.restart();
    target.send_replace(daemon.base().to_owned());
    let partner = Partner { operator: daemon.operator(), ..partner };
    let second = partner.publish("deposit.completed", &json!({"id": "dep_1"})).await;
    let pretty = "{\n  \"id\": \"ord_2\"\n}";
    let third = partner.publish_text("order.filled", pretty).await.must_be(202);
    let followed = lines(&folder, 3).await;
    let events: Vec<Value> =
        followed.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<&str> = events.iter().map(|event| text(event, "id")).collect();
    assert_eq!(ids, [&first, &second, text(&third, "id")]);
    assert_eq!((&events[0]["data"], &events[2]), (&order, &third));
    let told = std::fs::read_to_string(folder.join("told")).unwrap();
    assert_eq!(told, "the connection was lost; trying again\n");
    following.kill();

    let options =
        ["--tenant", &partner.tenant, "--starting-after", &first, "--event", "order.filled"];
    let _following = follow(&base, daemon.operator_key(), &folder, &options);
    let line = lines(&folder, 1).await.remove(0);
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!((words[0], words[2], words[3]), (text(&third, "id"), "order.filled", "-"));
    daemon.audit();
}
