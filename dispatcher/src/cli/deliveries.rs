//! `deliveries list|show|replay`

use bluum_hooks_shared::api::{Attempt, Delivery, List};

use super::args::DeliveriesCommand;
use super::failure::Failure;
use super::print::{Printer, facts, or_dash, table};
use super::query;
use crate::client::Client;

pub(super) async fn run(
    command: DeliveriesCommand,
    client: &Client,
    printer: Printer,
) -> Result<(), Failure> {
    match command {
        DeliveriesCommand::List { webhook, list, status, event } => {
            let collection = format!("{}/deliveries", query::item("/v1/webhooks", &webhook));
            let filters = [("status", status.as_deref()), ("event", event.as_deref())];
            let answer = client.get(&query::path(&collection, &list, &filters)).await?;
            let list: List<Delivery> = client.read(&answer)?;
            printer.answer(&answer, || rows(&list));
        }
        DeliveriesCommand::Show { id } => {
            let answer = client.get(&query::item("/v1/deliveries", &id)).await?;
            let delivery: Delivery = client.read(&answer)?;
            printer.answer(&answer, || shown(&delivery));
        }
        DeliveriesCommand::Replay { id } => {
            let path = format!("{}/replay", query::item("/v1/deliveries", &id));
            let answer = client.post(&path, &query::given([])).await?;
            let delivery: Delivery = client.read(&answer)?;
            printer.answer(&answer, || format!("{id} replayed; it is {}", standing(&delivery)));
        }
    }
    Ok(())
}

pub(super) fn rows(list: &List<Delivery>) -> String {
    let rows = list.data.iter().map(|delivery| {
        [
            delivery.id.to_string(),
            delivery.sequence.to_string(),
            standing(delivery),
            delivery.attempt_count.to_string(),
            delivery.event.clone(),
            delivery.event_id.to_string(),
            delivery.webhook_id.to_string(),
        ]
    });
    let headings = ["ID", "SEQ", "STATUS", "ATTEMPTS", "TYPE", "EVENT", "WEBHOOK"];
    query::with_more(list, table(headings, rows))
}

fn standing(delivery: &Delivery) -> String {
    let status = delivery.status.as_str();
    match &delivery.reason {
        Some(reason) => format!("{status} ({reason})"),
        None => status.into(),
    }
}

fn shown(delivery: &Delivery) -> String {
    let summary = facts(&[
        ("id", delivery.id.to_string()),
        ("status", standing(delivery)),
        ("event", format!("{} {}", delivery.event_id, delivery.event)),
        ("webhook", delivery.webhook_id.to_string()),
        ("sequence", delivery.sequence.to_string()),
        ("in line by", or_dash(delivery.ordering_key.as_ref())),
        ("next attempt", or_dash(delivery.next_attempt_at)),
        ("finished", or_dash(delivery.finished_at)),
    ]);
    let attempts = delivery.attempts.as_deref().unwrap_or_default();
    if attempts.is_empty() {
        return format!("{summary}\n\nNo attempt yet.");
    }
    let rows = attempts.iter().map(|attempt: &Attempt| {
        [
            attempt.number.to_string(),
            attempt.started_at.to_string(),
            or_dash(attempt.status),
            format!("{} ms", attempt.duration_ms),
            or_dash(attempt.error.as_ref()),
        ]
    });
    format!("{summary}\n\n{}", table(["ATTEMPT", "STARTED", "STATUS", "TOOK", "ERROR"], rows))
}
