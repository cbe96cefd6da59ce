//! Items and pages of lists, for people.

// Reading

pub(crate) const EVENT: &str = "
SELECT position, id, tenant_id, livemode, name, created_at, body FROM events WHERE id = ?1";

pub(crate) const EVENTS: &str = "
SELECT position, id, tenant_id, livemode, name, created_at, body FROM events
WHERE tenant_id = ?1 AND livemode = ?2
    AND position > iif(?3 IS NULL, ?9, (
        SELECT position FROM events WHERE id = ?3 AND tenant_id = ?1 AND livemode = ?2
    ))
    AND (?4 IS NULL OR name = ?4)
    AND (?5 IS NULL OR created_at >= ?5)
    AND (?6 IS NULL OR created_at < ?6)
ORDER BY position
LIMIT ?7 OFFSET ?8";

pub(crate) const DELIVERY: &str = concat!(
    delivery_with_event!(),
    "
FROM deliveries AS delivery
JOIN events AS event ON event.position = delivery.event
WHERE delivery.id = ?1"
);

pub(crate) const DELIVERIES_OF_WEBHOOK: &str = concat!(
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
pub(crate) const PARKED_OF_WEBHOOK: &str = concat!(
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

pub(crate) const DELIVERIES_OF_EVENT: &str = concat!(
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

pub(crate) const ATTEMPTS: &str = "
SELECT number, id, started_at, duration_us, outcome, status, error, response_body
FROM attempts WHERE delivery = ?1 ORDER BY number";

/// The highest number ever given to a row of this table, also if the row is gone.
pub(crate) const LAST_POSITION: &str = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
