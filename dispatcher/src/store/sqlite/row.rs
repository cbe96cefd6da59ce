//! Rows to types and back.

use std::str::FromStr;
use std::sync::Arc;

use bluum_hooks_shared::id::DeliveryId;
use bluum_hooks_shared::time::Timestamp;
use bytes::Bytes;
use serde_json::value::RawValue;
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
    id_of(column, row.try_get(column)?)
}

fn id_of<T>(column: &str, text: &str) -> Result<T, StoreError>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
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
    Ok(Progress {
        state: state(
            row.try_get("state")?,
            row.try_get("due_at")?,
            row.try_get("finished_at")?,
            row.try_get("reason")?,
        )?,
        claim: row.try_get("claim")?,
        lost_claims: row.try_get("lost_claims")?,
        attempts: row.try_get("attempts")?,
        failures: row.try_get("failures")?,
    })
}

fn state(
    state: &str,
    due_at: Option<i64>,
    finished_at: Option<i64>,
    reason: Option<&str>,
) -> Result<State, StoreError> {
    let [due_at, finished_at] = [due_at, finished_at].map(|at| at.map(Timestamp::from_micros));
    match (state, due_at, finished_at, reason.and_then(ParkReason::parse)) {
        ("queued", None, None, None) => Ok(State::Queued),
        ("waiting", Some(due_at), None, None) => Ok(State::Waiting { due_at }),
        ("leased", Some(lease_until), None, None) => Ok(State::Leased { lease_until }),
        ("delivered", None, Some(finished_at), None) => Ok(State::Delivered { finished_at }),
        ("parked", None, Some(finished_at), Some(reason)) => {
            Ok(State::Parked { finished_at, reason })
        }
        _ => Err(StoreError::Corrupt(format!("a delivery in a state '{state}' like none"))),
    }
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
    /// Its webhook and its ordering key, if it has one.
    pub(super) fn line(&self) -> Option<(i64, &str)> {
        Some((self.webhook, self.ordering_key.as_deref()?))
    }

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

fn webhook(number: i64, registry: &Registry) -> Result<&Arc<Webhook>, StoreError> {
    registry
        .webhook_numbered(number)
        .ok_or_else(|| StoreError::Corrupt(format!("a delivery to webhook {number}, unknown")))
}

/// The columns of one of them.
type Claimable = (
    i64,
    String,
    i64,
    i64,
    Option<String>,
    String,
    Option<i64>,
    Option<i64>,
    Option<String>,
    u32,
    u32,
    u32,
    u32,
    String,
);

/// Deliveries with their events: what `DUE_OF_LANES` and `PROMOTED` select. One that cannot be read
/// is for a person to look at, and holds up no other.
pub(super) fn claimables(
    gathered: &SqliteRow,
    registry: &Registry,
) -> Result<Vec<Claimed>, StoreError> {
    let columns = String::from_utf8_lossy(gathered.try_get(0)?);
    let columns: Vec<&RawValue> = unbatch(&columns)?;
    let lengths: Vec<usize> = unbatch(gathered.try_get(1)?)?;
    let bodies: Option<&[u8]> = gathered.try_get(2)?;
    let mut bodies = bodies.unwrap_or_default();
    let mut all = Vec::with_capacity(columns.len());
    for (columns, length) in columns.into_iter().zip(lengths) {
        let (body, rest) = bodies.split_at(length.min(bodies.len()));
        bodies = rest;
        match claimable(columns.get(), body, registry) {
            Ok(claimed) => all.push(claimed),
            Err(failure) => error!(
                error = %Chain(&failure),
                "a delivery cannot be read; see `bluum-hooks audit`"
            ),
        }
    }
    Ok(all)
}

fn claimable(row: &str, body: &[u8], registry: &Registry) -> Result<Claimed, StoreError> {
    let (
        position,
        id,
        number,
        sequence,
        ordering_key,
        status,
        due_at,
        finished_at,
        reason,
        claim,
        lost_claims,
        attempts,
        failures,
        event,
    ): Claimable = unbatch(row)?;
    let state = state(&status, due_at, finished_at, reason.as_deref())?;
    Ok(Claimed {
        position,
        id: id_of("id", &id)?,
        event: id_of("event_id", &event)?,
        body: Bytes::copy_from_slice(body),
        webhook: Arc::clone(webhook(number, registry)?),
        sequence,
        progress: Progress { state, claim, lost_claims, attempts, failures },
        ordering_key,
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
        webhook: webhook(row.try_get("webhook")?, registry)?.settings.id,
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

/// What a statement gathered into JSON.
pub(super) fn unbatch<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(error.to_string()))
}
