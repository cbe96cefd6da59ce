//! What moves deliveries on.

// Accepting

/// Of the given (webhook, key) pairs, those with a delivery under way, by their places.
pub(crate) const BUSY_LINES: &str = "
SELECT json_group_array(line.key)
FROM jsonb_each(?1) AS line
WHERE EXISTS (
    SELECT 1 FROM deliveries
    WHERE webhook = line.value ->> '$[0]' AND ordering_key = line.value ->> '$[1]'
        AND due_at IS NOT NULL
)";

pub(crate) const INSERT_EVENTS: &str = "
INSERT INTO events (position, id, tenant_id, livemode, name, idempotency_key, created_at, body)
SELECT
    row.value ->> '$[0]', row.value ->> '$[1]', row.value ->> '$[2]', row.value ->> '$[3]',
    row.value ->> '$[4]', row.value ->> '$[5]', ?3,
    substr(?2, row.value ->> '$[6]', row.value ->> '$[7]')
FROM jsonb_each(?1) AS row";

/// What would be under way beside another one of its line is queued behind it instead.
pub(crate) const INSERT_DELIVERIES: &str = "
INSERT INTO deliveries (
    position, id, event, webhook, sequence, ordering_key, state, due_at, finished_at, reason, claim,
    lost_claims, attempts, failures, created_at
)
SELECT
    row.value ->> '$[0]', row.value ->> '$[1]', row.value ->> '$[2]', row.value ->> '$[3]',
    row.value ->> '$[4]', row.value ->> '$[5]',
    iif(ahead.position IS NULL, row.value ->> '$[6]', 'queued'),
    iif(ahead.position IS NULL, row.value ->> '$[7]', NULL),
    row.value ->> '$[8]', row.value ->> '$[9]',
    iif(ahead.position IS NULL, row.value ->> '$[10]', 0), 0, 0, 0, ?2
FROM jsonb_each(?1) AS row
LEFT JOIN deliveries AS ahead ON row.value ->> '$[7]' IS NOT NULL
    AND ahead.webhook = row.value ->> '$[3]' AND ahead.ordering_key = row.value ->> '$[5]'
    AND ahead.due_at IS NOT NULL";

/// Those of the deliveries after this position that are queued.
pub(crate) const BEGUN_QUEUED: &str = "
SELECT json_group_array(position) FROM deliveries NOT INDEXED
WHERE position > ?1 AND state = 'queued'";

pub(crate) const ADVANCE_SEQUENCES: &str = "
UPDATE webhooks SET last_sequence = row.value ->> '$[1]'
FROM jsonb_each(?1) AS row
WHERE webhooks.number = row.value ->> '$[0]'";

pub(crate) const PUBLISHED_WITH: &str = "
SELECT name, body FROM events
WHERE tenant_id = ?1 AND livemode = ?2 AND idempotency_key = ?3";

// Claiming

/// Each webhook with something that is due or will be: whether it is, and when more will be. A few
/// index seeks per webhook, however many deliveries it has.
pub(crate) const LANES: &str = "
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

/// For each of the given (webhook, places) pairs, what has been due longest, up to so many. The
/// limit of a subquery cannot depend on the pair: it is the most places that any of them has.
pub(crate) const DUE_OF_LANES: &str = claimable!(
    "
FROM jsonb_each(?1) AS lane
JOIN json_each((
    SELECT json_group_array(position) FROM (
        SELECT position FROM deliveries
        WHERE webhook = lane.value ->> '$[0]' AND due_at <= ?2
        ORDER BY due_at, position
        LIMIT ?3
    ) AS longest
)) AS due ON due.key < lane.value ->> '$[1]'
JOIN deliveries AS delivery ON delivery.position = due.value
JOIN events AS event ON event.position = delivery.event"
);

// Parking what a stopped webhook is owed

