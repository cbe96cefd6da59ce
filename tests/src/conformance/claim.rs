//! Claim: what is due, once, to as many as there are slots, and nobody at the cost of another.

use std::time::Duration;

use bluum_hooks_dispatcher::policy::state::{MAX_LOST_CLAIMS, ParkReason};
use bluum_hooks_dispatcher::store::{LEASE, Work};
use bluum_hooks_shared::api::DeliveryStatus;

use super::make;
use super::world::World;

fn sequences(work: &[Work]) -> Vec<i64> {
    work.iter().map(|one| one.claimed.sequence).collect()
}

pub async fn claimed_once(mut world: World) {
    let tenant = world.tenant().await;
    world.webhook(tenant, "*").await;
    world.set_slots(0);
    let batch = [world.event(tenant), world.event(tenant)];
    world.accept(&batch).await;
    world.set_slots(100);
    let claimed = world.claim().await;
    assert_eq!(sequences(&claimed), [1, 2]);
    assert_eq!(world.slots.in_flight(), 2);
    assert!(world.claim().await.is_empty());
    drop(claimed);
    assert!(world.claim().await.is_empty(), "also when the slots are free again");
    assert_eq!(world.slots.in_flight(), 0);
}

pub async fn a_lease_that_ran_out_is_claimable(mut world: World) {
    let tenant = world.tenant().await;
    world.webhook(tenant, "*").await;
    let event = world.event(tenant);
    let lost = world.accept_one(&event).await;
    world.later(LEASE - Duration::from_micros(1));
    assert!(world.claim().await.is_empty());
    world.later(Duration::from_micros(1));
    let again = world.claim().await;
    assert_eq!(again.len(), 1);
    let progress = again[0].claimed.progress;
    assert_eq!((progress.claim, progress.lost_claims), (2, 1));
    assert_eq!((progress.attempts, progress.failures), (0, 0), "nobody knows what happened");
    assert_eq!(progress.state.due_at(), Some(world.now.plus(LEASE)));
    assert_eq!(world.now_of(&lost.claimed).await.progress, progress);
}

pub async fn reopening_ends_leases_and_nothing_else(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    let batch = [world.event(tenant), world.event(tenant)];
    let mut work = world.accept(&batch).await;
    world.finish(work.remove(0), make::FAILED).await;
    let waiting = world.deliveries(&webhook).await[0].progress;
    world.later(Duration::from_secs(1));
    world.reopen().await;
    let claimed = world.claim().await;
    assert_eq!(sequences(&claimed), [2]);
    assert_eq!(
        (claimed[0].claimed.progress.claim, claimed[0].claimed.progress.lost_claims),
        (2, 1)
    );
    assert_eq!(world.deliveries(&webhook).await[0].progress, waiting, "a retry waits on");
}

pub async fn a_failed_delivery_waits_for_its_time(mut world: World) {
    let tenant = world.tenant().await;
    world.webhook(tenant, "*").await;
    let event = world.event(tenant);
    let work = world.accept_one(&event).await;
    let claimed = work.claimed.clone();
    world.finish(work, make::FAILED).await;
    let due_at = world.now.plus(Duration::from_mins(1));
    let progress = world.now_of(&claimed).await.progress;
    assert_eq!(progress.state.status(), DeliveryStatus::Waiting);
    assert_eq!(progress.state.due_at(), Some(due_at));
    assert_eq!((progress.attempts, progress.failures), (1, 1));

    world.later(Duration::from_mins(1) - Duration::from_micros(1));
    let early = world.claim_due(100).await;
    assert!(early.work.is_empty());
    assert_eq!(early.next_due, Some(due_at));
    world.now = due_at;
    let claimed = world.claim().await;
    assert_eq!(claimed[0].claimed.progress.claim, 2);
    assert_eq!(claimed[0].claimed.progress.lost_claims, 0);
}

pub async fn no_more_than_asked_and_than_there_are_slots(mut world: World) {
    let tenant = world.tenant().await;
    world.webhook_with(tenant, |draft| draft.max_in_flight = 4).await;
    world.webhook(tenant, "*").await;
    world.set_slots(0);
    let batch: Vec<_> = (0..9).map(|_| world.event(tenant)).collect();
    world.accept(&batch).await;
    world.set_slots(10);
    let of = |work: &[Work], webhook| {
        work.iter().filter(|one| one.claimed.webhook.number == webhook).count()
    };
    let first = world.claim_due(3).await.work;
    assert_eq!((of(&first, 1), of(&first, 2)), (3, 3), "as many as asked of each webhook");
    let second = world.claim_due(3).await.work;
    assert_eq!((of(&second, 1), of(&second, 2)), (1, 1), "its own limit, and the limit of all");
    assert_eq!(world.slots.in_flight(), 8);
    assert!(world.claim_due(3).await.work.is_empty());
    drop((first, second));
    let third = world.claim_due(100).await.work;
    assert_eq!((of(&third, 1), of(&third, 2)), (5, 3), "half of all for whoever comes first");
}

pub async fn slots_not_needed_are_given_back(mut world: World) {
    let tenant = world.tenant().await;
    world.webhook(tenant, "*").await;
    world.set_slots(0);
    let batch = [world.event(tenant)];
    world.accept(&batch).await;
    world.set_slots(100);
    let claimed = world.claim().await;
    assert_eq!((claimed.len(), world.slots.in_flight()), (1, 1));
}

