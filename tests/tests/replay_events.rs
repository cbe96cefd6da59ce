//! `bluum-hooks replay`: past events again, where they belong and nowhere else.

use std::fs;

use bluum_hooks_tests::binary::{self, Run};
use bluum_hooks_tests::client::{Credentials, text};
use bluum_hooks_tests::daemon::{self, Shared};
use bluum_hooks_tests::listening::Listener;
use bluum_hooks_tests::partner::{Partner, Webhook};
use bluum_hooks_tests::sink::Sink;
use serde_json::{Value, json};

/// A partner with one webhook at a receiver, and a key for the command line.
struct Developer {
    daemon: Shared,
    partner: Partner,
    key: Credentials,
    sink: Sink,
    webhook: Webhook,
}

impl Developer {
    async fn with(sink: Sink) -> Self {
        let daemon = daemon::shared(&[]);
        let partner = Partner::join(&daemon).await;
        let key = daemon.new_key(&json!({"role": "tenant", "tenant": partner.tenant})).await;
        let body = json!({"url": sink.url("/"), "eventTypeNames": ["order.*"],
            "retry_schedule": []});
        let webhook = partner.subscribe_as(&body).await;
        Self { daemon, partner, key, sink, webhook }
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = self.daemon.command_as(&self.key, &["replay"]);
        command.args(arguments).env("BLUUM_WEBHOOK_SECRET", &self.webhook.secret);
        binary::finish(command)
    }

    async fn published(&self, count: usize, status: &str) -> Vec<String> {
        let mut events = Vec::new();
        for n in 0..count {
            let order = json!({"id": format!("ord_{n}")});
            let event = self.partner.publish("order.filled", &order).await;
            self.partner.until_delivery(&self.webhook, &event, status).await;
            events.push(event);
        }
        events
    }
}

