//! Ways to break a database by hand, and what the audit must say to each.
//!
//! They are made for one database. Event 1 tells that a webhook was stopped. Webhook 1 has had
//! three deliveries, and a replay of them; webhook 2 has a waiting delivery, one queued behind it,
//! and another waiting one; webhook 3 is inactive, and what it is owed is parked. One answer is
//! kept, which shows a secret.

/// One way to break a promise.
#[derive(Debug)]
pub struct Breakage {
    /// What is done to the file.
    pub sql: &'static str,
    /// Every rule that is broken by it, the one that it is here for first.
    pub codes: &'static [&'static str],
    /// What must stand among the places of the first.
    pub words: &'static str,
    /// What a repair says, if it sets everything right.
    pub repaired: Option<&'static str>,
}

const fn breakage(
    codes: &'static [&'static str],
    words: &'static str,
    sql: &'static str,
) -> Breakage {
    Breakage { sql, codes, words, repaired: None }
}

impl Breakage {
    const fn repaired(self, says: &'static str) -> Self {
        Self { repaired: Some(says), ..self }
    }
}

/// The file, and who refers to whom.
pub const OF_THE_FILE: &[Breakage] = &[
    breakage(&["schema"], "index answers_by_age is missing", "DROP INDEX answers_by_age")
        .repaired("index answers_by_age is made anew"),
    breakage(
        &["schema"],
        "table tenants is another one",
        "ALTER TABLE tenants ADD COLUMN mood TEXT",
    ),
    breakage(&["key"], "is of role king", "UPDATE keys SET role = 'king'"),
    breakage(
        &["file"],
        "wrong # of entries in index events_of_tenant",
        "PRAGMA writable_schema = ON;
        CREATE TABLE empty (created_at INTEGER);
        CREATE INDEX of_empty ON empty (created_at);
        UPDATE sqlite_schema SET rootpage = (
            SELECT rootpage FROM sqlite_schema WHERE name = 'of_empty'
        )
        WHERE name = 'events_of_tenant';
        DELETE FROM sqlite_schema WHERE name IN ('empty', 'of_empty')",
    ),
    breakage(
        &["reference"],
        "deliveries row 1 refers to no events",
        "DELETE FROM events WHERE position = 2",
    ),
    breakage(
        &["row_number"],
        "events: row 9 is there, and the last given is 2",
        "UPDATE sqlite_sequence SET seq = 2 WHERE name = 'events'",
    )
    .repaired("events goes on after row 9"),
    breakage(
        &["row_number"],
        "the last given is none",
        "DELETE FROM sqlite_sequence WHERE name = 'webhooks'",
    )
    .repaired("webhooks goes on after row 3"),
    breakage(
        &["event_body"],
        "has a body that is not JSON",
        "UPDATE events SET body = substr(body, 1, 40) WHERE position = 2",
    ),
    breakage(
        &["event_body"],
        "has the body of evt_",
        "UPDATE events SET body = (SELECT body FROM events WHERE position = 3) WHERE position = 2",
    ),
    breakage(
        &["crossed", "event_body"],
        "brings evt_",
        "UPDATE events SET livemode = 1 WHERE position = 2",
    ),
    breakage(
        &["answer"],
        "is sealed with a key that is not 00000000",
        "UPDATE answers SET sealed_with = '00000000'",
    ),
    breakage(&["answer"], "has the status 500", "UPDATE answers SET status = 500"),
];

