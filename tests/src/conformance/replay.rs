//! Replay: what is finished is owed again, once for every time somebody asks. And what stops a
//! webhook parks what it is owed, until what starts it again releases that.

use std::sync::Arc;
use std::time::Duration;

use bluum_hooks_dispatcher::policy::state::{Input, ParkReason};
use bluum_hooks_dispatcher::store::{
    Change, Edit, Edited, Replay, ReplayFilter, ReplayStatus, StoreError, Webhook, WebhookDraft,
};
use bluum_hooks_shared::api::DeliveryStatus::{Delivered, Leased, Parked, Queued, Waiting};
use bluum_hooks_shared::api::WebhookStatus;
use bluum_hooks_shared::id::{DeliveryId, ReplayId, TenantId};

use super::make;
use super::world::{START, World};

/// A webhook whose deliveries these inputs have finished, each about an object of its own.
async fn finished(world: &mut World, inputs: &[Input]) -> (Arc<Webhook>, TenantId) {
    let tenant = world.tenant().await;
    let webhook = world.webhook_with(tenant, |draft| draft.retry_schedule = none()).await;
    for &input in inputs {
        let event = world.event(tenant);
        let work = world.accept_one(&event).await;
        world.finish(work, input).await;
        world.later(Duration::from_secs(1));
    }
    (webhook, tenant)
}

fn none() -> Option<bluum_hooks_dispatcher::policy::retry::RetrySchedule> {
    bluum_hooks_dispatcher::policy::retry::RetrySchedule::new(Vec::new()).ok()
}

/// Begins a replay.
async fn start(
    world: &mut World,
    webhook: &Webhook,
    filter: ReplayFilter,
) -> Result<ReplayId, StoreError> {
    let id = ReplayId::new(world.now, world.bits());
    let replay = Replay::new(id, webhook.settings.id, filter, world.now);
    world.change_registry(Change::StartReplay(replay)).await.map(|_| id)
}

/// Takes a replay to its end in batches of this size; returns what each replayed.
async fn run(world: &World, id: ReplayId, limit: usize) -> Vec<usize> {
    let mut batches = Vec::new();
    loop {
        let advanced = world.store().advance_replay(id, limit, world.now).await.unwrap();
        batches.push(advanced.replayed);
        if !advanced.running {
            return batches;
        }
    }
}

async fn set_status(world: &mut World, webhook: &Webhook, status: WebhookStatus) -> ReplayId {
    let (id, now) = (ReplayId::new(world.now, world.bits()), world.now);
    let edit = Edit::new(move |draft: &mut WebhookDraft| {
        draft.status = status;
        let release = (status == WebhookStatus::Active).then(|| Replay::release(id, draft.id, now));
        Some(Edited { notice: None, release })
    });
    world.change_registry(Change::EditWebhook(webhook.settings.id, edit)).await.unwrap();
    id
}

pub async fn what_is_finished_is_owed_again(mut world: World) {
    let (webhook, _) = finished(&mut world, &[make::DELIVERED, make::FAILED]).await;
    assert_eq!(world.statuses(&webhook).await, [Delivered, Parked]);
    for before in world.deliveries(&webhook).await {
        let after = world.store().replay(before.id, None, world.now).await.unwrap();
        assert_eq!(after.progress.state.due_at(), Some(world.now));
        assert_eq!((after.progress.failures, after.progress.attempts), (0, 1), "counted anew");
        assert_eq!(world.store().delivery(before.id).await.unwrap().unwrap().0, after);
        let again = world.store().replay(before.id, None, world.now).await;
        assert!(matches!(again, Err(StoreError::Declined)), "it is under way: {again:?}");
    }
    let work = world.claim().await;
    assert_eq!(work.iter().map(|work| work.claimed.sequence).collect::<Vec<_>>(), [1, 2]);
    let unknown = world.store().replay(DeliveryId::new(START, 0), None, world.now).await;
    assert!(matches!(unknown, Err(StoreError::Declined)));
}

pub async fn a_stopped_webhook_is_owed_nothing_again(mut world: World) {
    let (webhook, _) = finished(&mut world, &[make::DELIVERED]).await;
    let delivery = world.deliveries(&webhook).await.remove(0);
    set_status(&mut world, &webhook, WebhookStatus::Inactive).await;
    let refused = world.store().replay(delivery.id, None, world.now).await;
    assert!(matches!(refused, Err(StoreError::Declined)));
    let refused = start(&mut world, &webhook, ReplayFilter::default()).await;
    assert!(matches!(refused, Err(StoreError::Declined)));
    assert_eq!(world.statuses(&webhook).await, [Delivered]);
    assert_eq!(world.store().registry().replays().count(), 0);
}

