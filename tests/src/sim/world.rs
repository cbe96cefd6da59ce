//! Everything there is in a world, and the lives of its dispatcher from the first to the last.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bluum_hooks_dispatcher::clock::Clock as _;
use bluum_hooks_dispatcher::policy::retention::Ages;
use bluum_hooks_dispatcher::policy::retry::{DISABLE_AFTER, RetrySchedule};
use bluum_hooks_dispatcher::random::Random;
use bluum_hooks_dispatcher::store::memory::MemoryStore;
use bluum_hooks_dispatcher::store::{Change, Store as _, Tenant, WebhookDraft, WebhookSecret};
use bluum_hooks_shared::api::Ordering;
use bluum_hooks_shared::id::TenantId;

use super::clock::SimClock;
use super::drive::{self, Ending};
use super::history;
use super::law;
use super::ledger::{Known, Ledger};
use super::receivers::{self, Moods, Receivers};
use super::store::{FaultyStore, Weather};
use super::trace::Trace;
use crate::conformance::make;
use crate::seed::Chance;
use crate::walk::dice::Dice;

const PATTERNS: [&str; 4] = ["*", "*", "order.*", "deposit.completed"];
/// The schedules of webhooks, in seconds; short ones, so that much happens in little time.
const SCHEDULES: [&[u64]; 5] = [&[], &[2], &[1, 3], &[1, 2, 5], &[5, 1, 1, 10]];

/// The world of one seed.
#[derive(Debug)]
pub(super) struct World {
    pub(super) dice: Dice,
    pub(super) clock: SimClock,
    pub(super) trace: Trace,
    pub(super) ledger: Ledger,
    pub(super) store: Arc<MemoryStore>,
    pub(super) weather: Arc<Mutex<Weather>>,
    pub(super) faulty: Arc<FaultyStore>,
    pub(super) receivers: Arc<Receivers>,
    pub(super) random: Arc<SimRandom>,
    pub(super) tenants: Vec<TenantId>,
    pub(super) ages: Ages,
    /// A webhook that fails for so long is disabled.
    pub(super) disable_after: Duration,
    /// Whether owners ask for replays.
    pub(super) replays: bool,
    /// What is still to be done before the weather clears up.
    pub(super) deeds: usize,
}

/// Bits of the seed's choice, for ids and jitter.
#[derive(Debug)]
pub(super) struct SimRandom(Mutex<Chance>);

impl Random for SimRandom {
    fn fill(&self, buffer: &mut [u8]) {
        let mut chance = self.0.lock().unwrap();
        for part in buffer.chunks_mut(8) {
            part.copy_from_slice(&chance.bits().to_le_bytes()[..part.len()]);
        }
    }
}

/// What a memory store answers, which never waits.
pub(super) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the memory store waits for something"),
    }
}

impl World {
    pub(super) fn new(seed: u64, traced: bool) -> Self {
        let mut seeds = Chance::new(seed);
        let mut dice = || Dice(Chance::new(seeds.bits()));
        let (mut own, sky, moods) = (dice(), dice(), dice());
        let clock = SimClock::default();
        let trace = Trace::new(clock.clone(), traced);
        let (ledger, store) = (Ledger::default(), Arc::new(MemoryStore::new()));
        let weather = Arc::new(Mutex::new(Weather {
            dice: sky,
            refused: own.pick(&[0, 0, 20, 100]),
            lost: own.pick(&[0, 0, 20, 100]),
            slow: own.pick(&[0, 100, 500]),
            out_until: Duration::ZERO,
            calls: 0,
            batch: own.pick(&[1, 1, 3, 1_000]),
        }));
        let faulty = Arc::new(FaultyStore {
            inner: Arc::clone(&store),
            clock: clock.clone(),
            trace: trace.clone(),
            ledger: ledger.clone(),
            weather: Arc::clone(&weather),
        });
        let receivers = Arc::new(Receivers {
            ledger: ledger.clone(),
            clock: clock.clone(),
            trace: trace.clone(),
            store: Arc::clone(&store),
            moods: Moods::new(moods),
        });
        let random = Arc::new(SimRandom(Mutex::new(Chance::new(seeds.bits()))));
        let forgetful = own.one_in(6);
        let ages = Ages {
            finished: if forgetful { Duration::from_mins(1) } else { Ages::default().finished },
            ..Ages::default()
        };
        let disable_after = own.pick(&[DISABLE_AFTER, Duration::from_secs(15)]);
        let (replays, deeds) = (own.one_in(2), own.size(5..40));
        ledger.open().slots = own.pick(&[1, 2, 5, 100]);
        let tenants = Vec::new();
        let dice = own;
        let mut world = Self {
            dice,
            clock,
            trace,
            ledger,
            store,
            weather,
            faulty,
            receivers,
            random,
            tenants,
            ages,
            disable_after,
            replays,
            deeds,
        };
        world.settle();
        world
    }

