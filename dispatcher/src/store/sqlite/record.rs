//! Record: what came of attempts, and who is next in line, in one commit.

use std::collections::{BTreeMap, HashMap, HashSet};

use bluum_hooks_shared::time::Timestamp;
use sqlx::{Connection, SqliteConnection};

use super::accept::Numbers;
use super::change::publish;
use super::claim::claim_lanes;
use super::{Writer, park, row, statement};
use crate::crash_point;
use crate::slots::HandOn;
use crate::store::{Claimed, Recorded, Registry, Report, StoreError, Webhook, failing, turns};

/// The second of what is returned are the webhooks as they have become.
pub(super) async fn record(
    writer: &mut Writer,
    reports: &[Report],
    registry: &Registry,
    now: Timestamp,
) -> Result<(Vec<Recorded>, Vec<Webhook>), StoreError> {
    let Writer { connection, last_event, last_delivery, sequences, .. } = writer;
    let mut applied = distinct(reports);
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    crash_point::reach("record.begun");
    if !set_progress(&mut transaction, reports, &applied).await? {
        // Seldom enough to begin again with those that still apply.
        transaction.rollback().await?;
        applied = applicable(connection, reports, &applied).await?;
        transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        set_progress(&mut transaction, reports, &applied).await?;
    }
    crash_point::reach("record.progress_set");
    let applied: HashSet<usize> = applied.into_iter().collect();
    insert_attempts(&mut transaction, reports, &applied).await?;
    crash_point::reach("record.attempts_inserted");
    let finished = finished(reports, &applied);
    let mut successors = release(&mut transaction, &finished, registry, now).await?;
    crash_point::reach("record.successors_released");
    let changed = failing::changed(written(reports, &applied), registry);
    set_failing(&mut transaction, &changed).await?;
    let notices: Vec<_> =
        written(reports, &applied).filter_map(|report| report.notice.clone()).collect();
    let numbers = Numbers { last_event: *last_event, last_delivery: *last_delivery, sequences };
    let published = publish(&mut transaction, &notices, registry, &numbers, now).await?;
    crash_point::reach("record.notices_published");
    let lanes = offered(written(reports, &applied), registry);
    if !lanes.is_empty() {
        let claims = claim_lanes(&mut transaction, lanes, registry, now).await?;
        successors.extend(claims.claimed.into_iter().map(|(next, position)| (position, next)));
    }
    transaction.commit().await?;
    crash_point::reach("record.committed");
    if let Some(published) = published {
        published.settle(last_event, last_delivery, sequences, &notices);
    }
    let outcome = reports.iter().enumerate().map(|(place, report)| {
        if applied.contains(&place) {
            Recorded::Applied { successor: successors.remove(&report.claimed.position) }
        } else {
            Recorded::Stale
        }
    });
    Ok((outcome.collect(), changed))
}

async fn set_failing(
    transaction: &mut SqliteConnection,
    changed: &[Webhook],
) -> Result<(), StoreError> {
    if !changed.is_empty() {
        let since = |webhook: &Webhook| webhook.settings.failing_since.map(Timestamp::as_micros);
        let rows: Vec<_> = changed.iter().map(|webhook| (webhook.number, since(webhook))).collect();
        sqlx::query(statement::SET_FAILING).bind(row::batch(&rows)?).execute(transaction).await?;
    }
    Ok(())
}

/// The places of the reports, each about another claim: of two about one the first counts.
///
/// A worker that woke up late may report in the same batch as the one that claimed after it, so a
/// report is known by its claim and not by its delivery.
fn distinct(reports: &[Report]) -> Vec<usize> {
    let mut claims = HashSet::with_capacity(reports.len());
    let places = reports.iter().enumerate().filter(|(_, Report { claimed, .. })| {
        claims.insert((claimed.position, claimed.progress.claim))
    });
    places.map(|(place, _)| place).collect()
}

fn progress_rows(reports: &[Report], places: &[usize]) -> Result<String, StoreError> {
    let row = |&place: &usize| {
        let Report { claimed, after, .. } = &reports[place];
        row::progress_row(claimed.position, &claimed.progress, after)
    };
    row::batch(&places.iter().map(row).collect::<Vec<_>>())
}

/// Whether all of them found their delivery as their reporter knew it.
async fn set_progress(
    transaction: &mut SqliteConnection,
    reports: &[Report],
    places: &[usize],
) -> Result<bool, StoreError> {
    let set = sqlx::query(statement::SET_PROGRESS).bind(progress_rows(reports, places)?);
    let set = set.execute(transaction).await?.rows_affected();
    Ok(usize::try_from(set) == Ok(places.len()))
}

