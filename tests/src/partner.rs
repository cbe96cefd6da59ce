//! A partner of the platform: a tenant of its own, with its key, and what it does in most tests.

use serde_json::{Value, json};

use crate::client::{Call, Client, Response, text};
use crate::daemon::Daemon;
use crate::sink::{Request, Sink};
use crate::wait;

/// A tenant that no other test knows.
#[derive(Debug, Clone)]
pub struct Partner {
    /// `tnt_…`
    pub tenant: String,
    /// Speaks with the tenant's own key.
    pub api: Client,
    /// Speaks with the operator's key, which publishes for every tenant.
    pub operator: Client,
}

/// What a partner keeps of a webhook that it registered.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// `wh_…`
    pub id: String,
    /// `whsec_…`
    pub secret: String,
}

impl Partner {
    /// Makes a new tenant with a key.
    pub async fn join(daemon: &Daemon) -> Self {
        let operator = daemon.operator();
        let tenant = operator.post("/v1/tenants", &json!({"name": "a partner"})).await;
        let tenant = text(&tenant.must_be(201), "id").to_owned();
        let key = daemon.new_key(&json!({"role": "tenant", "tenant": tenant})).await;
        Self { tenant, api: daemon.client(Some(&key)), operator }
    }

    /// Registers a webhook for these event types.
    pub async fn subscribe(&self, url: &str, types: &[&str]) -> Webhook {
        self.subscribe_as(&json!({"url": url, "eventTypeNames": types})).await
    }

    /// Registers a webhook with this request body.
    pub async fn subscribe_as(&self, body: &Value) -> Webhook {
        let webhook = self.api.post("/v1/webhooks", body).await.must_be(201);
        Webhook { id: text(&webhook, "id").to_owned(), secret: text(&webhook, "secret").to_owned() }
    }

    /// The webhook as the API shows it now.
    pub async fn webhook(&self, webhook: &Webhook) -> Value {
        self.operator.get(&format!("/v1/webhooks/{}", webhook.id)).await.must_be(200)
    }

    /// A partner with a webhook for orders, at a receiver that takes everything.
    pub async fn joined(daemon: &Daemon) -> (Sink, Self, Webhook) {
        let sink = Sink::always(200).await;
        let partner = Self::join(daemon).await;
        let webhook = partner.subscribe(&sink.url("/in"), &["order.*"]).await;
        (sink, partner, webhook)
    }

    /// Publishes an event and gives the request that brings it.
    pub async fn delivered(&self, sink: &Sink) -> Request {
        let event = self.publish("order.filled", &json!({"id": "ord_1"})).await;
        first_about(sink, &event).await
    }

    /// Asks for another secret.
    pub async fn rotate(&self, webhook: &Webhook, body: &Value) -> Response {
        self.operator.post(&format!("/v1/webhooks/{}/secrets", webhook.id), body).await
    }

    /// The new secret; the old one goes on for so long.
    pub async fn rotated(&self, webhook: &Webhook, overlap_seconds: u32) -> String {
        let answer = self.rotate(webhook, &json!({"overlap_seconds": overlap_seconds})).await;
        text(&answer.must_be(201), "secret").to_owned()
    }

    /// Publishes an event for this partner; gives its id.
    pub async fn publish(&self, event: &str, data: &Value) -> String {
        let accepted = self.publish_text(event, &data.to_string()).await;
        text(&accepted.must_be(202), "id").to_owned()
    }

    /// [`publish`](Self::publish) with `data` as it is written, number for number.
    pub async fn publish_text(&self, event: &str, data: &str) -> Response {
        let tenant = &self.tenant;
        let body = format!(r#"{{"event":"{event}","tenant":"{tenant}","data":{data}}}"#);
        self.operator.send(Call::post("/v1/events", body)).await
    }

    /// All events of this partner, in commit order.
    pub async fn events(&self) -> Vec<Value> {
        self.operator.list(&format!("/v1/events?tenant={}", self.tenant)).await
    }

    /// All deliveries of a webhook, by their sequence number.
    pub async fn deliveries(&self, webhook: &Webhook) -> Vec<Value> {
        let path = format!("/v1/webhooks/{}/deliveries", webhook.id);
        let mut deliveries = self.operator.list(&path).await;
        deliveries.sort_by_key(|delivery| delivery["sequence"].as_u64());
        deliveries
    }

    /// Waits until the delivery of this event to this webhook has this status; gives it with its
    /// attempts.
    pub async fn until_delivery(&self, webhook: &Webhook, event: &str, status: &str) -> Value {
        let what = format!("the delivery of {event} to be {status}");
        wait::until(&what, async || {
            let deliveries = self.deliveries(webhook).await;
            let Some(found) = deliveries.iter().find(|delivery| delivery["event_id"] == event)
            else {
                return Err(format!("{deliveries:?}"));
            };
            let path = format!("/v1/deliveries/{}", text(found, "id"));
            let delivery = self.operator.get(&path).await.must_be(200);
            if delivery["status"] == status { Ok(delivery) } else { Err(delivery.to_string()) }
        })
        .await
    }
}

/// The requests of a sink that are about this event.
pub fn about<'a>(requests: &'a [Request], event_id: &str) -> Vec<&'a Request> {
    requests.iter().filter(|request| request.event_id() == event_id).collect()
}

/// Waits until the sink has this event, and gives its first request about it.
pub async fn first_about(sink: &Sink, event_id: &str) -> Request {
    let what = format!("a request about {event_id}");
    let requests = sink.until(&what, |requests| !about(requests, event_id).is_empty()).await;
    about(&requests, event_id)[0].clone()
}
