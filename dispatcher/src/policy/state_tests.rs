//! All states × all inputs, one by one.

use std::time::Duration;

use super::*;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_000_000);
const PAST: Timestamp = Timestamp::from_unix_seconds(999_999);
const FUTURE: Timestamp = Timestamp::from_unix_seconds(1_000_001);

fn states() -> Vec<State> {
    let mut states = vec![State::Queued, State::Delivered { finished_at: PAST }];
    for at in [PAST, NOW, FUTURE] {
        states.push(State::Waiting { due_at: at });
        states.push(State::Leased { lease_until: at });
    }
    states.extend(ParkReason::ALL.map(|reason| State::Parked { finished_at: PAST, reason }));
    states
}

fn inputs() -> Vec<Input> {
    let mut inputs = vec![
        Input::PredecessorFinished,
        Input::Claimed { lease_until: FUTURE },
        Input::Attempted(Verdict::Delivered),
        Input::Attempted(Verdict::Gone),
        Input::Attempted(Verdict::OurFault),
        Input::Attempted(Verdict::Failed { not_before: Duration::ZERO }),
        Input::Attempted(Verdict::Failed { not_before: Duration::from_hours(3) }),
        Input::GivenBack,
        Input::Replayed { behind: false },
        Input::Replayed { behind: true },
    ];
    inputs.extend(ParkReason::ALL.map(Input::WebhookStopped));
    inputs
}

/// Every progress that can be stored, for counters up to where they stop mattering.
fn progresses() -> Vec<Progress> {
    let mut all = Vec::new();
    for state in states() {
        for lost_claims in [0, 1, MAX_LOST_CLAIMS - 1] {
            for failures in 0..=6 {
                let claim = lost_claims + failures + 1;
                all.push(Progress { state, claim, lost_claims, attempts: failures, failures });
            }
        }
    }
    all
}

/// The diagram, as a relation: which states an input may lead to.
fn allowed(from: State, input: Input) -> &'static [DeliveryStatus] {
    use DeliveryStatus::{Delivered, Leased, Parked, Queued, Waiting};
    match (from, input) {
        (State::Queued, Input::PredecessorFinished) => &[Waiting],
        (State::Waiting { due_at }, Input::Claimed { .. }) if due_at <= NOW => &[Leased],
        (State::Leased { lease_until }, Input::Claimed { .. }) if lease_until <= NOW => {
            &[Leased, Parked]
        }
        (State::Leased { .. }, Input::Attempted(Verdict::Delivered)) => &[Delivered],
        (State::Leased { .. }, Input::Attempted(Verdict::Gone)) => &[Parked],
        (State::Leased { .. }, Input::Attempted(Verdict::Failed { .. })) => &[Waiting, Parked],
        (State::Leased { .. }, Input::GivenBack | Input::Attempted(Verdict::OurFault)) => {
            &[Waiting]
        }
        (
            State::Queued | State::Waiting { .. } | State::Leased { .. },
            Input::WebhookStopped(_),
        ) => &[Parked],
        (State::Delivered { .. } | State::Parked { .. }, Input::Replayed { behind: false }) => {
            &[Waiting]
        }
        (State::Delivered { .. } | State::Parked { .. }, Input::Replayed { behind: true }) => {
            &[Queued]
        }
        _ => &[],
    }
}

#[test]
fn every_state_takes_every_input_as_the_diagram_says() {
    let schedule = RetrySchedule::default();
    let mut cases = 0;
    for before in progresses() {
        for input in inputs() {
            for jitter in [0.0, 0.5, 0.999] {
                cases += 1;
                let after = step(before, input, NOW, &schedule, jitter);
                let allowed = allowed(before.state, input);
                match after {
                    Err(refused) => {
                        assert!(allowed.is_empty(), "{before:?} refused {input:?}");
                        assert_eq!(refused.from, before.state.status());
                    }
                    Ok(after) => {
                        assert!(allowed.contains(&after.state.status()), "{before:?} {input:?}");
                        holds(before, input, after);
                    }
                }
            }
        }
    }
    assert_eq!(cases, 15 * 3 * 7 * 17 * 3);
}

/// What is true of every change, whatever it was.
fn holds(before: Progress, input: Input, after: Progress) {
    let status = after.state.status();
    assert_eq!(after.claim, before.claim + u32::from(matches!(input, Input::Claimed { .. })));
    assert_eq!(after.attempts, before.attempts + u32::from(matches!(input, Input::Attempted(_))));
    assert!(after.failures <= after.attempts && after.attempts <= after.claim);
    let ours = matches!(
        input,
        Input::Claimed { .. }
            | Input::GivenBack
            | Input::Attempted(Verdict::OurFault)
            | Input::WebhookStopped(_)
    );
    if ours {
        assert_eq!(after.failures, before.failures, "our own doing never uses up a retry");
    }
    if let State::Waiting { due_at } = after.state {
        assert!(due_at >= NOW);
        if let Input::Attempted(Verdict::Failed { not_before }) = input {
            assert!(due_at >= NOW.plus(not_before));
        }
    }
    let finished = matches!(status, DeliveryStatus::Delivered | DeliveryStatus::Parked);
    assert_eq!(after.state.finished_at(), finished.then_some(NOW));
    assert_eq!(after.state.reason().is_some(), status == DeliveryStatus::Parked);
}

#[test]
fn the_sixth_failure_parks_and_not_the_fifth() {
    let schedule = RetrySchedule::default();
    let mut delivery = Progress::new(State::Waiting { due_at: NOW });
    let failed = Input::Attempted(Verdict::Failed { not_before: Duration::ZERO });
    let mut now = NOW;
    for attempt in 1..=6 {
        let claimed = Input::Claimed { lease_until: now.plus(Duration::from_secs(60)) };
        delivery = step(delivery, claimed, now, &schedule, 0.5).unwrap();
        delivery = step(delivery, failed, now, &schedule, 0.5).unwrap();
        assert_eq!(delivery.failures, attempt);
        match delivery.state {
            State::Waiting { due_at } => now = due_at,
            state => {
                assert_eq!(attempt, 6);
                assert_eq!(state.reason(), Some(ParkReason::Exhausted));
            }
        }
    }
    assert_eq!(now.since(NOW), Duration::from_mins(636));
}

#[test]
fn a_delivery_that_kills_its_worker_is_parked_and_one_that_is_given_back_never_is() {
    let schedule = RetrySchedule::default();
    let claim = |delivery, now| {
        step(delivery, Input::Claimed { lease_until: now }, now, &schedule, 0.0).unwrap()
    };
    let mut killer = claim(Progress::new(State::Waiting { due_at: NOW }), NOW);
    for _ in 1..MAX_LOST_CLAIMS {
        killer = claim(killer, NOW);
        assert_eq!(killer.state.status(), DeliveryStatus::Leased);
    }
    assert_eq!(claim(killer, NOW).state.reason(), Some(ParkReason::CrashesWorker));

    let mut innocent = Progress::new(State::Waiting { due_at: NOW });
    for _ in 0..3 * MAX_LOST_CLAIMS {
        innocent = claim(innocent, NOW);
        innocent = step(innocent, Input::GivenBack, NOW, &schedule, 0.0).unwrap();
    }
    assert_eq!(innocent.state.status(), DeliveryStatus::Waiting);
}
