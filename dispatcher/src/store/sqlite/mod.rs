//! The embedded default: one SQLite file, one dispatcher, one writer, readers beside it.
//!
//! Every commit is synced (`WAL`, `synchronous=FULL`). Because one dispatcher owns the file, the
//! next row numbers are known in memory, and leases left by a process that died are void at once.

mod accept;
mod answers;
mod audit;
mod claim;
mod open;
mod outbox;
mod read;
mod record;
mod registry;
mod rekey;
mod row;
mod seal;
pub mod statement;

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use bluum_hooks_shared::id::{DeliveryId, EventId, KeyId, WebhookId};
use bluum_hooks_shared::time::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};
use tokio::sync::{Mutex, MutexGuard};

pub use audit::{Audit, Books, Violation, audit};
pub use open::OpenError;
pub use rekey::{RekeyError, Rekeyed, rekey};

use super::{
    Accepted, Answer, Change, DeliveryFilter, Drained, Due, EventFilter, Health, Key, NewAnswer,
    NewEvent, OutboxReader, Page, Recorded, Registry, Report, Store, StoreError, StoredAttempt,
    StoredDelivery, StoredEvent, Tenant, Webhook, WebhookDraft,
};
use crate::slots::Slots;
use crate::vault::Vault;

/// A store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Mutex<Writer>,
    options: SqliteConnectOptions,
    outbox_watch: Mutex<outbox::Watch>,
    readers: SqlitePool,
    /// One reader for what publishing and delivering wait for: lists never stand in its way.
    hot_reader: SqlitePool,
    registry: RwLock<Arc<Registry>>,
    vault: Vault,
    /// Held for as long as the store lives; the operating system lets go when the process dies.
    _lock: File,
}

/// The one connection that writes, and the numbers it gives out next.
#[derive(Debug)]
struct Writer {
    connection: SqliteConnection,
    last_event: i64,
    last_delivery: i64,
    /// The last sequence number of each webhook that has one.
    sequences: HashMap<i64, i64>,
    /// Whether a write is under way, was dropped half-way, or failed.
    in_doubt: bool,
}

impl Writer {
    /// Says how a write ended. A refused idempotency key is an answer, not a failure.
    fn ended<T>(&mut self, outcome: &Result<T, StoreError>) {
        self.in_doubt = matches!(outcome, Err(failure) if !matches!(failure, StoreError::KeyUsed));
    }
}

