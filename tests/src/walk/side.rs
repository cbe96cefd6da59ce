//! One store on its walk, with the workers that hold what it handed out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use bluum_hooks_dispatcher::policy::state::MAX_LOST_CLAIMS;
use bluum_hooks_dispatcher::slots::Slot;
use bluum_hooks_dispatcher::store::{
    Accepted, Audience, Change, Claimed, Cursor, Due, Edit, EventFilter, Key, LEASE, OutboxRow,
    Page, Recorded, Report, Tenant, Work,
};
use bluum_hooks_shared::api::Role;
use bluum_hooks_shared::id::{DeliveryId, EventId, TenantId, WebhookId};

use super::edit::{answered, apply, refused};
use super::op::{Op, Word};
use crate::conformance::make;
use crate::conformance::world::{START, World};

/// Few, so that they run out.
const SLOTS: usize = 7;
/// Workers that may be around, dead ones among them that will speak again.
const MAX_WORKERS: usize = 40;

/// A store, and what it must not contradict.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) world: World,
    workers: Vec<Worker>,
    /// Every delivery that was ever claimed, and one that there is not.
    deliveries: Vec<DeliveryId>,
    /// Every claim that was handed out: each must be new.
    handed_out: HashSet<(i64, u32)>,
    /// The last sequence number that was finished, by webhook and key.
    finished: BTreeMap<(i64, String), i64>,
    /// How many deliveries each webhook was accepted for.
    pub(super) owed: BTreeMap<i64, usize>,
    last_event: BTreeMap<(TenantId, bool), EventId>,
    /// For whom each event is.
    audiences: HashMap<EventId, Audience>,
    /// Webhooks of which something was replayed because somebody asked for it.
    pub(super) replayed: HashSet<WebhookId>,
}

/// Somebody who claimed a delivery.
#[derive(Debug)]
struct Worker {
    claimed: Claimed,
    /// None, if it is dead or has reported: what it says now comes late.
    slot: Option<Slot>,
}

impl Side {
    pub(super) fn new(mut world: World) -> Self {
        world.set_slots(SLOTS);
        Self {
            world,
            workers: Vec::new(),
            deliveries: vec![DeliveryId::new(START, 0)],
            handed_out: HashSet::new(),
            finished: BTreeMap::new(),
            owed: BTreeMap::new(),
            last_event: BTreeMap::new(),
            audiences: HashMap::new(),
            replayed: HashSet::new(),
        }
    }

    pub(super) fn workers(&self) -> usize {
        self.workers.len()
    }

    pub(super) fn deliveries(&self) -> &[DeliveryId] {
        &self.deliveries
    }

    /// Does it; returns what was answered, the kind of each answer before a colon.
    pub(super) async fn perform(&mut self, op: &Op) -> Vec<String> {
        let mut answers = match op {
            Op::AddTenant(_)
            | Op::AddKey(_)
            | Op::AddWebhook(_)
            | Op::Change(..)
            | Op::StartReplay(_)
            | Op::CancelReplay(_) => self.register(op).await,
            Op::Advance(..) | Op::Replay(_) | Op::CountReplay(..) => self.replay(op).await,
            Op::Accept(events, answers) => {
                let World { slots, now, .. } = &self.world;
                match self.world.store().accept(events, answers, slots, *now).await {
                    Ok(accepted) => {
                        // Not of what was refused: its ids may come again, for others.
                        self.audiences.extend(events.iter().map(|one| (one.id, one.audience)));
                        self.accepted(accepted).await
                    }
                    Err(error) => vec![refused(&error)],
                }
            }
            Op::Push(row) => {
                self.world.push_outbox(row).await;
                Vec::new()
            }
            Op::Drain(limit) => self.drain(*limit).await,
            Op::Claim(per_webhook) => self.claim(*per_webhook).await,
            Op::Record(words) => self.record(words).await,
            Op::Lose(count) => {
                let alive = self.workers.iter_mut().filter(|worker| worker.slot.is_some());
                alive.take(*count).for_each(|worker| worker.slot = None);
                Vec::new()
            }
            Op::CrashLoop => self.crash_loop().await,
            Op::Later(duration) => {
                self.world.later(*duration);
                Vec::new()
            }
            Op::Reopen => {
                self.workers.iter_mut().for_each(|worker| worker.slot = None);
                self.world.reopen().await;
                Vec::new()
            }
            Op::Events(..) | Op::Deliveries(..) | Op::Delivery(_) | Op::Answer(..) => {
                self.read(op).await
            }
        };
        self.forget_the_longest_dead();
        let mut backlogged = self.world.slots.backlogged();
        backlogged.sort_unstable();
        answers.push(format!("slots: {} {backlogged:?}", self.world.slots.in_flight()));
        answers
    }

