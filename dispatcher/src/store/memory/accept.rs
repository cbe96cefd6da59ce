//! Accept: events, their deliveries and their sequence numbers, all or nothing.

use std::collections::HashSet;
use std::sync::Arc;

use bluum_hooks_shared::time::Timestamp;

use super::books::{Books, refuse_if};
use crate::slots::Slots;
use crate::store::plan::{self, Planned, Standing};
use crate::store::{Accepted, NewAnswer, NewEvent, StoreError};

pub(super) fn accept(
    books: &mut Books,
    events: &[NewEvent],
    answers: &[NewAnswer],
    slots: &Slots,
    now: Timestamp,
) -> Result<Accepted, StoreError> {
    check(books, events, answers, now)?;
    keep(books, answers, now);
    let registry = Arc::clone(&books.registry);
    let standing = Standing { registry: &registry, sequences: &books.sequences };
    let mut planned = plan::plan(events, &standing, slots, now);
    let busy = busy(books);
    let behind = |one: &&mut Planned| {
        let line = one.ordering_key.clone().map(|key| (one.webhook.number, key));
        one.progress.state.due_at().is_some() && line.is_some_and(|line| busy.contains(&line))
    };
    planned.iter_mut().filter(behind).for_each(Planned::wait);
    for event in events {
        books.add_event(event, now);
    }
    let mut accepted = Accepted::default();
    for one in planned {
        let event = &events[one.event];
        let position = books.add_delivery(&one, event, now);
        one.settle(position, event, slots, &mut accepted);
    }
    Ok(accepted)
}

pub(super) fn keep(books: &mut Books, answers: &[NewAnswer], now: Timestamp) {
    for NewAnswer { caller, idempotency_key, answer } in answers {
        let place = (*caller, idempotency_key.clone());
        books.answers.insert(place, (answer.clone(), now));
    }
}

/// No answer stands where one is to be kept, and no two are for the same place.
pub(super) fn keys_are_free(
    books: &Books,
    answers: &[NewAnswer],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut places = HashSet::new();
    for NewAnswer { caller, idempotency_key, .. } in answers {
        refuse_if(books.registry.key(*caller).is_none(), "there is no such key")?;
        let kept = books.answer(*caller, idempotency_key, now);
        if kept.is_some() || !places.insert((caller, idempotency_key)) {
            return Err(StoreError::KeyUsed);
        }
    }
    Ok(())
}

/// Every event is new and has a tenant, and every answer a free key, before anything is written.
pub(super) fn check(
    books: &Books,
    events: &[NewEvent],
    answers: &[NewAnswer],
    now: Timestamp,
) -> Result<(), StoreError> {
    keys_are_free(books, answers, now)?;
    let mut ids = HashSet::new();
    let mut keys = HashSet::new();
    for event in events {
        let known = books.event(event.id).is_some() || !ids.insert(event.id);
        refuse_if(known, "the event exists")?;
        books.tenant_exists(Some(event.tenant))?;
        let key = event.idempotency_key.as_ref();
        let repeated = key.is_some_and(|key| !keys.insert((event.tenant, event.livemode, key)));
        refuse_if(repeated || books.published_with(event).is_some(), "the key was used before")?;
    }
    Ok(())
}

/// The lines with a delivery under way.
pub(super) fn busy(books: &Books) -> HashSet<(i64, String)> {
    let under_way = books.unfinished().filter(|(_, delivery)| delivery.due_at().is_some());
    under_way.filter_map(|(_, delivery)| delivery.line()).collect()
}
