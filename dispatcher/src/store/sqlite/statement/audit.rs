//! What the audit asks. Each rule's statement gives the places that break it, in words.
//!
//! Parameters, for those that need them: `?1` is the latest moment that a lease may end, `?2` the
//! latest that a delivery may be due, `?3` how far two readings of a clock may lie apart.

/// Names a delivery, with its webhook.
macro_rules! delivery_of_webhook {
    () => {
        "delivery.id || ' of ' || coalesce(webhook.id, 'nobody')"
    };
}

pub(crate) const SCHEMA: &str = "
SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'";

/// The last sequence number is how many were accepted: it is kept apart from the rows it counts.
pub(crate) const BOOKS: &str = "
SELECT
    webhooks.id AS webhook, webhooks.last_sequence AS accepted,
    count(*) FILTER (WHERE state = 'delivered') AS delivered,
    count(*) FILTER (WHERE state = 'waiting') AS waiting,
    count(*) FILTER (WHERE state = 'queued') AS queued,
    count(*) FILTER (WHERE state = 'leased') AS leased,
    count(*) FILTER (WHERE state = 'parked') AS parked,
    webhooks.forgotten AS forgotten
FROM webhooks LEFT JOIN deliveries ON deliveries.webhook = webhooks.number
GROUP BY webhooks.number
ORDER BY webhooks.number";

pub(crate) const OUTBOX_COUNTS: &str = "
SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM outbox_rejected)";

// The file

pub(crate) const UNSOUND: &str = "
SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'";

pub(crate) const MISSING_REFERENCES: &str = "
SELECT \"table\" || ' row ' || coalesce(rowid, '?') || ' refers to no ' || parent
FROM pragma_foreign_key_check";

/// What was given out last, and what is there, of each table whose rows are never numbered twice.
pub(crate) const ROW_NUMBERS: &str = concat!(
    "
SELECT
    tables.name || ': row ' || highest || ' is there, and the last given is '
    || coalesce((SELECT seq FROM sqlite_sequence WHERE sqlite_sequence.name = tables.name), 'none')
FROM ",
    highest_rows!(),
    "
WHERE highest > coalesce(
    (SELECT seq FROM sqlite_sequence WHERE sqlite_sequence.name = tables.name), 0
)"
);

// Keys and webhooks

pub(crate) const KEYS_LIKE_NONE: &str = "
SELECT id || ' is of role ' || role || ', tenant ' || coalesce(tenant_id, 'none')
    || ', investor ' || coalesce(investor_id, 'none')
    || iif(length(secret_sha256) = 64, '', ', without a secret')
FROM keys
WHERE role NOT IN ('operator', 'tenant', 'investor')
    OR (role = 'operator') <> (tenant_id IS NULL)
    OR (role = 'investor') <> (investor_id IS NOT NULL)
    OR length(secret_sha256) <> 64";

pub(crate) const HOLES: &str = "
SELECT
    webhooks.id || ': ' || (max(sequence) - count(sequence)) || ' of the numbers 1 to '
    || max(sequence) || ' are missing, ' || forgotten || ' forgotten; one of them is ' || (
        SELECT min(next.sequence) - 1 FROM deliveries AS next
        WHERE next.webhook = webhooks.number AND next.sequence > 1 AND NOT EXISTS (
            SELECT 1 FROM deliveries AS last
            WHERE last.webhook = next.webhook AND last.sequence = next.sequence - 1
        )
    )
FROM webhooks LEFT JOIN deliveries ON deliveries.webhook = webhooks.number
GROUP BY webhooks.number
HAVING max(sequence) - count(sequence) > forgotten";

pub(crate) const REPEATED_SEQUENCES: &str = "
SELECT
    delivery.id || ' and ' || other.id || ' of ' || webhook.id || ' are both number '
    || delivery.sequence
FROM deliveries AS delivery
JOIN deliveries AS other
    ON other.webhook = delivery.webhook AND other.sequence = delivery.sequence
        AND other.position > delivery.position
JOIN webhooks AS webhook ON webhook.number = delivery.webhook";

