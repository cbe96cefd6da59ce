//! Record: what the worker says counts if it still holds the delivery, and only then.

use std::time::Duration;

use bluum_hooks_dispatcher::policy::judge::Verdict;
use bluum_hooks_dispatcher::policy::retry::RetrySchedule;
use bluum_hooks_dispatcher::policy::state::{Input, ParkReason};
use bluum_hooks_dispatcher::store::{Claimed, LEASE, Recorded, Report, WebhookDraft, Work};
use bluum_hooks_shared::api::{AttemptOutcome, DeliveryStatus, WebhookStatus};

use super::make;
use super::world::{START, World};

pub(super) const GIVEN_BACK: Input = Input::GivenBack;

/// A failure after which the delivery is due again in so many seconds.
pub(super) fn retry_after(world: &mut World, claimed: &Claimed, seconds: u64) -> Report {
    let schedule = RetrySchedule::new(vec![Duration::from_secs(seconds)]).unwrap();
    world.report_by(claimed, make::FAILED, &schedule, 0.5)
}

fn applied(recorded: &[Recorded]) -> Vec<bool> {
    recorded.iter().map(|one| matches!(one, Recorded::Applied { .. })).collect()
}

/// A delivery that one worker claimed and lost, and another one holds.
async fn lost_and_claimed_again(world: &mut World) -> (Work, Work) {
    let tenant = world.tenant().await;
    world.webhook(tenant, "*").await;
    let event = world.event_about(tenant, "a");
    let late = world.accept_one(&event).await;
    world.later(LEASE);
    let current = world.claim().await.remove(0);
    (late, current)
}

pub async fn a_late_report_is_stale_and_changes_nothing(mut world: World) {
    let (late, current) = lost_and_claimed_again(&mut world).await;
    let next = world.event_about(current.claimed.webhook.settings.tenant, "a");
    for behind in [None, Some(next)] {
        world.accept(behind.as_slice()).await;
        for input in [make::DELIVERED, make::FAILED, make::GONE, GIVEN_BACK] {
            let report = Report { hand_on: true, ..world.report(&late.claimed, input) };
            let recorded = world.record(&[report]).await;
            assert_eq!(applied(&recorded), [false], "{input:?}");
            assert_eq!(world.now_of(&late.claimed).await.progress, current.claimed.progress);
            assert_eq!(world.attempts_of(&late.claimed).await, 0);
        }
    }
    let webhook = current.claimed.webhook.clone();
    let held = world.statuses(&webhook).await;
    assert_eq!(held, [DeliveryStatus::Leased, DeliveryStatus::Queued], "and releases nobody");
    assert!(matches!(world.finish(current, make::DELIVERED).await, Recorded::Applied { .. }));
}

/// A machine that slept: both workers wake up, and their reports meet in one commit.
pub async fn a_late_report_beside_the_one_that_counts(mut world: World) {
    let (late, current) = lost_and_claimed_again(&mut world).await;
    let stale = world.report(&late.claimed, make::GONE);
    let good = world.report(&current.claimed, make::DELIVERED);
    let recorded = world.record(&[stale.clone(), good, stale]).await;
    assert_eq!(applied(&recorded), [false, true, false]);
    let status = world.now_of(&late.claimed).await.progress.state.status();
    assert_eq!(status, DeliveryStatus::Delivered);
    assert_eq!(world.attempts_of(&late.claimed).await, 1);
}

pub async fn the_same_claim_is_reported_once(mut world: World) {
    let tenant = world.tenant().await;
    world.webhook(tenant, "*").await;
    let event = world.event(tenant);
    let work = world.accept_one(&event).await;
    let first = world.report(&work.claimed, make::FAILED);
    let second = world.report(&work.claimed, make::DELIVERED);
    let recorded = world.record(&[first.clone(), second.clone()]).await;
    assert_eq!(applied(&recorded), [true, false], "the first word counts");
    assert_eq!(applied(&world.record(&[second, first]).await), [false, false]);
    let stored = world.now_of(&work.claimed).await.progress;
    assert_eq!((stored.attempts, stored.failures), (1, 1));
    assert_eq!(world.attempts_of(&work.claimed).await, 1);
}

