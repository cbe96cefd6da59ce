//! When to try again.

use std::time::Duration;

use super::judge::MAX_RETRY_AFTER;

/// Most entries of a schedule.
pub const MAX_RETRIES: usize = 24;
/// A webhook whose every attempt has failed for so long is disabled, unless something else is set.
pub const DISABLE_AFTER: Duration = Duration::from_hours(5 * 24);
/// The longest wait between two attempts.
pub const MAX_DELAY: Duration = Duration::from_hours(7 * 24);
/// How far a wait is shortened or lengthened, so that those who failed together do not come back
/// together: a fifth.
const JITTER: f64 = 0.2;

/// The longest that any delivery ever waits for its next attempt.
pub fn longest() -> Duration {
    MAX_DELAY.mul_f64(1.0 + JITTER).max(MAX_RETRY_AFTER)
}

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
    /// One attempt and no retry.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

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
    wait.mul_f64((2.0 * JITTER).mul_add(jitter.clamp(0.0, 1.0), 1.0 - JITTER))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    /// A schedule, and a failure that it has a wait for.
    fn schedule_and_failure() -> impl Strategy<Value = (RetrySchedule, u32)> {
        let second = Duration::from_secs(1).as_nanos()..=MAX_DELAY.as_nanos();
        let wait = second.prop_map(|nanos| Duration::from_nanos(u64::try_from(nanos).unwrap()));
        prop::collection::vec(wait, 1..=MAX_RETRIES).prop_flat_map(|waits| {
            let failures = 1..=u32::try_from(waits.len()).unwrap();
            (Just(RetrySchedule::new(waits).unwrap()), failures)
        })
    }

    proptest! {
        #[test]
        fn jitter_stays_within_a_fifth(
            (schedule, failures) in schedule_and_failure(), jitter in 0.0..1.0_f64,
        ) {
            let wait = schedule.waits()[failures as usize - 1];
            let delay = schedule.delay(failures, jitter, Duration::ZERO).unwrap();
            // Each is rounded to a nanosecond of its own.
            let nanosecond = Duration::from_nanos(1);
            prop_assert!(delay + nanosecond >= wait * 4 / 5);
            prop_assert!(delay <= wait * 6 / 5 + nanosecond);
        }

        #[test]
        fn more_jitter_is_never_a_shorter_wait(
            (schedule, failures) in schedule_and_failure(),
            jitters in [0.0..1.0_f64, 0.0..1.0_f64],
            asked in 0..=MAX_RETRY_AFTER.as_secs(),
        ) {
            let delay = |jitter| schedule.delay(failures, jitter, Duration::from_secs(asked));
            let [less, more] = [jitters[0].min(jitters[1]), jitters[0].max(jitters[1])];
            prop_assert!(delay(less) <= delay(more));
        }

        #[test]
        fn nobody_comes_before_what_was_asked_nor_after_the_longest_wait(
            (schedule, failures) in schedule_and_failure(),
            jitter in 0.0..1.0_f64,
            asked in 0..=MAX_RETRY_AFTER.as_secs(),
        ) {
            let asked = Duration::from_secs(asked);
            let delay = schedule.delay(failures, jitter, asked).unwrap();
            prop_assert!(delay >= asked && delay <= longest());
            let unasked = schedule.delay(failures, jitter, Duration::ZERO).unwrap();
            prop_assert_eq!(delay, unasked.max(asked));
        }

        #[test]
        fn after_the_last_wait_there_is_none_and_before_there_is(
            (schedule, _) in schedule_and_failure(), failures: u32, jitter in 0.0..1.0_f64,
        ) {
            let last = u32::try_from(schedule.waits().len()).unwrap();
            for failures in [failures, failures % (last + 2), last, last + 1] {
                let delay = schedule.delay(failures, jitter, Duration::ZERO);
                prop_assert_eq!(delay.is_some(), (1..=last).contains(&failures));
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
