//! Every SQL statement of the SQLite store, by name.
//!
//! Statements on the hot path work on a whole batch: the rows come as one JSON array of arrays
//! through `jsonb_each`, so their number does not change the text and each is prepared once. Bodies
//! come beside it as one blob, cut by offset and length, so that no body is ever escaped. A value
//! is `'$[3]'` and not `3` of its row: SQLite would write the one out as the other, each time.

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

/// Deliveries to be claimed, for `row::all_claimable`. All come in one row, because rows are handed
/// from thread to thread one by one: their columns, how long their bodies are, and the bodies, one
/// behind the other.
macro_rules! claimable {
    ($from:literal) => {
        concat!(
            "
SELECT
    json_group_array(json_array(
        position, id, webhook, sequence, ordering_key, state, due_at, finished_at, reason, claim,
        lost_claims, attempts, failures, event_id
    )),
    json_group_array(length(body)),
    CAST(group_concat(body, '') AS BLOB)
FROM (",
            delivery!("event.body"),
            $from,
            ") AS claimable"
        )
    };
}

/// A delivery to be shown, for `row::stored_delivery`.
macro_rules! delivery_with_event {
    () => {
        delivery!(
            "delivery.created_at, event.name, event.tenant_id, event.livemode,
    iif(delivery.state <> 'queued', NULL, (
        SELECT ahead.id FROM deliveries AS ahead
        WHERE ahead.webhook = delivery.webhook AND ahead.ordering_key = delivery.ordering_key
            AND ahead.due_at IS NOT NULL
    )) AS blocked_by"
        )
    };
}

/// The highest row of each table whose rows are never numbered twice.
macro_rules! highest_rows {
    () => {
        "(
    SELECT 'events' AS name, (SELECT max(position) FROM events) AS highest
    UNION ALL
    SELECT 'deliveries', (SELECT max(position) FROM deliveries)
    UNION ALL
    SELECT 'webhooks', (SELECT max(number) FROM webhooks)
) AS tables"
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
        "event IN (SELECT row.value FROM jsonb_each(?1) AS row) AND finished_at IS NOT NULL
    AND finished_at < iif(state = 'parked', ?3, ?2)"
    };
}

mod audit;
mod queue;
mod read;
mod repair;
mod settings;

pub(super) use audit::*;
pub(super) use queue::*;
pub(super) use read::*;
pub(super) use repair::*;
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
    ("BEGUN_QUEUED", BEGUN_QUEUED),
    ("ADVANCE_SEQUENCES", ADVANCE_SEQUENCES),
    ("PUBLISHED_WITH", PUBLISHED_WITH),
    ("LANES", LANES),
    ("DUE_OF_LANES", DUE_OF_LANES),
    ("QUEUED_OF_WEBHOOK", QUEUED_OF_WEBHOOK),
    ("TO_PARK_OF_WEBHOOK", TO_PARK_OF_WEBHOOK),
    ("BACKLOG", BACKLOG),
    ("MISSED", MISSED),
    ("GAP", GAP),
    ("SET_PROGRESS", SET_PROGRESS),
    ("SET_CLAIMED", SET_CLAIMED),
    ("SET_DELIVERED", SET_DELIVERED),
    ("APPLICABLE", APPLICABLE),
    ("SET_FAILING", SET_FAILING),
    ("INSERT_ATTEMPTS", INSERT_ATTEMPTS),
    ("PROMOTE", PROMOTE),
    ("PROMOTED", PROMOTED),
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

/// Those of the audit and its repair, which read everything once.
pub const AUDIT: &[(&str, &str)] = &[
    ("SCHEMA", SCHEMA),
    ("BOOKS", BOOKS),
    ("OUTBOX_COUNTS", OUTBOX_COUNTS),
    ("UNSOUND", UNSOUND),
    ("MISSING_REFERENCES", MISSING_REFERENCES),
    ("ROW_NUMBERS", ROW_NUMBERS),
    ("KEYS_LIKE_NONE", KEYS_LIKE_NONE),
    ("HOLES", HOLES),
    ("REPEATED_SEQUENCES", REPEATED_SEQUENCES),
    ("LAST_SEQUENCES", LAST_SEQUENCES),
    ("WEBHOOK_SETTINGS", WEBHOOK_SETTINGS),
    ("ACCEPTED_UNPARKED", ACCEPTED_UNPARKED),
    ("STATES", STATES),
    ("COUNTERS", COUNTERS),
    ("QUEUED_BEHIND_NOBODY", QUEUED_BEHIND_NOBODY),
    ("TWO_UNDER_WAY", TWO_UNDER_WAY),
    ("OVERTAKEN", OVERTAKEN),
    ("LONG_LEASES", LONG_LEASES),
    ("LATE_DUES", LATE_DUES),
    ("CROSSED", CROSSED),
    ("UNCOUNTED_ATTEMPTS", UNCOUNTED_ATTEMPTS),
    ("UNANSWERED", UNANSWERED),
    ("ATTEMPTS_LIKE_NONE", ATTEMPTS_LIKE_NONE),
    ("BODIES", BODIES),
    ("REPLAYS_LIKE_NONE", REPLAYS_LIKE_NONE),
    ("REPLAYS_OF_STOPPED", REPLAYS_OF_STOPPED),
    ("TWO_RELEASES", TWO_RELEASES),
    ("ANSWERS_LIKE_NONE", ANSWERS_LIKE_NONE),
    ("DROP_DUE", DROP_DUE),
    ("NEVER_DUE", NEVER_DUE),
    ("BACK_IN_LINE", BACK_IN_LINE),
    ("END_LEASES", END_LEASES),
    ("DUE_NOW", DUE_NOW),
    ("RELEASE_QUEUED", RELEASE_QUEUED),
    ("RAISE_LAST_SEQUENCE", RAISE_LAST_SEQUENCE),
    ("ADD_ROW_NUMBERS", ADD_ROW_NUMBERS),
    ("RAISE_ROW_NUMBERS", RAISE_ROW_NUMBERS),
    ("CANCEL_REPLAYS", CANCEL_REPLAYS),
    ("CANCEL_RELEASES", CANCEL_RELEASES),
];
