//! `bluum-hooks tail`: every attempt of every webhook, once, in order, as it is made.
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;

use bluum_hooks_tests::binary::{self, Ending, Run};
use bluum_hooks_tests::client::{Credentials, text};
use bluum_hooks_tests::daemon::{self, Shared};
use bluum_hooks_tests::partner::{Partner, Webhook};
use bluum_hooks_tests::sink::Sink;
use bluum_hooks_tests::{snapshot, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

struct Developer {
    daemon: Shared,
    partner: Partner,
    key: Credentials,
    folder: TempDir,
}

impl Developer {
    async fn new() -> Self {
        let daemon = daemon::shared(&[]);
        let partner = Partner::join(&daemon).await;
        let key = daemon.new_key(&json!({"role": "tenant", "tenant": partner.tenant})).await;
        Self { daemon, partner, key, folder: tempfile::tempdir().unwrap() }
    }

    async fn webhook(&self, sink: &Sink, waits: Value) -> Webhook {
        let body = json!({"url": sink.url("/"), "eventTypeNames": ["order.*", "kyc.*"],
            "retry_schedule": waits});
        self.partner.subscribe_as(&body).await
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let arguments = [&["tail", "--no-follow"], arguments].concat();
        binary::finish(self.daemon.command_as(&self.key, &arguments))
    }

    fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        let run = self.run(&[&["--json"], arguments].concat()).must_exit(0);
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn told(&self) -> PathBuf {
        self.folder.path().join("told")
    }

    fn follow(&self, arguments: &[&str]) -> Ending {
        let mut command = self.daemon.command_as(&self.key, &["tail", "--json"]);
        command.args(arguments).stdout(File::create(self.told()).unwrap());
        Ending(command.stderr(Stdio::null()).spawn().unwrap())
    }

    async fn until_told(&self, count: usize) -> Vec<Value> {
        wait::until(&format!("{count} lines"), async || {
            let text = fs::read_to_string(self.told()).unwrap();
            // The last may be half written.
            let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let lines: Vec<Value> = whole.map(|line| serde_json::from_str(line).unwrap()).collect();
            if lines.len() >= count { Ok(lines) } else { Err(text) }
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn past_attempts_are_told_in_order_and_as_they_were() {
    let dev = Developer::new().await;
    let (good, bad) = (Sink::always(200).await, Sink::in_turn(&[500, 404]).await);
    let fine = dev.webhook(&good, json!([])).await;
    let failing = dev.webhook(&bad, json!(["1s"])).await;
    let first = dev.partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    dev.partner.until_delivery(&failing, &first, "parked").await;
    let second = dev.partner.publish("kyc.decided", &json!({"id": "kyc_1"})).await;
    dev.partner.until_delivery(&failing, &second, "parked").await;
    dev.partner.until_delivery(&fine, &second, "delivered").await;

    let all = dev.lines(&[]);
    assert_eq!(all.len(), 6, "{all:?}");
    let times: Vec<&str> = all.iter().map(|line| text(line, "at")).collect();
    assert!(times.is_sorted(), "{times:?}");
    let only = ["--webhook", &*failing.id, "-e", "order.*"];
    let plain = dev.run(&only).must_exit(0).stdout;
    snapshot::check("tail.txt", &snapshot::neutral(&plain));
    for (arguments, count) in [
        (vec!["-s", "failed"], 4),
        (vec!["-s", "2xx"], 2),
        (vec!["-s", "404,5xx"], 4),
        (vec!["-s", "500"], 1),
        (vec!["-s", "timeout"], 0),
        (vec!["-e", "kyc.*"], 3),
        (vec!["-e", "!kyc.*", "--webhook", &*fine.id], 1),
        (vec!["-N", "1"], 1),
        (vec!["-N", "0"], 0),
        (vec!["--since", "1h"], 6),
        (vec!["--since", "2999-01-01T00:00:00Z"], 0),
    ] {
        assert_eq!(dev.lines(&arguments).len(), count, "{arguments:?}");
    }
    for (arguments, exit, words) in [
        (vec!["-s", "6xx"], 2, "2xx, 3xx"),
        (vec!["-e", "order.fileld"], 2, "order.filled"),
        (vec!["--since", "soon"], 2, "'soon'"),
        (vec!["--webhook", "wh_00000000000000000000000000"], 4, "BLUM-404"),
    ] {
        let run = dev.run(&arguments).must_exit(exit);
        assert!(run.stderr.contains(words) && run.stdout.is_empty(), "{run:?}");
    }
}

/// A retry of what was there before, an event, and one to a webhook that was not there yet.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_is_told_once() {
    let dev = Developer::new().await;
    let sink = Sink::in_turn(&[500, 200]).await;
    let webhook = dev.webhook(&sink, json!(["3s"])).await;
    let old = dev.partner.publish("order.accepted", &json!({"id": "ord_1"})).await;
    dev.partner.until_delivery(&webhook, &old, "waiting").await;
    let _following = dev.follow(&["-N", "1"]);
    let told = dev.until_told(1).await;
    assert_eq!((text(&told[0], "event"), &told[0]["status"]), (&*old, &json!(500)));
    let told = dev.until_told(2).await;
    assert_eq!((text(&told[1], "event"), &told[1]["attempt"]), (&*old, &json!(2)));

    let late = dev.webhook(&sink, json!([])).await;
    let mut events = Vec::new();
    for n in 0..30 {
        events.push(dev.partner.publish("order.filled", &json!({"id": format!("o_{n}")})).await);
    }
    let told = dev.until_told(62).await;
    for event in &events {
        let of: Vec<&str> = told
            .iter()
            .filter(|line| line["event"] == **event)
            .map(|line| text(line, "webhook"))
            .collect();
        assert_eq!(of.len(), 2, "{event} is told once for each webhook: {of:?}");
        assert!(of.contains(&&*webhook.id) && of.contains(&&*late.id), "{of:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_reading_ends_it_quietly() {
    let dev = Developer::new().await;
    let sink = Sink::always(200).await;
    let webhook = dev.webhook(&sink, json!([])).await;
    let event = dev.partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    dev.partner.until_delivery(&webhook, &event, "delivered").await;
    let mut command = dev.daemon.command_as(&dev.key, &["tail"]);
    let stderr = tempfile::NamedTempFile::new().unwrap();
    command.stdout(Stdio::piped()).stderr(stderr.reopen().unwrap());
    let mut process = Ending(command.spawn().unwrap());
    drop(process.0.stdout.take());
    let status = process.wait(wait::DEADLINE, "tail to end");
    let said = fs::read_to_string(stderr.path()).unwrap();
    assert!(status.success() && said.is_empty(), "{status} {said}");
}
