//! The recorder: writes what came of attempts, many in one commit, and starts the next in line.
//!
//! Nothing that happened is forgotten while the process lives: if the database refuses, the
//! reports are kept, their slots with them, and tried again. So a full disk slows the engine to a
//! halt and loses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bluum_hooks_shared::api::{DeliveryStatus, WebhookStatus};
use tokio::sync::mpsc;
use tracing::{error, warn};

use super::{Engine, Outcome, WeakAttempts};
use crate::context::Context;
use crate::crash_point;
use crate::metrics::Commit;
use crate::notice;
use crate::policy::state::{Input, ParkReason, State, step};
use crate::slots::{HandOn, Slot};
use crate::store::{Change, Claimed, Edit, Recorded, Report, StoreError, Webhook, Work};
use crate::telemetry::Chain;

/// Reports in one commit at most.
const MAX_BATCH: usize = 1024;
/// How long to wait after the database refused.
const AFTER_ERROR: Duration = Duration::from_millis(250);

/// Why a webhook is disabled: its receiver answered 410.
const GONE: &str = "gone";
/// Why a webhook is disabled: every attempt has failed for too long.
const FAILING: &str = "failing";

pub(super) async fn run(attempts: WeakAttempts, mut inbox: mpsc::UnboundedReceiver<Outcome>) {
    let engine = &attempts.engine;
    let mut pending: Vec<Outcome> = Vec::new();
    loop {
        if pending.is_empty() {
            match inbox.recv().await {
                Some(outcome) => pending.push(outcome),
                None => return,
            }
        }
        while pending.len() < MAX_BATCH
            && let Ok(outcome) = inbox.try_recv()
        {
            pending.push(outcome);
        }
        let mut caught_up = pending.len() < MAX_BATCH;
        let (reports, slots): (Vec<Report>, Vec<Slot>) =
            pending.drain(..).map(|outcome| (outcome.report, outcome.slot)).unzip();
        // First, so that whoever sees the delivery parked sees the webhook disabled.
        disable(engine, &reports).await;
        let Some(recorded) = record(&attempts, &reports, &mut caught_up).await else { return };
        if caught_up || inbox.is_empty() {
            attempts.unrecorded.store(false, Ordering::Release);
        }
        if !reports.iter().zip(&recorded).all(|(report, recorded)| is_all(report, recorded)) {
            engine.context.bell.ring();
        }
        if reports.iter().any(|report| report.notice.is_some()) {
            engine.context.arrivals.tell();
        }
        for ((report, recorded), slot) in reports.iter().zip(recorded).zip(slots) {
            count(engine, report, recorded.as_ref());
            match recorded {
                None | Some(Recorded::Applied { successor: None }) => {}
                Some(Recorded::Applied { successor: Some(claimed) }) => match attempts.upgrade() {
                    Some(running) => {
                        running.start(Work { claimed, slot });
                        crash_point::reach("record.handed_on");
                    }
                    None => pending.push(give_back(engine, claimed, slot)),
                },
                Some(Recorded::Stale) => warn!(
                    delivery.id = %report.claimed.id, claim = report.claimed.progress.claim,
                    "an answer came after the lease had run out; not recorded"
                ),
            }
        }
    }
}

/// Whether nothing is due now that the claimer does not know of, who may be asleep until later: a
/// retry, a notice, or what was not given this one's slot.
fn is_all(report: &Report, recorded: &Option<Recorded>) -> bool {
    let went_on = match report.hand_on {
        HandOn::Nothing => false,
        HandOn::Successor => true,
        HandOn::Due => matches!(recorded, Some(Recorded::Applied { successor: Some(_) })),
    };
    went_on && report.after.state.status() == DeliveryStatus::Delivered
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

/// Records all of them together. If the database refuses that, each alone, so that one that it will
/// never take holds up no other; for that one there is `None`, and its lease will run out.
///
/// `None` in all if the process must end before: then the deliveries are as if it had died.
/// `caught_up` becomes false if that took an outage, in which more have come.
async fn record(
    attempts: &WeakAttempts,
    reports: &[Report],
    caught_up: &mut bool,
) -> Option<Vec<Option<Recorded>>> {
    if let Ok(recorded) = persist(attempts, reports, caught_up).await? {
        return Some(recorded.into_iter().map(Some).collect());
    }
    let mut all = Vec::with_capacity(reports.len());
    for report in reports {
        match persist(attempts, std::slice::from_ref(report), caught_up).await? {
            Ok(recorded) => all.extend(recorded.into_iter().map(Some)),
            Err(failure) => {
                error!(
                    delivery.id = %report.claimed.id, error = %Chain(&failure),
                    "the database refuses what came of a delivery, which will be made again when \
                     its lease has run out; please report this"
                );
                all.push(None);
            }
        }
    }
    Some(all)
}

/// Tries until the database takes or refuses these reports: an outage is waited for. `None` if it
/// lasts until the process must end.
async fn persist(
    attempts: &WeakAttempts,
    reports: &[Report],
    caught_up: &mut bool,
) -> Option<Result<Vec<Recorded>, StoreError>> {
    let engine = &attempts.engine;
    let Context { store, clock, metrics, .. } = &engine.context;
    loop {
        let (now, began) = (clock.now(), clock.monotonic());
        let recorded = store.record(reports, now).await;
        metrics.committed(Commit::Record, clock.monotonic().saturating_sub(began));
        match recorded {
            Err(failure) if failure.outage().is_some() => {
                engine.context.refused(&failure, "cannot record");
            }
            decided => return Some(decided),
        }
        *caught_up = false;
        attempts.unrecorded.store(true, Ordering::Release);
        tokio::select! {
            biased;
            () = engine.context.shutdown.abandoned() => return None,
            () = engine.context.clock.sleep_until(now.plus(AFTER_ERROR)) => {}
        }
    }
}

/// A delivery claimed at the moment of shutdown, put back.
fn give_back(engine: &Engine, claimed: Claimed, slot: Slot) -> Outcome {
    let now = engine.context.clock.now();
    let given_back = step(claimed.progress, Input::GivenBack, now, &engine.schedule, 0.0);
    let after = given_back.unwrap_or(claimed.progress);
    Outcome {
        report: Report { claimed, after, attempt: None, notice: None, hand_on: HandOn::Nothing },
        slot,
    }
}

/// Disables the webhooks whose receiver answered 410, and those that have failed for too long. If
/// this is lost in a crash, the next delivery will say it again.
async fn disable(engine: &Engine, reports: &[Report]) {
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
