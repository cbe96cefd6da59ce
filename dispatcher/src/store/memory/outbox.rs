//! The outbox: rows taken over in the order of their commits.

use bluum_hooks_shared::time::Timestamp;

use super::accept;
use super::books::Books;
use crate::slots::Slots;
use crate::store::{Drained, NewEvent, OutboxReader, OutboxRow, StoreError};

pub(super) fn push(books: &mut Books, row: OutboxRow) {
    books.last_outbox += 1;
    let position = books.last_outbox;
    books.outbox.push_back(OutboxRow { position, ..row });
}

pub(super) fn drain(
    books: &mut Books,
    limit: usize,
    read: &OutboxReader,
    slots: &Slots,
    now: Timestamp,
) -> Result<Drained, StoreError> {
    let mut events: Vec<NewEvent> = Vec::new();
    let mut rejected = Vec::new();
    let taken = limit.min(books.outbox.len());
    for row in books.outbox.range(..taken) {
        match read(row).and_then(|event| first_of_its_key(books, &events, event)) {
            Ok(event) => events.extend(event),
            Err(reason) => rejected.push((row.clone(), reason)),
        }
    }
    let accepted = accept::accept(books, &events, &[], slots, now)?;
    books.outbox.drain(..taken);
    let drained = Drained { taken, rejected: rejected.len(), accepted };
    books.outbox_rejected.append(&mut rejected);
    Ok(drained)
}

/// The event, unless its idempotency key was used before: then nothing if it was for the same, and
/// an error if it was for something else.
fn first_of_its_key(
    books: &Books,
    before: &[NewEvent],
    event: NewEvent,
) -> Result<Option<NewEvent>, String> {
    let scope = |event: &NewEvent| (event.tenant, event.livemode, event.idempotency_key.clone());
    let here = before.iter().find(|other| scope(other) == scope(&event));
    let here = here.filter(|_| event.idempotency_key.is_some());
    let stored = books.published_with(&event).map(|other| (&other.name, &other.body));
    match here.map(|other| (&other.name, &other.body)).or(stored) {
        None => Ok(Some(event)),
        Some((name, body)) if event.says_the_same(name, body) => Ok(None),
        Some(_) => Err("the idempotency key was used for another event".to_owned()),
    }
}
