//! Accept: events, their deliveries and their sequence numbers in one commit.

use std::collections::{HashMap, HashSet};

use bluum_hooks_shared::time::Timestamp;
use sqlx::{Connection, SqliteConnection};

use super::{Writer, answers, row, statement};
use crate::crash_point;
use crate::policy::state::{ParkReason, State};
use crate::slots::Slots;
use crate::store::plan::{self, Planned, Standing};
use crate::store::{Accepted, NewAnswer, NewEvent, Registry, StoreError};
use crate::vault::Vault;

pub(super) async fn accept(
    writer: &mut Writer,
    events: &[NewEvent],
    answers: &[NewAnswer],
    registry: &Registry,
    vault: &Vault,
    slots: &Slots,
    now: Timestamp,
) -> Result<Accepted, StoreError> {
    let Writer { connection, last_event, last_delivery, sequences, .. } = writer;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    crash_point::reach("accept.begun");
    answers::keep(&mut transaction, answers, vault, now).await?;
    crash_point::reach("accept.answers_kept");
    let numbers = Numbers { last_event: *last_event, last_delivery: *last_delivery, sequences };
    let written = write(&mut transaction, events, registry, slots, &numbers, now).await?;
    transaction.commit().await?;
    crash_point::reach("accept.committed");
    Ok(written.settle(last_event, last_delivery, sequences, events))
}

/// The numbers to go on from.
pub(super) struct Numbers<'a> {
    pub(super) last_event: i64,
    pub(super) last_delivery: i64,
    pub(super) sequences: &'a HashMap<i64, i64>,
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

pub(super) async fn write(
    transaction: &mut SqliteConnection,
    events: &[NewEvent],
    registry: &Registry,
    slots: &Slots,
    numbers: &Numbers<'_>,
    now: Timestamp,
) -> Result<Written, StoreError> {
    insert_events(transaction, events, numbers.last_event, now).await?;
    crash_point::reach("accept.events_inserted");
    let busy = busy_lines(transaction, plan::lines(events, registry)).await?;
    let standing = Standing { registry, busy: &busy, sequences: numbers.sequences };
    let planned = plan::plan(events, &standing, slots, now);
    if !planned.is_empty() {
        insert_deliveries(transaction, &planned, numbers, now).await?;
        crash_point::reach("accept.deliveries_inserted");
        advance_sequences(transaction, &planned).await?;
        crash_point::reach("accept.sequences_advanced");
    }
    Ok(Written { first_delivery: numbers.last_delivery + 1, planned })
}

async fn insert_events(
    transaction: &mut SqliteConnection,
    events: &[NewEvent],
    last_event: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut bodies = Vec::with_capacity(events.iter().map(|event| event.body.len()).sum());
    let mut rows = Vec::with_capacity(events.len());
    for (position, event) in (last_event + 1..).zip(events) {
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
    sqlx::query(statement::INSERT_EVENTS)
        .bind(row::batch(&rows)?)
        .bind(bodies)
        .bind(now.as_micros())
        .execute(transaction)
        .await?;
    Ok(())
}

/// Those of the given lines with a delivery under way.
pub(super) async fn busy_lines(
    transaction: &mut SqliteConnection,
    lines: impl IntoIterator<Item = (i64, &str)>,
) -> Result<HashSet<(i64, String)>, StoreError> {
    let lines: HashSet<_> = lines.into_iter().collect();
    if lines.is_empty() {
        return Ok(HashSet::new());
    }
    let lines: Vec<_> = lines.into_iter().collect();
    let busy = sqlx::query_scalar(statement::BUSY_LINES).bind(row::batch(&lines)?);
    let busy: String = busy.fetch_one(transaction).await?;
    let busy: Vec<usize> = row::unbatch(&busy)?;
    let busy = busy.into_iter().filter_map(|place| lines.get(place));
    Ok(busy.map(|&(webhook, key)| (webhook, key.to_owned())).collect())
}

async fn insert_deliveries(
    transaction: &mut SqliteConnection,
    planned: &[Planned],
    numbers: &Numbers<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows: Vec<_> = (numbers.last_delivery + 1..)
        .zip(planned)
        .map(|(position, planned)| {
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
        })
        .collect();
    sqlx::query(statement::INSERT_DELIVERIES)
        .bind(row::batch(&rows)?)
        .bind(now.as_micros())
        .execute(transaction)
        .await?;
    Ok(())
}

async fn advance_sequences(
    transaction: &mut SqliteConnection,
    planned: &[Planned],
) -> Result<(), StoreError> {
    let last: HashMap<_, _> =
        planned.iter().map(|one| (one.webhook.number, one.sequence)).collect();
    let rows: Vec<_> = last.into_iter().collect();
    sqlx::query(statement::ADVANCE_SEQUENCES).bind(row::batch(&rows)?).execute(transaction).await?;
    Ok(())
}

pub(super) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
