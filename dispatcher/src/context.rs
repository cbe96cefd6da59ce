//! What the parts of a running dispatcher share.

use std::sync::Arc;
use std::time::Duration;

use bluum_hooks_shared::time::Timestamp;
use tracing::error;

use crate::bell::{Arrivals, Bell};
use crate::clock::Clock;
use crate::faults::{Fault, Faults};
use crate::listeners::Listeners;
use crate::metrics::Metrics;
use crate::random::Random;
use crate::shutdown::Shutdown;
use crate::slots::Slots;
use crate::store::{Change, Keep, Registry, Store, StoreError};
use crate::telemetry::Chain;

/// One dispatcher's store, clock, randomness, slots, bells and end. Clones are the same dispatcher.
#[derive(Debug, Clone)]
pub struct Context {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub slots: Slots,
    pub listeners: Listeners,
    pub faults: Faults,
    pub metrics: Metrics,
    /// Heard by the claimer.
    pub bell: Bell,
    /// Heard by the replayer.
    pub replays: Bell,
    /// Heard by whoever streams events.
    pub arrivals: Arrivals,
    pub shutdown: Shutdown,
}

impl Context {
    /// Makes a change, and wakes all who may have something to do with it: it may stop a webhook or
    /// start one again, begin a replay, publish a notice.
    pub async fn change(
        &self,
        change: Change,
        answer: Option<Keep<Registry>>,
        now: Timestamp,
    ) -> Result<Arc<Registry>, StoreError> {
        let edited = if let Change::EditWebhook(id, _) = &change { Some(*id) } else { None };
        let changed = self.store.change(change, answer, now).await;
        let edited = changed.as_ref().ok().and_then(|registry| registry.webhook_number(edited?));
        if let Some(webhook) = edited {
            self.slots.unlearn(webhook);
        }
        self.bell.ring();
        self.replays.ring();
        self.arrivals.tell();
        changed
    }

    /// The database refused what a loop wanted, which will try again. Of an outage the store itself
    /// tells, once.
    pub fn refused(&self, failure: &StoreError, what: &str) {
        self.metrics.fault(Fault::Database);
        if failure.outage().is_none() {
            let detail = Chain(failure).to_string();
            error!(error = detail, "{what}; trying again");
            self.faults.met(Fault::Database, &detail, self.clock.now());
        }
    }

    /// Waits so long, or until intake stops.
    pub async fn rest(&self, pause: Duration) {
        tokio::select! {
            biased;
            () = self.shutdown.intake_stopped() => {}
            () = self.clock.sleep_until(self.clock.now().plus(pause)) => {}
        }
    }

    /// Until when nothing is sent to this webhook, if it pauses.
    pub fn paused_until(&self, webhook: i64) -> Option<Timestamp> {
        let pause = self.slots.paused_until(webhook)?.saturating_sub(self.clock.monotonic());
        (!pause.is_zero()).then(|| self.clock.now().plus(pause))
    }

    /// A dispatcher that nothing has happened in, with so many slots.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        slots: usize,
    ) -> Self {
        let bell = Bell::default();
        let slots = Slots::new(slots, bell.clone());
        let shutdown = Shutdown::default();
        Self {
            listeners: Listeners::new(slots.clone(), Arc::clone(&clock), shutdown.clone()),
            store,
            clock,
            random,
            slots,
            faults: Faults::default(),
            metrics: Metrics::default(),
            bell,
            replays: Bell::default(),
            arrivals: Arrivals::default(),
            shutdown,
        }
    }
}
