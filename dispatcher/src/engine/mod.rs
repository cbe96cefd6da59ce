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
    engine: Engine,
    outcomes: mpsc::UnboundedSender<Outcome>,
    tasks: TaskTracker,
    unrecorded: Unrecorded,
}

/// Set while there are outcomes that the database did not take. Nothing is claimed meanwhile: if
/// that lasts longer than their leases, it would be what they are about.
type Unrecorded = Arc<AtomicBool>;

impl Attempts {
    fn start(&self, work: Work) {
        self.engine.context.metrics.claimed();
        let engine = self.engine.clone();
        let outcomes = self.outcomes.clone();
        let listens = work.claimed.webhook.listener().is_some();
        let mut attempt = Box::pin(async move {
            let Work { claimed, slot } = work;
            let (report, turn) = attempt::attempt(&engine, claimed, &slot).await;
            crash_point::reach("send.decided");
            // The committer outlives every attempt; were it gone, the lease would run out.
            let _ = outcomes.send(Outcome { report, held: Held { _turn: turn, slot } });
        });
        // Tasks begin in any order; what goes down a stream goes in the order of the claims.
        if listens
            && attempt.as_mut().poll(&mut task::Context::from_waker(Waker::noop())).is_ready()
        {
            return;
        }
        self.tasks.spawn_on(attempt, &self.engine.attempts_on);
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
        mut work: mpsc::UnboundedReceiver<Work>,
        requests: mpsc::Receiver<Request>,
    ) {
        let (outcomes, inbox) = mpsc::unbounded_channel();
        let shutdown = self.context.shutdown.clone();
        let attempts = Attempts {
            engine: self,
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
                    Some(claimed) => attempts.start(claimed),
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
    engine: Engine,
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
    /// `None` once the engine takes nothing up any more.
    fn upgrade(&self) -> Option<Attempts> {
        if self.engine.context.shutdown.is_intake_stopped() {
            return None;
        }
        let outcomes = self.outcomes.upgrade()?;
        let (engine, tasks) = (self.engine.clone(), self.tasks.clone());
        Some(Attempts { engine, outcomes, tasks, unrecorded: Arc::clone(&self.unrecorded) })
    }
}

fn died(name: &str, ended: &Result<(), tokio::task::JoinError>) {
    error!(task = name, ?ended, "a loop of the engine died; please report this");
}
