//! The audit: does the database keep every promise that can be read off it?
//!
//! Reads one snapshot, on a live database or a stopped one, and changes nothing.

mod body;
mod repair;
mod rules;
mod schema;

use std::path::Path;

use bluum_hooks_shared::time::Timestamp;
use futures_util::TryStreamExt;
use serde::Serialize;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, FromRow, SqliteConnection};
use tokio::sync::watch;

use super::open::unusable;
use super::{OpenError, statement};
use crate::policy::retry;
use crate::store::{LEASE, StoreError};
pub use repair::{Repair, Repaired, repair};
pub use rules::{Rule, all as rules};

/// How many places are told of one rule.
const SHOWN: usize = 100;

/// How far two readings of a clock may lie apart: the one of whoever wrote, and ours.
const SLACK: std::time::Duration = std::time::Duration::from_mins(1);

/// The rule that is being looked at, for whoever waits.
pub type Stage = watch::Sender<&'static str>;

/// The books of a database, and what is wrong with them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    pub webhooks: Vec<Books>,
    /// Rows of the outbox not taken over yet.
    pub outbox_waiting: i64,
    /// Rows of the outbox that nobody could accept; for a person to look at, not a violation.
    pub outbox_rejected: i64,
    pub violations: Vec<Violation>,
}

/// What one webhook is owed: accepted = delivered + waiting + queued + leased + parked + forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct Books {
    pub webhook: String,
    pub accepted: i64,
    pub delivered: i64,
    pub waiting: i64,
    pub queued: i64,
    pub leased: i64,
    pub parked: i64,
    /// Delivered or parked so long ago that they were deleted.
    pub forgotten: i64,
}

/// A promise that is not kept, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The rule's name, for programs: it does not change.
    pub code: &'static str,
    /// The rule in words.
    pub rule: &'static str,
    /// Which rows, and what is wrong with them.
    pub place: String,
    /// What to do about it.
    pub advice: &'static str,
}

/// Audits a database file, as it stands `now`.
pub async fn audit(path: &Path, now: Timestamp, stage: &Stage) -> Result<Audit, OpenError> {
    let audited = async {
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        let mut connection = options.disable_statement_logging().connect().await?;
        let mut snapshot = connection.begin().await?;
        read(&mut snapshot, now, stage).await
    };
    audited.await.map_err(|error| unusable(path, error.into()))
}

/// Audits what the transaction sees.
async fn read(
    snapshot: &mut SqliteConnection,
    now: Timestamp,
    stage: &Stage,
) -> Result<Audit, StoreError> {
    let mut violations: Vec<Violation> = Vec::new();
    // The first look: a file that is no database is an error, and not an audit.
    let differences = schema::differences(snapshot).await?;
    violations.extend(differences.into_iter().map(|found| rules::SCHEMA.broken(found.to_string())));
    for rule in rules::LOOKED_UP {
        stage.send_replace(rule.rule);
        violations.extend(rule.look_up(snapshot, now).await);
    }
    stage.send_replace(rules::BODIES.rule);
    violations.extend(body::check(snapshot).await);
    stage.send_replace(rules::CONSERVATION.rule);
    let webhooks = sqlx::query_as(statement::BOOKS).fetch_all(&mut *snapshot).await;
    let webhooks: Vec<Books> = webhooks.unwrap_or_else(|error| {
        violations.push(rules::CONSERVATION.unchecked(&error));
        Vec::new()
    });
    violations.extend(webhooks.iter().filter_map(Books::unbalanced));
    let outbox = sqlx::query_as(statement::OUTBOX_COUNTS).fetch_one(snapshot).await;
    let (outbox_waiting, outbox_rejected) = outbox.unwrap_or_default();
    Ok(Audit { webhooks, outbox_waiting, outbox_rejected, violations })
}

/// The latest moments that a lease may end, and that a delivery may be due.
fn latest(now: Timestamp) -> (i64, i64) {
    let after = |wait| now.plus(wait).plus(SLACK).as_micros();
    (after(LEASE), after(retry::longest()))
}

impl Rule {
    /// The places that break the rule, by its statement. One that cannot be carried out is a
    /// violation too: part of the file cannot be read.
    async fn look_up(&self, snapshot: &mut SqliteConnection, now: Timestamp) -> Vec<Violation> {
        let (lease_end, due) = latest(now);
        let slack = i64::try_from(SLACK.as_micros()).unwrap_or(i64::MAX);
        let mut rows = sqlx::query_scalar::<_, String>(self.find)
            .bind(lease_end)
            .bind(due)
            .bind(slack)
            .fetch(snapshot);
        let mut violations = Vec::new();
        loop {
            match rows.try_next().await {
                Ok(Some(_)) if violations.len() == SHOWN => {
                    violations.push(self.broken(format!("and more than these {SHOWN}")));
                    break;
                }
                Ok(Some(place)) => violations.push(self.broken(place)),
                Ok(None) => break,
                Err(error) => {
                    violations.push(self.unchecked(&error));
                    break;
                }
            }
        }
        violations
    }

    fn broken(&self, place: String) -> Violation {
        Violation { code: self.code, rule: self.rule, place, advice: self.advice }
    }

    fn unchecked(&self, error: &sqlx::Error) -> Violation {
        let place = format!("cannot be checked: {error}");
        Violation { advice: rules::RESTORE, ..self.broken(place) }
    }
}

impl Books {
    fn unbalanced(&self) -> Option<Violation> {
        let there = self.delivered
            + self.waiting
            + self.queued
            + self.leased
            + self.parked
            + self.forgotten;
        let place = || format!("{}: {} accepted, {there} there", self.webhook, self.accepted);
        (there != self.accepted).then(|| rules::CONSERVATION.broken(place()))
    }
}
