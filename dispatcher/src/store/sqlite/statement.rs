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

/// All statements with their names, for the test that prepares and explains each.
pub const ALL: &[(&str, &str)] = &[
    ("KEEP_ANSWERS", KEEP_ANSWERS),
    ("FORGET_ANSWERS", FORGET_ANSWERS),
    ("ANSWER", ANSWER),
    ("BUSY_LINES", BUSY_LINES),
    ("INSERT_EVENTS", INSERT_EVENTS),
    ("INSERT_DELIVERIES", INSERT_DELIVERIES),
    ("ADVANCE_SEQUENCES", ADVANCE_SEQUENCES),
    ("PUBLISHED_WITH", PUBLISHED_WITH),
    ("LANES", LANES),
    ("DUE_OF_WEBHOOK", DUE_OF_WEBHOOK),
    ("SET_PROGRESS", SET_PROGRESS),
    ("INSERT_ATTEMPTS", INSERT_ATTEMPTS),
    ("SUCCESSORS", SUCCESSORS),
    ("ABANDONED", ABANDONED),
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
    ("SEALING_KEYS", SEALING_KEYS),
    ("SEALED", SEALED),
    ("SET_SEALED", SET_SEALED),
];

// Idempotency

/// Keeps answers under keys that are free, or whose answer is older than `?3`.
pub(super) const KEEP_ANSWERS: &str = "
INSERT INTO answers (key_id, idempotency_key, request_sha256, status, body, created_at)
SELECT
    row.value ->> 0, row.value ->> 1, row.value ->> 2, row.value ->> 3,
    substr(?2, row.value ->> 4, row.value ->> 5), ?4
FROM json_each(?1) AS row
WHERE true
ON CONFLICT (key_id, idempotency_key) DO UPDATE SET
    request_sha256 = excluded.request_sha256, status = excluded.status, body = excluded.body,
    created_at = excluded.created_at
WHERE answers.created_at <= ?3";

/// A few of those that have expired, the oldest first.
pub(super) const FORGET_ANSWERS: &str = "
DELETE FROM answers
WHERE (key_id, idempotency_key) IN (
    SELECT key_id, idempotency_key FROM answers
    WHERE created_at <= ?1 ORDER BY created_at LIMIT 100
)";

pub(super) const ANSWER: &str = "
SELECT request_sha256, status, body FROM answers
WHERE key_id = ?1 AND idempotency_key = ?2 AND created_at > ?3";

// Accepting

/// Of the given (webhook, key) pairs, those with a delivery under way.
pub(super) const BUSY_LINES: &str = "
SELECT line.value ->> 0, line.value ->> 1
FROM json_each(?1) AS line
WHERE EXISTS (
    SELECT 1 FROM deliveries
    WHERE webhook = line.value ->> 0 AND ordering_key = line.value ->> 1 AND due_at IS NOT NULL
)";

pub(super) const INSERT_EVENTS: &str = "
INSERT INTO events (position, id, tenant_id, livemode, name, idempotency_key, created_at, body)
SELECT
    row.value ->> 0, row.value ->> 1, row.value ->> 2, row.value ->> 3, row.value ->> 4,
    row.value ->> 5, ?3, substr(?2, row.value ->> 6, row.value ->> 7)
FROM json_each(?1) AS row";

pub(super) const INSERT_DELIVERIES: &str = "
INSERT INTO deliveries (
    position, id, event, webhook, sequence, ordering_key, state, due_at, finished_at, reason, claim,
    lost_claims, attempts, failures, created_at
)
SELECT
    row.value ->> 0, row.value ->> 1, row.value ->> 2, row.value ->> 3, row.value ->> 4,
    row.value ->> 5, row.value ->> 6, row.value ->> 7, row.value ->> 8, row.value ->> 9,
    row.value ->> 10, 0, 0, 0, ?2
FROM json_each(?1) AS row";

pub(super) const ADVANCE_SEQUENCES: &str = "
UPDATE webhooks SET last_sequence = row.value ->> 1
FROM json_each(?1) AS row
WHERE webhooks.number = row.value ->> 0";

pub(super) const PUBLISHED_WITH: &str = "
SELECT name, body FROM events
WHERE tenant_id = ?1 AND livemode = ?2 AND idempotency_key = ?3";

// Claiming

/// Each webhook with something that is due or will be: whether it is, and when more will be. A few
/// index seeks per webhook, however many deliveries it has.
pub(super) const LANES: &str = "
WITH RECURSIVE lanes (webhook) AS (
    SELECT min(webhook) FROM deliveries WHERE due_at IS NOT NULL
    UNION ALL
    SELECT (
        SELECT min(next.webhook) FROM deliveries AS next
        WHERE next.due_at IS NOT NULL AND next.webhook > lanes.webhook
    )
    FROM lanes WHERE lanes.webhook IS NOT NULL
)
SELECT
    lanes.webhook,
    EXISTS (
        SELECT 1 FROM deliveries AS due WHERE due.webhook = lanes.webhook AND due.due_at <= ?1
    ),
    (
        SELECT min(later.due_at) FROM deliveries AS later
        WHERE later.webhook = lanes.webhook AND later.due_at > ?1
    )
