//! Write: everything that one commit changes, in one statement.
//!
//! A connection has a thread of its own, and what is sent there and back wakes two threads, which
//! costs more than a small statement. So all values go into a view that holds nothing, and its
//! trigger runs the statements. Outside a transaction that one statement is the transaction: it
//! does all or nothing, and SQLite keeps no journal for undoing a part.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::LazyLock;

use bluum_hooks_shared::time::Timestamp;
use futures_util::TryStreamExt;
use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Either, Executor, Row, SqliteConnection};

use super::row;
use super::statement::{
    ADVANCE_SEQUENCES, BEGUN_QUEUED, FORGET_ANSWERS, INSERT_ATTEMPTS, INSERT_DELIVERIES,
    INSERT_EVENTS, KEEP_ANSWERS, PROMOTE, PROMOTED, SET_CLAIMED, SET_DELIVERED, SET_FAILING,
    SET_PROGRESS,
};
use crate::policy::state::{Progress, State};
use crate::store::{Claimed, Registry, StoreError};

/// The statements in their order, each with the columns of the view that are its parameters.
const STEPS: [(&str, &[&str]); 15] = [
    (KEEP_ANSWERS, &["answers", "answer_bodies", "expired", "now"]),
    (ALL_KEPT, &["answers_count"]),
    (FORGET_ANSWERS, &["expired"]),
    (SET_CLAIMED, &["claimed"]),
    (ALL_SET, &["claimed_count"]),
    (SET_DELIVERED, &["delivered"]),
    (ALL_SET, &["delivered_count"]),
    (SET_PROGRESS, &["progress"]),
    (ALL_SET, &["progress_count"]),
    (INSERT_ATTEMPTS, &["attempts"]),
    (SET_FAILING, &["failing"]),
    (PROMOTE, &["freed"]),
    (INSERT_EVENTS, &["events", "bodies", "now"]),
    (INSERT_DELIVERIES, &["deliveries", "now"]),
    (ADVANCE_SEQUENCES, &["sequences"]),
];

/// The columns of the view, as [`Changes::write`] binds them.
const COLUMNS: [&str; 19] = [
    "now",
    "answers",
    "answers_count",
    "answer_bodies",
    "expired",
    "claimed",
    "claimed_count",
    "delivered",
    "delivered_count",
    "progress",
    "progress_count",
    "attempts",
    "failing",
    "freed",
    "events",
    "bodies",
    "deliveries",
    "sequences",
    "last_delivery",
];

const ALL_KEPT: &str = "SELECT RAISE(ABORT, 'key used') WHERE changes() <> ?1";
const ALL_SET: &str = "SELECT RAISE(ABORT, 'stale') WHERE changes() <> ?1";

static INSERT: LazyLock<String> = LazyLock::new(|| {
    let values: Vec<_> = (1..=COLUMNS.len()).map(|number| format!("${number}")).collect();
    format!("INSERT INTO changes VALUES ({})", values.join(", "))
});

/// The same, and what has come of it, in one row.
static INSERT_AND_ASK: LazyLock<String> = LazyLock::new(|| {
    let number = |column: &str| COLUMNS.iter().position(|known| *known == column);
    let bound = |column: &str| format!("${}", number(column).map_or(0, |before| before + 1));
    let promoted = with_parameters(PROMOTED, &["freed", "last_delivery"], bound);
    let queued = with_parameters(BEGUN_QUEUED, &["last_delivery"], bound);
    format!("{};\nSELECT * FROM ({promoted}), ({queued})", *INSERT)
});

/// Makes the view and its trigger, for this connection only.
pub(super) async fn prepare(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let columns = COLUMNS.map(|column| format!("NULL AS {column}")).join(", ");
    let mut text = format!("CREATE TEMP VIEW IF NOT EXISTS changes AS SELECT {columns};\n");
    text.push_str("CREATE TEMP TRIGGER IF NOT EXISTS write INSTEAD OF INSERT ON changes BEGIN\n");
    for (statement, parameters) in STEPS {
        let statement = with_parameters(statement, parameters, |column| format!("NEW.{column}"));
        let _ = writeln!(text, "{statement};");
    }
    text.push_str("END");
    connection.execute(AssertSqlSafe(text)).await.map(drop)
}

/// A statement with what these columns are called in place of its parameters `?1`, `?2` and so on.
fn with_parameters(statement: &str, columns: &[&str], called: impl Fn(&str) -> String) -> String {
    let mut pieces = statement.split('?');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|next: char| !next.is_ascii_digit()).unwrap_or(piece.len());
        let (number, rest) = piece.split_at(end);
        let column = number.parse().ok().and_then(|number: usize| columns.get(number - 1));
        text.push_str(&column.map_or_else(|| format!("?{number}"), |column| called(column)));
        text.push_str(rest);
    }
    text
}

/// The rows for a statement.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// None, if there is no row.
    json: Option<String>,
    count: Option<i64>,
}

impl Rows {
    pub(super) fn of<T: Serialize>(rows: &[T]) -> Result<Self, StoreError> {
        if rows.is_empty() {
            return Ok(Self::default());
        }
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        Ok(Self { json: Some(row::batch(&rows)?), count: Some(count) })
    }
}