pub async fn every_report_has_its_answer_in_its_place(mut world: World) {
    let tenant = world.tenant().await;
    world.webhook(tenant, "*").await;
    let batch: Vec<_> = (0..4).map(|_| world.event(tenant)).collect();
    let work = world.accept(&batch).await;
    let spent = world.report(&work[2].claimed, make::DELIVERED);
    world.record(std::slice::from_ref(&spent)).await;
    let mut unknown = world.report(&work[0].claimed, make::DELIVERED);
    unknown.claimed.position = 1_000_000;
    let reports = [
        world.report(&work[3].claimed, make::FAILED),
        spent,
        world.report(&work[0].claimed, make::DELIVERED),
        unknown,
        world.report(&work[1].claimed, GIVEN_BACK),
    ];
    let recorded = world.record(&reports).await;
    assert_eq!(applied(&recorded), [true, false, true, false, true]);
    assert!(world.record(&[]).await.is_empty());
}

pub async fn a_lease_that_ran_out_but_was_not_taken_still_counts(mut world: World) {
    let tenant = world.tenant().await;
    world.webhook(tenant, "*").await;
    let event = world.event(tenant);
    let work = world.accept_one(&event).await;
    world.later(2 * LEASE);
    assert!(matches!(world.finish(work, make::DELIVERED).await, Recorded::Applied { .. }));
    assert!(world.claim().await.is_empty());
}

pub async fn the_last_failure_parks(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world
        .webhook_with(tenant, |draft| {
            let wait = Duration::from_secs(10);
            draft.retry_schedule = Some(RetrySchedule::new(vec![wait, wait]).unwrap());
        })
        .await;
    let event = world.event(tenant);
    let mut work = world.accept_one(&event).await;
    for failures in 1..=2 {
        world.finish(work, make::FAILED).await;
        world.later(Duration::from_secs(10));
        work = world.claim().await.remove(0);
        assert_eq!(work.claimed.progress.failures, failures);
    }
    world.finish(work, make::FAILED).await;
    let progress = world.deliveries(&webhook).await[0].progress;
    assert_eq!(progress.state.reason(), Some(ParkReason::Exhausted));
    assert_eq!(progress.state.finished_at(), Some(world.now));
    assert_eq!((progress.claim, progress.attempts, progress.failures), (3, 3, 3));
    let due = world.claim_due(100).await;
    assert!(due.work.is_empty() && due.next_due.is_none());
}

pub async fn what_the_receiver_or_the_webhook_ends_is_parked(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    let inputs = [
        (make::GONE, ParkReason::Gone),
        (Input::WebhookStopped(ParkReason::Disabled), ParkReason::Disabled),
        (Input::WebhookStopped(ParkReason::Deleted), ParkReason::Deleted),
    ];
    for (input, reason) in inputs {
        let event = world.event(tenant);
        let work = world.accept_one(&event).await;
        let claimed = work.claimed.clone();
        world.finish(work, input).await;
        let stored = world.now_of(&claimed).await.progress;
        assert_eq!(stored.state.reason(), Some(reason));
        assert_eq!(world.attempts_of(&claimed).await, usize::from(input == make::GONE));
    }
    // Nothing of this changes the webhook: that is decided elsewhere.
    assert_eq!(
        world.store().registry().webhook(webhook.settings.id).unwrap().settings.status,
        WebhookStatus::Active
    );
}

pub async fn giving_back_costs_nothing(mut world: World) {
    let tenant = world.tenant().await;
    world.webhook(tenant, "*").await;
    let event = world.event_about(tenant, "a");
    let mut work = world.accept_one(&event).await;
    let next = world.event_about(tenant, "a");
    world.accept(&[next]).await;
    for claim in 1..=20 {
        let claimed = work.claimed.clone();
        assert_eq!(claimed.sequence, 1, "it keeps its place in the line");
        assert_eq!(claimed.progress.claim, claim);
        world.finish(work, GIVEN_BACK).await;
        let stored = world.now_of(&claimed).await.progress;
        assert_eq!(stored.state.status(), DeliveryStatus::Waiting);
        assert_eq!(stored.state.due_at(), Some(world.now));
        assert_eq!((stored.attempts, stored.failures, stored.lost_claims), (0, 0, 0));
        assert_eq!(world.attempts_of(&claimed).await, 0);
        work = world.claim().await.remove(0);
    }
}

