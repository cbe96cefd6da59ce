//! A process beside the dispatcher, with a connection of its own to the same SQLite file.

use std::path::Path;
use std::time::Duration;

use bluum_hooks_dispatcher::store::OutboxRow;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

const INSERT: &str = "
INSERT INTO outbox (
    tenant_id, livemode, event, data, investor_id, ordering_key, idempotency_key
) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

async fn connect(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(file);
    options.busy_timeout(Duration::from_secs(30)).connect().await.unwrap()
}

pub(super) async fn push(file: &Path, row: &OutboxRow) {
    let mut connection = connect(file).await;
    sqlx::query(INSERT)
        .bind(&row.tenant_id)
        .bind(row.livemode)
        .bind(&row.event)
        .bind(&row.data)
        .bind(&row.investor_id)
        .bind(&row.ordering_key)
        .bind(&row.idempotency_key)
        .execute(&mut connection)
        .await
        .unwrap();
}

pub(super) async fn rejected(file: &Path) -> Vec<(i64, String)> {
    let mut connection = connect(file).await;
    let rejected = sqlx::query_as("SELECT position, reason FROM outbox_rejected ORDER BY position");
    rejected.fetch_all(&mut connection).await.unwrap()
}
