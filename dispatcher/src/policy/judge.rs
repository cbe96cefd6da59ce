//! What an answer means.

use std::time::Duration;

use bluum_hooks_shared::time::Timestamp;

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
        let date = jiff::fmt::rfc2822::parse(text).ok()?;
        Timestamp::from_micros(date.timestamp().as_microsecond()).since(now)
    };
    Some(delay.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
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
        assert_eq!(of("999999999999999999999999"), Verdict::Failed { not_before: MAX_RETRY_AFTER });
        for nonsense in ["", "soon", "-5", "1.5", "+3"] {
            assert_eq!(of(nonsense), failed(60), "{nonsense}");
        }
        assert_eq!(judge(Some(503), Some("7"), now), failed(7));
        assert_eq!(judge(Some(500), Some("7"), now), failed(0));
    }
}
