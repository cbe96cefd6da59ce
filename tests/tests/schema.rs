//! The schema refuses what the types cannot say: each illegal row, for the reason expected.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of tests stops where it cannot go on"
)]

use bluum_hooks_tests::conformance::world::{self, START};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

/// Two webhooks and a delivery in every state: 1 leased, 2 and 3 queued behind it, 4 waiting,
/// 5 delivered, 6 parked.
const LEGAL: [&str; 8] = [
    "INSERT INTO tenants VALUES ('tnt_1', 'T', '{}', 1)",
    "INSERT INTO keys VALUES
        ('apk_1', NULL, 0, 'operator', NULL, 'a key', printf('%064d', 0), 1, NULL),
        ('apk_2', 'tnt_1', 1, 'tenant', NULL, NULL, printf('%064d', 0), 1, 2),
        ('apk_3', 'tnt_1', 0, 'investor', 'inv_1', NULL, printf('%064d', 0), 1, NULL)",
    "INSERT INTO webhooks VALUES
        (1, 'wh_1', 'tnt_1', 0, NULL, NULL, 'https://a', '[\"*\"]', 'active', NULL, 'object',
            30000, NULL, 50, '{\"key_id\":\"\",\"sealed\":\"\"}', '{}', '[]', 6, 0, 1, 1, NULL, 7),
        (2, 'wh_2', 'tnt_1', 0, NULL, NULL, 'https://b', '[\"*\"]', 'disabled', 'gone', 'none',
            30000, '[60]', 50, '{\"key_id\":\"\",\"sealed\":\"\"}', '{}', '[]', 0, 0, 1, 1, 2,
            NULL)",
    "INSERT INTO events VALUES
        (1, 'evt_1', 'tnt_1', 0, 'order.filled', 'key', 1, x'7b7d'),
        (2, 'evt_2', 'tnt_1', 0, 'order.filled', NULL, 1, x'7b7d'),
        (3, 'evt_3', 'tnt_1', 0, 'order.filled', NULL, 1, x'7b7d'),
        (4, 'evt_4', 'tnt_1', 0, 'order.filled', NULL, 1, x'7b7d'),
        (5, 'evt_5', 'tnt_1', 1, 'order.filled', 'key', 1, x'7b7d'),
        (6, 'evt_6', 'tnt_1', 0, 'order.filled', NULL, 1, x'')",
    "INSERT INTO deliveries VALUES
        (1, 'dlv_1', 1, 1, 1, 'a', 'leased', 9, NULL, NULL, 2, 1, 1, 1, 1),
        (2, 'dlv_2', 2, 1, 2, 'a', 'queued', NULL, NULL, NULL, 0, 0, 0, 0, 1),
        (3, 'dlv_3', 3, 1, 3, 'a', 'queued', NULL, NULL, NULL, 0, 0, 0, 0, 1),
        (4, 'dlv_4', 4, 1, 4, NULL, 'waiting', 9, NULL, NULL, 0, 0, 0, 0, 1),
        (5, 'dlv_5', 5, 1, 5, 'a', 'delivered', NULL, 9, NULL, 1, 0, 1, 0, 1),
        (6, 'dlv_6', 6, 1, 6, 'a', 'parked', NULL, 9, 'gone', 1, 0, 1, 1, 1)",
    "INSERT INTO answers VALUES ('apk_1', 'key', printf('%064d', 0), 202, x'', NULL, 1)",
    "INSERT INTO replays VALUES
        ('rpl_1', 1, 'running', 1, 0, 'disabled', NULL, NULL, NULL, 9, 0, 0, 0, 1, NULL),
        ('rpl_2', 1, 'finished', 0, 1, NULL, 'kyc.decided', 1, 2, 9, 9, 3, 3, 1, 2)",
    "INSERT INTO attempts VALUES
        (1, 1, 'att_1', 1, 0, 'timeout', NULL, 'no answer', NULL),
        (5, 1, 'att_2', 1, 5, 'delivered', 200, NULL, 'ok')",
];

const CHECK: &str = "CHECK constraint failed";
const UNIQUE: &str = "UNIQUE constraint failed";
const NOT_NULL: &str = "NOT NULL constraint failed";
const FOREIGN: &str = "FOREIGN KEY constraint failed";
const TYPE: &str = "cannot store";
const MALFORMED: &str = "malformed JSON";

