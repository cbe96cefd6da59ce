//! How many requests a key may make in a second: what the daemon answers, and that it counts right.

use std::time::Duration;

use bluum_hooks_tests::client::{Call, Client, Credentials, Response};
use bluum_hooks_tests::daemon::{self, Shared};
use bluum_hooks_tests::partner::Partner;
use bluum_hooks_tests::{binary, wait};
use http::Method;
use serde_json::json;

/// Requests a second of a sandbox key.
const LIMIT: u32 = 20;
const OPTIONS: [&str; 4] = ["--rate-limit-sandbox", "20", "--rate-limit-live", "40"];

fn daemon() -> Shared {
    daemon::shared(&OPTIONS)
}

async fn ask(client: &Client) -> Response {
    client.get("/v1/webhooks").await
}

/// Asks until the limit is reached.
async fn until_refused(client: &Client) -> Response {
    wait::until("an answer 429", async || {
        let answer = ask(client).await;
        if answer.status == 429 { Ok(answer) } else { Err(format!("{answer:?}")) }
    })
    .await
}

fn standing(response: &Response) -> [Option<&str>; 4] {
    ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after"]
        .map(|name| response.header(name))
}

#[tokio::test]
async fn a_key_over_its_limit_is_told_when_to_go_on() {
    let daemon = daemon();
    let partner = Partner::join(&daemon).await;
    let first = ask(&partner.api).await;
    first.must_be(200);
    assert_eq!(standing(&first), [Some("20"), Some("19"), Some("1"), None]);

    let refused = until_refused(&partner.api).await;
    let body = refused.must_be(429);
    let message = "This key may make 20 requests a second; see Retry-After.";
    let error = json!({"type": "rate_limit_error", "code": "BLUM-429-001", "message": message});
    assert_eq!(body, json!({ "error": error }));
    assert_eq!(standing(&refused), [Some("20"), Some("0"), Some("1"), Some("1")]);

    let other = Partner::join(&daemon).await;
    ask(&other.api).await.must_be(200);
    wait::until("the limit to be over", async || {
        let answer = ask(&partner.api).await;
        if answer.status == 200 { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await;
}

/// Nobody who opens the daemon to partners has to think of it.
#[tokio::test]
async fn without_a_word_the_limits_are_the_platforms() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("hooks.db").display());
    let keys = binary::run(&["init", "--database", &url, "--json"]).must_exit(0).json();
    let serve = binary::command(&["serve", "--database", &url, "--listen", "127.0.0.1:0"]);
    let (_process, line) = daemon::first_line(serve, folder.path());
    let base = line.strip_prefix("listening on ").unwrap();

    let operator = Credentials::from_json(&keys["operator"]);
    let operator = Client::new(base, Some(&operator));
    let live = json!({"role": "tenant", "tenant": keys["tenant"]["id"], "livemode": true});
    let live = operator.post("/v1/keys", &live).await.must_be(201);
    for (key, limit) in [(&keys["tenant"], "10"), (&live, "25")] {
        let tenant = Client::new(base, Some(&Credentials::from_json(key)));
        let first = ask(&tenant).await;
        first.must_be(200);
        assert_eq!(first.header("ratelimit-limit"), Some(limit), "in {first:?}");
        until_refused(&tenant).await.must_be(429);
    }
    assert_eq!(standing(&ask(&operator).await), [None; 4]);
}

#[tokio::test]
async fn answers_that_are_errors_count_too() {
    let daemon = daemon();
    let partner = Partner::join(&daemon).await;
    let mut calls = [
        Call::get("/v1/tenants"),
        Call::get("/v1/webhooks/nonsense"),
        Call::new(Method::PUT, "/v1/webhooks"),
    ]
    .into_iter()
    .cycle();
    let refused = wait::until("an answer 429", async || {
        let answer = partner.api.send(calls.next().unwrap()).await;
        assert!(answer.status.is_client_error(), "{answer:?}");
        assert_eq!(answer.header("ratelimit-limit"), Some("20"), "{answer:?}");
        if answer.status == 429 { Ok(answer) } else { Err(format!("{answer:?}")) }
    });
    assert_eq!(standing(&refused.await), [Some("20"), Some("0"), Some("1"), Some("1")]);
}

#[tokio::test]
async fn operators_are_not_limited_and_live_keys_have_a_limit_of_their_own() {
    let daemon = daemon();
    let operator = daemon.operator();
    for _ in 0..3 * LIMIT {
        let answer = ask(&operator).await;
        answer.must_be(200);
        assert_eq!(standing(&answer), [None; 4]);
    }
    let live = json!({"role": "tenant", "tenant": daemon.tenant_id(), "livemode": true});
    let live = daemon.new_key(&live).await;
    let answer = ask(&daemon.client(Some(&live))).await;
    answer.must_be(200);
    assert_eq!(standing(&answer), [Some("40"), Some("39"), Some("1"), None]);
}

#[tokio::test]
async fn wrong_credentials_use_up_nobodys_limit() {
    let daemon = daemon();
    let tenant = json!({"role": "tenant", "tenant": daemon.tenant_id()});
    let key = daemon.new_key(&tenant).await;
    let thief = Credentials { secret: "guessed".to_owned(), ..key.clone() };
    let thief = daemon.client(Some(&thief));
    for _ in 0..3 * LIMIT {
        let answer = ask(&thief).await;
        answer.must_be(401);
        assert_eq!(standing(&answer), [None; 4]);
    }
    let answer = ask(&daemon.client(Some(&key))).await;
    assert_eq!(answer.header("ratelimit-remaining"), Some("19"), "in {answer:?}");
}

/// What is set is what is observed: a full bucket, and then as many a second as the limit says.
#[tokio::test]
async fn the_rate_that_is_set_is_the_rate_that_is_let_through() {
    const WINDOW: Duration = Duration::from_secs(3);
    let daemon = daemon();
    let partner = Partner::join(&daemon).await;
    let start = wait::now();
    let mut accepted: u32 = 0;
    let what = "three seconds of requests, each soon after the other";
    let took = wait::until(what, async || {
        let answer = ask(&partner.api).await;
        accepted += u32::from(answer.status == 200);
        let took = wait::now() - start;
        if took >= WINDOW { Ok(took) } else { Err(format!("{took:?}")) }
    });
    let took = took.await;
    let may = f64::from(LIMIT) * (1.0 + took.as_secs_f64());
    let share = f64::from(accepted) / may;
    assert!((0.85..=1.0).contains(&share), "{accepted} of {may} in {took:?}");
}
