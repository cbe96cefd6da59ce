//! Accept: everything or nothing, to everybody who subscribed and nobody else, numbered without a
//! hole.

use std::time::Duration;

use bluum_hooks_dispatcher::policy::state::ParkReason;
use bluum_hooks_dispatcher::store::{Audience, EventFilter, NewEvent, StoredEvent, Webhook};
use bluum_hooks_shared::api::{DeliveryStatus, WebhookStatus};
use bluum_hooks_shared::id::TenantId;

use super::make;
use super::world::{ALL, World};

async fn events(world: &World, tenant: TenantId) -> Vec<StoredEvent> {
    let filter = EventFilter { tenant, livemode: false, name: None, since: None, until: None };
    world.store().events(&filter, ALL).await.unwrap()
}

async fn sequences(world: &World, webhook: &Webhook) -> Vec<i64> {
    world.deliveries(webhook).await.iter().map(|delivery| delivery.sequence).collect()
}

pub async fn all_or_nothing(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    let known = world.event(tenant);
    world.accept_one(&known).await;
    let stranger = NewEvent { tenant: TenantId::new(world.now, 0), ..world.event(tenant) };
    for spoilt in [known.clone(), stranger] {
        let batch = [world.event(tenant), spoilt, world.event(tenant)];
        world.try_accept(&batch).await.expect_err("one of them cannot be stored");
    }
    let twice = world.event(tenant);
    world.try_accept(&[twice.clone(), twice]).await.expect_err("the same id twice");

    assert_eq!(events(&world, tenant).await.len(), 1);
    assert_eq!(sequences(&world, &webhook).await, [1]);
    assert_eq!(world.slots.in_flight(), 0, "the slots of what was refused are free");
    let batch = [world.event(tenant), world.event(tenant)];
    world.accept(&batch).await;
    world.reopen().await;
    assert_eq!(sequences(&world, &webhook).await, [1, 2, 3], "and leave no hole");
}

pub async fn no_events_are_no_work(mut world: World) {
    let tenant = world.tenant().await;
    world.webhook(tenant, "*").await;
    let accepted = world.store().accept(&[], &[], &world.slots, world.now).await.unwrap();
    assert!(accepted.work.is_empty() && !accepted.left_waiting);
}

pub async fn an_idempotency_key_is_used_once(mut world: World) {
    let tenant = world.tenant().await;
    let other = world.tenant().await;
    let with_key = |event: NewEvent| NewEvent { idempotency_key: Some("same".into()), ..event };
    let first = with_key(world.event(tenant));
    world.accept(&[first]).await;
    let again = with_key(world.event(tenant));
    world.try_accept(&[again]).await.expect_err("the key was used");
    let live = NewEvent { livemode: true, ..with_key(world.event(tenant)) };
    let others = with_key(world.event(other));
    let batch = [live, others, world.event(tenant), world.event(tenant)];
    world.accept(&batch).await;
    assert_eq!(events(&world, tenant).await.len(), 3);
}

pub async fn what_was_accepted_survives_reopening(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    let bodies: [Vec<u8>; 4] =
        [(0..=255).collect(), Vec::new(), "{\"ä\":\"€ \\u0000\"}".into(), vec![b'x'; 300_000]];
    let mut batch = Vec::new();
    for body in &bodies {
        batch.push(NewEvent { body: body.clone().into(), ..world.event(tenant) });
    }
    let before = world.accept(&batch).await;
    for (work, body) in before.iter().zip(&bodies) {
        assert_eq!(work.claimed.body, *body);
    }
    world.reopen().await;
    let stored = events(&world, tenant).await;
    assert!(stored.iter().map(|event| &event.body).eq(&bodies), "byte for byte");
    assert!(stored.iter().map(|event| event.id).eq(batch.iter().map(|event| event.id)));
    for (event, new) in stored.iter().zip(&batch) {
        assert_eq!(world.store().event(new.id).await.unwrap().as_ref(), Some(event));
    }
    assert_eq!(world.statuses(&webhook).await, [DeliveryStatus::Leased; 4]);
    let claimed = world.claim().await;
    assert!(claimed.iter().map(|work| &work.claimed.body).eq(&bodies));
}