pub(crate) const LAST_SEQUENCES: &str = "
SELECT
    webhooks.id || ': the last number given is ' || last_sequence || ', and there is number '
    || max(sequence)
FROM webhooks JOIN deliveries ON deliveries.webhook = webhooks.number
GROUP BY webhooks.number
HAVING max(sequence) > last_sequence";

pub(crate) const WEBHOOK_SETTINGS: &str = "
SELECT id || ' ' || wrong
FROM (
    SELECT id, CASE
        WHEN status NOT IN ('active', 'inactive', 'disabled') THEN 'is ' || status
        WHEN (status = 'disabled') <> (status_reason IS NOT NULL)
            THEN 'is ' || status || ' with the reason ' || coalesce(status_reason, 'none')
        WHEN ordering NOT IN ('object', 'none') THEN 'keeps the order ' || ordering
        WHEN timeout_ms < 1 OR max_in_flight < 1
            THEN 'has timeout_ms ' || timeout_ms || ', max_in_flight ' || max_in_flight
        WHEN NOT json_valid(event_type_names) THEN 'has event_type_names that are not JSON'
        WHEN json_array_length(event_type_names) = 0 THEN 'subscribes to nothing'
        WHEN retry_schedule IS NOT NULL AND NOT json_valid(retry_schedule)
            THEN 'has a retry_schedule that is not JSON'
        WHEN NOT json_valid(metadata) THEN 'has metadata that are not JSON'
        WHEN NOT json_valid(headers) OR headers ->> '$.sealed' IS NULL
            THEN 'has headers that are not sealed'
        WHEN NOT json_valid(secrets) OR instr(secrets, 'whsec_') OR instr(secrets, 'whsk_')
            THEN 'has secrets that are not sealed'
        WHEN json_array_length(secrets) > 5 THEN 'has more than 5 secrets'
    END AS wrong
    FROM webhooks
)
WHERE wrong IS NOT NULL";

/// What is accepted for a stopped webhook is parked from the beginning. What was there when it
/// stopped may stand for a while: a dispatcher parks it as soon as one runs.
pub(crate) const ACCEPTED_UNPARKED: &str = concat!(
    "
SELECT ",
    delivery_of_webhook!(),
    " || ' is ' || delivery.state || ', and came after the webhook had been stopped'
FROM webhooks AS webhook JOIN deliveries AS delivery ON delivery.webhook = webhook.number
WHERE (webhook.status <> 'active' OR webhook.deleted_at IS NOT NULL)
    AND delivery.state IN ('queued', 'waiting', 'leased')
    AND delivery.created_at > webhook.updated_at + ?3"
);

// Deliveries

pub(crate) const STATES: &str = "
SELECT id || ' ' || wrong
FROM (
    SELECT id, CASE
        WHEN state NOT IN ('queued', 'waiting', 'leased', 'delivered', 'parked')
            THEN 'is ' || state || ', which is no state'
        WHEN state IN ('waiting', 'leased') AND due_at IS NULL
            THEN 'is ' || state || ' and never due'
        WHEN state NOT IN ('waiting', 'leased') AND due_at IS NOT NULL
            THEN 'is ' || state || ' and has a due_at'
        WHEN state IN ('delivered', 'parked') AND finished_at IS NULL
            THEN 'is ' || state || ' without a finished_at'
        WHEN state NOT IN ('delivered', 'parked') AND finished_at IS NOT NULL
            THEN 'is ' || state || ' and has a finished_at'
        WHEN state = 'parked' AND coalesce(reason, 'none') NOT IN (
            'exhausted', 'gone', 'disabled', 'deleted', 'crashes_worker', 'skipped', 'expired'
        ) THEN 'is parked for the reason ' || coalesce(reason, 'none')
        WHEN state <> 'parked' AND reason IS NOT NULL THEN 'is ' || state || ' for a reason'
        WHEN sequence < 1 THEN 'is number ' || sequence
        WHEN state = 'leased' AND claim < 1 THEN 'is leased, and was never claimed'
    END AS wrong
    FROM deliveries
)
WHERE wrong IS NOT NULL";

