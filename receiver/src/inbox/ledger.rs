//! What is written about an event, a statement each. All run in a transaction of the caller's.

use sqlx::Database;

use super::InboxError;
use super::backend::{Backend, Value};
use crate::id::EventId;
use crate::{Event, Timestamp};

/// Longest text kept of an error, in bytes.
const MAX_ERROR_BYTES: usize = 2_000;

type Connection<DB> = <DB as Database>::Connection;

/// Where an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Not processed: new, or it has failed.
    Pending,
    Processed,
    Stale,
    Quarantined,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processed => "processed",
            Self::Stale => "stale",
            Self::Quarantined => "quarantined",
        }
    }

    fn parse(text: &str) -> sqlx::Result<Self> {
        [Self::Pending, Self::Processed, Self::Stale, Self::Quarantined]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| sqlx::Error::Decode(format!("no state is called '{text}'").into()))
    }
}

/// The row of an event, locked until the transaction ends.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) state: State,
    pub(super) failures: u32,
    pub(super) error: Option<String>,
    pub(super) body: Option<Vec<u8>>,
}

fn entry<DB: Backend>(row: &DB::Row) -> sqlx::Result<Entry> {
    Ok(Entry {
        state: State::parse(&DB::text(row, 0)?.unwrap_or_default())?,
        failures: u32::try_from(DB::int(row, 1)?.unwrap_or(0)).unwrap_or(u32::MAX),
        error: DB::text(row, 2)?,
        body: DB::bytes(row, 3)?,
    })
}

/// A copy of an event has arrived: makes its row, or counts the copy.
///
/// This is what copies wait for each other at. It writes in either case, so it takes the lock.
pub(super) async fn arrive<DB: Backend>(
    connection: &mut Connection<DB>,
    event: &Event,
    now: Timestamp,
) -> Result<Entry, InboxError> {
    let values = [
        Value::Text(&event.id),
        Value::Text(&event.name),
        Value::Int(event.timestamp.as_micros()),
        Value::Int(now.as_micros()),
    ];
    let rows = DB::rows(
        connection,
        "INSERT INTO bluum_inbox_events AS entry
           (event_id, name, state, occurred_at, received_at, seen_at, deliveries, failures)
         VALUES ($1, $2, 'pending', $3, $4, $4, 1, 0)
         ON CONFLICT (event_id) DO UPDATE SET seen_at = $4, deliveries = entry.deliveries + 1
         RETURNING state, failures, error, NULL",
        &values,
    );
    let row = rows.await?.pop().ok_or(sqlx::Error::RowNotFound)?;
    Ok(entry::<DB>(&row)?)
}

/// The row of an event, for running it again: `None` if there is none.
pub(super) async fn open<DB: Backend>(
    connection: &mut Connection<DB>,
    event_id: &str,
) -> Result<Option<Entry>, InboxError> {
    // Changes nothing, but takes the lock.
    let lock = "UPDATE bluum_inbox_events SET failures = failures WHERE event_id = $1
                RETURNING state, failures, error, body";
    let rows = DB::rows(connection, lock, &[Value::Text(event_id)]).await?;
    Ok(rows.first().map(entry::<DB>).transpose()?)
}

/// The event has been processed, or is stale for ever.
pub(super) async fn finish<DB: Backend>(
    connection: &mut Connection<DB>,
    event: &Event,
    state: State,
    now: Timestamp,
) -> Result<(), InboxError> {
    let values = [Value::Text(&event.id), Value::Text(state.as_str()), Value::Int(now.as_micros())];
    DB::execute(
        connection,
        "UPDATE bluum_inbox_events SET state = $2, finished_at = $3, error = NULL, body = NULL
         WHERE event_id = $1",
        &values,
    )
    .await?;
    Ok(())
}

/// The handler has failed: counts it, keeps the bytes, and puts the event into quarantine if it
/// has failed `max_failures` times.
pub(super) async fn fail<DB: Backend>(
    connection: &mut Connection<DB>,
    event: &Event,
    error: &str,
    max_failures: u32,
    now: Timestamp,
) -> Result<Entry, InboxError> {
    let values = [
        Value::Text(&event.id),
        Value::Text(error),
        Value::Bytes(event.body().as_bytes()),
        Value::Int(i64::from(max_failures)),
        Value::Int(now.as_micros()),
    ];
    let rows = DB::rows(
        connection,
        "UPDATE bluum_inbox_events SET failures = failures + 1, error = $2, body = $3,
           state = CASE WHEN failures + 1 >= $4 THEN 'quarantined' ELSE 'pending' END,
           finished_at = CASE WHEN failures + 1 >= $4 THEN COALESCE(finished_at, $5) END
         WHERE event_id = $1
         RETURNING state, failures, error, NULL",
        &values,
    );
    let row = rows.await?.pop().ok_or(sqlx::Error::RowNotFound)?;
    Ok(entry::<DB>(&row)?)
}

/// Whether the event is not older than the last one applied for its object, which it then is.
///
/// Older by when the sender accepted it, which its id says: that is the order in which events are
/// delivered, while the event's own time is whatever the publisher's clock said. Where that is the
/// same, or the id says nothing, by its own time; and where that is the same too, what comes later
/// is taken for later.
pub(super) async fn advance<DB: Backend>(
    connection: &mut Connection<DB>,
    event: &Event,
    now: Timestamp,
) -> Result<bool, InboxError> {
    let Some(object) = event.object() else { return Ok(true) };
    let accepted = event.id.parse::<EventId>().map_or(0, |id| id.made_at().as_micros());
    let values = [
        Value::Text(&without_nul(&object)),
        Value::Int(event.timestamp.as_micros()),
        Value::Int(accepted),
        Value::Int(now.as_micros()),
    ];
    let changed = DB::execute(
        connection,
        "INSERT INTO bluum_inbox_objects AS applied (object, occurred_at, accepted_at, applied_at)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (object) DO UPDATE SET occurred_at = $2, accepted_at = $3, applied_at = $4
         WHERE (applied.accepted_at, applied.occurred_at) <= ($3, $2)",
        &values,
    );
    Ok(changed.await? == 1)
}

/// An error with its causes, as it is kept and logged.
pub(super) fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut text = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    text.truncate(text.floor_char_boundary(MAX_ERROR_BYTES));
    without_nul(&text)
}

/// PostgreSQL takes no NUL in a text.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
