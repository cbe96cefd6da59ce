//! What is said in every state and for every reason, word for word, in `golden/`.
//!
//! `BLUUM_UPDATE_GOLDEN=1` writes these files anew; then look at what has changed.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bluum_hooks_shared::api::{Attempt, AttemptOutcome, CustomHeaders, Ordering, WebhookStatus};
use bluum_hooks_shared::api::{Delivery, DeliveryStatus, Webhook};
use bluum_hooks_shared::event;
use bluum_hooks_shared::id::{AttemptId, DeliveryId, EventId, TenantId, WebhookId};

use super::*;

/// 2025-06-15T15:06:40Z
const ACCEPTED: Timestamp = Timestamp::from_unix_seconds(1_750_000_000);
const OBJECT: &str = "ord_01j9x8m2k7qpzwv3t5r6y8n0ab";

/// So many seconds after the event was accepted.
fn at(seconds: u64) -> Timestamp {
    ACCEPTED.plus(Duration::from_secs(seconds))
}

fn webhook() -> Webhook {
    Webhook {
        id: WebhookId::new(ACCEPTED.minus(Duration::from_hours(24)), 7),
        object: "webhook".into(),
        created: ACCEPTED.as_unix_seconds() - 86_400,
        livemode: false,
        metadata: [].into(),
        tenant: TenantId::new(ACCEPTED, 1),
        name: None,
        description: None,
        url: "https://partner.example/webhooks".into(),
        event_type_names: vec!["order.*".into()],
        status: WebhookStatus::Active,
        status_reason: None,
        ordering: Ordering::Object,
        timeout_seconds: 30,
        retry_schedule: None,
        max_in_flight: 32,
        headers: CustomHeaders::default(),
        public_keys: Vec::new(),
        failing_since: None,
        paused_until: None,
        updated_at: ACCEPTED.minus(Duration::from_hours(24)),
        secret: None,
    }
}

fn stopped(status: WebhookStatus, reason: Option<&str>) -> Option<Webhook> {
    Some(Webhook { status, status_reason: reason.map(str::to_owned), ..webhook() })
}

fn delivery(status: DeliveryStatus, attempts: Vec<Attempt>) -> Delivery {
    let count = u32::try_from(attempts.len()).unwrap();
    let failures = attempts.iter().filter(|attempt| attempt.outcome.is_failure()).count();
    Delivery {
        id: DeliveryId::new(ACCEPTED, 5),
        object: "delivery".into(),
        created: ACCEPTED.as_unix_seconds(),
        livemode: false,
        event_id: EventId::new(ACCEPTED, 3),
        event: "order.filled".into(),
        webhook_id: webhook().id,
        sequence: 7,
        status,
        reason: None,
        ordering_key: Some(OBJECT.into()),
        attempt_count: count,
        failures: u32::try_from(failures).unwrap(),
        next_attempt_at: None,
        finished_at: None,
        blocked_by: None,
        lease_until: None,
        retry_schedule: Some(vec![60, 300, 1800]),
        attempts: Some(attempts),
    }
}

fn attempt(number: u32, seconds: u64, status: Option<u16>, error: Option<&str>) -> Attempt {
    Attempt {
        id: AttemptId::new(at(seconds), u128::from(number)),
        object: "attempt".into(),
        number,
        started_at: at(seconds),
        duration_ms: 42,
        status,
        outcome: status.map_or(AttemptOutcome::Timeout, AttemptOutcome::of_status),
        error: error.map(str::to_owned),
        response_body: status.map(|status| format!("the receiver says {status}\nand more")),
    }
}

fn refused(number: u32, seconds: u64, status: u16) -> Attempt {
    attempt(number, seconds, Some(status), Some(&format!("answered {status}")))
}

fn hung(number: u32, seconds: u64) -> Attempt {
    let error = "no complete answer within 30 s";
    Attempt { duration_ms: 30_000, ..attempt(number, seconds, None, Some(error)) }
}

fn unsent(number: u32, seconds: u64) -> Attempt {
    let error = "not sent, for a fault on the sender's side, which is not counted: no file left";
    let outcome = AttemptOutcome::OurFault;
    Attempt { outcome, ..attempt(number, seconds, None, Some(error)) }
}

