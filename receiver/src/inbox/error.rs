//! What can go wrong with an inbox, apart from a handler's own failures.

use std::fmt;
use std::time::Duration;

use crate::EventError;

/// What a handler fails with: any error, so that `?` and `"…".into()` work in it.
///
/// What it says, with its causes, is logged and kept in the database: leave out what is personal.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// The inbox could not do what was asked. What the handler fails with is not among it: that is
/// [`Outcome::Failed`](super::Outcome::Failed).
#[derive(Debug)]
#[non_exhaustive]
pub enum InboxError {
    /// The database failed: away, full, locked for too long. The event counts as not received, so
    /// let the sender try again.
    Database(sqlx::Error),
    /// The tables are missing: call [`Inbox::migrate`](super::Inbox::migrate) once, at the start.
    NotMigrated,
    /// The tables were made by a later version of this crate, and are left as they are.
    MadeByLaterVersion {
        /// The version of the tables.
        found: i64,
        /// The last version that this crate knows.
        known: i64,
    },
    /// A retention so short that a copy could arrive after its first was forgotten.
    RetentionTooShort {
        /// What was asked for.
        asked: Duration,
        /// The shortest there is.
        shortest: Duration,
    },
    /// No event with this id is kept in the quarantine, nor has one failed.
    NotKept {
        /// The event's id, as it was asked for.
        event_id: String,
    },
    /// The bytes kept are no event any more: somebody has changed the table.
    Damaged {
        /// The event's id.
        event_id: String,
        /// What does not fit.
        reason: EventError,
    },
    /// A back-fill's callback failed. What was handled before it stays so.
    Fetch {
        /// What `starting_after` it was called with.
        after: Option<String>,
        /// What it said.
        reason: HandlerError,
    },
    /// What a back-fill's callback gave is no page of `GET /v1/events`.
    Page {
        /// What `starting_after` it was called with.
        after: Option<String>,
        /// What does not fit.
        reason: EventError,
    },
}

impl InboxError {
    /// What to answer: 503, so that the sender tries again.
    pub const fn status(&self) -> u16 {
        503
    }
}

impl fmt::Display for InboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |after: &Option<String>| match after {
            Some(id) => format!("the page after {id}"),
            None => "the first page".to_owned(),
        };
        match self {
            Self::Database(error) => write!(
                f,
                "the inbox's database failed: {error}; the event counts as not received: answer \
                 503, and it is sent again"
            ),
            Self::NotMigrated => f.write_str(
                "the inbox's tables are not in this database: call Inbox::migrate once, at the \
                 start, and look whether this is the right database",
            ),
            Self::MadeByLaterVersion { found, known } => write!(
                f,
                "the inbox's tables have version {found}, and this program knows {known} at most: \
                 update bluum-hooks-receiver"
            ),
            Self::RetentionTooShort { asked, shortest } => {
                let days = |duration: &Duration| duration.as_secs_f64() / 86_400.0;
                write!(
                    f,
                    "a retention of {:.1} days is too short: the sender may send a copy for {:.1} \
                     days, and a copy whose first is forgotten is processed again",
                    days(asked),
                    days(shortest)
                )
            }
            Self::NotKept { event_id } => write!(
                f,
                "no event '{event_id}' is in the quarantine: ask Inbox::quarantined which are"
            ),
            Self::Damaged { event_id, reason } => write!(
                f,
                "the bytes kept of the event '{event_id}' cannot be read: {reason}; somebody has \
                 changed bluum_inbox_events: restore the row, or fetch GET /v1/events/{event_id}"
            ),
            Self::Fetch { after, reason } => {
                write!(f, "{} could not be fetched: {reason}; back-fill again", place(after))
            }
            Self::Page { after, reason } => write!(
                f,
                "{} is no answer of GET /v1/events: {reason}; hand over the body of the answer, \
                 and only if its status was 200",
                place(after)
            ),
        }
    }
}

impl std::error::Error for InboxError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Database(error) => Some(error),
            Self::Damaged { reason, .. } | Self::Page { reason, .. } => Some(reason),
            Self::Fetch { reason, .. } => Some(&**reason),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for InboxError {
    fn from(error: sqlx::Error) -> Self {
        let missing = error.as_database_error().is_some_and(|error| {
            let unknown = error.code().is_some_and(|code| code == "42P01")
                || error.message().starts_with("no such table");
            unknown && error.message().contains("bluum_inbox_")
        });
        if missing { Self::NotMigrated } else { Self::Database(error) }
    }
}
