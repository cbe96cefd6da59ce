//! Listeners: webhooks that a developer's terminal takes instead of a URL.

use serde::{Deserialize, Serialize};

use crate::id::{DeliveryId, WebhookId};
use crate::time::Timestamp;

/// The answer of `PUT /v1/listeners/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Listener {
    /// Always `listener`.
    pub object: String,
    /// Its name; the same name has the same secret and the same place in the stream.
    pub name: String,
    /// The webhook that it is.
    pub webhook_id: WebhookId,
    /// Production (`true`) or sandbox.
    pub livemode: bool,
    /// What its deliveries are signed with, `whsec_…`.
    pub secret: String,
    /// Whether this request made it.
    pub created: bool,
    /// The sequence number given last.
    pub cursor: i64,
    /// Deliveries that are owed now.
    pub waiting: u64,
    /// When the oldest of them was accepted.
    pub oldest: Option<Timestamp>,
    /// What it subscribes to: names, `order.*`, `*`.
    pub event_type_names: Vec<String>,
    /// Who listens now.
    pub holder: Option<Holder>,
}

/// Who holds a listener's stream open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Holder {
    /// What the process calls itself, at random.
    pub instance: String,
    /// Its machine.
    pub machine: String,
    /// Its number there.
    pub pid: u32,
    /// Since when.
    pub since: Timestamp,
}

/// The answer of `POST /v1/listeners/{name}/seek`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sought {
    /// Deliveries that were owed and are not any more. They are parked, and can be replayed.
    pub skipped: u64,
    /// Deliveries that are owed again, or will be in a moment.
    pub owed: u64,
    /// The sequence number given last.
    pub cursor: i64,
}

/// The answer of `POST /v1/listeners/{name}/results`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResultsTaken {
    /// How many were taken.
    pub accepted: u64,
    /// Deliveries that are not under way, or not with this attempt; they will be offered again.
    pub unknown: Vec<DeliveryId>,
}
