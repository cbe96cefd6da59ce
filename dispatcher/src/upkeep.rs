//! What is kept for listeners, and for how long; and the loop that sees to it.

use std::time::Duration;

use tracing::info;

use crate::context::Context;
use crate::policy::state::ParkReason;
use crate::store::{Backlog, Change, Edit, Edited, Kept, StoreError, Webhook};

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

/// What waits for this listener. `after`: gaps behind this sequence number.
pub async fn backlog(
    context: &Context,
    webhook: &Webhook,
    after: Option<i64>,
) -> Result<Backlog, StoreError> {
    let since = context.clock.now().minus(days(KEPT_DAYS));
    let kept = Kept { at_most: i64::from(KEPT), since };
    context.store.backlog(webhook.settings.id, after, kept).await
}

/// Parks what waits for this listener and is more than is kept; returns what still waits.
pub async fn trim(
    context: &Context,
    webhook: &Webhook,
    after: Option<i64>,
) -> Result<Backlog, StoreError> {
    let found = backlog(context, webhook, after).await?;
    let Some(up_to) = found.surplus else { return Ok(found) };
    let (id, now) = (webhook.settings.id, context.clock.now());
    while context.store.skip(id, up_to, ParkReason::Expired, now).await? > 0 {}
    backlog(context, webhook, after).await
}

/// Keeps the backlogs of listeners within their limits, until intake stops.
pub async fn run(context: Context) {
    while !context.shutdown.is_intake_stopped() {
        if let Err(failure) = look(&context).await {
            context.refused(&failure, "cannot look after the listeners");
        }
        context.rest(INTERVAL).await;
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
            trim(context, webhook, None).await?;
        }
    }
    Ok(())
}

/// Deletes a webhook, and ends its streams if it is a listener.
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
