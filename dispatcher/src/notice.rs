//! Events about the delivery system itself, for the tenant's other webhooks: one was stopped or
//! takes deliveries again, a delivery was given up.
//!
//! They are published in the commit of what they are about. None is about a delivery of one of
//! them, so that no failure feeds on itself.

use bluum_hooks_shared::api::{CustomHeaders, Delivery, WebhookStatus};
use bluum_hooks_shared::event::{self, Event};
use bluum_hooks_shared::id::{EventId, ReplayId};
use bluum_hooks_shared::time::Timestamp;
use bluum_hooks_shared::{api, catalogue};
use serde::Serialize;

use crate::policy::state::{ParkReason, Progress};
use crate::random::Random;
use crate::store::{Audience, Claimed, Edited, NewEvent, Replay, Webhook, WebhookDraft};

/// What follows when a webhook's status was `before` and is another now.
pub fn status_changed(
    before: WebhookStatus,
    webhook: &WebhookDraft,
    now: Timestamp,
    random: &dyn Random,
) -> Edited {
    let takes = |status| status == WebhookStatus::Active;
    let name = match (takes(before), takes(webhook.status)) {
        (true, false) => "webhook.disabled",
        (false, true) => "webhook.enabled",
        _ => return Edited::default(),
    };
    let release = takes(webhook.status)
        .then(|| Replay::release(ReplayId::new(now, random.bits()), webhook.id, now));
    // Custom headers often carry tokens, and an event goes to others.
    let headers = CustomHeaders::default();
    // One that starts again has not failed yet.
    let failing_since = webhook.failing_since.filter(|_| !takes(webhook.status));
    let settings = WebhookDraft { updated_at: now, headers, failing_since, ..webhook.clone() };
    let shown: api::Webhook = Webhook::new(0, settings).to_api(now);
    Edited { notice: publish(name, webhook, &shown, now, random), release }
}

/// What follows when a delivery was given up. A webhook that is stopped has told already.
pub fn parked(
    claimed: &Claimed,
    after: &Progress,
    now: Timestamp,
    random: &dyn Random,
) -> Option<NewEvent> {
    let reason = after.state.reason()?;
    if matches!(reason, ParkReason::Disabled | ParkReason::Deleted) {
        return None;
    }
    if claimed.webhook.listener().is_some() {
        // A developer's failures are no news to anybody else.
        return None;
    }
    let event = Event::parse(&claimed.body).ok()?;
    if catalogue::find(&event.name).is_none_or(|known| known.category == "system") {
        return None;
    }
    let webhook = &claimed.webhook.settings;
    let delivery = Delivery {
        id: claimed.id,
        object: "delivery".into(),
        created: event.created.map_or(0, Timestamp::as_unix_seconds),
        livemode: webhook.livemode,
        event_id: claimed.event,
        event: event.name,
        webhook_id: webhook.id,
        sequence: claimed.sequence,
        status: after.state.status(),
        reason: Some(reason.as_str().to_owned()),
        ordering_key: claimed.ordering_key.clone(),
        attempt_count: after.attempts,
        failures: after.failures,
        next_attempt_at: None,
        finished_at: after.state.finished_at(),
        blocked_by: None,
        lease_until: None,
        retry_schedule: None,
        attempts: None,
    };
    publish("delivery.parked", webhook, &delivery, now, random)
}

fn publish(
    name: &str,
    about: &WebhookDraft,
    data: &impl Serialize,
    now: Timestamp,
    random: &dyn Random,
) -> Option<NewEvent> {
    let id = EventId::new(now, random.bits());
    // Our own types: strings as keys, no value that JSON does not have.
    let data = serde_json::to_string(data).ok()?;
    Some(NewEvent {
        id,
        tenant: about.tenant,
        livemode: about.livemode,
        name: name.to_owned(),
        ordering_key: Some(about.id.to_string()),
        idempotency_key: None,
        body: event::render(id, about.livemode, name, now, now, None, &data).into(),
        audience: Audience::SubscribersBut(about.id),
        seed: random.bits(),
    })
}
