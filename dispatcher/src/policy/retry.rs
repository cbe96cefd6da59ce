//! When to try again.

use std::time::Duration;

/// Most entries of a schedule.
pub const MAX_RETRIES: usize = 24;
/// The longest wait between two attempts.
pub const MAX_DELAY: Duration = Duration::from_hours(7 * 24);

/// The wait after a fault of our own, before jitter. The pace of the webhook sees to it that few
/// are tried in vain.
pub(super) const AFTER_OUR_FAULT: Duration = Duration::from_secs(5);

/// The waits between attempts, each counted from the failure before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrySchedule(Vec<Duration>);

/// Why a list of waits is not a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    #[error("a retry schedule has at most {MAX_RETRIES} entries")]
    TooMany,
    #[error("each wait of a retry schedule is between 1 second and 7 days")]
    OutOfRange,
}

impl Default for RetrySchedule {
    /// The documented schedule: 1 min, 5 min, 30 min, 2 h, 8 h.
    fn default() -> Self {
        Self([1, 5, 30, 120, 480].map(Duration::from_mins).to_vec())
    }
}

impl RetrySchedule {
    /// An empty list means one attempt and no retry.
    pub fn new(waits: Vec<Duration>) -> Result<Self, ScheduleError> {
        if waits.len() > MAX_RETRIES {
            return Err(ScheduleError::TooMany);
        }
        if waits.iter().any(|wait| *wait < Duration::from_secs(1) || *wait > MAX_DELAY) {
            return Err(ScheduleError::OutOfRange);
        }
        Ok(Self(waits))
    }

    /// The waits in whole seconds, as the API shows them.
    pub fn in_seconds(&self) -> Vec<u32> {
        self.0.iter().map(|wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX)).collect()
    }

    /// The waits, first to last.
    pub fn waits(&self) -> &[Duration] {
        &self.0
    }

    /// The wait after the `failures`-th failure (1, 2, …), ±20 % by `jitter` in `[0, 1)` and never
    /// less than `not_before`; `None` when there has been the last attempt.
    pub fn delay(&self, failures: u32, jitter: f64, not_before: Duration) -> Option<Duration> {
        let place = usize::try_from(failures.checked_sub(1)?).ok()?;
        let wait = self.0.get(place)?;
        Some(jittered(*wait, jitter).max(not_before))
    }
}

/// The wait after a fault of our own.
pub fn after_our_fault(jitter: f64) -> Duration {
    jittered(AFTER_OUR_FAULT, jitter)
}

/// ±20 % by `jitter` in `[0, 1)`.
fn jittered(wait: Duration, jitter: f64) -> Duration {
    wait.mul_f64(0.4f64.mul_add(jitter.clamp(0.0, 1.0), 0.8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_schedule_is_six_attempts_over_ten_hours_and_a_half() {
        let schedule = RetrySchedule::default();
        let delays: Vec<_> =
            (1..=6).map(|failures| schedule.delay(failures, 0.5, Duration::ZERO)).collect();
        let total: Duration = delays.iter().flatten().sum();
        assert_eq!(delays.iter().flatten().count(), 5);
        assert_eq!(delays[5], None);
        assert_eq!(total, Duration::from_mins(636));
    }

    #[test]
    fn jitter_stays_within_a_fifth_and_never_undercuts_what_was_asked() {
        let schedule = RetrySchedule::default();
        for failures in 1..=5 {
            let middle = schedule.waits()[failures as usize - 1];
            for percent in 0..100 {
                let jitter = f64::from(percent) / 100.0;
                let delay = schedule.delay(failures, jitter, Duration::ZERO).unwrap();
                assert!(delay >= middle.mul_f64(0.8) && delay <= middle.mul_f64(1.2));
                let asked = Duration::from_hours(1);
                assert!(schedule.delay(failures, jitter, asked).unwrap() >= asked);
            }
        }
    }

    #[test]
    fn a_schedule_is_bounded() {
        let second = Duration::from_secs(1);
        assert_eq!(RetrySchedule::new(vec![second; 25]), Err(ScheduleError::TooMany));
        assert_eq!(RetrySchedule::new(vec![Duration::ZERO]), Err(ScheduleError::OutOfRange));
        assert_eq!(RetrySchedule::new(vec![]).unwrap().delay(1, 0.0, second), None);
    }
}
