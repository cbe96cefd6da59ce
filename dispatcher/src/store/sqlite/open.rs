//! Opening a database file: lock, migrate, take stock.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use bluum_hooks_shared::time::Timestamp;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};
use tokio::sync::Mutex;
use tracing::info;

use super::{SqliteStore, Writer, outbox, registry, statement};
use crate::store::{Registry, StoreError};

/// How long to wait for a publisher of the outbox that holds the write lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections for reading; SQLite readers block nobody.
const READERS: u32 = 4;

/// Why a database file cannot be used, in words for whoever runs the daemon.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("another dispatcher uses {}; a database file serves one at a time", path.display())]
    InUse { path: PathBuf },
    #[error("cannot open {}", path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        cause: Cause,
    },
}

impl SqliteStore {
    /// Opens the file for serving, creating and migrating it as needed, and locks out every other
    /// dispatcher. What a dispatcher that died had claimed is due at once.
    pub async fn open(path: &Path, now: Timestamp) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        let options = options(path);
        let unusable = |error| unusable(path, error);
        let mut connection = options.connect().await.map_err(|error| unusable(error.into()))?;
        migrate(&mut connection).await.map_err(|error| unusable(error.into()))?;
        let (writer, registry) =
            take_stock(connection, now).await.map_err(|error| unusable(error.into()))?;
        let watch = options.connect().await.map_err(|error| unusable(error.into()))?;
        Ok(Self {
            writer: Mutex::new(writer),
            outbox_watch: Mutex::new(outbox::Watch::new(watch)),
            readers: SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(options),
            registry: RwLock::new(Arc::new(registry)),
            _lock: lock,
        })
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

fn unusable(path: &Path, cause: Cause) -> OpenError {
    OpenError::Unusable { path: path.to_owned(), cause }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("temp_store", "memory")
        .disable_statement_logging()
}

async fn migrate(connection: &mut SqliteConnection) -> Result<(), MigrateError> {
    sqlx::migrate!("../migrations/sqlite").run(connection).await
}

/// Reads the numbers and the registry, and makes what a dead dispatcher held due at once.
async fn take_stock(
    mut connection: SqliteConnection,
    now: Timestamp,
) -> Result<(Writer, Registry), StoreError> {
    let (registry, sequences) = registry::load(&mut connection).await?;
    let last_event = last_position(&mut connection, "events").await?;
    let last_delivery = last_position(&mut connection, "deliveries").await?;
    let abandoned = sqlx::query(statement::ABANDONED).bind(now.as_micros());
    let deliveries = abandoned.execute(&mut connection).await?.rows_affected();
    if deliveries > 0 {
        info!(deliveries, "taking up what the last dispatcher left in flight");
    }
    Ok((Writer { connection, last_event, last_delivery, sequences }, registry))
}

async fn last_position(
    connection: &mut SqliteConnection,
    table: &'static str,
) -> Result<i64, StoreError> {
    let last = sqlx::query_scalar(statement::LAST_POSITION).bind(table);
    Ok(last.fetch_optional(connection).await?.unwrap_or(0))
}

/// An advisory lock on a file beside the database. It dies with the process, however that ends.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&name)
        .map_err(|error| unusable(path, error.into()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(unusable(path, error.into())),
    }
}
