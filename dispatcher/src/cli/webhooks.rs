//! `webhooks create|list|show|update|delete|rotate-secret|test`; `replays` has the rest.

use bluum_hooks_shared::api::{List, Webhook};
use serde_json::{Map, Value, json};

use super::args::{WebhookSettings, WebhooksCommand};
use super::failure::{Failure, Status};
use super::print::{Printer, facts, or_dash, table};
use super::{events, query, replays};
use crate::client::Client;
use crate::duration;

pub(super) async fn run(
    command: WebhooksCommand,
    client: &Client,
    printer: Printer,
) -> Result<(), Failure> {
    match command {
        WebhooksCommand::Create { url, events, ed25519, settings, tenant } => {
            let mut body = settings.into_body();
            body.insert("url".into(), json!(url));
            body.insert("eventTypeNames".into(), json!(events));
            body.extend(ed25519.then(|| ("ed25519".into(), json!(true))));
            body.extend(tenant.map(|tenant| ("tenant".into(), json!(tenant))));
            let answer = client.post("/v1/webhooks", &body).await?;
            let webhook: Webhook = client.read(&answer)?;
            printer.answer(&answer, || created(&webhook));
        }
        WebhooksCommand::List(list) => {
            let path = query::path("/v1/webhooks", &list, &[]);
            let answer = client.get(&path).await?;
            let list: List<Webhook> = client.read(&answer)?;
            printer.answer(&answer, || rows(&list));
        }
        WebhooksCommand::Show { id } => {
            let answer = client.get(&query::item("/v1/webhooks", &id)).await?;
            let webhook: Webhook = client.read(&answer)?;
            printer.answer(&answer, || shown(&webhook));
        }
        WebhooksCommand::Update { id, url, events, status, ed25519, settings } => {
            let mut body = settings.into_body();
            body.extend(url.map(|url| ("url".into(), json!(url))));
            body.extend(events.map(|events| ("eventTypeNames".into(), json!(events))));
            body.extend(status.map(|status| ("status".into(), json!(status))));
            body.extend(ed25519.map(|on| ("ed25519".into(), json!(on))));
            let answer = client.patch(&query::item("/v1/webhooks", &id), &body).await?;
            let webhook: Webhook = client.read(&answer)?;
            printer.answer(&answer, || shown(&webhook));
        }
        WebhooksCommand::RotateSecret { id, overlap } => {
            let body = rotation(overlap.as_deref())?;
            let path = format!("{}/secrets", query::item("/v1/webhooks", &id));
            let answer = client.post(&path, &body).await?;
            let webhook: Webhook = client.read(&answer)?;
            printer.answer(&answer, || created(&webhook));
        }
        WebhooksCommand::Delete { id } => {
            let answer = client.delete(&query::item("/v1/webhooks", &id)).await?;
            printer.answer(&answer, || format!("{id} deleted; what it is owed is parked"));
        }
        WebhooksCommand::Replay(args) => replays::begin(args, client, printer).await?,
        WebhooksCommand::Replays { id, list } => {
            replays::list(&id, &list, client, printer).await?;
        }
        WebhooksCommand::Test { id, event } => {
            let path = format!("{}/test", query::item("/v1/webhooks", &id));
            let answer = client.post(&path, &query::given([("event", event)])).await?;
            let event = events::read(&answer)?;
            printer.answer(&answer, || format!("{} {} sent to {id}", event.id, event.name));
        }
    }
    Ok(())
}

impl WebhookSettings {
    fn into_body(self) -> Map<String, Value> {
        let given = [
            ("name", self.name.map(Value::from)),
            ("description", self.description.map(Value::from)),
            ("ordering", self.ordering.map(Value::from)),
            ("timeout_seconds", self.timeout_seconds.map(Value::from)),
            ("retry_schedule", self.retry_schedule.map(Value::from)),
            ("max_in_flight", self.max_in_flight.map(Value::from)),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some((name.into(), value?)));
        given.collect()
    }
}

/// The API takes seconds; how many is the API's to check.
fn rotation(overlap: Option<&str>) -> Result<Value, Failure> {
    let Some(overlap) = overlap else { return Ok(json!({})) };
    let overlap = duration::parse(overlap)
        .map_err(|error| Failure::new(Status::Usage, format!("--overlap: {error}")))?;
    Ok(json!({ "overlap_seconds": overlap.as_secs() }))
}

fn created(webhook: &Webhook) -> String {
    let secret = webhook.secret.as_deref().unwrap_or_default();
    format!(
        "{}\n\nThe signing secret is shown only now:\n  export BLUUM_WEBHOOK_SECRET={secret}",
        shown(webhook)
    )
}

fn shown(webhook: &Webhook) -> String {
    let status = match &webhook.status_reason {
        Some(reason) => format!("{} ({reason})", word(&webhook.status)),
        None => word(&webhook.status),
    };
    let schedule = webhook
        .retry_schedule
        .as_ref()
        .map(|waits| waits.iter().map(|wait| format!("{wait}s")).collect::<Vec<_>>().join(","));
    let keys = webhook.public_keys.join(" ");
    facts(&[
        ("id", webhook.id.to_string()),
        ("url", webhook.url.clone()),
        ("events", webhook.event_type_names.join(", ")),
        ("status", status),
        ("mode", if webhook.livemode { "live" } else { "sandbox" }.into()),
        ("tenant", webhook.tenant.to_string()),
        ("name", or_dash(webhook.name.as_ref())),
        ("ordering", word(&webhook.ordering)),
        ("timeout", format!("{}s", webhook.timeout_seconds)),
        ("retries", schedule.unwrap_or_else(|| "the daemon's schedule".into())),
        ("in flight", format!("at most {}", webhook.max_in_flight)),
        ("public keys", if keys.is_empty() { "-".into() } else { keys }),
    ])
}

fn rows(list: &List<Webhook>) -> String {
    let rows = list.data.iter().map(|webhook| {
        [
            webhook.id.to_string(),
            word(&webhook.status),
            webhook.event_type_names.join(","),
            webhook.url.clone(),
        ]
    });
    query::with_more(list, table(["ID", "STATUS", "EVENTS", "URL"], rows))
}

/// An enum as the API spells it.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}
