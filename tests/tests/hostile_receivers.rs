//! What a hostile receiver can cost: one attempt, its time, and a bounded piece of memory.
#![expect(clippy::expect_used, reason = "a helper of tests stops where it cannot go on")]

use bluum_hooks_tests::client::text;
use bluum_hooks_tests::daemon::{Daemon, memory, open_files};
use bluum_hooks_tests::hostile::{Hostile, Trick};
use bluum_hooks_tests::partner::Partner;
use bluum_hooks_tests::sink::Sink;
use bluum_hooks_tests::wait;
use serde_json::{Value, json};

/// How many play each trick at the same time.
const OF_EACH: usize = 4;
/// What all of them together may add to the memory of the daemon: some 3 MB when this was written,
/// and more than ten times that if bodies were kept.
const MAX_GROWTH: u64 = 16 << 20;

/// The class of its one attempt, with a word from the error.
fn expected(trick: Trick) -> (&'static str, &'static str) {
    match trick {
        Trick::Silence | Trick::DrippingHead | Trick::DrippingBody => {
            ("timeout", "no complete answer within 1 s")
        }
        Trick::EndlessHeaders | Trick::GiantHeader => ("protocol", "head is too large"),
        Trick::EndlessHints | Trick::EndlessChunkSize => ("protocol", "more was sent than"),
        Trick::ResetInBody => ("protocol", "connection reset by peer"),
        Trick::ShortBody => ("protocol", "end of file before message length reached"),
        Trick::EarlyClose => ("protocol", "connection"),
        Trick::CloseUnanswered | Trick::HalfHead => ("protocol", "closed before message completed"),
        Trick::NotHttp => ("protocol", "invalid HTTP version"),
        Trick::WordyStatus | Trick::LongStatus => ("protocol", "invalid HTTP status-code"),
        Trick::Status999 => ("other_status", "answered 999"),
        Trick::NoColon | Trick::NulInHeader => ("protocol", "invalid HTTP header"),
        Trick::WordyLength | Trick::TwoLengths => ("protocol", "invalid content-length"),
        Trick::WordyChunkSize => ("protocol", "chunk size"),
        // The status is there, and enough of the body has been read.
        Trick::EndlessBody | Trick::Gigabyte | Trick::GigabyteInChunks => ("delivered", ""),
        Trick::GzipBomb | Trick::AnswersTwice => ("delivered", ""),
    }
}

/// One second for those that take all they are given; the others are stopped by other bounds.
fn timeout_seconds(trick: Trick) -> u64 {
    let slow = matches!(trick, Trick::Silence | Trick::DrippingHead | Trick::DrippingBody);
    if slow { 1 } else { 20 }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_receiver_costs_one_attempt_and_little_memory() {
    let (daemon, polite) = (Daemon::start(), Sink::always(200).await);
    let partner = Partner::join(&daemon).await;
    let kept = partner.subscribe(&polite.url("/in"), &["order.*"]).await;
    for _ in 0..20 {
        let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
        partner.until_delivery(&kept, &event, "delivered").await;
    }
    let (before, open) = (memory(&daemon, "VmRSS"), open_files(&daemon));

    let mut receivers = Vec::new();
    for trick in Trick::ALL.into_iter().cycle().take(OF_EACH * Trick::ALL.len()) {
        let receiver = Hostile::start(trick).await;
        let webhook = json!({
            "url": receiver.url(), "eventTypeNames": ["deposit.completed"],
            "timeout_seconds": timeout_seconds(trick), "retry_schedule": [],
        });
        receivers.push((trick, partner.subscribe_as(&webhook).await, receiver));
    }
    let hostile = partner.publish("deposit.completed", &json!({"id": "dep_1"})).await;
    for number in 0..20 {
        let data = json!({"id": format!("ord_{number}")});
        let event = partner.publish("order.filled", &data).await;
        let delivery = partner.until_delivery(&kept, &event, "delivered").await;
        assert_eq!(delivery["attempt_count"], 1, "others are delivered meanwhile: {delivery}");
    }
    for (trick, webhook, _) in &receivers {
        let (outcome, word) = expected(*trick);
        let status = if outcome == "delivered" { outcome } else { "parked" };
        let delivery = partner.until_delivery(webhook, &hostile, status).await;
        assert_eq!(delivery["attempts"][0]["outcome"], outcome, "{trick:?}: {delivery}");
        check(*trick, &delivery, word);
    }
    let growth = memory(&daemon, "VmHWM").saturating_sub(before);
    assert!(growth < MAX_GROWTH, "the daemon grew by {growth} bytes");
    wait::until("their connections to be closed", async || {
        let now = open_files(&daemon);
        if now <= open + OF_EACH { Ok(()) } else { Err(format!("{now} open files, {open} before")) }
    })
    .await;
}

/// One attempt, over in its time, with a plain reason.
fn check(trick: Trick, delivery: &Value, word: &str) {
    assert_eq!(delivery["attempt_count"], 1, "{trick:?}: {delivery}");
    let attempt = &delivery["attempts"][0];
    let error = attempt["error"].as_str().unwrap_or_default();
    assert!(error.contains(word), "{trick:?}: expected an error with '{word}': {delivery}");
    let took = attempt["duration_ms"].as_u64().expect("duration_ms");
    let limit = 1000 * timeout_seconds(trick) + 4000;
    assert!(took < limit, "{trick:?} held its attempt for {took} ms");
    if trick == Trick::GzipBomb {
        assert_eq!(attempt["response_body"], Value::Null, "unpacked: {attempt}");
    } else if error.is_empty() && trick != Trick::AnswersTwice {
        assert_eq!(text(attempt, "response_body").len(), 1024, "{attempt}");
    }
}

/// Over TLS they get no further than the handshake.
#[tokio::test(flavor = "multi_thread")]
async fn what_speaks_no_tls_is_told_from_what_closes_or_says_nothing() {
    let daemon = Daemon::start();
    let partner = Partner::join(&daemon).await;
    let mut receivers = Vec::new();
    for (trick, outcome, word) in [
        (Trick::NotHttp, "tls", "TLS failed: "),
        (Trick::Status999, "tls", "TLS failed: "),
        (Trick::EndlessBody, "tls", "TLS failed: "),
        (Trick::CloseUnanswered, "connect", "handshake eof"),
        (Trick::Silence, "connect", "timed out"),
    ] {
        let receiver = Hostile::start(trick).await;
        let webhook = json!({
            "url": receiver.https_url(), "eventTypeNames": ["order.*"],
            "timeout_seconds": 20, "retry_schedule": [],
        });
        receivers.push((outcome, word, partner.subscribe_as(&webhook).await, receiver));
    }
    let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    for (outcome, word, webhook, _) in &receivers {
        let delivery = partner.until_delivery(webhook, &event, "parked").await;
        let attempt = &delivery["attempts"][0];
        assert_eq!(attempt["outcome"], *outcome, "{delivery}");
        assert!(text(attempt, "error").contains(word), "expected '{word}' in {attempt}");
    }
}