pub async fn attempts_are_kept_in_their_order(mut world: World) {
    let tenant = world.tenant().await;
    world.webhook(tenant, "*").await;
    let event = world.event(tenant);
    let mut work = world.accept_one(&event).await;
    let mut expected = Vec::new();
    for number in 1..=5 {
        let verdict = Verdict::Failed { not_before: Duration::from_secs(1) };
        let mut report = world.report(&work.claimed, Input::Attempted(verdict));
        if let Some(attempt) = &mut report.attempt {
            match number {
                1 => {
                    attempt.status = None;
                    attempt.outcome = AttemptOutcome::Timeout;
                }
                2 => attempt.response_body = Some("\"\\ \n\u{1}\u{7f}ä🦀".into()),
                3 => attempt.duration = Duration::ZERO,
                _ => attempt.error = Some(String::new()),
            }
            attempt.status = attempt.status.map(|_| 500 + number);
            expected.push(attempt.clone());
        }
        assert_eq!(applied(&world.record(&[report]).await), [true]);
        drop(work);
        world.later(Duration::from_hours(12));
        work = world.claim().await.remove(0);
    }
    world.reopen().await;
    let (_, attempts) = world.store().delivery(work.claimed.id).await.unwrap().unwrap();
    let numbers: Vec<_> = attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    let attempts: Vec<_> = attempts.into_iter().map(|attempt| attempt.attempt).collect();
    assert_eq!(attempts, expected);
}

/// Faults of our own count neither way.
pub async fn a_webhook_fails_from_a_failure_on_until_something_is_delivered(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    let ours = Input::Attempted(Verdict::OurFault);
    let cases: [(&[Input], Option<u64>); 7] = [
        (&[ours], None),
        (&[make::FAILED], Some(20)),
        (&[ours, make::FAILED], Some(20)),
        (&[make::FAILED, make::DELIVERED], None),
        (&[make::DELIVERED, ours], None),
        (&[GIVEN_BACK], None),
        (&[make::GONE, make::FAILED], Some(70)),
    ];
    for (inputs, since) in cases {
        world.later(Duration::from_secs(10));
        let mut held = Vec::new();
        for _ in inputs {
            let event = world.event(tenant);
            held.push(world.accept_one(&event).await);
        }
        let reports = held.iter().zip(inputs);
        let reports: Vec<_> =
            reports.map(|(work, input)| world.report(&work.claimed, *input)).collect();
        let recorded = world.record(&reports).await;
        assert!(applied(&recorded).iter().all(|applied| *applied));
        world.reopen().await;
        let registry = world.store().registry();
        let settings = &registry.webhook_numbered(webhook.number).unwrap().settings;
        let since = since.map(|seconds| START.plus(Duration::from_secs(seconds)));
        assert_eq!(settings.failing_since, since, "{inputs:?}");
    }
}

pub async fn a_webhook_that_starts_again_or_moves_has_not_failed(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    let changes: [fn(&mut WebhookDraft); 4] = [
        |settings| settings.name = Some("another".into()),
        |settings| settings.status = WebhookStatus::Inactive,
        |settings| settings.status = WebhookStatus::Active,
        |settings| settings.url = "https://elsewhere.example/".into(),
    ];
    for (change, still_failing) in changes.into_iter().zip([true, true, false, false]) {
        if let Some(work) = {
            let event = world.event(tenant);
            world.accept(&[event]).await.pop()
        } {
            world.finish(work, make::FAILED).await;
        }
        let changed = world.change(&webhook, change).await;
        assert_eq!(changed.settings.failing_since.is_some(), still_failing);
    }
}
