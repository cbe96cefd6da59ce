//! Park: what a listener does not want any more, and what is more than is kept for it.

use std::sync::Arc;
use std::time::Duration;

use bluum_hooks_dispatcher::policy::state::ParkReason;
use bluum_hooks_dispatcher::store::{Backlog, Gap, Kept, StoredDelivery, Webhook};
use bluum_hooks_shared::api::DeliveryStatus::{Leased, Parked, Queued, Waiting};
use bluum_hooks_shared::id::{EventId, TenantId};

use super::make;
use super::world::World;

/// A listener that nobody holds.
async fn listener(world: &mut World) -> (Arc<Webhook>, TenantId) {
    let tenant = world.tenant().await;
    (world.webhook_with(tenant, |draft| draft.url = "listener:ana".into()).await, tenant)
}

async fn skip(world: &World, webhook: &Webhook, up_to: i64) -> usize {
    let id = webhook.settings.id;
    world.store().skip(id, up_to, ParkReason::Expired, world.now).await.unwrap()
}

async fn backlog(world: &World, webhook: &Webhook, after: Option<i64>, at_most: i64) -> Backlog {
    let kept = Kept { at_most, since: world.now.minus(Duration::from_secs(60)) };
    world.store().backlog(webhook.settings.id, after, kept).await.unwrap()
}

pub async fn a_listener_gets_as_many_as_its_window(mut world: World) {
    let (webhook, tenant) = listener(&mut world).await;
    let batch: Vec<_> = (0..4).map(|n| world.event_about(tenant, &n.to_string())).collect();
    assert!(world.accept(&batch).await.is_empty(), "nobody listens");
    assert!(world.claim().await.is_empty());
    world.slots.set_window(webhook.number, 3);
    let claimed = world.claim().await;
    assert_eq!(claimed.len(), 3);
    assert!(world.claim().await.is_empty(), "as many as the window");
    world.slots.set_window(webhook.number, 0);
    for work in claimed {
        world.finish(work, make::DELIVERED).await;
    }
    assert!(world.claim().await.is_empty(), "nobody listens any more");
}

pub async fn what_is_skipped_is_parked_and_the_next_in_line_goes_on(mut world: World) {
    let (webhook, tenant) = listener(&mut world).await;
    for key in ["a", "a", "b", "a", "b"] {
        let event = world.event_about(tenant, key);
        world.accept(&[event]).await;
    }
    assert_eq!(world.statuses(&webhook).await, [Waiting, Queued, Waiting, Queued, Queued]);
    assert_eq!(skip(&world, &webhook, 3).await, 3);
    assert_eq!(world.statuses(&webhook).await, [Parked, Parked, Parked, Waiting, Waiting]);
    assert_eq!(skip(&world, &webhook, 3).await, 0);
    assert!(world.violations().await.is_empty());
    world.slots.set_window(webhook.number, 9);
    assert_eq!(world.claim().await.len(), 2);
}

pub async fn what_somebody_holds_is_not_skipped(mut world: World) {
    let (webhook, tenant) = listener(&mut world).await;
    world.slots.set_window(webhook.number, 1);
    let batch: Vec<_> = (0..3).map(|n| world.event_about(tenant, &n.to_string())).collect();
    let mut work = world.accept(&batch).await;
    assert_eq!(skip(&world, &webhook, i64::MAX).await, 2);
    assert_eq!(world.statuses(&webhook).await, [Leased, Parked, Parked]);
    world.finish(work.remove(0), make::DELIVERED).await;
    assert!(world.violations().await.is_empty());
}

pub async fn what_came_before_a_listener_can_be_owed_to_it(mut world: World) {
    let tenant = world.tenant().await;
    let before = world.event(tenant);
    world.accept(&[before]).await;
    world.later(Duration::from_secs(9));
    let since = world.now;
    let batch: Vec<_> = (0..3).map(|n| world.event_about(tenant, &n.to_string())).collect();
    world.accept(&batch).await;
    world.later(Duration::from_secs(9));
    let webhook = world.webhook_with(tenant, |draft| draft.url = "listener:ana".into()).await;
    let after = world.event(tenant);
    world.accept(std::slice::from_ref(&after)).await;
    let seed = world.bits();
    let backfill = |at_most| {
        let store = world.store();
        store.backfill(webhook.settings.id, since, at_most, seed, world.now)
    };
    assert_eq!(backfill(2).await.unwrap(), 1, "the latest two, of which it has one");
    let mut owed = vec![after.id, batch[2].id];
    let of_webhook = |list: Vec<StoredDelivery>| -> Vec<_> {
        list.into_iter().map(|one| (one.sequence, one.event)).collect()
    };
    let numbered = |owed: &[EventId]| (1..).zip(owed.iter().copied()).collect::<Vec<_>>();
    assert_eq!(of_webhook(world.deliveries(&webhook).await), numbered(&owed));
    assert_eq!(
        world.store().backfill(webhook.settings.id, since, 99, !seed, world.now).await.unwrap(),
        2
    );
    owed.extend([batch[0].id, batch[1].id]);
    assert_eq!(of_webhook(world.deliveries(&webhook).await), numbered(&owed));
    assert!(world.violations().await.is_empty());
    world.slots.set_window(webhook.number, 9);
    assert_eq!(world.claim().await.len(), 4);
}

pub async fn a_backlog_tells_what_is_more_than_is_kept_and_what_was(mut world: World) {
    let (webhook, tenant) = listener(&mut world).await;
    assert_eq!(backlog(&world, &webhook, None, 9).await, Backlog::default());
    let first = world.now;
    for key in ["a", "a", "b", "b", "c"] {
        let event = world.event_about(tenant, key);
        world.accept(&[event]).await;
        world.later(Duration::from_secs(20));
    }
    let told = backlog(&world, &webhook, None, 9).await;
    assert_eq!((told.owed, told.oldest, told.last_sequence), (5, Some(first), 5));
    assert_eq!(told.surplus, Some(2), "two are older than a minute");
    assert_eq!(backlog(&world, &webhook, None, 2).await.surplus, Some(3), "three are too many");
    assert_eq!(skip(&world, &webhook, 3).await, 3);
    let told = backlog(&world, &webhook, None, 2).await;
    assert_eq!((told.owed, told.surplus), (2, None));
    assert_eq!(told.gap, Some(Gap { from: 1, to: 3, count: 3 }));
    assert_eq!(
        backlog(&world, &webhook, Some(2), 2).await.gap,
        Some(Gap { from: 3, to: 3, count: 1 })
    );
    world.slots.set_window(webhook.number, 1);
    let work = world.claim().await.remove(0);
    world.finish(work, make::DELIVERED).await;
    assert_eq!(backlog(&world, &webhook, None, 2).await.gap, None, "told by then");
}
