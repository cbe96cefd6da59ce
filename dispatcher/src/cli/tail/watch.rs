//! What has been seen of each webhook's deliveries, and so what is new.

use std::collections::BTreeMap;

use bluum_hooks_shared::api::{Attempt, Delivery, DeliveryStatus, List, MAX_LIMIT, Webhook};
use bluum_hooks_shared::id::DeliveryId;
use bluum_hooks_shared::time::Timestamp;

use crate::cli::args::ListArgs;
use crate::cli::query::{self, Identified};
use crate::cli::which::Types;
use crate::client::{Client, ClientError};

/// Most pages of one webhook in one round.
const MOST_PAGES: usize = 5;
/// Most deliveries beyond the newest page that are asked about one by one in a round.
const MOST_DUE: usize = 20;

/// One attempt, of which delivery.
pub(super) struct Made {
    pub(super) attempt: Attempt,
    pub(super) delivery: String,
    pub(super) event: String,
    pub(super) event_type: String,
    pub(super) webhook: String,
}

/// What is known of a delivery.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// Attempts that were told, or are too old to tell.
    told: u32,
    /// None: it is finished.
    due: Option<Timestamp>,
}

/// One webhook.
struct Watched {
    path: String,
    id: String,
    /// The newest sequence number seen.
    newest: i64,
    known: BTreeMap<DeliveryId, Known>,
}

pub(super) struct Watch(Vec<Watched>);

impl Known {
    fn of(delivery: &Delivery, told: u32) -> Self {
        // One that is queued or under way may have something new at any time.
        let always = Timestamp::from_micros(0);
        let due = match delivery.finished_at {
            Some(_) => None,
            None => Some(delivery.next_attempt_at.unwrap_or(always)),
        };
        Self { told, due }
    }
}

impl Watch {
    /// Everything that is there is old.
    pub(super) async fn begin(
        webhooks: Vec<Webhook>,
        client: &Client,
    ) -> Result<Self, ClientError> {
        let mut watch = Self(Vec::new());
        watch.add(webhooks);
        for watched in &mut watch.0 {
            // What waits for its retry may be older than the newest page.
            let waiting = DeliveryStatus::Waiting.as_str();
            for status in [Some(waiting), None] {
                for delivery in watched.page(None, &[("status", status)], client).await?.data {
                    watched.newest = watched.newest.max(delivery.sequence);
                    let known = Known::of(&delivery, delivery.attempt_count);
                    watched.known.insert(delivery.id, known);
                }
            }
        }
        Ok(watch)
    }

    /// Goes on with these too: all of theirs is new.
    pub(super) fn add(&mut self, webhooks: Vec<Webhook>) {
        for webhook in webhooks {
            let id = webhook.id.to_string();
            if !self.0.iter().any(|watched| watched.id == id) {
                let path = format!("{}/deliveries", query::item("/v1/webhooks", &id));
                self.0.push(Watched { path, id, newest: 0, known: BTreeMap::new() });
            }
        }
    }

    /// The attempts of so many of the newest deliveries of these types that were attempted.
    pub(super) async fn newest(
        &self,
        count: usize,
        types: &Types,
        client: &Client,
    ) -> Result<Vec<Made>, ClientError> {
        let mut newest = Vec::new();
        for watched in self.0.iter().filter(|_| count > 0) {
            newest.extend(watched.page(None, &[], client).await?.data);
        }
        newest.retain(|delivery| delivery.attempt_count > 0 && types.has(&delivery.event));
        newest.sort_by_key(|delivery| std::cmp::Reverse(delivery.id));
        newest.truncate(count);
        attempts(&newest, client).await
    }

    /// Every attempt made since then, of what was accepted since then.
    pub(super) async fn since(
        &self,
        since: Timestamp,
        client: &Client,
    ) -> Result<Vec<Made>, ClientError> {
        let mut made = Vec::new();
        let since = since.to_string();
        for watched in &self.0 {
            let filters = [("since", Some(&*since))];
            let mut found: Vec<Delivery> = query::all(&watched.path, &filters, client).await?;
            found.retain(|delivery| delivery.attempt_count > 0);
            made.extend(attempts(&found, client).await?);
        }
        Ok(made)
    }

    /// What is new since the last round. A round that breaks off is made up for by the next.
    pub(super) async fn round(
        &mut self,
        now: Timestamp,
        client: &Client,
    ) -> Result<Vec<Made>, ClientError> {
        let mut made = Vec::new();
        for watched in &mut self.0 {
            made.extend(watched.round(now, client).await?);
        }
        Ok(made)
    }
}

impl Watched {
    async fn page(
        &self,
        starting_after: Option<String>,
        filters: &[(&str, Option<&str>)],
        client: &Client,
    ) -> Result<List<Delivery>, ClientError> {
        let page = ListArgs { limit: Some(MAX_LIMIT), starting_after };
        client.read(&client.get(&query::path(&self.path, &page, filters)).await?)
    }

    async fn round(&mut self, now: Timestamp, client: &Client) -> Result<Vec<Made>, ClientError> {
        let mut seen: Vec<Delivery> = Vec::new();
        for _ in 0..MOST_PAGES {
            let page = self.page(seen.last().map(Delivery::id), &[], client).await?;
            seen.extend(page.data);
            let reached = seen.last().is_none_or(|last| last.sequence <= self.newest + 1);
            if reached || !page.has_more {
                break;
            }
        }
        let on_page = |id: &DeliveryId| seen.iter().any(|delivery| delivery.id == *id);
        let due = |known: &Known| known.due.is_some_and(|due| due <= now);
        let late = self.known.iter().filter(|(id, known)| due(known) && !on_page(id));
        let late: Vec<_> = late.map(|(id, _)| *id).take(MOST_DUE).collect();
        let told = |id: &DeliveryId| self.known.get(id).map_or(0, |known| known.told);
        let risen = seen.iter().filter(|delivery| delivery.attempt_count > told(&delivery.id));
        let risen: Vec<_> = risen.map(|delivery| delivery.id).chain(late).collect();

        let mut made = Vec::new();
        for id in risen {
            let delivery: Delivery = query::one(client, "/v1/deliveries", &id.to_string()).await?;
            let told = told(&id);
            made.extend(made_for(&delivery).filter(|made| made.attempt.number > told));
            seen.retain(|seen| seen.id != id);
            seen.push(delivery);
        }
        // From here on nothing can break off: what is told is known.
        let mut known: BTreeMap<_, _> = seen
            .iter()
            .map(|delivery| (delivery.id, Known::of(delivery, delivery.attempt_count)))
            .collect();
        self.known.retain(|id, old| old.due.is_some() && !known.contains_key(id));
        self.known.append(&mut known);
        let newest = seen.iter().map(|delivery| delivery.sequence).max();
        self.newest = self.newest.max(newest.unwrap_or(0));
        Ok(made)
    }
}

async fn attempts(deliveries: &[Delivery], client: &Client) -> Result<Vec<Made>, ClientError> {
    let mut made = Vec::new();
    for delivery in deliveries {
        let id = delivery.id.to_string();
        made.extend(made_for(&query::one(client, "/v1/deliveries", &id).await?));
    }
    Ok(made)
}

fn made_for(delivery: &Delivery) -> impl Iterator<Item = Made> {
    delivery.attempts.iter().flatten().map(|attempt| Made {
        attempt: attempt.clone(),
        delivery: delivery.id.to_string(),
        event: delivery.event_id.to_string(),
        event_type: delivery.event.clone(),
        webhook: delivery.webhook_id.to_string(),
    })
}
