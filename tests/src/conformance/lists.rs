//! Reading: lists in their order, cut where asked, the same page however much was added since.

use std::sync::Arc;
use std::time::Duration;

use bluum_hooks_dispatcher::store::{
    Cursor, DeliveryFilter, EventFilter, Horizon, NewEvent, PAGE_BYTES, Page, StoredDelivery,
    StoredEvent, Webhook,
};
use bluum_hooks_shared::api::DeliveryStatus;
use bluum_hooks_shared::id::{DeliveryId, EventId, TenantId};

use super::make;
use super::world::{ALL, START, World};

const NAMES: [&str; 3] = ["order.filled", "order.canceled", "kyc.decided"];

/// Every sandbox event of this tenant.
fn every(tenant: TenantId) -> EventFilter {
    EventFilter { tenant, livemode: false, name: None, since: None, until: None }
}

/// A webhook that was sent nine events, one a second, the names in turn.
async fn nine(world: &mut World) -> (TenantId, Arc<Webhook>, Vec<NewEvent>) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    world.webhook(tenant, "kyc.*").await;
    let mut events = Vec::new();
    for name in NAMES.iter().cycle().take(9) {
        let event = NewEvent { name: (*name).into(), ..world.event(tenant) };
        drop(world.accept(std::slice::from_ref(&event)).await);
        events.push(event);
        world.later(Duration::from_secs(1));
    }
    (tenant, webhook, events)
}

fn events_of(tenant: TenantId) -> EventFilter {
    EventFilter { tenant, livemode: false, name: None, since: None, until: None }
}

fn page(limit: u32, offset: u32, after: Option<Cursor>) -> Page {
    Page { limit, offset, after }
}

async fn events(world: &World, filter: &EventFilter, page: Page) -> Vec<EventId> {
    let found: Vec<StoredEvent> = world.store().events(filter, page).await.unwrap();
    found.iter().map(|event| event.id).collect()
}

async fn deliveries(world: &World, filter: &DeliveryFilter, page: Page) -> Vec<i64> {
    let found: Vec<StoredDelivery> = world.store().deliveries(filter, page).await.unwrap();
    found.iter().map(|delivery| delivery.sequence).collect()
}

fn of_webhook(webhook: &Webhook) -> DeliveryFilter {
    DeliveryFilter { webhook: Some(webhook.settings.id), ..DeliveryFilter::default() }
}

pub async fn events_come_in_commit_order_in_pages(mut world: World) {
    let (tenant, _, made) = nine(&mut world).await;
    let ids: Vec<_> = made.iter().map(|event| event.id).collect();
    let filter = events_of(tenant);
    assert_eq!(events(&world, &filter, ALL).await, ids);
    assert_eq!(events(&world, &filter, page(4, 0, None)).await, ids[..4]);
    assert_eq!(events(&world, &filter, page(4, 7, None)).await, ids[7..]);
    let after = |place: usize| Some(Cursor::Event(ids[place]));
    assert_eq!(events(&world, &filter, page(4, 0, after(3))).await, ids[4..8]);
    assert_eq!(events(&world, &filter, page(4, 1, after(3))).await, ids[5..]);
    assert!(events(&world, &filter, page(4, 0, after(8))).await.is_empty());
    assert!(events(&world, &filter, page(0, 0, None)).await.is_empty());
}

pub async fn events_are_filtered_by_name_and_time(mut world: World) {
    let (tenant, _, made) = nine(&mut world).await;
    let ids = |places: &[usize]| places.iter().map(|place| made[*place].id).collect::<Vec<_>>();
    let at = |seconds| Some(START.plus(Duration::from_secs(seconds)));
    let named = EventFilter { name: Some("kyc.decided".into()), ..events_of(tenant) };
    assert_eq!(events(&world, &named, ALL).await, ids(&[2, 5, 8]));
    let after = Some(Cursor::Event(made[3].id));
    assert_eq!(events(&world, &named, page(1, 0, after)).await, ids(&[5]), "a cursor need not fit");
    let since = EventFilter { since: at(7), ..events_of(tenant) };
    assert_eq!(events(&world, &since, ALL).await, ids(&[7, 8]), "since is included");
    let until = EventFilter { until: at(2), ..events_of(tenant) };
    assert_eq!(events(&world, &until, ALL).await, ids(&[0, 1]), "until is not");
    let all = EventFilter { since: at(3), until: at(8), ..named };
    assert_eq!(events(&world, &all, ALL).await, ids(&[5]));
}

pub async fn a_page_of_events_has_an_end_in_bytes_too(mut world: World) {
    let tenant = world.tenant().await;
    let large = |event: NewEvent| NewEvent { body: vec![b'x'; PAGE_BYTES / 4].into(), ..event };
    let events: Vec<_> = (0..6).map(|_| large(world.event(tenant))).collect();
    world.accept(&events).await;
    let page = Page { limit: 6, offset: 0, after: None };
    let found = world.store().events(&every(tenant), page).await.unwrap();
    assert_eq!(found.len(), 5, "a page, and one that shows that there is more");
    let page = Page { after: Some(Cursor::Position(found[3].position)), ..page };
    let found = world.store().events(&every(tenant), page).await.unwrap();
    assert_eq!(
        found.iter().map(|event| event.id).collect::<Vec<_>>(),
        [events[4].id, events[5].id]
    );
}