fn says(run: &Run, words: &[&str]) {
    for word in words {
        assert!(run.stderr.contains(word) || run.stdout.contains(word), "'{word}' in {run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_named_goes_to_the_webhook_named_and_to_no_other() {
    let dev = Developer::with(Sink::always(200).await).await;
    let other = Sink::always(200).await;
    dev.partner.subscribe(&other.url("/"), &["*"]).await;
    let events = dev.published(2, "delivered").await;
    other.until_count(2).await;
    let to = ["--to", &*dev.webhook.id];

    let run = dev.run(&[&[&*events[0], "--wait"], &to[..]].concat()).must_exit(0);
    says(&run, &["  200  ", "order.filled", &events[0], "#2", &dev.webhook.id]);
    assert_eq!(dev.sink.until_count(3).await[2].event_id(), events[0]);
    let delivery = dev.partner.until_delivery(&dev.webhook, &events[0], "delivered").await;
    let run = dev.run(&[&[text(&delivery, "id")], &to[..]].concat()).must_exit(0);
    says(&run, &[text(&delivery, "id"), " replayed, to "]);
    dev.sink.until_count(4).await;
    dev.run(&[&["last"], &to[..]].concat()).must_exit(0);
    assert_eq!(dev.sink.until_count(5).await[4].event_id(), events[1]);
    other.until_count(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_one_is_replayed_only_if_that_was_meant() {
    let dev = Developer::with(Sink::in_turn(&[500, 500, 200]).await).await;
    let mut events = dev.published(2, "parked").await;
    events.extend(dev.published(1, "delivered").await);
    let to = ["--failed", "--to", &*dev.webhook.id];
    says(&dev.run(&to).must_exit(2), &["2 events would be replayed", "add -y"]);
    let none = ["--failed", "--since", "2999-01-01T00:00:00Z", "--to", &*dev.webhook.id];
    says(&dev.run(&none).must_exit(4), &["nothing to replay", "widen"]);
    let dry = dev.run(&[&to[..], &["--dry-run", "--json"]].concat()).must_exit(0);
    let told: Vec<Value> =
        dry.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<&str> = told.iter().map(|line| text(line, "event")).collect();
    assert_eq!(ids, [&events[0], &events[1]], "oldest first, and none that was taken");
    dev.sink.until_count(3).await;

    let since = ["-e", "order.*,!order.accepted", "--since", "10m", "-y", "--wait"];
    let run = dev.run(&[&to[..], &since].concat()).must_exit(0);
    assert_eq!(run.stdout.matches("  200  ").count(), 2, "{run:?}");
    let requests = dev.sink.until_count(5).await;
    assert_eq!([requests[3].event_id(), requests[4].event_id()], [&*events[0], &*events[1]]);
    says(&dev.run(&["last-failed", "--to", &dev.webhook.id]).must_exit(4), &["no failed"]);
}

/// Without `--to` it goes to one's own listener; and what failed there is what has failed.
#[tokio::test(flavor = "multi_thread")]
async fn unless_told_otherwise_it_goes_to_ones_own_listener() {
    let dev = Developer::with(Sink::always(200).await).await;
    let listener = Listener::put(&dev.partner.api, "ana", &json!({})).await;
    let mut stream = listener.stream("").await;
    let event = dev.partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    let first = stream.offer().await;
    listener.answer(&first, 500).await;
    let run = dev.run(&["last-failed", "--name", "ana"]).must_exit(0);
    says(&run, &[&event, "replayed, to wh_", "(listener:ana)"]);
    let again = stream.offer().await;
    assert_eq!((again.event(), again.body()), (first.event(), first.body()));
    assert!(listener.verifies(&again), "signed anew");
    listener.answer(&again, 200).await;
    dev.sink.until_count(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_status_8_a_delivery_was_not_2xx() {
    let dev = Developer::with(Sink::in_turn(&[200, 503]).await).await;
    let event = dev.published(1, "delivered").await.remove(0);
    let run = dev.run(&[&*event, "--to", &dev.webhook.id, "--wait"]).must_exit(8);
    says(&run, &["  503  ", "the sink says 503", "1 of 1 were not answered with 2xx"]);
    let local = dev.run(&[&*event, "--to", &dev.sink.url("/"), "--wait", "--json"]).must_exit(8);
    assert_eq!(local.json()["status"], 503);
    // Not waited for, not judged.
    dev.run(&[&*event, "--to", &dev.sink.url("/")]).must_exit(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_status_4_no_such_event_webhook_or_listener() {
    let dev = Developer::with(Sink::always(200).await).await;
    let event = dev.published(1, "delivered").await.remove(0);
    let late = dev.partner.subscribe(&dev.sink.url("/late"), &["*"]).await;
    let none = "evt_00000000000000000000000000";
    for (arguments, words) in [
        (vec![none, "--to", &*dev.webhook.id], "BLUM-404"),
        (vec![none, "--to", "3000"], "BLUM-404"),
        (vec![&*event, "--to", "wh_00000000000000000000000000"], "BLUM-404"),
        (vec![&*event, "--to", &*late.id], "was never owed to"),
        (vec![&*event], "there is no listener"),
        (vec![&*event, "--name", "ana"], "no listener 'ana'; start `bluum-hooks listen`"),
    ] {
        let run = dev.run(&arguments).must_exit(4);
        says(&run, &[words]);
        assert_eq!(run.stdout, "", "{run:?}");
    }
    dev.sink.until_count(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_status_2_what_cannot_be_meant() {
    let dev = Developer::with(Sink::always(200).await).await;
    let update = ["webhooks", "update", &*dev.webhook.id, "--status", "inactive"];
    dev.daemon.run(&update).must_exit(0);
    for (arguments, words) in [
        (vec![], "required arguments were not provided"),
        (vec!["last", "--to", &*dev.webhook.id], "its status is not active; set it with"),
        (vec!["lst", "--to", "3000"], "'lst' is no event, no delivery and no file"),
        (vec!["last", "--to", "hooks.example:80"], "is not on this machine"),
        (vec!["last", "--to", "3000", "--exact"], "the daemon keeps no signature"),
        (vec!["last", "--exact"], "--exact is for a local server"),
        (vec!["-e", "order.fileld", "--to", "3000"], "order.filled"),
        (vec!["--since", "soon", "--to", "3000"], "'soon' is no time"),
        (vec!["@/no/such/file", "--to", "3000"], "/no/such/file"),
    ] {
        let run = dev.run(&arguments).must_exit(2);
        says(&run, &[words]);
    }
}

#[test]
fn exit_status_3_without_a_key_and_5_without_a_daemon() {
    let mut command = binary::command(&["replay", "last", "--to", "3000"]);
    says(&binary::finish(command).must_exit(3), &["BLUUM_API_KEY is not set", "login`"]);
    command = binary::command(&["replay", "last", "--base-url", "http://127.0.0.1:9"]);
    command.env("BLUUM_API_KEY", "apk_1").env("BLUUM_API_SECRET", "x");
    says(&binary::finish(command).must_exit(5), &["cannot reach"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_server_gets_the_bytes_signed_anew() {
    let dev = Developer::with(Sink::always(200).await).await;
    let local = Sink::always(204).await;
    let exact = r#"{"id":"ord_1","quantity":12345678901234567890,"note":"\/ é"}"#;
    let event = dev.partner.publish_text("order.filled", exact).await.must_be(202);
    dev.sink.until_count(1).await;
    let run = dev.run(&["last", "--to", &local.url("/in")]).must_exit(0);
    says(&run, &["  204  ", text(&event, "id")]);
    let request = local.until_count(1).await.remove(0);
    let first = dev.sink.until_count(1).await.remove(0);
    assert_eq!((&request.body, &*request.path), (&first.body, "/in"));
    let verifier = standardwebhooks::Webhook::new(&dev.webhook.secret).unwrap();
    verifier.verify(&request.body, &request.headers).unwrap();

    let mut unset = dev.daemon.command_as(&dev.key, &["replay", "last", "--to", "3000"]);
    unset.env_remove("BLUUM_WEBHOOK_SECRET").env_remove("WEBHOOK_SECRET");
    says(&binary::finish(unset).must_exit(2), &["WEBHOOK_SECRET is not set"]);
    let (_socket, address) = bluum_hooks_tests::sink::refusing_port();
    let target = address.to_string();
    let away = dev.run(&["last", "--to", &target, "--wait"]).must_exit(8);
    says(&away, &["  ---  ", "connection refused"]);
}

/// No daemon, no key: a file, and a server.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_saved_is_sent_again_exactly_as_it_was() {
    let local = Sink::always(200).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.ndjson");
    let record = |event: &str, status: u16, body: &str| {
        json!({"v": 1, "type": "delivery", "event": event, "event_type": "order.filled",
            "status": status, "request": {"headers": [["webhook-id", event],
            ["webhook-timestamp", "1700000000"], ["webhook-signature", "v1,old"],
            ["host", "elsewhere"], ["content-length", "999"]], "body_b64": body}})
        .to_string()
    };
    let lines = [
        r#"{"v":1,"type":"ready","listener":"ana"}"#.to_owned(),
        record("evt_1", 500, "/wD+DQo="),
        record("evt_2", 200, ""),
        r#"{"v":1,"type":"novelty"}"#.to_owned(),
    ];
    fs::write(&file, lines.join("\n")).unwrap();
    let from = format!("@{}", file.display());
    let run = |more: &[&str]| {
        let to = ["replay", &*from, "--to", &local.url("/")].map(str::to_owned);
        let arguments: Vec<&str> =
            to.iter().map(|one| &**one).chain(more.iter().copied()).collect();
        binary::run(&arguments)
    };
    says(&run(&["--exact"]).must_exit(2), &["2 events would be replayed"]);
    run(&["--exact", "-y"]).must_exit(0);
    let requests = local.until_count(2).await;
    assert_eq!(&*requests[0].body, b"\xff\x00\xfe\r\n", "byte for byte");
    assert_eq!(
        (requests[0].header("webhook-signature"), requests[0].header("webhook-timestamp")),
        ("v1,old", "1700000000")
    );
    assert!(requests[1].body.is_empty());
    run(&["--exact", "--failed"]).must_exit(0);
    assert_eq!(local.until_count(3).await[2].event_id(), "evt_1");
    fs::write(&file, "{\"type\":\"ready\"}\nnonsense").unwrap();
    says(&run(&["--exact"]).must_exit(2), &["at line 2", "listen --save FILE"]);
}
