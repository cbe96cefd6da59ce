//! What became of published events: asked of the daemon until every delivery has an outcome.

use std::time::Duration;

use bluum_hooks_shared::api::{Attempt, Delivery, DeliveryStatus, List};
use bluum_hooks_shared::id::DeliveryId;
use serde_json::json;

use crate::cli::failure::Failure;
use crate::cli::print::Printer;
use crate::cli::query;
use crate::client::Client;
use crate::clock::{Clock, SystemClock};

/// How often to ask. A sandbox key may ask ten times a second.
const INTERVAL: Duration = Duration::from_millis(200);

/// How the deliveries of some events ended.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    pub(super) delivered: usize,
    pub(super) failed: Vec<DeliveryId>,
}

impl Outcomes {
    /// Waits at most `limit` for all deliveries of an event, with a line for each.
    pub(super) async fn wait(
        &mut self,
        event: &str,
        limit: Duration,
        client: &Client,
        printer: Printer,
    ) -> Result<(), Failure> {
        let clock = SystemClock::new();
        let give_up_at = clock.now().plus(limit);
        let path = format!("{}/deliveries", query::item("/v1/events", event));
        let owed = loop {
            let owed: List<Delivery> = client.read(&client.get(&path).await?)?;
            if !owed.data.iter().any(|it| self.is_open(it)) || clock.now() >= give_up_at {
                break owed;
            }
            clock.sleep_until(clock.now().plus(INTERVAL)).await;
        };
        for delivery in &owed.data {
            let path = query::item("/v1/deliveries", &delivery.id.to_string());
            let delivery: Delivery = client.read(&client.get(&path).await?)?;
            tell(&delivery, printer);
            match delivery.status {
                DeliveryStatus::Delivered => self.delivered += 1,
                _ => self.failed.push(delivery.id),
            }
        }
        Ok(())
    }

    /// Whether waiting may bring anything soon. What has failed is tried again in a minute at the
    /// earliest, and what is queued behind it comes later still.
    fn is_open(&self, delivery: &Delivery) -> bool {
        match delivery.status {
            DeliveryStatus::Delivered | DeliveryStatus::Parked => false,
            DeliveryStatus::Queued => {
                !delivery.blocked_by.is_some_and(|ahead| self.failed.contains(&ahead))
            }
            DeliveryStatus::Waiting | DeliveryStatus::Leased => delivery.failures == 0,
        }
    }
}

fn tell(delivery: &Delivery, printer: Printer) {
    let Delivery { id, event_id, event, webhook_id, status, reason, attempts, .. } = delivery;
    let last = attempts.as_deref().and_then(<[Attempt]>::last);
    let answer = last.and_then(|attempt| attempt.status);
    let error = last.and_then(|attempt| attempt.error.as_deref());
    let code = answer.map_or_else(|| "---".to_owned(), |status| status.to_string());
    let how = match (status, reason, delivery.next_attempt_at, delivery.blocked_by) {
        (DeliveryStatus::Delivered, ..) => "delivered".to_owned(),
        (_, Some(reason), ..) => format!("parked ({reason})"),
        (DeliveryStatus::Queued, _, _, Some(ahead)) => format!("queued behind {ahead}"),
        (_, _, Some(next), _) if delivery.failures > 0 => format!("failed; tried again at {next}"),
        _ => format!("{}, and no outcome yet", status.as_str()),
    };
    let why = error.map_or_else(String::new, |error| format!(": {error}"));
    printer.line(
        &format!("{event_id}  {event}  {webhook_id}  {code}  {how}{why}"),
        &json!({
            "type": "outcome", "event": event_id, "event_type": event, "delivery": id,
            "webhook": webhook_id, "status": answer, "outcome": status, "reason": reason,
            "attempts": delivery.attempt_count, "next_attempt_at": delivery.next_attempt_at,
            "error": error,
        }),
    );
}
