//! Where everything that must survive is kept.
//!
//! [`Store`] is the seam. Its hot path is three verbs, each one transaction over a batch: `accept`
//! writes events with the deliveries they cause, `claim_due` hands out what is due, `record` writes
//! what came of it. Tenants, keys and webhooks are few and read all the time: they live in memory
//! as a [`Registry`] snapshot and are written through.

pub mod memory;
mod plan;
mod registry;
pub mod sqlite;
mod turns;
mod types;
mod webhook;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bluum_hooks_shared::id::{DeliveryId, EventId, KeyId, WebhookId};
use bluum_hooks_shared::time::Timestamp;

pub use registry::Registry;
pub use types::*;
pub use webhook::{Change, MAX_SECRETS, TooManySecrets, Webhook, WebhookDraft, WebhookSecret};

use crate::slots::Slots;
use crate::vault::VaultError;

/// How long a claim holds. Longer than any attempt may take, so that it runs out only when its
/// holder is dead or asleep.
pub const LEASE: Duration = Duration::from_mins(3);

/// How long an answer is kept under its idempotency key.
pub const ANSWER_LIFE: Duration = Duration::from_hours(24);

/// Why the store could not do it. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database answered with an error; trying again may help.
    #[error("the database refused")]
    Database(#[from] sqlx::Error),
    /// What stands in the database is not what this program writes.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(String),
    /// A secret that cannot be sealed, or not be opened.
    #[error("the vault refused")]
    Vault(#[from] VaultError),
    /// An idempotency key that has an answer already; [`Store::answer`] has it.
    #[error("the idempotency key was used before")]
    KeyUsed,
}

/// The durable queue and its books. Every method is one transaction, or one read.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// Writes the events, one delivery per matching webhook, and their sequence numbers, all or
    /// nothing. When this returns `Ok`, they survive a crash.
    ///
    /// `answers` are kept in the same commit, for [`ANSWER_LIFE`]. If one of their keys is in use,
    /// that is the error [`StoreError::KeyUsed`].
    ///
    /// Deliveries for which there is a slot come back already claimed; the rest wait. Slots not
    /// used are given back. No events are no work, not an error.
    async fn accept(
        &self,
        events: &[NewEvent],
        answers: &[NewAnswer],
        slots: &Slots,
        now: Timestamp,
    ) -> Result<Accepted, StoreError>;

    /// The answer that was kept under this key, if it has not expired.
    async fn answer(
        &self,
        caller: KeyId,
        idempotency_key: &str,
        now: Timestamp,
    ) -> Result<Option<Answer>, StoreError>;

    /// Claims what is due, at most `per_webhook` of each webhook and no more than there are slots.
    async fn claim_due(
        &self,
        per_webhook: usize,
        slots: &Slots,
        now: Timestamp,
    ) -> Result<Due, StoreError>;

    /// Writes what came of attempts, and makes the successors of what is finished ready.
    ///
    /// One answer per report, in order. A report whose claim is no longer the delivery's changes
    /// nothing and is [`Recorded::Stale`].
    async fn record(&self, reports: &[Report], now: Timestamp)
    -> Result<Vec<Recorded>, StoreError>;

    /// Moves up to `limit` rows of the outbox into events, or into the rejected, in the order they
    /// were committed. `read` says which. The rows are deleted in the same commit.
    async fn drain_outbox(
        &self,
        limit: usize,
        read: &OutboxReader,
        slots: &Slots,
        now: Timestamp,
    ) -> Result<Drained, StoreError>;

    /// Whether there is something in the outbox. Cheap enough to ask forty times a second.
    async fn outbox_waiting(&self) -> Result<bool, StoreError>;

    /// Tenants, keys and webhooks as of now.
    fn registry(&self) -> Arc<Registry>;

    /// Adds a tenant.
    async fn add_tenant(&self, tenant: Tenant) -> Result<(), StoreError>;

    /// Adds a key.
    async fn add_key(&self, key: Key) -> Result<(), StoreError>;

    /// Makes a key useless from now on. Revoking twice is revoking once.
    async fn revoke_key(&self, id: KeyId, now: Timestamp) -> Result<(), StoreError>;

    /// Adds a webhook. It takes part in every `accept` that begins after this returns.
    async fn add_webhook(&self, draft: WebhookDraft) -> Result<Arc<Webhook>, StoreError>;

    /// Changes a webhook as it is at that moment; `None` if there is none or it was deleted.
    async fn change_webhook(
        &self,
        id: WebhookId,
        change: Change,
        now: Timestamp,
    ) -> Result<Option<Arc<Webhook>>, StoreError>;

    /// One event.
    async fn event(&self, id: EventId) -> Result<Option<StoredEvent>, StoreError>;

    /// Events in the order of their commits.
    async fn events(
        &self,
        filter: &EventFilter,
        page: Page,
    ) -> Result<Vec<StoredEvent>, StoreError>;

    /// Deliveries of one webhook, newest first, or of one event, oldest first.
    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page,
    ) -> Result<Vec<StoredDelivery>, StoreError>;

    /// One delivery, and every attempt made for it.
    async fn delivery(
        &self,
        id: DeliveryId,
    ) -> Result<Option<(StoredDelivery, Vec<StoredAttempt>)>, StoreError>;

    /// Whether the database answers, and what waits for a person.
    async fn ping(&self) -> Result<Health, StoreError>;
}
