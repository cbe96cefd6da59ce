//! `Idempotency-Key`: a request made twice has one effect and one answer, whatever dies in between.
#![expect(clippy::expect_used, reason = "a helper of tests stops where it cannot go on")]

use std::collections::HashMap;

use bluum_hooks_tests::client::{Call, Client, Response, text};
use bluum_hooks_tests::daemon::{self, Daemon, Shared};
use bluum_hooks_tests::partner::{Partner, Webhook, first_about};
use bluum_hooks_tests::seed::{self, Chance};
use bluum_hooks_tests::sink::Sink;
use bluum_hooks_tests::wait;
use serde_json::{Value, json};
use tokio::task::JoinSet;

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

/// A partner with a webhook on everything, and one event that was delivered to it.
async fn with_a_delivery(daemon: &Daemon, sink: &Sink) -> (Partner, Webhook, Value) {
    let partner = Partner::join(daemon).await;
    let webhook = partner.subscribe(&sink.url("/in"), &["*"]).await;
    let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    let delivery = partner.until_delivery(&webhook, &event, "delivered").await;
    (partner, webhook, delivery)
}

/// What a POST makes more of.
#[derive(Debug, Clone, Copy)]
enum Effect {
    Events,
    Webhooks,
    /// Signatures on the next delivery, one by each secret.
    Secrets,
    /// Attempts to deliver the delivery.
    Attempts,
    Replays,
    Tenants,
    Keys,
}

/// Every route that takes a POST: the body, the status of the answer, and the effect.
fn routes(
    partner: &Partner,
    webhook: &Webhook,
    delivery: &Value,
) -> Vec<(String, Value, u16, Effect, usize)> {
    let tenant = &partner.tenant;
    let event = one(tenant, "ord_2");
    let url = json!({"url": "http://127.0.0.1:9/", "eventTypeNames": ["kyc.*"], "tenant": tenant});
    let webhook = format!("/v1/webhooks/{}", webhook.id);
    let delivery = format!("/v1/deliveries/{}/replay", text(delivery, "id"));
    vec![
        ("/v1/events".into(), event.clone(), 202, Effect::Events, 1),
        ("/v1/events/batch".into(), json!([event, event]), 202, Effect::Events, 2),
        ("/v1/webhooks".into(), url, 201, Effect::Webhooks, 1),
        (format!("{webhook}/secrets"), json!({}), 201, Effect::Secrets, 1),
        (format!("{webhook}/test"), json!({"event": "kyc.decided"}), 202, Effect::Events, 1),
        (delivery, json!({}), 202, Effect::Attempts, 1),
        (format!("{webhook}/replay"), json!({"reason": "gone"}), 202, Effect::Replays, 1),
        ("/v1/tenants".into(), json!({"name": "another"}), 201, Effect::Tenants, 1),
        ("/v1/keys".into(), json!({"role": "tenant", "tenant": tenant}), 201, Effect::Keys, 1),
    ]
}

/// How much of it there is, once what is under way has ended.
async fn count(
    effect: Effect,
    partner: &Partner,
    webhook: &Webhook,
    delivery: &Value,
    sink: &Sink,
) -> usize {
    let operator = &partner.operator;
    let event = text(delivery, "event_id");
    match effect {
        Effect::Events => partner.events().await.len(),
        Effect::Webhooks => {
            let path = format!("/v1/webhooks?tenant={}", partner.tenant);
            operator.list(&path).await.len()
        }
        Effect::Secrets => {
            let event = partner.publish("order.filled", &json!({"id": "ord_3"})).await;
            let request = first_about(sink, &event).await;
            request.header("webhook-signature").split(' ').count()
        }
        Effect::Attempts => {
            let now = partner.until_delivery(webhook, event, "delivered").await;
            usize::try_from(now["attempt_count"].as_u64().expect("a number")).expect("few")
        }
        Effect::Replays => {
            operator.list(&format!("/v1/webhooks/{}/replays", webhook.id)).await.len()
        }
        Effect::Tenants => operator.list("/v1/tenants").await.len(),
        Effect::Keys => operator.list(&format!("/v1/keys?tenant={}", partner.tenant)).await.len(),
    }
}

