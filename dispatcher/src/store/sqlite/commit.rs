//! Commit: what came of attempts, who is next, and what is accepted meanwhile, in one statement.

use std::borrow::Cow;

use bluum_hooks_shared::time::Timestamp;

use super::accept::Plan;
use super::record::Applied;
use super::write::{Changes, Rows, is_stale};
use super::{Writer, answers};
use crate::crash_point;
use crate::slots::Slots;
use crate::store::{Batch, Committed, NewEvent, Registry, StoreError, Webhook, failing};
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
    let mut applied = Applied::distinct(batch.reports);
    let commit = Commit { batch, registry, vault, slots, now };
    match commit.run(&applied, writer).await {
        Err(failure) if is_stale(&failure) => {
            // Seldom enough to begin again with those that still apply.
            applied.keep_applicable(&mut writer.connection).await?;
            commit.run(&applied, writer).await
        }
        done => done,
    }
}

struct Commit<'a> {
    batch: Batch<'a>,
    registry: &'a Registry,
    vault: &'a Vault,
    slots: &'a Slots,
    now: Timestamp,
}

impl Commit<'_> {
    async fn run(
        &self,
        applied: &Applied<'_>,
        writer: &mut Writer,
    ) -> Result<(Committed, Vec<Webhook>), StoreError> {
        let &Self { batch, registry, vault, slots, now } = self;
        let events = events(applied, batch.events);
        let changed = failing::changed(applied.reports(), registry);
        let freed = applied.freed(now);
        let mut changes = Changes {
            moves: applied.moves(),
            attempts: applied.attempt_rows()?,
            failing: Rows::of(&changed.iter().map(failing_row).collect::<Vec<_>>())?,
            freed: Rows::of(&freed)?,
            ..Changes::default()
        };
        answers::add(&mut changes, batch.answers, vault, now)?;
        let plan = Plan::new(&events, registry, &writer.numbers, slots, now);
        plan.add(&mut changes, &events)?;
        let written = changes.write(&mut writer.connection, now).await?;
        crash_point::reach("commit.committed");
        let recorded = applied.recorded(written.promoted(registry)?);
        let accepted = plan.settle(&mut writer.numbers, &events, &written.queued()?, slots);
        Ok((Committed { recorded, accepted }, changed))
    }
}

/// What is to be accepted, behind what the reports publish.
fn events<'e>(applied: &Applied<'e>, accepted: &'e [NewEvent]) -> Cow<'e, [NewEvent]> {
    let notices = applied.reports().filter_map(|report| report.notice.clone());
    let mut events: Vec<_> = notices.collect();
    if events.is_empty() {
        return Cow::Borrowed(accepted);
    }
    events.extend_from_slice(accepted);
    Cow::Owned(events)
}

fn failing_row(webhook: &Webhook) -> (i64, Option<i64>) {
    (webhook.number, webhook.settings.failing_since.map(Timestamp::as_micros))
}
