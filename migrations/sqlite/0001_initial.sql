-- Ids of rows are never reused (AUTOINCREMENT). Times are UTC microseconds. Text ids are for people
-- and the API; rows refer to each other by number. Every invariant that SQL can say is said here,
-- beside the types that say it in Rust.

CREATE TABLE tenants (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    metadata   TEXT    NOT NULL CHECK (json_valid(metadata)),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE keys (
    id            TEXT    NOT NULL PRIMARY KEY,
    tenant_id     TEXT    REFERENCES tenants (id),
    livemode      INTEGER NOT NULL CHECK (livemode IN (0, 1)),
    role          TEXT    NOT NULL CHECK (role IN ('operator', 'tenant', 'investor')),
    investor_id   TEXT,
    name          TEXT,
    secret_sha256 TEXT    NOT NULL CHECK (length(secret_sha256) = 64),
    created_at    INTEGER NOT NULL,
    revoked_at    INTEGER,
    CHECK ((role = 'operator') = (tenant_id IS NULL)),
    CHECK ((role = 'investor') = (investor_id IS NOT NULL))
) STRICT;

CREATE TABLE webhooks (
    number           INTEGER PRIMARY KEY AUTOINCREMENT,
    id               TEXT    NOT NULL UNIQUE,
    tenant_id        TEXT    NOT NULL REFERENCES tenants (id),
    livemode         INTEGER NOT NULL CHECK (livemode IN (0, 1)),
    name             TEXT,
    description      TEXT,
    url              TEXT    NOT NULL CHECK (length(url) <= 2048),
    event_type_names TEXT    NOT NULL CHECK (json_array_length(event_type_names) > 0),
    status           TEXT    NOT NULL CHECK (status IN ('active', 'inactive', 'disabled')),
    status_reason    TEXT,
    ordering         TEXT    NOT NULL CHECK (ordering IN ('object', 'none')),
    timeout_ms       INTEGER NOT NULL CHECK (timeout_ms > 0),
    retry_schedule   TEXT    CHECK (json_valid(retry_schedule)),
    max_in_flight    INTEGER NOT NULL CHECK (max_in_flight > 0),
    -- Sealed as one object: their values are often credentials.
    headers          TEXT    NOT NULL CHECK (
        headers ->> '$.key_id' IS NOT NULL AND headers ->> '$.sealed' IS NOT NULL
    ),
    metadata         TEXT    NOT NULL CHECK (json_valid(metadata)),
    -- Sealed, private keys beside them; a secret as it is shown to partners does not get in here,
    -- nor a private key as it is commonly written.
    secrets          TEXT    NOT NULL CHECK (
        json_array_length(secrets) <= 5
        AND instr(secrets, 'whsec_') = 0 AND instr(secrets, 'whsk_') = 0
    ),
    last_sequence    INTEGER NOT NULL DEFAULT 0 CHECK (last_sequence >= 0),
    -- Deliveries that were old enough to be deleted.
    forgotten        INTEGER NOT NULL DEFAULT 0 CHECK (forgotten BETWEEN 0 AND last_sequence),
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    deleted_at       INTEGER,
    -- Every attempt since then has failed.
    failing_since    INTEGER,
    CHECK ((status = 'disabled') = (status_reason IS NOT NULL))
) STRICT;

-- `position` is the order of commits, and the cursor that lists page by.
CREATE TABLE events (
    position        INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    tenant_id       TEXT    NOT NULL REFERENCES tenants (id),
    livemode        INTEGER NOT NULL CHECK (livemode IN (0, 1)),
    name            TEXT    NOT NULL,
    idempotency_key TEXT,
    created_at      INTEGER NOT NULL,
    body            BLOB    NOT NULL
) STRICT;

CREATE INDEX events_of_tenant ON events (tenant_id, livemode, position);

CREATE UNIQUE INDEX events_published_once ON events (tenant_id, livemode, idempotency_key)
WHERE idempotency_key IS NOT NULL;

-- One row per (event, webhook), for ever unique. `due_at` means "look at this row again then":
-- the next attempt of a waiting delivery, the end of the lease of a leased one.
CREATE TABLE deliveries (
    position     INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    event        INTEGER NOT NULL REFERENCES events (position),
    webhook      INTEGER NOT NULL REFERENCES webhooks (number),
    sequence     INTEGER NOT NULL CHECK (sequence > 0),
    ordering_key TEXT,
    state        TEXT    NOT NULL,
    due_at       INTEGER,
    finished_at  INTEGER,
    reason       TEXT,
    claim        INTEGER NOT NULL,
    lost_claims  INTEGER NOT NULL CHECK (lost_claims BETWEEN 0 AND claim),
    attempts     INTEGER NOT NULL CHECK (attempts <= claim),
    failures     INTEGER NOT NULL CHECK (failures BETWEEN 0 AND attempts),
    created_at   INTEGER NOT NULL,
    UNIQUE (webhook, sequence),
    UNIQUE (event, webhook),
    -- A case for each state is a fifth less work for a commit than a rule for each column.
    CHECK (CASE state
        WHEN 'delivered' THEN due_at IS NULL AND finished_at IS NOT NULL AND reason IS NULL
        WHEN 'leased' THEN
            due_at IS NOT NULL AND finished_at IS NULL AND reason IS NULL AND claim > 0
        WHEN 'waiting' THEN due_at IS NOT NULL AND finished_at IS NULL AND reason IS NULL
        WHEN 'queued' THEN
            due_at IS NULL AND finished_at IS NULL AND reason IS NULL AND ordering_key IS NOT NULL
        WHEN 'parked' THEN
            due_at IS NULL AND finished_at IS NOT NULL AND reason IS NOT NULL AND reason IN (
                'exhausted', 'gone', 'disabled', 'deleted', 'crashes_worker', 'skipped', 'expired'
            )
        ELSE FALSE
    END)
) STRICT;

CREATE INDEX deliveries_due ON deliveries (webhook, due_at) WHERE due_at IS NOT NULL;

-- Order per object: one delivery of a key is under way, the rest are queued behind it.
CREATE UNIQUE INDEX deliveries_one_under_way ON deliveries (webhook, ordering_key)
WHERE due_at IS NOT NULL AND ordering_key IS NOT NULL;

CREATE INDEX deliveries_queued ON deliveries (webhook, ordering_key, sequence)
WHERE state = 'queued';

CREATE INDEX deliveries_parked ON deliveries (webhook, sequence) WHERE state = 'parked';

CREATE TABLE attempts (
    delivery      INTEGER NOT NULL REFERENCES deliveries (position),
    number        INTEGER NOT NULL CHECK (number > 0),
    id            TEXT    NOT NULL,
    started_at    INTEGER NOT NULL,
    duration_us   INTEGER NOT NULL CHECK (duration_us >= 0),
    outcome       TEXT    NOT NULL,
    status        INTEGER CHECK (status BETWEEN 100 AND 999),
    error         TEXT,
    response_body TEXT,
    PRIMARY KEY (delivery, number),
    CHECK (CASE outcome
        WHEN 'delivered' THEN status IS NOT NULL AND error IS NULL
        ELSE error IS NOT NULL AND outcome IN (
            'redirect', 'client_error', 'gone', 'throttled', 'server_error', 'other_status',
            'timeout', 'dns', 'connect', 'tls', 'protocol', 'blocked', 'our_fault'
        )
    END)
) STRICT, WITHOUT ROWID;

-- The first answers to requests that came with an Idempotency-Key, written in the commit of what
-- the request did.
CREATE TABLE answers (
    key_id          TEXT    NOT NULL REFERENCES keys (id),
    idempotency_key TEXT    NOT NULL,
    request_sha256  TEXT    NOT NULL CHECK (length(request_sha256) = 64),
    status          INTEGER NOT NULL CHECK (status BETWEEN 200 AND 299),
    -- One that shows a secret is sealed: then `sealed_with` is the id of the key.
    body            BLOB    NOT NULL,
    sealed_with     TEXT,
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (key_id, idempotency_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX answers_by_age ON answers (created_at);

CREATE INDEX answers_sealed ON answers (sealed_with) WHERE sealed_with IS NOT NULL;

-- Deliveries of a webhook owed again: those with sequence numbers after `cursor`, which moves in
-- the commits that replay them, and not after `up_to`.
CREATE TABLE replays (
    id          TEXT    NOT NULL PRIMARY KEY,
    webhook     INTEGER NOT NULL REFERENCES webhooks (number),
    status      TEXT    NOT NULL CHECK (status IN ('running', 'finished', 'canceled')),
    -- 1: begun by enabling the webhook; what arrives until it ends is parked behind.
    release     INTEGER NOT NULL CHECK (release IN (0, 1)),
    delivered   INTEGER NOT NULL CHECK (delivered IN (0, 1)),
    reason      TEXT,
    event       TEXT,
    since       INTEGER,
    until       INTEGER,
    up_to       INTEGER NOT NULL,
    cursor      INTEGER NOT NULL CHECK (cursor >= 0),
    total       INTEGER NOT NULL CHECK (total >= 0),
    replayed    INTEGER NOT NULL CHECK (replayed >= 0),
    created_at  INTEGER NOT NULL,
    finished_at INTEGER,
    CHECK ((status = 'running') = (finished_at IS NULL)),
    CHECK (delivered = 0 OR reason IS NULL)
) STRICT;

CREATE UNIQUE INDEX replays_one_release ON replays (webhook)
WHERE release = 1 AND status = 'running';

-- Publishing without HTTP: insert here, inside a transaction of your own. Nothing is checked at
-- this point, so that a publisher's transaction never fails because of us; what cannot be
-- accepted moves to outbox_rejected with the reason.
CREATE TABLE outbox (
    position        INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id       TEXT    NOT NULL,
    livemode        INTEGER NOT NULL,
    event           TEXT    NOT NULL,
    data            TEXT    NOT NULL,
    investor_id     TEXT,
    ordering_key    TEXT,
    idempotency_key TEXT
);

CREATE TABLE outbox_rejected (
    position        INTEGER PRIMARY KEY,
    tenant_id       TEXT,
    livemode        INTEGER,
    event           TEXT,
    data            TEXT,
    investor_id     TEXT,
    ordering_key    TEXT,
    idempotency_key TEXT,
    reason          TEXT    NOT NULL,
    rejected_at     INTEGER NOT NULL
);

-- What is written to see whether a disk that was full takes writes again.
CREATE TABLE probe (
    number  INTEGER NOT NULL PRIMARY KEY CHECK (number = 1),
    filling BLOB    NOT NULL
) STRICT;
