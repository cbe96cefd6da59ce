//! Retention: what was delivered, or parked, long enough ago is deleted.
//!
//! A sweep walks the events from the oldest on, a few in a commit, and after each commit rests for
//! many times as long as it took; so nothing that is to be delivered ever waits for it.

use std::time::Duration;

use bluum_hooks_shared::time::Timestamp;
use tracing::info;

use crate::context::Context;
use crate::policy::retention::Ages;
use crate::store::{Forgotten, Horizon};

/// Events looked at in one commit.
const BATCH: usize = 200;
/// How much longer a rest is than the work before it.
const REST: u32 = 9;
const MIN_PAUSE: Duration = Duration::from_secs(1);
/// From the end of one sweep to the next.
const MAX_PAUSE: Duration = Duration::from_hours(1);

/// The loop that deletes.
#[derive(Debug)]
pub struct Retention {
    pub context: Context,
    pub ages: Ages,
}

impl Retention {
    /// Sweeps again and again, until intake stops.
    pub async fn run(self) {
        let shortest = self.ages.finished.min(self.ages.parked);
        let pause = (shortest / 24).clamp(MIN_PAUSE, MAX_PAUSE);
        while !self.context.shutdown.is_intake_stopped() {
            let swept = self.sweep().await;
            if swept.events + swept.deliveries > 0 {
                info!(swept.events, swept.deliveries, "deleted what is past its age");
            }
            self.context.rest(pause).await;
        }
    }

    async fn sweep(&self) -> Forgotten {
        let Context { store, clock, shutdown, .. } = &self.context;
        let horizon = horizon(self.ages, clock.now());
        let mut swept = Forgotten { next: Some(0), ..Forgotten::default() };
        while let Some(after) = swept.next
            && !shutdown.is_intake_stopped()
        {
            let began = clock.monotonic();
            match store.forget(after, BATCH, horizon, clock.now()).await {
                Ok(forgotten) => {
                    swept.events += forgotten.events;
                    swept.deliveries += forgotten.deliveries;
                    swept.next = forgotten.next;
                }
                Err(failure) => {
                    self.context.refused(&failure, "cannot delete what is old");
                    return swept;
                }
            }
            let took = clock.monotonic().saturating_sub(began);
            self.context.rest(took.saturating_mul(REST)).await;
        }
        swept
    }
}

fn horizon(ages: Ages, now: Timestamp) -> Horizon {
    Horizon { finished_before: now.minus(ages.finished), parked_before: now.minus(ages.parked) }
}
