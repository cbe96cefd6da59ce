//! Park what a listener does not want any more.

use bluum_hooks_shared::api::DeliveryStatus;
use bluum_hooks_shared::id::WebhookId;
use bluum_hooks_shared::time::Timestamp;

use super::books::{Books, Delivery};
use super::record;
use crate::policy::state::{ParkReason, State};
use crate::store::{Backlog, Gap, Kept, turns};

/// Whether somebody holds it.
pub(super) fn held(delivery: &Delivery, now: Timestamp) -> bool {
    let state = delivery.stored.progress.state;
    matches!(state, State::Leased { lease_until } if lease_until > now)
}

pub(super) fn skip(
    books: &mut Books,
    webhook: i64,
    up_to: i64,
    reason: ParkReason,
    now: Timestamp,
) -> usize {
    let unwanted = |(position, delivery): (i64, &Delivery)| {
        let wanted = delivery.webhook != webhook || delivery.stored.sequence > up_to;
        let after = turns::stopped(delivery.stored.progress, reason, now).ok()?;
        let line = delivery.due_at().and_then(|_| delivery.line());
        (!wanted && !held(delivery, now)).then_some((position, after, line))
    };
    let changes: Vec<_> = books.unfinished().filter_map(unwanted).collect();
    for &(position, after, _) in &changes {
        books.set_progress(position, after);
    }
    for line in changes.iter().filter_map(|(.., line)| line.as_ref()) {
        record::release(books, line, false, now);
    }
    changes.len()
}

pub(super) fn backlog(books: &Books, id: WebhookId, after: Option<i64>, kept: Kept) -> Backlog {
    let of_webhook =
        || books.deliveries.values().map(|one| &one.stored).filter(|one| one.webhook == id);
    let unfinished = |one: &&_| -> bool {
        let one: &crate::store::StoredDelivery = one;
        one.progress.state.finished_at().is_none()
    };
    let owed: Vec<_> = of_webhook().filter(unfinished).collect();
    let too_many = owed.len().saturating_sub(usize::try_from(kept.at_most).unwrap_or(usize::MAX));
    let too_old = owed.iter().filter(|one| one.created_at < kept.since);
    let surplus = owed.iter().take(too_many).chain(too_old).map(|one| one.sequence).max();
    let attempted = of_webhook().filter(|one| one.progress.attempts > 0);
    let from = after.or_else(|| attempted.map(|one| one.sequence).max()).unwrap_or(0);
    let expired = of_webhook().filter(|one| {
        let state = one.progress.state;
        state.status() == DeliveryStatus::Parked
            && state.reason() == Some(ParkReason::Expired)
            && one.sequence > from
    });
    let expired: Vec<_> = expired.map(|one| one.sequence).collect();
    let gap = expired.first().zip(expired.last()).map(|(&from, &to)| Gap {
        from,
        to,
        count: i64::try_from(expired.len()).unwrap_or(i64::MAX),
    });
    let number = books.registry.webhook_number(id);
    Backlog {
        owed: i64::try_from(owed.len()).unwrap_or(i64::MAX),
        oldest: owed.iter().map(|one| one.created_at).min(),
        last_sequence: number.and_then(|number| books.sequences.get(&number)).copied().unwrap_or(0),
        surplus,
        gap,
    }
}
