//! What goes into the store and what comes out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bluum_hooks_shared::api::{AttemptOutcome, DeliveryStatus, Role};
use bluum_hooks_shared::id::{AttemptId, DeliveryId, EventId, KeyId, TenantId, WebhookId};
use bluum_hooks_shared::time::Timestamp;
use bytes::Bytes;

use super::Webhook;
use crate::policy::state::Progress;
use crate::slots::Slot;

/// An event about to be accepted. Checked: the store asks no more questions.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub id: EventId,
    pub tenant: TenantId,
    pub livemode: bool,
    /// The type's name, as published.
    pub name: String,
    /// What its deliveries wait in line by; none: nothing waits.
    pub ordering_key: Option<String>,
    /// The same key again publishes nothing.
    pub idempotency_key: Option<String>,
    /// The bytes that every delivery carries.
    pub body: Bytes,
    pub audience: Audience,
    /// Random bits for the ids of its deliveries.
    pub seed: u128,
}

/// Which of the tenant's webhooks get an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Audience {
    #[default]
    Subscribers,
    /// Subscribers, but for the webhook that the event is about.
    SubscribersBut(WebhookId),
    /// This webhook, whatever it subscribes to.
    Only(WebhookId),
}

/// An answer to keep under the caller's idempotency key, in the commit of what it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAnswer {
    /// The API key that the request came with: idempotency keys of different callers never meet.
    pub caller: KeyId,
    pub idempotency_key: String,
    pub answer: Answer,
}

/// The first answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What was asked, in hex: another request under the same key is a mistake.
    pub request_sha256: String,
    pub status: u16,
    pub body: Bytes,
    /// Whether the body shows a secret: then it is sealed in the database.
    pub secret: bool,
}

/// Makes the answer to keep from what was brought about, in the commit that does it.
pub type Keep<T> = Box<dyn FnOnce(&T) -> NewAnswer + Send>;

/// A claimed delivery with everything needed to make the request.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The row.
    pub position: i64,
    pub id: DeliveryId,
    pub event: EventId,
    pub body: Bytes,
    pub webhook: Arc<Webhook>,
    pub sequence: i64,
    pub progress: Progress,
    pub ordering_key: Option<String>,
}

impl Claimed {
    /// Its webhook and its ordering key, if it has one: what it waits in line by.
    pub fn line(&self) -> Option<(i64, &str)> {
        Some((self.webhook.number, self.ordering_key.as_deref()?))
    }
}

/// A claimed delivery with the slot it was claimed for.
#[derive(Debug)]
pub struct Work {
    pub claimed: Claimed,
    pub slot: Slot,
}

/// What goes into one commit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Batch<'a> {
    pub reports: &'a [Report],
    /// To be accepted.
    pub events: &'a [NewEvent],
    pub answers: &'a [NewAnswer],
}

/// What a commit did.
#[derive(Debug, Default)]
pub struct Committed {
    /// One for each report, in order.
    pub recorded: Vec<Recorded>,
    pub accepted: Accepted,
}

/// What accepting did beside storing.
#[derive(Debug, Default)]
pub struct Accepted {
    /// Deliveries claimed at once.
    pub work: Vec<Work>,
    /// Whether there are others, due now, for which there was no slot.
    pub left_waiting: bool,
}

/// What `claim_due` found.
#[derive(Debug, Default)]
pub struct Due {
    pub work: Vec<Work>,
    /// When to look again, if nothing rings before: the next due time after now, ends of leases
    /// among them; `now` if something came due that this call did not look at.
    pub next_due: Option<Timestamp>,
}

/// What became of a claimed delivery.
#[derive(Debug, Clone)]
pub struct Report {
    pub claimed: Claimed,
    /// Where it stands now, as [`crate::policy::state::step`] said.
    pub after: Progress,
    /// The request, if one was made.
    pub attempt: Option<NewAttempt>,
    /// What to publish about it, in the same commit.
    pub notice: Option<NewEvent>,
    /// Whether the next in its line, if it is finished, is claimed in the same commit, for the slot
    /// this one holds.
    pub hand_on: bool,
}

/// One request, about to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAttempt {
    pub id: AttemptId,
    pub started_at: Timestamp,
    pub duration: Duration,
    pub outcome: AttemptOutcome,
    pub status: Option<u16>,
    pub error: Option<String>,
    pub response_body: Option<String>,
}

