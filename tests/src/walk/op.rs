//! What is asked next: drawn by chance, but often enough of what hurts.

use std::time::Duration;

use bluum_hooks_dispatcher::policy::judge::Verdict;
use bluum_hooks_dispatcher::policy::retry::RetrySchedule;
use bluum_hooks_dispatcher::policy::state::{Input, ParkReason};
use bluum_hooks_dispatcher::store::{
    Answer, Audience, Cursor, DeliveryFilter, EventFilter, LEASE, NewAnswer, NewEvent, OutboxRow,
    Page, Replay, ReplayFilter, WebhookDraft,
};
use bluum_hooks_shared::api::{DeliveryStatus, Ordering, WebhookStatus};
use bluum_hooks_shared::asymmetric::PrivateKey;
use bluum_hooks_shared::id::{DeliveryId, EventId, KeyId, ReplayId, TenantId, WebhookId};
use bluum_hooks_shared::time::Timestamp;

use super::dice::Dice;
use super::side::Side;
use crate::conformance::make;
use crate::conformance::world::START;

const NAMES: [&str; 4] = ["order.filled", "order.canceled", "deposit.completed", "kyc.decided"];
const PATTERNS: [&str; 5] = ["*", "*", "order.*", "transfer.deposit.completed", "kyc.decided"];
const KEYS: [Option<&str>; 5] = [None, Some("a"), Some("a"), Some("b"), Some("ü\"")];
const MAX_WEBHOOKS: usize = 9;

/// One thing asked of a store, or done around it.
#[derive(Debug, Clone)]
pub(super) enum Op {
    AddTenant(TenantId),
    AddKey(KeyId),
    AddWebhook(Box<WebhookDraft>),
    /// With the release that it may begin.
    Change(WebhookId, Setting, ReplayId),
    StartReplay(Replay),
    CancelReplay(ReplayId),
    /// A replay's next batch, of so many.
    Advance(ReplayId, usize),
    Replay(DeliveryId),
    CountReplay(WebhookId, ReplayFilter),
    Accept(Vec<NewEvent>, Vec<NewAnswer>),
    Push(OutboxRow),
    Drain(usize),
    Claim(usize),
    Record(Vec<Word>),
    /// So many workers die.
    Lose(usize),
    /// Every worker dies of what it claims, until it is given up.
    CrashLoop,
    Later(Duration),
    Reopen,
    Events(EventFilter, Page),
    Deliveries(DeliveryFilter, Page),
    Delivery(DeliveryId),
    Answer(KeyId, String),
}

/// What a worker reports.
#[derive(Debug, Clone)]
pub(super) struct Word {
    /// Its place among those that claimed something.
    pub(super) worker: usize,
    pub(super) input: Input,
    pub(super) jitter: f64,
    pub(super) hand_on: bool,
    /// It will say something again, too late.
    pub(super) again: bool,
    /// What is to be published about it.
    pub(super) notice: Option<NewEvent>,
}

/// What is changed of a webhook.
#[derive(Debug, Clone, Copy)]
pub(super) enum Setting {
    Status(WebhookStatus),
    Ordering(Ordering),
    MaxInFlight(u32),
    Subscription(&'static str),
    DeletedAt(Timestamp),
}

/// Draws the operations.
#[derive(Debug)]
pub(super) struct Plan {
    dice: Dice,
    tenants: [TenantId; 2],
    keys: [KeyId; 2],
    webhooks: Vec<WebhookId>,
    events: Vec<EventId>,
    replays: Vec<ReplayId>,
    made: u128,
}

impl Plan {
    pub(super) fn new(dice: Dice) -> Self {
        let tenants = [1, 2].map(|bits| TenantId::new(START, bits));
        // An event that there is not, so that there is always one to ask about.
        let events = vec![EventId::new(START, 0)];
        let keys = [1, 2].map(|bits| KeyId::new(START, bits));
        Self { dice, tenants, keys, webhooks: Vec::new(), events, replays: Vec::new(), made: 0 }
    }

    /// Two keys, two tenants and a few webhooks.
    pub(super) fn beginning(&mut self) -> Vec<Op> {
        let keys = self.keys.map(Op::AddKey).into_iter();
        let tenants = self.tenants.map(Op::AddTenant).into_iter();
        keys.chain(tenants).chain((0..4).map(|_| self.add_webhook(START))).collect()
    }

