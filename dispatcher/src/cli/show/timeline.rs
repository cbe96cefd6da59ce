//! What was done for a delivery, attempt by attempt.

use std::time::Duration;

use bluum_hooks_shared::api::{Attempt, AttemptOutcome, Delivery, DeliveryStatus};
use bluum_hooks_shared::time::Timestamp;

use super::words::{first_line, harmless, paragraph, took, when};

/// A few lines for each attempt: when, what came of it, and what was decided then.
pub(super) fn lines(delivery: &Delivery, now: Timestamp) -> Vec<String> {
    let attempts = delivery.attempts.as_deref().unwrap_or_default();
    let mut lines = Vec::new();
    for (place, attempt) in attempts.iter().enumerate() {
        let label = format!("  {}  ", attempt.started_at);
        let duration = took(Duration::from_millis(attempt.duration_ms));
        let result = format!("attempt {}: {}, after {duration}", attempt.number, outcome(attempt));
        lines.push(paragraph(&label, &result));
        let indent = " ".repeat(28);
        let body = attempt.response_body.as_deref().and_then(first_line);
        lines.extend(body.map(|body| paragraph(&indent, &body)));
        let decided = match attempts.get(place + 1) {
            Some(next) => followed(attempt, next),
            None => decided(delivery, attempt, now),
        };
        lines.push(paragraph(&indent, &decided));
    }
    lines
}

/// What came of an attempt.
pub(super) fn outcome(attempt: &Attempt) -> String {
    match (&attempt.error, attempt.status) {
        (Some(error), _) => harmless(error),
        (None, Some(status)) => format!("answered {status}"),
        (None, None) => "no answer".into(),
    }
}

/// When it was over.
pub(super) fn ended_at(attempt: &Attempt) -> Timestamp {
    attempt.started_at.plus(Duration::from_millis(attempt.duration_ms))
}

fn followed(attempt: &Attempt, next: &Attempt) -> String {
    let how = how(attempt);
    let later = took(next.started_at.since(ended_at(attempt)));
    match attempt.outcome {
        AttemptOutcome::Delivered => format!("{how}; replayed {later} later"),
        _ => format!("{how}; the next attempt came {later} later"),
    }
}

fn how(attempt: &Attempt) -> &'static str {
    match attempt.outcome {
        AttemptOutcome::Delivered => "delivered",
        AttemptOutcome::OurFault => "not counted",
        _ => "failed",
    }
}

/// What was decided after the last attempt.
fn decided(delivery: &Delivery, attempt: &Attempt, now: Timestamp) -> String {
    let how = how(attempt);
    let goes_on = delivery.failures > 0 || attempt.outcome == AttemptOutcome::OurFault;
    match delivery.status {
        DeliveryStatus::Delivered => how.into(),
        DeliveryStatus::Parked => match delivery.reason.as_deref() {
            Some("exhausted") => format!("{how}; it was the last of the schedule: parked"),
            Some("gone") => format!("{how} for good: the webhook was disabled, and this parked"),
            Some("disabled" | "deleted") => format!("{how}; parked when the webhook was stopped"),
            _ => format!("{how}; parked later"),
        },
        DeliveryStatus::Waiting | DeliveryStatus::Leased if goes_on => {
            match delivery.next_attempt_at {
                Some(at) => format!("{how}; the next attempt is due at {}", when(at, now)),
                None => format!("{how}; the next attempt is under way"),
            }
        }
        _ => format!("{how}; replayed since"),
    }
}
