//! Which events and deliveries are meant, found by asking the API.

use bluum_hooks_shared::api::{Delivery, DeliveryStatus, List, Webhook};

use super::Wanted;
use crate::cli::args::ListArgs;
use crate::cli::failure::{Failure, Status};
use crate::cli::{newest, query};
use crate::client::Client;

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
            let (events, more) = newest::page(after, &filters, client).await?;
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
pub(super) async fn newest_delivery(
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
        let found = newest_delivery(&webhook, true, client).await?;
        newest_one = newest_one.into_iter().chain(found).max_by_key(|found| found.event_id);
    }
    Ok(newest_one.map(|delivery| delivery.event_id.to_string()))
}

/// What is neither an id nor a word that is known.
pub(super) fn unknown(what: &str) -> Failure {
    let message = format!("'{}' is no event, no delivery and no file", what.escape_default());
    Failure::new(Status::Usage, message).then("give evt_…, dlv_…, last, last-failed, or @FILE")
}
