//! What has failed too often: kept, and run again when somebody says so.

use std::fmt;

use sqlx::Transaction;

use super::backend::{Backend, Value};
use super::ledger::{self, Entry, State};
use super::{HandlerError, Inbox, InboxError, Outcome, report, violation};
use crate::{Event, Timestamp};

/// Most events on a page of the quarantine.
const PAGE: i64 = 50;

/// An event in quarantine.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuarantinedEvent {
    /// The event's id.
    pub id: String,
    /// The type: `order.filled`.
    pub name: String,
    /// When it happened.
    pub timestamp: Timestamp,
    /// When its first copy arrived.
    pub received_at: Timestamp,
    /// When it was put into quarantine.
    pub quarantined_at: Timestamp,
    /// How often its handler has failed.
    pub failures: u32,
    /// What the last failure said.
    pub error: String,
    /// The body, byte for byte as it was received.
    pub body: Vec<u8>,
}

/// What came of replaying what is in quarantine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    /// Processed now.
    pub processed: u64,
    /// Left out: a later event about the same object was processed before.
    pub stale: u64,
    /// Failed again, and still in quarantine.
    pub failed: u64,
}

const QUARANTINED: &str = "
    SELECT event_id, name, occurred_at, received_at, finished_at, failures, error, body
    FROM bluum_inbox_events
    WHERE state = 'quarantined' AND (occurred_at, event_id) > ($1, $2) AND finished_at >= $3
    ORDER BY occurred_at, event_id LIMIT $4";

const RELEASE: &str = "
    UPDATE bluum_inbox_events SET state = 'pending', failures = 0, finished_at = NULL
    WHERE event_id = $1 AND state = 'quarantined'";

impl<DB: Backend> Inbox<DB> {
    /// What is in quarantine, in the order in which it happened, 50 at a time: those after the last
    /// one of the page before, or from the beginning.
    pub async fn quarantined(
        &self,
        after: Option<&QuarantinedEvent>,
    ) -> Result<Vec<QuarantinedEvent>, InboxError> {
        let place = after.map_or((i64::MIN, ""), |last| (last.timestamp.as_micros(), &*last.id));
        self.page(place, i64::MIN, PAGE).await
    }

    /// Runs `handler` for one event that is in quarantine, or that has failed, in a transaction of
    /// its own. Afterwards it is processed, or in quarantine.
    ///
    /// [`Outcome::Duplicate`] if it has been processed since, or was left out as stale. To be rid
    /// of an event that shall never be processed, replay it with a handler that does nothing:
    /// `async |_, _| Ok(())`.
    pub async fn replay<T, F>(&self, event_id: &str, handler: F) -> Result<Outcome<T>, InboxError>
    where
        F: AsyncFnOnce(&mut DB::Connection, &Event) -> Result<T, HandlerError>,
    {
        let mut tx = self.begin().await?;
        let outcome = self.run_again(&mut tx, event_id, handler).await?;
        let Err(error) = tx.commit().await else { return Ok(outcome) };
        let error = violation(error)?;
        let mut tx = self.begin().await?;
        let outcome = self.run_again(&mut tx, event_id, async |_, _| Err(error)).await?;
        tx.commit().await?;
        Ok(outcome)
    }

    /// Runs `handler` for each event that was put into quarantine at `since` or later, in the order
    /// in which they happened, each once and in a transaction of its own.
    ///
    /// Stops at an error of the database; what was processed before stays so.
    pub async fn replay_since<F>(
        &self,
        since: Timestamp,
        mut handler: F,
    ) -> Result<Replayed, InboxError>
    where
        F: AsyncFnMut(&mut DB::Connection, &Event) -> Result<(), HandlerError>,
    {
        let mut replayed = Replayed::default();
        let mut place = (i64::MIN, String::new());
        while let Some(next) = self.page((place.0, &place.1), since.as_micros(), 1).await?.pop() {
            match self.replay(&next.id, &mut handler).await? {
                Outcome::Processed(()) => replayed.processed += 1,
                Outcome::Stale => replayed.stale += 1,
                Outcome::Failed { .. } | Outcome::Quarantined { .. } => replayed.failed += 1,
                // Somebody else replays too.
                Outcome::Duplicate => {}
            }
            place = (next.timestamp.as_micros(), next.id);
        }
        Ok(replayed)
    }

    /// Lets an event out of quarantine without running it: the next copy that arrives does, and its
    /// failures are counted from zero. Whether it was in quarantine.
    ///
    /// The sender has been answered 204, so a copy arrives only if you ask for one
    /// (`POST /v1/deliveries/{id}/replay`).
    pub async fn release(&self, event_id: &str) -> Result<bool, InboxError> {
        let mut connection = self.pool.acquire().await?;
        let id = [Value::Text(event_id)];
        Ok(DB::execute(&mut connection, RELEASE, &id).await? == 1)
    }

    async fn run_again<T, F>(
        &self,
        tx: &mut Transaction<'_, DB>,
        event_id: &str,
        handler: F,
    ) -> Result<Outcome<T>, InboxError>
    where
        F: AsyncFnOnce(&mut DB::Connection, &Event) -> Result<T, HandlerError>,
    {
        let body = match ledger::open::<DB>(tx, event_id).await? {
            Some(Entry { state: State::Processed | State::Stale, .. }) => {
                return Ok(Outcome::Duplicate);
            }
            Some(Entry { body: Some(body), .. }) => body,
            _ => return Err(InboxError::NotKept { event_id: event_id.to_owned() }),
        };
        let event = Event::parse_with_id(&body, event_id)
            .map_err(|reason| InboxError::Damaged { event_id: event_id.to_owned(), reason })?;
        // Failing once more is enough: whoever replays is not asked to do so five times.
        let outcome = self.attempt(tx, &event, 1, handler).await?;
        report(&event, &outcome);
        Ok(outcome)
    }

    async fn page(
        &self,
        (occurred_at, id): (i64, &str),
        since: i64,
        limit: i64,
    ) -> Result<Vec<QuarantinedEvent>, InboxError> {
        let mut connection = self.pool.acquire().await?;
        let values =
            [Value::Int(occurred_at), Value::Text(id), Value::Int(since), Value::Int(limit)];
        let rows = DB::rows(&mut connection, QUARANTINED, &values).await?;
        Ok(rows.iter().map(quarantined::<DB>).collect::<Result<_, _>>()?)
    }
}

fn quarantined<DB: Backend>(row: &DB::Row) -> sqlx::Result<QuarantinedEvent> {
    let time = |column| -> sqlx::Result<Timestamp> {
        Ok(Timestamp::from_micros(DB::int(row, column)?.unwrap_or(0)))
    };
    Ok(QuarantinedEvent {
        id: DB::text(row, 0)?.unwrap_or_default(),
        name: DB::text(row, 1)?.unwrap_or_default(),
        timestamp: time(2)?,
        received_at: time(3)?,
        quarantined_at: time(4)?,
        failures: u32::try_from(DB::int(row, 5)?.unwrap_or(0)).unwrap_or(u32::MAX),
        error: DB::text(row, 6)?.unwrap_or_default(),
        body: DB::bytes(row, 7)?.unwrap_or_default(),
    })
}

/// Leaves the body out: it may name a person, and `{:?}` ends up in logs.
impl fmt::Debug for QuarantinedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuarantinedEvent")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("timestamp", &self.timestamp)
            .field("received_at", &self.received_at)
            .field("quarantined_at", &self.quarantined_at)
            .field("failures", &self.failures)
            .field("error", &self.error)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}