    pub(super) fn next(&mut self, side: &Side) -> Op {
        let now = side.world.now;
        match self.dice.count(0..1_000) {
            0..210 => Op::Accept(self.batch(now), self.answers()),
            210..370 => Op::Claim(self.dice.size(1..5)),
            370..640 => Op::Record(self.words(side)),
            640..750 => Op::Later(self.wait()),
            750..800 => Op::Push(self.row()),
            800..840 => Op::Drain(self.dice.size(1..7)),
            840..860 => Op::Lose(self.dice.size(1..6)),
            860..863 => Op::CrashLoop,
            863..869 => Op::Reopen,
            869..894 => self.change(now),
            894..897 => self.start_replay(now),
            897..900 => Op::Replay(self.dice.pick(side.deliveries())),
            900..905 if self.webhooks.len() < MAX_WEBHOOKS => self.add_webhook(now),
            900..925 => self.ask_for_events(now),
            925..950 => self.ask_for_deliveries(side),
            950..952 if !self.replays.is_empty() => Op::CancelReplay(self.dice.pick(&self.replays)),
            950..982 if !self.replays.is_empty() => self.advance(),
            950..990 => Op::Answer(self.dice.pick(&self.keys), self.idempotency_key()),
            _ => Op::Delivery(self.dice.pick(side.deliveries())),
        }
    }

    /// Bits that nobody else draws: a world's are divisible by four, the outbox's are odd.
    fn bits(&mut self) -> u128 {
        self.made += 1;
        self.made << 32 | 2
    }

    fn batch(&mut self, now: Timestamp) -> Vec<NewEvent> {
        let size = if self.dice.one_in(12) { 10..40 } else { 0..5 };
        (0..self.dice.size(size)).map(|_| self.event(now)).collect()
    }

    fn event(&mut self, now: Timestamp) -> NewEvent {
        let tenant = self.dice.pick(&self.tenants);
        let event = make::event(tenant, self.bits(), now);
        // Once in a while one that is known, which spoils the batch.
        let known = self.dice.one_in(150);
        let id = if known { self.dice.pick(&self.events) } else { event.id };
        self.events.push(id);
        let (livemode, name) = (self.dice.one_in(8), self.dice.pick(&NAMES));
        NewEvent {
            id,
            livemode,
            name: name.into(),
            body: make::body(id, livemode, name, now),
            ordering_key: self.dice.pick(&KEYS).map(str::to_owned),
            idempotency_key: self.dice.one_in(20).then(|| self.idempotency_key()),
            audience: self.audience(),
            ..event
        }
    }

    fn audience(&mut self) -> Audience {
        match self.dice.count(0..30) {
            0 => Audience::SubscribersBut(self.dice.pick(&self.webhooks)),
            1 => Audience::Only(self.dice.pick(&self.webhooks)),
            _ => Audience::Subscribers,
        }
    }

    fn idempotency_key(&mut self) -> String {
        format!("key {}", self.dice.count(0..60))
    }

    fn answers(&mut self) -> Vec<NewAnswer> {
        let count = if self.dice.one_in(6) { self.dice.size(1..3) } else { 0 };
        let answer = |_| {
            let body = self.dice.unit().to_string().into();
            let answer = Answer {
                request_sha256: "0".repeat(64),
                status: 202,
                body,
                secret: self.dice.one_in(3),
            };
            let caller = self.dice.pick(&self.keys);
            NewAnswer { caller, idempotency_key: self.idempotency_key(), answer }
        };
        (0..count).map(answer).collect()
    }

