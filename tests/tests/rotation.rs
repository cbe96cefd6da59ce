//! Signing secrets are rotated without a gap.
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use bluum_hooks_tests::client::{Call, text};
use bluum_hooks_tests::daemon::{self};
use bluum_hooks_tests::partner::Partner;
use bluum_hooks_tests::sink::Request;
use serde_json::json;
use standardwebhooks::Webhook as Independent;

/// Whether each of these secrets verifies the request, by a library that is not ours.
fn verify<const N: usize>(request: &Request, secrets: [&str; N]) -> [bool; N] {
    secrets.map(|secret| {
        let library = Independent::new(secret).unwrap();
        library.verify(&request.body, &request.headers).is_ok()
    })
}

#[tokio::test]
async fn both_secrets_sign_during_the_overlap_and_only_the_new_one_without() {
    let daemon = daemon::shared(&[]);
    let (sink, partner, webhook) = Partner::joined(&daemon).await;
    let path = format!("/v1/webhooks/{}/secrets", webhook.id);
    let first = &*webhook.secret;

    // As the partner itself, and without a body: the default overlap.
    let answer = partner.api.send(Call::new(http::Method::POST, &*path)).await.must_be(201);
    let second = text(&answer, "secret");
    assert_eq!(text(&answer, "id"), webhook.id);
    let request = partner.delivered(&sink).await;
    assert_eq!(verify(&request, [first, second]), [true, true]);
    let signatures: Vec<&str> = request.header("webhook-signature").split(' ').collect();
    assert_eq!(signatures.len(), 2);
    let mut alone = request.clone();
    alone.headers.insert("webhook-signature", signatures[0].parse().unwrap());
    assert_eq!(verify(&alone, [first, second]), [false, true], "the new one is the first");

    let third = partner.rotated(&webhook, 0).await;
    let request = partner.delivered(&sink).await;
    assert_eq!(verify(&request, [first, second, &third]), [false, false, true]);
    assert!(partner.webhook(&webhook).await.get("secret").is_none(), "it is shown once");

    let arguments = ["webhooks", "rotate-secret", &webhook.id, "--overlap", "1h", "--json"];
    let run = daemon.run(&arguments).must_exit(0).json();
    let request = partner.delivered(&sink).await;
    assert_eq!(verify(&request, [&third, text(&run, "secret")]), [true, true]);
    let wrong = daemon.run(&["webhooks", "rotate-secret", &webhook.id, "--overlap", "1y"]);
    assert!(wrong.must_exit(2).stderr.contains("--overlap: '1y'"));
}

#[tokio::test]
async fn five_secrets_are_the_most_and_wrong_requests_change_none() {
    let daemon = daemon::shared(&[]);
    let (sink, partner, webhook) = Partner::joined(&daemon).await;
    for (body, param) in [
        (json!({"overlap_seconds": 604_801}), "overlap_seconds"),
        (json!({"overlap_seconds": -1}), "overlap_seconds"),
        (json!({"overlap_seconds": "1d"}), "overlap_seconds"),
        (json!({"overlap": 1}), "overlap"),
    ] {
        let refused = partner.rotate(&webhook, &body).await.must_be(400);
        assert_eq!(refused["error"]["param"], param, "{refused}");
    }
    let stranger = Partner::join(&daemon).await;
    let path = format!("/v1/webhooks/{}/secrets", webhook.id);
    let refused = stranger.api.post(&path, &json!({})).await.must_be(404);
    assert_eq!(refused["error"]["code"], "BLUM-404-001");
    assert_eq!(verify(&partner.delivered(&sink).await, [&webhook.secret]), [true]);

    let mut secrets = vec![webhook.secret.clone()];
    for _ in 0..4 {
        secrets.push(partner.rotated(&webhook, 604_800).await);
    }
    let refused = partner.rotate(&webhook, &json!({})).await.must_be(409);
    assert_eq!(refused["error"]["code"], "BLUM-409-003", "{refused}");
    assert!(text(&refused["error"], "message").contains("overlap_seconds"), "{refused}");
    let request = partner.delivered(&sink).await;
    for secret in &secrets {
        assert_eq!(verify(&request, [secret]), [true]);
    }
    // The way out that the message names.
    let last = partner.rotated(&webhook, 0).await;
    let request = partner.delivered(&sink).await;
    assert_eq!(verify(&request, [&secrets[4], &last]), [false, true]);
}
