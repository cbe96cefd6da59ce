//! Replay: finished deliveries owed again, one, or a batch of many and the cursor with it.

use std::collections::HashMap;

use bluum_hooks_shared::id::{DeliveryId, ReplayId};
use bluum_hooks_shared::time::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row, SqliteConnection, SqlitePool};

use super::accept::busy_lines;
use super::row::{ProgressRow, Standing};
use super::{SqliteStore, Writer, answers, registry, row, statement};
use crate::crash_point;
use crate::policy::state::ParkReason;
use crate::store::replay::{replayed, taker};
use crate::store::{
    Advanced, Keep, Registry, Replay, ReplayFilter, Store, StoreError, StoredDelivery,
};
use crate::vault::Vault;

pub(super) async fn one(
    writer: &mut Writer,
    vault: &Vault,
    registry: &Registry,
    id: DeliveryId,
    answer: Option<Keep<StoredDelivery>>,
    now: Timestamp,
) -> Result<StoredDelivery, StoreError> {
    let mut transaction = writer.connection.begin_with("BEGIN IMMEDIATE").await?;
    crash_point::reach("replay_one.begun");
    let found = delivery(&mut transaction, id).await?.ok_or(StoreError::Declined)?;
    let standing = row::standing(&found)?;
    taker(registry, standing.webhook)?;
    if set(&mut transaction, &[standing], now).await? == 0 {
        return Err(StoreError::Declined);
    }
    crash_point::reach("replay_one.set");
    let found = delivery(&mut transaction, id).await?.ok_or(StoreError::Declined)?;
    let after = row::stored_delivery(&found, registry)?;
    let answer: Vec<_> = answer.map(|keep| keep(&after)).into_iter().collect();
    answers::keep(&mut transaction, &answer, vault, now).await?;
    crash_point::reach("replay_one.answer_kept");
    transaction.commit().await?;
    crash_point::reach("replay_one.committed");
    Ok(after)
}

async fn delivery(
    transaction: &mut SqliteConnection,
    id: DeliveryId,
) -> Result<Option<SqliteRow>, StoreError> {
    let found = sqlx::query(statement::DELIVERY).bind(id.to_string());
    Ok(found.fetch_optional(transaction).await?)
}

pub(super) async fn count(
    readers: &SqlitePool,
    webhook: i64,
    filter: &ReplayFilter,
) -> Result<i64, StoreError> {
    let count = if filter.delivered {
        statement::COUNT_DELIVERED_TO_REPLAY
    } else {
        statement::COUNT_PARKED_TO_REPLAY
    };
    let count = select(sqlx::query(count), webhook, filter, 0..i64::MAX);
    Ok(count.fetch_one(readers).await?.try_get(0)?)
}

type Query<'a> = sqlx::query::Query<'a, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// Sequence numbers after the start of the range, up to its end.
fn select<'a>(
    query: Query<'a>,
    webhook: i64,
    filter: &'a ReplayFilter,
    numbers: std::ops::Range<i64>,
) -> Query<'a> {
    query
        .bind(webhook)
        .bind(numbers.start)
        .bind(numbers.end)
        .bind(filter.reason.map(ParkReason::as_str))
        .bind(&filter.event_name)
        .bind(filter.since.map(Timestamp::as_micros))
        .bind(filter.until.map(Timestamp::as_micros))
}

pub(super) async fn advance(
    store: &SqliteStore,
    id: ReplayId,
    limit: usize,
    now: Timestamp,
) -> Result<Advanced, StoreError> {
    let running = |registry: &Registry| {
        let replay = registry.replay(id).filter(|replay| replay.is_running())?;
        Some((Replay::clone(replay), registry.webhook_number(replay.webhook)?))
    };
    let Some((replay, webhook)) = running(&store.registry()) else {
        return Ok(Advanced { replayed: 0, running: false });
    };
    // Looking takes long where little is found, so it is done beside the writer.
    let (found, cursor) = look(&store.readers, &replay, webhook, limit).await?;
    crash_point::reach("replay.looked");
    let mut writer = store.writer().await?;
    // Nobody else moves the cursor, but it may have been ended meanwhile.
    let Some((replay, _)) = running(&store.registry()) else {
        writer.ended(&Ok(()));
        return Ok(Advanced { replayed: 0, running: false });
    };
    let after = take(&mut writer, &replay, webhook, &found, cursor, now).await;
    writer.ended(&after);
    let (after, replayed) = after?;
    let advanced = Advanced { replayed, running: after.is_running() };
    store.change_registry(|registry| registry.put_replay(after));
    crash_point::reach("replay.known");
    Ok(advanced)
}

