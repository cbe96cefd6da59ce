//! Order: of one object, one delivery at a time and in the order accepted; of others, side by side.

use std::sync::Arc;
use std::time::Duration;

use bluum_hooks_dispatcher::policy::state::{Input, ParkReason};
use bluum_hooks_dispatcher::store::{NewEvent, Recorded, Report, Webhook, Work};
use bluum_hooks_shared::api::DeliveryStatus::{Delivered, Leased, Parked, Queued, Waiting};
use bluum_hooks_shared::api::Ordering;
use bluum_hooks_shared::id::TenantId;

use super::make;
use super::world::World;

/// A webhook with this many deliveries about one object, the first of them claimed.
async fn line(world: &mut World, length: usize) -> (Arc<Webhook>, TenantId, Work) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    let batch: Vec<_> = (0..length).map(|_| world.event_about(tenant, "a")).collect();
    let mut work = world.accept(&batch).await;
    assert_eq!(work.len(), 1, "only the first is claimed");
    (webhook, tenant, work.remove(0))
}

pub async fn the_second_waits_for_the_first(mut world: World) {
    let (webhook, tenant, first) = line(&mut world, 2).await;
    let third = world.event_about(tenant, "a");
    world.accept(&[third]).await;
    assert_eq!(world.statuses(&webhook).await, [Leased, Queued, Queued]);
    assert!(world.claim().await.is_empty());
    world.later(Duration::from_secs(1));
    world.finish(first, make::DELIVERED).await;
    assert_eq!(world.statuses(&webhook).await, [Delivered, Waiting, Queued]);
    let second = &world.deliveries(&webhook).await[1];
    assert_eq!(second.progress.state.due_at(), Some(world.now), "ready in the same commit");
    assert_eq!(second.progress.claim, 0);
    let claimed = world.claim().await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].claimed.sequence, 2);
    assert_eq!(claimed[0].claimed.event, second.event);
}

pub async fn the_slot_is_handed_on(mut world: World) {
    let (webhook, _, first) = line(&mut world, 2).await;
    let next = world.hand_on(&first.claimed, make::DELIVERED).await.expect("the second");
    assert_eq!((next.sequence, next.progress.claim), (2, 1));
    assert_eq!(world.statuses(&webhook).await, [Delivered, Leased]);
    let stored = world.now_of(&next).await;
    assert_eq!((stored.id, stored.event, stored.progress), (next.id, next.event, next.progress));
    let body = world.store().event(next.event).await.unwrap().unwrap().body;
    assert_eq!(next.body, body);
    assert!(world.claim().await.is_empty(), "it is held");
    assert!(world.hand_on(&next, make::DELIVERED).await.is_none(), "the line is at its end");
}

pub async fn who_is_queued_says_behind_whom(mut world: World) {
    let (webhook, _, first) = line(&mut world, 3).await;
    let [one, two, three] = &world.deliveries(&webhook).await[..] else { panic!("three") };
    assert_eq!([one, two, three].map(|of| of.blocked_by), [None, Some(one.id), Some(one.id)]);
    world.finish(first, make::FAILED).await;
    assert_eq!(world.deliveries(&webhook).await[2].blocked_by, Some(one.id), "also while it waits");
    world.later(Duration::from_hours(1));
    let first = world.claim().await.remove(0);
    world.finish(first, make::DELIVERED).await;
    let (shown, _) = world.store().delivery(three.id).await.unwrap().unwrap();
    assert_eq!(shown.blocked_by, Some(two.id));
    assert_eq!(world.deliveries(&webhook).await.remove(1).blocked_by, None, "it is under way");
    let again = world.store().replay(one.id, None, world.now).await.unwrap();
    assert_eq!(again.blocked_by, Some(two.id));
}

pub async fn a_failed_head_keeps_its_place(mut world: World) {
    let (webhook, tenant, first) = line(&mut world, 2).await;
    assert!(world.hand_on(&first.claimed, make::FAILED).await.is_none());
    let third = world.event_about(tenant, "a");
    world.accept(&[third]).await;
    assert_eq!(world.statuses(&webhook).await, [Waiting, Queued, Queued]);
    world.later(Duration::from_hours(1));
    let claimed = world.claim().await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].claimed.id, first.claimed.id);
}

pub async fn a_parked_head_lets_the_next_go_on(mut world: World) {
    let (webhook, _, first) = line(&mut world, 3).await;
    let next = world.hand_on(&first.claimed, make::GONE).await.expect("the second");
    assert_eq!(world.statuses(&webhook).await, [Parked, Leased, Queued]);
    let stopped = Input::WebhookStopped(ParkReason::Disabled);
    assert!(world.hand_on(&next, stopped).await.is_some());
    assert_eq!(world.statuses(&webhook).await, [Parked, Parked, Leased]);
}

pub async fn nothing_waits_without_order_or_key(mut world: World) {
    let tenant = world.tenant().await;
    let free = world.webhook_with(tenant, |draft| draft.ordering = Ordering::None).await;
    let batch = [world.event_about(tenant, "a"), world.event_about(tenant, "a")];
    assert_eq!(world.accept(&batch).await.len(), 2);
    for delivery in world.deliveries(&free).await {
        assert_eq!(delivery.ordering_key, None);
    }
    let ordered = world.webhook(tenant, "*").await;
    let batch = [world.event(tenant), world.event(tenant)];
    assert_eq!(world.accept(&batch).await.len(), 4);
    assert_eq!(world.statuses(&ordered).await, [Leased, Leased]);
}

