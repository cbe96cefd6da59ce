//! `GET /metrics`: what happened is counted, by kinds of which there are few.
#![expect(clippy::panic, reason = "a helper of tests may stop the test")]

use std::collections::{BTreeMap, BTreeSet};

use bluum_hooks_tests::daemon::Daemon;
use bluum_hooks_tests::partner::Partner;
use bluum_hooks_tests::sink::Sink;
use bluum_hooks_tests::wait;
use serde_json::json;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every series with its value, as it is written.
async fn scrape(daemon: &Daemon) -> BTreeMap<String, String> {
    let answer = daemon.client(None).get("/metrics").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some(OPENMETRICS)));
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let series = lines.map(|line| match line.rsplit_once(' ') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => panic!("'{line}' is no series"),
    });
    series.collect()
}

async fn until(daemon: &Daemon, expected: &[(&str, &str)]) {
    wait::until("the metrics to tell", async || {
        let series = scrape(daemon).await;
        let missing = expected.iter().find(|(name, value)| {
            series.get(&format!("bluum_hooks_{name}")).is_none_or(|found| found != value)
        });
        missing.map_or(Ok(()), |missing| Err(format!("{missing:?} not in {series:#?}")))
    })
    .await;
}

#[tokio::test]
async fn what_happens_is_counted() {
    let (good, bad) = (Sink::always(200).await, Sink::always(500).await);
    let daemon = Daemon::start_with(&["--max-in-flight", "9"]);
    let partner = Partner::join(&daemon).await;
    partner.subscribe(&good.url("/"), &["order.*"]).await;
    let once = json!({"url": bad.url("/"), "eventTypeNames": ["order.*"], "retry_schedule": []});
    partner.subscribe_as(&once).await;
    for n in 0..5 {
        partner.publish("order.filled", &json!({"id": format!("ord_{n}")})).await;
    }
    until(
        &daemon,
        &[
            ("events_accepted_total", "5"),
            ("claims_total", "10"),
            ("attempts_total{outcome=\"delivered\"}", "5"),
            ("attempts_total{outcome=\"server_error\"}", "5"),
            ("attempt_duration_seconds_count", "10"),
            ("deliveries_total{outcome=\"delivered\"}", "5"),
            ("deliveries_total{outcome=\"parked\"}", "5"),
            ("deliveries_parked_total{reason=\"exhausted\"}", "5"),
            ("records_stale_total", "0"),
            ("slots", "9"),
            ("in_flight", "0"),
            ("webhooks_backlogged", "0"),
            ("outbox_rejected", "0"),
        ],
    )
    .await;
}

#[tokio::test]
async fn series_do_not_grow_with_webhooks() {
    let sink = Sink::always(200).await;
    let daemon = Daemon::start();
    let mut names: Vec<BTreeSet<String>> = Vec::new();
    for delivered in [1, 21] {
        let partner = Partner::join(&daemon).await;
        for n in 0..if delivered == 1 { 1 } else { 20 } {
            partner.subscribe(&sink.url(&format!("/{n}")), &["order.*"]).await;
        }
        partner.publish("order.filled", &json!({"id": "ord_1"})).await;
        let delivered = delivered.to_string();
        until(&daemon, &[("deliveries_total{outcome=\"delivered\"}", &delivered)]).await;
        names.push(scrape(&daemon).await.into_keys().collect());
    }
    assert_eq!(names[0], names[1]);
}
