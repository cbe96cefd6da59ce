//! One store under test, beside everything that it is handed from outside: a clock that moves when
//! it is told to, slots, ids that count.

use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bluum_hooks_dispatcher::bell::Bell;
use bluum_hooks_dispatcher::policy::judge::Verdict;
use bluum_hooks_dispatcher::policy::retry::RetrySchedule;
use bluum_hooks_dispatcher::policy::state::{Input, step};
use bluum_hooks_dispatcher::random::SystemRandom;
use bluum_hooks_dispatcher::slots::Slots;
use bluum_hooks_dispatcher::store::memory::MemoryStore;
use bluum_hooks_dispatcher::store::sqlite::{SqliteStore, Stage, Violation, audit};
use bluum_hooks_dispatcher::store::{
    Change, Claimed, DeliveryFilter, Due, Edit, Edited, NewAttempt, NewEvent, OutboxRow, Page,
    Recorded, Registry, Report, Store, StoreError, StoredDelivery, Tenant, Webhook, WebhookDraft,
    Work,
};
use bluum_hooks_dispatcher::vault::KeySource;
use bluum_hooks_shared::api::AttemptOutcome;
use bluum_hooks_shared::api::DeliveryStatus;
use bluum_hooks_shared::id::{AttemptId, TenantId};
use bluum_hooks_shared::time::Timestamp;
use tempfile::TempDir;

use super::make;

/// When every world begins.
pub const START: Timestamp = Timestamp::from_unix_seconds(1_750_000_000);
/// More than any page of these tests holds.
pub const ALL: Page = Page { limit: 100_000, offset: 0, after: None };

/// A store with its surroundings.
#[derive(Debug)]
pub struct World {
    pub now: Timestamp,
    pub slots: Slots,
    total_slots: usize,
    backing: Backing,
    made: u128,
}

#[derive(Debug)]
enum Backing {
    Memory(Box<MemoryStore>),
    Sqlite(Box<SqliteStore>, TempDir),
    /// For the instant between two processes.
    Closed,
}

impl World {
    /// With the reference store.
    pub async fn memory() -> Self {
        Self::new(Backing::Memory(Box::default()))
    }