/// The next to replay, and how far the look went.
async fn look(
    readers: &SqlitePool,
    replay: &Replay,
    webhook: i64,
    limit: usize,
) -> Result<(Vec<Standing>, i64), StoreError> {
    let mut snapshot = readers.begin().await?;
    let last = sqlx::query_scalar(statement::LAST_SEQUENCE).bind(webhook);
    let last: i64 = last.fetch_one(&mut *snapshot).await?;
    let end = replay.up_to.min(last).max(replay.cursor);
    let next = if replay.filter.delivered {
        statement::DELIVERED_TO_REPLAY
    } else {
        statement::PARKED_TO_REPLAY
    };
    let rows = select(sqlx::query(next), webhook, &replay.filter, replay.cursor..end)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&mut *snapshot)
        .await?;
    let found: Vec<Standing> = rows.iter().map(row::standing).collect::<Result<_, _>>()?;
    let cursor = if found.len() < limit { None } else { found.last().map(|last| last.sequence) };
    Ok((found, cursor.unwrap_or(end)))
}

/// Those of the deliveries that are still as they were found. Others may have been replayed, even
/// delivered, or forgotten since; nobody may be queued behind one of them.
async fn unchanged<'a>(
    transaction: &mut SqliteConnection,
    found: &'a [Standing],
) -> Result<Vec<&'a Standing>, StoreError> {
    let positions: Vec<_> = found.iter().map(|standing| standing.position).collect();
    let rows = sqlx::query(statement::STANDINGS).bind(row::batch(&positions)?);
    let rows = rows.fetch_all(transaction).await?;
    let now: Vec<Standing> = rows.iter().map(row::standing).collect::<Result<_, _>>()?;
    let now: HashMap<_, _> = now.into_iter().map(|one| (one.position, one.progress)).collect();
    let same = |standing: &&Standing| now.get(&standing.position) == Some(&standing.progress);
    Ok(found.iter().filter(same).collect())
}

async fn take(
    writer: &mut Writer,
    replay: &Replay,
    webhook: i64,
    found: &[Standing],
    cursor: i64,
    now: Timestamp,
) -> Result<(Replay, usize), StoreError> {
    let last = writer.numbers.sequences.get(&webhook).copied().unwrap_or(0);
    let mut transaction = writer.connection.begin_with("BEGIN IMMEDIATE").await?;
    crash_point::reach("replay.begun");
    let replayed = set(&mut transaction, found, now).await?;
    crash_point::reach("replay.deliveries_set");
    let after = replay.after(cursor, replayed, last, now);
    registry::put_replay(&mut transaction, &after).await?;
    crash_point::reach("replay.cursor_moved");
    transaction.commit().await?;
    crash_point::reach("replay.committed");
    Ok((after, replayed))
}

