//! The audit: does the database keep every promise that can be read off it?
//!
//! Reads one snapshot, on a live database or a stopped one, and changes nothing.

use std::path::Path;

use serde::Serialize;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, FromRow, SqliteConnection};

use super::OpenError;
use crate::store::StoreError;

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
    pub rule: String,
    pub place: String,
}

/// The last sequence number is how many were accepted: it is kept apart from the rows it counts.
const BOOKS: &str = "
SELECT
    webhooks.id AS webhook, webhooks.last_sequence AS accepted,
    count(*) FILTER (WHERE state = 'delivered') AS delivered,
    count(*) FILTER (WHERE state = 'waiting') AS waiting,
    count(*) FILTER (WHERE state = 'queued') AS queued,
    count(*) FILTER (WHERE state = 'leased') AS leased,
    count(*) FILTER (WHERE state = 'parked') AS parked,
    webhooks.forgotten AS forgotten
FROM webhooks LEFT JOIN deliveries ON deliveries.webhook = webhooks.number
GROUP BY webhooks.number
ORDER BY webhooks.number";

/// Each rule with a query for the places that break it.
const RULES: &[(&str, &str)] = &[
    (
        "sequence numbers are 1, 2, 3 … without a hole, but for what was forgotten",
        "SELECT webhooks.id || ': ' || count(deliveries.position) || ' deliveries, numbered '
            || coalesce(min(sequence), 0) || ' to ' || coalesce(max(sequence), 0)
            || ', last given ' || last_sequence || ', ' || forgotten || ' forgotten'
        FROM webhooks LEFT JOIN deliveries ON deliveries.webhook = webhooks.number
        GROUP BY webhooks.number
        HAVING count(deliveries.position) + forgotten <> last_sequence
            OR coalesce(max(sequence), 0) > last_sequence
            OR forgotten = 0 AND coalesce(min(sequence), 1) <> 1",
    ),
    (
        "what is queued has something under way before it",
        "SELECT behind.id || ' waits for nothing' FROM deliveries AS behind
        WHERE behind.state = 'queued' AND NOT EXISTS (
            SELECT 1 FROM deliveries AS ahead
            WHERE ahead.webhook = behind.webhook AND ahead.ordering_key = behind.ordering_key
                AND ahead.due_at IS NOT NULL
        )
        LIMIT 100",
    ),
    (
        "every request made is recorded, and no other",
        "SELECT deliveries.id || ': ' || deliveries.attempts || ' counted, '
            || count(attempts.number) || ' recorded'
        FROM deliveries LEFT JOIN attempts ON attempts.delivery = deliveries.position
        GROUP BY deliveries.position
        HAVING count(attempts.number) <> deliveries.attempts
            OR coalesce(max(attempts.number), 0) <> deliveries.attempts
        LIMIT 100",
    ),
    (
        "what was delivered was answered with 2xx",
        "SELECT deliveries.id || ': last answer ' || coalesce(attempts.status, 'none')
        FROM deliveries LEFT JOIN attempts
            ON attempts.delivery = deliveries.position AND attempts.number = deliveries.attempts
        WHERE deliveries.state = 'delivered'
            AND coalesce(attempts.status NOT BETWEEN 200 AND 299, 1)
        LIMIT 100",
    ),
    (
        "an event goes to webhooks of its own tenant and mode",
        "SELECT deliveries.id || ' crosses over' FROM deliveries
        JOIN events ON events.position = deliveries.event
        JOIN webhooks ON webhooks.number = deliveries.webhook
        WHERE events.tenant_id <> webhooks.tenant_id OR events.livemode <> webhooks.livemode
        LIMIT 100",
    ),
    (
        "every row refers to a row that is there",
        "SELECT \"table\" || ' row ' || coalesce(rowid, '?') || ' refers to no ' || parent
        FROM pragma_foreign_key_check LIMIT 100",
    ),
    (
        "the file is sound",
        "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
    ),
];

/// Audits a database file.
pub async fn audit(path: &Path) -> Result<Audit, OpenError> {
    read(path)
        .await
        .map_err(|error| OpenError::Unusable { path: path.to_owned(), cause: error.into() })
}

async fn read(path: &Path) -> Result<Audit, StoreError> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection: SqliteConnection = options.disable_statement_logging().connect().await?;
    let mut snapshot = connection.begin().await?;
    let webhooks: Vec<Books> = sqlx::query_as(BOOKS).fetch_all(&mut *snapshot).await?;
    let mut violations: Vec<_> = webhooks.iter().filter_map(Books::unbalanced).collect();
    for &(rule, query) in RULES {
        let places: Vec<String> = sqlx::query_scalar(query).fetch_all(&mut *snapshot).await?;
        let broken = |place| Violation { rule: rule.to_owned(), place };
        violations.extend(places.into_iter().map(broken));
    }
    let waiting = sqlx::query_scalar("SELECT count(*) FROM outbox");
    let rejected = sqlx::query_scalar("SELECT count(*) FROM outbox_rejected");
    Ok(Audit {
        webhooks,
        outbox_waiting: waiting.fetch_one(&mut *snapshot).await?,
        outbox_rejected: rejected.fetch_one(&mut *snapshot).await?,
        violations,
    })
}

impl Books {
    fn unbalanced(&self) -> Option<Violation> {
        let there = self.delivered
            + self.waiting
            + self.queued
            + self.leased
            + self.parked
            + self.forgotten;
        (there != self.accepted).then(|| Violation {
            rule: "accepted = delivered + waiting + queued + leased + parked + forgotten".into(),
            place: format!("{}: {} accepted, {there} there", self.webhook, self.accepted),
        })
    }
}
