//! Claim: hand out what is due, fairly, as far as there are slots.

use std::collections::BTreeMap;
use std::sync::Arc;

use bluum_hooks_shared::time::Timestamp;

use super::books::Books;
use super::park::held;
use super::record;
use crate::policy::state::{Progress, State};
use crate::slots::Slots;
use crate::store::{Claimed, Due, Registry, Work, turns};

pub(super) fn claim_due(
    books: &mut Books,
    per_webhook: usize,
    slots: &Slots,
    now: Timestamp,
) -> Due {
    slots.look_again();
    let registry = Arc::clone(&books.registry);
    let parked = park(books, &registry, now);
    let mut due = due_by_webhook(books, &registry, now);
    let lanes = turns::share(due.keys().copied().collect(), per_webhook, slots, &registry);
    let mut work = Vec::new();
    let mut given_up = Vec::new();
    for (webhook, free) in lanes {
        let due = due.remove(&webhook).unwrap_or_default();
        turns::note_backlog(webhook, due.len() >= free.len(), slots, &registry);
        let claimed = claim(books, due, free, &mut given_up, now);
        work.extend(claimed.into_iter().map(|(claimed, slot)| Work { claimed, slot }));
    }
    release(books, &given_up, now);
    let again = parked || !given_up.is_empty();
    let next_due = if again { Some(now) } else { next_due(books, now) };
    Due { work, next_due }
}

/// Claims the first of these that are due, each for one of the places.
fn claim<T>(
    books: &mut Books,
    due: Vec<i64>,
    places: Vec<T>,
    given_up: &mut Vec<(i64, String)>,
    now: Timestamp,
) -> Vec<(Claimed, T)> {
    let mut claims = Vec::new();
    for (position, place) in due.into_iter().zip(places) {
        let Some(delivery) = books.deliveries.get(&position) else { continue };
        let line = delivery.line();
        let Ok(after) = turns::claimed(delivery.stored.progress, now) else { continue };
        books.set_progress(position, after);
        if matches!(after.state, State::Leased { .. }) {
            claims.extend(books.claimed(position).map(|claimed| (claimed, place)));
        } else {
            given_up.extend(line);
        }
    }
    claims
}

fn release(books: &mut Books, lines: &[(i64, String)], now: Timestamp) {
    for line in lines {
        record::release(books, line, false, now);
    }
}

/// Parks what one stopped webhook is owed, all but what is under way; returns whether there was
/// something.
fn park(books: &mut Books, registry: &Registry, now: Timestamp) -> bool {
    let stopped = |(position, delivery): (i64, &super::books::Delivery)| {
        let reason = registry.webhook_numbered(delivery.webhook)?.stopped()?;
        let progress = delivery.stored.progress;
        let held = held(delivery, now);
        let after = turns::stopped(progress, reason, now).ok().filter(|_| !held)?;
        Some((delivery.webhook, position, after))
    };
    let changes: Vec<_> = books.unfinished().filter_map(stopped).collect();
    let first = changes.iter().map(|(webhook, ..)| *webhook).min();
    for (_, position, after) in changes.into_iter().filter(|change| Some(change.0) == first) {
        books.set_progress(position, after);
    }
    first.is_some()
}

/// The positions of what is due, by due time and then by age.
fn due_by_webhook(books: &Books, registry: &Registry, now: Timestamp) -> BTreeMap<i64, Vec<i64>> {
    let due_at = |(position, delivery): (i64, &super::books::Delivery)| {
        let webhook = registry.webhook_numbered(delivery.webhook)?;
        let takes = webhook.stopped().is_none();
        Some((delivery.due_at().filter(|_| takes)?, position, delivery.webhook))
    };
    let mut all: Vec<_> =
        books.unfinished().filter_map(due_at).filter(|&(due_at, ..)| due_at <= now).collect();
    all.sort_unstable();
    let mut due: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (_, position, webhook) in all {
        due.entry(webhook).or_default().push(position);
    }
    due
}

fn next_due(books: &Books, now: Timestamp) -> Option<Timestamp> {
    let due = books.unfinished().filter_map(|(_, delivery)| delivery.due_at());
    due.filter(|&due_at| due_at > now).min()
}

/// Ends every lease.
pub(super) fn abandon(books: &mut Books, now: Timestamp) {
    let leased = books.unfinished().filter_map(|(position, delivery)| {
        let progress = delivery.stored.progress;
        let lease_until = State::Leased { lease_until: now };
        held(delivery, now).then_some((position, Progress { state: lease_until, ..progress }))
    });
    for (position, progress) in leased.collect::<Vec<_>>() {
        books.set_progress(position, progress);
    }
}
