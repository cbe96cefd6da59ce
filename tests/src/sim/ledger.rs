//! What the outside world knows: what publishers were told, what receivers were asked, what was
//! done to webhooks. It never asks the store what should be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bluum_hooks_shared::api::AttemptOutcome;
use bluum_hooks_shared::id::{AttemptId, DeliveryId, EventId, TenantId, WebhookId};
use bluum_hooks_shared::time::Timestamp;
use bytes::Bytes;

/// An instant of the world: no two things happen at the same.
pub(super) type Tick = u64;

/// The books of the outside world; clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Entries>>);

impl Ledger {
    pub(super) fn open(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap()
    }
}

/// Everything that was seen.
#[derive(Debug, Default)]
pub(super) struct Entries {
    tick: Tick,
    /// What must not have happened, and did.
    pub(super) broken: Option<String>,
    pub(super) published: BTreeMap<EventId, Published>,
    pub(super) webhooks: Vec<Known>,
    pub(super) asked: Vec<Asked>,
    /// The requests under way.
    pub(super) open: BTreeSet<usize>,
    /// How many requests may be under way in all.
    pub(super) slots: usize,
    bodies: BTreeMap<EventId, Bytes>,
    numbered: BTreeMap<(usize, i64), EventId>,
    numbers: BTreeMap<(usize, EventId), i64>,
    /// The claim that was handed out last.
    pub(super) claims: BTreeMap<DeliveryId, u32>,
    /// The attempts of which a record was refused, by the span that their trace shows.
    pub(super) refused: BTreeSet<u64>,
    /// When the wall clock was put forward by more than a lease.
    pub(super) leaps: Vec<Tick>,
    /// When each process began.
    pub(super) boots: Vec<Tick>,
}

/// An event that somebody tried to publish.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) tenant: TenantId,
    pub(super) name: String,
    pub(super) key: Option<String>,
    pub(super) begun: Tick,
    /// When the answer came, and whether it was yes. Anything but a yes leaves it in doubt.
    pub(super) answered: Option<(Tick, bool)>,
}

/// A webhook, as its owner knows it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) id: WebhookId,
    pub(super) tenant: TenantId,
    pub(super) pattern: &'static str,
    pub(super) in_order: bool,
    pub(super) max_in_flight: usize,
    /// The schedule.
    pub(super) waits: Vec<Duration>,
    /// From when on it is there; none: it may be, or not.
    pub(super) added: Option<Tick>,
    pub(super) deleted: bool,
    /// When its status was changed: from asking until the answer, if one came.
    pub(super) changes: Vec<(Tick, Option<Tick>)>,
    /// When its owner asked for replays, and whether of what was delivered.
    pub(super) replays: Vec<(Tick, bool)>,
}

/// A request that a receiver got, or that did not get through.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) webhook: usize,
    pub(super) event: EventId,
    pub(super) sequence: i64,
    /// What the header says.
    pub(super) number: u32,
    /// The id of the attempt, as far as the trace shows it.
    pub(super) span: u64,
    pub(super) boot: usize,
    pub(super) begun: Tick,
    pub(super) wall: Timestamp,
    /// The latest that the wall clock had ever shown.
    pub(super) latest: Timestamp,
    /// None: it was cut off, and the dispatcher was told nothing.
    pub(super) end: Option<End>,
}

/// What the dispatcher was told.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) tick: Tick,
    pub(super) wall: Timestamp,
    pub(super) outcome: AttemptOutcome,
    pub(super) status: Option<u16>,
    pub(super) retry_after: Option<Duration>,
}

impl End {
    pub(super) fn is_success(&self) -> bool {
        self.outcome == AttemptOutcome::Delivered
    }

    /// Whether it uses up a retry.
    pub(super) fn is_failure(&self) -> bool {
        !self.is_success() && self.outcome != AttemptOutcome::OurFault
    }
}

impl Known {
    /// Whether it subscribes to events of this name.
    pub(super) fn wants(&self, name: &str) -> bool {
        match self.pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == self.pattern,
        }
    }

    /// Whether nobody asked for a replay before then.
    pub(super) fn plain_until(&self, tick: Tick) -> bool {
        self.replays.iter().all(|(asked, _)| *asked > tick)
    }

    /// Whether its status may have changed between these instants.
    pub(super) fn changed(&self, from: Tick, until: Tick) -> bool {
        let over = |end: Option<Tick>| end.is_some_and(|end| end < from);
        self.changes.iter().any(|(begun, end)| *begun <= until && !over(*end))
    }
}

