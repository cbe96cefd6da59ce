//! Every SQL statement of the SQLite store, by name.
//!
//! Statements on the hot path work on a whole batch: the rows come as one JSON array of arrays
//! through `json_each`, so their number does not change the text and each is prepared once. Bodies
//! come beside it as one blob, cut by offset and length, so that no body is ever escaped.

/// The columns of a delivery that `row::progress` and its callers read.
macro_rules! delivery {
    ($more:literal) => {
        concat!(
            "
SELECT
    delivery.position, delivery.id, delivery.webhook, delivery.sequence, delivery.ordering_key,
    delivery.state, delivery.due_at, delivery.finished_at, delivery.reason, delivery.claim,
    delivery.lost_claims, delivery.attempts, delivery.failures, event.id AS event_id,
    ",
            $more
        )
    };
}

/// A delivery to be claimed, for `row::claimable`.
macro_rules! delivery_with_body {
    () => {
        delivery!("event.body")
    };
}

/// A delivery to be shown, for `row::stored_delivery`.
macro_rules! delivery_with_event {
    () => {
        delivery!("delivery.created_at, event.name, event.tenant_id, event.livemode")
    };
}

/// A delivery about to change its state, for `row::standing`.
macro_rules! standing {
    () => {
        "
SELECT
    delivery.position, delivery.webhook, delivery.sequence, delivery.ordering_key, delivery.state,
    delivery.due_at, delivery.finished_at, delivery.reason, delivery.claim, delivery.lost_claims,
    delivery.attempts, delivery.failures"
    };
}

/// Deliveries of a webhook from one sequence number to another, for `replay::select`.
macro_rules! to_replay {
    ($index:literal, $state:literal) => {
        concat!(
            "
FROM deliveries AS delivery ",
            $index,
            "
JOIN events AS event ON event.position = delivery.event
WHERE delivery.webhook = ?1 AND delivery.state = '",
            $state,
            "' AND delivery.sequence > ?2 AND delivery.sequence <= ?3
    AND (?4 IS NULL OR delivery.reason = ?4)
    AND (?5 IS NULL OR event.name = ?5)
    AND (?6 IS NULL OR delivery.created_at >= ?6)
    AND (?7 IS NULL OR delivery.created_at < ?7)"
        )
    };
}

macro_rules! parked_to_replay {
    () => {
        to_replay!("INDEXED BY deliveries_parked", "parked")
    };
}

macro_rules! delivered_to_replay {
    () => {
        to_replay!("", "delivered")
    };
}

/// Of the events given, the deliveries that are old enough to be deleted.
macro_rules! old_deliveries {
    () => {
        "event IN (SELECT row.value FROM json_each(?1) AS row) AND finished_at IS NOT NULL
    AND finished_at < iif(state = 'parked', ?3, ?2)"
    };
}

mod queue;
mod read;
mod settings;

pub(super) use queue::*;
pub(super) use read::*;
pub(super) use settings::*;

/// All statements with their names, for the test that prepares and explains each.
pub const ALL: &[(&str, &str)] = &[
    ("KEEP_ANSWERS", KEEP_ANSWERS),
    ("FORGET_ANSWERS", FORGET_ANSWERS),
    ("ANSWER", ANSWER),
    ("SEALED_ANSWERS", SEALED_ANSWERS),
    ("SET_SEALED_ANSWER", SET_SEALED_ANSWER),
    ("BUSY_LINES", BUSY_LINES),
    ("INSERT_EVENTS", INSERT_EVENTS),
    ("INSERT_DELIVERIES", INSERT_DELIVERIES),
    ("ADVANCE_SEQUENCES", ADVANCE_SEQUENCES),
    ("PUBLISHED_WITH", PUBLISHED_WITH),
    ("LANES", LANES),
    ("DUE_OF_WEBHOOK", DUE_OF_WEBHOOK),
    ("QUEUED_OF_WEBHOOK", QUEUED_OF_WEBHOOK),
    ("TO_PARK_OF_WEBHOOK", TO_PARK_OF_WEBHOOK),
    ("SET_PROGRESS", SET_PROGRESS),
    ("INSERT_ATTEMPTS", INSERT_ATTEMPTS),
    ("SUCCESSORS", SUCCESSORS),
    ("ABANDONED", ABANDONED),
    ("STANDINGS", STANDINGS),
    ("FORGET_REPLAYS", FORGET_REPLAYS),
    ("REPLAYS", REPLAYS),
    ("PUT_REPLAY", PUT_REPLAY),
    ("LAST_SEQUENCE", LAST_SEQUENCE),
    ("PARKED_TO_REPLAY", PARKED_TO_REPLAY),
    ("DELIVERED_TO_REPLAY", DELIVERED_TO_REPLAY),
    ("COUNT_PARKED_TO_REPLAY", COUNT_PARKED_TO_REPLAY),
    ("COUNT_DELIVERED_TO_REPLAY", COUNT_DELIVERED_TO_REPLAY),
    ("FORGETTABLE", FORGETTABLE),
    ("FORGET_ATTEMPTS", FORGET_ATTEMPTS),
    ("FORGET_DELIVERIES", FORGET_DELIVERIES),
    ("FORGET_EVENTS", FORGET_EVENTS),
    ("COUNT_FORGOTTEN", COUNT_FORGOTTEN),
    ("OUTBOX_WAITING", OUTBOX_WAITING),
    ("OUTBOX_ROWS", OUTBOX_ROWS),
    ("OUTBOX_REJECT", OUTBOX_REJECT),
    ("OUTBOX_DELETE", OUTBOX_DELETE),
    ("OUTBOX_REJECTED", OUTBOX_REJECTED),
    ("EVENT", EVENT),
    ("EVENTS", EVENTS),
    ("DELIVERY", DELIVERY),
    ("DELIVERIES_OF_WEBHOOK", DELIVERIES_OF_WEBHOOK),
    ("PARKED_OF_WEBHOOK", PARKED_OF_WEBHOOK),
    ("DELIVERIES_OF_EVENT", DELIVERIES_OF_EVENT),
    ("ATTEMPTS", ATTEMPTS),
    ("LAST_POSITION", LAST_POSITION),
    ("TENANTS", TENANTS),
    ("INSERT_TENANT", INSERT_TENANT),
    ("KEYS", KEYS),
    ("INSERT_KEY", INSERT_KEY),
    ("REVOKE_KEY", REVOKE_KEY),
    ("WEBHOOKS", WEBHOOKS),
    ("INSERT_WEBHOOK", INSERT_WEBHOOK),
    ("UPDATE_WEBHOOK", UPDATE_WEBHOOK),
    ("PROBE", PROBE),
    ("SEALING_KEYS", SEALING_KEYS),
    ("SEALED", SEALED),
    ("SET_SEALED", SET_SEALED),
];
