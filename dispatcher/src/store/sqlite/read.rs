//! Reading: one item, or a page of a list. Readers never wait for the writer.

use std::time::Duration;

use bluum_hooks_shared::api::{AttemptOutcome, DeliveryStatus};
use bluum_hooks_shared::id::{DeliveryId, EventId};
use bluum_hooks_shared::time::Timestamp;
use bytes::Bytes;
use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use super::{row, statement};
use crate::store::{
    Cursor, DeliveryFilter, EventFilter, Health, NewAttempt, PAGE_BYTES, Page, Registry,
    StoreError, StoredAttempt, StoredDelivery, StoredEvent,
};

pub(super) async fn event(
    readers: &SqlitePool,
    id: EventId,
) -> Result<Option<StoredEvent>, StoreError> {
    let found = sqlx::query(statement::EVENT).bind(id.to_string()).fetch_optional(readers).await?;
    found.as_ref().map(stored_event).transpose()
}

pub(super) async fn events(
    readers: &SqlitePool,
    filter: &EventFilter,
    page: Page,
) -> Result<Vec<StoredEvent>, StoreError> {
    let position = match page.after {
        Some(Cursor::Position(position)) => position,
        _ => 0,
    };
    let mut rows = sqlx::query(statement::EVENTS)
        .bind(filter.tenant.to_string())
        .bind(filter.livemode)
        .bind(page.after.and_then(cursor))
        .bind(&filter.name)
        .bind(filter.since.map(Timestamp::as_micros))
        .bind(filter.until.map(Timestamp::as_micros))
        .bind(page.limit)
        .bind(page.offset)
        .bind(position)
        .fetch(readers);
    let (mut events, mut bytes) = (Vec::new(), 0);
    while bytes <= PAGE_BYTES
        && let Some(found) = rows.try_next().await?
    {
        let event = stored_event(&found)?;
        bytes += event.body.len();
        events.push(event);
    }
    Ok(events)
}

pub(super) async fn deliveries(
    readers: &SqlitePool,
    filter: &DeliveryFilter,
    page: Page,
    registry: &Registry,
) -> Result<Vec<StoredDelivery>, StoreError> {
    let parked = filter.status == Some(DeliveryStatus::Parked);
    let of_webhook =
        if parked { statement::PARKED_OF_WEBHOOK } else { statement::DELIVERIES_OF_WEBHOOK };
    // The three statements take the same parameters behind the first.
    let list = match filter.event {
        Some(event) => sqlx::query(statement::DELIVERIES_OF_EVENT).bind(event.to_string()),
        None => {
            sqlx::query(of_webhook).bind(filter.webhook.and_then(|id| registry.webhook_number(id)))
        }
    };
    let rows = list
        .bind(page.after.and_then(cursor))
        .bind(filter.status.map(DeliveryStatus::as_str))
        .bind(&filter.event_name)
        .bind(filter.since.map(Timestamp::as_micros))
        .bind(filter.until.map(Timestamp::as_micros))
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(readers)
        .await?;
    rows.iter().map(|found| row::stored_delivery(found, registry)).collect()
}

pub(super) async fn delivery(
    readers: &SqlitePool,
    id: DeliveryId,
    registry: &Registry,
) -> Result<Option<(StoredDelivery, Vec<StoredAttempt>)>, StoreError> {
    // One transaction, so that the attempts are those of the state beside them.
    let mut snapshot = readers.begin().await?;
    let found = sqlx::query(statement::DELIVERY)
        .bind(id.to_string())
        .fetch_optional(&mut *snapshot)
        .await?;
    let Some(found) = found else {
        return Ok(None);
    };
    let position: i64 = found.try_get("position")?;
    let attempts =
        sqlx::query(statement::ATTEMPTS).bind(position).fetch_all(&mut *snapshot).await?;
    let attempts = attempts.iter().map(stored_attempt).collect::<Result<_, _>>()?;
    Ok(Some((row::stored_delivery(&found, registry)?, attempts)))
}

pub(super) async fn health(readers: &SqlitePool) -> Result<Health, StoreError> {
    let outbox_rejected = sqlx::query_scalar(statement::OUTBOX_REJECTED).fetch_one(readers).await?;
    Ok(Health { outbox_rejected })
}

/// The id to page from.
fn cursor(cursor: Cursor) -> Option<String> {
    match cursor {
        Cursor::Position(_) => None,
        Cursor::Event(id) => Some(id.to_string()),
        Cursor::Delivery(id) => Some(id.to_string()),
    }
}

fn stored_event(found: &SqliteRow) -> Result<StoredEvent, StoreError> {
    let body: Vec<u8> = found.try_get("body")?;
    Ok(StoredEvent {
        position: found.try_get("position")?,
        id: row::parsed(found, "id")?,
        tenant: row::parsed(found, "tenant_id")?,
        livemode: found.try_get("livemode")?,
        name: found.try_get("name")?,
        created_at: row::time(found, "created_at")?,
        body: Bytes::from(body),
    })
}

fn stored_attempt(found: &SqliteRow) -> Result<StoredAttempt, StoreError> {
    let duration: i64 = found.try_get("duration_us")?;
    Ok(StoredAttempt {
        number: found.try_get("number")?,
        attempt: NewAttempt {
            id: row::parsed(found, "id")?,
            started_at: row::time(found, "started_at")?,
            duration: Duration::from_micros(duration.unsigned_abs()),
            outcome: outcome(found)?,
            status: found.try_get("status")?,
            error: found.try_get("error")?,
            response_body: found.try_get("response_body")?,
        },
    })
}

fn outcome(found: &SqliteRow) -> Result<AttemptOutcome, StoreError> {
    let name: String = found.try_get("outcome")?;
    let known = AttemptOutcome::ALL.into_iter().find(|outcome| outcome.as_str() == name);
    known.ok_or_else(|| StoreError::Corrupt(format!("'{name}' is no outcome of an attempt")))
}
