//! What is true of everything stored at every instant, and a copy of it all to compare.

use std::collections::{BTreeMap, BTreeSet};

use bluum_hooks_dispatcher::store::{
    DeliveryFilter, EventFilter, StoredAttempt, StoredDelivery, Webhook,
};
use bluum_hooks_shared::api::DeliveryStatus;

use super::side::Side;
use crate::conformance::world::{ALL, World};

/// Everything that is stored, line by line.
///
/// # Panics
///
/// If a law is broken.
pub(super) async fn inspect(side: &Side) -> Vec<String> {
    let world = &side.world;
    assert_eq!(world.violations().await, []);
    let registry = world.store().registry();
    let mut lines = Vec::new();
    for tenant in registry.tenants().map(|tenant| tenant.id) {
        for livemode in [false, true] {
            let filter = EventFilter { tenant, livemode, name: None, since: None, until: None };
            let events = world.store().events(&filter, ALL).await.unwrap();
            lines.extend(events.iter().map(|event| format!("{event:?}")));
        }
    }
    let webhooks = (1..).map_while(|number| registry.webhook_numbered(number));
    for webhook in webhooks {
        let deliveries = world.deliveries(webhook).await;
        conserved(world, webhook, &deliveries, side.owed.get(&webhook.number)).await;
        in_line(&deliveries, side.replayed.contains(&webhook.settings.id));
        for delivery in &deliveries {
            let (again, attempts) = world.store().delivery(delivery.id).await.unwrap().unwrap();
            assert_eq!(again, *delivery);
            counted(delivery, &attempts);
            lines.push(format!("{delivery:?} {attempts:?}"));
        }
    }
    lines.extend(registry.replays().map(|replay| format!("{replay:?}")));
    lines.extend(world.outbox_rejected().await.iter().map(|row| format!("{row:?}")));
    lines
}

/// accepted = delivered + waiting + queued + leased + parked, and numbered 1, 2, 3 …
async fn conserved(
    world: &World,
    webhook: &Webhook,
    deliveries: &[StoredDelivery],
    owed: Option<&usize>,
) {
    let number = webhook.number;
    assert_eq!(deliveries.len(), owed.copied().unwrap_or(0), "accepted for webhook {number}");
    let sequences = deliveries.iter().map(|delivery| delivery.sequence);
    assert!(sequences.eq((1..).take(deliveries.len())), "the sequence of webhook {number}");
    let mut found = 0;
    for status in DeliveryStatus::ALL {
        let filter = DeliveryFilter {
            webhook: Some(webhook.settings.id),
            status: Some(status),
            ..DeliveryFilter::default()
        };
        found += world.store().deliveries(&filter, ALL).await.unwrap().len();
    }
    assert_eq!(found, deliveries.len(), "every delivery of webhook {number} stands somewhere");
}

/// Of one key, one delivery is under way, and the rest are queued behind it; earlier ones too, if
/// they are replayed.
fn in_line(deliveries: &[StoredDelivery], replayed: bool) {
    let mut heads: BTreeMap<&str, i64> = BTreeMap::new();
    let mut queued: BTreeSet<&str> = BTreeSet::new();
    for delivery in deliveries {
        let Some(key) = delivery.ordering_key.as_deref() else { continue };
        match delivery.progress.state.status() {
            DeliveryStatus::Waiting | DeliveryStatus::Leased => {
                let other = heads.insert(key, delivery.sequence);
                assert_eq!(other, None, "two under way: {delivery:?}");
                assert!(replayed || !queued.contains(key), "it overtook somebody: {delivery:?}");
            }
            DeliveryStatus::Queued => {
                queued.insert(key);
            }
            DeliveryStatus::Delivered | DeliveryStatus::Parked => {}
        }
    }
    assert!(queued.iter().all(|key| heads.contains_key(key)), "a line waits for nobody");
}

/// As many attempts as were counted, each with its number.
fn counted(delivery: &StoredDelivery, attempts: &[StoredAttempt]) {
    let progress = delivery.progress;
    assert!(attempts.iter().map(|attempt| attempt.number).eq(1..=progress.attempts));
    assert!(progress.failures <= progress.attempts && progress.attempts <= progress.claim);
}
