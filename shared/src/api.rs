//! What the API takes and gives: one definition for the daemon, its command line and its tests.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::id::{KeyId, TenantId, WebhookId};
use crate::time::Timestamp;

mod delivery;
mod listener;
mod replay;

pub use delivery::{Attempt, AttemptOutcome, Delivery, DeliveryStatus};
pub use listener::{Holder, Listener, ResultsTaken, Sought};
pub use replay::{Replay, ReplayStatus};

/// Most items on one page, and how many there are if `limit` is not given.
pub const MAX_LIMIT: u32 = 200;
/// How many items a page has if `limit` is not given.
pub const DEFAULT_LIMIT: u32 = 50;
/// Most events in one batch, unless the daemon is set otherwise.
pub const MAX_BATCH: usize = 1_000;

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct List<T> {
    /// Always `list`.
    pub object: String,
    /// The path that was asked.
    pub url: String,
    /// Whether there is more after the last one here.
    pub has_more: bool,
    /// The items.
    pub data: Vec<T>,
}

/// What a publisher sends to `POST /v1/events`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishEvent {
    /// The event type's name; goes over the wire verbatim.
    pub event: String,
    /// The resource at this moment: a JSON object, kept byte for byte.
    pub data: Box<RawValue>,
    /// Whom it is for. A tenant's own key implies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The investor concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub investor_id: Option<String>,
    /// Events with the same key reach a webhook one after the other; `data.id` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering_key: Option<String>,
    /// When it happened, RFC 3339; the moment of acceptance if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
}

/// Whether a webhook takes deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum WebhookStatus {
    /// It does.
    Active,
    /// The partner paused it: what arrives is parked.
    Inactive,
    /// We stopped it, `status_reason` says why: what arrives is parked.
    Disabled,
}

/// Whether events about the same object wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Ordering {
    /// One after the other, in the order accepted.
    #[default]
    Object,
    /// As fast as they go.
    None,
}

/// Headers that a partner wants on its deliveries. Their values are often credentials: `Debug`
/// shows the names alone.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct CustomHeaders(pub BTreeMap<String, String>);

impl fmt::Debug for CustomHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A registered URL with its subscriptions and settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Always `webhook`.
    pub object: String,
    /// When it was created, Unix seconds.
    pub created: i64,
    /// Production (`true`) or sandbox.
    pub livemode: bool,
    /// The partner's own notes.
    pub metadata: BTreeMap<String, String>,
    /// Whose it is.
    pub tenant: TenantId,
    /// A name for people.
    pub name: Option<String>,
    /// More words for people.
    pub description: Option<String>,
    /// Where deliveries go.
    pub url: String,
    /// What it subscribes to: names, `order.*`, `*`.
    pub event_type_names: Vec<String>,
    /// Whether it takes deliveries.
    pub status: WebhookStatus,
    /// Why it is disabled.
    pub status_reason: Option<String>,
    /// Whether events about the same object wait for each other.
    pub ordering: Ordering,
    /// How long one attempt may take, in all.
    pub timeout_seconds: u32,
    /// Seconds between attempts; `null`: the daemon's schedule.
    pub retry_schedule: Option<Vec<u32>>,
    /// Most requests at the same time.
    pub max_in_flight: u32,
    /// Headers added to each delivery.
    pub headers: CustomHeaders,
    /// What deliveries can be verified with beside the secret, `whpk_…`, newest first: none unless
    /// `ed25519` was asked for.
    pub public_keys: Vec<String>,
    /// Every attempt since then has failed; `null`: the last one was delivered, or there was none.
    pub failing_since: Option<Timestamp>,
    /// Nothing is sent until then, because nothing was answered in time; what is owed waits.
    pub paused_until: Option<Timestamp>,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The signing secret, `whsec_…`: only in the answer that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub secret: Option<String>,
}

/// The answer to a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Deleted {
    /// What was deleted.
    pub id: String,
    /// Its kind.
    pub object: String,
    /// Always `true`.
    pub deleted: bool,
}

/// An entry of the catalogue of event types.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventTypeEntry {
    /// Always `event_type`.
    pub object: String,
    /// Its name, as published and subscribed to.
    pub name: String,
    /// What it is about.
    pub category: String,
    /// What has happened.
    pub description: String,
    /// The version of its payload.
    pub version: String,
    /// Other names for the same; a subscription to one gets all.
    pub aliases: Vec<String>,
    /// A whole event, as delivered.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::event::Event))]
    pub example: Box<RawValue>,
}

/// A partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Always `tenant`.
    pub object: String,
    /// When it was created, Unix seconds.
    pub created: i64,
    /// The operator's notes.
    pub metadata: BTreeMap<String, String>,
    /// A name for people.
    pub name: String,
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Publishes for any tenant, manages tenants and keys.
    Operator,
    /// Its own webhooks, events and deliveries.
    Tenant,
    /// One investor's; nothing here is for it.
    Investor,
}

impl Role {
    /// As the wire and the database have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Tenant => "tenant",
            Self::Investor => "investor",
        }
    }
}

/// Whether a key opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum KeyStatus {
    /// It does.
    Active,
    /// Never again.
    Revoked,
}

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKey {
    /// Its id: the user name of HTTP Basic.
    pub id: KeyId,
    /// Always `api_key`.
    pub object: String,
    /// When it was created, Unix seconds.
    pub created: i64,
    /// Production (`true`) or sandbox; what it makes is of the same mode.
    pub livemode: bool,
    /// A name for people.
    pub name: Option<String>,
    /// What it may do.
    pub role: Role,
    /// Whose it is; `null` for an operator's.
    pub tenant: Option<TenantId>,
    /// Whose it is, for an investor's.
    pub investor_id: Option<String>,
    /// Whether it opens anything.
    pub status: KeyStatus,
    /// The id again, under the name `init` prints: only in the answer that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub api_key: Option<KeyId>,
    /// The secret: only in the answer that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub api_secret: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_headers_shows_names_alone() {
        let headers = CustomHeaders([("authorization".into(), "Bearer abc".into())].into());
        assert_eq!(format!("{headers:?}"), r#"{"authorization"}"#);
    }
}