/// What is to be written: for each statement its rows.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) answers: Rows,
    pub(super) answer_bodies: Vec<u8>,
    /// Answers from then or before are forgotten.
    pub(super) expired: Option<i64>,
    pub(super) moves: Moves,
    pub(super) attempts: Rows,
    pub(super) failing: Rows,
    /// Lines whose first queued delivery is ready.
    pub(super) freed: Rows,
    pub(super) events: Rows,
    pub(super) bodies: Vec<u8>,
    pub(super) deliveries: Rows,
    pub(super) sequences: Rows,
    /// The position of the last delivery before these.
    pub(super) last_delivery: i64,
}

/// Deliveries that move on, each by the statement that changes least.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// Positions, the claims before, and when the new ones end.
    claimed: Vec<(i64, u32, i64)>,
    /// Positions, claims, and when they were finished.
    delivered: Vec<(i64, u32, i64)>,
    others: Vec<row::ProgressRow>,
}

impl Moves {
    pub(super) fn add(&mut self, position: i64, before: &Progress, after: &Progress) {
        let state = after.state;
        let claimed = Progress { state, claim: before.claim.saturating_add(1), ..*before };
        let delivered = Progress { state, attempts: before.attempts.saturating_add(1), ..*before };
        match (before.state, state) {
            (State::Waiting { .. }, State::Leased { lease_until }) if *after == claimed => {
                self.claimed.push((position, before.claim, lease_until.as_micros()));
            }
            (State::Leased { .. }, State::Delivered { finished_at }) if *after == delivered => {
                self.delivered.push((position, before.claim, finished_at.as_micros()));
            }
            _ => self.others.push(row::progress_row(position, before, after)),
        }
    }
}

/// What has come of it that only the database knows, in one row.
#[derive(Debug)]
pub(super) struct Written(Option<SqliteRow>);

impl Changes {
    /// Writes all of it, or nothing.
    pub(super) async fn write(
        self,
        connection: &mut SqliteConnection,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        let Moves { claimed, delivered, others } = self.moves;
        let (claimed, delivered) = (Rows::of(&claimed)?, Rows::of(&delivered)?);
        let progress = Rows::of(&others)?;
        let ask = self.freed.json.is_some() || self.deliveries.json.is_some();
        let text = if ask { &INSERT_AND_ASK } else { &INSERT };
        let insert = sqlx::query(text.as_str())
            .bind(now.as_micros())
            .bind(self.answers.json)
            .bind(self.answers.count)
            .bind(self.answer_bodies)
            .bind(self.expired)
            .bind(claimed.json)
            .bind(claimed.count)
            .bind(delivered.json)
            .bind(delivered.count)
            .bind(progress.json)
            .bind(progress.count)
            .bind(self.attempts.json)
            .bind(self.failing.json)
            .bind(self.freed.json)
            .bind(self.events.json)
            .bind(self.bodies)
            .bind(self.deliveries.json)
            .bind(self.sequences.json)
            .bind(self.last_delivery);
        let mut results = connection.fetch_many(insert);
        let mut written = Written(None);
        while let Some(result) = results.try_next().await.map_err(refused)? {
            if let Either::Right(row) = result {
                written = Written(Some(row));
            }
        }
        Ok(written)
    }
}

impl Written {
    /// Deliveries that were queued, and are claimed now.
    pub(super) fn promoted(&self, registry: &Registry) -> Result<Vec<Claimed>, StoreError> {
        self.0.as_ref().map_or(Ok(Vec::new()), |row| row::claimables(row, registry))
    }

    /// Positions of new deliveries that have to wait in their lines.
    pub(super) fn queued(&self) -> Result<HashSet<i64>, StoreError> {
        let Some(row) = &self.0 else { return Ok(HashSet::new()) };
        row::unbatch(row.try_get(3)?)
    }
}

fn refused(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(refusal) if refusal.message() == "key used" => StoreError::KeyUsed,
        _ => error.into(),
    }
}

/// Whether some of the progress is of deliveries that have moved on: then their claims or states
/// are others, or the attempt is recorded already, or the delivery is no more.
pub(super) fn is_stale(failure: &StoreError) -> bool {
    matches!(failure, StoreError::Database(sqlx::Error::Database(error))
        if error.message() == "stale"
            || error.is_unique_violation()
            || error.is_foreign_key_violation())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_called_as_their_columns() {
        let statement = "UPDATE a SET b = ?2 WHERE c = ?1 AND d = substr(?2, 1)";
        let written = with_parameters(statement, &["x", "y"], |column| format!("NEW.{column}"));
        assert_eq!(written, "UPDATE a SET b = NEW.y WHERE c = NEW.x AND d = substr(NEW.y, 1)");
        let bound = STEPS.iter().flat_map(|(_, columns)| columns.iter());
        for column in bound.chain(&["freed", "last_delivery"]) {
            assert!(COLUMNS.contains(column), "{column}");
        }
    }
}
