//! How many requests at once a receiver gets: fewer while it costs time, more as it recovers, none
//! for a while when even one at a time comes to nothing.
//!
//! Only silence narrows: an attempt without an answer that took long. A refused connection and an
//! error status cost nobody's time, and the retry schedule is their remedy. What is not sent is
//! postponed: it stays due, and uses up no retry.

use std::time::Duration;

use super::retry;

/// An attempt without an answer that took so long is silence.
const LONG: Duration = Duration::from_secs(1);
/// No pause after a fault of our own is longer: it may be over any moment.
pub const LONGEST_OF_OURS: Duration = Duration::from_mins(1);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// What an attempt says about its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// A complete answer, whatever its status.
    Answer,
    /// None, after this time.
    Silence(Duration),
    /// Nothing about it: the fault was ours, and sending more would not help.
    OurFault,
}

impl Sign {
    /// Of an attempt without an answer that took this long. `None`: it cost nobody's time.
    pub fn unanswered(took: Duration) -> Option<Self> {
        (took >= LONG).then_some(Self::Silence(took))
    }
}

/// The pace of one webhook. Times are monotonic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pace {
    /// As many at once as the webhook allows.
    #[default]
    Full,
    /// So many at once. What was sent before `since` says nothing new when it ends in silence.
    Narrow { width: usize, since: Duration },
    /// None until then. The next pause is twice as long.
    Paused { until: Duration, pause: Duration },
    /// One, to see whether it comes back.
    Probing { since: Duration, pause: Duration },
}

impl Pace {
    /// Requests at once, where the webhook allows `max`.
    pub fn width(self, max: usize) -> usize {
        match self {
            Self::Full => max,
            Self::Narrow { width, .. } => width.min(max),
            Self::Paused { .. } => 0,
            Self::Probing { .. } => 1,
        }
    }

    /// The pace after an attempt that began then and ended now.
    #[must_use]
    pub fn after(self, sign: Sign, began: Duration, now: Duration, max: usize) -> Self {
        match (self, sign) {
            (Self::Full, Sign::Answer) => self,
            (Self::Narrow { width, since }, Sign::Answer) => widen(width + 1, since, max),
            (Self::Paused { .. } | Self::Probing { .. }, Sign::Answer) => widen(2, now, max),
            (Self::Paused { .. }, _) => self,
            (Self::Narrow { since, .. } | Self::Probing { since, .. }, _) if began < since => self,
            (Self::Probing { pause: last, .. }, Sign::OurFault) => {
                pause(last.saturating_mul(2).min(LONGEST_OF_OURS), now)
            }
            (_, Sign::OurFault) => pause(retry::AFTER_OUR_FAULT, now),
            (Self::Full, Sign::Silence(_)) => Self::Narrow { width: (max / 2).max(1), since: now },
            (Self::Narrow { width: ..=1, .. }, Sign::Silence(took)) => pause(took, now),
            (Self::Narrow { width, .. }, Sign::Silence(_)) => {
                Self::Narrow { width: width / 2, since: now }
            }
            (Self::Probing { pause: last, .. }, Sign::Silence(took)) => {
                pause(took.max(last.saturating_mul(2)), now)
            }
        }
    }

    /// The pace when a pause may have passed.
    #[must_use]
    pub fn at(self, now: Duration) -> Self {
        match self {
            Self::Paused { until, pause } if until <= now => Self::Probing { since: now, pause },
            _ => self,
        }
    }

    /// When the pause ends, if there is one.
    pub fn paused_until(self) -> Option<Duration> {
        match self {
            Self::Paused { until, .. } => Some(until),
            _ => None,
        }
    }
}

fn widen(width: usize, since: Duration, max: usize) -> Pace {
    if width >= max { Pace::Full } else { Pace::Narrow { width, since } }
}

fn pause(length: Duration, now: Duration) -> Pace {
    let pause = length.min(LONGEST_PAUSE);
    Pace::Paused { until: now.saturating_add(pause), pause }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Each attempt begins when the one before it has ended, and takes `seconds`.
    fn after(pace: Pace, now: &mut Duration, max: usize, signs: &[Option<u64>]) -> Pace {
        signs.iter().fold(pace, |pace, silent_for| {
            let began = *now;
            let sign = match silent_for {
                Some(seconds) => {
                    *now += s(*seconds);
                    Sign::Silence(s(*seconds))
                }
                None => Sign::Answer,
            };
            pace.at(began).after(sign, began, *now, max)
        })
    }

    #[test]
    fn silence_halves_pauses_and_doubles_the_pause_and_one_answer_opens() {
        let mut now = s(1_000);
        let mut pace = Pace::Full;
        let widths: Vec<_> = (0..6)
            .map(|_| {
                pace = after(pace, &mut now, 32, &[Some(30)]);
                pace.width(32)
            })
            .collect();
        assert_eq!(widths, [16, 8, 4, 2, 1, 0]);
        for pause in [30, 60, 120, 240, 300, 300] {
            assert_eq!(pace.paused_until(), Some(now + s(pause)));
            assert_eq!(pace.at(now + s(pause - 1)), pace);
            now += s(pause);
            assert_eq!(pace.at(now).width(32), 1, "a probe");
            pace = after(pace, &mut now, 32, &[Some(30)]);
        }
        now += s(300);
        pace = after(pace, &mut now, 32, &[None]);
        assert_eq!(pace.width(32), 2);
        pace = after(pace, &mut now, 32, &[None; 30]);
        assert_eq!(pace, Pace::Full);
    }

    #[test]
    fn many_that_end_in_silence_together_count_once() {
        let (began, ended) = (s(10), s(40));
        let first = Pace::Full.after(Sign::Silence(s(30)), began, ended, 32);
        let rest = (0..31)
            .fold(first, |pace, _| pace.after(Sign::Silence(s(30)), began, ended + s(1), 32));
        assert_eq!(rest, first);
        assert_eq!(rest.width(32), 16);
    }

    #[test]
    fn what_fails_fast_is_no_silence() {
        assert_eq!(Sign::unanswered(Duration::from_millis(999)), None);
        assert_eq!(Sign::unanswered(s(1)), Some(Sign::Silence(s(1))));
    }

    #[test]
    fn a_fault_of_ours_pauses_at_once_and_never_longer_than_a_minute() {
        let mut now = s(10);
        let mut pace = Pace::Full;
        for pause in [5, 10, 20, 40, 60, 60] {
            pace = pace.at(now).after(Sign::OurFault, now, now, 32);
            assert_eq!(pace.paused_until(), Some(now + s(pause)));
            now += s(pause);
        }
        assert_eq!(pace.at(now).after(Sign::Answer, now, now, 32).width(32), 2);
    }

    proptest! {
        /// Never wider than allowed; and however long it was silent, never shut for good.
        #[test]
        fn a_pace_is_bounded_and_always_opens_again(
            max in 1_usize..200,
            signs in prop::collection::vec(prop::option::of(1_u64..40), 0..60),
        ) {
            let mut now = s(0);
            let pace = after(Pace::Full, &mut now, max, &signs);
            prop_assert!(pace.width(max) <= max);
            prop_assert!(pace.at(now + LONGEST_PAUSE).width(max) >= 1);
            now += LONGEST_PAUSE;
            let pace = after(pace, &mut now, max, &vec![None; max]);
            prop_assert_eq!(pace, Pace::Full);
        }
    }
}
