//! The engine: claim, attempt, record.
//!
//! ```text
//!   store.accept ──▶ work ──┐
//!                           ├──▶ attempt (one task each) ──▶ reports ──▶ store.record
//!   store.claim_due ────────┘            ▲                                  │
//!                                        └── the next in line, handed on ───┘
//! ```
//!
//! Three loops and no state of their own: what is owed stands in the database, what is under way is
//! bounded by the slots.

mod attempt;
mod claim;
mod record;

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::context::Context;
use crate::policy::retry::RetrySchedule;
use crate::slots::Slot;
use crate::store::{Report, Work};
use crate::transport::Transport;

/// What the engine works with.
#[derive(Debug, Clone)]
pub struct Engine {
    pub context: Context,
    pub transport: Arc<dyn Transport>,
    /// For webhooks without a schedule of their own.
    pub schedule: RetrySchedule,
}

/// A report on its way to the store, with the slot that its delivery still holds.
struct Outcome {
    report: Report,
    slot: Slot,
}

/// Where claimed deliveries are attempted, each in a task of its own.
#[derive(Clone)]
struct Attempts {
    engine: Engine,
    outcomes: mpsc::UnboundedSender<Outcome>,
    tasks: TaskTracker,
}

impl Attempts {
    fn start(&self, work: Work) {
        let engine = self.engine.clone();
        let outcomes = self.outcomes.clone();
        self.tasks.spawn(async move {
            let Work { claimed, slot } = work;
            let report = attempt::attempt(&engine, claimed).await;
            // The recorder outlives every attempt; were it gone, the lease would run out.
            let _ = outcomes.send(Outcome { report, slot });
        });
    }
}

impl Engine {
    /// Delivers until shutdown: until the senders of `work` are gone, nothing is in flight, and
    /// everything is recorded.
    pub async fn run(self, mut work: mpsc::UnboundedReceiver<Work>) {
        let (outcomes, inbox) = mpsc::unbounded_channel();
        let attempts = Attempts { engine: self, outcomes, tasks: TaskTracker::new() };
        let claimer = tokio::spawn(claim::run(attempts.clone()));
        let recorder = tokio::spawn(record::run(attempts.downgrade(), inbox));
        while let Some(claimed) = work.recv().await {
            attempts.start(claimed);
        }
        finished("claimer", claimer.await);
        attempts.tasks.close();
        attempts.tasks.wait().await;
        drop(attempts);
        finished("recorder", recorder.await);
    }

    /// Whether the next in line may have the slot of a delivery to this webhook. Not while others
    /// of the webhook wait for one, and not when stopping.
    fn hands_on(&self, webhook: i64) -> bool {
        !self.context.slots.has_backlog(webhook) && !self.context.shutdown.is_intake_stopped()
    }
}

/// [`Attempts`] as the recorder holds it: its inbox closes with the last attempt.
struct WeakAttempts {
    engine: Engine,
    outcomes: mpsc::WeakUnboundedSender<Outcome>,
    tasks: TaskTracker,
}

impl Attempts {
    fn downgrade(&self) -> WeakAttempts {
        let Self { engine, outcomes, tasks } = self.clone();
        WeakAttempts { engine, outcomes: outcomes.downgrade(), tasks }
    }
}

impl WeakAttempts {
    /// `None` once the engine takes nothing up any more.
    fn upgrade(&self) -> Option<Attempts> {
        if self.engine.context.shutdown.is_intake_stopped() {
            return None;
        }
        let outcomes = self.outcomes.upgrade()?;
        Some(Attempts { engine: self.engine.clone(), outcomes, tasks: self.tasks.clone() })
    }
}

fn finished(name: &str, outcome: Result<(), tokio::task::JoinError>) {
    if let Err(error) = outcome {
        tracing::error!(task = name, %error, "a loop of the engine died; please report this");
    }
}
