//! A delivery that was parked: an event about the delivery system itself.

use serde::{Deserialize, Serialize};

use crate::id::{DeliveryId, EventId, WebhookId};
use crate::open_enum::open_enum;
use crate::time::Timestamp;

open_enum! {
    /// Where a delivery stands.
    DeliveryStatus {
        /// Waits behind an earlier one about the same object.
        Queued = "queued",
        /// Waits for its time.
        Waiting = "waiting",
        /// An attempt is under way.
        Leased = "leased",
        /// The receiver took it.
        Delivered = "delivered",
        /// Given up for now; kept, and can be replayed.
        Parked = "parked",
    }
}

open_enum! {
    /// Why a delivery was parked.
    ParkedReason {
        /// The last attempt of the schedule failed.
        Exhausted = "exhausted",
        /// The receiver answered 410.
        Gone = "gone",
        /// Its webhook is inactive or disabled.
        Disabled = "disabled",
        /// Its webhook was deleted.
        Deleted = "deleted",
        /// Workers died of it, again and again.
        CrashesWorker = "crashes_worker",
        /// A listener went on from a later one.
        Skipped = "skipped",
        /// A listener was away for too long, or too much came meanwhile.
        Expired = "expired",
    }
}

/// A delivery as it stood when the event happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Delivery {
    /// The delivery.
    pub id: DeliveryId,
    /// `delivery`.
    pub object: Option<String>,
    /// Unix seconds.
    pub created: Option<i64>,
    /// False in the sandbox.
    pub livemode: Option<bool>,
    /// The event that did not arrive.
    pub event_id: Option<EventId>,
    /// Its type.
    pub event: Option<String>,
    /// Where it did not arrive.
    pub webhook_id: Option<WebhookId>,
    /// Its number in the `webhook-sequence` of that webhook.
    pub sequence: Option<u64>,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// Why it was parked.
    pub reason: Option<ParkedReason>,
    /// What it was kept in order by.
    pub ordering_key: Option<String>,
    /// How many requests were made.
    pub attempt_count: Option<u32>,
    /// How many of them failed by the receiver's fault.
    pub failures: Option<u32>,
    /// When it was given up.
    pub finished_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;

    #[test]
    fn every_word_of_the_api_is_known() {
        for status in api::DeliveryStatus::ALL {
            let word = serde_json::to_string(&status).unwrap();
            let read: DeliveryStatus = serde_json::from_str(&word).unwrap();
            assert!(!matches!(read, DeliveryStatus::Other(_)), "{word}");
        }
    }
}
