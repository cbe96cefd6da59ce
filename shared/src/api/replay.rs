//! Replays: deliveries owed again.

use serde::{Deserialize, Serialize};

use super::DeliveryStatus;
use crate::id::{ReplayId, WebhookId};
use crate::time::Timestamp;

/// Where a replay stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ReplayStatus {
    /// It goes on.
    Running,
    /// It has come to its end.
    Finished,
    /// Ended before its time; what was replayed by then stays so.
    Canceled,
}

/// Deliveries of a webhook owed again, in the order of their sequence numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Replay {
    /// Its id; a dry run has none, because it is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub id: Option<ReplayId>,
    /// Always `replay`.
    pub object: String,
    /// When it was asked for, Unix seconds.
    pub created: i64,
    /// Production (`true`) or sandbox.
    pub livemode: bool,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// Where it stands.
    pub status: ReplayStatus,
    /// Which deliveries: `parked` or `delivered`.
    pub delivery_status: DeliveryStatus,
    /// Which of the parked ones; `null`: all.
    pub reason: Option<String>,
    /// Of which event type; `null`: all.
    pub event: Option<String>,
    /// Accepted from then on.
    pub since: Option<Timestamp>,
    /// Accepted before then.
    pub until: Option<Timestamp>,
    /// Whether it was begun by setting the webhook active, for what was parked meanwhile.
    pub release: bool,
    /// Whether it only counts.
    pub dry_run: bool,
    /// How many deliveries there were when it was asked for.
    pub total: u64,
    /// How many it has replayed so far.
    pub replayed: u64,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}
