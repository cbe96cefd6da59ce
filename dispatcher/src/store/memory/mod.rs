//! The store in maps behind one lock: nothing survives the process, everything else is as promised.
//!
//! This is the reference. What it answers is what every store must answer, so it is written to be
//! read: one verb a file, no index but what a scan would be too slow without.

mod accept;
mod books;
mod claim;
mod outbox;
mod read;
mod record;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bluum_hooks_shared::id::{DeliveryId, EventId, KeyId, WebhookId};
use bluum_hooks_shared::time::Timestamp;

use super::{
    Accepted, Answer, Change, DeliveryFilter, Drained, Due, EventFilter, Health, Key, NewAnswer,
    NewEvent, OutboxReader, OutboxRow, Page, Recorded, Registry, Report, Store, StoreError,
    StoredAttempt, StoredDelivery, StoredEvent, Tenant, Webhook, WebhookDraft,
};
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
    async fn accept(
        &self,
        events: &[NewEvent],
        answers: &[NewAnswer],
        slots: &Slots,
        now: Timestamp,
    ) -> Result<Accepted, StoreError> {
        accept::accept(&mut self.lock(), events, answers, slots, now)
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

    async fn record(
        &self,
        reports: &[Report],
        now: Timestamp,
    ) -> Result<Vec<Recorded>, StoreError> {
        let mut books = self.lock();
        Ok(reports.iter().map(|report| record::record(&mut books, report, now)).collect())
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

    async fn add_tenant(&self, tenant: Tenant) -> Result<(), StoreError> {
        let mut books = self.lock();
        books::refuse_if(books.registry.tenant(tenant.id).is_some(), "the tenant exists")?;
        books.change_registry(|registry| registry.put_tenant(tenant));
        Ok(())
    }

    async fn add_key(&self, key: Key) -> Result<(), StoreError> {
        let mut books = self.lock();
        books::refuse_if(books.registry.key(key.id).is_some(), "the key exists")?;
        books.tenant_exists(key.tenant)?;
        books.change_registry(|registry| registry.put_key(key));
        Ok(())
    }

    async fn revoke_key(&self, id: KeyId, now: Timestamp) -> Result<(), StoreError> {
        self.lock().change_registry(|registry| registry.revoke_key(id, now));
        Ok(())
    }

    async fn add_webhook(&self, draft: WebhookDraft) -> Result<Arc<Webhook>, StoreError> {
        let mut books = self.lock();
        let exists = books.registry.webhook_number(draft.id).is_some();
        books::refuse_if(exists, "the webhook exists")?;
        books.tenant_exists(Some(draft.tenant))?;
        books.last_webhook += 1;
        let webhook = Arc::new(Webhook::new(books.last_webhook, draft));
        books.change_registry(|registry| registry.put_webhook(Arc::clone(&webhook)));
        Ok(webhook)
    }

    async fn change_webhook(
        &self,
        id: WebhookId,
        change: Change,
        now: Timestamp,
    ) -> Result<Option<Arc<Webhook>>, StoreError> {
        let mut books = self.lock();
        let Some(current) = books.registry.webhook(id).cloned() else {
            return Ok(None);
        };
        let mut settings = current.settings.clone();
        change(&mut settings);
        settings.updated_at = now;
        let webhook = Arc::new(Webhook::new(current.number, settings));
        books.change_registry(|registry| registry.put_webhook(Arc::clone(&webhook)));
        Ok(Some(webhook))
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
