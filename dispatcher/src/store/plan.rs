//! Which deliveries a batch of events causes. Pure, and the same for every store.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bluum_hooks_shared::api::Ordering;
use bluum_hooks_shared::id::DeliveryId;
use bluum_hooks_shared::time::Timestamp;

use super::{Audience, Claimed, LEASE, NewEvent, Registry, Webhook};
use crate::policy::state::{ParkReason, Progress, State};
use crate::slots::{Slot, Slots};

/// A delivery about to be written.
#[derive(Debug)]
pub(super) struct Planned {
    /// The place of its event in the batch.
    pub(super) event: usize,
    pub(super) id: DeliveryId,
    pub(super) webhook: Arc<Webhook>,
    pub(super) sequence: i64,
    pub(super) ordering_key: Option<String>,
    pub(super) progress: Progress,
    /// Held if it is claimed at once.
    pub(super) slot: Option<Slot>,
}

/// What a store knows that the events do not say.
pub(super) struct Standing<'a> {
    pub(super) registry: &'a Registry,
    /// Pairs of webhook and ordering key with a delivery under way.
    pub(super) busy: &'a HashSet<(i64, String)>,
    /// The last sequence number of each webhook.
    pub(super) sequences: &'a HashMap<i64, i64>,
}

/// The webhook and key of each delivery that may have to wait for another.
pub(super) fn lines<'a>(
    events: &'a [NewEvent],
    registry: &'a Registry,
) -> impl Iterator<Item = (i64, &'a str)> {
    events.iter().flat_map(|event| {
        matching(event, registry)
            .filter_map(|webhook| Some((webhook.number, key_for(event, webhook)?)))
    })
}

/// One delivery per event and webhook that wants it, in the order of the events.
pub(super) fn plan(
    events: &[NewEvent],
    standing: &Standing<'_>,
    slots: &Slots,
    now: Timestamp,
) -> Vec<Planned> {
    let mut planned = Vec::with_capacity(events.len());
    let mut sequences: HashMap<i64, i64> = HashMap::new();
    let mut ahead: HashSet<(i64, &str)> = HashSet::new();
    for (place, event) in events.iter().enumerate() {
        for (index, webhook) in (1_u128..).zip(matching(event, standing.registry)) {
            let number = webhook.number;
            let last = || standing.sequences.get(&number).copied().unwrap_or(0);
            let sequence = sequences.entry(number).or_insert_with(last);
            *sequence += 1;
            let key = key_for(event, webhook);
            let parked = standing.registry.parks(webhook);
            let behind = key.is_some_and(|key| {
                parked.is_none() && !ahead.insert((number, key))
                    || standing.busy.contains(&(number, key.to_owned()))
            });
            let (progress, slot) = begin(webhook, parked, behind, slots, now);
            planned.push(Planned {
                event: place,
                id: DeliveryId::new(now, event.seed ^ index.wrapping_mul(ODD)),
                webhook: Arc::clone(webhook),
                sequence: *sequence,
                ordering_key: key.map(str::to_owned),
                progress,
                slot,
            });
        }
    }
    planned
}

/// Spreads the ids of one event's deliveries over the random bits; odd, so that none collide.
pub(super) const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39d;

fn matching<'a>(
    event: &'a NewEvent,
    registry: &'a Registry,
) -> impl Iterator<Item = &'a Arc<Webhook>> {
    let webhooks = registry.webhooks_of(event.tenant, event.livemode);
    webhooks.iter().filter(|webhook| match event.audience {
        Audience::Subscribers => webhook.wants(&event.name),
        Audience::SubscribersBut(id) => webhook.settings.id != id && webhook.wants(&event.name),
        Audience::Only(id) => webhook.settings.id == id,
    })
}

fn key_for<'a>(event: &'a NewEvent, webhook: &Webhook) -> Option<&'a str> {
    match webhook.settings.ordering {
        Ordering::Object => event.ordering_key.as_deref(),
        Ordering::None => None,
    }
}

fn begin(
    webhook: &Webhook,
    parked: Option<ParkReason>,
    behind: bool,
    slots: &Slots,
    now: Timestamp,
) -> (Progress, Option<Slot>) {
    if let Some(reason) = parked {
        return (Progress::new(State::Parked { finished_at: now, reason }), None);
    }
    if behind {
        return (Progress::new(State::Queued), None);
    }
    match slots.take_now(webhook.number, webhook.max_in_flight()) {
        None => (Progress::new(State::Waiting { due_at: now }), None),
        Some(slot) => {
            let leased = Progress::new(State::Leased { lease_until: now.plus(LEASE) });
            (Progress { claim: 1, ..leased }, Some(slot))
        }
    }
}

impl Planned {
    /// The delivery as its worker needs it, and the slot that it was claimed for, if it was.
    pub(super) fn into_work(self, position: i64, event: &NewEvent) -> Option<super::Work> {
        let slot = self.slot?;
        let claimed = Claimed {
            position,
            id: self.id,
            event: event.id,
            body: event.body.clone(),
            webhook: self.webhook,
            sequence: self.sequence,
            progress: self.progress,
            ordering_key: self.ordering_key,
        };
        Some(super::Work { claimed, slot })
    }
}
