//! What is kept for listeners, and for how long; and the loop that sees to it.

use std::time::Duration;

use bluum_hooks_shared::time::Timestamp;
use tracing::info;

use crate::context::Context;
use crate::policy::state::ParkReason;
use crate::store::{Change, Edit, Edited, Kept, StoreError, Webhook};

/// Most deliveries that wait for one listener.
pub const KEPT: u32 = 10_000;
/// How many days they wait at most.
pub const KEPT_DAYS: u32 = 7;
/// A listener that nobody has started for so many days is deleted.
const UNUSED_DAYS: u32 = 30;
/// How often to look.
const INTERVAL: Duration = Duration::from_secs(60);

const fn days(days: u32) -> Duration {
    Duration::from_hours(24 * days as u64)
}

/// What is kept now.
pub fn kept(now: Timestamp) -> Kept {
    Kept { at_most: i64::from(KEPT), since: now.minus(days(KEPT_DAYS)) }
}

/// Parks what waits for this listener and is more than is kept.
pub async fn trim(context: &Context, webhook: &Webhook) -> Result<(), StoreError> {
    let Context { store, clock, .. } = context;
    let (id, now) = (webhook.settings.id, clock.now());
    let Some(up_to) = store.backlog(id, None, kept(now)).await?.surplus else { return Ok(()) };
    while store.skip(id, up_to, ParkReason::Expired, now).await? > 0 {}
    Ok(())
}

/// Keeps the backlogs of listeners within their limits, until intake stops.
pub async fn run(context: Context) {
    while !context.shutdown.is_intake_stopped() {
        if let Err(failure) = look(&context).await {
            context.refused(&failure, "cannot look after the listeners");
        }
        let again = context.clock.now().plus(INTERVAL);
        tokio::select! {
            biased;
            () = context.shutdown.intake_stopped() => {}
            () = context.clock.sleep_until(again) => {}
        }
    }
}

async fn look(context: &Context) -> Result<(), StoreError> {
    let unused_since = context.clock.now().minus(days(UNUSED_DAYS));
    for webhook in context.store.registry().webhooks() {
        if webhook.listener().is_none() {
            continue;
        }
        let unused = webhook.settings.updated_at < unused_since;
        if unused && context.listeners.holder(webhook.number).is_none() {
            delete(context, webhook).await?;
            info!(webhook.id = %webhook.settings.id, "deleted a listener that nobody uses");
        } else {
            trim(context, webhook).await?;
        }
    }
    Ok(())
}

/// Deletes a listener, and ends its streams.
pub async fn delete(context: &Context, webhook: &Webhook) -> Result<(), StoreError> {
    let now = context.clock.now();
    let edit = Edit::new(move |draft| {
        draft.deleted_at = Some(now);
        Some(Edited::default())
    });
    context.change(Change::EditWebhook(webhook.settings.id, edit), None, now).await?;
    context.listeners.delete(webhook.number);
    Ok(())
}
