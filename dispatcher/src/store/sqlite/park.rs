//! Park: what a stopped webhook is owed, or what a listener does not want any more.

use bluum_hooks_shared::time::Timestamp;
use sqlx::{Connection, SqliteConnection};

use super::row::Standing;
use super::{SqliteStore, record, row, statement};
use crate::crash_point;
use crate::policy::state::{ParkReason, State};
use crate::store::{Backlog, Gap, Kept, Registry, Store, StoreError, turns};

/// Deliveries that are parked in one commit.
const BATCH: i64 = 2_000;
/// Beyond every sequence number.
const ALL: i64 = i64::MAX;

pub(super) fn stopped(registry: &Registry, webhook: i64) -> Option<ParkReason> {
    registry.webhook_numbered(webhook)?.stopped()
}

/// Parks some of what one of these stopped webhooks is owed; returns whether there was something.
/// One commit, so that those that take deliveries are not kept waiting.
pub(super) async fn stopped_webhooks(
    store: &SqliteStore,
    webhooks: impl Iterator<Item = i64>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    for webhook in webhooks {
        let looked = &mut *store.hot_reader.acquire().await?;
        if owed(looked, webhook, ALL, now).await?.is_empty() {
            continue;
        }
        crash_point::reach("park.looked");
        let mut writer = store.writer().await?;
        // By now it may take deliveries again.
        let registry = store.registry();
        let done = match stopped(&registry, webhook) {
            Some(reason) => some(&mut writer.connection, webhook, ALL, reason, now).await,
            None => Ok(0),
        };
        writer.ended(&done);
        return done.map(|_| true);
    }
    Ok(false)
}

/// Parks some of what this webhook is owed up to a sequence number; returns how many.
pub(super) async fn skip(
    store: &SqliteStore,
    webhook: i64,
    up_to: i64,
    reason: ParkReason,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut writer = store.writer().await?;
    let done = some(&mut writer.connection, webhook, up_to, reason, now).await;
    writer.ended(&done);
    done
}

async fn some(
    connection: &mut SqliteConnection,
    webhook: i64,
    up_to: i64,
    reason: ParkReason,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    crash_point::reach("park.begun");
    let found = owed(&mut transaction, webhook, up_to, now).await?;
    crash_point::reach("park.selected");
    let change = |standing: &Standing| {
        let after = turns::stopped(standing.progress, reason, now).ok()?;
        Some(standing.become_(&after))
    };
    let changes: Vec<_> = found.iter().filter_map(change).collect();
    record::set_progress(&mut transaction, &changes).await?;
    crash_point::reach("park.updated");
    // Those behind them with later numbers are next.
    let freed = found.iter().filter(|one| up_to < ALL && one.progress.state != State::Queued);
    let freed: Vec<_> =
        freed.filter_map(|one| Some((webhook, one.ordering_key.clone()?))).collect();
    record::release(&mut transaction, &freed, now).await?;
    transaction.commit().await?;
    crash_point::reach("park.committed");
    Ok(changes.len())
}

/// What is queued goes first: nothing may be left queued behind nobody.
async fn owed(
    connection: &mut SqliteConnection,
    webhook: i64,
    up_to: i64,
    now: Timestamp,
) -> Result<Vec<Standing>, StoreError> {
    let queued = sqlx::query(statement::QUEUED_OF_WEBHOOK).bind(webhook).bind(up_to).bind(BATCH);
    let mut rows = queued.fetch_all(&mut *connection).await?;
    let left = BATCH - i64::try_from(rows.len()).unwrap_or(BATCH);
    if left > 0 {
        let others = sqlx::query(statement::TO_PARK_OF_WEBHOOK).bind(webhook).bind(up_to);
        let others = others.bind(now.as_micros()).bind(left);
        rows.extend(others.fetch_all(connection).await?);
    }
    rows.iter().map(row::standing).collect()
}

pub(super) async fn backlog(
    store: &SqliteStore,
    webhook: i64,
    after: Option<i64>,
    kept: Kept,
) -> Result<Backlog, StoreError> {
    let mut snapshot = store.readers.begin().await?;
    let last = sqlx::query_scalar(statement::LAST_SEQUENCE).bind(webhook);
    let last_sequence = last.fetch_one(&mut *snapshot).await?;
    let (owed, oldest, surplus): (i64, Option<i64>, i64) = sqlx::query_as(statement::BACKLOG)
        .bind(webhook)
        .bind(kept.at_most)
        .bind(kept.since.as_micros())
        .fetch_one(&mut *snapshot)
        .await?;
    let (from, to, count): (Option<i64>, Option<i64>, i64) =
        sqlx::query_as(statement::GAP).bind(webhook).bind(after).fetch_one(&mut *snapshot).await?;
    Ok(Backlog {
        owed,
        oldest: oldest.map(Timestamp::from_micros),
        last_sequence,
        surplus: (surplus > 0).then_some(surplus),
        gap: from.zip(to).map(|(from, to)| Gap { from, to, count }),
    })
}
