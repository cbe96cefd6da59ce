//! Claim: hand out what is due, fairly, as far as there are slots.

use bluum_hooks_shared::time::Timestamp;
use sqlx::{Connection, SqliteConnection};

use super::{SqliteStore, park, record, row, statement};
use crate::crash_point;
use crate::policy::state::State;
use crate::slots::{Slot, Slots};
use crate::store::{Claimed, Due, LEASE, Registry, Store, StoreError, Work, turns};

pub(super) async fn claim_due(
    store: &SqliteStore,
    per_webhook: usize,
    slots: &Slots,
    now: Timestamp,
) -> Result<Due, StoreError> {
    for webhook in slots.backlogged() {
        slots.set_backlog(webhook, false);
    }
    let lanes: Vec<(i64, bool, Option<i64>)> =
        sqlx::query_as(statement::LANES).bind(now.as_micros()).fetch_all(&store.hot_reader).await?;
    let next_due = lanes.iter().filter_map(|lane| lane.2).min().map(Timestamp::from_micros);
    let registry = store.registry();
    let (stopped, lanes): (Vec<_>, Vec<_>) =
        lanes.into_iter().partition(|&(webhook, ..)| park::stopped(&registry, webhook).is_some());
    let due = lanes.into_iter().filter(|lane| lane.1).map(|lane| lane.0).collect();
    let stopped = stopped.into_iter().map(|lane| lane.0);
    let parked = park::stopped_webhooks(store, stopped, now).await?;
    let next_due = if parked { Some(now) } else { next_due };
    let lanes = turns::share(due, per_webhook, slots, &registry);
    if lanes.is_empty() {
        return Ok(Due { work: Vec::new(), next_due });
    }
    crash_point::reach("claim.looked");
    let mut writer = store.writer().await?;
    let due = claim(&mut writer.connection, lanes, slots, &registry, now).await;
    writer.ended(&due);
    let due = due?;
    Ok(Due { next_due: due.next_due.into_iter().chain(next_due).min(), ..due })
}

async fn claim(
    connection: &mut SqliteConnection,
    lanes: Vec<(i64, Vec<Slot>)>,
    slots: &Slots,
    registry: &Registry,
    now: Timestamp,
) -> Result<Due, StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    crash_point::reach("claim.begun");
    let offered: Vec<_> = lanes.iter().map(|(webhook, free)| (*webhook, free.len())).collect();
    let Claims { claimed, found, gave_up } =
        claim_lanes(&mut transaction, lanes, registry, now).await?;
    for ((webhook, offered), found) in offered.into_iter().zip(found) {
        slots.set_backlog(webhook, found == offered);
    }
    transaction.commit().await?;
    crash_point::reach("claim.committed");
    let work: Vec<_> = claimed.into_iter().map(|(claimed, slot)| Work { claimed, slot }).collect();
    let lease_ends = (!work.is_empty()).then(|| now.plus(LEASE));
    Ok(Due { work, next_due: if gave_up { Some(now) } else { lease_ends } })
}

/// What was claimed, each for one of the places offered.
pub(super) struct Claims<T> {
    pub(super) claimed: Vec<(Claimed, T)>,
    /// How many were due in each lane, as far as it was looked.
    found: Vec<usize>,
    /// Whether some were parked, having been claimed and lost too often.
    gave_up: bool,
}

/// Claims what is due to these webhooks, as far as there are places for it.
pub(super) async fn claim_lanes<T>(
    transaction: &mut SqliteConnection,
    lanes: Vec<(i64, Vec<T>)>,
    registry: &Registry,
    now: Timestamp,
) -> Result<Claims<T>, StoreError> {
    let mut claims = Claims { claimed: Vec::new(), found: Vec::new(), gave_up: false };
    let mut changes = Vec::new();
    let mut given_up = Vec::new();
    for (webhook, places) in lanes {
        let due = due_of_webhook(&mut *transaction, webhook, places.len(), registry, now).await?;
        claims.found.push(due.len());
        for (mut claimed, place) in due.into_iter().zip(places) {
            let before = claimed.progress;
            let Ok(after) = turns::claimed(before, now) else { continue };
            changes.push(row::progress_row(claimed.position, &before, &after));
            if matches!(after.state, State::Leased { .. }) {
                claimed.progress = after;
                claims.claimed.push((claimed, place));
            } else if let Some(key) = claimed.ordering_key {
                given_up.push((webhook, key));
            }
        }
    }
    crash_point::reach("claim.selected");
    if changes.is_empty() {
        return Ok(claims);
    }
    sqlx::query(statement::SET_PROGRESS)
        .bind(row::batch(&changes)?)
        .execute(&mut *transaction)
        .await?;
    crash_point::reach("claim.updated");
    claims.gave_up = !given_up.is_empty();
    let lines = given_up.iter().map(|(webhook, key)| ((*webhook, key.as_str()), None)).collect();
    record::release(transaction, &lines, registry, now).await?;
    Ok(claims)
}

async fn due_of_webhook(
    transaction: &mut SqliteConnection,
    webhook: i64,
    limit: usize,
    registry: &Registry,
    now: Timestamp,
) -> Result<Vec<Claimed>, StoreError> {
    let due: row::Claimables = sqlx::query_as(statement::DUE_OF_WEBHOOK)
        .bind(webhook)
        .bind(now.as_micros())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_one(transaction)
        .await?;
    row::all_claimable(&due, registry)
}
