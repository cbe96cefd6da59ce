//! What `audit --repair` sets right, in the order in which it does. Each gives, in words, what it
//! did. A row that is wrong in yet another way stays as it is (`OR IGNORE`).
//!
//! `?1` is the present, `?2` the latest moment that a lease may end, `?3` the latest that a
//! delivery may be due.

/// The state says that it is not under way.
pub(crate) const DROP_DUE: &str = "
UPDATE OR IGNORE deliveries SET due_at = NULL
WHERE due_at IS NOT NULL AND state IN ('queued', 'delivered', 'parked')
RETURNING id || ' is ' || state || ', and no longer due'";

/// Back into its line, if it has one.
pub(crate) const NEVER_DUE: &str = "
UPDATE OR IGNORE deliveries SET
    state = iif(ordering_key IS NULL, 'waiting', 'queued'),
    due_at = iif(ordering_key IS NULL, ?1, NULL)
WHERE due_at IS NULL AND state IN ('waiting', 'leased')
RETURNING id || ' was never due, and is ' || state";

/// The earliest stays under way.
pub(crate) const BACK_IN_LINE: &str = "
UPDATE OR IGNORE deliveries SET state = 'queued', due_at = NULL
WHERE due_at IS NOT NULL AND EXISTS (
    SELECT 1 FROM deliveries AS ahead
    WHERE ahead.webhook = deliveries.webhook AND ahead.ordering_key = deliveries.ordering_key
        AND ahead.due_at IS NOT NULL AND ahead.sequence < deliveries.sequence
)
RETURNING id || ' is queued behind the one before it'";

pub(crate) const END_LEASES: &str = "
UPDATE OR IGNORE deliveries SET state = 'waiting', due_at = ?1
WHERE due_at > ?2 AND state = 'leased'
RETURNING id || ' was leased to nobody, and is due now'";

pub(crate) const DUE_NOW: &str = "
UPDATE OR IGNORE deliveries SET due_at = ?1
WHERE due_at > ?3 AND state = 'waiting'
RETURNING id || ' is due now'";

/// The first of each line that has nobody ahead.
pub(crate) const RELEASE_QUEUED: &str = "
UPDATE OR IGNORE deliveries SET state = 'waiting', due_at = ?1
WHERE state = 'queued' AND NOT EXISTS (
    SELECT 1 FROM deliveries AS ahead
    WHERE ahead.webhook = deliveries.webhook AND ahead.ordering_key = deliveries.ordering_key
        AND (ahead.due_at IS NOT NULL OR ahead.state = 'queued'
            AND ahead.sequence < deliveries.sequence)
)
RETURNING id || ' was queued behind nobody, and is due now'";

/// Only upwards: a number that was given is not given again.
pub(crate) const RAISE_LAST_SEQUENCE: &str = "
UPDATE OR IGNORE webhooks
SET last_sequence = (SELECT max(sequence) FROM deliveries WHERE webhook = webhooks.number)
WHERE last_sequence < (SELECT max(sequence) FROM deliveries WHERE webhook = webhooks.number)
RETURNING id || ' goes on after number ' || last_sequence";

pub(crate) const ADD_ROW_NUMBERS: &str = concat!(
    "
INSERT INTO sqlite_sequence (name, seq)
SELECT name, highest
FROM ",
    highest_rows!(),
    "
WHERE highest IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = tables.name)
RETURNING name || ' goes on after row ' || seq"
);

pub(crate) const RAISE_ROW_NUMBERS: &str = concat!(
    "
UPDATE sqlite_sequence SET seq = highest
FROM ",
    highest_rows!(),
    "
WHERE sqlite_sequence.name = tables.name AND seq < highest
RETURNING name || ' goes on after row ' || seq"
);

pub(crate) const CANCEL_REPLAYS: &str = "
UPDATE OR IGNORE replays SET status = 'canceled', finished_at = ?1
WHERE status = 'running' AND NOT EXISTS (
    SELECT 1 FROM webhooks
    WHERE number = replays.webhook AND status = 'active' AND deleted_at IS NULL
)
RETURNING id || ' is canceled: its webhook takes no deliveries'";

/// The one that has the longest way to go does what the others would.
pub(crate) const CANCEL_RELEASES: &str = "
UPDATE OR IGNORE replays SET status = 'canceled', finished_at = ?1
WHERE status = 'running' AND release = 1 AND EXISTS (
    SELECT 1 FROM replays AS other
    WHERE other.webhook = replays.webhook AND other.status = 'running' AND other.release = 1
        AND (other.cursor, other.id) < (replays.cursor, replays.id)
)
RETURNING id || ' is canceled: another release does the same'";
