//! Record: what came of attempts, and who is next in line.

use std::collections::{BTreeSet, HashMap, HashSet};

use bluum_hooks_shared::time::Timestamp;
use sqlx::SqliteConnection;

use super::write::{Moves, Rows};
use super::{row, statement};
use crate::policy::state::{Progress, State};
use crate::store::{Claimed, Recorded, Report, StoreError, turns};

/// The reports that are written.
pub(super) struct Applied<'a> {
    reports: &'a [Report],
    /// Their places.
    places: Vec<usize>,
}

/// A line whose first delivery is finished, and what the next one in it becomes, for `PROMOTE`: its
/// state, when it is due, and how many claims more it has.
pub(super) type Freed<'a> = (i64, &'a str, &'static str, Option<i64>, u32);

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
        let rows = self.reports().map(|Report { claimed, after, .. }| {
            row::progress_row(claimed.position, &claimed.progress, after)
        });
        let found = applicable(&rows.collect::<Vec<_>>(), connection).await?;
        self.places = found.iter().filter_map(|index| self.places.get(*index).copied()).collect();
        Ok(())
    }

    pub(super) fn reports(&self) -> impl Iterator<Item = &'a Report> {
        self.places.iter().map(|&place| &self.reports[place])
    }

    pub(super) fn moves(&self) -> Moves {
        let mut moves = Moves::default();
        for Report { claimed, after, .. } in self.reports() {
            moves.add(claimed.position, &claimed.progress, after);
        }
        moves
    }

    pub(super) fn attempt_rows(&self) -> Result<Rows, StoreError> {
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
        Rows::of(&rows.collect::<Vec<_>>())
    }

    pub(super) fn freed(&self, now: Timestamp) -> Vec<Freed<'a>> {
        let finished = self.reports().filter(|report| is_finished(report));
        let freed =
            finished.filter_map(|report| freed(report.claimed.line()?, report.hand_on, now));
        freed.collect()
    }

    /// One answer for each report, with what was claimed for its slot.
    pub(super) fn recorded(&self, promoted: Vec<Claimed>) -> Vec<Recorded> {
        let mut next: HashMap<(i64, String), Claimed> = promoted
            .into_iter()
            .filter_map(|next| Some(((next.webhook.number, next.ordering_key.clone()?), next)))
            .collect();
        let mut recorded: Vec<_> = self.reports.iter().map(|_| Recorded::Stale).collect();
        for &place in &self.places {
            let report = &self.reports[place];
            let line = report.claimed.line().filter(|_| is_finished(report) && !next.is_empty());
            let successor = line.and_then(|(webhook, key)| next.remove(&(webhook, key.to_owned())));
            recorded[place] = Recorded::Applied { successor };
        }
        recorded
    }
}

fn is_finished(report: &Report) -> bool {
    report.after.state.finished_at().is_some()
}

/// The places of the changes that find their delivery as it is said to be.
pub(super) async fn applicable(
    changes: &[row::ProgressRow],
    connection: &mut SqliteConnection,
) -> Result<BTreeSet<usize>, StoreError> {
    let found = sqlx::query_scalar(statement::APPLICABLE).bind(row::batch(&changes)?);
    let found: String = found.fetch_one(connection).await?;
    row::unbatch(&found)
}

/// What becomes of the next in a line; none is ever refused.
pub(super) fn freed(
    (webhook, key): (i64, &str),
    hand_on: bool,
    now: Timestamp,
) -> Option<Freed<'_>> {
    let queued = Progress::new(State::Queued);
    let ready = turns::ready(queued, hand_on, now).ok()?;
    let due_at = ready.state.due_at().map(Timestamp::as_micros);
    Some((webhook, key, ready.state.status().as_str(), due_at, ready.claim - queued.claim))
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
    now: Timestamp,
) -> Result<(), StoreError> {
    let lines = lines.iter().filter_map(|(webhook, key)| freed((*webhook, key), false, now));
    let lines: Vec<_> = lines.collect();
    if !lines.is_empty() {
        let promote = sqlx::query(statement::PROMOTE).bind(row::batch(&lines)?);
        promote.execute(transaction).await?;
    }
    Ok(())
}