/// What must not happen to the deliveries above.
const DELIVERIES: [(&str, &str); 38] = [
    (CHECK, "state = 'lost' WHERE position = 1"),
    (CHECK, "due_at = NULL WHERE position = 1"),
    (CHECK, "due_at = NULL WHERE position = 4"),
    (CHECK, "due_at = 9 WHERE position = 2"),
    (CHECK, "due_at = 9 WHERE position = 5"),
    (CHECK, "due_at = 9 WHERE position = 6"),
    (CHECK, "finished_at = NULL WHERE position = 5"),
    (CHECK, "finished_at = NULL WHERE position = 6"),
    (CHECK, "finished_at = 9 WHERE position = 1"),
    (CHECK, "finished_at = 9 WHERE position = 2"),
    (CHECK, "finished_at = 9 WHERE position = 4"),
    (CHECK, "reason = NULL WHERE position = 6"),
    (CHECK, "reason = 'bored' WHERE position = 6"),
    (CHECK, "reason = 'gone' WHERE position = 1"),
    (CHECK, "reason = 'gone' WHERE position = 2"),
    (CHECK, "reason = 'gone' WHERE position = 4"),
    (CHECK, "reason = 'gone' WHERE position = 5"),
    (CHECK, "ordering_key = NULL WHERE position = 2"),
    (CHECK, "claim = 0, lost_claims = 0, attempts = 0, failures = 0 WHERE position = 1"),
    (CHECK, "claim = -1 WHERE position = 4"),
    (CHECK, "lost_claims = 3 WHERE position = 1"),
    (CHECK, "lost_claims = -1 WHERE position = 1"),
    (CHECK, "attempts = 3 WHERE position = 1"),
    (CHECK, "attempts = -1, failures = -1 WHERE position = 1"),
    (CHECK, "failures = 2 WHERE position = 1"),
    (CHECK, "failures = -1 WHERE position = 1"),
    (CHECK, "sequence = 0 WHERE position = 1"),
    (UNIQUE, "sequence = 1 WHERE position = 2"),
    (UNIQUE, "event = 1 WHERE position = 2"),
    (UNIQUE, "id = 'dlv_1' WHERE position = 2"),
    (UNIQUE, "ordering_key = 'a' WHERE position = 4"),
    (UNIQUE, "state = 'waiting', due_at = 9 WHERE position = 2"),
    (UNIQUE, "state = 'leased', due_at = 9, claim = 1 WHERE position = 2"),
    (FOREIGN, "event = 99 WHERE position = 1"),
    (FOREIGN, "webhook = 99 WHERE position = 1"),
    (NOT_NULL, "sequence = NULL WHERE position = 1"),
    (NOT_NULL, "claim = NULL WHERE position = 1"),
    (TYPE, "due_at = 'soon' WHERE position = 1"),
];

/// What must not happen to the rest.
const OTHERS: [(&str, &str); 55] = [
    (CHECK, "UPDATE replays SET finished_at = 2 WHERE id = 'rpl_1'"),
    (CHECK, "UPDATE replays SET reason = 'gone' WHERE id = 'rpl_2'"),
    (CHECK, "UPDATE replays SET cursor = -1 WHERE id = 'rpl_1'"),
    (UNIQUE, "UPDATE replays SET release = 1, status = 'running', finished_at = NULL"),
    (FOREIGN, "UPDATE replays SET webhook = 99 WHERE id = 'rpl_1'"),
    (CHECK, "UPDATE attempts SET error = NULL WHERE delivery = 1"),
    (CHECK, "UPDATE attempts SET outcome = 'delivered' WHERE delivery = 1"),
    (CHECK, "UPDATE attempts SET outcome = 'lost' WHERE delivery = 1"),
    (CHECK, "UPDATE attempts SET number = 0 WHERE delivery = 1"),
    (CHECK, "UPDATE attempts SET duration_us = -1 WHERE delivery = 1"),
    (CHECK, "UPDATE attempts SET status = 99 WHERE delivery = 5"),
    (CHECK, "UPDATE attempts SET status = 1000 WHERE delivery = 5"),
    (UNIQUE, "UPDATE attempts SET delivery = 1 WHERE delivery = 5"),
    (FOREIGN, "UPDATE attempts SET delivery = 99 WHERE delivery = 5"),
    (CHECK, "UPDATE answers SET status = 300"),
    (CHECK, "UPDATE answers SET status = 199"),
    (CHECK, "UPDATE answers SET request_sha256 = 'short'"),
    (FOREIGN, "UPDATE answers SET key_id = 'apk_9'"),
    (UNIQUE, "INSERT INTO answers SELECT * FROM answers"),
    (FOREIGN, "DELETE FROM keys WHERE id = 'apk_1'"),
    (UNIQUE, "UPDATE events SET id = 'evt_1' WHERE position = 2"),
    (UNIQUE, "UPDATE events SET idempotency_key = 'key' WHERE position = 2"),
    (UNIQUE, "UPDATE events SET livemode = 0 WHERE position = 5"),
    (CHECK, "UPDATE events SET livemode = 2 WHERE position = 1"),
    (FOREIGN, "UPDATE events SET tenant_id = 'tnt_2' WHERE position = 1"),
    (NOT_NULL, "UPDATE events SET body = NULL WHERE position = 1"),
    (FOREIGN, "DELETE FROM events WHERE position = 1"),
    (FOREIGN, "DELETE FROM webhooks WHERE number = 1"),
    (FOREIGN, "DELETE FROM deliveries WHERE position = 1"),
    (FOREIGN, "DELETE FROM tenants"),
    (CHECK, "UPDATE webhooks SET status = 'asleep' WHERE number = 1"),
    (CHECK, "UPDATE webhooks SET status = 'disabled' WHERE number = 1"),
    (CHECK, "UPDATE webhooks SET status_reason = 'gone' WHERE number = 1"),
    (CHECK, "UPDATE webhooks SET ordering = 'random' WHERE number = 1"),
    (CHECK, "UPDATE webhooks SET event_type_names = '[]' WHERE number = 1"),
    (CHECK, "UPDATE webhooks SET url = printf('%02049d', 0) WHERE number = 1"),
    (CHECK, "UPDATE webhooks SET timeout_ms = 0 WHERE number = 1"),
    (CHECK, "UPDATE webhooks SET max_in_flight = 0 WHERE number = 1"),
    (CHECK, "UPDATE webhooks SET retry_schedule = '[' WHERE number = 1"),
    (CHECK, "UPDATE webhooks SET last_sequence = -1 WHERE number = 1"),
    (CHECK, "UPDATE webhooks SET forgotten = 7 WHERE number = 1"),
    (CHECK, "UPDATE webhooks SET secrets = '[1,2,3,4,5,6]' WHERE number = 1"),
    (CHECK, "UPDATE webhooks SET secrets = '[\"whsec_AAAA\"]' WHERE number = 1"),
    (CHECK, "UPDATE webhooks SET secrets = '[\"whsk_AAAA\"]' WHERE number = 1"),
    (CHECK, "UPDATE webhooks SET headers = '{\"x-token\":\"abc\"}' WHERE number = 1"),
    (CHECK, "UPDATE webhooks SET headers = '{}' WHERE number = 1"),
    (MALFORMED, "UPDATE webhooks SET headers = '{' WHERE number = 1"),
    (MALFORMED, "UPDATE webhooks SET secrets = '[' WHERE number = 1"),
    (UNIQUE, "UPDATE webhooks SET id = 'wh_1' WHERE number = 2"),
    (CHECK, "UPDATE keys SET role = 'guest' WHERE id = 'apk_2'"),
    (CHECK, "UPDATE keys SET tenant_id = NULL WHERE id = 'apk_2'"),
    (CHECK, "UPDATE keys SET tenant_id = 'tnt_1' WHERE id = 'apk_1'"),
    (CHECK, "UPDATE keys SET investor_id = NULL WHERE id = 'apk_3'"),
    (CHECK, "UPDATE keys SET investor_id = 'inv_1' WHERE id = 'apk_2'"),
    (CHECK, "UPDATE keys SET secret_sha256 = 'short' WHERE id = 'apk_1'"),
];

