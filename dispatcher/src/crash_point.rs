//! Places between two steps where a test may kill the process, as `kill -9` would.
//!
//! Built with the feature `crash-points`, which no released binary has, the process kills itself at
//! the n-th pass of the point that [`VARIABLE`] names. Built without it, a point is nothing.

/// `name:count`, with a name of [`ALL`], and a count from 1.
pub const VARIABLE: &str = "BLUUM_HOOKS_CRASH_AT";

/// Every point: the verb, and the step behind which it stands.
pub const ALL: &[&str] = &[
    "open.leases_ended",
    "open.read",
    "commit.committed",
    "accept.settled",
    "accept.handed_over",
    "outbox.begun",
    "outbox.read",
    "outbox.sorted",
    "outbox.rejected",
    "outbox.deleted",
    "outbox.committed",
    "outbox.handed_over",
    "claim.looked",
    "claim.committed",
    "claim.handed_over",
    "park.looked",
    "park.begun",
    "park.selected",
    "park.updated",
    "park.committed",
    "send.signed",
    "send.answered",
    "send.decided",
    "record.disabled",
    "record.handed_on",
    "change.begun",
    "change.webhook_updated",
    "change.replay_begun",
    "change.written",
    "change.published",
    "change.answer_kept",
    "change.committed",
    "change.known",
    "replay.looked",
    "replay.begun",
    "replay.looked_again",
    "replay.deliveries_set",
    "replay.cursor_moved",
    "replay.committed",
    "replay.known",
    "replay_one.begun",
    "replay_one.set",
    "replay_one.answer_kept",
    "replay_one.committed",
    "forget.looked",
    "forget.begun",
    "forget.attempts_deleted",
    "forget.deliveries_deleted",
    "forget.counted",
    "forget.events_deleted",
    "forget.answers_deleted",
    "forget.committed",
];

/// Passes a point.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub fn reach(_: &str) {}

#[cfg(feature = "crash-points")]
pub use armed::{arm, reach};

#[cfg(feature = "crash-points")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    use crate::crash_point::{ALL, VARIABLE};

    static ARMED: OnceLock<(&'static str, AtomicU64)> = OnceLock::new();

    /// Takes the point from the environment. The error says what is wrong with it.
    pub fn arm() -> Result<(), String> {
        let Ok(said) = std::env::var(VARIABLE) else { return Ok(()) };
        let point = said.split_once(':').and_then(|(name, count)| {
            let name = ALL.iter().find(|known| **known == name)?;
            let count = count.parse().ok().filter(|count| *count > 0)?;
            Some((*name, AtomicU64::new(count)))
        });
        let point = point.ok_or_else(|| {
            format!("{VARIABLE} is '{said}'; write one of ALL and a count: a.b:1")
        })?;
        let _first = ARMED.set(point);
        Ok(())
    }

    /// Passes a point: for the last time, if it is the one, and the count is reached.
    pub fn reach(name: &str) {
        let Some((armed, left)) = ARMED.get() else { return };
        if *armed == name && left.fetch_sub(1, Ordering::SeqCst) == 1 {
            // SIGKILL to oneself cannot be refused.
            let _ = kill_process(getpid(), Signal::KILL);
        }
    }
}
