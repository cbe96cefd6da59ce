//! The memory store behind a connection that fails: calls that are refused, answers that are lost
//! after the deed was done, and waits before and after.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bluum_hooks_dispatcher::clock::Clock as _;
use bluum_hooks_dispatcher::policy::state::ParkReason;
use bluum_hooks_dispatcher::slots::Slots;
use bluum_hooks_dispatcher::store::memory::MemoryStore;
use bluum_hooks_dispatcher::store::{
    Advanced, Answer, Backlog, Batch, Change, Claimed, Committed, DeliveryFilter, Drained, Due,
    EventFilter, Forgotten, Health, Horizon, Keep, Kept, Outage, OutboxReader, Page, Recorded,
    Registry, ReplayFilter, Report, Store, StoreError, StoredAttempt, StoredDelivery, StoredEvent,
};
use bluum_hooks_shared::id::{DeliveryId, EventId, KeyId, ReplayId, WebhookId};
use bluum_hooks_shared::time::Timestamp;

use super::clock::SimClock;
use super::ledger::{Ledger, span};
use super::trace::Trace;
use crate::walk::dice::Dice;

/// How the store is to be reached.
#[derive(Debug)]
pub(super) struct Weather {
    pub(super) dice: Dice,
    /// Of a thousand calls, so many are refused, have their answer lost, take time.
    pub(super) refused: u32,
    pub(super) lost: u32,
    pub(super) slow: u32,
    /// Until then, everything is refused.
    pub(super) out_until: Duration,
    /// Calls since time has passed.
    pub(super) calls: usize,
    /// No batch is larger than this, so that there is something to interrupt.
    pub(super) batch: usize,
}

impl Weather {
    /// Nothing fails, and nothing takes time.
    pub(super) fn clear_up(&mut self) {
        (self.refused, self.lost, self.slow) = (0, 0, 0);
        self.out_until = Duration::ZERO;
    }

    /// Counts a call. When there are too many, nobody is answered any more, until time passes.
    fn one_too_many(&mut self) -> bool {
        self.calls += 1;
        self.calls > TOO_MANY_CALLS
    }

    /// Time passes; returns whether somebody never rested.
    pub(super) fn rests(&mut self) -> bool {
        std::mem::take(&mut self.calls) <= TOO_MANY_CALLS
    }

    fn thousandths(&mut self, count: u32) -> bool {
        self.dice.count(0..1_000) < count
    }

    fn pause(&mut self) -> Pause {
        let time = if self.thousandths(self.slow) {
            self.dice.micros(1..5_000_000)
        } else {
            Duration::ZERO
        };
        Pause { yields: self.dice.count(0..3), time }
    }
}

/// A wait in which others go on, and in which the process may die.
struct Pause {
    yields: u32,
    time: Duration,
}

/// What a dispatcher sees of the store.
#[derive(Debug)]
pub(super) struct FaultyStore {
    pub(super) inner: Arc<MemoryStore>,
    pub(super) clock: SimClock,
    pub(super) trace: Trace,
    pub(super) ledger: Ledger,
    pub(super) weather: Arc<Mutex<Weather>>,
}

/// So many calls at one instant come from a loop that never rests.
const TOO_MANY_CALLS: usize = 50_000;

fn no_answer() -> StoreError {
    sqlx::Error::Protocol("the simulated database does not answer".into()).into()
}

impl FaultyStore {
    async fn pause(&self) {
        let Pause { yields, time } = self.weather.lock().unwrap().pause();
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        if time > Duration::ZERO {
            self.clock.wait(time).await;
        }
    }

    async fn reach<T: Send>(
        &self,
        verb: &str,
        act: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.pause().await;
        if self.weather.lock().unwrap().one_too_many() {
            return std::future::pending().await;
        }
        let (refused, lost) = {
            let mut weather = self.weather.lock().unwrap();
            let (refused, lost) = (weather.refused, weather.lost);
            let out = self.clock.monotonic() < weather.out_until;
            if out {
                self.trace.note(|| format!("store is out: {verb}"));
                return Err(StoreError::Outage(Outage::Broken));
            }
            (weather.thousandths(refused), weather.thousandths(lost))
        };
        if refused {
            self.trace.note(|| format!("store refuses: {verb}"));
            return Err(no_answer());
        }
        let done = act.await;
        let outcome = if done.is_ok() { "done" } else { "declined" };
        self.trace.note(|| format!("store: {verb}: {outcome}"));
        self.pause().await;
        if lost {
            self.trace.note(|| format!("answer of the store lost: {verb}"));
            return Err(no_answer());
        }
        done
    }

    fn claimed(&self, claimed: &Claimed) {
        self.ledger.open().claims.insert(claimed.id, claimed.progress.claim);
    }

