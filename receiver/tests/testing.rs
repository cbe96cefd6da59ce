//! The test kit itself: it signs as the dispatcher does, each hostile case is what it says, and
//! a handler that works twice is found out.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use bluum_hooks_receiver::testing::{
    Answer, Clock, Dispatcher, Expected, NOW, PrivateKey, Signed, TestEvent, TestSender, strategies,
};
use bluum_hooks_receiver::{Data, Event, Secret, Verifier, header, now};
use proptest::prelude::*;

fn secret(byte: u8) -> Secret {
    Secret::from_bytes(&[byte; 32]).unwrap()
}

fn pair(byte: u8) -> PrivateKey {
    PrivateKey::from_seed(&[byte; 32])
}

/// Of each kind, of both, and in rotations.
fn senders() -> [TestSender; 5] {
    [
        TestSender::new(),
        TestSender::signing_with([], [pair(1)]),
        TestSender::signing_with([secret(1)], [pair(1)]),
        TestSender::signing_with([secret(2), secret(1)], []),
        TestSender::signing_with([secret(2), secret(1)], [pair(2), pair(1)]),
    ]
}

/// The status of a receiver that does nothing but verify.
fn status(verifier: &Verifier, clock: &Clock, request: &Signed) -> u16 {
    match verifier.verify(&request.headers, &request.body, clock.now()) {
        Ok(_) => 204,
        Err(refused) => refused.status(),
    }
}

