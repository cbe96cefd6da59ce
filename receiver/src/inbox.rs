//! Process each event exactly once, in the database that your handler writes to.
//!
//! A sender that loses nothing sends some things twice: when your answer got lost, when you were
//! too slow, when somebody replays. The inbox writes the id of the event into a table of your own
//! database, **in the same transaction as your handler's writes**. So both are there or neither is,
//! whenever the process dies, and a copy finds the id and does not run.
//!
//! Features: `sqlite`, `postgres` or both, on [sqlx](https://docs.rs/sqlx) 0.9.
//!
//! ```
//! # #[cfg(not(feature = "sqlite"))] fn main() {}
//! # #[cfg(feature = "sqlite")] #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use bluum_hooks_receiver::Event;
//! use bluum_hooks_receiver::inbox::{Inbox, Outcome};
//! use sqlx::SqlitePool;
//!
//! # let folder = tempfile::tempdir()?;
//! # let url = format!("sqlite:{}?mode=rwc", folder.path().join("fills.db").display());
//! let pool = SqlitePool::connect(&url).await?;
//! # sqlx::query("CREATE TABLE fills (event_id TEXT)").execute(&pool).await?;
//! let inbox = Inbox::new(pool);
//! inbox.migrate().await?; // at each start
//!
//! # let body = r#"{"id":"evt_1","livemode":false,"event":"order.filled",
//! #     "timestamp":"2026-06-15T14:30:15Z","data":{"id":"ord_1","status":"filled"}}"#;
//! let event = Event::parse(body.as_bytes())?; // of a verified delivery
//! let outcome = inbox.handle(&event, async |tx, event| {
//!     sqlx::query("INSERT INTO fills (event_id) VALUES ($1)").bind(&event.id).execute(tx).await?;
//!     Ok(())
//! });
//! assert!(matches!(outcome.await?, Outcome::Processed(())));
//!
//! let copy = inbox.handle(&event, async |_, _| Ok(())).await?; // does not run
//! assert!(matches!(copy, Outcome::Duplicate));
//! assert_eq!(copy.status(), 204);
//! # Ok(()) }
//! ```
//!
//! With the feature `axum`, [`Outcome`] and [`InboxError`] are responses, so a handler of axum can
//! return `Result<Outcome<()>, InboxError>`: `examples/axum_inbox.rs`. Elsewhere, answer with
//! [`Outcome::status`].
//!
//! # The handler
//!
//! It gets the connection and the event, and writes with that connection, nothing else: what goes
//! another way (a mail, a call of an API, another database) is not rolled back with it. Write down
//! that it is to be done, and do it afterwards.
//!
//! Two copies at once wait for each other: one runs, and when it has committed the other is a
//! duplicate; when it rolls back, the other runs. On SQLite all writers wait for each other anyway.
//! So keep handlers short, and put a timeout around what could hang *inside* the handler: then it
//! is a failure like any other.
//!
//! [`Inbox::handle`] has a transaction of its own; [`Inbox::process`] takes part in yours.
//! **Answer after the commit, never before.**
//!
//! # Failures
//!
//! When the handler returns an error, what it wrote is rolled back, the failure is counted, and the
//! answer is 500: the sender tries again. An event that has failed [`DEFAULT_MAX_FAILURES`] times
//! goes into quarantine: its bytes are kept, and it is answered with 204, so that the sender stops.
//! Nothing runs it again but you, when what was wrong has been mended:
//!
//! ```
//! # #[cfg(not(feature = "sqlite"))] fn main() {}
//! # #[cfg(feature = "sqlite")] #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use bluum_hooks_receiver::{Event, Timestamp, inbox::{Inbox, HandlerError, Outcome}};
//! # let pool = sqlx::pool::PoolOptions::new().max_connections(1);
//! # let pool = pool.connect("sqlite::memory:").await?;
//! # let inbox: Inbox<sqlx::Sqlite> = Inbox::new(pool).max_failures(1);
//! # inbox.migrate().await?;
//! # let event = Event::parse(br#"{"id":"evt_1","livemode":false,"event":"order.filled",
//! #     "timestamp":"2026-06-15T14:30:15Z","data":{}}"#)?;
//! # let since = bluum_hooks_receiver::now();
//! let outcome = inbox.handle(&event, async |_, _| -> Result<(), HandlerError> {
//!     Err("no such account")?
//! });
//! assert!(matches!(outcome.await?, Outcome::Quarantined { .. }));
//! for event in inbox.quarantined(None).await? {
//!     println!("{} {}: {}", event.id, event.name, event.error);
//! }
//!
//! let replayed = inbox.replay_since(since, async |_, event| Ok(println!("again: {}", event.id)));
//! assert_eq!(replayed.await?.processed, 1);
//! # Ok(()) }
//! ```
//!
//! What is counted is an error that the handler returns. A handler that panics, that kills the
//! process or is dropped half-way leaves no trace; its event comes again as long as the sender
//! tries, and is then parked there.
//!
//! # Stale events
//!
//! Events about one object reach a webhook in order, unless its `ordering` is `none`, or something
//! is replayed. With [`Inbox::drop_stale`] the inbox remembers when the last event applied for each
//! object (the `id` in `data`, with its kind) was accepted, which its id says, and leaves out what
//! is older. Where that is the same, the events' own times decide; where these are too, what comes
//! later is taken for later. Events without `data.id` always run.
//!
//! Use it where an event says how things stand and the last one is all that counts; not where each
//! event adds to a sum.
//!
//! # Gaps
//!
//! Deliveries of a webhook are numbered 1, 2, 3 … in the header `webhook-sequence`. Hand the number
//! over, and [`Inbox::gaps`] tells which are missing and since when:
//! `inbox.handle(Delivery::numbered(&event, "orders", sequence(&headers)), …)`. Deliveries overtake
//! each other, and what the sender has parked can be missing for long; a gap that is older than the
//! sender's tries (13 hours) will not close by itself. [`Inbox::backfill`] fetches what is missing
//! and processes it.
//!
//! The header is **not signed**. A number is a hint that something may be missing, never a proof,
//! and nothing is dropped or taken for a duplicate because of it. What proves that you have
//! everything is the sender's own list: [`Inbox::reconcile`].
//!
//! # Retention
//!
//! Call [`Inbox::forget`] once a day. Ids are remembered for [`DEFAULT_RETENTION`], longer than the
//! sender can send a copy; what is in quarantine is never forgotten.

