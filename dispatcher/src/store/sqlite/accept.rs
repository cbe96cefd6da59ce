//! Accept: events, their deliveries and their sequence numbers.

use std::collections::{HashMap, HashSet};

use bluum_hooks_shared::time::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::script::{self, Unbound};
use super::{row, statement};
use crate::policy::state::{ParkReason, State};
use crate::slots::Slots;
use crate::store::plan::{self, Planned, Standing};
use crate::store::{Accepted, NewEvent, Registry, StoreError};

/// The numbers to go on from.
pub(super) struct Numbers<'a> {
    pub(super) last_event: i64,
    pub(super) last_delivery: i64,
    pub(super) sequences: &'a HashMap<i64, i64>,
}

impl Numbers<'_> {
    pub(super) fn written(&self, planned: Vec<Planned>) -> Written {
        Written { first_delivery: self.last_delivery + 1, planned }
    }
}

/// What was written, if the transaction commits.
pub(super) struct Written {
    first_delivery: i64,
    planned: Vec<Planned>,
}

impl Written {
    /// Takes the numbers as used, now that the transaction is committed.
    pub(super) fn settle(
        self,
        last_event: &mut i64,
        last_delivery: &mut i64,
        sequences: &mut HashMap<i64, i64>,
        events: &[NewEvent],
    ) -> Accepted {
        *last_event += number(events.len());
        *last_delivery += number(self.planned.len());
        let mut accepted = Accepted::default();
        for (position, planned) in (self.first_delivery..).zip(self.planned) {
            sequences.insert(planned.webhook.number, planned.sequence);
            let waits = matches!(planned.progress.state, State::Waiting { .. });
            accepted.left_waiting |= waits;
            let event = &events[planned.event];
            accepted.work.extend(planned.into_work(position, event));
        }
        accepted
    }
}

/// Writes events and their deliveries, inside a transaction.
pub(super) async fn write(
    transaction: &mut SqliteConnection,
    events: &[NewEvent],
    registry: &Registry,
    slots: &Slots,
    numbers: &Numbers<'_>,
    now: Timestamp,
) -> Result<Written, StoreError> {
    let lines = distinct(plan::lines(events, registry));
    let write = bind_events(script::WRITE_EVENTS.query(), events, numbers, now)?;
    let [_events, rows] = script::run(write.bind(row::batch(&lines)?), transaction).await?;
    let busy = busy(&rows.rows, 0, &lines)?;
    let standing = Standing { registry, busy: &busy, sequences: numbers.sequences };
    let planned = plan::plan(events, &standing, slots, now);
    let write = bind_deliveries(script::WRITE_DELIVERIES.query(), &planned, numbers, now)?;
    let [_deliveries, _sequences] = script::run(write, transaction).await?;
    Ok(numbers.written(planned))
}

/// Those of these lines with a delivery under way.
pub(super) async fn busy_lines(
    transaction: &mut SqliteConnection,
    lines: impl IntoIterator<Item = (i64, &str)>,
) -> Result<HashSet<(i64, String)>, StoreError> {
    let lines = distinct(lines);
    if lines.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = sqlx::query(statement::BUSY_LINES).bind(row::batch(&lines)?);
    busy(&rows.fetch_all(transaction).await?, 0, &lines)
}

/// As `BUSY_LINES` takes them.
pub(super) fn distinct<'a>(lines: impl IntoIterator<Item = (i64, &'a str)>) -> Vec<(i64, &'a str)> {
    let lines: HashSet<_> = lines.into_iter().collect();
    lines.into_iter().collect()
}

/// What `BUSY_LINES` says of these lines, in this column of a row.
pub(super) fn busy(
    rows: &[SqliteRow],
    column: usize,
    lines: &[(i64, &str)],
) -> Result<HashSet<(i64, String)>, StoreError> {
    let Some(row) = rows.first() else { return Ok(HashSet::new()) };
    let busy: Vec<usize> = row::unbatch(row.try_get(column)?)?;
    let busy = busy.into_iter().filter_map(|place| lines.get(place));
    Ok(busy.map(|&(webhook, key)| (webhook, key.to_owned())).collect())
}

/// Binds the values of `INSERT_EVENTS`.
pub(super) fn bind_events(
    script: Unbound,
    events: &[NewEvent],
    numbers: &Numbers<'_>,
    now: Timestamp,
) -> Result<Unbound, StoreError> {
    let mut bodies = Vec::with_capacity(events.iter().map(|event| event.body.len()).sum());
    let mut rows = Vec::with_capacity(events.len());
    for (position, event) in (numbers.last_event + 1..).zip(events) {
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
    Ok(script.bind(row::batch(&rows)?).bind(bodies).bind(now.as_micros()))
}

/// Binds the values of `INSERT_DELIVERIES` and `ADVANCE_SEQUENCES`.
pub(super) fn bind_deliveries(
    script: Unbound,
    planned: &[Planned],
    numbers: &Numbers<'_>,
    now: Timestamp,
) -> Result<Unbound, StoreError> {
    let rows = (numbers.last_delivery + 1..).zip(planned).map(|(position, planned)| {
        let state = planned.progress.state;
        (
            position,
            planned.id,
            numbers.last_event + 1 + number(planned.event),
            planned.webhook.number,
            planned.sequence,
            &planned.ordering_key,
            state.status().as_str(),
            state.due_at().map(Timestamp::as_micros),
            state.finished_at().map(Timestamp::as_micros),
            state.reason().map(ParkReason::as_str),
            planned.progress.claim,
        )
    });
    let script = script.bind(row::batch(&rows.collect::<Vec<_>>())?).bind(now.as_micros());
    let last = planned.iter().map(|one| (one.webhook.number, one.sequence));
    let last: HashMap<_, _> = last.collect();
    Ok(script.bind(row::batch(&last.into_iter().collect::<Vec<_>>())?))
}

pub(super) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