pub(crate) const COUNTERS: &str = "
SELECT
    id || ': ' || failures || ' failures of ' || attempts || ' attempts of ' || claim
    || ' claims, ' || lost_claims || ' lost'
FROM deliveries
WHERE NOT (failures >= 0 AND failures <= attempts AND attempts <= claim)
    OR lost_claims NOT BETWEEN 0 AND claim";

pub(crate) const QUEUED_BEHIND_NOBODY: &str = concat!(
    "
SELECT ",
    delivery_of_webhook!(),
    " || ' waits for nothing'
FROM deliveries AS delivery LEFT JOIN webhooks AS webhook ON webhook.number = delivery.webhook
WHERE delivery.state = 'queued' AND NOT EXISTS (
    SELECT 1 FROM deliveries AS ahead
    WHERE ahead.webhook = delivery.webhook AND ahead.ordering_key = delivery.ordering_key
        AND ahead.due_at IS NOT NULL
)"
);

pub(crate) const TWO_UNDER_WAY: &str = concat!(
    "
SELECT ",
    delivery_of_webhook!(),
    " || ' is under way while ' || ahead.id || ' is'
FROM deliveries AS delivery
JOIN deliveries AS ahead
    ON ahead.webhook = delivery.webhook AND ahead.ordering_key = delivery.ordering_key
        AND ahead.due_at IS NOT NULL AND ahead.sequence < delivery.sequence
LEFT JOIN webhooks AS webhook ON webhook.number = delivery.webhook
WHERE delivery.due_at IS NOT NULL"
);

/// Only a replay makes an earlier one wait for a later one. One that was replayed alone has been
/// claimed before; of many, the replay is on record.
pub(crate) const OVERTAKEN: &str = concat!(
    "
SELECT ",
    delivery_of_webhook!(),
    " || ', number ' || delivery.sequence || ', waits for ' || ahead.id || ', number '
    || ahead.sequence
FROM deliveries AS delivery
JOIN deliveries AS ahead
    ON ahead.webhook = delivery.webhook AND ahead.ordering_key = delivery.ordering_key
        AND ahead.due_at IS NOT NULL AND ahead.sequence > delivery.sequence
LEFT JOIN webhooks AS webhook ON webhook.number = delivery.webhook
WHERE delivery.state = 'queued' AND delivery.claim = 0
    AND NOT EXISTS (SELECT 1 FROM replays WHERE replays.webhook = delivery.webhook)"
);

pub(crate) const LONG_LEASES: &str = concat!(
    "
SELECT ",
    delivery_of_webhook!(),
    " || ' is leased until ' || datetime(delivery.due_at / 1000000, 'unixepoch')
FROM deliveries AS delivery LEFT JOIN webhooks AS webhook ON webhook.number = delivery.webhook
WHERE delivery.due_at > ?1 AND delivery.state = 'leased'"
);

pub(crate) const LATE_DUES: &str = concat!(
    "
SELECT ",
    delivery_of_webhook!(),
    " || ' waits until ' || datetime(delivery.due_at / 1000000, 'unixepoch')
FROM deliveries AS delivery LEFT JOIN webhooks AS webhook ON webhook.number = delivery.webhook
WHERE delivery.due_at > ?2 AND delivery.state = 'waiting'"
);

pub(crate) const CROSSED: &str = "
SELECT deliveries.id || ' brings ' || events.id || ' to ' || webhooks.id
FROM deliveries
JOIN events ON events.position = deliveries.event
JOIN webhooks ON webhooks.number = deliveries.webhook
WHERE events.tenant_id <> webhooks.tenant_id OR events.livemode <> webhooks.livemode";

// Attempts

pub(crate) const UNCOUNTED_ATTEMPTS: &str = "
SELECT
    deliveries.id || ': ' || deliveries.attempts || ' counted, ' || count(attempts.number)
    || ' recorded, numbered ' || coalesce(min(attempts.number), 0) || ' to '
    || coalesce(max(attempts.number), 0)
FROM deliveries LEFT JOIN attempts ON attempts.delivery = deliveries.position
GROUP BY deliveries.position
HAVING count(attempts.number) <> deliveries.attempts
    OR coalesce(max(attempts.number), 0) <> deliveries.attempts
    OR coalesce(min(attempts.number), 1) <> 1";