    fn row(&mut self) -> OutboxRow {
        let event = if self.dice.one_in(10) { "bad" } else { self.dice.pick(&NAMES) };
        let data = format!(r#"{{"n":{}}}"#, self.dice.count(0..2));
        let key = self.dice.one_in(2).then(|| self.idempotency_key());
        OutboxRow {
            livemode: Some(i64::from(self.dice.one_in(8))),
            ordering_key: self.dice.pick(&KEYS).map(str::to_owned),
            ..make::row(self.dice.pick(&self.tenants), event, &data, key.as_deref())
        }
    }

    fn words(&mut self, side: &Side) -> Vec<Word> {
        let workers = side.workers();
        let count = if workers == 0 { 0 } else { self.dice.size(1..6) };
        let word = |_| Word {
            worker: self.dice.size(0..workers),
            input: self.input(),
            jitter: self.dice.unit(),
            hand_on: self.dice.one_in(2),
            again: self.dice.one_in(12),
            notice: self.dice.one_in(40).then(|| self.notice(side.world.now)),
        };
        (0..count).map(word).collect()
    }

    /// An event of an id of its own: only what cannot be refused is published by the way.
    fn notice(&mut self, now: Timestamp) -> NewEvent {
        let event = make::event(self.dice.pick(&self.tenants), self.bits(), now);
        self.events.push(event.id);
        NewEvent { ordering_key: self.dice.pick(&KEYS).map(str::to_owned), ..event }
    }

    fn input(&mut self) -> Input {
        match self.dice.count(0..100) {
            0..52 => make::DELIVERED,
            52..80 => make::FAILED,
            80..84 => {
                let not_before = self.dice.micros(0..200_000_000);
                Input::Attempted(Verdict::Failed { not_before })
            }
            84..87 => make::GONE,
            _ => Input::GivenBack,
        }
    }

    fn wait(&mut self) -> Duration {
        match self.dice.count(0..20) {
            0 => LEASE,
            1 => Duration::from_hours(12),
            2..6 => self.dice.micros(1_000_000..60_000_000),
            _ => self.dice.micros(0..1_500_000),
        }
    }

    fn add_webhook(&mut self, now: Timestamp) -> Op {
        let mut draft = make::webhook(self.dice.pick(&self.tenants), self.bits(), now);
        draft.livemode = self.webhooks.len() % 4 == 3;
        draft.event_type_names = vec![self.dice.pick(&PATTERNS).into()];
        draft.max_in_flight = self.dice.count(1..5);
        if self.dice.one_in(2) {
            draft.add_private_key(PrivateKey::from_seed(&[5; 32]));
        }
        draft.ordering = if self.dice.one_in(4) { Ordering::None } else { Ordering::Object };
        let waits = [1, 5].map(Duration::from_secs).to_vec();
        draft.retry_schedule = (!self.dice.one_in(3)).then(|| RetrySchedule::new(waits).unwrap());
        self.webhooks.push(draft.id);
        Op::AddWebhook(Box::new(draft))
    }

    fn change(&mut self, now: Timestamp) -> Op {
        let webhook = self.dice.pick(&self.webhooks);
        let setting = match self.dice.count(0..20) {
            // Seldom, so that some are left to the end.
            0 if self.dice.one_in(8) => Setting::DeletedAt(now),
            0..3 => Setting::Status(WebhookStatus::Inactive),
            3..5 => Setting::Status(WebhookStatus::Disabled),
            5..13 => Setting::Status(WebhookStatus::Active),
            13..15 => Setting::Ordering(Ordering::None),
            15..17 => Setting::Ordering(Ordering::Object),
            17..19 => Setting::MaxInFlight(self.dice.count(1..5)),
            _ => Setting::Subscription(self.dice.pick(&PATTERNS)),
        };
        let release = ReplayId::new(now, self.bits());
        self.replays.push(release);
        Op::Change(webhook, setting, release)
    }

    fn filter(&mut self, now: Timestamp) -> ReplayFilter {
        let delivered = self.dice.one_in(3);
        ReplayFilter {
            delivered,
            reason: (!delivered && self.dice.one_in(3)).then_some(ParkReason::Exhausted),
            event_name: self.dice.one_in(4).then(|| self.dice.pick(&NAMES).into()),
            since: self.time(now),
            until: self.time(now),
        }
    }

    fn start_replay(&mut self, now: Timestamp) -> Op {
        let (webhook, filter) = (self.dice.pick(&self.webhooks), self.filter(now));
        if self.dice.one_in(3) {
            return Op::CountReplay(webhook, filter);
        }
        let id = ReplayId::new(now, self.bits());
        self.replays.push(id);
        let total = i64::from(self.dice.count(0..9));
        Op::StartReplay(Replay { total, ..Replay::new(id, webhook, filter, now) })
    }

    /// Seldom one that ended long ago.
    fn advance(&mut self) -> Op {
        let last = if self.dice.one_in(6) { self.replays.len() } else { 6 };
        let recent = self.replays.len().saturating_sub(last);
        Op::Advance(self.dice.pick(&self.replays[recent..]), self.dice.size(1..6))
    }

    fn page(&mut self, after: Option<Cursor>) -> Page {
        let offset = if self.dice.one_in(3) { self.dice.count(0..30) } else { 0 };
        Page { limit: self.dice.count(1..20), offset, after }
    }

    /// A time that has been, or none.
    fn time(&mut self, now: Timestamp) -> Option<Timestamp> {
        let passed = u64::try_from(now.since(START).as_micros()).unwrap_or(0);
        let since_start = self.dice.micros(0..passed + 1);
        self.dice.one_in(3).then(|| START.plus(since_start))
    }

    fn ask_for_events(&mut self, now: Timestamp) -> Op {
        let after = self.dice.pick(&self.events);
        let after = self.dice.one_in(2).then_some(Cursor::Event(after));
        let filter = EventFilter {
            tenant: self.dice.pick(&self.tenants),
            livemode: self.dice.one_in(5),
            name: self.dice.one_in(3).then(|| self.dice.pick(&NAMES).into()),
            since: self.time(now),
            until: self.time(now),
        };
        Op::Events(filter, self.page(after))
    }

    fn ask_for_deliveries(&mut self, side: &Side) -> Op {
        let now = side.world.now;
        let after = self.dice.pick(side.deliveries());
        let after = self.dice.one_in(2).then_some(Cursor::Delivery(after));
        let (event, webhook) = (self.dice.pick(&self.events), self.dice.pick(&self.webhooks));
        let of_event = self.dice.one_in(4);
        let filter = DeliveryFilter {
            webhook: (!of_event).then_some(webhook),
            event: of_event.then_some(event),
            status: self.dice.one_in(2).then(|| self.dice.pick(&DeliveryStatus::ALL)),
            event_name: self.dice.one_in(4).then(|| self.dice.pick(&NAMES).into()),
            since: self.time(now),
            until: self.time(now),
        };
        Op::Deliveries(filter, self.page(after))
    }
}
