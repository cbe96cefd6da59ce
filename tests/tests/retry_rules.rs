//! When a delivery is tried again after which answer: the real engine, on a clock that the test
//! moves.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of tests stops where it cannot go on"
)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bluum_hooks_dispatcher::faults::Fault;
use bluum_hooks_dispatcher::policy::state::ParkReason;
use bluum_hooks_dispatcher::transport::{Answer, Request, SendError, Transport};
use bluum_hooks_shared::api::{AttemptOutcome, DeliveryStatus, WebhookStatus};
use bluum_hooks_tests::clockwork::Clockwork;
use bytes::Bytes;

const SECOND: Duration = Duration::from_secs(1);
/// The longest that the schedule itself waits the first time: a minute and a fifth.
const FIRST_WAIT: Duration = Duration::from_secs(72);

/// Gives these answers, the last one first, then 200.
#[derive(Debug, Clone, Default)]
struct Receiver {
    answers: Arc<Mutex<Vec<Result<Answer, SendError>>>>,
    asked: Arc<AtomicUsize>,
}

impl Receiver {
    fn that_says(status: u16, retry_after: Option<&str>) -> Self {
        let retry_after = retry_after.map(str::to_owned);
        Self::whose_answers_are(vec![Ok(Answer { status, retry_after, body: Bytes::new() })])
    }

    fn whose_answers_are(answers: Vec<Result<Answer, SendError>>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers)), ..Self::default() }
    }
}

#[async_trait::async_trait]
impl Transport for Receiver {
    async fn send(&self, _: Request) -> Result<Answer, SendError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let fine = Answer { status: 200, retry_after: None, body: Bytes::new() };
        self.answers.lock().unwrap().pop().unwrap_or(Ok(fine))
    }
}

/// After this answer there is no second request until `seconds` have passed, and then there is.
async fn waits(status: u16, retry_after: Option<&str>, seconds: u32) {
    let case = format!("{status} with {retry_after:?}");
    let receiver = Receiver::that_says(status, retry_after);
    let engine = Clockwork::start(receiver.clone(), "http://127.0.0.1:1/").await;
    engine.publish().await;
    engine.until_attempts(1).await;
    let due = engine.wait_ahead().await.expect("a next attempt");
    let asked = SECOND * seconds;
    assert!(due >= asked && due <= asked.max(FIRST_WAIT), "{case}: due in {due:?}");

    engine.pass(asked - SECOND).await;
    let (delivery, attempts) = engine.delivery().await;
    assert_eq!((attempts.len(), delivery.progress.attempts), (1, 1), "{case}: too early");
    assert_eq!(delivery.progress.state.status(), DeliveryStatus::Waiting, "{case}: too early");
    assert_eq!(receiver.asked.load(Ordering::Relaxed), 1, "{case}: too early");

    engine.pass(due - (asked - SECOND)).await;
    let (delivery, _) = engine.until_attempts(2).await;
    assert_eq!(delivery.progress.state.status(), DeliveryStatus::Delivered, "{case}");
    assert_eq!(receiver.asked.load(Ordering::Relaxed), 2, "{case}");
}

#[tokio::test]
async fn what_the_receiver_asks_for_is_waited_for() {
    // An hour after the clock's start.
    for retry_after in ["3600", "Sun, 15 Jun 2025 16:06:40 GMT"] {
        for status in [429, 503] {
            waits(status, Some(retry_after), 3600).await;
        }
    }
}

#[tokio::test]
async fn nobody_is_left_alone_for_more_than_a_day() {
    for retry_after in ["604800", "Fri, 15 Jun 2125 16:06:40 GMT"] {
        waits(429, Some(retry_after), 24 * 3600).await;
    }
}

#[tokio::test]
async fn too_much_without_saying_how_long_is_a_minute() {
    // The first wait of the schedule is a minute less a fifth.
    for status in [429, 502, 504] {
        waits(status, None, 60).await;
    }
}

