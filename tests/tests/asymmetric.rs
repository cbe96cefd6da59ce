//! Signing with a key pair: verified with the public key alone, rotated with the secret.
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bluum_hooks_receiver::{Verifier, VerifyError, now};
use bluum_hooks_tests::client::text;
use bluum_hooks_tests::daemon::{self, Daemon};
use bluum_hooks_tests::partner::{Partner, Webhook, first_about};
use bluum_hooks_tests::sink::{Request, Sink};
use bluum_hooks_tests::wait;
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value, json};
use standardwebhooks::Webhook as Independent;

/// A partner whose webhook signs with a key pair.
async fn joined(daemon: &Daemon) -> (Sink, Partner, Webhook) {
    let sink = Sink::always(200).await;
    let partner = Partner::join(daemon).await;
    let body = json!({"url": sink.url("/in"), "eventTypeNames": ["order.*"], "ed25519": true});
    let webhook = partner.subscribe_as(&body).await;
    (sink, partner, webhook)
}

fn keys(webhook: &Value) -> Vec<String> {
    let keys = webhook["public_keys"].as_array().unwrap();
    keys.iter().map(|key| key.as_str().unwrap().to_owned()).collect()
}

async fn public_keys(partner: &Partner, webhook: &Webhook) -> Vec<String> {
    keys(&partner.webhook(webhook).await)
}

/// Publishes an event and gives the request that brings it.
async fn delivered(partner: &Partner, sink: &Sink) -> Request {
    let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    first_about(sink, &event).await
}

/// Changes a webhook and gives its public keys.
async fn changed(partner: &Partner, webhook: &Webhook, body: &Value) -> Vec<String> {
    let path = format!("/v1/webhooks/{}", webhook.id);
    keys(&partner.operator.patch(&path, body).await.must_be(200))
}

/// Rotates and gives the answer.
async fn rotated(partner: &Partner, webhook: &Webhook, overlap_seconds: u32) -> Value {
    let path = format!("/v1/webhooks/{}/secrets", webhook.id);
    let body = json!({"overlap_seconds": overlap_seconds});
    partner.operator.post(&path, &body).await.must_be(201)
}

fn verify(request: &Request, key: &str) -> Result<(), VerifyError> {
    Verifier::parse(key).unwrap().verify(&request.headers, &request.body, now()).map(drop)
}

/// Which of these keys alone verify the request.
fn verified<'a>(request: &Request, keys: &[&'a str]) -> Vec<&'a str> {
    keys.iter().copied().filter(|key| verify(request, key).is_ok()).collect()
}

/// The versions of the signatures, in order.
fn versions(request: &Request) -> Vec<&str> {
    let entries = request.header("webhook-signature").split(' ');
    entries.map(|entry| entry.split_once(',').unwrap().0).collect()
}

/// As the specification has it, with nothing of ours but the text of the key.
fn check_by_hand(request: &Request, public_key: &str) {
    let key = BASE64_STANDARD.decode(public_key.strip_prefix("whpk_").unwrap()).unwrap();
    let key = VerifyingKey::from_bytes(&key.try_into().unwrap()).unwrap();
    let mut content = [request.header("webhook-id"), request.header("webhook-timestamp"), ""]
        .join(".")
        .into_bytes();
    content.extend_from_slice(&request.body);
    let mut entries = request.header("webhook-signature").split(' ');
    let signature = entries.find_map(|entry| entry.strip_prefix("v1a,")).unwrap();
    let signature = Signature::from_slice(&BASE64_STANDARD.decode(signature).unwrap()).unwrap();
    key.verify_strict(&content, &signature).unwrap();
}

#[tokio::test]
async fn a_delivery_verifies_with_the_public_key_alone_and_with_the_secret_alone() {
    let daemon = daemon::shared(&[]);
    let (sink, partner, webhook) = joined(&daemon).await;
    let (_, _, stranger) = joined(&daemon).await;
    let own = public_keys(&partner, &webhook).await;
    let foreign = public_keys(&partner, &stranger).await;
    assert_eq!((own.len(), foreign.len()), (1, 1), "{own:?}");

    let request = delivered(&partner, &sink).await;
    assert_eq!(versions(&request), ["v1", "v1a"]);
    verify(&request, &own[0]).unwrap();
    verify(&request, &webhook.secret).unwrap();
    check_by_hand(&request, &own[0]);
    let library = Independent::new(&webhook.secret).unwrap();
    library.verify(&request.body, &request.headers).unwrap();
    for key in [&foreign[0], &stranger.secret] {
        let refused = verify(&request, key).unwrap_err();
        assert!(matches!(refused, VerifyError::NoMatch { .. }), "{refused}");
    }
    let mut changed = request.clone();
    changed.body = request.body.iter().rev().copied().collect();
    let refused = verify(&changed, &own[0]).unwrap_err();
    assert!(matches!(refused, VerifyError::NoMatch { .. }), "{refused}");
}

