//! The outbox: what publishers committed becomes events, once, in their order, or is kept with the
//! reason.

use bluum_hooks_dispatcher::store::{
    Drained, EventFilter, NewEvent, OutboxRow, StoreError, StoredEvent,
};
use bluum_hooks_shared::id::TenantId;

use super::make;
use super::world::{ALL, World};

async fn try_drain(world: &World, limit: usize) -> Result<Drained, StoreError> {
    let now = world.now;
    let read = move |row: &OutboxRow| make::read(row, now);
    world.store().drain_outbox(limit, &read, &world.slots, now).await
}

async fn drain(world: &World, limit: usize) -> Drained {
    try_drain(world, limit).await.unwrap()
}

async fn push(world: &World, tenant: TenantId, event: &str, data: &str, key: Option<&str>) {
    world.push_outbox(&make::row(tenant, event, data, key)).await;
}

async fn events(world: &World, tenant: TenantId) -> Vec<StoredEvent> {
    let filter = EventFilter { tenant, livemode: false, name: None, since: None, until: None };
    world.store().events(&filter, ALL).await.unwrap()
}

/// The `n` of `{"n":1}` of each event.
async fn numbers(world: &World, tenant: TenantId) -> Vec<i64> {
    let events = events(world, tenant).await;
    let number = |event: &StoredEvent| {
        let body: serde_json::Value = serde_json::from_slice(&event.body).unwrap();
        body["data"]["n"].as_i64().unwrap()
    };
    events.iter().map(number).collect()
}

