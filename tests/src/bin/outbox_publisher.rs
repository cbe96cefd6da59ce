//! A publisher that is no part of the daemon: it shares the database file and knows plain SQL.
//!
//! `outbox_publisher DATABASE TENANT SEED EVENTS` inserts events numbered 0, 1, 2 … in transactions
//! of random size, and rolls every third of them back. Each row comes with a row of the table
//! `ledger` in the same transaction, so the ledger says what was committed. Killed and started
//! again with the same arguments, it goes on behind the last number of the ledger, and does to
//! every number what it would have done.

use std::time::Duration;

use bluum_hooks_tests::seed::Chance;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

type Failure = Box<dyn std::error::Error>;

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS ledger (n INTEGER PRIMARY KEY, object TEXT)";
const NEXT: &str = "SELECT coalesce(max(n) + 1, 0) FROM ledger";
const PUBLISH: &str = "INSERT INTO outbox (tenant_id, livemode, event, data) VALUES (?, 0, ?, ?)";
const NOTE: &str = "INSERT INTO ledger (n, object) VALUES (?, ?)";

/// The numbers that one transaction covers, and whether it is committed.
struct Plan {
    end: i64,
    commit: bool,
}

/// The transaction that covers number `n`: the same in every life of this process.
fn plan(chance: &mut Chance, start: i64) -> Plan {
    let size = i64::try_from(chance.number(1..20)).unwrap_or(1);
    Plan { end: start + size, commit: chance.number(0..3) != 0 }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, tenant, seed, events] = arguments.as_slice() else {
        return Err("expected DATABASE TENANT SEED EVENTS".into());
    };
    let (seed, events): (u64, i64) = (seed.parse()?, events.parse()?);
    let options = SqliteConnectOptions::new()
        .filename(database)
        .busy_timeout(Duration::from_secs(30))
        .create_if_missing(false);
    let mut connection = options.connect().await?;
    sqlx::query(LEDGER).execute(&mut connection).await?;
    let next: i64 = sqlx::query_scalar(NEXT).fetch_one(&mut connection).await?;

    let mut chance = Chance::new(seed);
    let mut start = 0;
    while start < events {
        let plan = plan(&mut chance, start);
        let end = plan.end.min(events);
        if start >= next {
            transact(&mut connection, tenant, start..end, plan.commit).await?;
        }
        start = end;
    }
    Ok(())
}

/// Publishes these numbers in one transaction and commits it, or not.
async fn transact(
    connection: &mut SqliteConnection,
    tenant: &str,
    numbers: std::ops::Range<i64>,
    commit: bool,
) -> Result<(), Failure> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for n in numbers {
        let object = format!("ord_{}", n % 97);
        let data = format!(r#"{{"id":"{object}","n":{n}}}"#);
        sqlx::query(PUBLISH)
            .bind(tenant)
            .bind("order.filled")
            .bind(data)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(NOTE).bind(n).bind(object).execute(&mut *transaction).await?;
    }
    if commit {
        transaction.commit().await?
    } else {
        transaction.rollback().await?
    }
    Ok(())
}
