//! What an answer means.

use std::time::Duration;

use bluum_hooks_shared::time::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;

/// The longest `Retry-After` that is honoured.
pub const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);
/// How long a receiver that says "too much" without saying how long is left alone.
pub const THROTTLED: Duration = Duration::from_mins(1);

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// 2xx: done.
    Delivered,
    /// Try again on the schedule, and not before this long from now.
    Failed { not_before: Duration },
    /// 410: the partner is no longer interested.
    Gone,
    /// A fault of our own: try again soon, and count nothing.
    OurFault,
}

/// The table of the wire contract: `status` is `None` if no complete answer came in time.
pub fn judge(status: Option<u16>, retry_after: Option<&str>, now: Timestamp) -> Verdict {
    let asked = || retry_after.and_then(|text| parse_retry_after(text, now));
    match status {
        Some(200..=299) => Verdict::Delivered,
        Some(410) => Verdict::Gone,
        Some(429) => Verdict::Failed { not_before: asked().unwrap_or(THROTTLED) },
        Some(502 | 504) => Verdict::Failed { not_before: THROTTLED },
        Some(503) => Verdict::Failed { not_before: asked().unwrap_or_default() },
        _ => Verdict::Failed { not_before: Duration::ZERO },
    }
}

/// `Retry-After` as seconds or as an HTTP date, capped; `None` if it is neither.
fn parse_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let delay = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        http_date(text, now)?.since(now)
    };
    Some(delay.min(MAX_RETRY_AFTER))
}

/// A date as RFC 9110 §5.6.7 has it: as everybody writes it, or as RFC 850 or asctime once did.
fn http_date(text: &str, now: Timestamp) -> Option<Timestamp> {
    let date = rfc2822::parse(text).map(|date| date.timestamp()).ok();
    let date = date.or_else(|| in_utc(&strtime::parse("%a %b %e %H:%M:%S %Y", text).ok()?));
    let date = date.or_else(|| rfc_850(text, now))?;
    Some(Timestamp::from_micros(date.as_microsecond()))
}

/// Two digits of a year mean the one that is at most 50 years ahead. The day of the week, which
/// follows from the date, is not looked at.
fn rfc_850(text: &str, now: Timestamp) -> Option<jiff::Timestamp> {
    let (_, date) = text.split_once(", ")?;
    let mut date = strtime::parse("%d-%b-%y %H:%M:%S GMT", date).ok()?;
    let now = jiff::Timestamp::from_microsecond(now.as_micros()).ok()?;
    let earliest = now.to_zoned(TimeZone::UTC).year() - 49;
    date.set_year(Some(earliest + (date.year()? - earliest).rem_euclid(100))).ok()?;
    in_utc(&date)
}

fn in_utc(date: &BrokenDownTime) -> Option<jiff::Timestamp> {
    Some(date.to_datetime().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn failed(seconds: u64) -> Verdict {
        Verdict::Failed { not_before: Duration::from_secs(seconds) }
    }

    #[test]
    fn every_status_has_its_verdict() {
        let now = Timestamp::from_unix_seconds(784_111_777);
        for status in 100..=999 {
            let expected = match status {
                200..=299 => Verdict::Delivered,
                410 => Verdict::Gone,
                429 | 502 | 504 => failed(60),
                _ => failed(0),
            };
            assert_eq!(judge(Some(status), None, now), expected, "{status}");
        }
        assert_eq!(judge(None, None, now), failed(0));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_capped() {
        let now = Timestamp::from_unix_seconds(784_111_717);
        let of = |text| judge(Some(429), Some(text), now);
        assert_eq!(of("3600"), failed(3600));
        assert_eq!(of(" 120 "), failed(120));
        assert_eq!(of("Sun, 06 Nov 1994 08:49:37 GMT"), failed(60));
        assert_eq!(of("Sun, 06 Nov 1994 08:00:00 GMT"), failed(0));
        assert_eq!(of("Sunday, 06-Nov-94 08:49:37 GMT"), failed(60));
        assert_eq!(of("Sun Nov  6 08:49:37 1994"), failed(60));
        assert_eq!(of("999999999999999999999999"), Verdict::Failed { not_before: MAX_RETRY_AFTER });
        for nonsense in ["", "soon", "-5", "1.5", "+3"] {
            assert_eq!(of(nonsense), failed(60), "{nonsense}");
        }
        assert_eq!(judge(Some(503), Some("7"), now), failed(7));
        assert_eq!(judge(Some(500), Some("7"), now), failed(0));
    }

    #[test]
    fn two_digits_of_a_year_are_at_most_fifty_years_ahead() {
        for (now, date, seconds) in [
            ("2026-06-15T00:00:00Z", "Monday, 15-Jun-26 00:00:07 GMT", 7),
            ("2026-06-15T00:00:00Z", "Monday, 15-Jun-76 00:00:00 GMT", 86_400),
            ("2026-06-15T00:00:00Z", "Monday, 15-Jun-77 00:00:00 GMT", 0),
            ("1999-12-31T23:59:50Z", "Saturday, 01-Jan-00 00:00:00 GMT", 10),
        ] {
            assert_eq!(judge(Some(503), Some(date), now.parse().unwrap()), failed(seconds));
        }
    }

    /// Between the years 1970 and 2200.
    const INSTANTS: std::ops::Range<i64> = 0..7_258_118_400;
    /// As §5.6.7 has them.
    const FORMATS: [&str; 3] =
        ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

    proptest! {
        #[test]
        fn whatever_is_asked_is_answered_and_capped(
            status in prop_oneof![any::<Option<u16>>(), Just(Some(429)), Just(Some(503))],
            asked in prop_oneof![any::<String>(), "[0-9A-Za-z,: -]{0,40}", "[0-9]{1,30}"],
            now in any::<i64>(),
        ) {
            let verdict = judge(status, Some(&asked), Timestamp::from_micros(now));
            if let Verdict::Failed { not_before } = verdict {
                prop_assert!(not_before <= MAX_RETRY_AFTER);
            }
        }

        #[test]
        fn seconds_are_waited_for(status in prop::sample::select(vec![429, 503]), asked: u32) {
            let verdict = judge(Some(status), Some(&asked.to_string()), Timestamp::from_micros(0));
            prop_assert_eq!(verdict, failed(u64::from(asked).min(86_400)));
        }

        #[test]
        fn every_date_is_waited_for_however_it_is_written(
            now in INSTANTS,
            later in -200_000..200_000_i64,
            format in prop::sample::select(&FORMATS),
        ) {
            let at = jiff::Timestamp::from_second(now + later).unwrap();
            let written = at.to_zoned(TimeZone::UTC).strftime(format).to_string();
            let verdict = judge(Some(429), Some(&written), Timestamp::from_unix_seconds(now));
            let expected = u64::try_from(later.clamp(0, 86_400)).unwrap();
            prop_assert_eq!(verdict, failed(expected), "{}", written);
        }
    }
}
