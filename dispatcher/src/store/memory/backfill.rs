//! Backfill: what was accepted before a listener existed, owed to it all the same.

use std::sync::Arc;

use bluum_hooks_shared::id::DeliveryId;
use bluum_hooks_shared::time::Timestamp;

use super::books::Books;
use crate::policy::state::{Progress, State};
use crate::store::plan::{ODD, Planned};
use crate::store::{Audience, NewEvent, Webhook};

pub(super) fn backfill(
    books: &mut Books,
    webhook: &Arc<Webhook>,
    since: Timestamp,
    at_most: u32,
    seed: u128,
    now: Timestamp,
) -> usize {
    let settings = &webhook.settings;
    let of_tenant = books
        .events
        .values()
        .rev()
        .filter(|event| event.tenant == settings.tenant && event.livemode == settings.livemode);
    let latest = of_tenant.take(at_most as usize).filter(|event| event.created_at >= since);
    let has_one = |event| {
        let mut deliveries = books.deliveries.values();
        deliveries.any(|one| one.webhook == webhook.number && one.stored.event == event)
    };
    let missed = latest.filter(|event| webhook.wants(&event.name) && !has_one(event.id));
    let mut missed: Vec<_> = missed.cloned().collect();
    missed.reverse();
    let last = books.sequences.get(&webhook.number).copied().unwrap_or(0);
    for ((sequence, index), event) in (last + 1..).zip(1_u128..).zip(&missed) {
        let planned = Planned {
            event: 0,
            id: DeliveryId::new(now, seed ^ index.wrapping_mul(ODD)),
            webhook: Arc::clone(webhook),
            sequence,
            ordering_key: None,
            progress: Progress::new(State::Waiting { due_at: now }),
            slot: None,
        };
        let event = NewEvent {
            id: event.id,
            tenant: event.tenant,
            livemode: event.livemode,
            name: event.name.clone(),
            ordering_key: None,
            idempotency_key: None,
            body: event.body.clone(),
            audience: Audience::Only(settings.id),
            seed,
        };
        books.add_delivery(&planned, &event, now);
    }
    missed.len()
}