pub async fn many_are_replayed_in_batches_and_each_once(mut world: World) {
    let (webhook, tenant) = finished(&mut world, &[make::FAILED; 7]).await;
    let id = webhook.settings.id;
    let count = world.store().count_replay(id, &ReplayFilter::default()).await.unwrap();
    assert_eq!(count, 7);
    let replay = start(&mut world, &webhook, ReplayFilter::default()).await.unwrap();
    // What is parked after it began is not its business.
    let event = world.event(tenant);
    let late = world.accept_one(&event).await;
    world.finish(late, make::FAILED).await;
    let mut replayed = Vec::new();
    for batch in [3, 3, 1] {
        let advanced = world.store().advance_replay(replay, 3, world.now).await.unwrap();
        assert_eq!(advanced.replayed, batch);
        // The process dies. What it had claimed is delivered before the next batch.
        world.reopen().await;
        for work in world.claim().await {
            replayed.push(work.claimed.sequence);
            world.finish(work, make::DELIVERED).await;
        }
    }
    assert_eq!(replayed, [1, 2, 3, 4, 5, 6, 7]);
    let registry = world.store().registry();
    let ended = registry.replay(replay).unwrap();
    assert_eq!((ended.status, ended.replayed), (ReplayStatus::Finished, 7));
    assert_eq!(ended.finished_at, Some(world.now));
    let advanced = world.store().advance_replay(replay, 3, world.now).await.unwrap();
    assert_eq!((advanced.replayed, advanced.running), (0, false));
    assert_eq!(world.statuses(&webhook).await.last(), Some(&Parked), "the late one");
}

pub async fn only_what_was_asked_for_is_replayed(mut world: World) {
    let inputs = [make::DELIVERED, make::FAILED, make::GONE, make::DELIVERED, make::FAILED];
    let (webhook, _) = finished(&mut world, &inputs).await;
    let delivered = || ReplayFilter { delivered: true, ..ReplayFilter::default() };
    let exhausted = ReplayFilter { reason: Some(ParkReason::Exhausted), ..ReplayFilter::default() };
    let since = |seconds| Some(START.plus(Duration::from_secs(seconds)));
    for (filter, expected) in [
        (ReplayFilter { event_name: Some("kyc.decided".into()), ..delivered() }, vec![]),
        (ReplayFilter { since: since(3), ..delivered() }, vec![4]),
        (ReplayFilter { until: since(3), ..exhausted.clone() }, vec![2]),
        (exhausted, vec![5]),
        (ReplayFilter { event_name: Some("order.filled".into()), ..delivered() }, vec![1]),
        (ReplayFilter::default(), vec![3]),
    ] {
        let id = webhook.settings.id;
        let count = world.store().count_replay(id, &filter).await.unwrap();
        assert_eq!(usize::try_from(count).unwrap(), expected.len(), "{filter:?}");
        let replay = start(&mut world, &webhook, filter.clone()).await.unwrap();
        let batches = run(&world, replay, 2).await;
        assert_eq!(batches.iter().sum::<usize>(), expected.len(), "{filter:?}");
        let work = world.claim().await;
        let sequences: Vec<_> = work.iter().map(|work| work.claimed.sequence).collect();
        assert_eq!(sequences, expected, "{filter:?}");
    }
}

pub async fn a_canceled_replay_goes_no_further(mut world: World) {
    let (webhook, _) = finished(&mut world, &[make::FAILED; 3]).await;
    let replay = start(&mut world, &webhook, ReplayFilter::default()).await.unwrap();
    world.store().advance_replay(replay, 1, world.now).await.unwrap();
    world.change_registry(Change::CancelReplay(replay)).await.unwrap();
    world.reopen().await;
    assert_eq!(run(&world, replay, 1).await, [0]);
    assert_eq!(world.statuses(&webhook).await, [Waiting, Parked, Parked]);
    let registry = world.store().registry();
    assert_eq!(registry.replay(replay).unwrap().status, ReplayStatus::Canceled);
    let refused = world.change_registry(Change::CancelReplay(replay)).await;
    assert!(matches!(refused, Err(StoreError::Declined)), "it has ended");
}

pub async fn what_is_replayed_stands_in_line(mut world: World) {
    let (webhook, tenant) = finished(&mut world, &[]).await;
    for _ in 0..2 {
        let event = world.event_about(tenant, "a");
        let work = world.accept_one(&event).await;
        world.finish(work, make::FAILED).await;
    }
    let event = world.event_about(tenant, "a");
    let third = world.accept_one(&event).await;
    let replay = start(&mut world, &webhook, ReplayFilter::default()).await.unwrap();
    assert_eq!(run(&world, replay, 10).await, [2]);
    assert_eq!(world.statuses(&webhook).await, [Queued, Queued, Leased]);
    let first = world.hand_on(&third.claimed, make::DELIVERED).await.expect("the first");
    let second = world.hand_on(&first, make::DELIVERED).await.expect("the second");
    assert_eq!((first.sequence, second.sequence), (1, 2));
}