    async fn register(&mut self, op: &Op) -> Vec<String> {
        let (store, now) = (self.world.store(), self.world.now);
        match op.clone() {
            Op::AddTenant(id) => {
                let tenant = Tenant { id, name: "T".into(), metadata: [].into(), created_at: now };
                answered(store.change(Change::AddTenant(tenant, Vec::new()), None, now).await)
            }
            Op::AddKey(id) => {
                let key = Key {
                    id,
                    role: Role::Operator,
                    tenant: None,
                    livemode: false,
                    investor_id: None,
                    name: None,
                    secret_sha256: "0".repeat(64),
                    created_at: now,
                    revoked_at: None,
                };
                answered(store.change(Change::AddKey(key, usize::MAX), None, now).await)
            }
            Op::AddWebhook(draft) => {
                let id = draft.id;
                let added =
                    store.change(Change::AddWebhook(*draft, usize::MAX), None, now).await.unwrap();
                vec![format!("webhook: {:?}", added.webhook_number(id))]
            }
            Op::Change(id, setting, release) => {
                let edit = Edit::new(move |draft| Some(apply(draft, setting, release, now)));
                answered(store.change(Change::EditWebhook(id, edit), None, now).await)
            }
            Op::StartReplay(replay) => {
                self.replayed.insert(replay.webhook);
                answered(store.change(Change::StartReplay(replay), None, now).await)
            }
            Op::CancelReplay(id) => {
                answered(store.change(Change::CancelReplay(id), None, now).await)
            }
            _ => Vec::new(),
        }
    }

    async fn replay(&mut self, op: &Op) -> Vec<String> {
        let (store, now) = (self.world.store(), self.world.now);
        match op {
            Op::Advance(id, limit) => {
                let advanced = store.advance_replay(*id, *limit, now).await.unwrap();
                let kind = if advanced.replayed > 0 { "replayed" } else { "advanced" };
                vec![format!("{kind}: {advanced:?}")]
            }
            Op::Replay(id) => match store.replay(*id, None, now).await {
                Ok(delivery) => {
                    self.replayed.insert(delivery.webhook);
                    vec![format!("replayed one: {delivery:?}")]
                }
                Err(error) => vec![refused(&error)],
            },
            Op::CountReplay(webhook, filter) => {
                let count = store.count_replay(*webhook, filter).await.unwrap();
                vec![format!("to replay: {count}")]
            }
            _ => Vec::new(),
        }
    }

    async fn accepted(&mut self, accepted: Accepted) -> Vec<String> {
        self.count_what_is_owed().await;
        let mut answers = self.start(accepted.work);
        if accepted.left_waiting {
            answers.push("left waiting".into());
        }
        answers
    }

    /// Counts the deliveries that the newest events cause, without asking for deliveries.
    async fn count_what_is_owed(&mut self) {
        let registry = self.world.store().registry();
        for tenant in registry.tenants().map(|tenant| tenant.id) {
            for livemode in [false, true] {
                let filter = EventFilter { tenant, livemode, name: None, since: None, until: None };
                let last = self.last_event.get(&(tenant, livemode));
                let after = last.map(|id| Cursor::Event(*id));
                let page = Page { limit: 1_000, offset: 0, after };
                for event in self.world.store().events(&filter, page).await.unwrap() {
                    self.last_event.insert((tenant, livemode), event.id);
                    for webhook in registry.webhooks_of(tenant, livemode) {
                        let id = webhook.settings.id;
                        let wants = match self.audiences.get(&event.id) {
                            Some(Audience::Only(only)) => *only == id,
                            Some(Audience::SubscribersBut(but)) if *but == id => false,
                            _ => webhook.wants(&event.name),
                        };
                        *self.owed.entry(webhook.number).or_default() += usize::from(wants);
                    }
                }
            }
        }
    }

    async fn drain(&mut self, limit: usize) -> Vec<String> {
        let now = self.world.now;
        let read = move |row: &OutboxRow| make::read(row, now);
        let drained = self.world.store().drain_outbox(limit, &read, &self.world.slots, now).await;
        let drained = match drained {
            Ok(drained) => drained,
            Err(error) => return vec![refused(&error)],
        };
        let mut answers = vec![format!("drained: {} {}", drained.taken, drained.rejected)];
        answers.extend(self.accepted(drained.accepted).await);
        answers.push(format!("waiting: {}", self.world.store().outbox_waiting().await.unwrap()));
        answers.push(format!("health: {:?}", self.world.store().ping().await.unwrap()));
        answers
    }

    async fn claim(&mut self, per_webhook: usize) -> Vec<String> {
        let Due { work, next_due } = self.world.claim_due(per_webhook).await;
        let mut answers = self.start(work);
        answers.push(format!("next due: {next_due:?}"));
        answers
    }

