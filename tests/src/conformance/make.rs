//! Things to put into a store.

use std::time::Duration;

use bluum_hooks_dispatcher::policy::judge::Verdict;
use bluum_hooks_dispatcher::policy::state::Input;
use bluum_hooks_dispatcher::store::{Audience, NewEvent, OutboxRow, WebhookDraft, WebhookSecret};
use bluum_hooks_shared::event;
use bluum_hooks_shared::id::{EventId, TenantId, WebhookId};
use bluum_hooks_shared::secret::Secret;
use bluum_hooks_shared::time::Timestamp;
use bytes::Bytes;

pub const DELIVERED: Input = Input::Attempted(Verdict::Delivered);
pub const FAILED: Input = Input::Attempted(Verdict::Failed { not_before: Duration::ZERO });
pub const GONE: Input = Input::Attempted(Verdict::Gone);

/// An active webhook that subscribes to everything and keeps order.
pub fn webhook(tenant: TenantId, bits: u128, now: Timestamp) -> WebhookDraft {
    let secret = Secret::from_bytes(&[7; 32]).unwrap();
    WebhookDraft {
        url: "http://127.0.0.1:1/hooks".into(),
        event_type_names: vec!["*".into()],
        max_in_flight: 50,
        secrets: vec![WebhookSecret::new(secret, now)],
        ..WebhookDraft::new(WebhookId::new(now, bits), tenant, false, now)
    }
}

/// A sandbox `order.filled` without an ordering key.
pub fn event(tenant: TenantId, bits: u128, now: Timestamp) -> NewEvent {
    let id = EventId::new(now, bits);
    let name = "order.filled";
    NewEvent {
        id,
        tenant,
        livemode: false,
        name: name.into(),
        ordering_key: None,
        idempotency_key: None,
        body: body(id, false, name, now),
        audience: Audience::Subscribers,
        seed: bits,
    }
}

/// What the deliveries of an event carry.
pub fn body(id: EventId, livemode: bool, name: &str, now: Timestamp) -> Bytes {
    event::render(id, livemode, name, now, now, Some("inv_1"), r#"{"id":"ord_1"}"#).into()
}

/// A row as a publisher writes it.
pub fn row(tenant: TenantId, event: &str, data: &str, idempotency_key: Option<&str>) -> OutboxRow {
    OutboxRow {
        tenant_id: Some(tenant.to_string()),
        livemode: Some(0),
        event: Some(event.into()),
        data: Some(data.into()),
        idempotency_key: idempotency_key.map(str::to_owned),
        ..OutboxRow::default()
    }
}

/// Reads a row as the dispatcher does, but for its rules: here only the event `bad` is refused.
pub fn read(row: &OutboxRow, now: Timestamp) -> Result<NewEvent, String> {
    let name = row.event.clone().filter(|name| name != "bad").ok_or("no such event")?;
    let tenant = row.tenant_id.as_deref().unwrap_or_default().parse();
    let tenant = tenant.map_err(|_| "no such tenant")?;
    let livemode = row.livemode == Some(1);
    // Odd, unlike the bits of a `World`.
    let bits = u128::from(row.position.unsigned_abs()) << 32 | 1;
    let id = EventId::new(now, bits);
    let data = row.data.as_deref().unwrap_or_default();
    let body = event::render(id, livemode, &name, now, now, row.investor_id.as_deref(), data);
    Ok(NewEvent {
        id,
        tenant,
        livemode,
        name,
        ordering_key: row.ordering_key.clone(),
        idempotency_key: row.idempotency_key.clone(),
        body: body.into(),
        audience: Audience::Subscribers,
        seed: bits,
    })
}