/// Webhooks and their books.
pub const OF_WEBHOOKS: &[Breakage] = &[
    breakage(
        &["conservation"],
        "3 accepted, 4 there",
        "UPDATE webhooks SET forgotten = 1 WHERE number = 1",
    ),
    breakage(
        &["sequence_hole", "conservation"],
        "1 of the numbers 1 to 3 are missing, 0 forgotten; one of them is 2",
        "DELETE FROM attempts WHERE delivery IN
            (SELECT position FROM deliveries WHERE webhook = 1 AND sequence = 2);
        DELETE FROM deliveries WHERE webhook = 1 AND sequence = 2",
    ),
    breakage(
        &["sequence_repeated", "schema"],
        "are both number 2",
        "PRAGMA writable_schema = ON;
        UPDATE sqlite_schema
        SET sql = replace(sql, 'UNIQUE (webhook, sequence)', 'UNIQUE (webhook, position)')
        WHERE name = 'deliveries';
        PRAGMA writable_schema = RESET;
        REINDEX deliveries;
        UPDATE deliveries SET sequence = 2 WHERE webhook = 1 AND sequence = 1",
    ),
    breakage(
        &["last_sequence", "conservation"],
        "the last number given is 1, and there is number 3",
        "UPDATE webhooks SET last_sequence = 1 WHERE number = 2",
    )
    .repaired("goes on after number 3"),
    breakage(
        &["webhook"],
        "is disabled with the reason none",
        "UPDATE webhooks SET status = 'disabled', updated_at = created_at + 60000000
        WHERE number = 3",
    ),
    breakage(
        &["webhook"],
        "has secrets that are not sealed",
        "UPDATE webhooks SET secrets = '[\"whsec_AAAA\"]' WHERE number = 1",
    ),
    breakage(
        &["webhook"],
        "subscribes to nothing",
        "UPDATE webhooks SET event_type_names = '[]' WHERE number = 1",
    ),
    breakage(
        &["stopped_webhook"],
        "is queued, and came after the webhook had been stopped",
        "UPDATE webhooks SET status = 'inactive', updated_at = updated_at - 3600000000
        WHERE number = 2",
    ),
    breakage(&["replay"], "has looked as far as number 99 of 3", "UPDATE replays SET cursor = 99"),
    breakage(&["replay"], "is finished with no end", "UPDATE replays SET finished_at = NULL"),
    breakage(
        &["replay_of_stopped"],
        "takes no deliveries",
        "UPDATE webhooks SET status = 'inactive' WHERE number = 1;
        UPDATE replays SET status = 'running', finished_at = NULL",
    )
    .repaired("is canceled: its webhook takes no deliveries"),
    breakage(
        &["two_releases", "schema"],
        "has 2 releases that run",
        "DROP INDEX replays_one_release;
        UPDATE replays SET status = 'running', finished_at = NULL, release = 1;
        CREATE TEMP TABLE twin AS SELECT * FROM replays;
        UPDATE twin SET id = 'rpl_twin';
        INSERT INTO replays SELECT * FROM twin",
    )
    .repaired("is canceled: another release does the same"),
];

/// Deliveries and attempts.
pub const OF_DELIVERIES: &[Breakage] = &[
    breakage(
        &["state", "conservation"],
        "is lost, which is no state",
        "UPDATE deliveries SET state = 'lost' WHERE webhook = 3",
    ),
    breakage(
        &["state"],
        "is waiting and never due",
        "UPDATE deliveries SET due_at = NULL WHERE webhook = 2 AND sequence = 3",
    )
    .repaired("was never due, and is queued"),
    breakage(
        &["state"],
        "is delivered and has a due_at",
        "UPDATE deliveries SET due_at = 1 WHERE webhook = 1 AND sequence = 3",
    )
    .repaired("is delivered, and no longer due"),
    breakage(
        &["state"],
        "is parked for the reason none",
        "UPDATE deliveries SET reason = NULL WHERE webhook = 3",
    ),
    breakage(
        &["counters"],
        "9 failures of 1 attempts of 1 claims, 0 lost",
        "UPDATE deliveries SET failures = 9 WHERE webhook = 2 AND sequence = 1",
    ),
    breakage(
        &["queued_behind_nobody"],
        "waits for nothing",
        "UPDATE deliveries
        SET state = 'parked', due_at = NULL, finished_at = created_at, reason = 'exhausted'
        WHERE webhook = 2 AND sequence = 1",
    )
    .repaired("was queued behind nobody, and is due now"),
    breakage(
        &["two_under_way", "schema"],
        "is under way while dlv_",
        "DROP INDEX deliveries_one_under_way;
        UPDATE deliveries SET state = 'waiting', due_at = created_at
        WHERE webhook = 2 AND sequence = 2",
    )
    .repaired("is queued behind the one before it"),
    breakage(
        &["overtaken"],
        ", number 1, waits for dlv_",
        "DELETE FROM attempts WHERE delivery IN
            (SELECT position FROM deliveries WHERE webhook = 2 AND sequence = 1);
        UPDATE deliveries SET state = 'queued', due_at = NULL, claim = 0, attempts = 0, failures = 0
        WHERE webhook = 2 AND sequence = 1;
        UPDATE deliveries SET state = 'waiting', due_at = created_at
        WHERE webhook = 2 AND sequence = 2",
    ),
    breakage(
        &["lease"],
        "is leased until ",
        "UPDATE deliveries SET state = 'leased', due_at = due_at + 3600000000
        WHERE webhook = 2 AND sequence = 3",
    )
    .repaired("was leased to nobody, and is due now"),
    breakage(
        &["due"],
        "waits until 29",
        "UPDATE deliveries SET due_at = 30000000000000000 WHERE webhook = 2 AND sequence = 3",
    )
    .repaired("is due now"),
    breakage(
        &["attempts"],
        "1 counted, 0 recorded",
        "DELETE FROM attempts WHERE delivery IN
            (SELECT position FROM deliveries WHERE webhook = 2 AND sequence = 3)",
    ),
    breakage(
        &["attempt"],
        "has neither a status nor an error",
        "UPDATE attempts SET status = NULL, error = NULL WHERE status = 500",
    ),
    breakage(
        &["attempt"],
        "is timeout with the status 200",
        "UPDATE attempts SET outcome = 'timeout' WHERE status = 200",
    ),
    breakage(&["delivered", "attempt"], "last answer 500", "UPDATE attempts SET status = 500"),
];