/// What was done with a report.
#[derive(Debug)]
pub enum Recorded {
    /// Written; with the next delivery in line, if it was claimed.
    Applied { successor: Option<Claimed> },
    /// Somebody else has claimed it since: nothing written.
    Stale,
}

/// A row of the outbox, as the publisher wrote it; any column may hold anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboxRow {
    pub position: i64,
    pub tenant_id: Option<String>,
    pub livemode: Option<i64>,
    pub event: Option<String>,
    pub data: Option<String>,
    pub investor_id: Option<String>,
    pub ordering_key: Option<String>,
    pub idempotency_key: Option<String>,
}

/// Turns a row of the outbox into an event, or says why not.
pub type OutboxReader = dyn Fn(&OutboxRow) -> Result<NewEvent, String> + Send + Sync;

/// What `drain_outbox` did.
#[derive(Debug, Default)]
pub struct Drained {
    /// Rows taken from the outbox; as many as the limit means that there may be more.
    pub taken: usize,
    pub rejected: usize,
    pub accepted: Accepted,
}

/// A partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
    pub metadata: BTreeMap<String, String>,
    pub created_at: Timestamp,
}

/// An API key, with the SHA-256 of its secret in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub id: KeyId,
    pub role: Role,
    pub tenant: Option<TenantId>,
    pub livemode: bool,
    pub investor_id: Option<String>,
    pub name: Option<String>,
    pub secret_sha256: String,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The row: rises in the order of the commits.
    pub position: i64,
    pub id: EventId,
    pub tenant: TenantId,
    pub livemode: bool,
    pub name: String,
    pub created_at: Timestamp,
    pub body: Bytes,
}

/// A delivery as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDelivery {
    pub id: DeliveryId,
    pub event: EventId,
    pub event_name: String,
    pub tenant: TenantId,
    pub webhook: WebhookId,
    pub livemode: bool,
    pub sequence: i64,
    pub ordering_key: Option<String>,
    pub progress: Progress,
    /// If it is queued: the one of its line that is under way.
    pub blocked_by: Option<DeliveryId>,
    pub created_at: Timestamp,
}

/// An attempt as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAttempt {
    pub number: u32,
    pub attempt: NewAttempt,
}

/// Which events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFilter {
    pub tenant: TenantId,
    pub livemode: bool,
    pub name: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// Which deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Of this webhook, newest first.
    pub webhook: Option<WebhookId>,
    /// Of this event, oldest first. If it is given, `webhook` is not looked at.
    pub event: Option<EventId>,
    pub status: Option<DeliveryStatus>,
    pub event_name: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// How many bytes of events a page may have. One event is read beyond it, so that whoever asked
/// sees that there are more.
pub const PAGE_BYTES: usize = 1 << 20;

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    pub limit: u32,
    pub offset: u32,
    /// The item before the first one wanted; one that does not exist makes the page empty.
    pub after: Option<Cursor>,
}

/// An item of a list, to page from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// The position of an event, which may be gone.
    Position(i64),
    Event(EventId),
    Delivery(DeliveryId),
}

/// From when on things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// What was delivered before then, and events accepted before then, may be forgotten.
    pub finished_before: Timestamp,
    /// What was parked before then may.
    pub parked_before: Timestamp,
}

/// What `forget` deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    pub events: usize,
    pub deliveries: usize,
    /// Where to go on; none: the rest is younger.
    pub next: Option<i64>,
}

/// How the store is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Health {
    /// Rows of the outbox that nobody could accept.
    pub outbox_rejected: i64,
}

impl NewEvent {
    /// Whether an event stored earlier says the same: its name, its investor and its data, whatever
    /// its id and its time.
    pub fn says_the_same(&self, name: &str, body: &[u8]) -> bool {
        self.name == name && said(&self.body) == said(body)
    }

    /// An event without anything particular.
    #[cfg(test)]
    pub fn sample(tenant: TenantId, seed: u128, now: Timestamp) -> Self {
        Self {
            id: EventId::new(now, seed),
            tenant,
            livemode: false,
            name: "order.filled".into(),
            ordering_key: None,
            idempotency_key: None,
            body: "{}".into(),
            audience: Audience::Subscribers,
            seed,
        }
    }
}

/// The part of a body behind what we put there ourselves. Nothing before it comes from outside
/// but the event's name, which is one of the catalogue's.
fn said(body: &[u8]) -> Option<&[u8]> {
    const FROM: &[u8] = b",\"investor_id\":";
    body.windows(FROM.len()).position(|window| window == FROM).map(|start| &body[start..])
}
