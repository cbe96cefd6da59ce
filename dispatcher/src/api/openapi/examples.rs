//! An example of every body, made from the types that the handlers answer with.

use bluum_hooks_shared::api::{
    ApiKey, Attempt, AttemptOutcome, CustomHeaders, Deleted, Delivery, DeliveryStatus, Holder,
    KeyStatus, List, Listener, Ordering, Replay, ReplayStatus, ResultsTaken, Role, Sought, Tenant,
    Webhook, WebhookStatus,
};
use bluum_hooks_shared::catalogue;
use bluum_hooks_shared::id::{
    AttemptId, DeliveryId, EventId, KeyId, ReplayId, TenantId, WebhookId,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::event_types::{self, EXAMPLE_AT, EXAMPLE_INVESTOR as INVESTOR};
use crate::api::health::{Alive, Ready};

/// The type that examples are about.
const EVENT: &str = "order.filled";
const SECRET: &str = "whsec_bm90IGEgc2VjcmV0LCBvbmx5IGFuIGV4YW1wbGUhISE=";

/// The example of a schema, as it stands in the request or the answer of an operation on `path`.
/// What was made just now (201) shows its secret.
pub(super) fn of(schema: &str, path: &str, status: &str) -> Option<Value> {
    let made = status == "201";
    let example = match schema {
        "PublishEvent" => publish_event(),
        "PublishEvents" => json!({"events": [publish_event()]}),
        "NewWebhook" => json!({
            "url": "https://partner.example/webhooks",
            "eventTypeNames": ["order.*", "deposit.completed"],
            "name": "Orders",
        }),
        "WebhookChanges" => json!({"status": "inactive", "retry_schedule": ["1m", "5m", 1800]}),
        "NewReplay" => json!({"status": "parked", "since": EXAMPLE_AT, "dry_run": false}),
        "SendTestEvent" => json!({"event": EVENT}),
        "Nothing" => json!({}),
        "RotateSecret" => json!({"overlap_seconds": 3600}),
        "NewListener" => json!({"events": ["order.*", "!order.accepted"], "timeout_seconds": 30}),
        "Results" => json!([{
            "delivery": delivery().id, "attempt": 1, "outcome": "response", "status": 200,
        }]),
        "Seek" => json!({"to": "now"}),
        "Listener" => value(&listener()),
        "ResultsTaken" => value(&ResultsTaken { accepted: 1, unknown: Vec::new() }),
        "Sought" => value(&Sought { skipped: 3, owed: 0, cursor: 42 }),
        "NewTenant" => json!({"name": "Partner Ltd", "metadata": {"region": "lagos"}}),
        "NewKey" => json!({"role": "tenant", "name": "backend"}),
        "Event" => event(),
        "Webhook" => value(&Webhook { secret: made.then(|| SECRET.into()), ..webhook() }),
        "Deleted" => value(&deleted()),
        "Delivery" => value(&Delivery {
            retry_schedule: Some(vec![60, 300, 1800, 7200, 28800]),
            attempts: Some(vec![attempt()]),
            ..delivery()
        }),
        "List_Delivery" => list(path, value(&delivery())),
        "Replay" if path.ends_with("/replay") && status == "200" => {
            value(&Replay { id: None, dry_run: true, ..replay() })
        }
        "Replay" => value(&replay()),
        "EventTypeEntry" => value(&event_types::entry(catalogue::find(EVENT)?, false).ok()?),
        "Tenant" => value(&tenant()),
        "ApiKey" if made => value(&ApiKey {
            api_key: Some(key().id),
            api_secret: Some("SLvU7Yw6ZHvGQwqMFrqyFzzdvtBmT6wuePgtXnGGVRU".into()),
            ..key()
        }),
        "ApiKey" => value(&key()),
        "Alive" if status == "503" => value(&Alive { status: "stopping" }),
        "Alive" => value(&Alive { status: "ok" }),
        "Ready" => value(&Ready { status: "ok", faults: Vec::new(), outbox_rejected: 0 }),
        _ => list(path, of(schema.strip_prefix("List_")?, path, status)?),
    };
    Some(example)
}

fn value(example: &impl Serialize) -> Value {
    serde_json::to_value(example).unwrap_or_default()
}

fn list(path: &str, item: Value) -> Value {
    let url = match path.split_once("{id}") {
        Some((before, after)) if before.ends_with("events/") => {
            format!("{before}{}{after}", EventId::new(EXAMPLE_AT, 0))
        }
        Some((before, after)) => format!("{before}{}{after}", webhook().id),
        None => path.to_owned(),
    };
    value(&List { object: "list".into(), url, has_more: false, data: vec![item] })
}

fn publish_event() -> Value {
    let data = json!({
        "id": "ord_01j9x8m2k7qpzwv3t5r6y8n0ab",
        "symbol": "AAPL",
        "status": "filled",
        "filled_quantity": "10",
        "average_price": "178.50",
    });
    json!({"event": EVENT, "investor_id": INVESTOR, "data": data})
}

fn event() -> Value {
    let published = publish_event();
    json!({
        "id": EventId::new(EXAMPLE_AT, 0),
        "object": "event",
        "created": EXAMPLE_AT.as_unix_seconds(),
        "livemode": false,
        "event": EVENT,
        "timestamp": EXAMPLE_AT,
        "investor_id": INVESTOR,
        "data": published["data"],
    })
}

fn listener() -> Listener {
    Listener {
        object: "listener".into(),
        name: "ana@laptop".into(),
        webhook_id: webhook().id,
        livemode: false,
        secret: SECRET.into(),
        created: true,
        cursor: 42,
        waiting: 1,
        oldest: Some(EXAMPLE_AT),
        event_type_names: vec!["order.*".into()],
        holder: Some(Holder {
            instance: "5b1f".into(),
            machine: "laptop".into(),
            pid: 4242,
            since: EXAMPLE_AT,
        }),
    }
}

fn webhook() -> Webhook {
    Webhook {
        id: WebhookId::new(EXAMPLE_AT, 0),
        object: "webhook".into(),
        created: EXAMPLE_AT.as_unix_seconds(),
        livemode: false,
        metadata: [].into(),
        tenant: tenant().id,
        name: Some("Orders".into()),
        description: None,
        url: "https://partner.example/webhooks".into(),
        event_type_names: vec!["order.*".into(), "deposit.completed".into()],
        status: WebhookStatus::Active,
        status_reason: None,
        ordering: Ordering::Object,
        timeout_seconds: 30,
        retry_schedule: None,
        max_in_flight: 512,
        headers: CustomHeaders::default(),
        public_keys: Vec::new(),
        failing_since: None,
        paused_until: None,
        updated_at: EXAMPLE_AT,
        secret: None,
    }
}

fn deleted() -> Deleted {
    Deleted { id: webhook().id.to_string(), object: "webhook".into(), deleted: true }
}

fn delivery() -> Delivery {
    Delivery {
        id: DeliveryId::new(EXAMPLE_AT, 0),
        object: "delivery".into(),
        created: EXAMPLE_AT.as_unix_seconds(),
        livemode: false,
        event_id: EventId::new(EXAMPLE_AT, 0),
        event: EVENT.into(),
        webhook_id: webhook().id,
        sequence: 1,
        status: DeliveryStatus::Delivered,
        reason: None,
        ordering_key: Some("ord_01j9x8m2k7qpzwv3t5r6y8n0ab".into()),
        attempt_count: 1,
        failures: 0,
        next_attempt_at: None,
        finished_at: Some(EXAMPLE_AT),
        blocked_by: None,
        lease_until: None,
        retry_schedule: None,
        attempts: None,
    }
}

fn replay() -> Replay {
    Replay {
        id: Some(ReplayId::new(EXAMPLE_AT, 0)),
        object: "replay".into(),
        created: EXAMPLE_AT.as_unix_seconds(),
        livemode: false,
        webhook_id: webhook().id,
        status: ReplayStatus::Running,
        delivery_status: DeliveryStatus::Parked,
        reason: None,
        event: None,
        since: Some(EXAMPLE_AT),
        until: None,
        release: false,
        dry_run: false,
        total: 10_000,
        replayed: 500,
        finished_at: None,
    }
}

fn attempt() -> Attempt {
    Attempt {
        id: AttemptId::new(EXAMPLE_AT, 0),
        object: "attempt".into(),
        number: 1,
        started_at: EXAMPLE_AT,
        duration_ms: 42,
        status: Some(204),
        error: None,
        outcome: AttemptOutcome::Delivered,
        response_body: None,
    }
}

fn tenant() -> Tenant {
    Tenant {
        id: TenantId::new(EXAMPLE_AT, 0),
        object: "tenant".into(),
        created: EXAMPLE_AT.as_unix_seconds(),
        metadata: [].into(),
        name: "Partner Ltd".into(),
    }
}

fn key() -> ApiKey {
    ApiKey {
        id: KeyId::new(EXAMPLE_AT, 0),
        object: "api_key".into(),
        created: EXAMPLE_AT.as_unix_seconds(),
        livemode: false,
        name: Some("backend".into()),
        role: Role::Tenant,
        tenant: Some(tenant().id),
        investor_id: None,
        status: KeyStatus::Active,
        api_key: None,
        api_secret: None,
    }
}
