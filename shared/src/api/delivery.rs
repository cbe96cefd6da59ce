//! Deliveries and their attempts.

use serde::{Deserialize, Serialize};

use crate::id::{AttemptId, DeliveryId, EventId, WebhookId};
use crate::time::Timestamp;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// Behind an earlier one about the same object.
    Queued,
    /// For its time, `next_attempt_at`.
    Waiting,
    /// In somebody's hands right now.
    Leased,
    /// Answered with 2xx.
    Delivered,
    /// Given up for now, kept, replayable; `reason` says why.
    Parked,
}

impl DeliveryStatus {
    /// All of them, in the order of a delivery's life.
    pub const ALL: [Self; 5] =
        [Self::Queued, Self::Waiting, Self::Leased, Self::Delivered, Self::Parked];

    /// As the wire and the database have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Waiting => "waiting",
            Self::Leased => "leased",
            Self::Delivered => "delivered",
            Self::Parked => "parked",
        }
    }
}

/// One event owed to one webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Always `delivery`.
    pub object: String,
    /// When it was accepted, Unix seconds.
    pub created: i64,
    /// Production (`true`) or sandbox.
    pub livemode: bool,
    /// The event.
    pub event_id: EventId,
    /// The event's type.
    pub event: String,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// The webhook's gap-free number of this delivery: 1, 2, 3 …
    pub sequence: i64,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// Why it is parked.
    pub reason: Option<String>,
    /// What it waits in line by.
    pub ordering_key: Option<String>,
    /// Requests made so far.
    pub attempt_count: u32,
    /// Of these, failures that count towards giving up.
    pub failures: u32,
    /// When it is tried next, if it waits.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was delivered or parked.
    pub finished_at: Option<Timestamp>,
    /// If it is queued: the delivery under way that is ahead of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub blocked_by: Option<DeliveryId>,
    /// If an attempt is under way: when another one may begin, should this one be lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub lease_until: Option<Timestamp>,
    /// Seconds between its attempts, the webhook's or the daemon's: only when one delivery is
    /// asked for, and not if its webhook was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub retry_schedule: Option<Vec<u32>>,
    /// Every request made, first to last: only when one delivery is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub attempts: Option<Vec<Attempt>>,
}

/// One HTTP request made for a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// Always `attempt`.
    pub object: String,
    /// 1, 2, 3 …
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, to the end of the answer or of the patience.
    pub duration_ms: u64,
    /// The HTTP status answered; `null` if none came.
    pub status: Option<u16>,
    /// What came of it.
    pub outcome: AttemptOutcome,
    /// Why it failed, in words; `null` on success.
    pub error: Option<String>,
    /// The beginning of the answer's body, if it was text.
    pub response_body: Option<String>,
}

/// What came of an attempt. All but `delivered` and `our_fault` use up a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AttemptOutcome {
    /// Answered with 2xx.
    Delivered,
    /// Answered with 3xx, which is not followed.
    Redirect,
    /// Answered with 4xx other than 410 and 429.
    ClientError,
    /// Answered with 410: nobody wants deliveries there any more.
    Gone,
    /// Answered with 429: too many at once.
    Throttled,
    /// Answered with 5xx.
    ServerError,
    /// Answered with a status that HTTP gives no meaning to, or none as a last word.
    OtherStatus,
    /// No complete answer in time.
    Timeout,
    /// The host name has no address.
    Dns,
    /// No connection.
    Connect,
    /// No secure connection: a wrong certificate, or no TLS at all.
    Tls,
    /// What came was not HTTP, or broke off.
    Protocol,
    /// The URL leads to where deliveries may not go.
    Blocked,
    /// Something of ours failed before the receiver could. Not counted, and tried again soon.
    OurFault,
}

impl AttemptOutcome {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Delivered,
        Self::Redirect,
        Self::ClientError,
        Self::Gone,
        Self::Throttled,
        Self::ServerError,
        Self::OtherStatus,
        Self::Timeout,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Protocol,
        Self::Blocked,
        Self::OurFault,
    ];

    /// As the wire and the database have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Redirect => "redirect",
            Self::ClientError => "client_error",
            Self::Gone => "gone",
            Self::Throttled => "throttled",
            Self::ServerError => "server_error",
            Self::OtherStatus => "other_status",
            Self::Timeout => "timeout",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::Blocked => "blocked",
            Self::OurFault => "our_fault",
        }
    }

    /// Whether the receiver failed.
    pub const fn is_failure(self) -> bool {
        !matches!(self, Self::Delivered | Self::OurFault)
    }

    /// The class of an HTTP status that was the last word.
    pub const fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Delivered,
            300..=399 => Self::Redirect,
            410 => Self::Gone,
            429 => Self::Throttled,
            400..=499 => Self::ClientError,
            500..=599 => Self::ServerError,
            _ => Self::OtherStatus,
        }
    }
}
