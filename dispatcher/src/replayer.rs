//! The replayer: takes every running replay a batch further, in turn, until none is left.
//!
//! What it does is in the way of nobody: batches are small, and after each it rests as long as the
//! batch took. How fast replayed deliveries go out is for the slots to say, as with all others.

use std::time::Duration;

use bluum_hooks_shared::id::ReplayId;
use tracing::info;

use crate::context::Context;

/// Deliveries replayed in one commit at most.
const BATCH: usize = 500;
/// How long to sleep at most, whoever rings or does not.
const SAFETY_NET: Duration = Duration::from_secs(5);
/// How long to wait after the database refused.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// The loop that replays.
#[derive(Debug)]
pub struct Replayer {
    pub context: Context,
}

impl Replayer {
    /// Replays until intake stops. What is left then goes on at the next start.
    pub async fn run(self) {
        let Context { store, clock, replays, shutdown, .. } = &self.context;
        while !shutdown.is_intake_stopped() {
            let registry = store.registry();
            let mut running: Vec<_> = registry.replays().filter(|one| one.is_running()).collect();
            // What arrives waits for releases, and for no other replay.
            running.sort_by_key(|replay| !replay.release);
            if running.is_empty() {
                tokio::select! {
                    biased;
                    () = replays.heard() => {}
                    () = clock.sleep_until(clock.now().plus(SAFETY_NET)) => {}
                    () = shutdown.intake_stopped() => {}
                }
            }
            for id in running.into_iter().map(|replay| replay.id) {
                let rest = self.advance(id).await;
                tokio::select! {
                    biased;
                    () = clock.sleep_until(clock.now().plus(rest)) => {}
                    () = shutdown.intake_stopped() => return,
                }
            }
        }
    }

    /// Replays one batch; returns how long to rest.
    async fn advance(&self, id: ReplayId) -> Duration {
        let Context { store, clock, bell, .. } = &self.context;
        let began = clock.monotonic();
        match store.advance_replay(id, BATCH, clock.now()).await {
            Ok(advanced) => {
                if advanced.replayed > 0 {
                    bell.ring();
                }
                if !advanced.running {
                    info!(replay.id = %id, "replay finished");
                }
                clock.monotonic().saturating_sub(began)
            }
            Err(failure) => {
                self.context.refused(&failure, "cannot replay");
                AFTER_ERROR
            }
        }
    }
}