pub async fn stopping_parks_what_waits_and_starting_releases_it_in_order(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    let line: Vec<_> = (0..3).map(|_| world.event_about(tenant, "a")).collect();
    let head = world.accept(&line).await.remove(0);
    let event = world.event(tenant);
    let retried = world.accept_one(&event).await;
    world.finish(retried, make::FAILED).await;
    set_status(&mut world, &webhook, WebhookStatus::Inactive).await;
    assert!(world.claim().await.is_empty());
    assert_eq!(world.statuses(&webhook).await, [Leased, Parked, Parked, Parked], "at once");
    let arrived = world.event_about(tenant, "a");
    world.accept(&[arrived]).await;
    // Its worker sees that the webhook is stopped, and gives it back.
    world.finish(head, Input::GivenBack).await;
    assert!(world.claim().await.is_empty());
    assert_eq!(world.statuses(&webhook).await, [Parked; 5]);

    let release = set_status(&mut world, &webhook, WebhookStatus::Active).await;
    world.store().advance_replay(release, 2, world.now).await.unwrap();
    let late = world.event_about(tenant, "a");
    assert!(world.accept(&[late]).await.is_empty());
    assert_eq!(
        world.statuses(&webhook).await,
        [Waiting, Queued, Parked, Parked, Parked, Parked],
        "until all are released, what arrives is parked behind them"
    );
    world.reopen().await;
    run(&world, release, 2).await;
    assert_eq!(world.statuses(&webhook).await, [Waiting, Queued, Queued, Waiting, Queued, Queued]);
    let mut work = world.claim().await;
    let mut next = work.remove(0).claimed;
    for expected in [1, 2, 3, 5, 6] {
        assert_eq!(next.sequence, expected);
        match world.hand_on(&next, make::DELIVERED).await {
            Some(successor) => next = successor,
            None => assert_eq!(expected, 6),
        }
    }
    let event = world.event_about(tenant, "a");
    world.accept_one(&event).await;
}

pub async fn a_release_ends_when_the_webhook_is_stopped_again(mut world: World) {
    let (webhook, tenant) = finished(&mut world, &[]).await;
    set_status(&mut world, &webhook, WebhookStatus::Inactive).await;
    let events: Vec<_> = (0..3).map(|_| world.event(tenant)).collect();
    world.accept(&events).await;
    let release = set_status(&mut world, &webhook, WebhookStatus::Active).await;
    let refused = world.change_registry(Change::CancelReplay(release)).await;
    assert!(matches!(refused, Err(StoreError::Declined)), "what waits is to go out");
    world.store().advance_replay(release, 1, world.now).await.unwrap();
    set_status(&mut world, &webhook, WebhookStatus::Inactive).await;
    assert_eq!(run(&world, release, 1).await, [0]);
    world.claim().await;
    assert_eq!(world.statuses(&webhook).await, [Parked; 3]);
    let second = set_status(&mut world, &webhook, WebhookStatus::Active).await;
    world.reopen().await;
    assert_eq!(run(&world, second, 10).await, [3]);
    let registry = world.store().registry();
    assert_eq!(registry.replay(release).unwrap().status, ReplayStatus::Canceled);
    assert_eq!(registry.replay(second).unwrap().status, ReplayStatus::Finished);
}

pub async fn of_a_stopped_webhook_nothing_is_replayed(mut world: World) {
    for delete in [false, true] {
        let (webhook, _) = finished(&mut world, &[make::DELIVERED; 3]).await;
        let delivered = ReplayFilter { delivered: true, ..ReplayFilter::default() };
        let replay = start(&mut world, &webhook, delivered).await.unwrap();
        world.store().advance_replay(replay, 1, world.now).await.unwrap();
        if delete {
            let now = world.now;
            world.change(&webhook, move |draft| draft.deleted_at = Some(now)).await;
        } else {
            set_status(&mut world, &webhook, WebhookStatus::Inactive).await;
        }
        assert_eq!(run(&world, replay, 1).await, [0]);
        world.claim().await;
        assert_eq!(world.statuses(&webhook).await, [Parked, Delivered, Delivered]);
        let registry = world.store().registry();
        assert_eq!(registry.replay(replay).unwrap().status, ReplayStatus::Canceled);
    }
}

pub async fn replays_are_few_and_the_old_ones_are_forgotten(mut world: World) {
    let (webhook, _) = finished(&mut world, &[]).await;
    let mut begun = Vec::new();
    for _ in 0..4 {
        begun.push(start(&mut world, &webhook, ReplayFilter::default()).await.unwrap());
        world.later(Duration::from_secs(1));
    }
    let refused = start(&mut world, &webhook, ReplayFilter::default()).await;
    assert!(matches!(refused, Err(StoreError::Declined)), "four run");
    for _ in 0..30 {
        run(&world, begun[begun.len() - 4], 1).await;
        begun.push(start(&mut world, &webhook, ReplayFilter::default()).await.unwrap());
        world.later(Duration::from_secs(1));
    }
    for _ in 0..2 {
        let registry = world.store().registry();
        let kept: Vec<_> = registry.replays().map(|replay| replay.id).collect();
        assert_eq!(kept, begun[begun.len() - kept.len()..], "the newest");
        assert_eq!(kept.len(), 4 + 20);
        world.reopen().await;
    }
}
