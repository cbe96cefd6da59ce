//! Where everything that must survive is kept.
//!
//! [`Store`] is the seam. Its hot path is two verbs, each one transaction over a batch: `commit`
//! writes events with the deliveries they cause and what came of attempts, `claim_due` hands out
//! what is due. Tenants, keys and webhooks are few and read all the time: they live in memory
//! as a [`Registry`] snapshot and are written through.

mod backlog;
mod change;
mod failing;
pub mod memory;
mod outage;
mod plan;
mod registry;
mod replay;
pub mod sqlite;
mod turns;
mod types;
mod webhook;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bluum_hooks_shared::id::{DeliveryId, EventId, KeyId, ReplayId, WebhookId};
use bluum_hooks_shared::time::Timestamp;

pub use backlog::{Backlog, Gap, Kept};
pub use bluum_hooks_shared::api::ReplayStatus;
pub use change::{Change, Edit, Edited};
pub use outage::Outage;
pub use registry::Registry;
pub use replay::{Advanced, Replay, ReplayFilter};
pub use types::*;
pub use webhook::{
    DEFAULT_IN_FLIGHT, LISTENER, MAX_SECRETS, TooManySecrets, Unreadable, Webhook, WebhookDraft,
    WebhookSecret,
};

use crate::policy::state::ParkReason;
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
    /// Writes are refused, whatever they are; [`StoreError::outage`] says this of other errors too.
    #[error("{0}")]
    Outage(Outage),
    /// What stands in the database is not what this program writes.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(String),
    /// A secret that cannot be sealed, or not be opened.
    #[error("the vault refused")]
    Vault(#[from] VaultError),
    /// An idempotency key that has an answer already; [`Store::answer`] has it.
    #[error("the idempotency key was used before")]
    KeyUsed,
    /// A change that does not apply to what is there, or not any more.
    #[error("the change does not apply")]
    Declined,
}

/// The durable queue and its books. Every method is one transaction, or one read.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// Writes a batch, all or nothing: first what came of attempts, then what is accepted. When
    /// this returns `Ok`, it survives a crash.
    ///
    /// A report makes the successor of what is finished ready. One whose claim is no longer the
    /// delivery's changes nothing and is [`Recorded::Stale`].
    ///
    /// An event gets one delivery per matching webhook, and sequence numbers. Deliveries for which
    /// there is a slot come back already claimed; the rest wait. Slots not used are given back.
    ///
    /// Answers are kept for [`ANSWER_LIFE`]. If one of their keys is in use, that is the error
    /// [`StoreError::KeyUsed`].
    async fn commit(
        &self,
        batch: Batch<'_>,
        slots: &Slots,
        now: Timestamp,
    ) -> Result<Committed, StoreError>;

    /// A commit of nothing but events, and the answers to their publishers.
    async fn accept(
        &self,
        events: &[NewEvent],
        answers: &[NewAnswer],
        slots: &Slots,
        now: Timestamp,
    ) -> Result<Accepted, StoreError> {
        let batch = Batch { events, answers, ..Batch::default() };
        Ok(self.commit(batch, slots, now).await?.accepted)
    }

    /// A commit of nothing but reports. One answer for each, in order.
    async fn record(
        &self,
        reports: &[Report],
        now: Timestamp,
    ) -> Result<Vec<Recorded>, StoreError> {
        let batch = Batch { reports, ..Batch::default() };
        Ok(self.commit(batch, &Slots::none(), now).await?.recorded)
    }

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

    /// Upkeep of the database itself, if there is enough to do; nobody waits for it.
    async fn write_back(&self) -> Result<(), StoreError> {
        Ok(())
    }

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

    /// Tenants, keys, webhooks and replays as of now.
    fn registry(&self) -> Arc<Registry>;

    /// Makes a change, and returns the registry as it stands right after it. What does not apply
    /// is [`StoreError::Declined`].
    ///
    /// `answer` is kept in the same commit, as with `accept`.
    async fn change(
        &self,
        change: Change,
        answer: Option<Keep<Registry>>,
        now: Timestamp,
    ) -> Result<Arc<Registry>, StoreError>;

    /// Owes a finished delivery again, and returns it as it stands then. If there is none, if it
    /// is not finished, or if its webhook takes no deliveries: [`StoreError::Declined`].
    async fn replay(
        &self,
        id: DeliveryId,
        answer: Option<Keep<StoredDelivery>>,
        now: Timestamp,
    ) -> Result<StoredDelivery, StoreError>;

    /// How many deliveries a replay of this webhook would replay now.
    async fn count_replay(
        &self,
        webhook: WebhookId,
        filter: &ReplayFilter,
    ) -> Result<i64, StoreError>;

    /// Replays the next batch of a replay, of at most `limit`, and moves its cursor in the same
    /// commit. One that does not run does nothing.
    async fn advance_replay(
        &self,
        id: ReplayId,
        limit: usize,
        now: Timestamp,
    ) -> Result<Advanced, StoreError>;

    /// What this webhook is owed. `after`: gaps behind this sequence number.
    async fn backlog(
        &self,
        webhook: WebhookId,
        after: Option<i64>,
        kept: Kept,
    ) -> Result<Backlog, StoreError>;

    /// Owes this webhook what was accepted since then and never was owed to it, in the order of
    /// the commits. At most so many of the tenant's latest events are looked at. Returns how many.
    async fn backfill(
        &self,
        webhook: WebhookId,
        since: Timestamp,
        at_most: u32,
        seed: u128,
        now: Timestamp,
    ) -> Result<usize, StoreError>;

    /// Parks some of what this webhook is owed up to a sequence number and nobody holds; returns
    /// how many. There may be more until that is none.
    async fn skip(
        &self,
        webhook: WebhookId,
        up_to: i64,
        reason: ParkReason,
        now: Timestamp,
    ) -> Result<usize, StoreError>;

    /// Looks at the next `limit` events after a position, and deletes what is past the horizon:
    /// finished deliveries with their attempts, and events of which no delivery is left. Numbers
    /// are not given again. What is owed is never deleted.
    async fn forget(
        &self,
        after: i64,
        limit: usize,
        horizon: Horizon,
        now: Timestamp,
    ) -> Result<Forgotten, StoreError>;

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

    /// Whether the database answers and takes writes, and what waits for a person. From a write
    /// that was refused for an [`Outage`] until one succeeds it is that error; it tries one itself.
    async fn ping(&self) -> Result<Health, StoreError>;
}