#[tokio::test]
async fn any_other_failure_waits_as_scheduled() {
    for (status, retry_after) in [(302, None), (404, None), (500, Some("3600")), (503, None)] {
        waits(status, retry_after, 48).await;
    }
}

#[tokio::test]
async fn gone_is_never_asked_again() {
    let receiver = Receiver::that_says(410, None);
    let engine = Clockwork::start(receiver.clone(), "http://127.0.0.1:1/").await;
    engine.publish().await;
    engine.until_attempts(1).await;
    engine.publish().await;
    engine.pass(Duration::from_hours(24)).await;
    let (delivery, attempts) = engine.delivery().await;
    assert_eq!(delivery.progress.state.status(), DeliveryStatus::Parked);
    assert_eq!((attempts.len(), receiver.asked.load(Ordering::Relaxed)), (0, 1));
}

#[tokio::test]
async fn a_fault_of_ours_uses_up_no_retry_and_is_over_within_a_minute() {
    let ours = || Err(SendError::Ours(Fault::Resources, "too many open files".into()));
    let receiver = Receiver::whose_answers_are((0..20).map(|_| ours()).collect());
    let engine = Clockwork::start(receiver.clone(), "http://127.0.0.1:1/").await;
    engine.publish().await;
    for number in 1..=20 {
        let (delivery, attempts) = engine.until_attempts(number).await;
        assert_eq!(attempts[number - 1].attempt.outcome, AttemptOutcome::OurFault);
        assert_eq!(delivery.progress.failures, 0);
        engine.pass(60 * SECOND).await;
    }
    let (delivery, _) = engine.until_attempts(21).await;
    assert_eq!(delivery.progress.state.status(), DeliveryStatus::Delivered);
}

/// Each delivery is given up after half a day; the webhook only after five.
#[tokio::test]
async fn five_days_of_failures_and_nothing_else_disable_a_webhook() {
    let failures = |count| {
        let refused = || Ok(Answer { status: 500, retry_after: None, body: Bytes::new() });
        (0..count).map(|_| refused()).collect::<Vec<_>>()
    };
    let receiver = Receiver::whose_answers_are(failures(3));
    let engine = Clockwork::start(receiver.clone(), "http://127.0.0.1:1/").await;
    engine.publish().await;
    for number in 1..=3 {
        engine.until_attempts(number).await;
        assert!(engine.webhook().settings.failing_since.is_some());
        engine.pass(engine.wait_ahead().await.expect("a next attempt")).await;
    }
    engine.until_attempts(4).await;
    assert_eq!(engine.webhook().settings.failing_since, None, "one was delivered");

    *receiver.answers.lock().unwrap() = failures(1_000);
    for _ in 0..9 {
        assert_eq!(engine.webhook().settings.status, WebhookStatus::Active);
        engine.publish().await;
        engine.until_attempts(1).await;
        while let Some(wait) = engine.wait_ahead().await {
            let (_, attempts) = engine.delivery().await;
            engine.pass(wait).await;
            engine.until_attempts(attempts.len() + 1).await;
        }
        let (delivery, _) = engine.delivery().await;
        assert_eq!(delivery.progress.state.reason(), Some(ParkReason::Exhausted));
    }
    // Nine times 10.6 hours are not five days yet, even with a fifth more.
    engine.pass(Duration::from_hours(36)).await;
    engine.publish().await;
    engine.until_attempts(1).await;
    assert_eq!(engine.webhook().settings.status, WebhookStatus::Active, "its retry may be fine");
    engine.pass(engine.wait_ahead().await.expect("a next attempt")).await;
    engine.until_attempts(2).await;
    let webhook = engine.webhook();
    assert_eq!(webhook.settings.status, WebhookStatus::Disabled);
    assert_eq!(webhook.settings.status_reason.as_deref(), Some("failing"));
    assert!(webhook.settings.failing_since.is_some());
}
