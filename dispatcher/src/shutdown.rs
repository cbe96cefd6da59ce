//! Stopping in three stages: take nothing in, finish what is in flight, give the rest back.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How long what is in flight may take to finish, if nothing else is configured.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// The stages as two latches, each set once.
///
/// Stage one (`stop_intake`): no request is accepted and nothing more is claimed. Stage two is the
/// grace period in between. Stage three (`abandon`): attempts still under way are dropped, and
/// their deliveries are given back without counting a failure.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    intake: CancellationToken,
    in_flight: CancellationToken,
}

impl Shutdown {
    /// Begins stage one.
    pub fn stop_intake(&self) {
        self.intake.cancel();
    }

    /// Begins stage three; implies stage one.
    pub fn abandon(&self) {
        self.intake.cancel();
        self.in_flight.cancel();
    }

    /// Resolves when stage one begins.
    pub async fn intake_stopped(&self) {
        self.intake.cancelled().await;
    }

    /// Whether stage one has begun.
    pub fn is_intake_stopped(&self) -> bool {
        self.intake.is_cancelled()
    }

    /// Resolves when stage three begins.
    pub async fn abandoned(&self) {
        self.in_flight.cancelled().await;
    }
}