    /// With a new SQLite file.
    pub async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&file(&directory), START).await;
        Self::new(Backing::Sqlite(Box::new(store), directory))
    }

    fn new(backing: Backing) -> Self {
        let total_slots = 100;
        let slots = Slots::new(total_slots, Bell::default());
        Self { now: START, slots, total_slots, backing, made: 0 }
    }

    pub fn store(&self) -> &dyn Store {
        match &self.backing {
            Backing::Memory(store) => &**store,
            Backing::Sqlite(store, _) => &**store,
            Backing::Closed => panic!("the store could not be opened again"),
        }
    }

    /// As if the process died and another one went on: no slot is taken in the new one.
    pub async fn reopen(&mut self) {
        self.set_slots(self.total_slots);
        self.backing = match mem::replace(&mut self.backing, Backing::Closed) {
            Backing::Sqlite(store, directory) => {
                drop(store);
                let store = open(&file(&directory), self.now).await;
                Backing::Sqlite(Box::new(store), directory)
            }
            Backing::Memory(store) => {
                store.restart(self.now);
                Backing::Memory(store)
            }
            Backing::Closed => panic!("the store could not be opened again"),
        };
    }

    /// Publishes through the outbox, as a process beside the dispatcher does.
    pub async fn push_outbox(&self, row: &OutboxRow) {
        match &self.backing {
            Backing::Memory(store) => store.push_outbox(row.clone()),
            Backing::Sqlite(_, directory) => super::beside::push(&file(directory), row).await,
            Backing::Closed => panic!("the store could not be opened again"),
        }
    }

    /// The position and the reason of every row that was rejected.
    pub async fn outbox_rejected(&self) -> Vec<(i64, String)> {
        match &self.backing {
            Backing::Memory(store) => {
                let rejected = store.outbox_rejected().into_iter();
                rejected.map(|(row, reason)| (row.position, reason)).collect()
            }
            Backing::Sqlite(_, directory) => super::beside::rejected(&file(directory)).await,
            Backing::Closed => panic!("the store could not be opened again"),
        }
    }

    /// What the daemon's own audit has to say against what is stored.
    pub async fn violations(&self) -> Vec<Violation> {
        match &self.backing {
            Backing::Sqlite(_, directory) => {
                let audit = audit(&file(directory), self.now, &Stage::default()).await;
                audit.unwrap().violations
            }
            Backing::Memory(_) | Backing::Closed => Vec::new(),
        }
    }

    pub fn later(&mut self, duration: Duration) {
        self.now = self.now.plus(duration);
    }

    /// The dispatcher gets this many slots in all.
    pub fn set_slots(&mut self, total: usize) {
        self.total_slots = total;
        self.slots = Slots::new(total, Bell::default());
    }

    /// Bits that no other call returned.
    pub fn bits(&mut self) -> u128 {
        self.made += 1;
        self.made << 32
    }

    pub async fn tenant(&mut self) -> TenantId {
        let id = TenantId::new(self.now, self.bits());
        let tenant =
            Tenant { id, name: "a partner".into(), metadata: [].into(), created_at: self.now };
        self.change_registry(Change::AddTenant(tenant, Vec::new())).await.unwrap();
        id
    }

    pub async fn change_registry(&self, change: Change) -> Result<Arc<Registry>, StoreError> {
        self.store().change(change, None, self.now).await
    }

    /// A webhook that subscribes to this pattern.
    pub async fn webhook(&mut self, tenant: TenantId, pattern: &str) -> Arc<Webhook> {
        self.webhook_with(tenant, |draft| draft.event_type_names = vec![pattern.into()]).await
    }

    pub async fn webhook_with(
        &mut self,
        tenant: TenantId,
        change: impl FnOnce(&mut WebhookDraft),
    ) -> Arc<Webhook> {
        let mut draft = make::webhook(tenant, self.bits(), self.now);
        change(&mut draft);
        let id = draft.id;
        let registry = self.change_registry(Change::AddWebhook(draft, usize::MAX)).await.unwrap();
        Arc::clone(registry.webhook(id).expect("the webhook was added"))
    }

    pub async fn change(
        &self,
        webhook: &Webhook,
        change: impl FnOnce(&mut WebhookDraft) + Send + 'static,
    ) -> Arc<Webhook> {
        let id = webhook.settings.id;
        let edit = Edit::new(|settings| {
            change(settings);
            Some(Edited::default())
        });
        let registry = self.change_registry(Change::EditWebhook(id, edit)).await.unwrap();
        let number = registry.webhook_number(id).expect("the webhook exists");
        Arc::clone(registry.webhook_numbered(number).expect("the webhook exists"))
    }

    /// An `order.filled` without an ordering key.
    pub fn event(&mut self, tenant: TenantId) -> NewEvent {
        make::event(tenant, self.bits(), self.now)
    }

    /// An `order.filled` about this object.
    pub fn event_about(&mut self, tenant: TenantId, key: &str) -> NewEvent {
        NewEvent { ordering_key: Some(key.into()), ..self.event(tenant) }
    }

    /// Accepts; returns what was claimed at once.
    pub async fn accept(&self, events: &[NewEvent]) -> Vec<Work> {
        self.try_accept(events).await.unwrap()
    }

    pub async fn try_accept(&self, events: &[NewEvent]) -> Result<Vec<Work>, StoreError> {
        Ok(self.store().accept(events, &[], &self.slots, self.now).await?.work)
    }

    /// Accepts one event for a webhook that nothing waits for, and returns its delivery.
    pub async fn accept_one(&self, event: &NewEvent) -> Work {
        let mut work = self.accept(std::slice::from_ref(event)).await;
        assert_eq!(work.len(), 1, "one delivery, claimed at once");
        work.remove(0)
    }

    pub async fn claim(&self) -> Vec<Work> {
        self.claim_due(100).await.work
    }

    pub async fn claim_due(&self, per_webhook: usize) -> Due {
        self.store().claim_due(per_webhook, &self.slots, self.now).await.unwrap()
    }

    /// What a worker says after this happened: with an attempt, if a request was made.
    pub fn report(&mut self, claimed: &Claimed, input: Input) -> Report {
        let schedule = claimed.webhook.settings.retry_schedule.clone().unwrap_or_default();
        self.report_by(claimed, input, &schedule, 0.5)
    }

    pub fn report_by(
        &mut self,
        claimed: &Claimed,
        input: Input,
        schedule: &RetrySchedule,
        jitter: f64,
    ) -> Report {
        let after = step(claimed.progress, input, self.now, schedule, jitter).unwrap();
        let made = matches!(input, Input::Attempted(_));
        let attempt = made.then(|| self.attempt(input));
        Report { claimed: claimed.clone(), after, attempt, notice: None, hand_on: false }
    }

    fn attempt(&mut self, input: Input) -> NewAttempt {
        let delivered = input == make::DELIVERED;
        let ours = input == Input::Attempted(Verdict::OurFault);
        let status = if delivered { 200 } else { 500 };
        NewAttempt {
            id: AttemptId::new(self.now, self.bits()),
            started_at: self.now,
            duration: Duration::from_micros(1_234),
            outcome: if ours {
                AttemptOutcome::OurFault
            } else {
                AttemptOutcome::of_status(status)
            },
            status: (!ours).then_some(status),
            error: (!delivered).then(|| "answered 500".into()),
            response_body: delivered.then(|| "{\"thanks\":\"ä\"}\n".into()),
        }
    }

    pub async fn record(&self, reports: &[Report]) -> Vec<Recorded> {
        self.store().record(reports, self.now).await.unwrap()
    }

    /// One report, after which the worker lets go of its slot.
    pub async fn finish(&mut self, work: Work, input: Input) -> Recorded {
        let report = self.report(&work.claimed, input);
        let mut recorded = self.record(&[report]).await;
        assert_eq!(recorded.len(), 1, "one answer per report");
        recorded.remove(0)
    }

    /// One report, whose slot goes to the next in line.
    pub async fn hand_on(&mut self, claimed: &Claimed, input: Input) -> Option<Claimed> {
        let report = Report { hand_on: true, ..self.report(claimed, input) };
        match self.record(&[report]).await.remove(0) {
            Recorded::Applied { successor } => successor,
            Recorded::Stale => panic!("the claim is gone"),
        }
    }

    /// Every delivery of a webhook, by sequence number.
    pub async fn deliveries(&self, webhook: &Webhook) -> Vec<StoredDelivery> {
        let webhook = Some(webhook.settings.id);
        let filter = DeliveryFilter { webhook, ..DeliveryFilter::default() };
        let mut deliveries = self.store().deliveries(&filter, ALL).await.unwrap();
        deliveries.reverse();
        deliveries
    }

    /// Where every delivery of a webhook stands, by sequence number.
    pub async fn statuses(&self, webhook: &Webhook) -> Vec<DeliveryStatus> {
        let deliveries = self.deliveries(webhook).await;
        deliveries.iter().map(|delivery| delivery.progress.state.status()).collect()
    }

    /// The delivery as it stands, however its worker knew it.
    pub async fn now_of(&self, claimed: &Claimed) -> StoredDelivery {
        self.store().delivery(claimed.id).await.unwrap().expect("the delivery exists").0
    }

    /// How many attempts are kept of it.
    pub async fn attempts_of(&self, claimed: &Claimed) -> usize {
        self.store().delivery(claimed.id).await.unwrap().expect("the delivery exists").1.len()
    }
}

/// Opens a SQLite file, with a key beside it.
pub async fn open(file: &Path, now: Timestamp) -> SqliteStore {
    let keys = KeySource::Ours(file.with_extension("key"));
    SqliteStore::open(file, &keys, Arc::new(SystemRandom), now).await.unwrap()
}

fn file(directory: &TempDir) -> PathBuf {
    directory.path().join("hooks.db")
}
