//! The engine: commit, claim, attempt.
//!
//! ```text
//!   requests ──▶ store.commit ──▶ attempt (one task each) ──▶ outcomes ──┐
//!                  ▲       store.claim_due ──▶ ▲                         │
//!                  └─────────────────────────────────────────────────────┘
//! ```
//!
//! Two loops and no state of their own: what is owed stands in the database, what is under way is
//! bounded by the slots.

mod attempt;
mod claim;
mod commit;
mod record;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{self, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tracing::error;

use commit::Committer;

use crate::acceptor::Request;
use crate::context::Context;
use crate::crash_point;
use crate::policy::retry::RetrySchedule;
use crate::slots::{Slot, Turn};
use crate::store::{Report, Webhook, Work};
use crate::transport::Transport;

/// What the engine works with.
#[derive(Debug, Clone)]
pub struct Engine {
    pub context: Context,
    pub transport: Arc<dyn Transport>,
    /// For webhooks without a schedule of their own.
    pub schedule: RetrySchedule,
    /// How long every attempt of a webhook may fail before it is disabled.
    pub disable_after: Duration,
    /// Where attempts run: not in the way of the loops, which the database waits for.
    pub attempts_on: Handle,
}

/// A report on its way to the store.
struct Outcome {
    report: Report,
    held: Held,
}

/// What a delivery holds until it is recorded.
struct Held {
    /// If a request was made.
    _turn: Option<Turn>,
    slot: Slot,
}

/// Where claimed deliveries are attempted, each in a task of its own.
#[derive(Clone)]
struct Attempts {
    engine: Arc<Engine>,
    outcomes: mpsc::UnboundedSender<Outcome>,
    tasks: TaskTracker,
    unrecorded: Unrecorded,
}

/// Set while there are outcomes that the database did not take. Nothing is claimed meanwhile: if
/// that lasts longer than their leases, it would be what they are about.
type Unrecorded = Arc<AtomicBool>;

impl Attempts {
    /// Starts them, where they run: a task that one thread makes and another ends costs both more.
    fn start(&self, work: Vec<Work>) {
        let listens = |work: &Work| work.claimed.webhook.listener().is_some();
        let (streamed, posted): (Vec<_>, Vec<_>) = work.into_iter().partition(listens);
        for work in streamed {
            // Tasks begin in any order; what goes down a stream goes in the order of the claims.
            let mut attempt = Box::pin(self.attempt(work));
            let mut nobody = task::Context::from_waker(Waker::noop());
            if attempt.as_mut().poll(&mut nobody).is_pending() {
                self.tasks.spawn_on(attempt, &self.engine.attempts_on);
            }
        }
        if !posted.is_empty() {
            let attempts = self.clone();
            let all = async move {
                for work in posted {
                    attempts.tasks.spawn(attempts.attempt(work));
                }
            };
            self.tasks.spawn_on(all, &self.engine.attempts_on);
        }
    }

    fn attempt(&self, work: Work) -> impl Future<Output = ()> + Send + use<> {
        self.engine.context.metrics.claimed();
        let (engine, outcomes) = (Arc::clone(&self.engine), self.outcomes.clone());
        async move {
            let Work { claimed, slot } = work;
            let (report, turn) = attempt::attempt(&engine, claimed, &slot).await;
            crash_point::reach("send.decided");
            // The committer outlives every attempt; were it gone, the lease would run out.
            let _ = outcomes.send(Outcome { report, held: Held { _turn: turn, slot } });
        }
    }
}

impl Engine {
    /// Accepts and delivers until shutdown: until the senders of `work` and `requests` are gone,
    /// nothing is in flight, and everything is recorded.
    ///
    /// A loop that ends before it should ends the engine: better no daemon than one that looks well
    /// and delivers nothing.
    pub async fn run(
        self,
        mut work: mpsc::UnboundedReceiver<Vec<Work>>,
        requests: mpsc::Receiver<Request>,
    ) {
        let (outcomes, inbox) = mpsc::unbounded_channel();
        let shutdown = self.context.shutdown.clone();
        let attempts = Attempts {
            engine: Arc::new(self),
            outcomes,
            tasks: TaskTracker::new(),
            unrecorded: Unrecorded::default(),
        };
        let committer = Committer {
            attempts: attempts.downgrade(),
            outcomes: inbox,
            requests,
            held_back: None,
            pending: Vec::new(),
            again_at: None,
        };
        let mut committer = tokio::spawn(committer.run());
        let mut claimer = tokio::spawn(claim::run(attempts.clone()));
        let mut claiming = true;
        loop {
            tokio::select! {
                biased;
                next = work.recv() => match next {
                    Some(work) => attempts.start(work),
                    None => break,
                },
                ended = &mut claimer, if claiming => {
                    claiming = false;
                    if !shutdown.is_intake_stopped() {
                        return died("claimer", &ended);
                    }
                }
                ended = &mut committer => return died("committer", &ended),
            }
        }
        if claiming {
            let _ = claimer.await;
        }
        attempts.tasks.close();
        attempts.tasks.wait().await;
        drop(attempts);
        if let Err(error) = committer.await {
            died("committer", &Err(error));
        }
    }

    /// Whether the slot of a delivery to this webhook may go to the next. Not when stopping.
    fn hand_on(&self, webhook: &Webhook) -> bool {
        !self.context.shutdown.is_intake_stopped()
            && self.context.slots.hand_on(webhook.number, webhook.max_in_flight())
    }
}

/// [`Attempts`] as the committer holds it: its inbox closes with the last attempt.
struct WeakAttempts {
    engine: Arc<Engine>,
    outcomes: mpsc::WeakUnboundedSender<Outcome>,
    tasks: TaskTracker,
    unrecorded: Unrecorded,
}

impl Attempts {
    fn downgrade(&self) -> WeakAttempts {
        let Self { engine, outcomes, tasks, unrecorded } = self.clone();
        WeakAttempts { engine, outcomes: outcomes.downgrade(), tasks, unrecorded }
    }
}

impl WeakAttempts {
    /// Starts them, or gives them back once the engine takes nothing up any more.
    fn start(&self, work: Vec<Work>) -> Vec<Outcome> {
        match self.upgrade() {
            Some(attempts) => {
                attempts.start(work);
                Vec::new()
            }
            None => work.into_iter().map(|work| record::give_back(&self.engine, work)).collect(),
        }
    }

    /// `None` once the engine takes nothing up any more.
    fn upgrade(&self) -> Option<Attempts> {
        if self.engine.context.shutdown.is_intake_stopped() {
            return None;
        }
        let outcomes = self.outcomes.upgrade()?;
        let (engine, tasks) = (Arc::clone(&self.engine), self.tasks.clone());
        Some(Attempts { engine, outcomes, tasks, unrecorded: Arc::clone(&self.unrecorded) })
    }
}

fn died(name: &str, ended: &Result<(), tokio::task::JoinError>) {
    error!(task = name, ?ended, "a loop of the engine died; please report this");
}