fn fine(number: u32, seconds: u64) -> Attempt {
    Attempt { response_body: None, ..attempt(number, seconds, Some(204), None) }
}

fn owed(delivery: Delivery) -> Owed {
    Owed { delivery, webhook: Some(webhook()), ahead: None }
}

fn waiting(attempts: Vec<Attempt>, due: u64) -> Owed {
    let delivery = delivery(DeliveryStatus::Waiting, attempts);
    owed(Delivery { next_attempt_at: Some(at(due)), ..delivery })
}

fn parked(attempts: Vec<Attempt>, reason: &str) -> Owed {
    let delivery = delivery(DeliveryStatus::Parked, attempts);
    let reason = Some(reason.to_owned());
    owed(Delivery { reason, finished_at: Some(at(400)), ..delivery })
}

fn queued(ahead: Option<Owed>) -> Owed {
    let ahead = ahead.map(|ahead| Delivery {
        id: DeliveryId::new(ACCEPTED.minus(Duration::from_secs(9)), 4),
        event: "order.accepted".into(),
        sequence: 6,
        ..ahead.delivery
    });
    Owed { ahead, ..owed(delivery(DeliveryStatus::Queued, Vec::new())) }
}

fn leased(attempts: Vec<Attempt>, until: u64) -> Owed {
    let delivery = delivery(DeliveryStatus::Leased, attempts);
    owed(Delivery { lease_until: Some(at(until)), ..delivery })
}

fn delivered(attempts: Vec<Attempt>) -> Owed {
    let delivery = delivery(DeliveryStatus::Delivered, attempts);
    owed(Delivery { finished_at: Some(at(70)), ..delivery })
}

