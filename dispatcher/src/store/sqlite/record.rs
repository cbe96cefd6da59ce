//! Record: what came of attempts, and who is next in line.

use std::collections::{BTreeMap, HashMap, HashSet};

use bluum_hooks_shared::time::Timestamp;
use sqlx::SqliteConnection;

use super::{park, row, statement};
use crate::slots::HandOn;
use crate::store::{Claimed, Recorded, Registry, Report, StoreError, Webhook, turns};

/// The reports that are written.
pub(super) struct Applied<'a> {
    reports: &'a [Report],
    /// Their places.
    places: Vec<usize>,
}

/// The lines whose first delivery is finished, each with the position of that delivery if its slot
/// is handed on.
type Finished<'a> = HashMap<(i64, &'a str), Option<i64>>;

impl<'a> Applied<'a> {
    /// Those about different claims: of two about one the first counts.
    ///
    /// A worker that woke up late may report in the same batch as the one that claimed after it,
    /// so a report is known by its claim and not by its delivery.
    pub(super) fn distinct(reports: &'a [Report]) -> Self {
        let mut claims = HashSet::with_capacity(reports.len());
        let places = reports.iter().enumerate().filter(|(_, Report { claimed, .. })| {
            claims.insert((claimed.position, claimed.progress.claim))
        });
        Self { reports, places: places.map(|(place, _)| place).collect() }
    }

    /// Those that find their delivery as their reporter knew it.
    pub(super) async fn keep_applicable(
        &mut self,
        connection: &mut SqliteConnection,
    ) -> Result<(), StoreError> {
        let found = sqlx::query_scalar(statement::APPLICABLE).bind(self.progress_rows()?);
        let found: String = found.fetch_one(connection).await?;
        let found: Vec<usize> = row::unbatch(&found)?;
        self.places =
            found.into_iter().filter_map(|index| self.places.get(index).copied()).collect();
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn reports(&self) -> impl Iterator<Item = &'a Report> {
        self.places.iter().map(|&place| &self.reports[place])
    }

    pub(super) fn progress_rows(&self) -> Result<String, StoreError> {
        let rows = self.reports().map(|Report { claimed, after, .. }| {
            row::progress_row(claimed.position, &claimed.progress, after)
        });
        row::batch(&rows.collect::<Vec<_>>())
    }

    pub(super) fn attempt_rows(&self) -> Result<String, StoreError> {
        let rows = self.reports().filter_map(|report| {
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
        });
        row::batch(&rows.collect::<Vec<_>>())
    }

    pub(super) fn finished(&self) -> Finished<'a> {
        let finished = self.reports().filter(|report| report.after.state.finished_at().is_some());
        finished
            .filter_map(|report| {
                let hand_on = report.hand_on == HandOn::Successor;
                Some((report.claimed.line()?, hand_on.then_some(report.claimed.position)))
            })
            .collect()
    }

    /// The webhooks that have more due than their slots, each with the positions of those whose
    /// slots it is offered.
    pub(super) fn offered(&self, registry: &Registry) -> Vec<(i64, Vec<i64>)> {
        let mut lanes: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for report in self.reports().filter(|report| report.hand_on == HandOn::Due) {
            let claimed = &report.claimed;
            lanes.entry(claimed.webhook.number).or_default().push(claimed.position);
        }
        let lanes = lanes.into_iter();
        lanes.filter(|(webhook, _)| park::stopped(registry, *webhook).is_none()).collect()
    }

    /// One answer for each report, with what was claimed for its slot.
    pub(super) fn recorded(&self, mut handed_on: HashMap<i64, Claimed>) -> Vec<Recorded> {
        let mut recorded: Vec<_> = self.reports.iter().map(|_| Recorded::Stale).collect();
        for &place in &self.places {
            let successor = handed_on.remove(&self.reports[place].claimed.position);
            recorded[place] = Recorded::Applied { successor };
        }
        recorded
    }
}

pub(super) async fn set_failing(
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

pub(super) async fn set_progress(
    transaction: &mut SqliteConnection,
    changes: &[row::ProgressRow],
) -> Result<(), StoreError> {
    if !changes.is_empty() {
        let set = sqlx::query(statement::SET_PROGRESS).bind(row::batch(&changes)?);
        set.execute(transaction).await?;
    }
    Ok(())
}

/// Makes the first queued delivery of each line ready; they wait for the next claim.
pub(super) async fn release(
    transaction: &mut SqliteConnection,
    lines: &[(i64, String)],
    registry: &Registry,
    now: Timestamp,
) -> Result<(), StoreError> {
    if lines.is_empty() {
        return Ok(());
    }
    let successors = sqlx::query(statement::SUCCESSORS).bind(row::batch(&lines)?);
    let successors = successors.fetch_all(&mut *transaction).await?;
    let ready = |next: &Claimed| {
        let after = turns::ready(next.progress, false, now).ok()?;
        Some(row::progress_row(next.position, &next.progress, &after))
    };
    let successors = row::claimables(&successors, 0, registry)?;
    set_progress(transaction, &successors.iter().filter_map(ready).collect::<Vec<_>>()).await
}