FROM lanes WHERE lanes.webhook IS NOT NULL";

pub(super) const DUE_OF_WEBHOOK: &str = concat!(
    delivery_with_body!(),
    "
FROM deliveries AS delivery
JOIN events AS event ON event.position = delivery.event
WHERE delivery.webhook = ?1 AND delivery.due_at <= ?2
ORDER BY delivery.due_at, delivery.position
LIMIT ?3"
);

// Every change of state

/// Sets what `step` decided, where the delivery is still as `step` saw it.
pub(super) const SET_PROGRESS: &str = "
UPDATE deliveries SET
    state = row.value ->> 3, due_at = row.value ->> 4, finished_at = row.value ->> 5,
    reason = row.value ->> 6, claim = row.value ->> 7, lost_claims = row.value ->> 8,
    attempts = row.value ->> 9, failures = row.value ->> 10
FROM json_each(?1) AS row
WHERE deliveries.position = row.value ->> 0
    AND deliveries.claim = row.value ->> 1
    AND deliveries.state = row.value ->> 2
RETURNING deliveries.position, deliveries.claim";

// Recording

pub(super) const INSERT_ATTEMPTS: &str = "
INSERT INTO attempts (
    delivery, number, id, started_at, duration_us, status, error, response_body
)
SELECT
    row.value ->> 0, row.value ->> 1, row.value ->> 2, row.value ->> 3, row.value ->> 4,
    row.value ->> 5, row.value ->> 6, row.value ->> 7
FROM json_each(?1) AS row";

/// The first queued delivery behind each of the given (webhook, key) pairs.
pub(super) const SUCCESSORS: &str = concat!(
    delivery_with_body!(),
    "
FROM json_each(?1) AS line
JOIN deliveries AS delivery ON delivery.position = (
    SELECT position FROM deliveries
    WHERE webhook = line.value ->> 0 AND ordering_key = line.value ->> 1 AND state = 'queued'
    ORDER BY sequence
    LIMIT 1
)
JOIN events AS event ON event.position = delivery.event"
);

/// Leases of a dispatcher that is no more: whoever holds the lock on the file is the only one.
pub(super) const ABANDONED: &str = "
UPDATE deliveries INDEXED BY deliveries_due SET due_at = ?1
WHERE due_at > ?1 AND state = 'leased'";

// The outbox

pub(super) const OUTBOX_WAITING: &str = "SELECT EXISTS (SELECT 1 FROM outbox)";

/// A publisher may have put anything into any column; bytes can always be read.
pub(super) const OUTBOX_ROWS: &str = "
SELECT
    position, CAST(tenant_id AS BLOB), iif(typeof(livemode) = 'integer', livemode, NULL),
    CAST(event AS BLOB), CAST(data AS BLOB), CAST(investor_id AS BLOB),
    CAST(ordering_key AS BLOB), CAST(idempotency_key AS BLOB)
FROM outbox
ORDER BY position
LIMIT ?1";

pub(super) const OUTBOX_REJECT: &str = "
INSERT OR REPLACE INTO outbox_rejected (
    position, tenant_id, livemode, event, data, investor_id, ordering_key, idempotency_key, reason,
    rejected_at
)
SELECT
    outbox.position, outbox.tenant_id, outbox.livemode, outbox.event, outbox.data,
    outbox.investor_id, outbox.ordering_key, outbox.idempotency_key, row.value ->> 1, ?2
FROM json_each(?1) AS row
JOIN outbox ON outbox.position = row.value ->> 0";

pub(super) const OUTBOX_DELETE: &str = "DELETE FROM outbox WHERE position <= ?1";

pub(super) const OUTBOX_REJECTED: &str = "SELECT count(*) FROM outbox_rejected";

// Reading

pub(super) const EVENT: &str = "
SELECT id, tenant_id, livemode, name, created_at, body FROM events WHERE id = ?1";

pub(super) const EVENTS: &str = "
SELECT id, tenant_id, livemode, name, created_at, body FROM events
WHERE tenant_id = ?1 AND livemode = ?2
    AND position > iif(?3 IS NULL, 0, (
        SELECT position FROM events WHERE id = ?3 AND tenant_id = ?1 AND livemode = ?2
    ))
    AND (?4 IS NULL OR name = ?4)
    AND (?5 IS NULL OR created_at >= ?5)
    AND (?6 IS NULL OR created_at < ?6)
ORDER BY position
LIMIT ?7 OFFSET ?8";

pub(super) const DELIVERY: &str = concat!(
    delivery_with_event!(),
    "
FROM deliveries AS delivery
JOIN events AS event ON event.position = delivery.event
WHERE delivery.id = ?1"
);

