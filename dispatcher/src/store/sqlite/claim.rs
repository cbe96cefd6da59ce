//! Claim: hand out what is due, fairly, as far as there are slots.

use std::collections::BTreeMap;

use bluum_hooks_shared::time::Timestamp;
use sqlx::SqliteConnection;

use super::{SqliteStore, park, record, row, script, statement};
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
    let due = claim_lanes(&mut writer.connection, lanes, slots, &registry, now).await;
    let due = script::or_rollback(due, &mut writer.connection).await;
    writer.ended(&due);
    let due = due?;
    Ok(Due { next_due: due.next_due.into_iter().chain(next_due).min(), ..due })
}

async fn claim_lanes(
    connection: &mut SqliteConnection,
    lanes: Vec<(i64, Vec<Slot>)>,
    slots: &Slots,
    registry: &Registry,
    now: Timestamp,
) -> Result<Due, StoreError> {
    let begin = script::BEGIN_CLAIMS.query().bind(offered(&lanes)?).bind(now.as_micros());
    let [_begun, due] = script::run(begin, connection).await?;
    crash_point::reach("claim.begun");
    let due = row::claimables(&due.rows, 0, registry)?;
    let due: Vec<_> = due.into_iter().map(Ready::as_stored).collect();
    for (webhook, free) in &lanes {
        let found = due.iter().filter(|ready| ready.delivery.webhook.number == *webhook).count();
        slots.set_backlog(*webhook, found >= free.len());
    }
    let claims = claim(due, lanes, now);
    record::set_progress(connection, &claims.changes).await?;
    crash_point::reach("claim.updated");
    record::release(connection, &claims.given_up, registry, now).await?;
    let [_] = script::run(script::END.query(), connection).await?;
    crash_point::reach("claim.committed");
    let claimed = claims.claimed.into_iter();
    let work: Vec<_> = claimed.map(|(claimed, slot)| Work { claimed, slot }).collect();
    let lease_ends = (!work.is_empty()).then(|| now.plus(LEASE));
    let next_due = if claims.given_up.is_empty() { lease_ends } else { Some(now) };
    Ok(Due { work, next_due })
}

/// The webhooks that are offered places, and how many, for `DUE_OF_LANES`.
pub(super) fn offered<T>(lanes: &[(i64, Vec<T>)]) -> Result<String, StoreError> {
    row::batch(&lanes.iter().map(|(webhook, places)| (webhook, places.len())).collect::<Vec<_>>())
}

/// A delivery that is due.
pub(super) struct Ready {
    pub(super) delivery: Claimed,
    /// Its progress in the database, which may still be queued.
    pub(super) stored: Progress,
}

impl Ready {
    pub(super) fn as_stored(delivery: Claimed) -> Self {
        Self { stored: delivery.progress, delivery }
    }

    fn change(&self) -> row::ProgressRow {
        row::progress_row(self.delivery.position, &self.stored, &self.delivery.progress)
    }
}

/// What was claimed, each for one of the places offered.
pub(super) struct Claims<T> {
    pub(super) claimed: Vec<(Claimed, T)>,
    /// For `SET_PROGRESS`; also of what has become due and was not claimed.
    pub(super) changes: Vec<row::ProgressRow>,
    /// Lines whose first delivery was parked, having been claimed and lost too often.
    pub(super) given_up: Vec<(i64, String)>,
}

/// Claims what has been due longest to each of these webhooks, as far as there are places for it.
pub(super) fn claim<T>(due: Vec<Ready>, lanes: Vec<(i64, Vec<T>)>, now: Timestamp) -> Claims<T> {
    let mut claims = Claims { claimed: Vec::new(), changes: Vec::new(), given_up: Vec::new() };
    let mut of_webhook: BTreeMap<i64, Vec<Ready>> = BTreeMap::new();
    for ready in due {
        of_webhook.entry(ready.delivery.webhook.number).or_default().push(ready);
    }
    for (webhook, places) in lanes {
        let Some(due) = of_webhook.get_mut(&webhook) else { continue };
        due.sort_by_key(|ready| (ready.delivery.progress.state.due_at(), ready.delivery.position));
        for (mut ready, place) in due.drain(..due.len().min(places.len())).zip(places) {
            let Ok(after) = turns::claimed(ready.delivery.progress, now) else { continue };
            ready.delivery.progress = after;
            claims.changes.push(ready.change());
            if matches!(after.state, State::Leased { .. }) {
                claims.claimed.push((ready.delivery, place));
            } else if let Some((webhook, key)) = ready.delivery.line() {
                claims.given_up.push((webhook, key.to_owned()));
            }
        }
    }
    let left = of_webhook.values().flatten();
    let became_due = left.filter(|ready| ready.delivery.progress != ready.stored);
    claims.changes.extend(became_due.map(Ready::change));
    claims
}
