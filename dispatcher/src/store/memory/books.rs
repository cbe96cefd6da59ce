//! What the store keeps, and the few ways to change it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use bluum_hooks_shared::id::{DeliveryId, EventId, KeyId, TenantId};
use bluum_hooks_shared::time::Timestamp;
use bytes::Bytes;

use crate::policy::state::{Progress, State};
use crate::store::plan::Planned;
use crate::store::{
    ANSWER_LIFE, Answer, Claimed, NewEvent, OutboxRow, Registry, StoreError, StoredAttempt,
    StoredDelivery, StoredEvent, Webhook,
};

#[derive(Debug, Default)]
pub(super) struct Books {
    pub(super) registry: Arc<Registry>,
    pub(super) last_webhook: i64,
    last_event: i64,
    last_delivery: i64,
    /// By position: in the order of commits.
    pub(super) events: BTreeMap<i64, StoredEvent>,
    event_positions: BTreeMap<EventId, i64>,
    /// The event that each idempotency key was used for.
    published: BTreeMap<(TenantId, bool, String), EventId>,
    /// By position.
    pub(super) deliveries: BTreeMap<i64, Delivery>,
    delivery_positions: BTreeMap<DeliveryId, i64>,
    /// The deliveries that are neither delivered nor parked.
    unfinished: BTreeSet<i64>,
    /// The last sequence number of each webhook.
    pub(super) sequences: HashMap<i64, i64>,
    /// By the position of their delivery, first to last.
    pub(super) attempts: BTreeMap<i64, Vec<StoredAttempt>>,
    /// First answers by caller and idempotency key, with the time from which they count.
    pub(super) answers: BTreeMap<(KeyId, String), (Answer, Timestamp)>,
    pub(super) outbox: VecDeque<OutboxRow>,
    pub(super) last_outbox: i64,
    pub(super) outbox_rejected: Vec<(OutboxRow, String)>,
}

/// A delivery with what it refers to.
#[derive(Debug)]
pub(super) struct Delivery {
    /// As it stands by itself; [`Books::shown`] has what it waits for.
    pub(super) stored: StoredDelivery,
    pub(super) webhook: i64,
    body: Bytes,
}

impl Delivery {
    /// The webhook and the key of the line that it stands in, if it stands in one.
    pub(super) fn line(&self) -> Option<(i64, String)> {
        Some((self.webhook, self.stored.ordering_key.clone()?))
    }

    pub(super) fn due_at(&self) -> Option<Timestamp> {
        self.stored.progress.state.due_at()
    }
}

/// What a database says when a row stands there already.
pub(super) fn refuse_if(conflict: bool, why: &str) -> Result<(), StoreError> {
    if conflict { Err(sqlx::Error::Protocol(why.to_owned()).into()) } else { Ok(()) }
}

impl Books {
    /// Refuses what belongs to a tenant that there is not.
    pub(super) fn tenant_exists(&self, tenant: Option<TenantId>) -> Result<(), StoreError> {
        let unknown = tenant.is_some_and(|id| self.registry.tenant(id).is_none());
        refuse_if(unknown, "there is no such tenant")
    }

    /// The answer under this key, if it has not expired.
    pub(super) fn answer(&self, caller: KeyId, key: &str, now: Timestamp) -> Option<&Answer> {
        let (answer, kept_at) = self.answers.get(&(caller, key.to_owned()))?;
        (now.since(*kept_at) < ANSWER_LIFE).then_some(answer)
    }

    pub(super) fn event(&self, id: EventId) -> Option<&StoredEvent> {
        self.events.get(self.event_positions.get(&id)?)
    }

    /// The event that was accepted with this one's idempotency key.
    pub(super) fn published_with(&self, event: &NewEvent) -> Option<&StoredEvent> {
        let key = (event.tenant, event.livemode, event.idempotency_key.clone()?);
        self.event(*self.published.get(&key)?)
    }

