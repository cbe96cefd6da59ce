//! A webhook that was disabled or enabled: an event about the delivery system itself.

use serde::{Deserialize, Serialize};

use super::RawJson;
use crate::id::WebhookId;
use crate::open_enum::open_enum;
use crate::time::Timestamp;

open_enum! {
    /// Whether a webhook is delivered to.
    WebhookStatus {
        /// It is.
        Active = "active",
        /// Paused by the partner; what arrives is parked.
        Inactive = "inactive",
        /// Stopped by the dispatcher; what arrives is parked.
        Disabled = "disabled",
    }
}

open_enum! {
    /// Why the dispatcher stopped delivering.
    DisabledReason {
        /// The receiver answered 410.
        Gone = "gone",
        /// Every attempt failed for days.
        Failing = "failing",
    }
}

/// A webhook as it stood when the event happened. Without its secret, always.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Webhook {
    /// The webhook.
    pub id: WebhookId,
    /// `webhook`.
    pub object: Option<String>,
    /// Unix seconds.
    pub created: Option<i64>,
    /// False in the sandbox.
    pub livemode: Option<bool>,
    /// What the partner attached.
    pub metadata: Option<RawJson>,
    /// What the partner calls it.
    pub name: Option<String>,
    /// Where it delivers to.
    pub url: Option<String>,
    /// What it is subscribed to.
    pub event_type_names: Option<Vec<String>>,
    /// Whether it is delivered to.
    pub status: WebhookStatus,
    /// Why not.
    pub status_reason: Option<DisabledReason>,
    /// When that changed.
    pub updated_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;

    #[test]
    fn every_word_of_the_api_is_known() {
        for status in
            [api::WebhookStatus::Active, api::WebhookStatus::Inactive, api::WebhookStatus::Disabled]
        {
            let word = serde_json::to_string(&status).unwrap();
            let read: WebhookStatus = serde_json::from_str(&word).unwrap();
            assert!(!matches!(read, WebhookStatus::Other(_)), "{word}");
        }
    }
}
