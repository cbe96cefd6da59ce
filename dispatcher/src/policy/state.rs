//! A delivery's state, and the one function that changes it.
//!
//! ```text
//!             predecessor finished            claimed                 2xx
//!   queued ───────────────────────▶ waiting ──────────▶ leased ──────────────▶ delivered
//!                                      ▲  ▲                │ │                     │
//!                                      │  └── failed, ─────┘ │ exhausted, 410,     │
//!                                      │      given back     │ webhook stopped     │
//!                                      │                     ▼                     │
//!                                      └──── replayed ──── parked ◀─ webhook stopped
//!                                      └──── replayed ─────────────────────────────┘
//! ```
//!
//! What is replayed while another one of its line is under way is queued behind it instead.
//!
//! A lease that runs out makes a delivery claimable again, exactly like a wait that is over.

use bluum_hooks_shared::api::DeliveryStatus;
use bluum_hooks_shared::time::Timestamp;

use super::judge::Verdict;
use super::retry::{RetrySchedule, after_our_fault};

/// After so many claims in a row that ended without a word, the delivery is taken to be what
/// kills the worker, and parked. High, because a machine that crashes for its own reasons takes
/// the same innocent deliveries with it each time.
pub const MAX_LOST_CLAIMS: u32 = 100;

/// Why a delivery was given up for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParkReason {
    /// The last attempt of the schedule failed.
    Exhausted,
    /// The receiver answered 410.
    Gone,
    /// The webhook is inactive or disabled.
    Disabled,
    /// The webhook was deleted.
    Deleted,
    /// It was claimed again and again and nobody lived to tell.
    CrashesWorker,
    /// The listener went on from a later one.
    Skipped,
    /// It waited for its listener for longer than is kept, or more came after it than are.
    Expired,
}

impl ParkReason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Exhausted,
        Self::Gone,
        Self::Disabled,
        Self::Deleted,
        Self::CrashesWorker,
        Self::Skipped,
        Self::Expired,
    ];

    /// As the wire and the database have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Gone => "gone",
            Self::Disabled => "disabled",
            Self::Deleted => "deleted",
            Self::CrashesWorker => "crashes_worker",
            Self::Skipped => "skipped",
            Self::Expired => "expired",
        }
    }

    /// The reason of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// Where a delivery stands, with what belongs to standing there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Queued,
    Waiting { due_at: Timestamp },
    Leased { lease_until: Timestamp },
    Delivered { finished_at: Timestamp },
    Parked { finished_at: Timestamp, reason: ParkReason },
}

impl State {
    /// The state without its data, as the API shows it.
    pub const fn status(self) -> DeliveryStatus {
        match self {
            Self::Queued => DeliveryStatus::Queued,
            Self::Waiting { .. } => DeliveryStatus::Waiting,
            Self::Leased { .. } => DeliveryStatus::Leased,
            Self::Delivered { .. } => DeliveryStatus::Delivered,
            Self::Parked { .. } => DeliveryStatus::Parked,
        }
    }

    /// When to look at it again.
    pub const fn due_at(self) -> Option<Timestamp> {
        match self {
            Self::Waiting { due_at } => Some(due_at),
            Self::Leased { lease_until } => Some(lease_until),
            _ => None,
        }
    }

    /// When it came to rest.
    pub const fn finished_at(self) -> Option<Timestamp> {
        match self {
            Self::Delivered { finished_at } | Self::Parked { finished_at, .. } => Some(finished_at),
            _ => None,
        }
    }

    /// Why it was given up.
    pub const fn reason(self) -> Option<ParkReason> {
        match self {
            Self::Parked { reason, .. } => Some(reason),
            _ => None,
        }
    }
}

/// A delivery's state with its counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub state: State,
    /// How often it was claimed. Only rises: who holds a lower number has lost it.
    pub claim: u32,
    /// Claims in a row that ended without an outcome.
    pub lost_claims: u32,
    /// Requests made.
    pub attempts: u32,
    /// Failures of the receiver since it was queued or replayed; all that the schedule looks at.
    pub failures: u32,
}

