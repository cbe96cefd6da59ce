//! `trigger` through the daemon, to a partner's webhook.

use bluum_hooks_tests::binary::{self, Run};
use bluum_hooks_tests::client::text;
use bluum_hooks_tests::daemon::Daemon;
use bluum_hooks_tests::partner::Partner;
use bluum_hooks_tests::sink::Sink;
use serde_json::{Value, json};

use super::{file, lines, verify};

/// `trigger` at this daemon, for this partner.
fn publish(daemon: &Daemon, partner: &Partner, arguments: &[&str]) -> Run {
    daemon.run(&[&["trigger", "--tenant", &partner.tenant], arguments].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_story_goes_through_the_daemon_and_is_waited_for() {
    let daemon = Daemon::start();
    let partner = Partner::join(&daemon).await;
    let sink = Sink::always(204).await;
    let webhook = partner.subscribe(&sink.url("/in"), &["order.*", "wallet.*"]).await;
    let run = publish(&daemon, &partner, &["market-buy", "--wait", "--json"]).must_exit(0);
    let lines = lines(&run);
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).collect::<Vec<_>>();
    assert_eq!((of("sent").len(), of("outcome").len(), lines.len()), (4, 4, 8), "{run:?}");
    for (line, request) in of("sent").iter().zip(&sink.until_count(4).await) {
        let event = verify(request, &webhook.secret).unwrap();
        assert_eq!(text(line, "event"), event.id);
    }
    for line in of("outcome") {
        assert_eq!((&line["status"], text(line, "outcome")), (&json!(204), "delivered"));
        assert_eq!(text(line, "webhook"), webhook.id);
    }
    let plain = publish(&daemon, &partner, &["order.filled"]).must_exit(0);
    let id = partner.events().await.pop().unwrap();
    assert_eq!(plain.stdout, format!("{}  order.filled\n", text(&id, "id")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_publishing_can_do_wrong_it_does() {
    let daemon = Daemon::start();
    let partner = Partner::join(&daemon).await;
    let faults = ["deposit-failed", "--fault", "reorder,delay=1s"];
    publish(&daemon, &partner, &faults).must_exit(0);
    let events = partner.events().await;
    let names: Vec<_> = events.iter().map(|event| text(event, "event")).collect();
    assert_eq!(names, ["transfer.deposit.failed", "transfer.deposit.initiated"]);
    let seconds = |event: &Value| {
        let happened: bluum_hooks_receiver::Timestamp = text(event, "timestamp").parse().unwrap();
        event["created"].as_i64().unwrap() - happened.as_unix_seconds()
    };
    assert!(events.iter().all(|event| seconds(event) >= 1), "{events:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_not_delivered_is_status_8() {
    let daemon = Daemon::start();
    let partner = Partner::join(&daemon).await;
    let nobody = publish(&daemon, &partner, &["order.filled", "--wait"]).must_exit(8);
    assert!(nobody.stderr.contains("no webhook subscribes to any of it; "), "{nobody:?}");

    let sink = Sink::always(500).await;
    partner.subscribe(&sink.url("/"), &["order.*"]).await;
    let run = publish(&daemon, &partner, &["order.filled", "--wait"]).must_exit(8);
    assert!(run.stdout.contains("500  failed; tried again at 20"), "{run:?}");
    let event = run.stdout.split_whitespace().next().unwrap();
    let next = format!("not everything was delivered; `bluum-hooks show {event} --why`");
    assert!(run.stderr.contains(&next), "{run:?}");

    let story = publish(&daemon, &partner, &["market-buy", "--wait"]).must_exit(8);
    assert!(story.stdout.contains("---  queued behind dlv_"), "not waited for: {story:?}");

    let (_folder, path) = file(
        "x.json",
        r#"{"steps":[{"type":"order.canceled"},
        {"type":"order.filled","expect":"2xx"},{"type":"order.canceled"}]}"#,
    );
    let run = publish(&daemon, &partner, &[&format!("@{path}"), "--wait=1s"]).must_exit(8);
    assert!(run.stderr.contains("was expected to be delivered, and was not; "), "{run:?}");
    assert_eq!(run.stdout.matches("order.canceled").count(), 1, "{run:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_real_event_is_a_sample_with_every_digit() {
    let daemon = Daemon::start();
    let partner = Partner::join(&daemon).await;
    let data = r#"{"z":12345678901234567890,"status":"filled","id":"ord_1","a":1.10,"t":"\u00e9"}"#;
    let stored = partner.publish_text("order.filled", data).await.must_be(202);
    let like = [text(&stored, "id"), "-s", "data.status=failed", "--dry-run", "--json"];
    let run = publish(&daemon, &partner, &[&["--like"], &like[..]].concat()).must_exit(0);
    let changed = data.replace("filled", "failed");
    assert!(run.stdout.contains(&format!(r#""data":{changed}}}"#)), "{run:?}");
    assert!(run.stdout.contains(r#""event":"order.filled""#), "{run:?}");
    publish(&daemon, &partner, &["--like", "evt_nonsense"]).must_exit(4);
}

/// In production an example would look to its receiver as if money had moved.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_key_for_production_triggers_nothing() {
    let daemon = Daemon::start();
    let live = daemon.new_key(&json!({"role": "operator", "livemode": true})).await;
    let mut command = binary::command(&["trigger", "order.filled"]);
    command.env("BLUUM_BASE_URL", daemon.base());
    command.env("BLUUM_API_KEY", &live.key).env("BLUUM_API_SECRET", &live.secret);
    let run = binary::finish(command).must_exit(2);
    assert!(run.stderr.contains("this key is for production"), "{run:?}");
    assert!(daemon.client(Some(&live)).list("/v1/events").await.is_empty());
}
