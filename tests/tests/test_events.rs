//! Test events: an example to one webhook alone, signed and delivered like any other event.

use bluum_hooks_tests::client::{Call, text};
use bluum_hooks_tests::daemon;
use bluum_hooks_tests::partner::{Partner, first_about};
use bluum_hooks_tests::sink::Sink;
use http::Method;
use serde_json::{Value, json};
use standardwebhooks::Webhook as Independent;

fn path(webhook: &str) -> String {
    format!("/v1/webhooks/{webhook}/test")
}

#[tokio::test]
async fn a_test_event_comes_signed_to_one_webhook_alone() {
    let (daemon, sink, other) =
        (daemon::shared(&[]), Sink::always(200).await, Sink::always(200).await);
    let partner = Partner::join(&daemon).await;
    let webhook = partner.subscribe(&sink.url("/"), &["deposit.completed"]).await;
    partner.subscribe(&other.url("/"), &["*"]).await;
    let verifier = Independent::new(&webhook.secret).expect("a secret");

    let without_body = Call::new(Method::POST, path(&webhook.id));
    let own = partner.api.send(without_body).await.must_be(202);
    assert_eq!(own["event"], "deposit.completed", "a type that it subscribes to");
    let chosen = json!({"event": "order.filled"});
    let chosen = partner.api.post(&path(&webhook.id), &chosen).await.must_be(202);
    for event in [own, chosen] {
        let request = first_about(&sink, text(&event, "id")).await;
        verifier.verify(&request.body, &request.headers).expect("a good signature");
        assert_eq!(request.json(), event);
        let delivered = partner.until_delivery(&webhook, text(&event, "id"), "delivered").await;
        assert_eq!(delivered["ordering_key"], Value::Null, "examples wait for nobody");
    }
    let marker = partner.publish("kyc.decided", &json!({"id": "kyc_1"})).await;
    assert_eq!(first_about(&other, &marker).await.number, 0, "the other got no test event");
}

#[tokio::test]
async fn what_cannot_be_tested_is_refused() {
    let (daemon, sink) = (daemon::shared(&[]), Sink::always(200).await);
    let partner = Partner::join(&daemon).await;
    let webhook = partner.subscribe(&sink.url("/"), &["*"]).await;
    for (body, param) in
        [(json!({"event": "order.fileld"}), "event"), (json!({"events": "x"}), "events")]
    {
        let refused = partner.api.post(&path(&webhook.id), &body).await.must_be(400);
        assert_eq!(refused["error"]["param"], param, "{refused}");
    }
    let stranger = Partner::join(&daemon).await;
    stranger.api.post(&path(&webhook.id), &json!({})).await.must_be(404);
    let inactive = json!({"status": "inactive"});
    partner.api.patch(&format!("/v1/webhooks/{}", webhook.id), &inactive).await.must_be(200);
    let refused = partner.api.post(&path(&webhook.id), &json!({})).await.must_be(409);
    assert_eq!(refused["error"]["code"], "BLUM-409-003");
    assert_eq!(partner.deliveries(&webhook).await, [] as [Value; 0]);
    sink.until_count(0).await;
}

/// An example of an order in production would look as if money had moved.
#[tokio::test]
async fn production_takes_only_events_about_the_delivery_system() {
    let daemon = daemon::shared(&[]);
    let partner = Partner::join(&daemon).await;
    let live = json!({"role": "tenant", "tenant": partner.tenant, "livemode": true});
    let live = daemon.client(Some(&daemon.new_key(&live).await));
    let webhook = json!({"url": "https://127.0.0.1:9/", "eventTypeNames": ["order.*"]});
    let webhook = live.post("/v1/webhooks", &webhook).await.must_be(201);
    let path = path(text(&webhook, "id"));
    let refused = live.post(&path, &json!({"event": "order.filled"})).await.must_be(400);
    assert_eq!(refused["error"]["param"], "event", "{refused}");
    let taken = live.post(&path, &json!({"event": "webhook.enabled"})).await.must_be(202);
    assert_eq!((&taken["event"], &taken["livemode"]), (&json!("webhook.enabled"), &json!(true)));
    let default = live.post(&path, &json!({})).await.must_be(202);
    assert!(text(&default, "event").starts_with("webhook."), "{default}");
    partner.operator.post(&path, &json!({})).await.must_be(404);
}