pub async fn a_long_backlog_keeps_nobody_waiting(mut world: World) {
    let tenant = world.tenant().await;
    let busy = world.webhook(tenant, "order.*").await;
    let quiet = world.webhook(tenant, "kyc.*").await;
    world.set_slots(0);
    for _ in 0..10 {
        let batch: Vec<_> = (0..1_000).map(|_| world.event(tenant)).collect();
        world.accept(&batch).await;
    }
    world.later(Duration::from_secs(1));
    let mut event = world.event(tenant);
    event.name = "kyc.decided".into();
    world.accept(&[event]).await;
    world.set_slots(44);
    let claimed = world.claim_due(32).await.work;
    let mine = |webhook: i64| claimed.iter().filter(move |w| w.claimed.webhook.number == webhook);
    assert_eq!(mine(busy.number).count(), 32);
    assert_eq!(mine(quiet.number).count(), 1);
    let oldest: Vec<_> = mine(busy.number).map(|work| work.claimed.sequence).collect();
    assert_eq!(oldest, (1..=32).collect::<Vec<_>>());
}

pub async fn scarce_slots_go_round(mut world: World) {
    let tenant = world.tenant().await;
    for _ in 0..3 {
        world.webhook(tenant, "*").await;
    }
    world.set_slots(0);
    let batch: Vec<_> = (0..4).map(|_| world.event(tenant)).collect();
    world.accept(&batch).await;
    world.set_slots(1);
    let mut served = Vec::new();
    for _ in 0..6 {
        let mut work = world.claim_due(1).await.work;
        assert_eq!(work.len(), 1);
        served.push(work[0].claimed.webhook.number);
        world.finish(work.remove(0), make::DELIVERED).await;
    }
    assert_eq!(served, [1, 2, 3, 1, 2, 3]);
}

pub async fn who_is_due_first_comes_first(mut world: World) {
    let tenant = world.tenant().await;
    world.webhook(tenant, "*").await;
    let batch: Vec<_> = (0..4).map(|_| world.event(tenant)).collect();
    let work = world.accept(&batch).await;
    // The later it was accepted, the earlier it is due again; the last two at the same time.
    for (work, seconds) in work.into_iter().zip([40, 30, 20, 20]) {
        let after = super::record::retry_after(&mut world, &work.claimed, seconds);
        world.record(&[after]).await;
    }
    world.later(Duration::from_secs(40));
    assert_eq!(sequences(&world.claim_due(3).await.work), [3, 4, 2]);
    assert_eq!(sequences(&world.claim().await), [1]);
}

pub async fn next_due_is_the_earliest_time_to_come(mut world: World) {
    let tenant = world.tenant().await;
    world.webhook(tenant, "*").await;
    world.webhook(tenant, "*").await;
    assert_eq!(world.claim_due(100).await.next_due, None, "nothing is owed");
    let batch: Vec<_> = (0..3).map(|_| world.event(tenant)).collect();
    let work = world.accept(&batch).await;
    let leases_end = world.now.plus(LEASE);
    assert_eq!(world.claim_due(100).await.next_due, Some(leases_end));
    let mut due = Vec::new();
    for (work, seconds) in work.into_iter().zip([50, 40, 30, 20, 10, 10]) {
        due.push(world.now.plus(Duration::from_secs(seconds)));
        let report = super::record::retry_after(&mut world, &work.claimed, seconds);
        world.record(&[report]).await;
    }
    assert_eq!(world.claim_due(100).await.next_due, Some(due[5]));
    world.later(Duration::from_secs(20));
    // Both webhooks have something due now beside what is due later.
    let one_each = world.claim_due(1).await;
    assert_eq!(one_each.work.len(), 2);
    assert_eq!(one_each.next_due, Some(due[2]));
    world.now = due[0];
    let rest = world.claim_due(100).await;
    assert_eq!(rest.work.len(), 4);
    assert_eq!(rest.next_due, Some(due[3].plus(LEASE)), "then only leases are left");
}

pub async fn what_crashes_workers_is_parked_and_the_next_goes_on(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    let batch = [world.event_about(tenant, "a"), world.event_about(tenant, "a")];
    drop(world.accept(&batch).await);
    for lost in 1..MAX_LOST_CLAIMS {
        world.later(LEASE);
        let claimed = world.claim().await;
        assert_eq!(claimed[0].claimed.progress.lost_claims, lost);
    }
    world.later(LEASE);
    let due = world.claim_due(100).await;
    assert!(due.work.is_empty(), "given up, not handed out");
    assert_eq!(due.next_due, Some(world.now), "its successor is due and was not looked at");
    assert_eq!(world.slots.in_flight(), 0);
    let killer = &world.deliveries(&webhook).await[0].progress;
    assert_eq!(killer.state.reason(), Some(ParkReason::CrashesWorker));
    assert_eq!((killer.claim, killer.failures), (MAX_LOST_CLAIMS + 1, 0));
    assert_eq!(sequences(&world.claim().await), [2]);
}

pub async fn a_word_from_the_worker_forgives_lost_claims(mut world: World) {
    let tenant = world.tenant().await;
    world.webhook(tenant, "*").await;
    let event = world.event(tenant);
    drop(world.accept_one(&event).await);
    for _ in 0..3 * MAX_LOST_CLAIMS {
        world.later(LEASE);
        let mut work = world.claim().await;
        assert_eq!(work[0].claimed.progress.lost_claims, 1);
        world.finish(work.remove(0), super::record::GIVEN_BACK).await;
        drop(world.claim().await);
    }
}
