//! Which deliveries a batch of events causes. Pure, and the same for every store.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bluum_hooks_shared::api::Ordering;
use bluum_hooks_shared::id::DeliveryId;
use bluum_hooks_shared::time::Timestamp;

use super::{Accepted, Claimed, LEASE, NewEvent, Registry, Webhook, Work};
use crate::policy::state::{Progress, State};
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
    /// The last sequence number of each webhook.
    pub(super) sequences: &'a HashMap<i64, i64>,
}

/// One delivery per event and webhook that wants it, in the order of the events. The first of each
/// line is planned as if nothing of it were under way; else it is [to wait](Planned::wait).
pub(super) fn plan(
    events: &[NewEvent],
    standing: &Standing<'_>,
    slots: &Slots,
    now: Timestamp,
) -> Vec<Planned> {
    let mut planned = Vec::with_capacity(events.len());
    let mut sequences: HashMap<i64, i64> = HashMap::new();
    let mut ahead: HashSet<(i64, &str)> = HashSet::new();
    let mut waiting = HashSet::new();
    for (place, event) in events.iter().enumerate() {
        for (index, webhook) in (1_u128..).zip(standing.registry.webhooks_for(event)) {
            let number = webhook.number;
            let last = || standing.sequences.get(&number).copied().unwrap_or(0);
            let sequence = sequences.entry(number).or_insert_with(last);
            *sequence += 1;
            let key = key_for(event, webhook);
            let parked = standing.registry.parks(webhook);
            let behind = parked.is_none() && key.is_some_and(|key| !ahead.insert((number, key)));
            let (progress, slot) = match parked {
                Some(reason) => (Progress::new(State::Parked { finished_at: now, reason }), None),
                None if behind => (Progress::new(State::Queued), None),
                None => begin(webhook, &mut waiting, slots, now),
            };
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

fn key_for<'a>(event: &'a NewEvent, webhook: &Webhook) -> Option<&'a str> {
    match webhook.settings.ordering {
        Ordering::Object => event.ordering_key.as_deref(),
        Ordering::None => None,
    }
}

/// Claimed, if there is a slot and nobody of the same webhook waits for one.
fn begin(
    webhook: &Webhook,
    waiting: &mut HashSet<i64>,
    slots: &Slots,
    now: Timestamp,
) -> (Progress, Option<Slot>) {
    let first = !waiting.contains(&webhook.number);
    let slot = first.then(|| slots.take_now(webhook.number, webhook.max_in_flight())).flatten();
    match slot {
        None => {
            waiting.insert(webhook.number);
            (Progress::new(State::Waiting { due_at: now }), None)
        }
        Some(slot) => {
            let leased = Progress::new(State::Leased { lease_until: now.plus(LEASE) });
            (Progress { claim: 1, ..leased }, Some(slot))
        }
    }
}

impl Planned {
    /// Puts it behind what is under way in its line.
    pub(super) fn wait(&mut self) {
        self.progress = Progress::new(State::Queued);
        self.slot = None;
    }

    /// Adds it to what is accepted, now that it is written, with its event at this position.
    pub(super) fn settle(
        self,
        position: i64,
        event: &NewEvent,
        slots: &Slots,
        accepted: &mut Accepted,
    ) {
        if matches!(self.progress.state, State::Waiting { .. }) {
            accepted.left_waiting = true;
            slots.set_backlog(self.webhook.number, self.webhook.max_in_flight());
        }
        let Some(slot) = self.slot else { return };
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
        accepted.work.push(Work { claimed, slot });
    }
}
