//! Times that are none, or not now.

use std::time::Duration;

use super::Cases;
use crate::header::WEBHOOK_TIMESTAMP;
use crate::testing::{Clock, Signed};
use crate::{DEFAULT_TOLERANCE, Timestamp};

pub(super) fn add(cases: &mut Cases<'_>) {
    let time = cases.value(WEBHOOK_TIMESTAMP);
    for (name, text) in [
        ("with a plus", format!("+{time}")),
        ("negative", format!("-{time}")),
        ("minus one", "-1".to_owned()),
        ("the least number there is", i64::MIN.to_string()),
        ("one more than seconds can have", "9223372036854775808".to_owned()),
        ("of a hundred digits", "9".repeat(100)),
        ("with a fraction", format!("{time}.0")),
        ("with an exponent", "1.7e9".to_owned()),
        ("hexadecimal", "0x6553f100".to_owned()),
        ("with letters behind it", format!("{time}abc")),
        ("with a blank before it", format!(" {time}")),
        ("with a blank behind it", format!("{time} ")),
        ("with a tab behind it", format!("{time}\t")),
        ("with underscores", "1_781_533_815".to_owned()),
        ("two, joined", format!("{time}, {time}")),
        ("two, joined without a blank", format!("{time},{time}")),
        ("in other digits", "١٧٨١٥٣٣٨١٥".to_owned()),
        ("a date", "2026-06-15T14:30:15Z".to_owned()),
        ("a word", "now".to_owned()),
        ("not a number", "NaN".to_owned()),
    ] {
        cases.refused(400, format!("the time is {name}"), cases.with(WEBHOOK_TIMESTAMP, text));
    }
    let now = cases.sender.clock().now();
    let next = now.as_unix_seconds().saturating_add(1).to_string();
    for (name, text) in [
        ("is another than was signed", next),
        ("has zeros before it, which were not signed", format!("000{time}")),
        ("is in milliseconds", format!("{time}000")),
        ("is the largest there is", i64::MAX.to_string()),
        ("is zero", "0".to_owned()),
    ] {
        cases.refused(401, format!("the time {name}"), cases.with(WEBHOOK_TIMESTAMP, text));
    }
    let second = Duration::from_secs(1);
    // The clock of a receiver with its own goes on, while the sender's may stand still.
    let minute = 60 * second;
    for (name, then) in [
        ("a second too old", now.minus(DEFAULT_TOLERANCE + second)),
        ("a minute too far ahead", now.plus(DEFAULT_TOLERANCE + minute)),
        ("a year old", now.minus(365 * 86_400 * second)),
        ("a year ahead", now.plus(365 * 86_400 * second)),
    ] {
        cases.refused(401, format!("the time is {name}, and signed"), signed_at(cases, then));
    }
    for (name, then) in [
        ("young enough for a minute more", now.minus(DEFAULT_TOLERANCE - minute)),
        ("just not too far ahead", now.plus(DEFAULT_TOLERANCE)),
    ] {
        cases.accepted(format!("the time is {name}"), signed_at(cases, then));
    }
}

/// The same delivery, signed at another time.
pub(super) fn signed_at(cases: &Cases<'_>, then: Timestamp) -> Signed {
    cases.sender.with_clock(Clock::at(then)).sign(cases.event)
}