pub async fn rows_are_taken_in_their_order_up_to_the_limit(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    assert!(!world.store().outbox_waiting().await.unwrap());
    assert_eq!(drain(&world, 10).await.taken, 0);
    for n in 1..=5 {
        push(&world, tenant, "order.filled", &format!(r#"{{"n":{n}}}"#), None).await;
        assert!(world.store().outbox_waiting().await.unwrap());
    }
    world.set_slots(2);
    let first = drain(&world, 3).await;
    assert_eq!((first.taken, first.rejected), (3, 0));
    assert_eq!((first.accepted.work.len(), first.accepted.left_waiting), (2, true));
    assert_eq!(numbers(&world, tenant).await, [1, 2, 3]);
    assert!(world.store().outbox_waiting().await.unwrap());
    assert_eq!(drain(&world, 3).await.taken, 2);
    assert_eq!(numbers(&world, tenant).await, [1, 2, 3, 4, 5]);
    assert!(!world.store().outbox_waiting().await.unwrap());

    world.reopen().await;
    push(&world, tenant, "order.filled", r#"{"n":6}"#, None).await;
    assert_eq!(drain(&world, 3).await.taken, 1);
    let deliveries = world.deliveries(&webhook).await;
    let sequences: Vec<_> = deliveries.iter().map(|delivery| delivery.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5, 6]);
    let stored = events(&world, tenant).await;
    assert!(stored.iter().map(|event| event.id).eq(deliveries.iter().map(|one| one.event)));
}

pub async fn what_cannot_be_accepted_is_kept_with_the_reason(mut world: World) {
    let tenant = world.tenant().await;
    for (n, event) in (1..).zip(["bad", "order.filled", "bad", "order.filled"]) {
        push(&world, tenant, event, &format!(r#"{{"n":{n}}}"#), None).await;
    }
    world
        .push_outbox(&OutboxRow {
            tenant_id: Some("?".into()),
            ..make::row(tenant, "x", "{}", None)
        })
        .await;
    let drained = drain(&world, 10).await;
    assert_eq!((drained.taken, drained.rejected), (5, 3));
    assert_eq!(numbers(&world, tenant).await, [2, 4]);
    let expected = [(1, "no such event"), (3, "no such event"), (5, "no such tenant")];
    let expected = expected.map(|(position, reason)| (position, reason.to_owned()));
    assert_eq!(world.outbox_rejected().await, expected);
    assert_eq!(world.store().ping().await.unwrap().outbox_rejected, 3);
    assert_eq!(drain(&world, 10).await.taken, 0);

    push(&world, tenant, "bad", "{}", None).await;
    let only = drain(&world, 10).await;
    assert_eq!((only.taken, only.rejected, only.accepted.work.len()), (1, 1, 0));
    assert!(!world.store().outbox_waiting().await.unwrap());
}

const OTHER: &str = "the idempotency key was used for another event";

pub async fn one_idempotency_key_is_one_event(mut world: World) {
    let tenant = world.tenant().await;
    let rows = [
        ("order.filled", r#"{"n":1}"#, Some("k")),
        ("order.filled", r#"{"n":1}"#, Some("k")),
        ("order.filled", r#"{"n":2}"#, Some("k")),
        ("order.canceled", r#"{"n":1}"#, Some("k")),
        ("order.filled", r#"{"n":1}"#, None),
        ("order.filled", r#"{"n":1}"#, None),
        ("bad", r#"{"n":3}"#, Some("fresh")),
        ("order.filled", r#"{"n":4}"#, Some("fresh")),
    ];
    for (event, data, key) in rows {
        push(&world, tenant, event, data, key).await;
    }
    let drained = drain(&world, 10).await;
    assert_eq!((drained.taken, drained.rejected), (8, 3));
    assert_eq!(numbers(&world, tenant).await, [1, 1, 1, 4]);
    let expected = [(3, OTHER), (4, OTHER), (7, "no such event")];
    assert_eq!(world.outbox_rejected().await, expected.map(|(at, why)| (at, why.to_owned())));
}

pub async fn an_idempotency_key_is_remembered(mut world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let accepted = NewEvent {
        idempotency_key: Some("api".into()),
        body: make::read(&make::row(tenant, "order.filled", r#"{"n":0}"#, None), world.now)
            .unwrap()
            .body,
        ..world.event(tenant)
    };
    world.accept(&[accepted]).await;
    push(&world, tenant, "order.filled", r#"{"n":1}"#, Some("k")).await;
    drain(&world, 10).await;
    world.reopen().await;
    for (tenant, data, key) in [
        (tenant, r#"{"n":1}"#, "k"),
        (tenant, r#"{"n":2}"#, "k"),
        (tenant, r#"{"n":0}"#, "api"),
        (tenant, r#"{"n":9}"#, "api"),
        (other, r#"{"n":3}"#, "k"),
    ] {
        push(&world, tenant, "order.filled", data, Some(key)).await;
    }
    let live = OutboxRow { livemode: Some(1), ..make::row(tenant, "x", "{}", Some("k")) };
    world.push_outbox(&live).await;
    let drained = drain(&world, 10).await;
    assert_eq!((drained.taken, drained.rejected), (6, 2));
    assert_eq!(numbers(&world, tenant).await, [0, 1]);
    assert_eq!(numbers(&world, other).await, [3]);
    let rejected = world.outbox_rejected().await;
    assert_eq!(rejected, [(3, OTHER.to_owned()), (5, OTHER.to_owned())]);
}

pub async fn what_cannot_be_stored_stays_in_the_outbox(mut world: World) {
    let tenant = world.tenant().await;
    world.webhook(tenant, "*").await;
    push(&world, tenant, "order.filled", r#"{"n":1}"#, None).await;
    push(&world, tenant, "bad", r#"{"n":2}"#, None).await;
    // Read as an event of a tenant that there is not, which no reader should do.
    let stranger = TenantId::new(world.now, 0);
    push(&world, stranger, "order.filled", r#"{"n":3}"#, None).await;
    try_drain(&world, 10).await.expect_err("there is no such tenant");
    assert_eq!(world.slots.in_flight(), 0);
    assert!(numbers(&world, tenant).await.is_empty());
    assert!(world.outbox_rejected().await.is_empty());
    assert!(world.store().outbox_waiting().await.unwrap());
    let drained = drain(&world, 2).await;
    assert_eq!((drained.taken, drained.rejected), (2, 1));
    assert_eq!(numbers(&world, tenant).await, [1]);
}

pub async fn events_from_the_outbox_stand_in_line_like_all(mut world: World) {
    let tenant = world.tenant().await;
    world.webhook(tenant, "*").await;
    let event = world.event_about(tenant, "a");
    let first = world.accept_one(&event).await;
    for n in 1..=2 {
        let row = make::row(tenant, "order.filled", &format!(r#"{{"n":{n}}}"#), None);
        world.push_outbox(&OutboxRow { ordering_key: Some("a".into()), ..row }).await;
    }
    let drained = drain(&world, 10).await;
    assert!(drained.accepted.work.is_empty() && !drained.accepted.left_waiting);
    let second = world.hand_on(&first.claimed, make::DELIVERED).await.expect("the second");
    assert_eq!(world.hand_on(&second, make::DELIVERED).await.expect("the third").sequence, 3);
}
