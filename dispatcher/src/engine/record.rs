//! What follows from an attempt beside being written: it is counted, the next in line is started, a
//! webhook may be disabled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bluum_hooks_shared::api::{DeliveryStatus, WebhookStatus};
use tracing::warn;

use super::{Engine, Held, Outcome, WeakAttempts};
use crate::context::Context;
use crate::crash_point;
use crate::notice;
use crate::policy::state::{Input, ParkReason, State, step};
use crate::store::{Change, Edit, Recorded, Report, StoreError, Webhook, Work};

/// Why a webhook is disabled: its receiver answered 410.
const GONE: &str = "gone";
/// Why a webhook is disabled: every attempt has failed for too long.
const FAILING: &str = "failing";

/// Counts what was recorded, and starts what was claimed in the same commit. Returns what cannot be
/// started any more.
pub(super) fn settle(
    attempts: &WeakAttempts,
    reports: &[Report],
    held: Vec<Held>,
    recorded: Vec<Option<Recorded>>,
) -> Vec<Outcome> {
    let engine = &attempts.engine;
    // A retry or a notice is due, and the claimer may be asleep until later. Where a slot comes
    // free, the slot rings.
    let delivered = |report: &Report| report.after.state.status() == DeliveryStatus::Delivered;
    if !reports.iter().all(delivered) {
        engine.context.bell.ring();
    }
    let mut next = Vec::new();
    for ((report, recorded), Held { slot, .. }) in reports.iter().zip(recorded).zip(held) {
        count(engine, report, recorded.as_ref());
        if !report.hand_on {
            // The next in its line may be due since this commit.
            let webhook = &report.claimed.webhook;
            engine.context.slots.set_backlog(webhook.number, webhook.max_in_flight());
        }
        match recorded {
            None | Some(Recorded::Applied { successor: None }) => {}
            Some(Recorded::Applied { successor: Some(claimed) }) => {
                next.push(Work { claimed, slot });
            }
            Some(Recorded::Stale) => warn!(
                delivery.id = %report.claimed.id, claim = report.claimed.progress.claim,
                "an answer came after the lease had run out; not recorded"
            ),
        }
    }
    let any = !next.is_empty();
    let back = attempts.start(next);
    if any {
        crash_point::reach("record.handed_on");
    }
    back
}

/// What nobody but the database knows until now.
fn count(engine: &Engine, report: &Report, recorded: Option<&Recorded>) {
    let metrics = &engine.context.metrics;
    match recorded {
        Some(Recorded::Applied { .. }) => metrics.recorded(&report.after),
        Some(Recorded::Stale) => metrics.stale(),
        None => {}
    }
}

/// A delivery claimed at the moment of shutdown, put back.
pub(super) fn give_back(engine: &Engine, work: Work) -> Outcome {
    let Work { claimed, slot } = work;
    let now = engine.context.clock.now();
    let given_back = step(claimed.progress, Input::GivenBack, now, &engine.schedule, 0.0);
    let after = given_back.unwrap_or(claimed.progress);
    Outcome {
        report: Report { claimed, after, attempt: None, notice: None, hand_on: false },
        held: Held { _turn: None, slot },
    }
}

/// Disables the webhooks whose receiver answered 410, and those that have failed for too long. If
/// this is lost in a crash, the next delivery will say it again.
pub(super) async fn disable(engine: &Engine, reports: &[Report]) {
    let delivered = |report: &&Report| matches!(report.after.state, State::Delivered { .. });
    let delivered = reports.iter().filter(delivered).map(|report| report.claimed.webhook.number);
    let delivered: BTreeSet<i64> = delivered.collect();
    let mut to_disable = BTreeMap::new();
    for report in reports {
        let webhook = &report.claimed.webhook;
        // Not by one failure after quiet days: its retry may be fine.
        let persists = report.after.failures > 1 || report.after.state.reason().is_some();
        let failed = report.attempt.as_ref().is_some_and(|attempt| attempt.outcome.is_failure());
        if report.after.state.reason() == Some(ParkReason::Gone) {
            to_disable.insert(webhook.number, (webhook, GONE));
        } else if failed
            && persists
            && webhook.listener().is_none()
            && !delivered.contains(&webhook.number)
            && fails_for_long(engine, webhook)
        {
            to_disable.entry(webhook.number).or_insert((webhook, FAILING));
        }
    }
    for (webhook, reason) in to_disable.into_values() {
        if disable_for(engine, webhook, reason).await.is_err() {
            // So will be the others.
            return;
        }
    }
}

/// Whether every attempt since then has failed.
fn fails_for_long(engine: &Engine, webhook: &Webhook) -> bool {
    let registry = engine.context.store.registry();
    let current = registry.webhook_numbered(webhook.number);
    let since = current.and_then(|webhook| webhook.settings.failing_since);
    since.is_some_and(|since| engine.context.clock.now().since(since) >= engine.disable_after)
}

/// Unless it points elsewhere or is stopped by now.
async fn disable_for(
    engine: &Engine,
    webhook: &Webhook,
    reason: &'static str,
) -> Result<(), StoreError> {
    let (id, url) = (webhook.settings.id, webhook.settings.url.clone());
    let Context { clock, random, .. } = &engine.context;
    let (now, random) = (clock.now(), Arc::clone(random));
    let disable = Edit::new(move |settings| {
        if settings.url != url || settings.status != WebhookStatus::Active {
            return None;
        }
        settings.status = WebhookStatus::Disabled;
        settings.status_reason = Some(reason.to_owned());
        Some(notice::status_changed(WebhookStatus::Active, settings, now, &*random))
    });
    match engine.context.change(Change::EditWebhook(id, disable), None, now).await {
        Ok(_) => {
            crash_point::reach("record.disabled");
            warn!(webhook.id = %id, reason, "disabled a webhook");
        }
        Err(StoreError::Declined) => {}
        Err(failure) => {
            engine.context.refused(&failure, "cannot disable a webhook");
            return Err(failure);
        }
    }
    Ok(())
}
