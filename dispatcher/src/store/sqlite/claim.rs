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
    let due = claim_lanes(&mut transaction, lanes, slots, registry, now).await?;
    transaction.commit().await?;
    crash_point::reach("claim.committed");
    Ok(due)
}

async fn claim_lanes(
    transaction: &mut SqliteConnection,
    lanes: Vec<(i64, Vec<Slot>)>,
    slots: &Slots,
    registry: &Registry,
    now: Timestamp,
) -> Result<Due, StoreError> {
    let mut work = Vec::new();
    let mut changes = Vec::new();
    let mut given_up = Vec::new();
    for (webhook, free) in lanes {
        let due = due_of_webhook(&mut *transaction, webhook, free.len(), registry, now).await?;
        slots.set_backlog(webhook, due.len() == free.len());
        for (mut claimed, slot) in due.into_iter().zip(free) {
            let before = claimed.progress;
            let Ok(after) = turns::claimed(before, now) else { continue };
            changes.push(row::progress_row(claimed.position, &before, &after));
            if matches!(after.state, State::Leased { .. }) {
                claimed.progress = after;
                work.push(Work { claimed, slot });
            } else if let Some(key) = claimed.ordering_key {
                given_up.push((webhook, key));
            }
        }
    }
    crash_point::reach("claim.selected");
    sqlx::query(statement::SET_PROGRESS)
        .bind(row::batch(&changes)?)
        .execute(&mut *transaction)
        .await?;
    crash_point::reach("claim.updated");
    let lines = given_up.iter().map(|(webhook, key)| ((*webhook, key.as_str()), None)).collect();
    record::release(transaction, &lines, registry, now).await?;
    let lease_ends = (!work.is_empty()).then(|| now.plus(LEASE));
    Ok(Due { work, next_due: if given_up.is_empty() { lease_ends } else { Some(now) } })
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
