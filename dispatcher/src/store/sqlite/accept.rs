//! Accept: events, their deliveries and their sequence numbers.

use std::collections::{HashMap, HashSet};

use bluum_hooks_shared::time::Timestamp;
use sqlx::{Row, SqliteConnection};

use super::write::{Changes, Rows};
use super::{row, statement};
use crate::policy::state::ParkReason;
use crate::slots::Slots;
use crate::store::plan::{self, Planned, Standing};
use crate::store::{Accepted, NewEvent, Registry, StoreError};

/// The numbers to go on from.
#[derive(Debug)]
pub(super) struct Numbers {
    pub(super) last_event: i64,
    pub(super) last_delivery: i64,
    /// The last sequence number of each webhook that has one.
    pub(super) sequences: HashMap<i64, i64>,
}

/// What is to be written, as far as is known before.
pub(super) struct Plan {
    first_event: i64,
    first_delivery: i64,
    planned: Vec<Planned>,
}

impl Plan {
    pub(super) fn new(
        events: &[NewEvent],
        registry: &Registry,
        numbers: &Numbers,
        slots: &Slots,
        now: Timestamp,
    ) -> Self {
        let standing = Standing { registry, sequences: &numbers.sequences };
        Self {
            first_event: numbers.last_event + 1,
            first_delivery: numbers.last_delivery + 1,
            planned: plan::plan(events, &standing, slots, now),
        }
    }

    /// Adds it to what is to be written; `events` are those it was made for.
    pub(super) fn add(&self, changes: &mut Changes, events: &[NewEvent]) -> Result<(), StoreError> {
        let mut bodies = Vec::with_capacity(events.iter().map(|event| event.body.len()).sum());
        let mut rows = Vec::with_capacity(events.len());
        for (position, event) in (self.first_event..).zip(events) {
            // substr counts from 1.
            let offset = bodies.len() + 1;
            bodies.extend_from_slice(&event.body);
            rows.push((
                position,
                event.id,
                event.tenant,
                u8::from(event.livemode),
                &event.name,
                &event.idempotency_key,
                offset,
                event.body.len(),
            ));
        }
        changes.events = Rows::of(&rows)?;
        changes.bodies = bodies;
        let deliveries = (self.first_delivery..).zip(&self.planned);
        let deliveries: Vec<_> =
            deliveries.map(|(position, one)| self.row(position, one)).collect();
        changes.deliveries = Rows::of(&deliveries)?;
        changes.last_delivery = self.first_delivery - 1;
        let last = self.planned.iter().map(|one| (one.webhook.number, one.sequence));
        let last: HashMap<_, _> = last.collect();
        changes.sequences = Rows::of(&last.into_iter().collect::<Vec<_>>())?;
        Ok(())
    }

    fn row(&self, position: i64, planned: &Planned) -> impl serde::Serialize {
        let state = planned.progress.state;
        (
            position,
            planned.id,
            self.first_event + number(planned.event),
            planned.webhook.number,
            planned.sequence,
            planned.ordering_key.clone(),
            state.status().as_str(),
            state.due_at().map(Timestamp::as_micros),
            state.finished_at().map(Timestamp::as_micros),
            state.reason().map(ParkReason::as_str),
            planned.progress.claim,
        )
    }

    /// Takes the numbers as used, now that all is written. Those of the deliveries that are
    /// `queued` were planned to be under way, before it was known that others of their lines are.
    pub(super) fn settle(
        self,
        numbers: &mut Numbers,
        events: &[NewEvent],
        queued: &HashSet<i64>,
        slots: &Slots,
    ) -> Accepted {
        numbers.last_event += number(events.len());
        numbers.last_delivery += number(self.planned.len());
        let mut accepted = Accepted::default();
        for (position, mut planned) in (self.first_delivery..).zip(self.planned) {
            numbers.sequences.insert(planned.webhook.number, planned.sequence);
            if queued.contains(&position) {
                planned.wait();
            }
            let event = &events[planned.event];
            planned.settle(position, event, slots, &mut accepted);
        }
        accepted
    }
}

/// Those of these lines with a delivery under way.
pub(super) async fn busy_lines(
    transaction: &mut SqliteConnection,
    lines: impl IntoIterator<Item = (i64, &str)>,
) -> Result<HashSet<(i64, String)>, StoreError> {
    let lines: HashSet<_> = lines.into_iter().collect();
    if lines.is_empty() {
        return Ok(HashSet::new());
    }
    let lines: Vec<_> = lines.into_iter().collect();
    let busy = sqlx::query(statement::BUSY_LINES).bind(row::batch(&lines)?);
    let busy = busy.fetch_one(transaction).await?;
    let busy: Vec<usize> = row::unbatch(busy.try_get(0)?)?;
    let busy = busy.into_iter().filter_map(|place| lines.get(place));
    Ok(busy.map(|&(webhook, key)| (webhook, key.to_owned())).collect())
}

pub(super) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