/// The last in each line first, so that what is left is in order at every moment.
pub(crate) const QUEUED_OF_WEBHOOK: &str = concat!(
    standing!(),
    "
FROM deliveries AS delivery INDEXED BY deliveries_queued
WHERE delivery.webhook = ?1 AND delivery.state = 'queued' AND delivery.sequence <= ?2
ORDER BY delivery.ordering_key DESC, delivery.sequence DESC
LIMIT ?3"
);

/// What waits, or was claimed by somebody who is lost.
pub(crate) const TO_PARK_OF_WEBHOOK: &str = concat!(
    standing!(),
    "
FROM deliveries AS delivery INDEXED BY deliveries_due
WHERE delivery.webhook = ?1 AND delivery.due_at IS NOT NULL AND delivery.sequence <= ?2
    AND (delivery.state = 'waiting' OR delivery.due_at <= ?3)
LIMIT ?4"
);

// What a listener is owed

/// How much, since when, and up to where it is more than is kept.
pub(crate) const BACKLOG: &str = "
WITH owed AS (
    SELECT sequence, created_at FROM deliveries INDEXED BY deliveries_due
    WHERE webhook = ?1 AND due_at IS NOT NULL
    UNION ALL
    SELECT sequence, created_at FROM deliveries INDEXED BY deliveries_queued
    WHERE webhook = ?1 AND state = 'queued'
)
SELECT
    (SELECT count(*) FROM owed),
    (SELECT min(created_at) FROM owed),
    max(
        iif((SELECT count(*) FROM owed) > ?2, (
            SELECT sequence FROM deliveries
            WHERE webhook = ?1 AND state IN ('queued', 'waiting', 'leased')
            ORDER BY sequence DESC LIMIT 1 OFFSET ?2
        ), 0),
        coalesce((SELECT max(sequence) FROM owed WHERE created_at < ?3), 0)
    )";

/// Of the tenant's latest events, those since then that have no delivery to this webhook.
pub(crate) const MISSED: &str = "
WITH latest AS (
    SELECT position, name, created_at FROM events
    WHERE tenant_id = ?1 AND livemode = ?2
    ORDER BY position DESC LIMIT ?5
)
SELECT position, name FROM latest
WHERE created_at >= ?3
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = latest.position AND webhook = ?4)";

/// What expired after the number given, or after the last attempt.
pub(crate) const GAP: &str = "
SELECT min(sequence), max(sequence), count(*)
FROM deliveries INDEXED BY deliveries_parked
WHERE webhook = ?1 AND state = 'parked' AND reason = 'expired' AND sequence > coalesce(?2, (
    SELECT sequence FROM deliveries
    WHERE webhook = ?1 AND attempts > 0
    ORDER BY sequence DESC LIMIT 1
), 0)";

// Every change of state

/// Sets what `step` decided, where the delivery is still as `step` saw it.
pub(crate) const SET_PROGRESS: &str = "
UPDATE deliveries SET
    state = row.value ->> '$[3]', due_at = row.value ->> '$[4]', finished_at = row.value ->> '$[5]',
    reason = row.value ->> '$[6]', claim = row.value ->> '$[7]', lost_claims = row.value ->> '$[8]',
    attempts = row.value ->> '$[9]', failures = row.value ->> '$[10]'
FROM jsonb_each(?1) AS row
WHERE deliveries.position = row.value ->> '$[0]'
    AND deliveries.claim = row.value ->> '$[1]'
    AND deliveries.state = row.value ->> '$[2]'";

/// The same for what is claimed, of which less changes.
pub(crate) const SET_CLAIMED: &str = "
UPDATE deliveries SET state = 'leased', due_at = row.value ->> '$[2]', claim = claim + 1
FROM jsonb_each(?1) AS row
WHERE deliveries.position = row.value ->> '$[0]'
    AND deliveries.claim = row.value ->> '$[1]'
    AND deliveries.state = 'waiting'";

