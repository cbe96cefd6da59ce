//! `bluum-hooks show`: what it says is true, and what it tells to run helps.

use std::time::Duration;

use bluum_hooks_tests::client::text;
use bluum_hooks_tests::daemon::{self, Daemon};
use bluum_hooks_tests::partner::{Partner, Webhook};
use bluum_hooks_tests::sink::{Answer, Sink};
use serde_json::{Value, json};

/// What is printed for people, who do not read at a terminal here.
fn shown(daemon: &Daemon, id: &str) -> String {
    let run = daemon.run(&["show", id, "--why"]).must_exit(0);
    assert!(!run.stdout.contains('\x1b') && run.stderr.is_empty(), "{run:?}");
    run.stdout
}

fn has(text: &str, words: &[&str]) {
    // Lines are broken where they are full.
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(flat.contains(word), "expected '{word}' in\n{text}");
    }
}

async fn subscribed(partner: &Partner, sink: &Sink) -> Webhook {
    let body =
        json!({"url": sink.url("/in"), "eventTypeNames": ["order.*"], "retry_schedule": ["1s"]});
    partner.subscribe_as(&body).await
}

/// The commonest question: it failed twice, was parked, and what it says to run delivers it.
#[tokio::test]
async fn what_failed_twice_is_told_and_the_command_told_delivers_it() {
    let daemon = daemon::shared(&[]);
    let sink = Sink::in_turn(&[500, 404, 200]).await;
    let partner = Partner::join(&daemon).await;
    let webhook = subscribed(&partner, &sink).await;
    let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    let delivery = partner.until_delivery(&webhook, &event, "parked").await;

    let said = shown(&daemon, &event);
    let replay = format!("bluum-hooks deliveries replay {}", text(&delivery, "id"));
    has(
        &said,
        &[
            &format!("{event} order.filled"),
            "in line by ord_1",
            "attempt 1: answered 500, after",
            "\"the sink says 500\" failed; the next attempt came",
            "attempt 2: answered 404, after",
            "failed; it was the last of the schedule: parked",
            "parked (exhausted)",
            "why 2 attempts failed, as many as the schedule has. The last: answered 404.",
            &replay,
        ],
    );
    has(&shown(&daemon, text(&delivery, "id")), &[&event, "attempt 2: answered 404", &replay]);

    let command: Vec<&str> = replay.split(' ').skip(1).collect();
    daemon.run(&command).must_exit(0);
    partner.until_delivery(&webhook, &event, "delivered").await;
    has(&shown(&daemon, &event), &["attempt 3: answered 200", "next Nothing: it is done."]);
    let plain = daemon.run(&["show", &event]).must_exit(0).stdout;
    has(&plain, &["\"id\": \"ord_1\"", "delivered 20"]);
    assert!(!plain.contains("attempt 1") && !plain.contains("--why"), "{plain}");
}

#[tokio::test]
async fn what_is_queued_leads_to_what_it_waits_for() {
    let daemon = daemon::shared(&[]);
    let sink = Sink::start(|_| Answer::status(200).after(Duration::from_secs(60))).await;
    let partner = Partner::join(&daemon).await;
    let webhook = subscribed(&partner, &sink).await;
    let first = partner.publish("order.accepted", &json!({"id": "ord_1"})).await;
    let second = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    let first = partner.until_delivery(&webhook, &first, "leased").await;
    let first_id = text(&first, "id");

    let ahead = format!("{first_id} (number 1, order.accepted) is leased");
    has(&shown(&daemon, &second), &["queued", "about ord_1 is not done:", &ahead]);
    has(&shown(&daemon, first_id), &["why Attempt 1 is under way since", "timeout is 30 s."]);
    let said = daemon.run(&["show", &second, "--why", "--json"]).must_exit(0).json();
    let delivery = &said["deliveries"][0];
    assert_eq!((&delivery["status"], &delivery["blocked_by"]), (&json!("queued"), &first["id"]));
    assert_eq!(delivery["commands"], json!([format!("bluum-hooks show {first_id} --why")]));
    assert_eq!((&said["event"]["id"], &said["not_sent_to"]), (&json!(second), &json!([])));
    // What that is made of.
    assert_eq!(first["retry_schedule"], json!([1]));
    assert!(text(&first, "lease_until") > "2026" && first.get("blocked_by").is_none(), "{first}");
}