pub async fn a_list_goes_on_after_what_is_forgotten(mut world: World) {
    let tenant = world.tenant().await;
    let events: Vec<_> = (0..3).map(|_| world.event(tenant)).collect();
    world.accept(&events[..2]).await;
    let found = world.store().events(&every(tenant), ALL).await.unwrap();
    let after = Some(Cursor::Position(found[1].position));
    world.later(Duration::from_secs(1));
    let horizon = Horizon { finished_before: world.now, parked_before: world.now };
    let forgotten = world.store().forget(0, 10, horizon, world.now).await.unwrap();
    assert_eq!(forgotten.events, 2);
    world.accept(&events[2..]).await;
    let found = world.store().events(&every(tenant), Page { after, ..ALL }).await.unwrap();
    assert_eq!(found.iter().map(|event| event.id).collect::<Vec<_>>(), [events[2].id]);
}

pub async fn a_page_stays_while_more_is_added(mut world: World) {
    let (tenant, webhook, made) = nine(&mut world).await;
    let filter = events_of(tenant);
    let first = events(&world, &filter, page(3, 0, None)).await;
    let newest = world.store().deliveries(&of_webhook(&webhook), page(3, 0, None)).await.unwrap();
    for _ in 0..3 {
        let batch = [world.event(tenant), world.event(tenant)];
        world.accept(&batch).await;
    }
    let second = events(&world, &filter, page(3, 0, Some(Cursor::Event(first[2])))).await;
    assert_eq!(second, [made[3].id, made[4].id, made[5].id]);
    let after = Some(Cursor::Delivery(newest[2].id));
    assert_eq!(deliveries(&world, &of_webhook(&webhook), page(3, 0, after)).await, [6, 5, 4]);
}

pub async fn one_sees_ones_own(mut world: World) {
    let (tenant, webhook, made) = nine(&mut world).await;
    let (other, others, theirs) = nine(&mut world).await;
    let live = EventFilter { livemode: true, ..events_of(tenant) };
    assert!(events(&world, &live, ALL).await.is_empty());
    assert_eq!(events(&world, &events_of(other), ALL).await.len(), 9);
    assert_eq!(deliveries(&world, &of_webhook(&others), ALL).await.len(), 9);
    // Another's item is no place in one's own list.
    let cursor = Some(Cursor::Event(theirs[3].id));
    assert!(events(&world, &events_of(tenant), page(9, 0, cursor)).await.is_empty());
    let theirs = world.store().deliveries(&of_webhook(&others), ALL).await.unwrap();
    let cursor = Some(Cursor::Delivery(theirs[3].id));
    assert!(deliveries(&world, &of_webhook(&webhook), page(9, 0, cursor)).await.is_empty());
    let event = DeliveryFilter { event: Some(made[2].id), ..DeliveryFilter::default() };
    assert!(deliveries(&world, &event, page(9, 0, cursor)).await.is_empty());
}

pub async fn what_is_not_there_is_nothing(mut world: World) {
    let (tenant, webhook, made) = nine(&mut world).await;
    let nowhere =
        [Cursor::Event(EventId::new(START, 1)), Cursor::Delivery(DeliveryId::new(START, 1))];
    let of_event = DeliveryFilter { event: Some(made[2].id), ..DeliveryFilter::default() };
    let parked = DeliveryFilter { status: Some(DeliveryStatus::Parked), ..of_webhook(&webhook) };
    for cursor in nowhere {
        let nowhere = page(9, 0, Some(cursor));
        assert!(events(&world, &events_of(tenant), nowhere).await.is_empty());
        for filter in [&of_webhook(&webhook), &of_event, &parked] {
            assert!(deliveries(&world, filter, nowhere).await.is_empty());
        }
    }
    let unknown = EventId::new(START, 1);
    assert_eq!(world.store().event(unknown).await.unwrap(), None);
    let of_unknown = DeliveryFilter { event: Some(unknown), ..DeliveryFilter::default() };
    for filter in [of_unknown, DeliveryFilter::default()] {
        assert!(deliveries(&world, &filter, ALL).await.is_empty());
    }
    assert_eq!(world.store().delivery(DeliveryId::new(START, 1)).await.unwrap(), None);
}