impl Progress {
    /// A delivery that nothing has happened to.
    pub const fn new(state: State) -> Self {
        Self { state, claim: 0, lost_claims: 0, attempts: 0, failures: 0 }
    }
}

/// What can happen to a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The one before it in line was delivered or parked.
    PredecessorFinished,
    /// A worker takes it until then.
    Claimed { lease_until: Timestamp },
    /// The worker made a request, and this is what came of it.
    Attempted(Verdict),
    /// The worker puts it back untouched: shutdown, or a fault of our own.
    GivenBack,
    /// Its webhook takes no deliveries.
    WebhookStopped(ParkReason),
    /// Somebody asked for it again, or the webhook is back. `behind`: another one of its line is
    /// under way.
    Replayed { behind: bool },
}

/// The input makes no sense in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {from:?} delivery cannot take this input")]
pub struct Refused {
    /// The state it stays in.
    pub from: DeliveryStatus,
}

/// What a delivery becomes. `jitter` is in `[0, 1)`.
pub fn step(
    before: Progress,
    input: Input,
    now: Timestamp,
    schedule: &RetrySchedule,
    jitter: f64,
) -> Result<Progress, Refused> {
    let become_ = |state| Progress { state, ..before };
    let refused = Err(Refused { from: before.state.status() });
    match (before.state, input) {
        (State::Queued, Input::PredecessorFinished) => Ok(become_(State::Waiting { due_at: now })),

        (State::Waiting { due_at }, Input::Claimed { lease_until }) if due_at <= now => {
            Ok(Progress { claim: before.claim + 1, ..become_(State::Leased { lease_until }) })
        }
        (State::Leased { lease_until: lapsed }, Input::Claimed { lease_until })
            if lapsed <= now =>
        {
            Ok(claim_after_loss(before, lease_until, now))
        }

        (State::Leased { .. }, Input::Attempted(verdict)) => {
            Ok(attempted(before, verdict, now, schedule, jitter))
        }
        (State::Leased { .. }, Input::GivenBack) => {
            Ok(Progress { lost_claims: 0, ..become_(State::Waiting { due_at: now }) })
        }

        (
            State::Queued | State::Waiting { .. } | State::Leased { .. },
            Input::WebhookStopped(reason),
        ) => Ok(become_(State::Parked { finished_at: now, reason })),

        (State::Delivered { .. } | State::Parked { .. }, Input::Replayed { behind }) => {
            let state = if behind { State::Queued } else { State::Waiting { due_at: now } };
            Ok(Progress { lost_claims: 0, failures: 0, ..become_(state) })
        }

        _ => refused,
    }
}

fn claim_after_loss(before: Progress, lease_until: Timestamp, now: Timestamp) -> Progress {
    let lost_claims = before.lost_claims + 1;
    let state = if lost_claims >= MAX_LOST_CLAIMS {
        State::Parked { finished_at: now, reason: ParkReason::CrashesWorker }
    } else {
        State::Leased { lease_until }
    };
    Progress { state, claim: before.claim + 1, lost_claims, ..before }
}

fn attempted(
    before: Progress,
    verdict: Verdict,
    now: Timestamp,
    schedule: &RetrySchedule,
    jitter: f64,
) -> Progress {
    let failed = matches!(verdict, Verdict::Failed { .. } | Verdict::Gone);
    let failures = before.failures + u32::from(failed);
    let parked = |reason| State::Parked { finished_at: now, reason };
    let state = match verdict {
        Verdict::Delivered => State::Delivered { finished_at: now },
        Verdict::Gone => parked(ParkReason::Gone),
        Verdict::OurFault => State::Waiting { due_at: now.plus(after_our_fault(jitter)) },
        Verdict::Failed { not_before } => match schedule.delay(failures, jitter, not_before) {
            Some(delay) => State::Waiting { due_at: now.plus(delay) },
            None => parked(ParkReason::Exhausted),
        },
    };
    Progress { state, lost_claims: 0, attempts: before.attempts + 1, failures, ..before }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
