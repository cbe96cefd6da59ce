//! Several statements in one piece.
//!
//! A connection has a thread of its own, and each trip there and back costs more than a small
//! statement. So a transaction is a few scripts, not many statements.

use std::fmt::Write;
use std::sync::OnceLock;

use futures_util::TryStreamExt;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Either, Executor, Sqlite, SqliteConnection};

use super::statement::{
    ADVANCE_SEQUENCES, BUSY_LINES, DUE_OF_LANES, FORGET_ANSWERS, INSERT_ATTEMPTS,
    INSERT_DELIVERIES, INSERT_EVENTS, KEEP_ANSWERS, SET_PROGRESS, SUCCESSORS,
};
use crate::store::StoreError;

/// Statements, each with parameters from `?1` on. The values of all are bound in their order.
pub(super) struct Script {
    statements: &'static [&'static str],
    text: OnceLock<String>,
}

const BEGIN_NOW: &str = "BEGIN IMMEDIATE";
const COMMIT_NOW: &str = "COMMIT";

/// Writes what came of attempts and what happened, and asks what follows from that.
pub(super) static BEGIN: Script = Script::new(&[
    BEGIN_NOW,
    KEEP_ANSWERS,
    FORGET_ANSWERS,
    SET_PROGRESS,
    INSERT_ATTEMPTS,
    SUCCESSORS,
    DUE_OF_LANES,
    INSERT_EVENTS,
    BUSY_LINES,
]);

/// Writes what follows.
pub(super) static COMMIT: Script =
    Script::new(&[SET_PROGRESS, INSERT_DELIVERIES, ADVANCE_SEQUENCES, COMMIT_NOW]);

/// Keeps answers, and deletes some of those that have expired.
pub(super) static KEEP: Script = Script::new(&[KEEP_ANSWERS, FORGET_ANSWERS]);

/// Writes events, and asks in which lines they have to wait.
pub(super) static WRITE_EVENTS: Script = Script::new(&[INSERT_EVENTS, BUSY_LINES]);

pub(super) static WRITE_DELIVERIES: Script = Script::new(&[INSERT_DELIVERIES, ADVANCE_SEQUENCES]);

pub(super) static BEGIN_CLAIMS: Script = Script::new(&[BEGIN_NOW, DUE_OF_LANES]);

pub(super) static END: Script = Script::new(&[COMMIT_NOW]);

pub(super) static ROLLBACK: Script = Script::new(&["ROLLBACK"]);

/// A script whose values are being bound.
pub(super) type Unbound = Query<'static, Sqlite, SqliteArguments>;

/// What one of the statements did.
#[derive(Debug, Default)]
pub(super) struct Ran {
    pub(super) rows: Vec<SqliteRow>,
    /// How many rows it has changed, if it is one that does.
    pub(super) changed: u64,
}

impl Script {
    const fn new(statements: &'static [&'static str]) -> Self {
        Self { statements, text: OnceLock::new() }
    }

    /// To bind the values to.
    pub(super) fn query(&'static self) -> Unbound {
        sqlx::query(self.text.get_or_init(|| join(self.statements)).as_str())
    }
}

/// Why a script ended early, and what the statements before that did.
#[derive(Debug)]
pub(super) struct Stopped {
    pub(super) ran: Vec<Ran>,
    pub(super) failure: StoreError,
}

impl From<Stopped> for StoreError {
    fn from(stopped: Stopped) -> Self {
        stopped.failure
    }
}

/// Runs a script of so many statements, and returns what each did.
pub(super) async fn run<const STATEMENTS: usize>(
    query: Unbound,
    connection: &mut SqliteConnection,
) -> Result<[Ran; STATEMENTS], Stopped> {
    let mut ran = Vec::with_capacity(STATEMENTS);
    let mut current = Ran::default();
    let mut results = connection.fetch_many(query);
    loop {
        match results.try_next().await {
            Ok(Some(Either::Right(row))) => current.rows.push(row),
            Ok(Some(Either::Left(done))) => {
                current.changed = done.rows_affected();
                ran.push(std::mem::take(&mut current));
            }
            Ok(None) => break,
            Err(error) => return Err(Stopped { ran, failure: error.into() }),
        }
    }
    ran.try_into().map_err(|ran: Vec<_>| {
        let failure = format!("{} of {STATEMENTS} statements were run", ran.len());
        Stopped { ran, failure: StoreError::Corrupt(failure) }
    })
}

/// Ends the transaction of a script that did not come to its own end.
pub(super) async fn or_rollback<T>(
    outcome: Result<T, StoreError>,
    connection: &mut SqliteConnection,
) -> Result<T, StoreError> {
    if outcome.is_err() {
        // If this fails, too, the connection is replaced before the next write.
        let _ = run::<1>(ROLLBACK.query(), connection).await;
    }
    outcome
}

/// One text, with the parameters numbered through: `?2` of the second statement is `$3`, if the
/// first has one.
fn join(statements: &[&str]) -> String {
    let mut text = String::new();
    let mut bound = 0;
    for statement in statements {
        let mut own = 0;
        let mut pieces = statement.split('?');
        text.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let end = piece.find(|next: char| !next.is_ascii_digit()).unwrap_or(piece.len());
            let (number, rest) = piece.split_at(end);
            let number: usize = number.parse().unwrap_or_default();
            own = own.max(number);
            let _ = write!(text, "${}{rest}", bound + number);
        }
        text.push_str(";\n");
        bound += own;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_through() {
        let statements = ["BEGIN", "UPDATE a SET b = ?2 WHERE c = ?1", "SELECT ?1, ?10"];
        let joined = "BEGIN;\nUPDATE a SET b = $2 WHERE c = $1;\nSELECT $3, $12;\n";
        assert_eq!(join(&statements), joined);
    }
}
