//! One life of the dispatcher's process: the real parts on a runtime of their own, which is dropped
//! at the end as it stands.
//!
//! The driver is the runtime's main task. It hears when no other task can go on; then it does what
//! is to be done next, or lets time pass until somebody wants to be woken. A crash comes a drawn
//! number of polls after a deed, whatever the other tasks are at.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{self, Poll, Waker};
use std::time::Duration;

use bluum_hooks_dispatcher::acceptor::Acceptor;
use bluum_hooks_dispatcher::clock::Clock as _;
use bluum_hooks_dispatcher::context::Context;
use bluum_hooks_dispatcher::engine::Engine;
use bluum_hooks_dispatcher::policy::retry::RetrySchedule;
use bluum_hooks_dispatcher::replayer::Replayer;
use bluum_hooks_dispatcher::retention::Retention;
use tokio::runtime::{Builder, Handle};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::deed::{self, Deed};
use super::law;
use super::world::World;

/// Deeds and moments of rest in one life; more, and nothing comes to an end any more.
const MOST_MOMENTS: usize = 200_000;

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Crashed,
    Stopped,
    AllDelivered,
}

/// A dispatcher that runs.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) context: Context,
    /// None once it takes nothing in.
    pub(super) acceptor: Option<Acceptor>,
    tasks: Vec<JoinHandle<()>>,
}

/// Says when no task can go on, and wakes the driver.
#[derive(Debug, Clone, Default)]
struct Rest {
    reached: Arc<AtomicBool>,
    driver: Arc<Mutex<Option<Waker>>>,
}

impl Rest {
    fn reach(&self) {
        self.reached.store(true, Ordering::Relaxed);
        if let Some(driver) = self.driver.lock().unwrap().take() {
            driver.wake();
        }
    }
}

struct Driver<'a> {
    world: &'a mut World,
    process: Process,
    rest: Rest,
    /// Whether everything shall come to a good end now.
    calm: bool,
    healed_at: Duration,
    next: Deed,
    /// Polls until then, or the time.
    in_polls: usize,
    at: Duration,
    moments: usize,
}

/// Starts the process, and lets it live.
pub(super) fn life(world: &mut World, calm: bool) -> Result<Ending, String> {
    let rest = Rest::default();
    let at_rest = rest.clone();
    let runtime = Builder::new_current_thread()
        .event_interval(1)
        .on_thread_park(move || at_rest.reach())
        .build()
        .map_err(|error| error.to_string())?;
    world.store.restart(world.clock.now());
    let mut entries = world.ledger.open();
    let tick = entries.tick();
    entries.boots.push(tick);
    drop(entries);
    world.trace.note(|| if calm { "the last start" } else { "a start" });
    runtime.block_on(async {
        let process = start(world);
        let now = world.clock.monotonic();
        let healed_at = now + world.dice.micros(0..30_000_000);
        let (next, in_polls, at) = (Deed::Nothing, 0, now);
        Driver { world, process, rest, calm, healed_at, next, in_polls, at, moments: 0 }.await
    })
}

fn start(world: &World) -> Process {
    let slots = world.ledger.open().slots;
    let context = Context::new(
        world.faulty.clone(),
        Arc::new(world.clock.clone()),
        world.random.clone(),
        slots,
    );
    let (_outbox, handed_over) = mpsc::unbounded_channel();
    let engine = Engine {
        context: context.clone(),
        transport: world.receivers.clone(),
        schedule: RetrySchedule::default(),
        disable_after: world.disable_after,
        attempts_on: Handle::current(),
    };
    let (acceptor, requests) = Acceptor::new();
    let tasks = vec![
        tokio::spawn(engine.run(handed_over, requests)),
        tokio::spawn(Replayer { context: context.clone() }.run()),
        tokio::spawn(Retention { context: context.clone(), ages: world.ages }.run()),
    ];
    Process { context, acceptor: Some(acceptor), tasks }
}