pub(super) const DELIVERIES_OF_WEBHOOK: &str = concat!(
    delivery_with_event!(),
    "
FROM deliveries AS delivery
JOIN events AS event ON event.position = delivery.event
WHERE delivery.webhook = ?1
    AND delivery.sequence < iif(?2 IS NULL, 9223372036854775807, (
        SELECT sequence FROM deliveries WHERE id = ?2 AND webhook = ?1
    ))
    AND (?3 IS NULL OR delivery.state = ?3)
    AND (?4 IS NULL OR event.name = ?4)
    AND (?5 IS NULL OR delivery.created_at >= ?5)
    AND (?6 IS NULL OR delivery.created_at < ?6)
ORDER BY delivery.sequence DESC
LIMIT ?7 OFFSET ?8"
);

/// The same with its own index: the few parked among the millions delivered. `?3` is `parked`.
pub(super) const PARKED_OF_WEBHOOK: &str = concat!(
    delivery_with_event!(),
    "
FROM deliveries AS delivery INDEXED BY deliveries_parked
JOIN events AS event ON event.position = delivery.event
WHERE delivery.webhook = ?1
    AND delivery.state = 'parked' AND delivery.state = ?3
    AND delivery.sequence < iif(?2 IS NULL, 9223372036854775807, (
        SELECT sequence FROM deliveries WHERE id = ?2 AND webhook = ?1
    ))
    AND (?4 IS NULL OR event.name = ?4)
    AND (?5 IS NULL OR delivery.created_at >= ?5)
    AND (?6 IS NULL OR delivery.created_at < ?6)
ORDER BY delivery.sequence DESC
LIMIT ?7 OFFSET ?8"
);

pub(super) const DELIVERIES_OF_EVENT: &str = concat!(
    delivery_with_event!(),
    "
FROM events AS event
JOIN deliveries AS delivery ON delivery.event = event.position
WHERE event.id = ?1
    AND delivery.webhook > iif(?2 IS NULL, 0, (
        SELECT webhook FROM deliveries WHERE id = ?2 AND event = event.position
    ))
    AND (?3 IS NULL OR delivery.state = ?3)
    AND (?4 IS NULL OR event.name = ?4)
    AND (?5 IS NULL OR delivery.created_at >= ?5)
    AND (?6 IS NULL OR delivery.created_at < ?6)
ORDER BY delivery.webhook
LIMIT ?7 OFFSET ?8"
);

pub(super) const ATTEMPTS: &str = "
SELECT number, id, started_at, duration_us, status, error, response_body
FROM attempts WHERE delivery = ?1 ORDER BY number";

/// The highest number ever given to a row of this table, also if the row is gone.
pub(super) const LAST_POSITION: &str = "SELECT seq FROM sqlite_sequence WHERE name = ?1";

// Tenants, keys, webhooks: read whole at the start

pub(super) const TENANTS: &str = "SELECT id, name, metadata, created_at FROM tenants";

pub(super) const INSERT_TENANT: &str = "
INSERT INTO tenants (id, name, metadata, created_at) VALUES (?1, ?2, ?3, ?4)";

pub(super) const KEYS: &str = "
SELECT id, tenant_id, livemode, role, investor_id, name, secret_sha256, created_at, revoked_at
FROM keys";

pub(super) const INSERT_KEY: &str = "
INSERT INTO keys (
    id, tenant_id, livemode, role, investor_id, name, secret_sha256, created_at, revoked_at
) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

pub(super) const REVOKE_KEY: &str = "
UPDATE keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";

pub(super) const WEBHOOKS: &str = "
SELECT
    number, id, tenant_id, livemode, name, description, url, event_type_names, status,
    status_reason, ordering, timeout_ms, retry_schedule, max_in_flight, headers, metadata, secrets,
    last_sequence, created_at, updated_at, deleted_at
FROM webhooks";

pub(super) const INSERT_WEBHOOK: &str = "
INSERT INTO webhooks (
    id, tenant_id, livemode, name, description, url, event_type_names, status, status_reason,
    ordering, timeout_ms, retry_schedule, max_in_flight, headers, metadata, secrets, created_at,
    updated_at, deleted_at
) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
RETURNING number";

/// In the order of `INSERT_WEBHOOK`; what never changes is compared and not set.
pub(super) const UPDATE_WEBHOOK: &str = "
UPDATE webhooks SET
    name = ?4, description = ?5, url = ?6, event_type_names = ?7, status = ?8, status_reason = ?9,
    ordering = ?10, timeout_ms = ?11, retry_schedule = ?12, max_in_flight = ?13, headers = ?14,
    metadata = ?15, secrets = ?16, updated_at = ?18, deleted_at = ?19
WHERE id = ?1 AND tenant_id = ?2 AND livemode = ?3 AND created_at = ?17
RETURNING number";

// Secrets

/// Of everything sealed, the id of the key that it is sealed with.
pub(super) const SEALING_KEYS: &str = "
SELECT row.value
FROM webhooks, json_tree(json_array(json(webhooks.secrets), json(webhooks.headers))) AS row
WHERE row.key = 'key_id'";

pub(super) const SEALED: &str = "SELECT id, secrets, headers FROM webhooks";

pub(super) const SET_SEALED: &str = "
UPDATE webhooks SET secrets = ?2, headers = ?3 WHERE id = ?1";