/// Those that would.
async fn applicable(
    connection: &mut SqliteConnection,
    reports: &[Report],
    places: &[usize],
) -> Result<Vec<usize>, StoreError> {
    let found = sqlx::query_scalar(statement::APPLICABLE).bind(progress_rows(reports, places)?);
    let found: String = found.fetch_one(connection).await?;
    let found: Vec<usize> = row::unbatch(&found)?;
    Ok(found.into_iter().filter_map(|index| places.get(index).copied()).collect())
}

/// The reports that were written.
fn written<'a>(
    reports: &'a [Report],
    applied: &HashSet<usize>,
) -> impl Iterator<Item = &'a Report> {
    let places = reports.iter().enumerate();
    places.filter(|(place, _)| applied.contains(place)).map(|(_, report)| report)
}

async fn insert_attempts(
    transaction: &mut SqliteConnection,
    reports: &[Report],
    applied: &HashSet<usize>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = written(reports, applied)
        .filter_map(|report| {
            let attempt = report.attempt.as_ref()?;
            Some((
                report.claimed.position,
                report.after.attempts,
                attempt.id,
                attempt.started_at.as_micros(),
                u64::try_from(attempt.duration.as_micros()).unwrap_or(u64::MAX),
                attempt.outcome,
                attempt.status,
                &attempt.error,
                &attempt.response_body,
            ))
        })
        .collect();
    if !rows.is_empty() {
        let insert = sqlx::query(statement::INSERT_ATTEMPTS).bind(row::batch(&rows)?);
        insert.execute(transaction).await?;
    }
    Ok(())
}

/// The lines whose first delivery is finished, each with the position of that delivery if its slot
/// is handed on.
type Finished<'a> = HashMap<(i64, &'a str), Option<i64>>;

fn finished<'a>(reports: &'a [Report], applied: &HashSet<usize>) -> Finished<'a> {
    written(reports, applied)
        .filter(|report| report.after.state.finished_at().is_some())
        .filter_map(|report| {
            let claimed = &report.claimed;
            let key = claimed.ordering_key.as_deref()?;
            let hand_on = report.hand_on == HandOn::Successor;
            Some(((claimed.webhook.number, key), hand_on.then_some(claimed.position)))
        })
        .collect()
}

/// The webhooks that have more due than their slots, each with the positions of those whose slots
/// it is offered.
fn offered<'a>(
    written: impl Iterator<Item = &'a Report>,
    registry: &Registry,
) -> Vec<(i64, Vec<i64>)> {
    let mut lanes: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for report in written.filter(|report| report.hand_on == HandOn::Due) {
        lanes.entry(report.claimed.webhook.number).or_default().push(report.claimed.position);
    }
    lanes.into_iter().filter(|(webhook, _)| park::stopped(registry, *webhook).is_none()).collect()
}

/// Makes the first queued delivery of each line ready, and claims it where a slot is handed on.
/// Returns the claimed ones by the position of their predecessor.
pub(super) async fn release(
    transaction: &mut SqliteConnection,
    finished: &Finished<'_>,
    registry: &Registry,
    now: Timestamp,
) -> Result<HashMap<i64, Claimed>, StoreError> {
    let mut handed_on = HashMap::new();
    if finished.is_empty() {
        return Ok(handed_on);
    }
    let lines: Vec<_> = finished.keys().collect();
    let successors: row::Claimables = sqlx::query_as(statement::SUCCESSORS)
        .bind(row::batch(&lines)?)
        .fetch_one(&mut *transaction)
        .await?;
    let mut changes = Vec::with_capacity(lines.len());
    for mut next in row::all_claimable(&successors, registry)? {
        let line = (next.webhook.number, next.ordering_key.as_deref().unwrap_or_default());
        let predecessor = finished.get(&line).copied().flatten();
        let Ok(after) = turns::ready(next.progress, predecessor.is_some(), now) else { continue };
        changes.push(row::progress_row(next.position, &next.progress, &after));
        if let Some(predecessor) = predecessor {
            next.progress = after;
            handed_on.insert(predecessor, next);
        }
    }
    if !changes.is_empty() {
        crash_point::reach("record.successors_found");
        let update = sqlx::query(statement::SET_PROGRESS).bind(row::batch(&changes)?);
        update.execute(transaction).await?;
    }
    Ok(handed_on)
}
