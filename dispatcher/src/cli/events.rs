//! `events publish|list|show|types`; `follow` has its own module.

use std::io::Read;

use bluum_hooks_receiver::Event;
use bluum_hooks_shared::api::{Delivery, EventTypeEntry, List, PublishEvent};
use bluum_hooks_shared::catalogue;
use serde_json::value::RawValue;

use super::args::{EventsCommand, ListArgs};
use super::failure::{Failure, Status};
use super::print::{Printer, or_dash, table};
use super::spacing::pretty;
use super::{deliveries, follow, query};
use crate::client::Client;

pub(super) async fn run(
    command: EventsCommand,
    client: &Client,
    printer: Printer,
) -> Result<(), Failure> {
    match command {
        EventsCommand::Publish { event, data, tenant, investor_id, ordering_key, timestamp } => {
            let data = data_of(&event, data.as_deref())?;
            let body = PublishEvent { event, data, tenant, investor_id, ordering_key, timestamp };
            let answer = client.post("/v1/events", &body).await?;
            let event = read(&answer)?;
            printer.answer(&answer, || format!("{} {} accepted", event.id, event.name));
        }
        EventsCommand::List { list, event, tenant } => {
            let filters = [("event", event.as_deref()), ("tenant", tenant.as_deref())];
            let answer = client.get(&query::path("/v1/events", &list, &filters)).await?;
            let list: List<Box<RawValue>> = client.read(&answer)?;
            let text = rows(&list)?;
            printer.answer(&answer, || text);
        }
        EventsCommand::Follow { starting_after, since, event, tenant } => {
            let filters = [
                ("since", since.as_deref()),
                ("event", event.as_deref()),
                ("tenant", tenant.as_deref()),
            ];
            follow::run(&filters, starting_after, client, printer).await?;
        }
        EventsCommand::Show { id } => show(&id, client, printer).await?,
        EventsCommand::Types => {
            let all = ListArgs { limit: Some(200), starting_after: None };
            let answer = client.get(&query::path("/v1/webhooks/event-types", &all, &[])).await?;
            let list: List<EventTypeEntry> = client.read(&answer)?;
            let rows =
                list.data.iter().map(|entry| [entry.name.clone(), entry.description.clone()]);
            let text = query::with_more(&list, table(["EVENT", "WHAT HAPPENED"], rows));
            printer.answer(&answer, || text);
        }
    }
    Ok(())
}

/// The event as it is delivered, and under it a line per webhook; as JSON, the event alone.
async fn show(id: &str, client: &Client, printer: Printer) -> Result<(), Failure> {
    let path = query::item("/v1/events", id);
    let answer = client.get(&path).await?;
    let owed = client.get(&format!("{path}/deliveries")).await?;
    let owed: List<Delivery> = client.read(&owed)?;
    let text = pretty(&String::from_utf8_lossy(&answer));
    printer.answer(&answer, || {
        if owed.data.is_empty() {
            format!("{text}\n\nNo webhook subscribes to it.")
        } else {
            format!("{text}\n\n{}", deliveries::rows(&owed))
        }
    });
    Ok(())
}

/// The data as given, or the catalogue's example.
fn data_of(event: &str, given: Option<&str>) -> Result<Box<RawValue>, Failure> {
    let text = match given {
        None => match catalogue::find(event) {
            Some(known) => known.compact_example(),
            // The daemon knows best what to say about an unknown name.
            None => "{}".into(),
        },
        Some("-") => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(|error| unreadable("stdin", &error))?;
            text
        }
        Some(given) => match given.strip_prefix('@') {
            Some(file) => {
                std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?
            }
            None => given.to_owned(),
        },
    };
    RawValue::from_string(text.trim().to_owned()).map_err(|error| {
        Failure::new(Status::Usage, format!("the data is not JSON: {error}"))
            .then("give JSON, @FILE, or - for stdin")
    })
}

fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    Failure::new(Status::Usage, format!("cannot read {name}: {error}"))
}

pub(super) fn read(body: &[u8]) -> Result<Event, Failure> {
    Event::parse(body).map_err(|error| Failure::new(Status::Failed, error.to_string()))
}

fn rows(list: &List<Box<RawValue>>) -> Result<String, Failure> {
    let events = list.data.iter().map(|event| read(event.get().as_bytes()));
    let events: Vec<Event> = events.collect::<Result<_, _>>()?;
    let rows = events.into_iter().map(|event| {
        [event.id, event.timestamp.to_string(), event.name, or_dash(event.investor_id)]
    });
    Ok(query::with_more(list, table(["ID", "TIME", "EVENT", "INVESTOR"], rows)))
}