pub async fn subscriptions_match_by_name_prefix_and_alias(mut world: World) {
    let tenant = world.tenant().await;
    let names = ["order.filled", "order.canceled", "deposit.completed", "transfer.deposit.failed"];
    let expected: [(&str, &[&str]); 5] = [
        ("order.filled", &["order.filled"]),
        ("order.*", &["order.filled", "order.canceled"]),
        ("*", &names),
        ("transfer.deposit.completed", &["deposit.completed"]),
        ("transfer.*", &["deposit.completed", "transfer.deposit.failed"]),
    ];
    let mut webhooks = Vec::new();
    for (pattern, _) in expected {
        webhooks.push(world.webhook(tenant, pattern).await);
    }
    for name in names {
        let event = NewEvent { name: name.into(), ..world.event(tenant) };
        world.accept(&[event]).await;
    }
    for (webhook, (pattern, names)) in webhooks.iter().zip(expected) {
        let deliveries = world.deliveries(webhook).await;
        let got: Vec<_> = deliveries.iter().map(|one| one.event_name.as_str()).collect();
        assert_eq!(got, names, "{pattern}");
    }
}

pub async fn an_event_may_be_for_one_webhook_or_for_the_others(mut world: World) {
    let (tenant, stranger) = (world.tenant().await, world.tenant().await);
    let one = world.webhook(tenant, "kyc.decided").await;
    let other = world.webhook(tenant, "*").await;
    let foreign = world.webhook(stranger, "*").await;
    for (audience, expected) in [
        (Audience::Subscribers, [0, 1]),
        (Audience::SubscribersBut(other.settings.id), [0, 1]),
        (Audience::SubscribersBut(one.settings.id), [0, 2]),
        (Audience::Only(one.settings.id), [1, 2]),
        (Audience::Only(foreign.settings.id), [1, 2]),
    ] {
        let event = NewEvent { audience, ..world.event(tenant) };
        world.accept(&[event]).await;
        let owed = [world.deliveries(&one).await.len(), world.deliveries(&other).await.len()];
        assert_eq!(owed, expected, "{audience:?}");
    }
    assert!(world.deliveries(&foreign).await.is_empty());
}

pub async fn tenants_and_modes_never_cross(mut world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let mine = world.webhook(tenant, "*").await;
    let live = world.webhook_with(tenant, |draft| draft.livemode = true).await;
    let others = world.webhook(other, "*").await;
    let batch = [
        world.event(tenant),
        NewEvent { livemode: true, ..world.event(tenant) },
        world.event(other),
        world.event(other),
    ];
    world.accept(&batch).await;
    for (webhook, expected) in [(&mine, 0..1), (&live, 1..2), (&others, 2..4)] {
        let deliveries = world.deliveries(webhook).await;
        let got: Vec<_> = deliveries.iter().map(|delivery| delivery.event).collect();
        let expected: Vec<_> = batch[expected].iter().map(|event| event.id).collect();
        assert_eq!(got, expected);
        for delivery in deliveries {
            let settings = &webhook.settings;
            assert_eq!((delivery.tenant, delivery.livemode), (settings.tenant, settings.livemode));
        }
    }
}

pub async fn a_deleted_webhook_gets_nothing_more(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    let batch = [world.event(tenant)];
    world.accept(&batch).await;
    let now = world.now;
    world.change(&webhook, move |draft| draft.deleted_at = Some(now)).await;
    let batch = [world.event(tenant)];
    assert!(world.accept(&batch).await.is_empty());
    assert_eq!(sequences(&world, &webhook).await, [1], "what it was owed is kept");
}

pub async fn sequences_have_no_hole_and_no_repeat(mut world: World) {
    let tenant = world.tenant().await;
    let all = world.webhook(tenant, "*").await;
    let some = world.webhook(tenant, "kyc.*").await;
    let mut kyc = 0;
    for round in 0..12_usize {
        let mut batch = Vec::new();
        for place in 0..=round % 4 {
            let name =
                if (round + place).is_multiple_of(3) { "kyc.decided" } else { "order.filled" };
            kyc += i64::from(name == "kyc.decided");
            batch.push(NewEvent { name: name.into(), ..world.event(tenant) });
        }
        world.accept(&batch).await;
        if round % 5 == 4 {
            world.reopen().await;
        }
        world.later(Duration::from_secs(1));
    }
    assert_eq!(sequences(&world, &all).await, (1..=30).collect::<Vec<_>>());
    assert_eq!(sequences(&world, &some).await, (1..=kyc).collect::<Vec<_>>());
    let positions: Vec<_> =
        world.deliveries(&all).await.iter().map(|delivery| delivery.event).collect();
    let stored: Vec<_> = events(&world, tenant).await.iter().map(|event| event.id).collect();
    assert_eq!(positions, stored, "in commit order");
}