pub async fn deliveries_of_a_webhook_come_newest_first(mut world: World) {
    let (_, webhook, _) = nine(&mut world).await;
    let filter = of_webhook(&webhook);
    let all = world.store().deliveries(&filter, ALL).await.unwrap();
    assert_eq!(deliveries(&world, &filter, ALL).await, [9, 8, 7, 6, 5, 4, 3, 2, 1]);
    let after = |place: usize| Some(Cursor::Delivery(all[place].id));
    assert_eq!(deliveries(&world, &filter, page(2, 1, None)).await, [8, 7]);
    assert_eq!(deliveries(&world, &filter, page(2, 1, after(2))).await, [5, 4]);
    assert!(deliveries(&world, &filter, page(2, 0, after(8))).await.is_empty());
    let at = |seconds| Some(START.plus(Duration::from_secs(seconds)));
    let named = DeliveryFilter { event_name: Some("kyc.decided".into()), ..filter.clone() };
    assert_eq!(deliveries(&world, &named, ALL).await, [9, 6, 3]);
    let recent = DeliveryFilter { since: at(2), until: at(5), ..filter };
    assert_eq!(deliveries(&world, &recent, ALL).await, [5, 4, 3]);
}

pub async fn deliveries_are_filtered_by_where_they_stand(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    let batch: Vec<_> = (0..10).map(|_| world.event_about(tenant, "a")).collect();
    let mut work = world.accept(&batch).await.remove(0).claimed;
    for input in [make::GONE, make::DELIVERED, make::GONE, make::DELIVERED, make::GONE] {
        work = world.hand_on(&work, input).await.unwrap();
    }
    let standing = |status| DeliveryFilter { status: Some(status), ..of_webhook(&webhook) };
    let expected: [(DeliveryStatus, &[i64]); 5] = [
        (DeliveryStatus::Queued, &[10, 9, 8, 7]),
        (DeliveryStatus::Waiting, &[]),
        (DeliveryStatus::Leased, &[6]),
        (DeliveryStatus::Delivered, &[4, 2]),
        (DeliveryStatus::Parked, &[5, 3, 1]),
    ];
    for (status, sequences) in expected {
        assert_eq!(deliveries(&world, &standing(status), ALL).await, sequences, "{status:?}");
    }
    let all = world.deliveries(&webhook).await;
    let parked = standing(DeliveryStatus::Parked);
    assert_eq!(deliveries(&world, &parked, page(2, 1, None)).await, [3, 1]);
    for (place, sequences) in [(4, vec![3, 1]), (5, vec![5, 3, 1]), (0, vec![])] {
        let after = Some(Cursor::Delivery(all[place].id));
        assert_eq!(deliveries(&world, &parked, page(9, 0, after)).await, sequences);
    }
    let other = DeliveryFilter { event_name: Some("kyc.decided".into()), ..parked.clone() };
    assert!(deliveries(&world, &other, ALL).await.is_empty());
    let later = DeliveryFilter { since: Some(START.plus(Duration::from_secs(1))), ..parked };
    assert!(deliveries(&world, &later, ALL).await.is_empty());
}

pub async fn deliveries_of_an_event_come_oldest_first(mut world: World) {
    let tenant = world.tenant().await;
    let mut webhooks = Vec::new();
    for _ in 0..4 {
        webhooks.push(world.webhook(tenant, "*").await.settings.id);
    }
    let batch = [world.event(tenant), world.event(tenant)];
    let work = world.accept(&batch).await;
    let done = world.report(&work[6].claimed, make::DELIVERED);
    world.record(&[done]).await;
    let filter = DeliveryFilter { event: Some(batch[1].id), ..DeliveryFilter::default() };
    let list = async |filter: &DeliveryFilter, page| {
        let found = world.store().deliveries(filter, page).await.unwrap();
        assert!(found.iter().all(|delivery| delivery.event == batch[1].id));
        found.iter().map(|delivery| delivery.webhook).collect::<Vec<_>>()
    };
    assert_eq!(list(&filter, ALL).await, webhooks);
    assert_eq!(list(&filter, page(2, 1, None)).await, webhooks[1..3]);
    let after = Some(Cursor::Delivery(work[5].claimed.id));
    assert_eq!(list(&filter, page(9, 0, after)).await, webhooks[2..]);
    let delivered = DeliveryFilter { status: Some(DeliveryStatus::Delivered), ..filter.clone() };
    assert_eq!(list(&delivered, ALL).await, webhooks[2..3]);
    let named = DeliveryFilter { event_name: Some("kyc.decided".into()), ..filter.clone() };
    assert!(list(&named, ALL).await.is_empty());
    let earlier = DeliveryFilter { until: Some(START), ..filter };
    assert!(list(&earlier, ALL).await.is_empty());
}

pub async fn a_deleted_webhooks_deliveries_are_still_there(mut world: World) {
    let (_, webhook, _) = nine(&mut world).await;
    let now = world.now;
    world.change(&webhook, move |draft| draft.deleted_at = Some(now)).await;
    let kept = world.store().deliveries(&of_webhook(&webhook), ALL).await.unwrap();
    assert_eq!(kept.len(), 9);
    assert!(kept.iter().all(|delivery| delivery.webhook == webhook.settings.id));
    assert!(world.store().delivery(kept[0].id).await.unwrap().is_some());
}