use std::fmt;
use std::time::Duration;

use sqlx::error::ErrorKind;
use sqlx::{Connection as _, Pool, Transaction};

use crate::{Event, now};

mod backend;
mod backfill;
mod delivery;
mod error;
mod gaps;
mod ledger;
mod outcome;
mod quarantine;
mod retention;
mod schema;

use ledger::State;

pub use backend::Backend;
pub use backfill::Backfilled;
pub use delivery::{Delivery, sequence};
pub use error::{HandlerError, InboxError};
pub use gaps::Gap;
pub use outcome::Outcome;
pub use quarantine::{QuarantinedEvent, Replayed};
pub use retention::{DEFAULT_RETENTION, Forgotten, MIN_RETENTION};

/// How often an event may fail before it is put into quarantine, unless set otherwise.
///
/// One less than the attempts of the sender's default schedule, so that the sender never gives it
/// up before the inbox keeps it; with more, what it gives up is kept nine days later, by
/// [`Inbox::forget`]. An outage of your own that lasts for hours brings everything here: when it
/// is over, [`Inbox::replay_since`] runs it again.
pub const DEFAULT_MAX_FAILURES: u32 = 5;

/// Events that have arrived, in tables of the database that their handlers write to.
///
/// Cheap to clone: a pool, and three settings.
pub struct Inbox<DB: Backend> {
    pool: Pool<DB>,
    max_failures: u32,
    drop_stale: bool,
    retention: Duration,
}

impl<DB: Backend> Inbox<DB> {
    /// An inbox in this database. Call [`migrate`](Self::migrate) before anything else.
    pub fn new(pool: Pool<DB>) -> Self {
        Self {
            pool,
            max_failures: DEFAULT_MAX_FAILURES,
            drop_stale: false,
            retention: DEFAULT_RETENTION,
        }
    }

    /// How often an event may fail before it is put into quarantine; at least once.
    #[must_use]
    pub fn max_failures(self, times: u32) -> Self {
        Self { max_failures: times.max(1), ..self }
    }

    /// Leaves out what is [stale](crate::inbox#stale-events): events older than the last one
    /// applied for the same object.
    #[must_use]
    pub fn drop_stale(self) -> Self {
        Self { drop_stale: true, ..self }
    }

