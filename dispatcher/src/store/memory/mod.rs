//! The store in maps behind one lock: nothing survives the process, everything else is as promised.
//!
//! This is the reference. What it answers is what every store must answer, so it is written to be
//! read: one verb a file, no index but what a scan would be too slow without.

mod accept;
mod backfill;
mod books;
mod change;
mod claim;
mod forget;
mod outbox;
mod park;
mod read;
mod record;
mod replay;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bluum_hooks_shared::id::{DeliveryId, EventId, KeyId, ReplayId, WebhookId};
use bluum_hooks_shared::time::Timestamp;

use super::{
    Advanced, Answer, Backlog, Batch, Change, Committed, DeliveryFilter, Drained, Due, EventFilter,
    Forgotten, Health, Horizon, Keep, Kept, OutboxReader, OutboxRow, Page, Registry, ReplayFilter,
    Store, StoreError, StoredAttempt, StoredDelivery, StoredEvent,
};
use crate::policy::state::ParkReason;
use crate::slots::Slots;
use books::Books;

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    books: Mutex<Books>,
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a row into the outbox, as a publisher's commit would. Its position is given to it.
    pub fn push_outbox(&self, row: OutboxRow) {
        outbox::push(&mut self.lock(), row);
    }

    /// The rows of the outbox that nobody could accept, each with the reason.
    pub fn outbox_rejected(&self) -> Vec<(OutboxRow, String)> {
        self.lock().outbox_rejected.clone()
    }

    /// As if the process had died and another had opened the store: what was claimed is due at
    /// once.
    pub fn restart(&self, now: Timestamp) {
        claim::abandon(&mut self.lock(), now);
    }

    /// Never held across an await: every verb is done before it is given back.
    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(
        &self,
        batch: Batch<'_>,
        slots: &Slots,
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        let books = &mut self.lock();
        let Batch { reports, events, answers } = batch;
        accept::check(books, events, answers, now)?;
        let (recorded, mut accepting) = record::record_all(books, reports, now);
        accepting.extend_from_slice(events);
        let accepted = accept::accept(books, &accepting, answers, slots, now)?;
        Ok(Committed { recorded, accepted })
    }

    async fn answer(
        &self,
        caller: KeyId,
        idempotency_key: &str,
        now: Timestamp,
    ) -> Result<Option<Answer>, StoreError> {
        Ok(self.lock().answer(caller, idempotency_key, now).cloned())
    }

    async fn claim_due(
        &self,
        per_webhook: usize,
        slots: &Slots,
        now: Timestamp,
    ) -> Result<Due, StoreError> {
        Ok(claim::claim_due(&mut self.lock(), per_webhook, slots, now))
    }

    async fn drain_outbox(
        &self,
        limit: usize,
        read: &OutboxReader,
        slots: &Slots,
        now: Timestamp,
    ) -> Result<Drained, StoreError> {
        outbox::drain(&mut self.lock(), limit, read, slots, now)
    }

    async fn outbox_waiting(&self) -> Result<bool, StoreError> {
        Ok(!self.lock().outbox.is_empty())
    }

    fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.lock().registry)
    }

    async fn change(
        &self,
        change: Change,
        answer: Option<Keep<Registry>>,
        now: Timestamp,
    ) -> Result<Arc<Registry>, StoreError> {
        change::change(&mut self.lock(), change, answer, now)
    }

    async fn replay(
        &self,
        id: DeliveryId,
        answer: Option<Keep<StoredDelivery>>,
        now: Timestamp,
    ) -> Result<StoredDelivery, StoreError> {
        replay::one(&mut self.lock(), id, answer, now)
    }

    async fn count_replay(
        &self,
        webhook: WebhookId,
        filter: &ReplayFilter,
    ) -> Result<i64, StoreError> {
        Ok(replay::count(&self.lock(), webhook, filter))
    }

    async fn advance_replay(
        &self,
        id: ReplayId,
        limit: usize,
        now: Timestamp,
    ) -> Result<Advanced, StoreError> {
        Ok(replay::advance(&mut self.lock(), id, limit, now))
    }

    async fn backlog(
        &self,
        webhook: WebhookId,
        after: Option<i64>,
        kept: Kept,
    ) -> Result<Backlog, StoreError> {
        Ok(park::backlog(&self.lock(), webhook, after, kept))
    }

    async fn backfill(
        &self,
        webhook: WebhookId,
        since: Timestamp,
        at_most: u32,
        seed: u128,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut books = self.lock();
        let found = books.registry.webhook(webhook).cloned().ok_or(StoreError::Declined)?;
        Ok(backfill::backfill(&mut books, &found, since, at_most, seed, now))
    }

    async fn skip(
        &self,
        webhook: WebhookId,
        up_to: i64,
        reason: ParkReason,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut books = self.lock();
        let number = books.registry.webhook_number(webhook);
        Ok(number.map_or(0, |number| park::skip(&mut books, number, up_to, reason, now)))
    }

    async fn forget(
        &self,
        after: i64,
        limit: usize,
        horizon: Horizon,
        _: Timestamp,
    ) -> Result<Forgotten, StoreError> {
        Ok(forget::forget(&mut self.lock(), after, limit, horizon))
    }

    async fn event(&self, id: EventId) -> Result<Option<StoredEvent>, StoreError> {
        Ok(self.lock().event(id).cloned())
    }

    async fn events(
        &self,
        filter: &EventFilter,
        page: Page,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        Ok(read::events(&self.lock(), filter, page))
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page,
    ) -> Result<Vec<StoredDelivery>, StoreError> {
        Ok(read::deliveries(&self.lock(), filter, page))
    }

    async fn delivery(
        &self,
        id: DeliveryId,
    ) -> Result<Option<(StoredDelivery, Vec<StoredAttempt>)>, StoreError> {
        Ok(read::delivery(&self.lock(), id))
    }

    async fn ping(&self) -> Result<Health, StoreError> {
        let outbox_rejected = self.lock().outbox_rejected.len();
        Ok(Health { outbox_rejected: i64::try_from(outbox_rejected).unwrap_or(i64::MAX) })
    }
}
