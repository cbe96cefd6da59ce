//! The outbox: rows that publishers inserted themselves, taken over in the order of their commits.

use std::collections::HashMap;

use bluum_hooks_shared::time::Timestamp;
use sqlx::{Connection, Row, SqliteConnection};

use super::accept::Plan;
use super::write::Changes;
use super::{Writer, row, statement};
use crate::crash_point;
use crate::slots::Slots;
use crate::store::{Accepted, Drained, NewEvent, OutboxReader, OutboxRow, Registry, StoreError};

/// Notices commits of other connections without reading a table.
#[derive(Debug)]
pub(super) struct Watch {
    connection: SqliteConnection,
    /// The version at which the outbox was last seen empty.
    empty_at: Option<i64>,
}

impl Watch {
    pub(super) fn new(connection: SqliteConnection) -> Self {
        Self { connection, empty_at: None }
    }

    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        self.connection.close().await
    }

    pub(super) async fn waiting(&mut self) -> Result<bool, StoreError> {
        let version: i64 =
            sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut self.connection).await?;
        if self.empty_at == Some(version) {
            return Ok(false);
        }
        let waiting: bool =
            sqlx::query_scalar(statement::OUTBOX_WAITING).fetch_one(&mut self.connection).await?;
        self.empty_at = (!waiting).then_some(version);
        Ok(waiting)
    }
}

pub(super) async fn drain(
    writer: &mut Writer,
    limit: usize,
    read: &OutboxReader,
    registry: &Registry,
    slots: &Slots,
    now: Timestamp,
) -> Result<Drained, StoreError> {
    let Writer { connection, numbers, .. } = writer;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    crash_point::reach("outbox.begun");
    let rows = rows(&mut transaction, limit).await?;
    crash_point::reach("outbox.read");
    let Some(last) = rows.last().map(|row| row.position) else {
        return Ok(Drained::default());
    };
    let sorted = sort(&mut transaction, &rows, read).await?;
    crash_point::reach("outbox.sorted");
    reject(&mut transaction, &sorted.rejected, now).await?;
    crash_point::reach("outbox.rejected");
    sqlx::query(statement::OUTBOX_DELETE).bind(last).execute(&mut *transaction).await?;
    crash_point::reach("outbox.deleted");
    let accepted = if sorted.events.is_empty() {
        transaction.commit().await?;
        Accepted::default()
    } else {
        let events = &sorted.events;
        let plan = Plan::new(events, registry, numbers, slots, now);
        let mut changes = Changes::default();
        plan.add(&mut changes, events)?;
        let queued = changes.write(&mut transaction, now).await?.queued()?;
        transaction.commit().await?;
        crash_point::reach("outbox.committed");
        plan.settle(numbers, events, &queued, slots)
    };
    Ok(Drained { taken: rows.len(), rejected: sorted.rejected.len(), accepted })
}

/// The bytes of a column as text, if they are.
fn text(row: &sqlx::sqlite::SqliteRow, column: usize) -> Result<Option<String>, StoreError> {
    let bytes: Option<Vec<u8>> = row.try_get(column)?;
    Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
}

async fn rows(
    transaction: &mut SqliteConnection,
    limit: usize,
) -> Result<Vec<OutboxRow>, StoreError> {
    let rows = sqlx::query(statement::OUTBOX_ROWS)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(transaction)
        .await?;
    let read = rows.iter().map(|row| {
        Ok(OutboxRow {
            position: row.try_get(0)?,
            tenant_id: text(row, 1)?,
            livemode: row.try_get(2)?,
            event: text(row, 3)?,
            data: text(row, 4)?,
            investor_id: text(row, 5)?,
            ordering_key: text(row, 6)?,
            idempotency_key: text(row, 7)?,
        })
    });
    read.collect()
}

#[derive(Default)]
struct Sorted {
    events: Vec<NewEvent>,
    rejected: Vec<(i64, String)>,
}

/// Which rows become events. A row whose idempotency key was used before becomes none: the same
/// event again is dropped, another one is rejected.
async fn sort(
    transaction: &mut SqliteConnection,
    rows: &[OutboxRow],
    read: &OutboxReader,
) -> Result<Sorted, StoreError> {
    let mut sorted = Sorted::default();
    let mut with_key: HashMap<_, usize> = HashMap::new();
    for row in rows {
        let event = match read(row) {
            Ok(event) => event,
            Err(reason) => {
                sorted.rejected.push((row.position, reason));
                continue;
            }
        };
        let Some(key) = event.idempotency_key.clone() else {
            sorted.events.push(event);
            continue;
        };
        let scope = (event.tenant, event.livemode, key);
        let same = match with_key.get(&scope) {
            Some(&place) => {
                Some(event.says_the_same(&sorted.events[place].name, &sorted.events[place].body))
            }
            None => published_before(transaction, &event).await?,
        };
        match same {
            Some(true) => {}
            Some(false) => {
                let reason = "the idempotency key was used for another event";
                sorted.rejected.push((row.position, reason.to_owned()));
            }
            None => {
                with_key.insert(scope, sorted.events.len());
                sorted.events.push(event);
            }
        }
    }
    Ok(sorted)
}

/// Whether an event with this idempotency key says the same; `None` if there is none.
async fn published_before(
    transaction: &mut SqliteConnection,
    event: &NewEvent,
) -> Result<Option<bool>, StoreError> {
    let found: Option<(String, Vec<u8>)> = sqlx::query_as(statement::PUBLISHED_WITH)
        .bind(event.tenant.to_string())
        .bind(event.livemode)
        .bind(&event.idempotency_key)
        .fetch_optional(transaction)
        .await?;
    Ok(found.map(|(name, body)| event.says_the_same(&name, &body)))
}

async fn reject(
    transaction: &mut SqliteConnection,
    rejected: &[(i64, String)],
    now: Timestamp,
) -> Result<(), StoreError> {
    if !rejected.is_empty() {
        sqlx::query(statement::OUTBOX_REJECT)
            .bind(row::batch(&rejected)?)
            .bind(now.as_micros())
            .execute(transaction)
            .await?;
    }
    Ok(())
}