/// Replays those that are still as they were found, in their order; returns how many.
async fn set(
    transaction: &mut SqliteConnection,
    found: &[Standing],
    now: Timestamp,
) -> Result<usize, StoreError> {
    let found = unchanged(transaction, found).await?;
    crash_point::reach("replay.looked_again");
    let lines = found.iter().filter_map(|standing| standing.line());
    let mut busy = busy_lines(&mut *transaction, lines).await?;
    let changes: Vec<ProgressRow> = found
        .iter()
        .filter_map(|standing| {
            let line = standing.line().map(|(webhook, key)| (webhook, key.to_owned()));
            let behind = line.is_some_and(|line| !busy.insert(line));
            let after = replayed(standing.progress, behind, now).ok()?;
            Some(standing.become_(&after))
        })
        .collect();
    let update = sqlx::query(statement::SET_PROGRESS).bind(row::batch(&changes)?);
    Ok(usize::try_from(update.execute(transaction).await?.rows_affected()).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bluum_hooks_shared::api::DeliveryStatus;
    use bluum_hooks_shared::id::{TenantId, WebhookId};

    use super::*;
    use crate::policy::judge::Verdict;
    use crate::policy::retry::RetrySchedule;
    use crate::policy::state::{Input, step};
    use crate::random::SystemRandom;
    use crate::slots::Slots;
    use crate::store::{Change, NewEvent, Report, Tenant, WebhookDraft, Work};
    use crate::vault::KeySource;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_750_000_000);

    fn webhook(tenant: TenantId) -> WebhookDraft {
        let draft = WebhookDraft::new(WebhookId::new(NOW, 1), tenant, false, NOW);
        WebhookDraft { event_type_names: vec!["*".into()], max_in_flight: 9, ..draft }
    }

    fn event(tenant: TenantId, seed: u128) -> NewEvent {
        let event = NewEvent::sample(tenant, seed, NOW);
        NewEvent { ordering_key: Some("a".into()), ..event }
    }

    async fn deliver(store: &SqliteStore, Work { claimed, slot: _slot }: Work) {
        let input = Input::Attempted(Verdict::Delivered);
        let after = step(claimed.progress, input, NOW, &RetrySchedule::default(), 0.0).unwrap();
        let report = Report { claimed, after, attempt: None, notice: None, hand_on: false };
        store.record(&[report], NOW).await.unwrap();
    }

    /// Two deliveries about one object, delivered.
    async fn two_delivered(store: &SqliteStore, slots: &Slots) -> WebhookId {
        let id = TenantId::new(NOW, 1);
        let tenant = Tenant { id, name: "T".into(), metadata: [].into(), created_at: NOW };
        store.change(Change::AddTenant(tenant, Vec::new()), None, NOW).await.unwrap();
        let draft = webhook(id);
        let webhook = draft.id;
        store.change(Change::AddWebhook(draft, 1), None, NOW).await.unwrap();
        for seed in [1, 2] {
            let accepted = store.accept(&[event(id, seed)], &[], slots, NOW).await.unwrap();
            for work in accepted.work {
                deliver(store, work).await;
            }
        }
        webhook
    }

    #[tokio::test]
    async fn nobody_is_queued_behind_what_has_changed_since_it_was_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let key = KeySource::Ours(folder.path().join("key"));
        let file = folder.path().join("hooks.db");
        let store = SqliteStore::open(&file, &key, Arc::new(SystemRandom), NOW).await.unwrap();
        let slots = Slots::new(9, Default::default());
        let webhook = two_delivered(&store, &slots).await;
        let filter = ReplayFilter { delivered: true, ..ReplayFilter::default() };
        let replay = Replay::new(ReplayId::new(NOW, 1), webhook, filter, NOW);

        let (found, cursor) = look(&store.readers, &replay, 1, 10).await.unwrap();
        assert_eq!(found.len(), 2);
        let all = crate::store::DeliveryFilter { webhook: Some(webhook), ..Default::default() };
        let page = crate::store::Page { limit: 9, offset: 0, after: None };
        let first = store.deliveries(&all, page).await.unwrap().remove(1);
        store.replay(first.id, None, NOW).await.unwrap();
        let due = store.claim_due(9, &slots, NOW).await.unwrap();
        for work in due.work {
            deliver(&store, work).await;
        }
        let mut writer = store.writer().await.unwrap();
        let (_, replayed) = take(&mut writer, &replay, 1, &found, cursor, NOW).await.unwrap();
        writer.ended(&Ok(()));
        drop(writer);
        assert_eq!(replayed, 1);
        let second = store.deliveries(&all, page).await.unwrap().remove(0);
        assert_eq!(
            second.progress.state.status(),
            DeliveryStatus::Waiting,
            "nobody is ahead of it"
        );
    }
}