pub(crate) const UNANSWERED: &str = "
SELECT deliveries.id || ': last answer ' || coalesce(attempts.status, 'none')
FROM deliveries LEFT JOIN attempts
    ON attempts.delivery = deliveries.position AND attempts.number = deliveries.attempts
WHERE deliveries.state = 'delivered' AND coalesce(attempts.status NOT BETWEEN 200 AND 299, 1)";

pub(crate) const ATTEMPTS_LIKE_NONE: &str = "
SELECT 'attempt ' || number || ' of ' || deliveries.id || ' ' || wrong
FROM (
    SELECT delivery, number, CASE
        WHEN status IS NULL AND error IS NULL THEN 'has neither a status nor an error'
        WHEN status NOT BETWEEN 100 AND 999 THEN 'has the status ' || status
        WHEN (outcome = 'delivered') <> coalesce(status BETWEEN 200 AND 299, 0)
            THEN 'is ' || outcome || ' with the status ' || coalesce(status, 'none')
        WHEN duration_us < 0 THEN 'took ' || duration_us || ' µs'
    END AS wrong
    FROM attempts
)
JOIN deliveries ON deliveries.position = delivery
WHERE wrong IS NOT NULL";

// Events, replays, answers

/// For a look into each body.
pub(crate) const BODIES: &str = "SELECT id, name, livemode, body FROM events";

pub(crate) const REPLAYS_LIKE_NONE: &str = "
SELECT id || ' of ' || webhook_id || ' ' || wrong
FROM (
    SELECT replays.id, webhooks.id AS webhook_id, CASE
        WHEN replays.status NOT IN ('running', 'finished', 'canceled')
            THEN 'is ' || replays.status
        WHEN (replays.status = 'running') <> (finished_at IS NULL)
            THEN 'is ' || replays.status || iif(finished_at IS NULL, ' with no', ' with an')
                || ' end'
        WHEN release NOT IN (0, 1) OR delivered NOT IN (0, 1) OR delivered AND reason IS NOT NULL
            THEN 'replays what nobody asked for'
        WHEN cursor < 0 OR cursor > min(last_sequence, up_to)
            THEN 'has looked as far as number ' || cursor || ' of ' || min(last_sequence, up_to)
        WHEN replayed < 0 OR replayed > cursor OR total < 0
            THEN 'has replayed ' || replayed || ' of ' || total || ', as far as number ' || cursor
    END AS wrong
    FROM replays JOIN webhooks ON webhooks.number = replays.webhook
)
WHERE wrong IS NOT NULL";

pub(crate) const REPLAYS_OF_STOPPED: &str = "
SELECT replays.id || ' runs, and ' || webhooks.id || ' takes no deliveries'
FROM replays JOIN webhooks ON webhooks.number = replays.webhook
WHERE replays.status = 'running'
    AND (webhooks.status <> 'active' OR webhooks.deleted_at IS NOT NULL)";

pub(crate) const TWO_RELEASES: &str = "
SELECT webhooks.id || ' has ' || count(*) || ' releases that run'
FROM replays JOIN webhooks ON webhooks.number = replays.webhook
WHERE replays.status = 'running' AND release = 1
GROUP BY webhooks.number
HAVING count(*) > 1";

pub(crate) const ANSWERS_LIKE_NONE: &str = "
SELECT 'the answer to ' || key_id || ' under ' || idempotency_key || ' ' || wrong
FROM (
    SELECT key_id, idempotency_key, CASE
        WHEN length(request_sha256) <> 64 THEN 'has no fingerprint of its request'
        WHEN status NOT BETWEEN 200 AND 299 THEN 'has the status ' || status
        WHEN sealed_with IS NULL THEN NULL
        WHEN NOT json_valid(CAST(body AS TEXT)) THEN 'is sealed, and cannot be opened'
        WHEN coalesce(CAST(body AS TEXT) ->> '$.key_id', '') <> sealed_with
            THEN 'is sealed with a key that is not ' || sealed_with
    END AS wrong
    FROM answers
)
WHERE wrong IS NOT NULL";