/// The same for what is delivered.
pub(crate) const SET_DELIVERED: &str = "
UPDATE deliveries SET
    state = 'delivered', due_at = NULL, finished_at = row.value ->> '$[2]', attempts = attempts + 1
FROM jsonb_each(?1) AS row
WHERE deliveries.position = row.value ->> '$[0]'
    AND deliveries.claim = row.value ->> '$[1]'
    AND deliveries.state = 'leased'";

/// The places of the changes that `SET_PROGRESS` would make.
pub(crate) const APPLICABLE: &str = "
SELECT json_group_array(row.key)
FROM jsonb_each(?1) AS row
JOIN deliveries ON deliveries.position = row.value ->> '$[0]'
WHERE deliveries.claim = row.value ->> '$[1]' AND deliveries.state = row.value ->> '$[2]'";

// Recording

pub(crate) const INSERT_ATTEMPTS: &str = "
INSERT INTO attempts (
    delivery, number, id, started_at, duration_us, outcome, status, error, response_body
)
SELECT
    row.value ->> '$[0]', row.value ->> '$[1]', row.value ->> '$[2]', row.value ->> '$[3]',
    row.value ->> '$[4]', row.value ->> '$[5]', row.value ->> '$[6]',
    row.value ->> '$[7]', row.value ->> '$[8]'
FROM jsonb_each(?1) AS row";

pub(crate) const SET_FAILING: &str = "
UPDATE webhooks SET failing_since = row.value ->> '$[1]'
FROM jsonb_each(?1) AS row
WHERE webhooks.number = row.value ->> '$[0]'";

/// Makes the first queued delivery of each of these lines what is said of the line.
pub(crate) const PROMOTE: &str = "
UPDATE deliveries SET
    state = line.value ->> '$[2]', due_at = line.value ->> '$[3]',
    claim = claim + (line.value ->> '$[4]')
FROM (
    SELECT row.value, (
        SELECT queued.position FROM deliveries AS queued
        WHERE queued.webhook = row.value ->> '$[0]' AND queued.ordering_key = row.value ->> '$[1]'
            AND queued.state = 'queued'
        ORDER BY queued.sequence
        LIMIT 1
    ) AS first
    FROM jsonb_each(?1) AS row
) AS line
WHERE position = line.first";

/// Those that `PROMOTE` has just claimed, and that were there before.
pub(crate) const PROMOTED: &str = claimable!(
    "
FROM jsonb_each(?1) AS line
JOIN deliveries AS delivery ON delivery.webhook = line.value ->> '$[0]'
    AND delivery.ordering_key = line.value ->> '$[1]' AND delivery.due_at IS NOT NULL
JOIN events AS event ON event.position = delivery.event
WHERE line.value ->> '$[2]' = 'leased' AND delivery.state = 'leased' AND delivery.position <= ?2"
);

/// Leases of a dispatcher that is no more: whoever holds the lock on the file is the only one.
pub(crate) const ABANDONED: &str = "
UPDATE deliveries INDEXED BY deliveries_due SET due_at = ?1
WHERE due_at > ?1 AND state = 'leased'";

// Replaying

/// These deliveries, as they stand.
pub(crate) const STANDINGS: &str = concat!(
    standing!(),
    "
FROM jsonb_each(?1) AS row
JOIN deliveries AS delivery ON delivery.position = row.value"
);

pub(crate) const FORGET_REPLAYS: &str = "
DELETE FROM replays WHERE id IN (SELECT row.value FROM jsonb_each(?1) AS row)";

pub(crate) const REPLAYS: &str = "
SELECT
    replays.id, webhooks.id AS webhook_id, replays.status, release, delivered, reason, event, since,
    until, up_to, cursor, total, replayed, replays.created_at, finished_at
FROM replays JOIN webhooks ON webhooks.number = replays.webhook";

