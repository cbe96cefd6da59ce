//! Which events and deliveries are meant, found by asking the API.

use std::time::Duration;

use bluum_hooks_shared::api::{Delivery, DeliveryStatus, List, MAX_LIMIT, Webhook};
use bluum_hooks_shared::time::Timestamp;
use serde_json::value::RawValue;

use super::Wanted;
use crate::cli::args::ListArgs;
use crate::cli::failure::{Failure, Status};
use crate::cli::{events, query};
use crate::client::Client;
use crate::clock::{Clock, SystemClock};

/// How far back the newest event is looked for, step by step.
const STEPS: [Duration; 4] = [
    Duration::from_mins(1),
    Duration::from_hours(1),
    Duration::from_hours(24),
    Duration::from_hours(24 * 365 * 100),
];

impl Wanted {
    /// The deliveries of a webhook that are meant by filters alone, oldest first.
    pub(super) async fn deliveries(
        &self,
        webhook: &Webhook,
        client: &Client,
    ) -> Result<Vec<Delivery>, Failure> {
        let [since, until] = [self.since, self.until].map(|at| at.map(|at| at.to_string()));
        let status = self.failed.then_some(DeliveryStatus::Parked.as_str());
        let filters =
            [("status", status), ("since", since.as_deref()), ("until", until.as_deref())];
        let path = format!("{}/deliveries", query::item("/v1/webhooks", &webhook.id.to_string()));
        let mut found: Vec<Delivery> = query::all(&path, &filters, client).await?;
        found.retain(|delivery| {
            delivery.finished_at.is_some()
                && self.types.has(&delivery.event)
                && (!self.failed || has_failed(delivery))
        });
        found.reverse();
        Ok(found)
    }

    /// The ids of all events that are meant by filters alone, oldest first.
    pub(super) async fn events(&self, client: &Client) -> Result<Vec<String>, Failure> {
        if self.failed {
            let mut failed = Vec::new();
            for webhook in query::all::<Webhook>("/v1/webhooks", &[], client).await? {
                failed.extend(self.deliveries(&webhook, client).await?);
            }
            failed.sort_by_key(|delivery| delivery.event_id);
            failed.dedup_by_key(|delivery| delivery.event_id);
            return Ok(failed.iter().map(|delivery| delivery.event_id.to_string()).collect());
        }
        let [since, until] = [self.since, self.until].map(|at| at.map(|at| at.to_string()));
        let filters = [("since", since.as_deref()), ("until", until.as_deref())];
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let (events, more) = page(after, &filters, client).await?;
            after = events.last().map(|(id, _)| id.clone());
            let wanted = events.into_iter().filter(|(_, name)| self.types.has(name));
            found.extend(wanted.map(|(id, _)| id));
            if !more {
                return Ok(found);
            }
        }
    }
}

/// It was given up after an attempt, and not for want of one.
fn has_failed(delivery: &Delivery) -> bool {
    delivery.status == DeliveryStatus::Parked && delivery.attempt_count > 0
}

/// The newest delivery of a webhook; or the newest that failed.
pub(super) async fn newest(
    webhook: &Webhook,
    failed: bool,
    client: &Client,
) -> Result<Option<Delivery>, Failure> {
    let path = format!("{}/deliveries", query::item("/v1/webhooks", &webhook.id.to_string()));
    let few = ListArgs { limit: Some(if failed { 50 } else { 1 }), starting_after: None };
    let status = failed.then_some(DeliveryStatus::Parked.as_str());
    let answer = client.get(&query::path(&path, &few, &[("status", status)])).await?;
    let found: List<Delivery> = client.read(&answer)?;
    Ok(found.data.into_iter().find(|delivery| !failed || has_failed(delivery)))
}

/// The newest event of all that failed at some webhook.
pub(super) async fn newest_failed_event(client: &Client) -> Result<Option<String>, Failure> {
    let mut newest_one: Option<Delivery> = None;
    for webhook in query::all::<Webhook>("/v1/webhooks", &[], client).await? {
        let found = newest(&webhook, true, client).await?;
        newest_one = newest_one.into_iter().chain(found).max_by_key(|found| found.event_id);
    }
    Ok(newest_one.map(|delivery| delivery.event_id.to_string()))
}

/// The newest event of all. The list begins with the oldest, so the time of the newest is closed
/// in on.
pub(in crate::cli) async fn newest_event(client: &Client) -> Result<Option<String>, Failure> {
    // Somebody's clock may be ahead of ours.
    let now = SystemClock::new().now().plus(Duration::from_hours(1));
    let mut nothing_from = now;
    for step in STEPS {
        let mut from = now.minus(Duration::from_hours(1) + step);
        loop {
            let at = from.to_string();
            let (events, more) = page(None, &[("since", Some(&at))], client).await?;
            match (events.last(), more) {
                (Some((id, _)), false) => return Ok(Some(id.clone())),
                (None, _) => nothing_from = from,
                (Some((id, _)), true) if nothing_from.since(from) < Duration::from_millis(2) => {
                    return last_after(id.clone(), client).await.map(Some);
                }
                (Some(_), true) => {
                    // There is more than a page from here on: look at the younger half.
                    let younger = halfway(from, nothing_from);
                    if page(None, &[("since", Some(&younger.to_string()))], client)
                        .await?
                        .0
                        .is_empty()
                    {
                        nothing_from = younger;
                    } else {
                        from = younger;
                    }
                    continue;
                }
            }
            break;
        }
    }
    Ok(None)
}

fn halfway(from: Timestamp, to: Timestamp) -> Timestamp {
    from.plus(to.since(from) / 2)
}

async fn last_after(mut last: String, client: &Client) -> Result<String, Failure> {
    loop {
        let (events, more) = page(Some(last.clone()), &[], client).await?;
        last = events.last().map_or(last, |(id, _)| id.clone());
        if !more {
            return Ok(last);
        }
    }
}

/// Ids and types of a page of events, and whether there are more.
async fn page(
    starting_after: Option<String>,
    filters: &[(&str, Option<&str>)],
    client: &Client,
) -> Result<(Vec<(String, String)>, bool), Failure> {
    let whole = ListArgs { limit: Some(MAX_LIMIT), starting_after };
    let answer = client.get(&query::path("/v1/events", &whole, filters)).await?;
    let page: List<Box<RawValue>> = client.read(&answer)?;
    let events = page.data.iter().map(|event| {
        let event = events::read(event.get().as_bytes())?;
        Ok((event.id, event.name))
    });
    Ok((events.collect::<Result<_, Failure>>()?, page.has_more))
}

/// What is neither an id nor a word that is known.
pub(super) fn unknown(what: &str) -> Failure {
    let message = format!("'{}' is no event, no delivery and no file", what.escape_default());
    Failure::new(Status::Usage, message).then("give evt_…, dlv_…, last, last-failed, or @FILE")
}