/// An order was filled, and this is owed; it is ten minutes later.
fn seen(owed: Vec<Owed>, others: Vec<Webhook>) -> Seen {
    let data = format!(r#"{{"id":"{OBJECT}","symbol":"AAPL","average_price":"178.50","x":1.50}}"#);
    let raw = event::render(
        EventId::new(ACCEPTED, 3),
        false,
        "order.filled",
        ACCEPTED,
        ACCEPTED,
        None,
        &data,
    );
    let event = Event::parse(raw.as_bytes()).unwrap();
    Seen { event, raw, owed, others, faults: Vec::new(), now: at(600) }
}

/// Where somebody still has to wait.
fn unfinished() -> Vec<(&'static str, Owed)> {
    let failed = || vec![refused(1, 1, 500), hung(2, 350)];
    let replayed = Delivery { failures: 0, ..waiting(failed(), 580).delivery };
    vec![
        ("queued_behind_waiting", queued(Some(waiting(failed(), 700)))),
        ("queued_behind_leased", queued(Some(leased(Vec::new(), 700)))),
        ("queued_behind_nobody", queued(None)),
        ("waiting_for_a_slot", waiting(Vec::new(), 0)),
        ("waiting_first", waiting(Vec::new(), 612)),
        ("waiting_retry", waiting(failed(), 700)),
        (
            "waiting_last_retry",
            waiting(vec![refused(1, 1, 302), refused(2, 60, 404), hung(3, 350)], 2100),
        ),
        ("waiting_retry_after", waiting(vec![refused(1, 299, 503)], 3900)),
        (
            "waiting_throttled",
            Owed {
                delivery: Delivery {
                    retry_schedule: Some(vec![1, 2]),
                    ..waiting(vec![refused(1, 550, 502)], 610).delivery
                },
                ..waiting(Vec::new(), 0)
            },
        ),
        (
            "waiting_our_fault",
            waiting(vec![refused(1, 1, 500), unsent(2, 590), unsent(3, 596)], 601),
        ),
        ("waiting_overdue", waiting(failed(), 590)),
        ("waiting_replayed", owed(replayed)),
        (
            "waiting_paused",
            Owed {
                webhook: Some(Webhook {
                    failing_since: Some(at(1)),
                    paused_until: Some(at(620)),
                    ..webhook()
                }),
                ..waiting(vec![hung(1, 501)], 591)
            },
        ),
        (
            "waiting_stopped",
            Owed {
                webhook: stopped(WebhookStatus::Inactive, None),
                ..waiting(vec![refused(1, 1, 500)], 700)
            },
        ),
        ("waiting_listener", Owed { webhook: Some(listener()), ..waiting(Vec::new(), 590) }),
        ("waiting_deleted", Owed { webhook: None, ..waiting(Vec::new(), 700) }),
        ("leased_first", leased(Vec::new(), 768)),
        ("leased_retry", leased(failed(), 768)),
        ("leased_deleted", Owed { webhook: None, ..leased(failed(), 768) }),
    ]
}

/// Where it has come to an end, for now.
fn finished() -> Vec<(&'static str, Owed)> {
    let failed = || vec![refused(1, 1, 500), hung(2, 350)];
    let disabled = || stopped(WebhookStatus::Disabled, Some("gone"));
    let gone = || vec![refused(1, 1, 500), refused(2, 63, 410)];
    let hostile = Attempt {
        error: Some("answered 500\x1b[2J".into()),
        response_body: Some("\n\x1b]0;owned\x07 \u{202e}evil\nmore".into()),
        ..refused(1, 1, 500)
    };
    vec![
        ("delivered", delivered(vec![fine(1, 1)])),
        ("delivered_late", delivered(vec![refused(1, 1, 500), hung(2, 350), fine(3, 500)])),
        ("delivered_replayed", delivered(vec![fine(1, 1), fine(2, 300)])),
        ("parked_exhausted", parked(failed(), "exhausted")),
        ("parked_exhausted_at_once", parked(vec![refused(1, 1, 400)], "exhausted")),
        ("parked_exhausted_stopped", Owed { webhook: disabled(), ..parked(failed(), "exhausted") }),
        ("parked_exhausted_deleted", Owed { webhook: None, ..parked(failed(), "exhausted") }),
        ("parked_gone", Owed { webhook: disabled(), ..parked(gone(), "gone") }),
        ("parked_gone_active", parked(gone(), "gone")),
        (
            "parked_disabled",
            Owed {
                webhook: stopped(WebhookStatus::Inactive, None),
                ..parked(Vec::new(), "disabled")
            },
        ),
        ("parked_disabled_active", parked(failed(), "disabled")),
        ("parked_deleted", Owed { webhook: None, ..parked(failed(), "deleted") }),
        ("parked_crashes_worker", parked(Vec::new(), "crashes_worker")),
        ("parked_skipped", Owed { webhook: Some(listener()), ..parked(Vec::new(), "skipped") }),
        ("parked_expired", Owed { webhook: Some(listener()), ..parked(Vec::new(), "expired") }),
        ("parked_hostile_body", parked(vec![hostile], "exhausted")),
    ]
}

fn listener() -> Webhook {
    Webhook { url: "listener:ana@laptop".into(), ..webhook() }
}

/// Webhooks that the event was not sent to, for each reason there is.
fn others() -> Vec<Webhook> {
    let other = |number: u128, url: &str| Webhook {
        id: WebhookId::new(ACCEPTED.minus(Duration::from_hours(9)), number),
        url: format!("https://{url}/in"),
        ..webhook()
    };
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    vec![
        Webhook { event_type_names: names(&["deposit.*", "kyc.decided"]), ..other(1, "deposits") },
        Webhook { id: WebhookId::new(at(90), 2), ..other(2, "late.example") },
        Webhook { updated_at: at(300), ..other(3, "changed.example") },
        other(4, "forgotten.example"),
    ]
}

/// Holds what is said in these cases against a file.
fn check(file: &str, cases: &[(&str, String)]) {
    let said: String =
        cases.iter().map(|(name, text)| format!("== {name}\n\n{text}\n\n")).collect();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/cli/show/golden").join(file);
    if std::env::var_os("BLUUM_UPDATE_GOLDEN").is_some() {
        fs::write(&path, &said).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    for (line, (golden, said)) in golden.lines().zip(said.lines()).enumerate() {
        assert_eq!(golden, said, "{file}, line {}: see CONTRIBUTING.md", line + 1);
    }
    assert_eq!(golden.lines().count(), said.lines().count(), "{file}: see CONTRIBUTING.md");
}

#[test]
fn every_state_and_reason_is_explained() {
    let empty = seen(Vec::new(), Vec::new());
    let why = |owed| render::block(&owed, &empty, true, false);
    let cases = unfinished().into_iter().chain(finished());
    let cases: Vec<_> = cases.map(|(name, owed)| (name, why(owed))).collect();
    check("states.txt", &cases);
    for (name, text) in &cases {
        for line in text.lines().filter(|line| line.chars().count() > 80) {
            assert!(line.trim().starts_with("bluum-hooks"), "{name}: too wide: {line}");
        }
        assert!(!text.contains(|letter: char| letter.is_control() && letter != '\n'), "{name}");
    }
}

#[test]
fn every_webhook_that_got_nothing_is_told_why() {
    let why = |seen: &Seen| render::text(seen, true, false);
    let many = others().into_iter().cycle().take(12).collect();
    let mut about = seen(Vec::new(), others());
    let about_it = serde_json::to_string(&others()[3]).unwrap();
    let raw = about.raw.replace("order.filled", "webhook.disabled");
    let (start, _) = raw.split_once("\"data\":").unwrap();
    about.event = Event::parse(format!("{start}\"data\":{about_it}}}").as_bytes()).unwrap();
    about.others.iter_mut().for_each(|other| other.event_type_names = vec!["*".into()]);
    let mut faulty = seen(vec![waiting(Vec::new(), 0)], Vec::new());
    let detail = "no name server answers".to_owned();
    faulty.faults = vec![Fault { fault: "resolver".into(), since: at(500), detail }];
    let cases = [
        ("a fault of ours", why(&faulty)),
        ("no webhook", why(&seen(Vec::new(), Vec::new()))),
        ("none that matches", why(&seen(Vec::new(), others()))),
        ("one of many", why(&seen(vec![delivered(vec![fine(1, 1)])], many))),
        ("about a webhook", why(&about)),
    ];
    check("others.txt", &cases);
}

#[test]
fn without_why_there_is_the_event_and_where_it_stands() {
    let mut both = vec![parked(vec![hung(1, 1)], "exhausted"), delivered(vec![fine(1, 1)])];
    both[1].delivery.webhook_id = WebhookId::new(ACCEPTED, 9);
    let coloured = vec![parked(vec![hung(1, 1)], "exhausted"), waiting(Vec::new(), 700)];
    let cases = [
        ("two deliveries", render::text(&seen(both, Vec::new()), false, false)),
        ("no delivery", render::text(&seen(Vec::new(), others()), false, false)),
        ("in colour", render::text(&seen(coloured, Vec::new()), false, true)),
    ];
    check("plain.txt", &cases);
}

/// As scripts get it: the objects of the API, with the words beside.
#[test]
fn json_has_the_same_words() {
    let seen = seen(vec![parked(vec![hung(1, 1)], "exhausted")], others());
    let raw = RawValue::from_string(seen.raw.clone()).unwrap();
    let json = serde_json::to_value(seen.json(&raw, true)).unwrap();
    let delivery = &json["deliveries"][0];
    let said = explain::delivery(&seen.owed[0], seen.now);
    assert_eq!((&delivery["why"], &delivery["next"]), (&said.why.into(), &said.next.into()));
    assert_eq!(
        delivery["commands"][0],
        format!("bluum-hooks deliveries replay {}", seen.owed[0].delivery.id)
    );
    assert_eq!((&delivery["status"], &delivery["sequence"]), (&"parked".into(), &7.into()));
    assert_eq!(json["not_sent_to"].as_array().unwrap().len(), 4);
    let plain = serde_json::to_string(&seen.json(&raw, false)).unwrap();
    assert!(plain.starts_with(&format!(r#"{{"event":{},"deliveries":["#, seen.raw)), "{plain}");
    assert!(!plain.contains("\"why\"") && !plain.contains("not_sent_to"), "{plain}");
}