#[test]
fn a_request_has_every_header_of_the_contract() {
    let sender = TestSender::new();
    let request = sender.sign(&TestEvent::new("order.filled").numbered(7));
    let names: Vec<_> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
            "webhook-sequence",
            "webhook-attempt",
            "traceparent",
            "content-type",
            "user-agent"
        ]
    );
    assert_eq!(request.id(), "evt_01kv5v1cak0000000000000007");
    assert_eq!(request.header(header::WEBHOOK_SEQUENCE), Some("7"));
    assert_eq!(request.header(header::WEBHOOK_ATTEMPT), Some("1"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert!(request.header("user-agent").unwrap().starts_with("Bluum-Hooks/"));
    let trace = request.header(header::TRACEPARENT).unwrap();
    assert!(trace.starts_with("00-019ecbb0b1530000") && trace.len() == 55, "{trace}");
}

#[test]
fn every_type_is_signed_and_read_typed() {
    for sender in senders() {
        for event in TestEvent::catalogue() {
            let request = sender.sign(&event);
            let verifier = sender.verifier();
            let now = sender.clock().now();
            let verified = verifier.verify(&request.headers, &request.body, now).unwrap();
            let read = verified.event().unwrap();
            assert_eq!((read.name.as_str(), read.id), (event.name(), event.event_id().to_string()));
            assert!(!matches!(read.data, Data::Unknown | Data::Unreadable { .. }));
        }
    }
}

#[test]
fn a_resend_is_the_same_delivery_at_another_time() {
    let sender = TestSender::new();
    let first = sender.sign(&TestEvent::new("order.filled").numbered(3));
    sender.clock().advance(Duration::from_secs(3_600));
    assert_eq!(status(&sender.verifier(), sender.clock(), &first), 401);
    let second = sender.resend(&first);
    assert_eq!(status(&sender.verifier(), sender.clock(), &second), 204);
    assert_eq!((first.id(), &first.body), (second.id(), &second.body));
    assert_eq!(second.header(header::WEBHOOK_ATTEMPT), Some("2"));
    assert_eq!(second.header(header::WEBHOOK_SEQUENCE), Some("3"));
    assert_ne!(first.header(header::TRACEPARENT), second.header(header::TRACEPARENT));
}

#[test]
fn every_hostile_case_is_answered_as_it_says() {
    for sender in senders() {
        let verifier = sender.verifier();
        let mut names = BTreeSet::new();
        for event in [TestEvent::new("order.filled"), TestEvent::new("x.y").livemode(true)] {
            for case in sender.hostile(&event) {
                let answered = status(&verifier, sender.clock(), &case.request);
                let right = match case.expected {
                    Expected::Accepted => answered == 204,
                    Expected::Refused(status) => answered == status,
                };
                assert!(right && case.expected.is_met_by(answered), "{answered}: {case:#?}");
                names.insert(case.name);
            }
        }
        let count = sender.hostile(&TestEvent::new("order.filled")).count();
        assert_eq!(names.len(), count, "a name stands twice");
        assert!(count >= 140, "{count}");
    }
}

/// The official library, which takes the first of two headers, rebuilds the time from a number and
/// ends the process with a number below all others: the list finds it out.
#[test]
fn the_hostile_cases_find_out_a_lenient_receiver() {
    let clock = Clock::at(now());
    let sender = TestSender::new().with_clock(clock);
    let theirs = standardwebhooks::Webhook::new(TestSender::SECRET).unwrap();
    let mut wrong = BTreeMap::new();
    for case in sender.hostile(&TestEvent::new("order.filled")) {
        // What HTTP cannot carry reaches nobody.
        let Ok(request) = case.request.into_http::<Vec<u8>>("/") else { continue };
        let verified = || theirs.verify(request.body(), request.headers());
        let status = match catch_unwind(AssertUnwindSafe(verified)) {
            Ok(Ok(())) => 204,
            Ok(Err(_)) => 401,
            Err(_) => 500,
        };
        if !case.expected.is_met_by(status) {
            wrong.insert(case.name, status);
        }
    }
    for (name, status) in [
        ("webhook-id is there twice, the second another", 204),
        ("webhook-timestamp is there twice, the same", 204),
        ("the time is with a plus", 204),
        ("the time has zeros before it, which were not signed", 204),
        ("the id is with a dot, and signed", 204),
        ("the time is the least number there is", 500),
    ] {
        assert_eq!(wrong.get(name), Some(&status), "{name}: {wrong:#?}");
    }
}

/// Seen from outside: a handler which does its work, counted by id.
struct Ledger {
    sender: TestSender,
    verifier: Verifier,
    done: RefCell<BTreeMap<String, u32>>,
    once: bool,
}

impl Ledger {
    fn new(once: bool) -> Self {
        let sender = TestSender::new();
        Self { verifier: sender.verifier(), sender, done: RefCell::default(), once }
    }

    async fn handle(&self, request: Signed) -> u16 {
        let now = self.sender.clock().now();
        let Ok(verified) = self.verifier.verify(&request.headers, &request.body, now) else {
            return 401;
        };
        let known = self.done.borrow().contains_key(verified.id());
        // Somebody else's turn: between looking and writing, as with any database.
        tokio::task::yield_now().await;
        if !(known && self.once) {
            *self.done.borrow_mut().entry(verified.id().to_owned()).or_default() += 1;
        }
        204
    }
}

#[tokio::test]
async fn what_is_answered_is_delivered_and_the_rest_goes_by_the_schedule() {
    let sender = TestSender::new();
    let event = [TestEvent::new("order.filled")];
    let seconds = |report: &bluum_hooks_receiver::testing::Report| -> Vec<u64> {
        let attempts = report.deliveries[0].attempts.iter();
        attempts.map(|attempt| attempt.at.since(NOW).as_secs()).collect()
    };
    let report = Dispatcher::new(&sender).deliver(&event, async |_| 500).await;
    assert_eq!(seconds(&report), [0, 60, 360, 2_160, 9_360, 38_160]);
    assert_eq!((report.statuses(), report.undelivered().count()), (vec![500; 6], 1));

    sender.clock().set(NOW);
    let busy = Answer { status: 503, retry_after: Some(Duration::from_secs(600)) };
    let report = Dispatcher::new(&sender)
        .schedule([Duration::from_secs(1); 2])
        .deliver(&event, async |request: Signed| {
            if request.header("webhook-attempt") == Some("3") { 204.into() } else { busy }
        })
        .await;
    assert_eq!(seconds(&report), [0, 600, 1_200]);
    report.assert_delivered();

    let report = Dispatcher::new(&sender).deliver(&event, async |_| 410).await;
    assert_eq!((report.statuses(), report.undelivered().count()), (vec![410], 1));
}

#[tokio::test]
async fn a_handler_that_works_twice_is_found_out() {
    let events: Vec<_> = TestEvent::catalogue().collect();
    for (copies, lost, once, times) in
        [(1, 0, false, 1), (1, 2, true, 1), (1, 2, false, 3), (5, 0, true, 5), (3, 1, true, 3)]
    {
        let ledger = Ledger::new(once);
        let dispatcher = Dispatcher::new(&ledger.sender).copies(copies).lost_answers(lost);
        let report = dispatcher.deliver(&events, |request| ledger.handle(request)).await;
        report.assert_delivered();
        let requests = events.len() * copies * (lost + 1);
        assert_eq!(report.statuses(), vec![204; requests]);
        let done = ledger.done.borrow();
        assert_eq!(done.len(), events.len());
        assert!(done.values().all(|&count| count == times), "{copies} {lost} {once}: {done:?}");
    }
}

#[tokio::test]
async fn out_of_order_is_an_order_of_its_own_and_nothing_is_left_out() {
    let sender = TestSender::new();
    let events: Vec<_> = TestEvent::catalogue().collect();
    let ids = async |dispatcher: Dispatcher<'_>| -> Vec<String> {
        let report = dispatcher.deliver(&events, async |_| 200).await;
        report.deliveries.into_iter().map(|delivery| delivery.id).collect()
    };
    let plain = ids(Dispatcher::new(&sender)).await;
    let shuffled = ids(Dispatcher::new(&sender).shuffled(7)).await;
    assert_eq!(shuffled, ids(Dispatcher::new(&sender).shuffled(7)).await);
    assert_ne!(plain, shuffled);
    assert_eq!(plain.iter().collect::<BTreeSet<_>>(), shuffled.iter().collect());
}