/// Begins one, or moves one on.
pub(crate) const PUT_REPLAY: &str = "
INSERT INTO replays (
    id, webhook, status, release, delivered, reason, event, since, until, up_to, cursor, total,
    replayed, created_at, finished_at
)
SELECT ?1, number, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15
FROM webhooks WHERE id = ?2
ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, cursor = excluded.cursor, replayed = excluded.replayed,
    finished_at = excluded.finished_at";

pub(crate) const LAST_SEQUENCE: &str = "SELECT last_sequence FROM webhooks WHERE number = ?1";

pub(crate) const PARKED_TO_REPLAY: &str =
    concat!(standing!(), parked_to_replay!(), " ORDER BY delivery.sequence LIMIT ?8");

pub(crate) const DELIVERED_TO_REPLAY: &str =
    concat!(standing!(), delivered_to_replay!(), " ORDER BY delivery.sequence LIMIT ?8");

pub(crate) const COUNT_PARKED_TO_REPLAY: &str = concat!("SELECT count(*)", parked_to_replay!());

pub(crate) const COUNT_DELIVERED_TO_REPLAY: &str =
    concat!("SELECT count(*)", delivered_to_replay!());

// Forgetting

/// The next events after a position, whether there is something to delete of each, and when it was
/// accepted.
pub(crate) const FORGETTABLE: &str = "
SELECT
    position, created_at,
    NOT EXISTS (SELECT 1 FROM deliveries WHERE event = events.position) OR EXISTS (
        SELECT 1 FROM deliveries
        WHERE event = events.position AND finished_at < iif(state = 'parked', ?3, ?2)
    )
FROM events WHERE position > ?1 ORDER BY position LIMIT ?4";

pub(crate) const FORGET_ATTEMPTS: &str = concat!(
    "
DELETE FROM attempts WHERE delivery IN (SELECT position FROM deliveries WHERE ",
    old_deliveries!(),
    ")"
);

pub(crate) const FORGET_DELIVERIES: &str =
    concat!("DELETE FROM deliveries WHERE ", old_deliveries!(), " RETURNING webhook");

/// Those of which nothing is owed, and nothing kept.
pub(crate) const FORGET_EVENTS: &str = "
DELETE FROM events
WHERE position IN (SELECT row.value FROM jsonb_each(?1) AS row)
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = events.position)";

pub(crate) const COUNT_FORGOTTEN: &str = "
UPDATE webhooks SET forgotten = forgotten + (row.value ->> '$[1]')
FROM jsonb_each(?1) AS row
WHERE webhooks.number = row.value ->> '$[0]'";

// The outbox

pub(crate) const OUTBOX_WAITING: &str = "SELECT EXISTS (SELECT 1 FROM outbox)";

/// A publisher may have put anything into any column; bytes can always be read.
pub(crate) const OUTBOX_ROWS: &str = "
SELECT
    position, CAST(tenant_id AS BLOB), iif(typeof(livemode) = 'integer', livemode, NULL),
    CAST(event AS BLOB), CAST(data AS BLOB), CAST(investor_id AS BLOB),
    CAST(ordering_key AS BLOB), CAST(idempotency_key AS BLOB)
FROM outbox
ORDER BY position
LIMIT ?1";

pub(crate) const OUTBOX_REJECT: &str = "
INSERT OR REPLACE INTO outbox_rejected (
    position, tenant_id, livemode, event, data, investor_id, ordering_key, idempotency_key, reason,
    rejected_at
)
SELECT
    outbox.position, outbox.tenant_id, outbox.livemode, outbox.event, outbox.data,
    outbox.investor_id, outbox.ordering_key, outbox.idempotency_key, row.value ->> '$[1]', ?2
FROM jsonb_each(?1) AS row
JOIN outbox ON outbox.position = row.value ->> '$[0]'";

pub(crate) const OUTBOX_DELETE: &str = "DELETE FROM outbox WHERE position <= ?1";

pub(crate) const OUTBOX_REJECTED: &str = "SELECT count(*) FROM outbox_rejected";
