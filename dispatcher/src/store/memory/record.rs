//! Record: what came of an attempt, and who is next in line.

use std::sync::Arc;

use bluum_hooks_shared::time::Timestamp;

use super::books::Books;
use crate::policy::state::State;
use crate::store::{Claimed, NewEvent, Recorded, Report, StoredAttempt, failing, turns};

/// One answer for each report, and what they publish.
pub(super) fn record_all(
    books: &mut Books,
    reports: &[Report],
    now: Timestamp,
) -> (Vec<Recorded>, Vec<NewEvent>) {
    let recorded: Vec<_> = reports.iter().map(|report| record(books, report, now)).collect();
    let places = reports.iter().zip(&recorded);
    let applied = places.filter(|(_, recorded)| matches!(recorded, Recorded::Applied { .. }));
    let applied: Vec<_> = applied.map(|(report, _)| report).collect();
    let changed = failing::changed(applied.iter().copied(), &books.registry);
    if !changed.is_empty() {
        failing::put(changed, Arc::make_mut(&mut books.registry));
    }
    let notices = applied.into_iter().filter_map(|report| report.notice.clone()).collect();
    (recorded, notices)
}

fn record(books: &mut Books, report: &Report, now: Timestamp) -> Recorded {
    let Report { claimed, after, attempt, hand_on, .. } = report;
    let current = books.deliveries.get(&claimed.position);
    let held = current.is_some_and(|current| {
        let current = current.stored.progress;
        current.claim == claimed.progress.claim
            && current.state.status() == claimed.progress.state.status()
    });
    if !held {
        return Recorded::Stale;
    }
    books.set_progress(claimed.position, *after);
    if let Some(attempt) = attempt.clone() {
        let attempts = books.attempts.entry(claimed.position).or_default();
        attempts.push(StoredAttempt { number: after.attempts, attempt });
    }
    let line = claimed.ordering_key.clone().map(|key| (claimed.webhook.number, key));
    let freed = line.filter(|_| after.state.finished_at().is_some());
    let successor = freed.and_then(|line| release(books, &line, *hand_on, now));
    Recorded::Applied { successor }
}

/// Makes the first queued delivery of a line ready. Returned if it is claimed at once.
pub(super) fn release(
    books: &mut Books,
    (webhook, key): &(i64, String),
    hand_on: bool,
    now: Timestamp,
) -> Option<Claimed> {
    let mut queued = books.unfinished().filter(|(_, delivery)| {
        delivery.stored.progress.state == State::Queued
            && delivery.webhook == *webhook
            && delivery.stored.ordering_key.as_ref() == Some(key)
    });
    let (position, next) = queued.next()?;
    let ready = turns::ready(next.stored.progress, hand_on, now).ok()?;
    drop(queued);
    books.set_progress(position, ready);
    hand_on.then(|| books.claimed(position)).flatten()
}
