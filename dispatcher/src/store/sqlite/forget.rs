//! Forget: what is old enough is deleted, a few events in a commit.

use std::collections::HashMap;

use bluum_hooks_shared::time::Timestamp;
use sqlx::{Connection, SqlitePool};

use super::{SqliteStore, Writer, answers, row, statement};
use crate::crash_point;
use crate::store::{Forgotten, Horizon, StoreError};

pub(super) async fn forget(
    store: &SqliteStore,
    after: i64,
    limit: usize,
    horizon: Horizon,
    now: Timestamp,
) -> Result<Forgotten, StoreError> {
    let (old, next) = look(&store.readers, after, limit, horizon).await?;
    if old.is_empty() {
        return Ok(Forgotten { next, ..Forgotten::default() });
    }
    crash_point::reach("forget.looked");
    let mut writer = store.writer().await?;
    let forgotten = delete(&mut writer, &old, horizon, now).await;
    writer.ended(&forgotten);
    Ok(Forgotten { next, ..forgotten? })
}

/// The events with something to delete, and the position to go on from.
async fn look(
    readers: &SqlitePool,
    after: i64,
    limit: usize,
    horizon: Horizon,
) -> Result<(Vec<i64>, Option<i64>), StoreError> {
    let found: Vec<(i64, i64, bool)> = sqlx::query_as(statement::FORGETTABLE)
        .bind(after)
        .bind(horizon.finished_before.as_micros())
        .bind(horizon.parked_before.as_micros())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(readers)
        .await?;
    let accepted_before = horizon.finished_before.as_micros();
    let old: Vec<_> = found.iter().take_while(|(_, at, _)| *at < accepted_before).collect();
    let next = old.last().filter(|_| old.len() == limit).map(|(position, ..)| *position);
    let positions = old.into_iter().filter(|(.., deletable)| *deletable).map(|(at, ..)| *at);
    Ok((positions.collect(), next))
}

async fn delete(
    writer: &mut Writer,
    events: &[i64],
    horizon: Horizon,
    now: Timestamp,
) -> Result<Forgotten, StoreError> {
    let events = row::batch(&events)?;
    let mut transaction = writer.connection.begin_with("BEGIN IMMEDIATE").await?;
    crash_point::reach("forget.begun");
    sqlx::query(statement::FORGET_ATTEMPTS)
        .bind(&events)
        .bind(horizon.finished_before.as_micros())
        .bind(horizon.parked_before.as_micros())
        .execute(&mut *transaction)
        .await?;
    crash_point::reach("forget.attempts_deleted");
    let webhooks: Vec<i64> = sqlx::query_scalar(statement::FORGET_DELIVERIES)
        .bind(&events)
        .bind(horizon.finished_before.as_micros())
        .bind(horizon.parked_before.as_micros())
        .fetch_all(&mut *transaction)
        .await?;
    crash_point::reach("forget.deliveries_deleted");
    let mut counts: HashMap<i64, i64> = HashMap::new();
    for webhook in &webhooks {
        *counts.entry(*webhook).or_default() += 1;
    }
    let counts: Vec<_> = counts.into_iter().collect();
    let count = sqlx::query(statement::COUNT_FORGOTTEN).bind(row::batch(&counts)?);
    count.execute(&mut *transaction).await?;
    crash_point::reach("forget.counted");
    let gone = sqlx::query(statement::FORGET_EVENTS).bind(&events);
    let gone = gone.execute(&mut *transaction).await?.rows_affected();
    crash_point::reach("forget.events_deleted");
    answers::forget(&mut transaction, now).await?;
    crash_point::reach("forget.answers_deleted");
    transaction.commit().await?;
    crash_point::reach("forget.committed");
    let events = usize::try_from(gone).unwrap_or(usize::MAX);
    Ok(Forgotten { events, deliveries: webhooks.len(), next: None })
}