    fn batch(&self, limit: usize) -> usize {
        self.weather.lock().unwrap().batch.min(limit)
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn commit(
        &self,
        batch: Batch<'_>,
        slots: &Slots,
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        let commit = async {
            let committed = self.inner.commit(batch, slots, now).await?;
            let mut successors = Vec::new();
            for (Report { claimed, .. }, recorded) in batch.reports.iter().zip(&committed.recorded)
            {
                let Recorded::Applied { successor } = recorded else { continue };
                self.ledger.open().recorded(claimed.id, claimed.progress.claim);
                successors.extend(successor);
            }
            // What one gives back, another may have.
            successors.into_iter().for_each(|next| self.claimed(next));
            committed.accepted.work.iter().for_each(|work| self.claimed(&work.claimed));
            Ok(committed)
        };
        let outcome = self.reach("commit", commit).await;
        // Refused alone, it is given up; an outage is waited for.
        if outcome.as_ref().is_err_and(|failure| failure.outage().is_none()) {
            let attempts = batch.reports.iter().filter_map(|report| report.attempt.as_ref());
            self.ledger.open().refused.extend(attempts.map(|attempt| span(attempt.id)));
        }
        outcome
    }

    async fn answer(
        &self,
        caller: KeyId,
        idempotency_key: &str,
        now: Timestamp,
    ) -> Result<Option<Answer>, StoreError> {
        self.inner.answer(caller, idempotency_key, now).await
    }

    async fn claim_due(
        &self,
        per_webhook: usize,
        slots: &Slots,
        now: Timestamp,
    ) -> Result<Due, StoreError> {
        let claim = async {
            let due = self.inner.claim_due(self.batch(per_webhook), slots, now).await?;
            due.work.iter().for_each(|work| self.claimed(&work.claimed));
            Ok(due)
        };
        self.reach("claim", claim).await
    }

    async fn drain_outbox(
        &self,
        limit: usize,
        read: &OutboxReader,
        slots: &Slots,
        now: Timestamp,
    ) -> Result<Drained, StoreError> {
        self.inner.drain_outbox(limit, read, slots, now).await
    }

    async fn outbox_waiting(&self) -> Result<bool, StoreError> {
        self.inner.outbox_waiting().await
    }

    fn registry(&self) -> Arc<Registry> {
        self.inner.registry()
    }

    async fn change(
        &self,
        change: Change,
        answer: Option<Keep<Registry>>,
        now: Timestamp,
    ) -> Result<Arc<Registry>, StoreError> {
        self.reach("change", self.inner.change(change, answer, now)).await
    }

    async fn replay(
        &self,
        id: DeliveryId,
        answer: Option<Keep<StoredDelivery>>,
        now: Timestamp,
    ) -> Result<StoredDelivery, StoreError> {
        self.reach("replay", self.inner.replay(id, answer, now)).await
    }

    async fn count_replay(
        &self,
        webhook: WebhookId,
        filter: &ReplayFilter,
    ) -> Result<i64, StoreError> {
        self.inner.count_replay(webhook, filter).await
    }

    async fn advance_replay(
        &self,
        id: ReplayId,
        limit: usize,
        now: Timestamp,
    ) -> Result<Advanced, StoreError> {
        self.reach("advance replay", self.inner.advance_replay(id, self.batch(limit), now)).await
    }

    async fn backlog(
        &self,
        webhook: WebhookId,
        after: Option<i64>,
        kept: Kept,
    ) -> Result<Backlog, StoreError> {
        self.inner.backlog(webhook, after, kept).await
    }

    async fn backfill(
        &self,
        webhook: WebhookId,
        since: Timestamp,
        at_most: u32,
        seed: u128,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        self.inner.backfill(webhook, since, at_most, seed, now).await
    }

    async fn skip(
        &self,
        webhook: WebhookId,
        up_to: i64,
        reason: ParkReason,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        self.reach("skip", self.inner.skip(webhook, up_to, reason, now)).await
    }

    async fn forget(
        &self,
        after: i64,
        limit: usize,
        horizon: Horizon,
        now: Timestamp,
    ) -> Result<Forgotten, StoreError> {
        self.reach("forget", self.inner.forget(after, self.batch(limit), horizon, now)).await
    }

    async fn event(&self, id: EventId) -> Result<Option<StoredEvent>, StoreError> {
        self.inner.event(id).await
    }

    async fn events(
        &self,
        filter: &EventFilter,
        page: Page,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.inner.events(filter, page).await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page,
    ) -> Result<Vec<StoredDelivery>, StoreError> {
        self.inner.deliveries(filter, page).await
    }

    async fn delivery(
        &self,
        id: DeliveryId,
    ) -> Result<Option<(StoredDelivery, Vec<StoredAttempt>)>, StoreError> {
        self.inner.delivery(id).await
    }

    async fn ping(&self) -> Result<Health, StoreError> {
        self.inner.ping().await
    }
}
