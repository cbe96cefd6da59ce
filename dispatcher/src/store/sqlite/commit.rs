//! Commit: what came of attempts, who is next, and what is accepted meanwhile, in one transaction.
//!
//! It takes two trips to the connection: the first writes what is known, and asks what follows from
//! it; the second writes that, and commits.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use bluum_hooks_shared::time::Timestamp;
use sqlx::SqliteConnection;

use super::accept::{self, Numbers};
use super::claim::{self, Ready};
use super::record::{self, Applied};
use super::script::Ran;
use super::{Writer, answers, row, script};
use crate::crash_point;
use crate::slots::Slots;
use crate::store::plan::{self, Standing};
use crate::store::{
    Batch, Claimed, Committed, NewEvent, Registry, StoreError, Webhook, failing, turns,
};
use crate::vault::Vault;

/// The second of what is returned are the webhooks as they have become.
pub(super) async fn commit(
    writer: &mut Writer,
    batch: Batch<'_>,
    registry: &Registry,
    vault: &Vault,
    slots: &Slots,
    now: Timestamp,
) -> Result<(Committed, Vec<Webhook>), StoreError> {
    let Writer { connection, last_event, last_delivery, sequences, .. } = writer;
    let numbers = Numbers { last_event: *last_event, last_delivery: *last_delivery, sequences };
    let beginning = Beginning { batch, registry, vault, numbers: &numbers, now };
    let mut applied = Applied::distinct(batch.reports);
    let mut found = beginning.run(&applied, connection).await;
    if found.as_ref().map_or_else(is_conflict, |found| found.set < applied.len()) {
        // Seldom enough to begin again with those that still apply.
        let [_] = script::run(script::ROLLBACK.query(), connection).await?;
        applied.keep_applicable(connection).await?;
        found = beginning.run(&applied, connection).await;
    }
    let found = found?;
    crash_point::reach("commit.begun");
    let mut busy = found.busy;
    for (webhook, key) in found.successors.iter().filter_map(Claimed::line) {
        busy.insert((webhook, key.to_owned()));
    }
    let next = next(found.successors, found.due, &applied, registry, now);
    let mut changes = next.changes;
    if !next.given_up.is_empty() {
        record::set_progress(connection, &std::mem::take(&mut changes)).await?;
        record::release(connection, &next.given_up, registry, now).await?;
        busy = accept::busy_lines(connection, plan::lines(&found.events, registry)).await?;
    }
    let changed = failing::changed(applied.reports(), registry);
    record::set_failing(connection, &changed).await?;
    crash_point::reach("commit.followed");
    let standing = Standing { registry, busy: &busy, sequences };
    let planned = plan::plan(&found.events, &standing, slots, now);
    let commit = script::COMMIT.query().bind(row::batch(&changes)?);
    let commit = accept::bind_deliveries(commit, &planned, &numbers, now)?;
    let [_set, _deliveries, _sequences, _committed] = script::run(commit, connection).await?;
    crash_point::reach("commit.committed");
    let written = numbers.written(planned);
    let accepted = written.settle(last_event, last_delivery, sequences, &found.events);
    Ok((Committed { recorded: applied.recorded(next.handed_on), accepted }, changed))
}

/// What the first trip brings back.
struct Found<'e> {
    /// What is to be accepted, behind what the reports publish.
    events: Cow<'e, [NewEvent]>,
    /// How many reports found their delivery as their reporter knew it.
    set: usize,
    successors: Vec<Claimed>,
    due: Vec<Claimed>,
    busy: HashSet<(i64, String)>,
}

/// The first trip.
struct Beginning<'a, 'e> {
    batch: Batch<'e>,
    registry: &'a Registry,
    vault: &'a Vault,
    numbers: &'a Numbers<'a>,
    now: Timestamp,
}

impl<'e> Beginning<'_, 'e> {
    async fn run(
        &self,
        applied: &Applied<'e>,
        connection: &mut SqliteConnection,
    ) -> Result<Found<'e>, StoreError> {
        let &Self { batch, registry, vault, numbers, now } = self;
        let notices = applied.reports().filter_map(|report| report.notice.clone());
        let mut events: Vec<_> = notices.collect();
        let events = if events.is_empty() {
            Cow::Borrowed(batch.events)
        } else {
            events.extend_from_slice(batch.events);
            Cow::Owned(events)
        };
        let lines = accept::distinct(plan::lines(&events, registry));
        let finished = applied.finished();
        let begin = match batch.answers {
            [] => script::BEGIN.query(),
            answers => answers::bind(script::KEEP_AND_BEGIN.query(), answers, vault, now)?,
        };
        let begin = begin.bind(applied.progress_rows()?).bind(applied.attempt_rows()?);
        let begin = accept::bind_events(begin, &events, numbers, now)?
            .bind(row::batch(&finished.keys().collect::<Vec<_>>())?)
            .bind(claim::offered(&applied.offered(registry))?)
            .bind(now.as_micros())
            .bind(row::batch(&lines)?);
        let ran = script::run_all(begin, connection).await;
        if !batch.answers.is_empty() {
            let kept = ran.as_ref().map_or_else(|stopped| stopped.ran.get(1), |ran| ran.get(1));
            kept.map_or(Ok(()), |kept| answers::all_kept(kept, batch.answers))?;
        }
        let ran = ran?;
        let [.., set, _attempts, _events, Ran { rows: follows, .. }] = ran.as_slice() else {
            return Err(StoreError::Corrupt("a commit did not begin".into()));
        };
        // In which column each begins.
        let [successors, due, busy] = [0, 3, 6];
        Ok(Found {
            set: usize::try_from(set.changed).unwrap_or(usize::MAX),
            successors: row::claimables(follows, successors, registry)?,
            due: row::claimables(follows, due, registry)?,
            busy: accept::busy(follows, busy, &lines)?,
            events,
        })
    }
}

/// Whether it may be because of a report that does not apply: of an attempt that is recorded
/// already, or of a delivery that is no more.
fn is_conflict(failure: &StoreError) -> bool {
    matches!(failure, StoreError::Database(sqlx::Error::Database(error))
        if error.is_unique_violation() || error.is_foreign_key_violation())
}

/// What follows from what is finished.
struct Next {
    changes: Vec<row::ProgressRow>,
    /// What was claimed, by the position of the delivery whose slot it has now.
    handed_on: HashMap<i64, Claimed>,
    /// Lines whose first delivery was parked, because it was claimed and lost too often.
    given_up: Vec<(i64, String)>,
}

fn next(
    successors: Vec<Claimed>,
    due: Vec<Claimed>,
    applied: &Applied<'_>,
    registry: &Registry,
    now: Timestamp,
) -> Next {
    let finished = applied.finished();
    let mut due: Vec<_> = due.into_iter().map(Ready::as_stored).collect();
    let mut changes = Vec::new();
    let mut handed_on = HashMap::new();
    for mut next in successors {
        let line = next.line();
        let predecessor = line.and_then(|line| finished.get(&line).copied().flatten());
        let Ok(after) = turns::ready(next.progress, predecessor.is_some(), now) else { continue };
        let stored = std::mem::replace(&mut next.progress, after);
        if let Some(predecessor) = predecessor {
            changes.push(row::progress_row(next.position, &stored, &after));
            handed_on.insert(predecessor, next);
        } else {
            due.push(Ready { delivery: next, stored });
        }
    }
    let claims = claim::claim(due, applied.offered(registry), now);
    changes.extend(claims.changes);
    handed_on.extend(claims.claimed.into_iter().map(|(claimed, position)| (position, claimed)));
    Next { changes, handed_on, given_up: claims.given_up }
}