impl Future for Driver<'_> {
    type Output = Result<Ending, String>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let driver = self.get_mut();
        if let Some(broken) = driver.world.ledger.open().broken.take() {
            return Poll::Ready(Err(broken));
        }
        if driver.in_polls > 0 {
            driver.in_polls -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let at_rest = driver.rest.reached.swap(false, Ordering::Relaxed);
        *driver.rest.driver.lock().unwrap() = Some(cx.waker().clone());
        match driver.go_on(at_rest) {
            Ok(None) => {
                if driver.in_polls > 0 {
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }
            Ok(Some(ending)) => Poll::Ready(Ok(ending)),
            Err(broken) => Poll::Ready(Err(broken)),
        }
    }
}

impl Driver<'_> {
    fn go_on(&mut self, at_rest: bool) -> Result<Option<Ending>, String> {
        self.moments += 1;
        if self.moments > MOST_MOMENTS {
            return Err("it does not come to an end".into());
        }
        let running = self.process.acceptor.is_some();
        let ended = self.process.tasks.iter().filter(|task| task.is_finished()).count();
        if running && ended > 0 {
            return Err(format!("{ended} parts of the dispatcher have died"));
        }
        if !running && ended == self.process.tasks.len() {
            return Ok(Some(Ending::Stopped));
        }
        if !self.calm && running && self.at <= self.world.clock.monotonic() {
            return Ok(self.act());
        }
        if !at_rest {
            return Ok(None);
        }
        if !self.world.weather.lock().unwrap().rests() {
            return Err("somebody asks the store again and again".into());
        }
        if self.calm && self.bring_to_an_end()? {
            return Ok(Some(Ending::AllDelivered));
        }
        self.let_time_pass()
    }

    /// Does what was to be done, and draws what is next.
    fn act(&mut self) -> Option<Ending> {
        let last = std::mem::replace(&mut self.next, Deed::Nothing);
        match last {
            Deed::Crash => return Some(Ending::Crashed),
            Deed::Stop(grace) => {
                self.stop(grace);
                return None;
            }
            _ => last.perform(self.world, &self.process),
        }
        self.next = deed::draw(self.world);
        let (polls, time) = deed::draw_wait(&mut self.world.dice, &last, &self.next);
        self.in_polls = polls;
        self.at = self.world.clock.monotonic() + time;
        None
    }

    /// Stops in three stages, as the daemon does.
    fn stop(&mut self, grace: Duration) {
        self.world.trace.note(|| format!("stopping, with {grace:?} of grace"));
        self.process.acceptor = None;
        let shutdown = self.process.context.shutdown.clone();
        shutdown.stop_intake();
        let over = self.world.clock.wait(grace);
        tokio::spawn(async move {
            over.await;
            shutdown.abandon();
        });
    }

    /// Without faults of our own, nothing that is due is left lying. In the end all receivers are
    /// well, and whatever was given up is replayed; returns whether everything is delivered then.
    fn bring_to_an_end(&mut self) -> Result<bool, String> {
        law::prompt(self.world, &self.process.context)?;
        if self.world.clock.monotonic() < self.healed_at {
            return Ok(false);
        }
        self.world.receivers.moods.lock().unwrap().heal();
        if law::something_is_owed(self.world) {
            return Ok(false);
        }
        let deeds = deed::amends(self.world);
        let done = deeds.is_empty();
        deeds.into_iter().for_each(|deed| deed.perform(self.world, &self.process));
        if done && self.process.context.slots.in_flight() > 0 {
            return Err("a slot is taken, and nothing is under way".into());
        }
        Ok(done)
    }

    fn let_time_pass(&mut self) -> Result<Option<Ending>, String> {
        let world = &self.world;
        let own = match (self.calm, self.process.acceptor.is_some()) {
            (true, _) => law::next_due(world).into_iter().chain([self.healed_at]).min(),
            (false, true) => Some(self.at),
            (false, false) => None,
        };
        let now = world.clock.monotonic();
        let own = own.filter(|own| *own > now);
        match world.clock.next().into_iter().chain(own).min() {
            Some(next) => {
                world.clock.pass(next);
                Ok(None)
            }
            None => Err("nothing will ever happen again".into()),
        }
    }
}