pub async fn objects_and_webhooks_do_not_wait_for_each_other(mut world: World) {
    let tenant = world.tenant().await;
    let (one, two) = (world.webhook(tenant, "*").await, world.webhook(tenant, "*").await);
    let batch = [
        world.event_about(tenant, "a"),
        world.event_about(tenant, "b"),
        world.event_about(tenant, "a"),
        world.event_about(tenant, "b"),
    ];
    let work = world.accept(&batch).await;
    for webhook in [&one, &two] {
        assert_eq!(world.statuses(webhook).await, [Leased, Leased, Queued, Queued]);
    }
    // The first of `a` to the first webhook, and the first of `b` to the second, in one commit.
    let done = [0, 3].map(|place| Report {
        hand_on: place == 3,
        ..world.report(&work[place].claimed, make::DELIVERED)
    });
    let recorded = world.record(&done).await;
    assert!(matches!(recorded[0], Recorded::Applied { successor: None }));
    let Recorded::Applied { successor: Some(next) } = &recorded[1] else { panic!("{recorded:?}") };
    assert_eq!((next.webhook.number, next.sequence), (two.number, 4));
    assert_eq!(world.statuses(&one).await, [Delivered, Leased, Waiting, Queued]);
    assert_eq!(world.statuses(&two).await, [Leased, Delivered, Queued, Leased]);
}

pub async fn a_line_is_delivered_in_the_order_accepted(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    let mut accepted = Vec::new();
    let mut arrived = Vec::new();
    let mut held = Vec::new();
    for round in 0..10_usize {
        let batch: Vec<_> = (0..=round % 3).map(|_| world.event_about(tenant, "a")).collect();
        accepted.extend(batch.iter().map(|event| event.id));
        held.extend(world.accept(&batch).await);
        held.extend(world.claim().await);
        assert!(held.len() <= 1, "one at a time");
        if let Some(work) = held.pop() {
            let input = if round % 4 == 3 { make::FAILED } else { make::DELIVERED };
            arrived.extend((input == make::DELIVERED).then_some(work.claimed.event));
            world.finish(work, input).await;
        }
        if round == 5 {
            world.reopen().await;
        }
        world.later(Duration::from_mins(2));
    }
    while let Some(work) = world.claim().await.pop() {
        arrived.push(work.claimed.event);
        world.finish(work, make::DELIVERED).await;
    }
    assert_eq!(arrived, accepted);
    assert!(world.statuses(&webhook).await.iter().all(|status| *status == Delivered));
}

pub async fn a_line_is_still_one_after_reopening(mut world: World) {
    let (webhook, tenant, _) = line(&mut world, 2).await;
    world.reopen().await;
    let third = world.event_about(tenant, "a");
    assert!(world.accept(&[third]).await.is_empty());
    let first = world.claim().await;
    assert_eq!(first.len(), 1);
    assert_eq!(world.statuses(&webhook).await, [Leased, Queued, Queued]);
    assert_eq!(world.hand_on(&first[0].claimed, make::DELIVERED).await.unwrap().sequence, 2);
}

pub async fn a_line_outlives_a_change_of_mind(mut world: World) {
    let (webhook, tenant, first) = line(&mut world, 2).await;
    world.change(&webhook, |draft| draft.ordering = Ordering::None).await;
    let free = world.event_about(tenant, "a");
    let free = world.accept_one(&free).await;
    assert_eq!(free.claimed.ordering_key, None);
    world.finish(free, make::DELIVERED).await;
    assert_eq!(world.statuses(&webhook).await, [Leased, Queued, Delivered]);
    world.change(&webhook, |draft| draft.ordering = Ordering::Object).await;
    let last = world.event_about(tenant, "a");
    assert!(world.accept(&[last]).await.is_empty());
    let second = world.hand_on(&first.claimed, make::DELIVERED).await.expect("the second");
    assert_eq!(world.hand_on(&second, make::DELIVERED).await.unwrap().sequence, 4);
}

/// A delivery that the webhook's settings changed under is claimed with those of now.
pub async fn the_next_comes_with_the_webhook_of_now(mut world: World) {
    let (webhook, _, first) = line(&mut world, 3).await;
    world.change(&webhook, |draft| draft.url = "http://127.0.0.1:2/".into()).await;
    let second = world.hand_on(&first.claimed, make::DELIVERED).await.expect("the second");
    assert_eq!(second.webhook.settings.url, "http://127.0.0.1:2/");
    let now = world.now;
    world.change(&webhook, move |draft| draft.deleted_at = Some(now)).await;
    let report = world.report(&second, make::DELIVERED);
    world.record(&[report]).await;
    assert!(world.claim().await.is_empty());
    let third = world.deliveries(&webhook).await.remove(2);
    assert_eq!(third.progress.state.reason(), Some(ParkReason::Deleted));
}

pub async fn what_was_parked_on_arrival_is_in_nobodys_way(mut world: World) {
    let (webhook, tenant, first) = line(&mut world, 1).await;
    let status = bluum_hooks_shared::api::WebhookStatus::Inactive;
    world.change(&webhook, move |draft| draft.status = status).await;
    let parked = world.event_about(tenant, "a");
    world.accept(&[parked]).await;
    let status = bluum_hooks_shared::api::WebhookStatus::Active;
    world.change(&webhook, move |draft| draft.status = status).await;
    let last = NewEvent { ordering_key: Some("a".into()), ..world.event(tenant) };
    world.accept(&[last]).await;
    assert_eq!(world.statuses(&webhook).await, [Leased, Parked, Queued]);
    assert_eq!(world.hand_on(&first.claimed, make::DELIVERED).await.unwrap().sequence, 3);
}