    /// The first tenants and webhooks.
    fn settle(&mut self) {
        let now = self.clock.now();
        for _ in 0..self.dice.size(1..3) {
            let id = TenantId::new(now, self.random.bits());
            let (name, metadata) = ("a partner".into(), [].into());
            let tenant = Tenant { id, name, metadata, created_at: now };
            at_once(self.store.change(Change::AddTenant(tenant, Vec::new()), None, now)).unwrap();
            self.tenants.push(id);
        }
        for _ in 0..self.dice.size(1..5) {
            let draft = self.draft();
            at_once(self.store.change(Change::AddWebhook(draft, usize::MAX), None, now)).unwrap();
        }
        self.ledger.open().webhooks.iter_mut().for_each(|webhook| webhook.added = Some(0));
    }

    /// A webhook that is to be added, and is known from now on.
    pub(super) fn draft(&mut self) -> WebhookDraft {
        let now = self.clock.now();
        let tenant = self.dice.pick(&self.tenants);
        let mut ledger = self.ledger.open();
        let place = ledger.webhooks.len();
        let pattern = self.dice.pick(&PATTERNS);
        let in_order = !self.dice.one_in(5);
        let max_in_flight = self.dice.pick(&[1, 2, 5, 50]);
        let timeout = Duration::from_secs(self.dice.pick(&[1, 5, 30]));
        let schedule = if self.dice.one_in(40) {
            RetrySchedule::default()
        } else {
            let waits = self.dice.pick(&SCHEDULES).iter().copied();
            RetrySchedule::new(waits.map(Duration::from_secs).collect()).unwrap()
        };
        let waits = schedule.waits().to_vec();
        let draft = WebhookDraft {
            url: receivers::url(place),
            event_type_names: vec![pattern.to_owned()],
            ordering: if in_order { Ordering::Object } else { Ordering::None },
            timeout,
            retry_schedule: Some(schedule),
            max_in_flight: u32::try_from(max_in_flight).unwrap(),
            secrets: vec![WebhookSecret::new(receivers::secret(place), now)],
            ..make::webhook(tenant, self.random.bits(), now)
        };
        ledger.webhooks.push(Known {
            id: draft.id,
            tenant,
            pattern,
            in_order,
            max_in_flight,
            waits,
            added: None,
            deleted: false,
            changes: Vec::new(),
            replays: Vec::new(),
        });
        self.trace.note(|| format!("webhook {place}: {:?}", ledger.webhooks[place]));
        draft
    }

    /// From the first start of the dispatcher to the day on which everything is delivered.
    pub(super) fn live(&mut self) -> Result<(), String> {
        loop {
            let calm = self.deeds == 0;
            if calm {
                self.weather.lock().unwrap().clear_up();
            }
            let ending = drive::life(self, calm)?;
            self.trace.note(|| format!("the process has ended: {ending:?}"));
            law::stored(self, ending)?;
            if ending == Ending::AllDelivered {
                return history::hold(self);
            }
            let down = self.dice.pick(&[Duration::ZERO, Duration::from_millis(70)]);
            self.clock.pass(self.clock.monotonic() + down);
        }
    }
}
