//! Every statement of the SQLite store means something on a freshly migrated database, and none
//! reads a large table from end to end.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of tests stops where it cannot go on"
)]

use bluum_hooks_dispatcher::store::sqlite::statement;
use bluum_hooks_tests::conformance::world::{self, START};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

/// What may be read whole: the parameters, the lanes already found, what one listener is owed
/// or has missed, and the tables that are small or emptied at once.
const SCANS: [&str; 17] = [
    "SCAN row VIRTUAL TABLE",
    "SCAN line VIRTUAL TABLE",
    "SCAN lane VIRTUAL TABLE",
    "SCAN due",
    "SCAN lanes",
    "SCAN claimable",
    "SCAN longest",
    "SCAN owed",
    "SCAN latest",
    "SCAN CONSTANT ROW",
    "SCAN outbox",
    "SCAN outbox_rejected",
    "SCAN sqlite_sequence",
    "SCAN tenants",
    "SCAN keys",
    "SCAN webhooks",
    "SCAN replays",
];

/// At the start, what a dead dispatcher held is looked for among what is under way.
const SCAN_AT_START: (&str, &str) = ("ABANDONED", "SCAN deliveries USING INDEX deliveries_due");

/// The indexes that these statements were written for, each as often as it must be used.
const INDEXES: [(&str, &str, usize); 32] = [
    ("ANSWER", "PRIMARY KEY (key_id=? AND idempotency_key=?)", 1),
    ("FORGET_ANSWERS", "answers_by_age (created_at<?)", 1),
    ("BUSY_LINES", "deliveries_one_under_way (webhook=? AND ordering_key=?)", 1),
    ("PUBLISHED_WITH", "events_published_once", 1),
    // A loose scan: find the first, then again and again the first behind the last found.
    ("LANES", "SEARCH deliveries USING COVERING INDEX deliveries_due", 1),
    ("LANES", "SEARCH next USING COVERING INDEX deliveries_due (webhook>?)", 1),
    ("LANES", "SEARCH due USING COVERING INDEX deliveries_due (webhook=? AND due_at<?)", 1),
    ("LANES", "SEARCH later USING COVERING INDEX deliveries_due (webhook=? AND due_at>?)", 1),
    ("DUE_OF_LANES", "COVERING INDEX deliveries_due (webhook=? AND due_at<?)", 1),
    ("SET_PROGRESS", "deliveries USING INTEGER PRIMARY KEY (rowid=?)", 1),
    ("SET_CLAIMED", "deliveries USING INTEGER PRIMARY KEY (rowid=?)", 1),
    ("SET_DELIVERED", "deliveries USING INTEGER PRIMARY KEY (rowid=?)", 1),
    ("INSERT_DELIVERIES", "deliveries_one_under_way (webhook=? AND ordering_key=?)", 1),
    ("BEGUN_QUEUED", "deliveries USING INTEGER PRIMARY KEY (rowid>?)", 1),
    ("PROMOTE", "deliveries USING INTEGER PRIMARY KEY (rowid=?)", 1),
    ("PROMOTE", "deliveries_queued (webhook=? AND ordering_key=?)", 1),
    ("PROMOTED", "deliveries_one_under_way (webhook=? AND ordering_key=? AND rowid<?)", 1),
    ("QUEUED_OF_WEBHOOK", "deliveries_queued (webhook=?)", 1),
    ("TO_PARK_OF_WEBHOOK", "deliveries_due (webhook=? AND due_at>?)", 1),
    ("MISSED", "events_of_tenant (tenant_id=? AND livemode=?)", 1),
    ("MISSED", "(event=? AND webhook=?)", 1),
    ("GAP", "deliveries_parked (webhook=? AND sequence>?)", 1),
    ("GAP", "sqlite_autoindex_deliveries_2 (webhook=?)", 1),
    ("PARKED_TO_REPLAY", "deliveries_parked (webhook=? AND sequence>? AND sequence<?)", 1),
    ("DELIVERED_TO_REPLAY", "(webhook=? AND sequence>? AND sequence<?)", 1),
    ("SEALED_ANSWERS", "answers_sealed (sealed_with>?)", 1),
    ("EVENTS", "events_of_tenant (tenant_id=? AND livemode=? AND position>?)", 1),
    ("PARKED_OF_WEBHOOK", "deliveries_parked (webhook=? AND sequence<?)", 1),
    ("DELIVERIES_OF_WEBHOOK", "(webhook=? AND sequence<?)", 1),
    ("DELIVERIES_OF_EVENT", "(event=? AND webhook>?)", 1),
    ("DELIVERY", "deliveries_one_under_way (webhook=? AND ordering_key=?)", 1),
    ("ATTEMPTS", "PRIMARY KEY (delivery=?)", 1),
];