#[tokio::test]
async fn every_post_runs_once_and_answers_the_same() {
    let (mut daemon, sink) = (Daemon::start(), Sink::always(200).await);
    let (partner, webhook, delivery) = with_a_delivery(&daemon, &sink).await;
    for (path, body, status, effect, more) in routes(&partner, &webhook, &delivery) {
        let before = count(effect, &partner, &webhook, &delivery, &sink).await;
        let mut answers = Vec::new();
        for replayed in [None, Some("true"), Some("true")] {
            let answer = partner.operator.send(keyed(&path, &path, &body)).await;
            answer.must_be(status);
            assert_eq!(answer.header("idempotency-replayed"), replayed, "{path}");
            assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
            answers.push(answer.body);
            let now = count(effect, &partner, &webhook, &delivery, &sink).await;
            assert_eq!(now - before, more, "{path}");
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{path}: {answers:?}");
        // The same to a reader of JSON, and yet another request.
        let other = Call::post(&path, format!("{body} ")).header("idempotency-key", &path);
        let error = partner.operator.send(other).await.must_be(409);
        assert_eq!(error["error"]["code"], "BLUM-409-002", "{path}");
    }
    daemon.audit();
}

/// The answers to the same request made fifty times at once.
async fn fifty(client: &Client, call: &Call) -> Vec<Response> {
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let (client, call) = (client.clone(), call.clone());
        calls.spawn(async move { client.send(call).await });
    }
    calls.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_at_once_run_once() {
    let (mut daemon, sink) = (Daemon::start(), Sink::always(200).await);
    let (partner, webhook, delivery) = with_a_delivery(&daemon, &sink).await;
    let routes = routes(&partner, &webhook, &delivery);
    for (round, (path, body, status, effect, more)) in
        (0..3).flat_map(|round| routes.iter().map(move |route| (round, route)))
    {
        let (status, effect) = (*status, *effect);
        let key = format!("{path} {round}");
        let before = count(effect, &partner, &webhook, &delivery, &sink).await;
        // Connections first, so that nothing stands between the requests.
        fifty(&partner.operator, &Call::get("/v1/webhooks")).await;
        let answers = fifty(&partner.operator, &keyed(path, &key, body)).await;
        for answer in &answers {
            assert_eq!(answer.status.as_u16(), status, "{path}: {answer:?}");
            assert_eq!(answer.body, answers[0].body, "{path}");
        }
        let first = |answer: &&Response| answer.header("idempotency-replayed").is_none();
        assert_eq!(answers.iter().filter(first).count(), 1, "{path}");
        let now = count(effect, &partner, &webhook, &delivery, &sink).await;
        assert_eq!(now - before, *more, "{path}");
    }
    daemon.audit();
}

/// A request that was made while the daemon lived, and what was heard.
struct Made {
    path: &'static str,
    object: String,
    heard: Option<Response>,
}

impl Made {
    fn call(&self) -> Call {
        let event = json!({"event": "order.filled", "data": {"id": self.object}});
        let body = if self.path == SINGLE { event } else { json!([event, event]) };
        keyed(self.path, &self.object, &body)
    }
}

const SINGLE: &str = "/v1/events";
const BATCH: &str = "/v1/events/batch";

/// Publishes until the daemon dies.
async fn publish_until_death(client: Client, publisher: String) -> Vec<Made> {
    let mut all = Vec::new();
    for n in 0.. {
        let path = [SINGLE, BATCH][n % 2];
        let mut made = Made { path, object: format!("ord_{publisher}_{n}"), heard: None };
        made.heard = client.try_send(made.call()).await.ok();
        let dead = made.heard.is_none();
        all.push(made);
        if dead {
            break;
        }
    }
    all
}

/// The events of each object, in their order.
async fn by_object(client: &Client) -> HashMap<String, Vec<Value>> {
    let mut events: HashMap<String, Vec<Value>> = HashMap::new();
    for event in client.list("/v1/events").await {
        events.entry(text(&event["data"], "id").to_owned()).or_default().push(event);
    }
    events
}

/// The daemon is killed while many publish: before the commit, after it, or after the answer.
/// Whichever it was for a request, asking again gives the events there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_was_lost_with_the_daemon_is_given_again() {
    const PUBLISHERS: usize = 16;
    const ROUNDS: usize = 30;
    let seed = seed::from_environment();
    let mut chance = Chance::new(seed);
    let mut daemon = Daemon::start();
    let mut unheard = HashMap::from([(SINGLE, 0), (BATCH, 0)]);
    for round in 0..ROUNDS {
        let mut publishers = JoinSet::new();
        for publisher in 0..PUBLISHERS {
            let name = format!("{round}_{publisher}");
            publishers.spawn(publish_until_death(daemon.operator(), name));
        }
        wait::pause(chance.millis(10..150)).await;
        daemon.kill();
        let made = publishers.join_all().await.into_iter().flatten().collect::<Vec<_>>();
        daemon.restart();
        let operator = daemon.operator();
        let before = by_object(&operator).await;
        for made in &made {
            let committed = before.contains_key(&made.object);
            let again = operator.send(made.call()).await;
            let answer = again.must_be(202);
            let replayed = again.header("idempotency-replayed").is_some();
            assert_eq!(replayed, committed, "{}, seed {seed}: {again:?}", made.object);
            if let Some(heard) = &made.heard {
                assert_eq!(heard.body, again.body, "{}, seed {seed}", made.object);
            } else if committed {
                *unheard.get_mut(made.path).expect("one of both") += 1;
                let answered = answer["data"].as_array().cloned();
                let answered = answered.unwrap_or_else(|| vec![answer]);
                assert_eq!(before[&made.object], answered, "seed {seed}");
            }
        }
        let after = by_object(&operator).await;
        for made in &made {
            let expected = if made.path == SINGLE { 1 } else { 2 };
            assert_eq!(after[&made.object].len(), expected, "{}, seed {seed}", made.object);
        }
        if unheard.values().all(|&count| count > 0) && round > 2 {
            break;
        }
    }
    println!("committed and not heard: {unheard:?}, seed {seed}");
    assert!(
        unheard.values().all(|&count| count > 0),
        "{unheard:?} in {ROUNDS} rounds, seed {seed}"
    );
    daemon.audit();
}
