//! The repair: what follows from the rest of the database, and nothing else. Never deletes a row,
//! never makes one up.

use std::path::Path;

use bluum_hooks_shared::time::Timestamp;
use serde::Serialize;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

use super::super::open::{lock, options, real, unusable};
use super::super::statement;
use super::{Audit, Stage, latest, read, schema};
use crate::store::StoreError;
use crate::store::sqlite::OpenError;

/// Each with the rule that it is about, in this order: what stands in no line goes back into it
/// before the first of each line becomes due.
const STEPS: &[(&str, &str)] = &[
    ("state", statement::DROP_DUE),
    ("state", statement::NEVER_DUE),
    ("two_under_way", statement::BACK_IN_LINE),
    ("lease", statement::END_LEASES),
    ("due", statement::DUE_NOW),
    ("queued_behind_nobody", statement::RELEASE_QUEUED),
    ("last_sequence", statement::RAISE_LAST_SEQUENCE),
    ("row_number", statement::ADD_ROW_NUMBERS),
    ("row_number", statement::RAISE_ROW_NUMBERS),
    ("replay_of_stopped", statement::CANCEL_REPLAYS),
    ("two_releases", statement::CANCEL_RELEASES),
];

/// What was repaired, and the audit after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Whether nothing was done, only tried.
    pub dry_run: bool,
    pub repaired: Vec<Repair>,
    #[serde(flatten)]
    pub audit: Audit,
}

/// One thing that was set right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repair {
    /// The rule that was broken.
    pub code: &'static str,
    /// Which row, and what became of it.
    pub done: String,
}

/// Sets right what can be, all or nothing, and audits again. No dispatcher may use the file.
/// With `dry_run`, everything is taken back at the end.
pub async fn repair(
    path: &Path,
    dry_run: bool,
    now: Timestamp,
    stage: &Stage,
) -> Result<Repaired, OpenError> {
    let path = &real(path)?;
    let _lock = lock(path)?;
    let repaired = async {
        let options = options(path).create_if_missing(false);
        let mut connection = options.connect().await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        stage.send_replace("setting right what can be");
        let repaired = mend(&mut transaction, now).await?;
        // As it is for whoever only reads: each CHECK has a rule, which knows the rows as well.
        let unchecked = sqlx::query("PRAGMA ignore_check_constraints = ON");
        unchecked.execute(&mut *transaction).await?;
        let audit = read(&mut transaction, now, stage).await?;
        if dry_run {
            transaction.rollback().await?;
        } else {
            transaction.commit().await?;
        }
        connection.close().await?;
        Ok::<_, StoreError>(Repaired { dry_run, repaired, audit })
    };
    repaired.await.map_err(|error| unusable(path, error.into()))
}

async fn mend(
    transaction: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Vec<Repair>, StoreError> {
    let (lease_end, due) = latest(now);
    let mut repaired = Vec::new();
    for &(code, step) in STEPS {
        let step = sqlx::query_scalar(step).bind(now.as_micros()).bind(lease_end).bind(due);
        let done: Vec<String> = step.fetch_all(&mut *transaction).await?;
        repaired.extend(done.into_iter().map(|done| Repair { code, done }));
    }
    for found in schema::differences(transaction).await? {
        let Some((name, sql)) = found.remedy() else { continue };
        // One that does not fit what is there stays missing, and the audit says so.
        if sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await.is_ok() {
            repaired.push(Repair { code: "schema", done: format!("index {name} is made anew") });
        }
    }
    Ok(repaired)
}