#[tokio::test]
async fn both_key_pairs_sign_during_the_overlap_and_only_the_new_one_after() {
    let daemon = daemon::shared(&[]);
    let (sink, partner, webhook) = joined(&daemon).await;
    let first = public_keys(&partner, &webhook).await.remove(0);

    let answer = rotated(&partner, &webhook, 86_400).await;
    let secrets = [text(&answer, "secret"), &*webhook.secret];
    let second = keys(&answer).remove(0);
    assert_eq!(keys(&answer), [&*second, &first], "the newest is the first");
    let request = delivered(&partner, &sink).await;
    assert_eq!(versions(&request), ["v1", "v1", "v1a", "v1a"]);
    let all = [&second, &first, secrets[0], secrets[1]];
    assert_eq!(verified(&request, &all), all);
    check_by_hand(&request, &second);
    for secret in secrets {
        let library = Independent::new(secret).unwrap();
        library.verify(&request.body, &request.headers).unwrap();
    }

    let third = keys(&rotated(&partner, &webhook, 1).await).remove(0);
    wait::until("the old keys to have ended", async || {
        let shown = public_keys(&partner, &webhook).await;
        if shown == [&*third] { Ok(()) } else { Err(format!("{shown:?}")) }
    })
    .await;
    let request = delivered(&partner, &sink).await;
    assert_eq!(versions(&request), ["v1", "v1a"]);
    assert_eq!(verified(&request, &[&first, &second, &third]), [&third]);
}

#[tokio::test]
async fn five_key_pairs_are_the_most_as_of_secrets() {
    let daemon = daemon::shared(&[]);
    let (sink, partner, webhook) = joined(&daemon).await;
    for _ in 0..4 {
        rotated(&partner, &webhook, 604_800).await;
    }
    let keys = public_keys(&partner, &webhook).await;
    let request = delivered(&partner, &sink).await;
    assert_eq!(versions(&request), [["v1"; 5], ["v1a"; 5]].concat());
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    assert_eq!((keys.len(), verified(&request, &keys)), (5, keys.clone()));
    let path = format!("/v1/webhooks/{}/secrets", webhook.id);
    partner.operator.post(&path, &json!({})).await.must_be(409);
    assert_eq!(public_keys(&partner, &webhook).await, keys);
}

#[tokio::test]
async fn key_pairs_are_switched_on_and_off() {
    let daemon = daemon::shared(&[]);
    let sink = Sink::always(200).await;
    let partner = Partner::join(&daemon).await;
    let webhook = partner.subscribe(&sink.url("/in"), &["order.*"]).await;
    let none: [String; 0] = [];
    assert_eq!(public_keys(&partner, &webhook).await, none, "off unless asked for");
    rotated(&partner, &webhook, 86_400).await;
    assert_eq!(versions(&delivered(&partner, &sink).await), ["v1", "v1"]);

    let first = changed(&partner, &webhook, &json!({"ed25519": true})).await;
    assert_eq!(first.len(), 1);
    for body in [json!({"ed25519": true}), json!({"name": "another"})] {
        assert_eq!(changed(&partner, &webhook, &body).await, first, "{body}");
    }
    let request = delivered(&partner, &sink).await;
    assert_eq!(versions(&request), ["v1", "v1", "v1a"]);
    verify(&request, &first[0]).unwrap();

    assert_eq!(changed(&partner, &webhook, &json!({"ed25519": false})).await, none);
    let request = delivered(&partner, &sink).await;
    let refused = verify(&request, &first[0]).unwrap_err();
    assert_eq!(refused, VerifyError::NoKnownVersion { known: vec!["v1a"] });
    let second = changed(&partner, &webhook, &json!({"ed25519": true})).await;
    assert_ne!(second, first, "what was dropped does not come back");
    assert_eq!(changed(&partner, &webhook, &json!({"ed25519": null})).await, none);

    let path = format!("/v1/webhooks/{}", webhook.id);
    let refused = partner.operator.patch(&path, &json!({"ed25519": "yes"})).await.must_be(400);
    assert_eq!(refused["error"]["param"], "ed25519", "{refused}");
}

#[tokio::test]
async fn a_key_pair_survives_a_restart_and_the_command_line_shows_it() {
    let mut daemon = Daemon::start();
    let (sink, partner, webhook) = joined(&daemon).await;
    let keys = public_keys(&partner, &webhook).await;
    daemon.kill();
    daemon.restart();
    let partner = Partner { operator: daemon.operator(), ..partner };
    assert_eq!(public_keys(&partner, &webhook).await, keys);
    verify(&delivered(&partner, &sink).await, &keys[0]).unwrap();

    let url = sink.url("/in");
    let create = ["webhooks", "create", "--url", &url, "--events", "*", "--ed25519", "--tenant"];
    let run = daemon.run(&[&create[..], &[&*partner.tenant]].concat()).must_exit(0);
    let id = run.stdout.lines().find_map(|line| line.strip_prefix("id ")).unwrap().trim();
    let created = Webhook { id: id.to_owned(), secret: String::new() };
    let shown = public_keys(&partner, &created).await;
    assert!(run.stdout.contains(&shown[0]), "{run:?}");
    let run = daemon.run(&["webhooks", "update", id, "--ed25519", "false"]).must_exit(0);
    assert!(!run.stdout.contains("whpk_"), "{run:?}");
    let run = daemon.run(&["webhooks", "update", id, "--ed25519", "true"]).must_exit(0);
    assert!(run.stdout.contains("whpk_") && !run.stdout.contains(&shown[0]), "{run:?}");
}
