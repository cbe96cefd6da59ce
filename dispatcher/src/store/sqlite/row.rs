//! Rows to types and back.

use std::str::FromStr;
use std::sync::Arc;

use bluum_hooks_shared::id::{DeliveryId, EventId};
use bluum_hooks_shared::time::Timestamp;
use bytes::Bytes;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use tracing::error;

use crate::policy::state::{ParkReason, Progress, State};
use crate::store::{Claimed, Registry, StoreError, StoredDelivery, Webhook};
use crate::telemetry::Chain;

/// A column that holds the text of an id or the like.
pub(super) fn parsed<T>(row: &SqliteRow, column: &str) -> Result<T, StoreError>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|error| StoreError::Corrupt(format!("{column} '{text}': {error}")))
}

pub(super) fn time(row: &SqliteRow, column: &str) -> Result<Timestamp, StoreError> {
    Ok(Timestamp::from_micros(row.try_get(column)?))
}

pub(super) fn optional_time(
    row: &SqliteRow,
    column: &str,
) -> Result<Option<Timestamp>, StoreError> {
    let micros: Option<i64> = row.try_get(column)?;
    Ok(micros.map(Timestamp::from_micros))
}

fn optional_id(row: &SqliteRow, column: &str) -> Result<Option<DeliveryId>, StoreError> {
    let id: Option<&str> = row.try_get(column)?;
    id.map(|_| parsed(row, column)).transpose()
}

/// A delivery about to change its state.
pub(super) struct Standing {
    pub(super) position: i64,
    pub(super) webhook: i64,
    pub(super) sequence: i64,
    pub(super) ordering_key: Option<String>,
    pub(super) progress: Progress,
}

pub(super) fn standing(row: &SqliteRow) -> Result<Standing, StoreError> {
    Ok(Standing {
        position: row.try_get("position")?,
        webhook: row.try_get("webhook")?,
        sequence: row.try_get("sequence")?,
        ordering_key: row.try_get("ordering_key")?,
        progress: progress(row)?,
    })
}

/// The columns that `SET_PROGRESS` sets.
pub(super) fn progress(row: &SqliteRow) -> Result<Progress, StoreError> {
    let state: &str = row.try_get("state")?;
    let due_at = optional_time(row, "due_at")?;
    let finished_at = optional_time(row, "finished_at")?;
    let reason: Option<&str> = row.try_get("reason")?;
    let reason = reason.and_then(ParkReason::parse);
    let state = match (state, due_at, finished_at, reason) {
        ("queued", None, None, None) => State::Queued,
        ("waiting", Some(due_at), None, None) => State::Waiting { due_at },
        ("leased", Some(lease_until), None, None) => State::Leased { lease_until },
        ("delivered", None, Some(finished_at), None) => State::Delivered { finished_at },
        ("parked", None, Some(finished_at), Some(reason)) => State::Parked { finished_at, reason },
        _ => return Err(StoreError::Corrupt(format!("a delivery in a state '{state}' like none"))),
    };
    Ok(Progress {
        state,
        claim: row.try_get("claim")?,
        lost_claims: row.try_get("lost_claims")?,
        attempts: row.try_get("attempts")?,
        failures: row.try_get("failures")?,
    })
}

/// One change of state, for `SET_PROGRESS`.
pub(super) type ProgressRow = (
    i64,
    u32,
    &'static str,
    &'static str,
    Option<i64>,
    Option<i64>,
    Option<&'static str>,
    u32,
    u32,
    u32,
    u32,
);

impl Standing {
    /// Its change to this.
    pub(super) fn become_(&self, after: &Progress) -> ProgressRow {
        progress_row(self.position, &self.progress, after)
    }
}

pub(super) fn progress_row(position: i64, before: &Progress, after: &Progress) -> ProgressRow {
    (
        position,
        before.claim,
        before.state.status().as_str(),
        after.state.status().as_str(),
        after.state.due_at().map(Timestamp::as_micros),
        after.state.finished_at().map(Timestamp::as_micros),
        after.state.reason().map(ParkReason::as_str),
        after.claim,
        after.lost_claims,
        after.attempts,
        after.failures,
    )
}

fn webhook<'a>(row: &SqliteRow, registry: &'a Registry) -> Result<&'a Arc<Webhook>, StoreError> {
    let number = row.try_get("webhook")?;
    registry
        .webhook_numbered(number)
        .ok_or_else(|| StoreError::Corrupt(format!("a delivery to webhook {number}, unknown")))
}

/// A delivery with its event, as `DUE_OF_WEBHOOK` and `SUCCESSORS` select it; not claimed yet.
/// Those of these rows that can be read. One that cannot is for a person to look at, and holds up
/// no other.
pub(super) fn all_claimable(rows: &[SqliteRow], registry: &Registry) -> Vec<Claimed> {
    let read = rows.iter().map(|row| claimable(row, registry));
    read.filter_map(|claimed| {
        let told = |failure: &StoreError| {
            error!(error = %Chain(failure), "a delivery cannot be read; see `bluum-hooks audit`");
        };
        claimed.inspect_err(told).ok()
    })
    .collect()
}

fn claimable(row: &SqliteRow, registry: &Registry) -> Result<Claimed, StoreError> {
    let body: Vec<u8> = row.try_get("body")?;
    Ok(Claimed {
        position: row.try_get("position")?,
        id: parsed(row, "id")?,
        event: parsed::<EventId>(row, "event_id")?,
        body: Bytes::from(body),
        webhook: Arc::clone(webhook(row, registry)?),
        sequence: row.try_get("sequence")?,
        progress: progress(row)?,
        ordering_key: row.try_get("ordering_key")?,
    })
}

pub(super) fn stored_delivery(
    row: &SqliteRow,
    registry: &Registry,
) -> Result<StoredDelivery, StoreError> {
    Ok(StoredDelivery {
        id: parsed(row, "id")?,
        event: parsed(row, "event_id")?,
        event_name: row.try_get("name")?,
        tenant: parsed(row, "tenant_id")?,
        webhook: webhook(row, registry)?.settings.id,
        livemode: row.try_get("livemode")?,
        sequence: row.try_get("sequence")?,
        ordering_key: row.try_get("ordering_key")?,
        progress: progress(row)?,
        blocked_by: optional_id(row, "blocked_by")?,
        created_at: time(row, "created_at")?,
    })
}

/// A batch of rows as the one JSON parameter of a bulk statement.
pub(super) fn batch(rows: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|error| StoreError::Corrupt(error.to_string()))
}