#[cfg(feature = "tower")]
#[tokio::test]
async fn a_router_is_delivered_to() {
    use axum::http::{StatusCode, header::RETRY_AFTER};
    use axum::response::IntoResponse;
    use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
    use bluum_hooks_receiver::testing::service;

    let sender = TestSender::new();
    let (verifier, clock) = (sender.verifier(), sender.clock().clone());
    let handler = async move |headers: HeaderMap, body: Bytes| {
        let verified = verifier.verify(&headers, &body, clock.now());
        let third = headers["webhook-attempt"] == "3";
        match verified {
            Ok(_) if third => StatusCode::NO_CONTENT.into_response(),
            Ok(_) => (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "7200")]).into_response(),
            Err(_) => StatusCode::UNAUTHORIZED.into_response(),
        }
    };
    let router = service(Router::new().route("/hook", post(handler)), "/hook");
    let event = [TestEvent::new("kyc.decided")];
    let report = Dispatcher::new(&sender).deliver(&event, router).await;
    report.assert_delivered();
    assert_eq!(report.statuses(), [503, 503, 204]);
    assert_eq!(report.deliveries[0].attempts[1].at.since(NOW).as_secs(), 7_200);
}

/// What passes the verifier passes the layer, whose MAC grows with the body; and nothing else.
#[cfg(feature = "tower")]
#[tokio::test]
async fn the_layer_answers_every_hostile_case_as_it_says() {
    use std::convert::Infallible;
    use std::future::ready;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::body::Bytes;
    use axum::http::{Request, Response, StatusCode};
    use bluum_hooks_receiver::{Verified, testing::service, tower::VerifyLayer};
    use tower::{Layer, service_fn};

    for sender in senders() {
        let (ran, clock) = (Arc::new(AtomicUsize::new(0)), sender.clock().clone());
        let layer = VerifyLayer::new(sender.verifier()).clock(move || clock.now());
        let runs = Arc::clone(&ran);
        let handler = service_fn(move |_: Request<Verified<Bytes>>| {
            runs.fetch_add(1, Ordering::SeqCst);
            let response = Response::builder().status(StatusCode::NO_CONTENT);
            ready(Ok::<_, Infallible>(response.body(String::new()).unwrap()))
        });
        let endpoint = service(layer.layer(handler), "/hook");
        let (mut sent, mut accepted) = (0, 0);
        for case in sender.hostile(&TestEvent::new("order.filled")) {
            // What HTTP cannot carry reaches nobody.
            if case.request.clone().into_http::<Vec<u8>>("/").is_err() {
                continue;
            }
            let status = endpoint(case.request.clone()).await.status;
            match case.expected {
                Expected::Accepted => accepted += 1,
                Expected::Refused(refusal) => assert_eq!(status, refusal, "{case:#?}"),
            }
            assert!(case.expected.is_met_by(status), "{status}: {case:#?}");
            sent += 1;
        }
        assert_eq!(ran.load(Ordering::SeqCst), accepted);
        assert!(sent >= 130 && accepted >= 30, "{sent} {accepted}");
    }
}

proptest! {
    #[test]
    fn drawn_events_are_read_typed(event in strategies::events()) {
        let read = Event::parse(event.body().as_bytes()).unwrap();
        prop_assert!(!matches!(read.data, Data::Unknown | Data::Unreadable { .. }), "{read:?}");
        prop_assert_eq!(read.raw_data(), event.raw_data());
    }

    #[test]
    fn drawn_unknown_events_are_kept(event in strategies::unknown_events()) {
        let read = Event::parse(event.body().as_bytes()).unwrap();
        prop_assert_eq!(&read.data, &Data::Unknown);
        prop_assert_eq!((read.raw_data(), &*read.name), (event.raw_data(), event.name()));
    }

    #[test]
    fn drawn_events_of_a_type_are_of_it(event in strategies::events_named("wallet.updated")) {
        prop_assert_eq!(event.name(), "wallet.updated");
        let read = Event::parse(event.body().as_bytes()).unwrap();
        prop_assert!(matches!(read.data, Data::Wallet(_)));
    }
}