pub async fn what_arrives_at_a_stopped_webhook_is_parked(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    for status in [WebhookStatus::Inactive, WebhookStatus::Disabled] {
        world
            .change(&webhook, move |draft| {
                draft.status = status;
                let disabled = status == WebhookStatus::Disabled;
                draft.status_reason = disabled.then(|| "gone".into());
            })
            .await;
        let batch = [world.event_about(tenant, "a"), world.event_about(tenant, "a")];
        let accepted = world.store().accept(&batch, &[], &world.slots, world.now).await.unwrap();
        assert!(accepted.work.is_empty() && !accepted.left_waiting);
    }
    for delivery in world.deliveries(&webhook).await {
        let state = delivery.progress.state;
        assert_eq!(state.reason(), Some(ParkReason::Disabled));
        assert_eq!(state.finished_at(), Some(world.now));
    }
    assert_eq!(world.slots.in_flight(), 0);
    world
        .change(&webhook, |draft| {
            draft.status = WebhookStatus::Active;
            draft.status_reason = None;
        })
        .await;
    let batch = [world.event_about(tenant, "a")];
    let work = world.accept(&batch).await;
    assert_eq!(work[0].claimed.sequence, 5, "nothing parked holds the line up");
}

pub async fn claimed_while_there_are_slots(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    world.set_slots(3);
    let batch: Vec<_> = (0..5).map(|_| world.event(tenant)).collect();
    let accepted = world.store().accept(&batch, &[], &world.slots, world.now).await.unwrap();
    assert!(accepted.left_waiting);
    assert_eq!(accepted.work.len(), 3);
    for (work, event) in accepted.work.iter().zip(&batch) {
        let progress = work.claimed.progress;
        assert_eq!((progress.claim, progress.lost_claims, progress.attempts), (1, 0, 0));
        assert_eq!((work.claimed.event, &work.claimed.body), (event.id, &event.body));
        assert_eq!(world.now_of(&work.claimed).await.progress, progress, "as it stands stored");
    }
    use DeliveryStatus::{Leased, Waiting};
    assert_eq!(world.statuses(&webhook).await, [Leased, Leased, Leased, Waiting, Waiting]);
    drop(accepted);
    let rest = world.claim().await;
    let numbers: Vec<_> = rest.iter().map(|work| work.claimed.sequence).collect();
    assert_eq!(numbers, [4, 5]);
}

pub async fn nobody_jumps_a_backlog(mut world: World) {
    let tenant = world.tenant().await;
    world.webhook_with(tenant, |draft| draft.max_in_flight = 1).await;
    world.set_slots(2);
    let batch = [world.event(tenant), world.event(tenant)];
    let mut first = world.accept(&batch).await;
    world.finish(first.remove(0), make::DELIVERED).await;
    assert_eq!(world.slots.in_flight(), 0);
    let batch = [world.event(tenant)];
    assert!(world.accept(&batch).await.is_empty(), "the second is before it");
    let claimed = world.claim().await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].claimed.sequence, 2);
}

pub async fn any_text_is_a_key(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    let long = "ö".repeat(2_000);
    let keys = [
        "1", "1.0", "true", "null", "", "A", "a", "\"", "\\", "\\u0041", "'; --", "\n\t", "é",
        "e\u{301}", "🦀", "\u{1}", &long,
    ];
    let mut batch = Vec::new();
    for key in keys {
        let mut event = world.event_about(tenant, key);
        event.idempotency_key = Some(key.into());
        batch.push(event);
    }
    assert_eq!(world.accept(&batch).await.len(), keys.len(), "no two of them are the same");
    let again: Vec<_> = keys.iter().map(|key| world.event_about(tenant, key)).collect();
    assert!(world.accept(&again).await.is_empty(), "each waits behind its own");
    world.reopen().await;
    for (delivery, key) in world.deliveries(&webhook).await.iter().zip(keys.iter().cycle()) {
        assert_eq!(delivery.ordering_key.as_deref(), Some(*key));
    }
    for work in world.claim().await {
        let report = world.report(&work.claimed, make::DELIVERED);
        world.record(&[report]).await;
    }
    assert_eq!(world.claim().await.len(), keys.len(), "and each comes after its own");
}