    fn start(&mut self, work: Vec<Work>) -> Vec<String> {
        let mut answers = Vec::new();
        for Work { claimed, slot } in work {
            answers.push(format!("claimed: {}", self.hand_out(&claimed)));
            self.workers.push(Worker { claimed, slot: Some(slot) });
        }
        answers
    }

    fn hand_out(&mut self, claimed: &Claimed) -> String {
        let new = self.handed_out.insert((claimed.position, claimed.progress.claim));
        assert!(new, "handed out twice: {claimed:?}");
        self.deliveries.push(claimed.id);
        let Claimed { position, id, event, webhook, sequence, progress, ordering_key, body } =
            claimed;
        let (webhook, body) = (webhook.to_api(self.world.now), String::from_utf8_lossy(body));
        format!(
            "{position} {id} {event} {sequence} {progress:?} {ordering_key:?} {webhook:?} {body}"
        )
    }

    async fn record(&mut self, words: &[Word]) -> Vec<String> {
        let mut reports = Vec::new();
        for word in words {
            let Worker { claimed, slot } = &self.workers[word.worker];
            let schedule = claimed.webhook.settings.retry_schedule.clone().unwrap_or_default();
            let hand_on = slot.is_some() && word.hand_on;
            let report = self.world.report_by(claimed, word.input, &schedule, word.jitter);
            let notice = word.notice.clone();
            reports.push(Report { hand_on, notice, ..report });
        }
        let recorded = self.world.record(&reports).await;
        assert_eq!(recorded.len(), reports.len());
        let mut answers = Vec::new();
        for ((word, report), recorded) in words.iter().zip(&reports).zip(recorded) {
            let slot = self.workers[word.worker].slot.take();
            match recorded {
                Recorded::Stale => answers.push("stale".into()),
                Recorded::Applied { successor } => {
                    self.note_order(report);
                    answers.push("applied".into());
                    if let Some(claimed) = successor {
                        assert!(report.hand_on, "nobody offered a slot");
                        answers.push(format!("handed on: {}", self.hand_out(&claimed)));
                        self.workers.push(Worker { claimed, slot });
                    }
                }
            }
        }
        self.dismiss(words);
        self.count_what_is_owed().await;
        answers
    }

    /// Deliveries of one key finish in the order accepted, as long as nobody asks for a replay.
    fn note_order(&mut self, report: &Report) {
        let claimed = &report.claimed;
        if self.replayed.contains(&claimed.webhook.settings.id) {
            return;
        }
        if let (Some(key), Some(_)) = (&claimed.ordering_key, report.after.state.finished_at()) {
            let line = (claimed.webhook.number, key.clone());
            let before = self.finished.insert(line, claimed.sequence).unwrap_or(0);
            assert!(before < claimed.sequence, "{} finished after {before}", claimed.sequence);
        }
    }

    /// Those who spoke go, but for those who will speak again.
    fn dismiss(&mut self, words: &[Word]) {
        let mut gone: Vec<_> =
            words.iter().filter(|word| !word.again).map(|word| word.worker).collect();
        gone.sort_unstable();
        gone.dedup();
        for place in gone.into_iter().rev() {
            self.workers.remove(place);
        }
    }

    async fn crash_loop(&mut self) -> Vec<String> {
        let mut answers = Vec::new();
        for _ in 0..=MAX_LOST_CLAIMS {
            self.workers.iter_mut().for_each(|worker| worker.slot = None);
            self.world.later(LEASE + Duration::from_secs(1));
            answers.extend(self.claim(2).await);
        }
        answers
    }

    async fn read(&self, op: &Op) -> Vec<String> {
        let store = self.world.store();
        match op {
            Op::Events(filter, page) => {
                let events = store.events(filter, *page).await.unwrap();
                events.iter().map(|event| format!("event: {event:?}")).collect()
            }
            Op::Deliveries(filter, page) => {
                let deliveries = store.deliveries(filter, *page).await.unwrap();
                deliveries.iter().map(|delivery| format!("delivery: {delivery:?}")).collect()
            }
            Op::Delivery(id) => {
                let delivery = store.delivery(*id).await.unwrap();
                vec![format!("one delivery: {delivery:?}")]
            }
            Op::Answer(caller, key) => {
                let answer = store.answer(*caller, key, self.world.now).await.unwrap();
                vec![format!("answer: {answer:?}")]
            }
            _ => Vec::new(),
        }
    }

    fn forget_the_longest_dead(&mut self) {
        while self.workers.len() > MAX_WORKERS {
            let Some(dead) = self.workers.iter().position(|worker| worker.slot.is_none()) else {
                return;
            };
            self.workers.remove(dead);
        }
    }
}
