//! `Idempotency-Key`: a request made twice has one effect and one answer, whatever dies in between.

use std::time::Duration;

use bluum_hooks_tests::client::{Call, Client, Response, text};
use bluum_hooks_tests::daemon::{self, Daemon, Shared};
use bluum_hooks_tests::partner::Partner;
use bluum_hooks_tests::seed::{self, Chance};
use bluum_hooks_tests::wait;
use serde_json::{Value, json};

fn daemon() -> Shared {
    daemon::shared(&[])
}

fn one(tenant: &str, object: &str) -> Value {
    json!({"event": "order.filled", "tenant": tenant, "data": {"id": object}})
}

fn keyed(path: &str, key: &str, body: &Value) -> Call {
    Call::post(path, body.to_string()).header("idempotency-key", key)
}

async fn publish(client: &Client, key: &str, body: &Value) -> Response {
    client.send(keyed("/v1/events", key, body)).await
}

#[tokio::test]
async fn the_same_request_again_is_answered_again_and_does_nothing() {
    let daemon = daemon();
    let partner = Partner::join(&daemon).await;
    let body = one(&partner.tenant, "ord_1");
    let first = publish(&partner.operator, "again", &body).await;
    assert_eq!(first.header("idempotency-replayed"), None);
    let again = publish(&partner.operator, "again", &body).await;
    assert_eq!(again.status, first.status);
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(partner.events().await, [first.must_be(202)]);
}

#[tokio::test]
async fn a_key_belongs_to_one_request_of_one_caller() {
    let daemon = daemon();
    let partner = Partner::join(&daemon).await;
    let body = one(&partner.tenant, "ord_1");
    let batch = json!({"events": [body]});
    publish(&partner.operator, "mine", &body).await.must_be(202);
    for other in [
        keyed("/v1/events", "mine", &one(&partner.tenant, "ord_2")),
        keyed("/v1/events/batch", "mine", &batch),
    ] {
        let error = partner.operator.send(other).await.must_be(409);
        assert_eq!(error["error"]["code"], "BLUM-409-002");
        assert_eq!(error["error"]["type"], "idempotency_error");
    }
    publish(&partner.api, "mine", &body).await.must_be(202);
    assert_eq!(partner.events().await.len(), 2, "another caller's key is another key");
}

#[tokio::test]
async fn a_refused_request_uses_up_no_key() {
    let daemon = daemon();
    let partner = Partner::join(&daemon).await;
    let wrong = json!({"event": "order.fileld", "tenant": partner.tenant, "data": {}});
    publish(&partner.operator, "second try", &wrong).await.must_be(400);
    publish(&partner.operator, "second try", &one(&partner.tenant, "ord_1")).await.must_be(202);
    for key in ["", &"k".repeat(256)] {
        let error = publish(&partner.operator, key, &wrong).await.must_be(400);
        assert_eq!(error["error"]["param"], "idempotency-key");
    }
}

#[tokio::test]
async fn fifty_at_once_run_once() {
    let daemon = daemon();
    let partner = Partner::join(&daemon).await;
    let event = one(&partner.tenant, "ord_1");
    let batch = json!({"events": [event, event, event]});
    for (path, body, events) in [("/v1/events", &event, 1), ("/v1/events/batch", &batch, 3)] {
        let before = partner.events().await.len();
        let calls: Vec<_> = (0..50)
            .map(|_| {
                let client = partner.operator.clone();
                let call = keyed(path, path, body);
                tokio::spawn(async move { client.send(call).await })
            })
            .collect();
        let mut answers = Vec::new();
        for call in calls {
            let answer = call.await.unwrap();
            answer.must_be(202);
            answers.push(answer.body);
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{path}: {answers:?}");
        assert_eq!(partner.events().await.len() - before, events, "{path}");
    }
}

/// The daemon is killed at a random moment after the request was sent: before the commit, after
/// it, or after the answer. Whichever it was, asking again gives the one event there is.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_with_the_daemon_is_given_again() {
    let seed = seed::from_environment();
    let mut chance = Chance::new(seed);
    let mut daemon = Daemon::start();
    let mut committed_unanswered = 0;
    for round in 0..12 {
        let (key, object) = (format!("round {round}"), format!("ord_{round}"));
        let body = json!({"event": "order.filled", "data": {"id": object}});
        let (path, body) = match round % 2 {
            0 => ("/v1/events", body),
            _ => ("/v1/events/batch", json!([body])),
        };
        let client = daemon.operator();
        let call = keyed(path, &key, &body);
        let lost = tokio::spawn(async move { client.try_send(call).await });
        wait::pause(Duration::from_micros(chance.number(0..4_000))).await;
        daemon.kill();
        let heard = lost.await.unwrap();
        daemon.restart();
        let events = daemon.operator().list("/v1/events").await;
        let there = events.iter().any(|event| event["data"]["id"] == object.as_str());
        committed_unanswered += usize::from(there && heard.is_err());

        let again = daemon.operator().send(keyed(path, &key, &body)).await;
        let answer = again.must_be(202);
        if let Ok(heard) = heard {
            assert_eq!(heard.body, again.body, "seed {seed}");
        }
        let events = daemon.operator().list("/v1/events").await;
        let about: Vec<_> =
            events.iter().filter(|event| event["data"]["id"] == object.as_str()).collect();
        let first = answer["data"].get(0).unwrap_or(&answer);
        assert_eq!(about, [first], "round {round}, seed {seed}");
        assert!(text(about[0], "id").starts_with("evt_"));
    }
    println!("{committed_unanswered} of 12 were committed and not answered, seed {seed}");
    daemon.audit();
}