impl SqliteStore {
    /// The writer, for one write, whose end is to be told with [`Writer::ended`].
    ///
    /// After a failure nobody knows what the connection still believes: on a full disk SQLite ends
    /// the transaction by itself. So it is replaced, and numbers and registry are read again.
    async fn writer(&self) -> Result<MutexGuard<'_, Writer>, StoreError> {
        let mut writer = self.writer.lock().await;
        if writer.in_doubt {
            let connection = self.options.connect().await?;
            let (fresh, registry) = open::read_all(connection, &self.vault).await?;
            *writer = fresh;
            self.set_registry(|current| *current = registry);
        }
        writer.in_doubt = true;
        Ok(writer)
    }

    /// Closes the file whole: everything is in it, and nothing beside it.
    pub async fn close(self) {
        self.readers.close().await;
        self.hot_reader.close().await;
        let watch = self.outbox_watch.into_inner().close().await;
        // The last to go puts what is in the log into the file.
        let writer = self.writer.into_inner().connection.close().await;
        for error in [watch, writer].into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "the database was not closed whole; nothing is lost");
        }
    }

    /// Adds a tenant and keys, all or nothing.
    pub async fn add_first(&self, tenant: Tenant, keys: Vec<Key>) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        let written = registry::insert_first(&mut writer.connection, &tenant, &keys).await;
        writer.ended(&written);
        written?;
        self.set_registry(|registry| {
            registry.put_tenant(tenant);
            keys.into_iter().for_each(|key| registry.put_key(key));
        });
        Ok(())
    }

    fn set_registry(&self, change: impl FnOnce(&mut Registry)) {
        let mut current = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut current));
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn accept(
        &self,
        events: &[NewEvent],
        answers: &[NewAnswer],
        slots: &Slots,
        now: Timestamp,
    ) -> Result<Accepted, StoreError> {
        let mut writer = self.writer().await?;
        let accepted =
            accept::accept(&mut writer, events, answers, &self.registry(), slots, now).await;
        writer.ended(&accepted);
        accepted
    }

    async fn answer(
        &self,
        caller: KeyId,
        idempotency_key: &str,
        now: Timestamp,
    ) -> Result<Option<Answer>, StoreError> {
        answers::find(&self.hot_reader, caller, idempotency_key, now).await
    }

    async fn claim_due(
        &self,
        per_webhook: usize,
        slots: &Slots,
        now: Timestamp,
    ) -> Result<Due, StoreError> {
        claim::claim_due(self, per_webhook, slots, now).await
    }

    async fn record(
        &self,
        reports: &[Report],
        now: Timestamp,
    ) -> Result<Vec<Recorded>, StoreError> {
        let mut writer = self.writer().await?;
        let recorded = record::record(&mut writer, reports, &self.registry(), now).await;
        writer.ended(&recorded);
        recorded
    }

    async fn drain_outbox(
        &self,
        limit: usize,
        read: &OutboxReader,
        slots: &Slots,
        now: Timestamp,
    ) -> Result<Drained, StoreError> {
        let mut writer = self.writer().await?;
        let drained = outbox::drain(&mut writer, limit, read, &self.registry(), slots, now).await;
        writer.ended(&drained);
        drained
    }

    async fn outbox_waiting(&self) -> Result<bool, StoreError> {
        self.outbox_watch.lock().await.waiting().await
    }

    fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn add_tenant(&self, tenant: Tenant) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        let written = registry::insert_tenant(&mut writer.connection, &tenant).await;
        writer.ended(&written);
        written?;
        self.set_registry(|registry| registry.put_tenant(tenant));
        Ok(())
    }

    async fn add_key(&self, key: Key) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        let written = registry::insert_key(&mut writer.connection, &key).await;
        writer.ended(&written);
        written?;
        self.set_registry(|registry| registry.put_key(key));
        Ok(())
    }

    async fn revoke_key(&self, id: KeyId, now: Timestamp) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        let written = registry::revoke_key(&mut writer.connection, id, now).await;
        writer.ended(&written);
        written?;
        self.set_registry(|registry| registry.revoke_key(id, now));
        Ok(())
    }

    async fn add_webhook(&self, draft: WebhookDraft) -> Result<Arc<Webhook>, StoreError> {
        let mut writer = self.writer().await?;
        let number = registry::insert_webhook(&mut writer.connection, &self.vault, &draft).await;
        writer.ended(&number);
        let webhook = Arc::new(Webhook::new(number?, draft));
        self.set_registry(|registry| registry.put_webhook(Arc::clone(&webhook)));
        Ok(webhook)
    }

    async fn change_webhook(
        &self,
        id: WebhookId,
        change: Change,
        now: Timestamp,
    ) -> Result<Option<Arc<Webhook>>, StoreError> {
        let mut writer = self.writer().await?;
        let Some(current) = self.registry().webhook(id).cloned() else {
            writer.ended(&Ok(()));
            return Ok(None);
        };
        let mut settings = current.settings.clone();
        change(&mut settings);
        settings.updated_at = now;
        let connection = &mut writer.connection;
        let written = registry::update_webhook(connection, &self.vault, &settings).await;
        writer.ended(&written);
        written?;
        let webhook = Arc::new(Webhook::new(current.number, settings));
        self.set_registry(|registry| registry.put_webhook(Arc::clone(&webhook)));
        Ok(Some(webhook))
    }

    async fn event(&self, id: EventId) -> Result<Option<StoredEvent>, StoreError> {
        read::event(&self.readers, id).await
    }

    async fn events(
        &self,
        filter: &EventFilter,
        page: Page,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        read::events(&self.readers, filter, page).await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page,
    ) -> Result<Vec<StoredDelivery>, StoreError> {
        read::deliveries(&self.readers, filter, page, &self.registry()).await
    }

    async fn delivery(
        &self,
        id: DeliveryId,
    ) -> Result<Option<(StoredDelivery, Vec<StoredAttempt>)>, StoreError> {
        read::delivery(&self.readers, id, &self.registry()).await
    }

    async fn ping(&self) -> Result<Health, StoreError> {
        read::health(&self.readers).await
    }
}
