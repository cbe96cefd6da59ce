//! The embedded default: one SQLite file, one dispatcher, one writer, readers beside it.
//!
//! Every commit is synced (`WAL`, `synchronous=FULL`). Because one dispatcher owns the file, the
//! next row numbers are known in memory, and leases left by a process that died are void at once.

mod accept;
mod answers;
mod audit;
mod backfill;
mod change;
mod claim;
mod commit;
mod forget;
mod open;
mod outbox;
mod park;
mod read;
mod record;
mod registry;
mod rekey;
mod replay;
mod row;
mod seal;
pub mod statement;
mod write;
mod write_back;

use std::fs::File;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use bluum_hooks_shared::id::{DeliveryId, EventId, KeyId, ReplayId, WebhookId};
use bluum_hooks_shared::time::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection, SqlitePool};
use tokio::sync::{Mutex, MutexGuard};
use tracing::{error, info};

use accept::Numbers;
pub use audit::{Audit, Books, Repair, Repaired, Rule, Stage, Violation, audit, repair, rules};
pub use open::OpenError;
pub use rekey::{RekeyError, Rekeyed, rekey};
use write_back::WriteBack;

use super::{
    Advanced, Answer, Backlog, Batch, Change, Committed, DeliveryFilter, Drained, Due, EventFilter,
    Forgotten, Health, Horizon, Keep, Kept, Outage, OutboxReader, Page, Registry, ReplayFilter,
    Store, StoreError, StoredAttempt, StoredDelivery, StoredEvent, failing,
};
use crate::crash_point;
use crate::policy::state::ParkReason;
use crate::slots::Slots;
use crate::telemetry::Chain;
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
    write_back: WriteBack,
    registry: RwLock<Arc<Registry>>,
    vault: Vault,
    /// Why the last write was refused, if it was for an outage.
    outage: std::sync::Mutex<Option<Outage>>,
    /// Held for as long as the store lives; the operating system lets go when the process dies.
    _lock: File,
}

/// The one connection that writes, and the numbers it gives out next.
#[derive(Debug)]
struct Writer {
    connection: SqliteConnection,
    numbers: Numbers,
    /// Whether a write is under way, was dropped half-way, or failed.
    in_doubt: bool,
}

/// The writer, for one write.
struct Writing<'a> {
    writer: MutexGuard<'a, Writer>,
    store: &'a SqliteStore,
}

impl Deref for Writing<'_> {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        &self.writer
    }
}

impl DerefMut for Writing<'_> {
    fn deref_mut(&mut self) -> &mut Writer {
        &mut self.writer
    }
}

impl Writing<'_> {
    /// Says how the write ended. What was refused for a good reason is an answer, not a failure.
    fn ended<T>(&mut self, outcome: &Result<T, StoreError>) {
        let answered = matches!(outcome, Ok(_) | Err(StoreError::KeyUsed | StoreError::Declined));
        self.in_doubt = !answered;
        self.store.write_back.written();
        match outcome {
            Ok(_) => self.store.set_outage(None, ""),
            Err(failure) => self.store.failed(failure),
        }
    }
}

