//! Forgetting: what is old enough goes, what is owed stays, and no number is given twice.

use std::time::Duration;

use bluum_hooks_dispatcher::policy::state::Input;
use bluum_hooks_dispatcher::store::{Forgotten, Horizon, NewEvent};
use bluum_hooks_shared::api::DeliveryStatus::{Leased, Parked, Queued};
use bluum_hooks_shared::time::Timestamp;

use super::make;
use super::world::World;

/// Everything from before now, and nothing that is parked.
fn finished_by_now(world: &World) -> Horizon {
    Horizon { finished_before: world.now, parked_before: Timestamp::from_unix_seconds(0) }
}

async fn forget(world: &World, after: i64, limit: usize, horizon: Horizon) -> Forgotten {
    world.store().forget(after, limit, horizon, world.now).await.unwrap()
}

/// Accepts one event and finishes its one delivery a second later.
async fn finish(world: &mut World, event: &NewEvent, input: Input) {
    let work = world.accept_one(event).await;
    world.later(Duration::from_secs(1));
    world.finish(work, input).await;
    world.later(Duration::from_secs(1));
}

pub async fn what_is_old_is_forgotten_and_numbers_go_on(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "order.*").await;
    let keyed = NewEvent { idempotency_key: Some("k".into()), ..world.event(tenant) };
    finish(&mut world, &keyed, make::DELIVERED).await;
    let unwanted = NewEvent { name: "kyc.decided".into(), ..world.event(tenant) };
    world.accept(std::slice::from_ref(&unwanted)).await;
    world.later(Duration::from_secs(1));
    let horizon = finished_by_now(&world);
    let young = world.event(tenant);
    finish(&mut world, &young, make::DELIVERED).await;
    let delivery = world.deliveries(&webhook).await.remove(0);

    let forgotten = forget(&world, 0, 10, horizon).await;
    assert_eq!(forgotten, Forgotten { events: 2, deliveries: 1, next: None });
    for _ in 0..2 {
        for gone in [&keyed, &unwanted] {
            assert!(world.store().event(gone.id).await.unwrap().is_none());
        }
        assert!(world.store().delivery(delivery.id).await.unwrap().is_none());
        assert!(world.store().event(young.id).await.unwrap().is_some());
        assert_eq!(world.violations().await, []);
        world.reopen().await;
    }
    finish(&mut world, &keyed, make::DELIVERED).await;
    let numbers: Vec<_> =
        world.deliveries(&webhook).await.iter().map(|delivery| delivery.sequence).collect();
    assert_eq!(numbers, [2, 3]);
    world.later(Duration::from_secs(1));
    let all = forget(&world, 0, 10, finished_by_now(&world)).await;
    assert_eq!((all.events, all.deliveries), (2, 2));
    world.reopen().await;
    assert_eq!(world.violations().await, []);
    let event = world.event(tenant);
    assert_eq!(world.accept_one(&event).await.claimed.sequence, 4);
}

pub async fn what_is_owed_is_never_forgotten(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    let other = world.webhook(tenant, "*").await;
    let line = [world.event_about(tenant, "a"), world.event_about(tenant, "a")];
    let work = world.accept(&line).await;
    assert_eq!(work.len(), 2);
    for work in work {
        if work.claimed.webhook.number == other.number {
            world.finish(work, make::DELIVERED).await;
        }
    }
    world.later(Duration::from_hours(1));
    let past_all = Horizon { finished_before: world.now, parked_before: world.now };
    let forgotten = forget(&world, 0, 10, past_all).await;
    assert_eq!((forgotten.events, forgotten.deliveries), (0, 1));
    assert_eq!(world.statuses(&webhook).await, [Leased, Queued]);
    for event in &line {
        assert!(world.store().event(event.id).await.unwrap().is_some());
    }
    assert_eq!(world.violations().await, []);
}

pub async fn what_was_parked_is_kept_longer(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    let event = world.event(tenant);
    finish(&mut world, &event, make::GONE).await;
    let horizon = finished_by_now(&world);
    assert_eq!(forget(&world, 0, 10, horizon).await, Forgotten::default());
    assert_eq!(world.statuses(&webhook).await, [Parked]);
    let later = Horizon { parked_before: world.now, ..horizon };
    let forgotten = forget(&world, 0, 10, later).await;
    assert_eq!((forgotten.events, forgotten.deliveries), (1, 1));
    assert!(world.deliveries(&webhook).await.is_empty());
    assert_eq!(world.violations().await, []);
}

pub async fn a_batch_is_no_larger_than_asked(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    for _ in 0..5 {
        let event = world.event(tenant);
        finish(&mut world, &event, make::DELIVERED).await;
    }
    let horizon = finished_by_now(&world);
    let mut next = Some(0);
    let mut batches = Vec::new();
    while let Some(after) = next {
        let forgotten = forget(&world, after, 2, horizon).await;
        batches.push(forgotten.events);
        next = forgotten.next;
    }
    assert_eq!(batches, [2, 2, 1]);
    assert!(world.deliveries(&webhook).await.is_empty());
}