async fn filled() -> (SqliteConnection, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hooks.db");
    drop(world::open(&file, START).await);
    let options = SqliteConnectOptions::new().filename(&file).foreign_keys(true);
    let mut connection = options.connect().await.unwrap();
    for sql in LEGAL {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    (connection, directory)
}

/// In a transaction of its own, which is rolled back whatever comes of it.
async fn attempt(connection: &mut SqliteConnection, sql: String) -> Result<u64, sqlx::Error> {
    let mut transaction = connection.begin().await.unwrap();
    let done = sqlx::query(AssertSqlSafe(sql)).execute(&mut *transaction).await;
    transaction.rollback().await.unwrap();
    done.map(|done| done.rows_affected())
}

async fn refuses(connection: &mut SqliteConnection, expected: &str, sql: String) {
    match attempt(connection, sql.clone()).await {
        Ok(rows) => panic!("{sql}\nwas done to {rows} rows, expected: {expected}"),
        Err(error) => assert!(error.to_string().contains(expected), "{sql}\n{error}"),
    }
}

#[tokio::test]
async fn an_illegal_delivery_is_refused() {
    let (mut connection, _directory) = filled().await;
    for (expected, change) in DELIVERIES {
        refuses(&mut connection, expected, format!("UPDATE deliveries SET {change}")).await;
    }
}

#[tokio::test]
async fn any_other_illegal_row_is_refused() {
    let (mut connection, _directory) = filled().await;
    for (expected, sql) in OTHERS {
        refuses(&mut connection, expected, sql.to_owned()).await;
    }
}

/// So that the refusals above are not for another reason.
#[tokio::test]
async fn the_steps_of_a_deliverys_life_are_not() {
    let (mut connection, _directory) = filled().await;
    for change in [
        "state = 'delivered', due_at = NULL, finished_at = 9, claim = 2 WHERE position = 1",
        "state = 'waiting', due_at = 99, failures = 1 WHERE position = 1",
        "state = 'parked', due_at = NULL, finished_at = 9, reason = 'exhausted' WHERE position = 1",
        "state = 'parked', finished_at = 9, reason = 'deleted' WHERE position = 2",
        "state = 'leased', due_at = 99, claim = 1 WHERE position = 4",
        "state = 'waiting', due_at = 9, reason = NULL, finished_at = NULL, ordering_key = 'b'
            WHERE position = 6",
    ] {
        let sql = format!("UPDATE deliveries SET {change}");
        assert_eq!(attempt(&mut connection, sql).await.unwrap(), 1, "{change}");
    }
}
