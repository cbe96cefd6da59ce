//! Which deliveries of a webhook are missing.

use std::ops::RangeInclusive;

use super::backend::{Backend, Value};
use super::{Inbox, InboxError};
use crate::Timestamp;

/// Most gaps that are told at once.
const MAX_GAPS: i64 = 1_000;
/// A number that is further ahead than this is none of the sender's: the header is not signed.
const MAX_LEAP: i64 = 1_000_000;

/// Numbers of a webhook that have not arrived, while later ones have.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The numbers, first to last.
    pub missing: RangeInclusive<u64>,
    /// When the first later one arrived.
    pub since: Timestamp,
    /// The event that had the number before the first missing one.
    pub(super) after: String,
}

/// What is below the last number that was settled is over.
const GAPS: &str = "
    SELECT previous + 1, sequence - 1, since, after_event FROM (
        SELECT sequence,
          LAG(sequence) OVER (ORDER BY sequence) AS previous,
          LAG(event_id) OVER (ORDER BY sequence) AS after_event,
          MIN(seen_at) OVER (ORDER BY sequence
            ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS since
        FROM bluum_inbox_sequences
        WHERE webhook = $1 AND sequence >= COALESCE((
            SELECT MAX(sequence) FROM bluum_inbox_sequences WHERE webhook = $1 AND settled), 0)
    ) AS seen
    WHERE sequence > previous + 1 ORDER BY sequence LIMIT $2";

impl<DB: Backend> Inbox<DB> {
    /// Which deliveries of `webhook` are missing, lowest numbers first, at most 1,000 gaps.
    ///
    /// Counted from the lowest number that has arrived. See [Gaps](crate::inbox#gaps) for what one
    /// means.
    pub async fn gaps(&self, webhook: &str) -> Result<Vec<Gap>, InboxError> {
        let mut connection = self.pool.acquire().await?;
        let values = [Value::Text(webhook), Value::Int(MAX_GAPS)];
        let rows = DB::rows(&mut connection, GAPS, &values).await?;
        let number = |row: &DB::Row, column| -> sqlx::Result<u64> {
            Ok(u64::try_from(DB::int(row, column)?.unwrap_or(0)).unwrap_or(0))
        };
        let gap = |row: &DB::Row| -> sqlx::Result<Gap> {
            Ok(Gap {
                missing: number(row, 0)?..=number(row, 1)?,
                since: Timestamp::from_micros(DB::int(row, 2)?.unwrap_or(0)),
                after: DB::text(row, 3)?.unwrap_or_default(),
            })
        };
        Ok(rows.iter().map(gap).collect::<Result<_, _>>()?)
    }

    /// Forgets the numbers of `webhook`: for one that was made anew, and counts from 1 again.
    pub async fn reset_gaps(&self, webhook: &str) -> Result<(), InboxError> {
        let mut connection = self.pool.acquire().await?;
        let delete = "DELETE FROM bluum_inbox_sequences WHERE webhook = $1";
        DB::execute(&mut connection, delete, &[Value::Text(webhook)]).await?;
        Ok(())
    }

    /// Closes the gaps of `webhook` as they are, without fetching anything: what is missing is
    /// known, or was [reconciled](Self::reconcile), or nobody has it any more.
    pub async fn close_gaps(&self, webhook: &str) -> Result<(), InboxError> {
        let mut connection = self.pool.acquire().await?;
        match last::<DB>(&mut connection, webhook).await? {
            Some((sequence, _)) => settle::<DB>(&mut connection, webhook, sequence).await,
            None => Ok(()),
        }
    }
}

/// This number of the webhook has arrived.
pub(super) async fn saw<DB: Backend>(
    connection: &mut DB::Connection,
    webhook: &str,
    sequence: i64,
    event_id: &str,
    now: Timestamp,
) -> Result<(), InboxError> {
    let values = [
        Value::Text(webhook),
        Value::Int(sequence),
        Value::Text(event_id),
        Value::Int(now.as_micros()),
        Value::Int(MAX_LEAP),
    ];
    DB::execute(
        connection,
        "INSERT INTO bluum_inbox_sequences (webhook, sequence, event_id, seen_at, settled)
         SELECT $1, $2, $3, $4, FALSE WHERE $2 - $5 <= COALESCE(
           (SELECT MAX(sequence) FROM bluum_inbox_sequences WHERE webhook = $1), $2)
         ON CONFLICT (webhook, sequence) DO NOTHING",
        &values,
    )
    .await?;
    Ok(())
}

/// The last number that has arrived, and its event.
pub(super) async fn last<DB: Backend>(
    connection: &mut DB::Connection,
    webhook: &str,
) -> Result<Option<(i64, String)>, InboxError> {
    let last = "SELECT sequence, event_id FROM bluum_inbox_sequences WHERE webhook = $1
                ORDER BY sequence DESC LIMIT 1";
    let mut rows = DB::rows(connection, last, &[Value::Text(webhook)]).await?;
    let Some(row) = rows.pop() else { return Ok(None) };
    Ok(Some((DB::int(&row, 0)?.unwrap_or(0), DB::text(&row, 1)?.unwrap_or_default())))
}

/// Nothing up to this number, which has arrived, counts as missing any more.
pub(super) async fn settle<DB: Backend>(
    connection: &mut DB::Connection,
    webhook: &str,
    sequence: i64,
) -> Result<(), InboxError> {
    DB::execute(
        connection,
        "UPDATE bluum_inbox_sequences SET settled = TRUE WHERE webhook = $1 AND sequence = $2",
        &[Value::Text(webhook), Value::Int(sequence)],
    )
    .await?;
    Ok(())
}
