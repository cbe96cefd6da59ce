-- The inbox's tables, version 1. `Inbox::migrate` runs this; it can be run by hand as well.
-- Times are microseconds since 1970, UTC. Text times would sort as well, and take twice the room.

-- Which version of these tables this is: one row.
CREATE TABLE bluum_inbox_schema (
    version BIGINT NOT NULL
);
INSERT INTO bluum_inbox_schema (version) VALUES (1);

-- One row for each event that has ever arrived, whatever became of it.
CREATE TABLE bluum_inbox_events (
    event_id    TEXT    NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL,            -- order.filled
    state       TEXT    NOT NULL CHECK (state IN ('pending', 'processed', 'stale', 'quarantined')),
    occurred_at BIGINT  NOT NULL,            -- the event's own time
    received_at BIGINT  NOT NULL,            -- the first copy
    seen_at     BIGINT  NOT NULL,            -- the last copy
    finished_at BIGINT,                      -- when it was processed, stale or quarantined
    deliveries  BIGINT  NOT NULL CHECK (deliveries >= 1),
    failures    BIGINT  NOT NULL CHECK (failures >= 0),
    error       TEXT,                        -- what the last failure said
    body        BYTEA,                       -- while it has failed and is not processed
    CHECK ((finished_at IS NULL) = (state = 'pending')),
    CHECK (state <> 'quarantined' OR (body IS NOT NULL AND error IS NOT NULL))
);
CREATE INDEX bluum_inbox_quarantined ON bluum_inbox_events (occurred_at, event_id)
    WHERE state = 'quarantined';
CREATE INDEX bluum_inbox_events_seen ON bluum_inbox_events (seen_at)
    WHERE state <> 'quarantined';

-- The last event applied for each object: what the order guard compares with.
CREATE TABLE bluum_inbox_objects (
    object      TEXT    NOT NULL PRIMARY KEY, -- order:ord_…
    occurred_at BIGINT  NOT NULL,             -- the time of that event
    accepted_at BIGINT  NOT NULL,             -- the time in that event's id
    applied_at  BIGINT  NOT NULL
);
CREATE INDEX bluum_inbox_objects_applied ON bluum_inbox_objects (applied_at);

-- The sequence numbers seen of each webhook. What is below the last settled one is not looked at.
CREATE TABLE bluum_inbox_sequences (
    webhook  TEXT    NOT NULL,
    sequence BIGINT  NOT NULL CHECK (sequence >= 1),
    event_id TEXT    NOT NULL,
    seen_at  BIGINT  NOT NULL,
    settled  BOOLEAN NOT NULL,
    PRIMARY KEY (webhook, sequence)
);
