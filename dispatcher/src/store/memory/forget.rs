//! Forget: what is old enough is deleted, a few events at a time.

use super::books::Books;
use crate::policy::state::State;
use crate::store::{Forgotten, Horizon};

pub(super) fn forget(books: &mut Books, after: i64, limit: usize, horizon: Horizon) -> Forgotten {
    let old = books.events.range(after + 1..).take(limit);
    let old = old.take_while(|(_, event)| event.created_at < horizon.finished_before);
    let old: Vec<_> = old.map(|(&position, event)| (position, event.id)).collect();
    let mut forgotten = Forgotten {
        next: old.last().filter(|_| old.len() == limit).map(|(position, _)| *position),
        ..Forgotten::default()
    };
    for (position, event) in old {
        let of_event = books.deliveries.iter().filter(|(_, one)| one.stored.event == event);
        let (gone, kept): (Vec<_>, Vec<_>) = of_event
            .map(|(&at, one)| (at, one.stored.id, one.stored.progress.state))
            .partition(|(.., state)| is_old(*state, horizon));
        for (at, id, _) in &gone {
            books.forget_delivery(*at, *id);
        }
        forgotten.deliveries += gone.len();
        if kept.is_empty() {
            books.forget_event(position, event);
            forgotten.events += 1;
        }
    }
    forgotten
}

fn is_old(state: State, horizon: Horizon) -> bool {
    match state {
        State::Delivered { finished_at } => finished_at < horizon.finished_before,
        State::Parked { finished_at, .. } => finished_at < horizon.parked_before,
        _ => false,
    }
}
