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

use self::Step::{Ask, Run};
use super::statement::{
    ADVANCE_SEQUENCES, BUSY_LINES, DUE_OF_LANES, FORGET_ANSWERS, INSERT_ATTEMPTS,
    INSERT_DELIVERIES, INSERT_EVENTS, KEEP_ANSWERS, SET_PROGRESS, SUCCESSORS,
};
use crate::store::StoreError;

/// Statements, each with parameters from `?1` on. The values of all are bound in their order.
pub(super) struct Script {
    steps: &'static [Step],
    text: OnceLock<String>,
}

/// What each has one result of.
enum Step {
    Run(&'static str),
    /// Questions that are answered in one row each, asked in one: each result wakes who waits.
    Ask(&'static [&'static str]),
}

const BEGIN_NOW: &str = "BEGIN IMMEDIATE";
const COMMIT_NOW: &str = "COMMIT";

/// What follows from what was written.
const FOLLOWS: Step = Ask(&[SUCCESSORS, DUE_OF_LANES, BUSY_LINES]);

/// Writes what came of attempts and what happened, and asks what follows from that.
pub(super) static BEGIN: Script = Script::new(&[
    Run(BEGIN_NOW),
    Run(SET_PROGRESS),
    Run(INSERT_ATTEMPTS),
    Run(INSERT_EVENTS),
    FOLLOWS,
]);

/// The same, and first keeps answers and deletes some of those that have expired.
pub(super) static KEEP_AND_BEGIN: Script = Script::new(&[
    Run(BEGIN_NOW),
    Run(KEEP_ANSWERS),
    Run(FORGET_ANSWERS),
    Run(SET_PROGRESS),
    Run(INSERT_ATTEMPTS),
    Run(INSERT_EVENTS),
    FOLLOWS,
]);

/// Writes what follows.
pub(super) static COMMIT: Script = Script::new(&[
    Run(SET_PROGRESS),
    Run(INSERT_DELIVERIES),
    Run(ADVANCE_SEQUENCES),
    Run(COMMIT_NOW),
]);

/// Keeps answers, and deletes some of those that have expired.
pub(super) static KEEP: Script = Script::new(&[Run(KEEP_ANSWERS), Run(FORGET_ANSWERS)]);

/// Writes events, and asks in which lines they have to wait.
pub(super) static WRITE_EVENTS: Script = Script::new(&[Run(INSERT_EVENTS), Run(BUSY_LINES)]);

pub(super) static WRITE_DELIVERIES: Script =
    Script::new(&[Run(INSERT_DELIVERIES), Run(ADVANCE_SEQUENCES)]);

pub(super) static BEGIN_CLAIMS: Script = Script::new(&[Run(BEGIN_NOW), Run(DUE_OF_LANES)]);

pub(super) static END: Script = Script::new(&[Run(COMMIT_NOW)]);

pub(super) static ROLLBACK: Script = Script::new(&[Run("ROLLBACK")]);

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
    const fn new(steps: &'static [Step]) -> Self {
        Self { steps, text: OnceLock::new() }
    }

    /// To bind the values to.
    pub(super) fn query(&'static self) -> Unbound {
        sqlx::query(self.text.get_or_init(|| join(self.steps)).as_str())
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

/// Runs a script of so many steps, and returns what each did.
pub(super) async fn run<const STEPS: usize>(
    query: Unbound,
    connection: &mut SqliteConnection,
) -> Result<[Ran; STEPS], Stopped> {
    let ran = run_all(query, connection).await?;
    ran.try_into().map_err(|ran: Vec<_>| {
        let failure = format!("{} of {STEPS} steps were run", ran.len());
        Stopped { ran, failure: StoreError::Corrupt(failure) }
    })
}

/// Runs a script, and returns what each step did.
pub(super) async fn run_all(
    query: Unbound,
    connection: &mut SqliteConnection,
) -> Result<Vec<Ran>, Stopped> {
    let mut ran = Vec::new();
    let mut current = Ran::default();
    let mut results = connection.fetch_many(query);
    loop {
        match results.try_next().await {
            Ok(Some(Either::Right(row))) => current.rows.push(row),
            Ok(Some(Either::Left(done))) => {
                current.changed = done.rows_affected();
                ran.push(std::mem::take(&mut current));
            }
            Ok(None) => return Ok(ran),
            Err(error) => return Err(Stopped { ran, failure: error.into() }),
        }
    }
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
fn join(steps: &[Step]) -> String {
    let mut text = String::new();
    let mut bound = 0;
    for step in steps {
        match step {
            Run(statement) => add(statement, &mut text, &mut bound),
            Ask(questions) => {
                for (place, question) in questions.iter().enumerate() {
                    text.push_str(if place == 0 { "SELECT * FROM (" } else { "), (" });
                    add(question, &mut text, &mut bound);
                }
                text.push(')');
            }
        }
        text.push_str(";\n");
    }
    text
}

/// One more statement, behind those with so many parameters.
fn add(statement: &str, text: &mut String, bound: &mut usize) {
    let mut own = 0;
    let mut pieces = statement.split('?');
    text.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let end = piece.find(|next: char| !next.is_ascii_digit()).unwrap_or(piece.len());
        let (number, rest) = piece.split_at(end);
        let number: usize = number.parse().unwrap_or_default();
        own = own.max(number);
        let _ = write!(text, "${}{rest}", *bound + number);
    }
    *bound += own;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_through() {
        let steps = [
            Run("BEGIN"),
            Run("UPDATE a SET b = ?2 WHERE c = ?1"),
            Ask(&["SELECT ?1, ?10", "SELECT ?1"]),
            Run("SELECT ?1"),
        ];
        let joined = "BEGIN;\nUPDATE a SET b = $2 WHERE c = $1;\n\
            SELECT * FROM (SELECT $3, $12), (SELECT $13);\nSELECT $14;\n";
        assert_eq!(join(&steps), joined);
    }
}
