//! First answers; tenants, keys and webhooks; secrets.

// Idempotency

/// Keeps answers under keys that are free, or whose answer is older than `?3`.
pub(crate) const KEEP_ANSWERS: &str = "
INSERT INTO answers (
    key_id, idempotency_key, request_sha256, status, body, sealed_with, created_at
)
SELECT
    row.value ->> '$[0]', row.value ->> '$[1]', row.value ->> '$[2]', row.value ->> '$[3]',
    substr(?2, row.value ->> '$[4]', row.value ->> '$[5]'), row.value ->> '$[6]', ?4
FROM jsonb_each(?1) AS row
WHERE true
ON CONFLICT (key_id, idempotency_key) DO UPDATE SET
    request_sha256 = excluded.request_sha256, status = excluded.status, body = excluded.body,
    sealed_with = excluded.sealed_with, created_at = excluded.created_at
WHERE answers.created_at <= ?3";

/// A few of those that have expired, the oldest first.
pub(crate) const FORGET_ANSWERS: &str = "
DELETE FROM answers
WHERE (key_id, idempotency_key) IN (
    SELECT key_id, idempotency_key FROM answers
    WHERE created_at <= ?1 ORDER BY created_at LIMIT 100
)";

pub(crate) const ANSWER: &str = "
SELECT request_sha256, status, body, sealed_with FROM answers
WHERE key_id = ?1 AND idempotency_key = ?2 AND created_at > ?3";

pub(crate) const SEALED_ANSWERS: &str = "
SELECT key_id, idempotency_key, body FROM answers WHERE sealed_with IS NOT NULL";

pub(crate) const SET_SEALED_ANSWER: &str = "
UPDATE answers SET body = ?3, sealed_with = ?4 WHERE key_id = ?1 AND idempotency_key = ?2";

// Tenants, keys, webhooks: read whole at the start

pub(crate) const TENANTS: &str = "SELECT id, name, metadata, created_at FROM tenants";

pub(crate) const INSERT_TENANT: &str = "
INSERT INTO tenants (id, name, metadata, created_at) VALUES (?1, ?2, ?3, ?4)";

pub(crate) const KEYS: &str = "
SELECT id, tenant_id, livemode, role, investor_id, name, secret_sha256, created_at, revoked_at
FROM keys";

pub(crate) const INSERT_KEY: &str = "
INSERT INTO keys (
    id, tenant_id, livemode, role, investor_id, name, secret_sha256, created_at, revoked_at
) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

pub(crate) const REVOKE_KEY: &str = "
UPDATE keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";

pub(crate) const WEBHOOKS: &str = "
SELECT
    number, id, tenant_id, livemode, name, description, url, event_type_names, status,
    status_reason, ordering, timeout_ms, retry_schedule, max_in_flight, headers, metadata, secrets,
    last_sequence, failing_since, created_at, updated_at, deleted_at
FROM webhooks";

pub(crate) const INSERT_WEBHOOK: &str = "
INSERT INTO webhooks (
    id, tenant_id, livemode, name, description, url, event_type_names, status, status_reason,
    ordering, timeout_ms, retry_schedule, max_in_flight, headers, metadata, secrets, created_at,
    updated_at, deleted_at, failing_since
) VALUES (
    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20
)
RETURNING number";

/// In the order of `INSERT_WEBHOOK`; what never changes is compared and not set. Sealed settings
/// that cannot be opened stay as they are.
pub(crate) const UPDATE_WEBHOOK: &str = "
UPDATE webhooks SET
    name = ?4, description = ?5, url = ?6, event_type_names = ?7, status = ?8, status_reason = ?9,
    ordering = ?10, timeout_ms = ?11, retry_schedule = ?12, max_in_flight = ?13,
    headers = ifnull(?14, headers), metadata = ?15, secrets = ifnull(?16, secrets),
    updated_at = ?18, deleted_at = ?19, failing_since = ?20
WHERE id = ?1 AND tenant_id = ?2 AND livemode = ?3 AND created_at = ?17
RETURNING number";

// Health

/// Many pages, so that it fails where an event would; each time in the place of the last.
pub(crate) const PROBE: &str = "
INSERT INTO probe (number, filling) VALUES (1, zeroblob(65536))
ON CONFLICT (number) DO UPDATE SET filling = excluded.filling";

// Secrets

/// Of everything sealed, the id of the key that it is sealed with.
pub(crate) const SEALING_KEYS: &str = "
SELECT row.value
FROM webhooks, json_tree(json_array(json(webhooks.secrets), json(webhooks.headers))) AS row
WHERE row.key = 'key_id'
UNION ALL
SELECT sealed_with FROM answers WHERE sealed_with IS NOT NULL";

pub(crate) const SEALED: &str = "
SELECT id, secrets, headers, deleted_at IS NOT NULL AS deleted FROM webhooks";

pub(crate) const SET_SEALED: &str = "
UPDATE webhooks SET secrets = ?2, headers = ?3 WHERE id = ?1";