impl Entries {
    pub(super) fn tick(&mut self) -> Tick {
        self.tick += 1;
        self.tick
    }

    /// The number of the process that runs, from 1.
    pub(super) fn boot(&self) -> usize {
        self.boots.len()
    }

    /// The events that this webhook must get: those that were accepted, by what their publisher was
    /// told or by what any receiver got, while the webhook was there.
    pub(super) fn owed(&self, webhook: usize) -> impl Iterator<Item = EventId> {
        let seen: BTreeSet<_> = self.asked.iter().map(|asked| asked.event).collect();
        let known = &self.webhooks[webhook];
        let owed = move |(id, event): (&EventId, &Published)| {
            let there = known.added.is_some_and(|added| added < event.begun) && !known.deleted;
            let wants = event.tenant == known.tenant && known.wants(&event.name);
            let accepted = event.answered.is_some_and(|(_, yes)| yes) || seen.contains(id);
            (there && wants && accepted).then_some(*id)
        };
        self.published.iter().filter_map(owed)
    }

    /// Keeps the first thing that must not have happened.
    pub(super) fn must(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds && self.broken.is_none() {
            self.broken = Some(what());
        }
    }

    /// A publisher asks for these events.
    pub(super) fn publishing(&mut self, id: EventId, event: Published, body: Bytes) {
        self.bodies.insert(id, body);
        self.published.insert(id, event);
    }

    pub(super) fn answered(&mut self, ids: &[EventId], yes: bool) {
        let tick = self.tick();
        for id in ids {
            if let Some(event) = self.published.get_mut(id) {
                event.answered = Some((tick, yes));
            }
        }
    }

    /// The store took what the holder of this claim reported.
    pub(super) fn recorded(&mut self, id: DeliveryId, claim: u32) {
        let last = self.claims.get(&id).copied();
        self.must(last == Some(claim), || format!("{id}: recorded for {claim}, held by {last:?}"));
    }

    /// A request arrives; returns its place in the books.
    pub(super) fn arrived(&mut self, asked: Asked, body: &Bytes, ours: bool) -> usize {
        let Asked { webhook, event, sequence, boot, .. } = asked;
        let other = self.numbered.insert((webhook, sequence), event);
        self.must(other.is_none_or(|other| other == event), || {
            format!("webhook {webhook}: {event} and {other:?} are both number {sequence}")
        });
        let before = self.numbers.insert((webhook, event), sequence);
        self.must(before.is_none_or(|before| before == sequence), || {
            format!("webhook {webhook}: {event} was number {before:?} and is {sequence}")
        });
        let first = self.bodies.entry(event).or_insert_with(|| body.clone());
        let same = first == body;
        self.must(same, || format!("webhook {webhook}: {event} has another body now"));
        let known = self.published.get(&event).map(|one| (one.tenant, one.name.clone()));
        let webhook_known = &self.webhooks[webhook];
        let wanted = match &known {
            Some((tenant, name)) => *tenant == webhook_known.tenant && webhook_known.wants(name),
            None => ours && webhook_known.pattern == "*",
        };
        self.must(wanted, || format!("webhook {webhook} did not subscribe to {event}: {known:?}"));
        let place = self.asked.len();
        self.open.insert(place);
        self.asked.push(asked);
        let under_way = self.open.iter().filter(|at| self.asked[**at].boot == boot).count();
        let own = self.open.iter().filter(|at| self.asked[**at].webhook == webhook).count();
        let most = self.webhooks[webhook].max_in_flight;
        let slots = self.slots;
        self.must(own <= most && under_way <= slots, || {
            format!("webhook {webhook}: {own} of {most} under way, {under_way} of {slots} in all")
        });
        place
    }
}

/// The id of an attempt, as far as its trace shows it.
pub(super) fn span(attempt: AttemptId) -> u64 {
    u64::try_from(u128::from(attempt) & u128::from(u64::MAX)).unwrap_or_default()
}
