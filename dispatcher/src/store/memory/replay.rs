//! Replay: finished deliveries owed again, one, or a batch of many and the cursor with it.

use std::collections::HashSet;
use std::sync::Arc;

use bluum_hooks_shared::id::{DeliveryId, ReplayId, WebhookId};
use bluum_hooks_shared::time::Timestamp;

use super::accept::{busy, keep, keys_are_free};
use super::books::Books;
use crate::store::replay::{replayed, taker};
use crate::store::{Advanced, Keep, Replay, ReplayFilter, StoreError, StoredDelivery};

pub(super) fn one(
    books: &mut Books,
    id: DeliveryId,
    answer: Option<Keep<StoredDelivery>>,
    now: Timestamp,
) -> Result<StoredDelivery, StoreError> {
    let position = books.delivery_position(id).ok_or(StoreError::Declined)?;
    let delivery = books.deliveries.get(&position).ok_or(StoreError::Declined)?;
    taker(&books.registry, delivery.webhook)?;
    let behind = delivery.line().is_some_and(|line| busy(books).contains(&line));
    let before = delivery.stored.clone();
    let progress = replayed(before.progress, behind, now).map_err(|_| StoreError::Declined)?;
    let blocked_by = behind.then(|| books.under_way(delivery)).flatten();
    let after = StoredDelivery { progress, blocked_by, ..before };
    let answer: Vec<_> = answer.map(|keep| keep(&after)).into_iter().collect();
    keys_are_free(books, &answer, now)?;
    keep(books, &answer, now);
    books.set_progress(position, progress);
    Ok(after)
}

pub(super) fn count(books: &Books, webhook: WebhookId, filter: &ReplayFilter) -> i64 {
    let deliveries = books.deliveries.values().map(|delivery| &delivery.stored);
    let wanted = deliveries.filter(|one| one.webhook == webhook && filter.wants(one));
    i64::try_from(wanted.count()).unwrap_or(i64::MAX)
}

pub(super) fn advance(books: &mut Books, id: ReplayId, limit: usize, now: Timestamp) -> Advanced {
    let running = books.registry.replay(id).filter(|replay| replay.is_running()).cloned();
    let Some(replay) = running else { return Advanced { replayed: 0, running: false } };
    let number = books.registry.webhook_number(replay.webhook);
    let last = number.and_then(|number| books.sequences.get(&number)).copied().unwrap_or(0);
    let end = replay.up_to.min(last).max(replay.cursor);
    let found = look(books, &replay, end, limit);
    let cursor = match found.last() {
        Some(&(sequence, _)) if found.len() >= limit => sequence,
        _ => end,
    };
    let mut lines: HashSet<_> = busy(books);
    for &(_, position) in &found {
        let Some(delivery) = books.deliveries.get(&position) else { continue };
        let behind = delivery.line().is_some_and(|line| !lines.insert(line));
        if let Ok(after) = replayed(delivery.stored.progress, behind, now) {
            books.set_progress(position, after);
        }
    }
    let after = replay.after(cursor, found.len(), last, now);
    let advanced = Advanced { replayed: found.len(), running: after.is_running() };
    Arc::make_mut(&mut books.registry).put_replay(after);
    advanced
}

/// Sequence numbers and positions of the next to replay.
fn look(books: &Books, replay: &Replay, end: i64, limit: usize) -> Vec<(i64, i64)> {
    let wanted = books.deliveries.iter().filter(|(_, delivery)| {
        let one = &delivery.stored;
        one.webhook == replay.webhook
            && (replay.cursor + 1..=end).contains(&one.sequence)
            && replay.filter.wants(one)
    });
    // Positions of one webhook's deliveries rise with their sequence numbers.
    wanted.map(|(&position, one)| (one.stored.sequence, position)).take(limit).collect()
}
