//! Reading: one item, or a page of a list.

use bluum_hooks_shared::id::DeliveryId;
use bluum_hooks_shared::time::Timestamp;

use super::books::{Books, Delivery};
use crate::store::{
    Cursor, DeliveryFilter, EventFilter, PAGE_BYTES, Page, StoredAttempt, StoredDelivery,
    StoredEvent,
};

pub(super) fn events(books: &Books, filter: &EventFilter, page: Page) -> Vec<StoredEvent> {
    let (from, page) = match page.after {
        Some(Cursor::Position(position)) => (position + 1, Page { after: None, ..page }),
        _ => (0, page),
    };
    let list = books.events.range(from..).map(|(_, event)| event);
    let list =
        list.filter(|event| event.tenant == filter.tenant && event.livemode == filter.livemode);
    let wanted = |event: &StoredEvent| {
        filter.name.as_ref().is_none_or(|name| *name == event.name)
            && within(event.created_at, filter.since, filter.until)
    };
    let mut found = cut(list, |event| Cursor::Event(event.id), wanted, page);
    found.truncate(within_bytes(found.iter().map(|event| event.body.len())));
    found
}

/// How many of these there are in a page's bytes, and one beyond.
fn within_bytes(sizes: impl Iterator<Item = usize>) -> usize {
    let mut left = PAGE_BYTES;
    let whole = sizes.take_while(|size| match left.checked_sub(*size) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    });
    whole.count() + 1
}

pub(super) fn deliveries(
    books: &Books,
    filter: &DeliveryFilter,
    page: Page,
) -> Vec<StoredDelivery> {
    let wanted = |delivery: &StoredDelivery| {
        filter.status.is_none_or(|status| status == delivery.progress.state.status())
            && filter.event_name.as_ref().is_none_or(|name| *name == delivery.event_name)
            && within(delivery.created_at, filter.since, filter.until)
    };
    let cursor = |delivery: &StoredDelivery| Cursor::Delivery(delivery.id);
    let list = books.deliveries.values().map(|Delivery { stored, .. }| stored);
    let found = if let Some(event) = filter.event {
        cut(list.filter(|delivery| delivery.event == event), cursor, wanted, page)
    } else {
        let of_webhook = list.rev().filter(|delivery| filter.webhook == Some(delivery.webhook));
        cut(of_webhook, cursor, wanted, page)
    };
    found.iter().filter_map(|delivery| shown(books, delivery.id)).collect()
}

pub(super) fn delivery(
    books: &Books,
    id: DeliveryId,
) -> Option<(StoredDelivery, Vec<StoredAttempt>)> {
    let position = books.delivery_position(id)?;
    let attempts = books.attempts.get(&position).cloned().unwrap_or_default();
    Some((shown(books, id)?, attempts))
}

fn shown(books: &Books, id: DeliveryId) -> Option<StoredDelivery> {
    Some(books.shown(books.deliveries.get(&books.delivery_position(id)?)?))
}

/// From `since` on, and before `until`.
fn within(at: Timestamp, since: Option<Timestamp>, until: Option<Timestamp>) -> bool {
    since.is_none_or(|since| at >= since) && until.is_none_or(|until| at < until)
}

/// The page of a list. The cursor is an item of the whole list, wanted or not.
fn cut<'a, T: Clone + 'a>(
    mut list: impl Iterator<Item = &'a T>,
    cursor: impl Fn(&T) -> Cursor,
    wanted: impl Fn(&T) -> bool,
    page: Page,
) -> Vec<T> {
    if let Some(after) = page.after {
        // If it is not there, this comes to the end of the list, and the page is empty.
        list.find(|item| cursor(item) == after);
    }
    let wanted = list.filter(|item| wanted(item));
    wanted.skip(page.offset as usize).take(page.limit as usize).cloned().collect()
}
