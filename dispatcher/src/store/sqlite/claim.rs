//! Claim: hand out what is due, fairly, as far as there are slots.

use std::collections::HashMap;

use bluum_hooks_shared::time::Timestamp;
use sqlx::SqliteConnection;

use super::write::{Changes, Moves, Rows, is_stale};
use super::{SqliteStore, accept, park, record, row, statement};
use crate::crash_point;
use crate::policy::state::{Progress, State};
use crate::slots::{Slot, Slots};
use crate::store::{Claimed, Due, LEASE, Registry, Store, StoreError, Work, turns};

pub(super) async fn claim_due(
    store: &SqliteStore,
    per_webhook: usize,
    slots: &Slots,
    now: Timestamp,
) -> Result<Due, StoreError> {
    slots.look_again();
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
    // Beside the writer, which takes less of what has changed since.
    let places: Vec<_> = lanes.iter().map(|(webhook, slots)| (*webhook, slots.len())).collect();
    let due = due_of_lanes(store, &places, &registry, now).await?;
    for (webhook, free) in &lanes {
        let found = due.iter().filter(|one| one.webhook.number == *webhook);
        turns::note_backlog(*webhook, found.count() >= free.len(), slots, &registry);
    }
    crash_point::reach("claim.looked");
    let mut taken = take(due, lanes, now);
    if taken.is_empty() {
        return Ok(Due { work: Vec::new(), next_due });
    }
    let found = taken.len();
    let mut writer = store.writer().await?;
    let done = write(&mut taken, &mut writer.connection, now).await;
    writer.ended(&done);
    done?;
    crash_point::reach("claim.committed");
    let freed = taken.iter().any(|one| !one.is_leased() && one.claimed.line().is_some());
    let again = freed || taken.len() < found;
    let taken = taken.into_iter().filter(Taken::is_leased);
    let work: Vec<_> = taken.map(|Taken { claimed, slot, .. }| Work { claimed, slot }).collect();
    let own = if again { Some(now) } else { (!work.is_empty()).then(|| now.plus(LEASE)) };
    Ok(Due { work, next_due: next_due.into_iter().chain(own).min() })
}

/// What has been due longest to each of these webhooks, up to so many.
async fn due_of_lanes(
    store: &SqliteStore,
    places: &[(i64, usize)],
    registry: &Registry,
    now: Timestamp,
) -> Result<Vec<Claimed>, StoreError> {
    let most = places.iter().map(|(_, places)| *places).max().unwrap_or(0);
    let due = sqlx::query(statement::DUE_OF_LANES);
    let due = due.bind(row::batch(&places)?).bind(now.as_micros()).bind(accept::number(most));
    row::claimables(&due.fetch_one(&store.hot_reader).await?, registry)
}

/// A delivery that is taken.
struct Taken {
    before: Progress,
    /// With its progress from now on: parked, if it was claimed and lost too often.
    claimed: Claimed,
    slot: Slot,
}

impl Taken {
    fn is_leased(&self) -> bool {
        matches!(self.claimed.progress.state, State::Leased { .. })
    }

    fn change(&self) -> row::ProgressRow {
        row::progress_row(self.claimed.position, &self.before, &self.claimed.progress)
    }
}

/// Takes what has been due longest to each of these webhooks, as far as there are slots for it.
fn take(mut due: Vec<Claimed>, lanes: Vec<(i64, Vec<Slot>)>, now: Timestamp) -> Vec<Taken> {
    due.sort_by_key(|claimed| (claimed.progress.state.due_at(), claimed.position));
    let mut of_webhook: HashMap<i64, Vec<Claimed>> = HashMap::new();
    for claimed in due {
        of_webhook.entry(claimed.webhook.number).or_default().push(claimed);
    }
    let lanes = lanes.into_iter().flat_map(|(webhook, slots)| {
        of_webhook.remove(&webhook).unwrap_or_default().into_iter().zip(slots)
    });
    let taken = lanes.filter_map(|(mut claimed, slot)| {
        let after = turns::claimed(claimed.progress, now).ok()?;
        let before = std::mem::replace(&mut claimed.progress, after);
        Some(Taken { before, claimed, slot })
    });
    taken.collect()
}

/// Writes those that are still as they were found.
async fn write(
    taken: &mut Vec<Taken>,
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> Result<(), StoreError> {
    let done = changes(taken, now)?.write(connection, now).await;
    if !done.as_ref().is_err_and(is_stale) {
        return done.map(drop);
    }
    let rows: Vec<_> = taken.iter().map(Taken::change).collect();
    let still = record::applicable(&rows, connection).await?;
    let all = std::mem::take(taken).into_iter().enumerate();
    *taken = all.filter(|(index, _)| still.contains(index)).map(|(_, one)| one).collect();
    changes(taken, now)?.write(connection, now).await.map(drop)
}

fn changes(taken: &[Taken], now: Timestamp) -> Result<Changes, StoreError> {
    let given_up = taken.iter().filter(|one| !one.is_leased());
    let lines = given_up.filter_map(|one| one.claimed.line());
    let freed: Vec<_> = lines.filter_map(|line| record::freed(line, false, now)).collect();
    let mut moves = Moves::default();
    for Taken { before, claimed, .. } in taken {
        moves.add(claimed.position, before, &claimed.progress);
    }
    Ok(Changes { moves, freed: Rows::of(&freed)?, ..Changes::default() })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bluum_hooks_shared::id::{TenantId, WebhookId};

    use super::*;
    use crate::random::SystemRandom;
    use crate::store::{Change, NewEvent, Tenant, WebhookDraft};
    use crate::vault::KeySource;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_750_000_000);

    /// A tenant with one webhook, and what is due to it.
    async fn three_due(store: &SqliteStore) -> Vec<Claimed> {
        let id = TenantId::new(NOW, 1);
        let tenant = Tenant { id, name: "T".into(), metadata: [].into(), created_at: NOW };
        store.change(Change::AddTenant(tenant, Vec::new()), None, NOW).await.unwrap();
        let draft = WebhookDraft::new(WebhookId::new(NOW, 1), id, false, NOW);
        let draft = WebhookDraft { event_type_names: vec!["*".into()], ..draft };
        store.change(Change::AddWebhook(draft, 1), None, NOW).await.unwrap();
        let events = [1, 2, 3].map(|seed| NewEvent::sample(id, seed, NOW));
        store.accept(&events, &[], &Slots::none(), NOW).await.unwrap();
        due_of_lanes(store, &[(1, 9)], &store.registry(), NOW).await.unwrap()
    }

    #[tokio::test]
    async fn what_has_changed_since_it_was_looked_at_is_not_claimed() {
        let folder = tempfile::tempdir().unwrap();
        let key = KeySource::Ours(folder.path().join("key"));
        let file = folder.path().join("hooks.db");
        let store = SqliteStore::open(&file, &key, Arc::new(SystemRandom), NOW).await.unwrap();
        let due = three_due(&store).await;
        let slots = Slots::new(9, Default::default());
        let mut taken = take(due, vec![(1, slots.take(1, 3, 3))], NOW);
        assert_eq!(taken.len(), 3);

        let first = claim_due(&store, 1, &slots, NOW).await.unwrap();
        assert_eq!(first.work[0].claimed.sequence, 1);
        let mut writer = store.writer().await.unwrap();
        write(&mut taken, &mut writer.connection, NOW).await.unwrap();
        writer.ended(&Ok(()));
        let sequences: Vec<_> = taken.iter().map(|one| one.claimed.sequence).collect();
        assert_eq!(sequences, [2, 3]);
        assert_eq!(slots.in_flight(), 3, "the slot of the other is free");
    }
}