async fn migrated() -> (SqliteConnection, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hooks.db");
    drop(world::open(&file, START).await);
    (SqliteConnectOptions::new().filename(&file).connect().await.unwrap(), directory)
}

async fn plan(connection: &mut SqliteConnection, name: &str, sql: &str) -> Vec<String> {
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let rows = sqlx::query(explain).fetch_all(connection).await;
    let rows = rows.unwrap_or_else(|error| panic!("{name}: {error}"));
    rows.iter().map(|row| row.get("detail")).collect()
}

#[tokio::test]
async fn no_statement_reads_a_large_table_whole() {
    let (mut connection, _directory) = migrated().await;
    for (name, sql) in statement::ALL {
        for step in plan(&mut connection, name, sql).await {
            let small = SCANS.iter().any(|scan| {
                step.strip_prefix(scan).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            });
            let scan = step.starts_with("SCAN") && !small && (*name, &*step) != SCAN_AT_START;
            assert!(!scan, "{name} reads a table whole: {step}");
            assert!(!step.contains("TEMP B-TREE"), "{name} sorts: {step}");
            assert!(!step.contains("AUTOMATIC"), "{name} builds an index to use once: {step}");
        }
    }
}

/// The audit reads each table once, from end to end; what it looks up on the way has an index.
#[tokio::test]
async fn the_audit_reads_each_table_once() {
    const LARGE: [&str; 4] = ["deliveries", "delivery", "events", "attempts"];
    let (mut connection, _directory) = migrated().await;
    for (name, sql) in statement::AUDIT {
        let plan = plan(&mut connection, name, sql).await;
        let scans = plan.iter().filter_map(|step| step.strip_prefix("SCAN "));
        let large = scans.filter(|scan| LARGE.iter().any(|table| scan.starts_with(table)));
        assert!(large.count() <= 1, "{name} reads large tables again and again: {plan:#?}");
        let automatic = plan.iter().any(|step| step.contains("AUTOMATIC"));
        assert!(!automatic, "{name} builds an index to use once: {plan:#?}");
    }
}

#[tokio::test]
async fn every_index_is_used_by_what_it_is_for() {
    let (mut connection, _directory) = migrated().await;
    for (name, index, times) in INDEXES {
        let (_, sql) = statement::ALL.iter().find(|(known, _)| *known == name).unwrap();
        let plan = plan(&mut connection, name, sql).await;
        let used = plan.iter().filter(|step| step.contains(index)).count();
        assert_eq!(used, times, "{name} uses {index}: {plan:#?}");
    }
}

/// With a hundred thousand deliveries waiting for two webhooks, finding the two takes no longer
/// than with two.
#[tokio::test]
async fn lanes_are_found_without_looking_at_what_waits_in_them() {
    const WAIT: &str = "
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO deliveries (
            id, event, webhook, sequence, state, due_at, claim, lost_claims, attempts, failures,
            created_at
        )
        SELECT ?2 || i, i, ?2, i, 'waiting', i, 0, 0, 0, 0, 0 FROM n";
    const WAITING: i64 = 50_000;
    let (mut connection, _directory) = migrated().await;
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut connection).await.unwrap();
    for webhook in [3, 7] {
        sqlx::query(WAIT).bind(WAITING).bind(webhook).execute(&mut connection).await.unwrap();
    }
    let (_, lanes) = statement::ALL.iter().find(|(name, _)| *name == "LANES").unwrap();
    for (now, due, next) in [(0, false, Some(1)), (9, true, Some(10)), (WAITING, true, None)] {
        let found: Vec<(i64, bool, Option<i64>)> =
            sqlx::query_as(*lanes).bind(now).fetch_all(&mut connection).await.unwrap();
        assert_eq!(found, [(3, due, next), (7, due, next)], "at {now}");
    }
}

#[test]
fn every_statement_is_listed() {
    let sources = [
        include_str!("../../dispatcher/src/store/sqlite/statement/audit.rs"),
        include_str!("../../dispatcher/src/store/sqlite/statement/repair.rs"),
        include_str!("../../dispatcher/src/store/sqlite/statement/queue.rs"),
        include_str!("../../dispatcher/src/store/sqlite/statement/read.rs"),
        include_str!("../../dispatcher/src/store/sqlite/statement/settings.rs"),
    ];
    let lines = sources.iter().flat_map(|source| source.lines());
    let mut written: Vec<_> = lines
        .filter_map(|line| line.strip_prefix("pub(crate) const "))
        .filter_map(|line| line.split(':').next())
        .collect();
    let mut listed: Vec<_> =
        statement::ALL.iter().chain(statement::AUDIT).map(|(name, _)| *name).collect();
    written.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, written);
}