impl SqliteStore {
    /// The writer, for one write, whose end is to be told with [`Writing::ended`].
    ///
    /// After a failure nobody knows what the connection still believes: on a full disk SQLite ends
    /// the transaction by itself. So it is replaced, and numbers and registry are read again.
    async fn writer(&self) -> Result<Writing<'_>, StoreError> {
        let mut writer = self.writer.lock().await;
        if writer.in_doubt {
            self.renew(&mut writer).await.inspect_err(|failure| self.failed(failure))?;
        }
        writer.in_doubt = true;
        Ok(Writing { writer, store: self })
    }

    async fn renew(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let connection = open::writing(&self.options).await?;
        let (fresh, registry) = open::read_all(connection, &self.vault).await?;
        *writer = fresh;
        self.change_registry(|current| *current = registry);
        Ok(())
    }

    /// Remembers a failure, if it is a sign of an outage.
    fn failed(&self, failure: &StoreError) {
        if let Some(outage) = failure.outage() {
            self.set_outage(Some(outage), &Chain(failure).to_string());
        }
    }

    /// The log hears of the beginning and the end, not of every write in between.
    fn set_outage(&self, now: Option<Outage>, error: &str) {
        let mut current = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        match (*current, now) {
            (before, Some(outage)) if before != now => {
                error!(error, "{outage}; {}; until then, publishers get 503", outage.advice());
            }
            (Some(_), None) => info!("the database takes writes again"),
            _ => {}
        }
        *current = now;
    }

    /// After an outage, writes something to see whether it is over, unless somebody else is at it.
    async fn probe(&self) -> Result<(), StoreError> {
        let outage = *self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(outage) = outage else { return Ok(()) };
        if self.writer.try_lock().is_err() {
            return Err(StoreError::Outage(outage));
        }
        let mut writer = self.writer().await?;
        let probed = sqlx::query(statement::PROBE).execute(&mut writer.connection).await;
        let probed = probed.map(drop).map_err(StoreError::from);
        writer.ended(&probed);
        probed
    }

    /// Closes the file whole: everything is in it, and nothing beside it.
    pub async fn close(self) {
        self.readers.close().await;
        self.hot_reader.close().await;
        let watch = self.outbox_watch.into_inner().close().await;
        let write_back = self.write_back.close().await;
        // The last to go puts what is in the log into the file.
        let writer = self.writer.into_inner().connection.close().await;
        for error in [watch, write_back, writer].into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "the database was not closed whole; nothing is lost");
        }
    }

    /// While the writer is held, so that changes are seen in the order of their commits.
    fn change_registry(&self, change: impl FnOnce(&mut Registry)) {
        let mut current = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut current));
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit(
        &self,
        batch: Batch<'_>,
        slots: &Slots,
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        let mut writer = self.writer().await?;
        let (registry, vault) = (self.registry(), &self.vault);
        let committed = commit::commit(&mut writer, batch, &registry, vault, slots, now).await;
        writer.ended(&committed);
        let (committed, changed) = committed?;
        if !changed.is_empty() {
            self.change_registry(|current| failing::put(changed, current));
        }
        Ok(committed)
    }

    async fn answer(
        &self,
        caller: KeyId,
        idempotency_key: &str,
        now: Timestamp,
    ) -> Result<Option<Answer>, StoreError> {
        answers::find(&self.hot_reader, &self.vault, caller, idempotency_key, now).await
    }

    async fn claim_due(
        &self,
        per_webhook: usize,
        slots: &Slots,
        now: Timestamp,
    ) -> Result<Due, StoreError> {
        claim::claim_due(self, per_webhook, slots, now).await
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

    async fn write_back(&self) -> Result<(), StoreError> {
        self.write_back.run().await
    }

    fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn change(
        &self,
        change: Change,
        answer: Option<Keep<Registry>>,
        now: Timestamp,
    ) -> Result<Arc<Registry>, StoreError> {
        let mut writer = self.writer().await?;
        let (registry, vault) = (self.registry(), &self.vault);
        let changed = change::change(&mut writer, vault, &registry, change, answer, now).await;
        writer.ended(&changed);
        let changed = changed?;
        self.change_registry(|current| *current = changed);
        crash_point::reach("change.known");
        // Still this one: the writer is held.
        Ok(self.registry())
    }

    async fn replay(
        &self,
        id: DeliveryId,
        answer: Option<Keep<StoredDelivery>>,
        now: Timestamp,
    ) -> Result<StoredDelivery, StoreError> {
        let mut writer = self.writer().await?;
        let replayed =
            replay::one(&mut writer, &self.vault, &self.registry(), id, answer, now).await;
        writer.ended(&replayed);
        replayed
    }

    async fn count_replay(
        &self,
        webhook: WebhookId,
        filter: &ReplayFilter,
    ) -> Result<i64, StoreError> {
        match self.registry().webhook_number(webhook) {
            Some(number) => replay::count(&self.readers, number, filter).await,
            None => Ok(0),
        }
    }

    async fn advance_replay(
        &self,
        id: ReplayId,
        limit: usize,
        now: Timestamp,
    ) -> Result<Advanced, StoreError> {
        replay::advance(self, id, limit, now).await
    }

    async fn backlog(
        &self,
        webhook: WebhookId,
        after: Option<i64>,
        kept: Kept,
    ) -> Result<Backlog, StoreError> {
        match self.registry().webhook_number(webhook) {
            Some(number) => park::backlog(self, number, after, kept).await,
            None => Ok(Backlog::default()),
        }
    }

    async fn backfill(
        &self,
        webhook: WebhookId,
        since: Timestamp,
        at_most: u32,
        seed: u128,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut writer = self.writer().await?;
        let registry = self.registry();
        let done = match registry.webhook(webhook) {
            Some(webhook) => {
                backfill::backfill(&mut writer, webhook, since, at_most, seed, now).await
            }
            None => Err(StoreError::Declined),
        };
        writer.ended(&done);
        done
    }

    async fn skip(
        &self,
        webhook: WebhookId,
        up_to: i64,
        reason: ParkReason,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        match self.registry().webhook_number(webhook) {
            Some(number) => park::skip(self, number, up_to, reason, now).await,
            None => Ok(0),
        }
    }

    async fn forget(
        &self,
        after: i64,
        limit: usize,
        horizon: Horizon,
        now: Timestamp,
    ) -> Result<Forgotten, StoreError> {
        forget::forget(self, after, limit, horizon, now).await
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
        self.probe().await?;
        read::health(&self.readers).await
    }
}