#[tokio::test]
async fn what_nobody_wanted_names_who_might_have() {
    let daemon = daemon::shared(&[]);
    let (sink, partner) = (Sink::always(200).await, Partner::join(&daemon).await);
    let stranger = Partner::join(&daemon).await;
    subscribed(&stranger, &sink).await;
    let other = partner.subscribe(&sink.url("/kyc"), &["kyc.*"]).await;
    let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    let late = partner.subscribe(&sink.url("/late"), &["*"]).await;

    let said = daemon.run(&["show", &event, "--why", "--json"]).must_exit(0).json();
    assert_eq!(said["deliveries"], json!([]));
    let absent: Vec<(&str, &str)> = said["not_sent_to"]
        .as_array()
        .unwrap()
        .iter()
        .map(|absent| (text(absent, "webhook_id"), text(absent, "why")))
        .collect();
    let ids: Vec<&str> = absent.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [&other.id, &late.id], "its own tenant's, and no other's");
    assert_eq!(absent[0].1, "subscribes to kyc.*; 'order.filled' or 'order.*' would match");
    assert!(absent[1].1.starts_with("was made "), "{absent:?}");
    has(&shown(&daemon, &event), &["Not sent to", &other.id, &late.id]);
}

#[test]
fn what_is_not_there_is_said_as_by_other_commands() {
    let daemon = daemon::shared(&[]);
    for (id, exit, words) in [
        ("evt_00000000000000000000000000", 4, "BLUM-404-001); if it was accepted at 1970-"),
        ("dlv_00000000000000000000000000", 4, "BLUM-404-001"),
        ("evt_1", 4, "BLUM-404-001"),
        ("wh_00000000000000000000000000", 2, "give an id, evt_… or dlv_…"),
    ] {
        let run = daemon.run(&["show", id, "--why"]).must_exit(exit);
        assert!(run.stderr.contains(words), "expected '{words}' in {run:?}");
        assert_eq!(run.stdout, "");
    }
    let error = daemon.run(&["show", "x\x1b[2J", "--json"]).must_exit(2);
    let error: Value = serde_json::from_str(&error.stderr).unwrap();
    assert!(text(&error["error"], "message").starts_with("'x\\u001b[2J' is no event"), "{error}");
}

/// What is shown to be copied does what it says, byte for byte.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_event_is_shown_with_a_command_that_sends_it() {
    let daemon = daemon::shared(&[]);
    let (sink, partner, webhook) = Partner::joined(&daemon).await;
    let key = daemon.new_key(&json!({"role": "tenant", "tenant": partner.tenant})).await;
    let show = || bluum_hooks_tests::binary::finish(daemon.command_as(&key, &["show", "last"]));
    assert!(show().must_exit(4).stderr.contains("there is no event yet"));
    for number in 0..450 {
        let order = json!({"id": "ord_1", "note": format!("it's ${number} `ls`")});
        partner.publish("order.filled", &order).await;
    }
    let last = partner.events().await.pop().unwrap();
    partner.until_delivery(&webhook, text(&last, "id"), "delivered").await;
    let shown = show().must_exit(0).stdout;
    has(&shown, &[text(&last, "id"), "TRY STARTED STATUS TOOK ANSWER", "the sink says 200"]);

    let curl = shown.split("not signed:\n").nth(1).unwrap().split("\nSigned:").next().unwrap();
    let words = std::process::Command::new("sh")
        .args(["-c", &format!("curl() {{ printf '%s\\n' \"$@\"; }}; {curl}")])
        .output();
    let words = String::from_utf8(words.unwrap().stdout).unwrap();
    let words: Vec<&str> = words.lines().collect();
    let body = sink.requests().pop().unwrap();
    assert_eq!(words[0], sink.url("/in"));
    assert_eq!(words.last().unwrap().as_bytes(), &*body.body, "byte for byte");
    assert!(words.contains(&&*format!("webhook-id: {}", text(&last, "id"))), "{words:?}");
}