    pub(super) fn add_event(&mut self, event: &NewEvent, now: Timestamp) {
        self.last_event += 1;
        let position = self.last_event;
        self.event_positions.insert(event.id, position);
        if let Some(key) = event.idempotency_key.clone() {
            self.published.insert((event.tenant, event.livemode, key), event.id);
        }
        let stored = StoredEvent {
            position,
            id: event.id,
            tenant: event.tenant,
            livemode: event.livemode,
            name: event.name.clone(),
            created_at: now,
            body: event.body.clone(),
        };
        self.events.insert(position, stored);
    }

    /// Returns its position.
    pub(super) fn add_delivery(
        &mut self,
        planned: &Planned,
        event: &NewEvent,
        now: Timestamp,
    ) -> i64 {
        self.last_delivery += 1;
        let position = self.last_delivery;
        let stored = StoredDelivery {
            id: planned.id,
            event: event.id,
            event_name: event.name.clone(),
            tenant: event.tenant,
            webhook: planned.webhook.settings.id,
            livemode: event.livemode,
            sequence: planned.sequence,
            ordering_key: planned.ordering_key.clone(),
            progress: planned.progress,
            blocked_by: None,
            created_at: now,
        };
        let webhook = planned.webhook.number;
        self.sequences.insert(webhook, planned.sequence);
        self.delivery_positions.insert(planned.id, position);
        self.deliveries.insert(position, Delivery { stored, webhook, body: event.body.clone() });
        self.set_progress(position, planned.progress);
        position
    }

    pub(super) fn forget_event(&mut self, position: i64, id: EventId) {
        self.events.remove(&position);
        self.event_positions.remove(&id);
        self.published.retain(|_, event| *event != id);
    }

    pub(super) fn forget_delivery(&mut self, position: i64, id: DeliveryId) {
        self.deliveries.remove(&position);
        self.delivery_positions.remove(&id);
        self.attempts.remove(&position);
    }

    pub(super) fn set_progress(&mut self, position: i64, progress: Progress) {
        if let Some(delivery) = self.deliveries.get_mut(&position) {
            delivery.stored.progress = progress;
        }
        if progress.state.finished_at().is_none() {
            self.unfinished.insert(position);
        } else {
            self.unfinished.remove(&position);
        }
    }

    pub(super) fn delivery_position(&self, id: DeliveryId) -> Option<i64> {
        self.delivery_positions.get(&id).copied()
    }

    /// What is neither delivered nor parked, oldest first.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = (i64, &Delivery)> {
        self.unfinished.iter().filter_map(|&at| Some((at, self.deliveries.get(&at)?)))
    }

    /// A delivery as it is to be shown.
    pub(super) fn shown(&self, delivery: &Delivery) -> StoredDelivery {
        let queued = delivery.stored.progress.state == State::Queued;
        let blocked_by = queued.then(|| self.under_way(delivery)).flatten();
        StoredDelivery { blocked_by, ..delivery.stored.clone() }
    }

    /// The one under way in the line of this one.
    pub(super) fn under_way(&self, delivery: &Delivery) -> Option<DeliveryId> {
        let line = delivery.line()?;
        let mut unfinished = self.unfinished().map(|(_, other)| other);
        let ahead = unfinished.find(|other| {
            other.due_at().is_some() && other.line().is_some_and(|other| other == line)
        });
        Some(ahead?.stored.id)
    }

    /// A delivery as its worker needs it.
    pub(super) fn claimed(&self, position: i64) -> Option<Claimed> {
        let Delivery { stored, webhook, body } = self.deliveries.get(&position)?;
        let webhook: &Arc<Webhook> = self.registry.webhook_numbered(*webhook)?;
        Some(Claimed {
            position,
            id: stored.id,
            event: stored.event,
            body: body.clone(),
            webhook: Arc::clone(webhook),
            sequence: stored.sequence,
            progress: stored.progress,
            ordering_key: stored.ordering_key.clone(),
        })
    }
}
