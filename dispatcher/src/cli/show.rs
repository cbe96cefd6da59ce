//! `show`: an event or a delivery, and with `--why` what became of it and what happens next.
//!
//! This part asks the API. What it has seen is turned into words by pure functions: `explain` says
//! why and what next, `timeline` and `render` put it on the terminal.

use bluum_hooks_receiver::Event;
use bluum_hooks_shared::api::{Delivery, Webhook};
use bluum_hooks_shared::id::{DeliveryId, EventId};
use bluum_hooks_shared::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use self::explain::{Absent, Explanation};
use super::failure::{Failure, Status};
use super::print::Printer;
use super::{events, newest, query};
use crate::client::Client;
use crate::clock::{Clock, SystemClock};

mod explain;
mod render;
mod timeline;
pub(in crate::cli) mod words;

/// What the API says of an event.
#[derive(Debug)]
struct Seen {
    event: Event,
    /// The event as it was accepted, token for token.
    raw: String,
    owed: Vec<Owed>,
    /// Webhooks of the same tenant and mode, without a delivery of it.
    others: Vec<Webhook>,
    /// What is wrong with the daemon itself.
    faults: Vec<Fault>,
    now: Timestamp,
}

/// As `/readyz` tells it.
#[derive(Debug, Serialize, Deserialize)]
struct Fault {
    fault: String,
    since: Timestamp,
    detail: String,
}

/// A delivery with what explains it.
#[derive(Debug)]
struct Owed {
    delivery: Delivery,
    /// None: it was deleted.
    webhook: Option<Webhook>,
    /// The delivery that it is queued behind.
    ahead: Option<Delivery>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Json<'a> {
    event: &'a RawValue,
    deliveries: Vec<JsonDelivery<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_sent_to: Option<Vec<Absent>>,
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    faults: &'a [Fault],
}

#[derive(Serialize)]
struct JsonDelivery<'a> {
    #[serde(flatten)]
    delivery: &'a Delivery,
    #[serde(flatten)]
    explanation: Option<Explanation>,
}

pub(super) async fn run(
    id: &str,
    why: bool,
    client: &Client,
    printer: Printer,
) -> Result<(), Failure> {
    let newest = match id {
        "last" => Some(newest::event(client).await?.ok_or_else(|| {
            Failure::new(Status::NotFound, "there is no event yet")
                .then("publish one: `bluum-hooks events publish order.filled`")
        })?),
        _ => None,
    };
    let id = newest.as_deref().unwrap_or(id);
    let one = if id.starts_with(DeliveryId::PREFIX) {
        Some(query::one::<Delivery>(client, "/v1/deliveries", id).await?)
    } else if id.starts_with(EventId::PREFIX) {
        None
    } else {
        let message = format!("'{}' is no event and no delivery", words::harmless(id));
        return Err(
            Failure::new(Status::Usage, message).then("give an id, evt_… or dlv_…, or last")
        );
    };
    let event = one.as_ref().map_or_else(|| id.to_owned(), |one| one.event_id.to_string());
    let answer = client.get(&query::item("/v1/events", &event)).await;
    let answer = answer.map_err(|error| forgotten(error.into(), &event))?;
    let webhooks = query::all("/v1/webhooks", &[("for_event", Some(&*event))], client).await?;
    let deliveries = match one {
        Some(delivery) => vec![delivery],
        None => deliveries(&event, client).await?,
    };
    let mut seen = Seen {
        event: events::read(&answer)?,
        raw: String::from_utf8_lossy(&answer).into_owned(),
        owed: Vec::new(),
        others: webhooks.clone(),
        faults: if why { faults(client).await } else { Vec::new() },
        now: SystemClock::new().now(),
    };
    if id != event {
        seen.others.clear();
    }
    for delivery in deliveries {
        let ahead = match delivery.blocked_by.filter(|_| why) {
            Some(ahead) => Some(query::one(client, "/v1/deliveries", &ahead.to_string()).await?),
            None => None,
        };
        seen.others.retain(|webhook| webhook.id != delivery.webhook_id);
        let webhook = webhooks.iter().find(|webhook| webhook.id == delivery.webhook_id).cloned();
        seen.owed.push(Owed { delivery, webhook, ahead });
    }
    let raw = client.read::<Box<RawValue>>(&answer)?;
    printer.line(&render::text(&seen, why, printer.colour()), &seen.json(&raw, why));
    Ok(())
}

impl Seen {
    fn json<'a>(&'a self, event: &'a RawValue, why: bool) -> Json<'a> {
        let deliveries = self.owed.iter().map(|owed| JsonDelivery {
            delivery: &owed.delivery,
            explanation: why.then(|| explain::delivery(owed, self.now)),
        });
        Json {
            event,
            deliveries: deliveries.collect(),
            not_sent_to: why.then(|| explain::absent(self)),
            faults: &self.faults,
        }
    }
}

/// The faults that stand; none, if that cannot be asked.
async fn faults(client: &Client) -> Vec<Fault> {
    #[derive(Deserialize)]
    struct Ready {
        faults: Vec<Fault>,
    }
    let ready = client.get("/readyz").await.and_then(|answer| client.read::<Ready>(&answer));
    ready.map_or_else(|_| Vec::new(), |ready| ready.faults)
}

/// The deliveries of an event, with their attempts.
async fn deliveries(event: &str, client: &Client) -> Result<Vec<Delivery>, Failure> {
    let path = format!("{}/deliveries", query::item("/v1/events", event));
    let mut deliveries: Vec<Delivery> = query::all(&path, &[], client).await?;
    for delivery in &mut deliveries {
        *delivery = query::one(client, "/v1/deliveries", &delivery.id.to_string()).await?;
    }
    Ok(deliveries)
}

/// An event that is not there may have been: its id says when it was accepted.
fn forgotten(failure: Failure, event: &str) -> Failure {
    match event.parse::<EventId>() {
        Ok(id) if failure.status == Status::NotFound => failure.then(format!(
            "if it was accepted at {} as its id says, it is forgotten by now (serve --retention)",
            id.made_at()
        )),
        _ => failure,
    }
}

#[cfg(test)]
mod tests;