    /// Begins a transaction for [`process`](Self::process).
    ///
    /// On SQLite it takes the write lock at once (`BEGIN IMMEDIATE`): a transaction that reads
    /// first and writes later can be refused in between, when another one has written.
    pub async fn begin(&self) -> Result<Transaction<'static, DB>, InboxError> {
        Ok(self.pool.begin_with(DB::BEGIN).await?)
    }

    /// Runs `handler` for an event, unless it was processed before, in a transaction of its own.
    ///
    /// When this returns, all is committed, so answer with the outcome's
    /// [status](Outcome::status). If the future is dropped, or the process dies, before that,
    /// nothing has happened.
    pub async fn handle<'e, T, F>(
        &self,
        delivery: impl Into<Delivery<'e>>,
        handler: F,
    ) -> Result<Outcome<T>, InboxError>
    where
        F: AsyncFnOnce(&mut DB::Connection, &Event) -> Result<T, HandlerError>,
    {
        let delivery = delivery.into();
        let mut tx = self.begin().await?;
        let outcome = self.process(&mut tx, delivery, handler).await?;
        let Err(error) = tx.commit().await else { return Ok(outcome) };
        let error = violation(error)?;
        let mut tx = self.begin().await?;
        let outcome = self.process(&mut tx, delivery, async |_, _| Err(error)).await?;
        tx.commit().await?;
        Ok(outcome)
    }

    /// Runs `handler` for an event, unless it was processed before, in the caller's transaction.
    ///
    /// The caller commits whatever the outcome is, also if the handler failed: what it wrote has
    /// been rolled back to a savepoint, and what is left to commit is the count of failures. Answer
    /// the sender after the commit, never before. After an error, roll back.
    ///
    /// On SQLite let [`begin`](Self::begin) begin the transaction, on PostgreSQL use the level
    /// `READ COMMITTED` (its default): under a stricter one, a copy that had to wait for another is
    /// refused with an error, and comes again.
    pub async fn process<'e, T, F>(
        &self,
        tx: &mut Transaction<'_, DB>,
        delivery: impl Into<Delivery<'e>>,
        handler: F,
    ) -> Result<Outcome<T>, InboxError>
    where
        F: AsyncFnOnce(&mut DB::Connection, &Event) -> Result<T, HandlerError>,
    {
        let Delivery { event, number } = delivery.into();
        if let Some((webhook, sequence)) = number {
            gaps::saw::<DB>(tx, webhook, sequence, &event.id, now()).await?;
        }
        let entry = ledger::arrive::<DB>(tx, event, now()).await?;
        let outcome = match entry.state {
            State::Pending => self.attempt(tx, event, self.max_failures, handler).await?,
            State::Processed | State::Stale => Outcome::Duplicate,
            State::Quarantined => Outcome::Quarantined {
                failures: entry.failures,
                error: entry.error.unwrap_or_default(),
            },
        };
        report(event, &outcome);
        Ok(outcome)
    }

    /// Runs `handler` within a savepoint, and writes down what came of it.
    async fn attempt<T, F>(
        &self,
        tx: &mut Transaction<'_, DB>,
        event: &Event,
        max_failures: u32,
        handler: F,
    ) -> Result<Outcome<T>, InboxError>
    where
        F: AsyncFnOnce(&mut DB::Connection, &Event) -> Result<T, HandlerError>,
    {
        // Until it is released the event is pending: should this future be dropped, and the
        // caller commit all the same, the event was not processed.
        let mut savepoint = tx.begin().await?;
        if self.drop_stale && !ledger::advance::<DB>(&mut savepoint, event, now()).await? {
            ledger::finish::<DB>(&mut savepoint, event, State::Stale, now()).await?;
            savepoint.commit().await?;
            return Ok(Outcome::Stale);
        }
        let mut handled = handler(&mut savepoint, event).await;
        if handled.is_ok() {
            match ledger::finish::<DB>(&mut savepoint, event, State::Processed, now()).await {
                Err(InboxError::Database(error)) if is_aborted(&error) => {
                    handled = Err("a statement failed, and the handler went on without it".into());
                }
                finished => finished?,
            }
        }
        match handled {
            Ok(value) => {
                savepoint.commit().await?;
                Ok(Outcome::Processed(value))
            }
            Err(error) => {
                savepoint.rollback().await?;
                failed::<DB, T>(tx, event, error, max_failures).await
            }
        }
    }
}

/// Whether a statement before this one has failed: PostgreSQL then takes no other one.
fn is_aborted(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|refusal| refusal.code());
    code.as_deref() == Some("25P02")
}

/// Writes down that the handler has failed.
async fn failed<DB: Backend, T>(
    tx: &mut Transaction<'_, DB>,
    event: &Event,
    error: HandlerError,
    max_failures: u32,
) -> Result<Outcome<T>, InboxError> {
    let text = ledger::describe(&*error);
    let entry = ledger::fail::<DB>(tx, event, &text, max_failures, now()).await?;
    let failures = entry.failures;
    Ok(match entry.state {
        State::Quarantined => Outcome::Quarantined { failures, error: text },
        _ => Outcome::Failed { failures, error },
    })
}

/// Why the database refused to commit, if what the handler wrote is the reason: a constraint that
/// is deferred until then is a failure of the handler like any other.
fn violation(error: sqlx::Error) -> Result<HandlerError, InboxError> {
    match error.as_database_error().map(|refusal| refusal.kind()) {
        None | Some(ErrorKind::Other) => Err(error.into()),
        Some(_) => Ok(error.into()),
    }
}

/// Says what became of an event, without its body.
fn report<T>(event: &Event, outcome: &Outcome<T>) {
    let (id, name) = (&event.id, &event.name);
    match outcome {
        Outcome::Processed(_) => tracing::debug!(event.id = id, name, "event processed"),
        Outcome::Duplicate => tracing::debug!(event.id = id, name, "event was processed before"),
        Outcome::Stale => tracing::info!(event.id = id, name, "event is stale"),
        Outcome::Failed { failures, error } => {
            let error = ledger::describe(&**error);
            tracing::warn!(event.id = id, name, failures, error, "handler failed");
        }
        Outcome::Quarantined { failures, error } => {
            tracing::warn!(event.id = id, name, failures, error, "event is in quarantine");
        }
    }
}

impl<DB: Backend> Clone for Inbox<DB> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), ..*self }
    }
}

impl<DB: Backend> fmt::Debug for Inbox<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("max_failures", &self.max_failures)
            .field("drop_stale", &self.drop_stale)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}
