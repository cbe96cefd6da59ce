//! Opening a database file: lock, migrate, find the key, take stock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use bluum_hooks_shared::time::Timestamp;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;
use tracing::info;

use super::accept::Numbers;
use super::write_back::WriteBack;
use super::{SqliteStore, Writer, outbox, registry, statement, write};
use crate::crash_point;
use crate::random::Random;
use crate::store::{Registry, StoreError};
use crate::vault::{KeyError, KeySource, Vault, VaultKey};

/// How long to wait for a publisher of the outbox that holds the write lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections for reading; SQLite readers block nobody.
const READERS: u32 = 4;
/// How much of the database the writer keeps in memory, in KiB as SQLite wants it: below zero. What
/// was written last is read next, and a commit under load changes more than the default holds.
const WRITER_CACHE: &str = "-16384";
/// When the write-ahead log has so many pages, 24 MiB, the writer itself writes back what is left,
/// so that the log begins anew.
const LOG_PAGES: &str = "6000";

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
    #[error("{} cannot be opened without its key{}", path.display(), among(sealed_with))]
    NoKey {
        path: PathBuf,
        /// The ids of the keys that its secrets are sealed with; none if it has no secrets.
        sealed_with: Vec<String>,
        #[source]
        cause: KeyError,
    },
    #[error(
        "the secrets in {} are sealed with key {sealed_with}, and {place} holds key {given}",
        path.display()
    )]
    OtherKey { path: PathBuf, sealed_with: String, place: String, given: String },
}

fn among(keys: &[String]) -> String {
    if keys.is_empty() { String::new() } else { format!(" {}", keys.join(", ")) }
}

impl SqliteStore {
    /// Opens the file for serving, creating and migrating it as needed, and locks out every other
    /// dispatcher. What a dispatcher that died had claimed is due at once.
    ///
    /// With [`KeySource::Ours`], a database that does not exist gets a key beside it first. For one
    /// that exists, the key must be there, and be the one that its secrets are sealed with.
    pub async fn open(
        path: &Path,
        keys: &KeySource,
        random: Arc<dyn Random>,
        now: Timestamp,
    ) -> Result<Self, OpenError> {
        let path = &real(path)?;
        let lock = lock(path)?;
        if is_new(path) {
            let no_key = |cause| no_key(path, Vec::new(), cause);
            keys.read_or_make(&*random).map_err(no_key)?;
        } else {
            may_be_written(path)?;
        }
        let options = options(path);
        let unusable = |error| unusable(path, error);
        let mut connection = connect(path, &options).await?;
        let vault = Vault::new(&key(&mut connection, path, keys).await?, random);
        let (writer, registry) =
            take_stock(connection, &vault, now).await.map_err(|error| unusable(error.into()))?;
        let watch = options.connect().await.map_err(|error| unusable(error.into()))?;
        let write_back = options.connect().await.map_err(|error| unusable(error.into()))?;
        Ok(Self {
            writer: Mutex::new(writer),
            outbox_watch: Mutex::new(outbox::Watch::new(watch)),
            readers: pool(&options, READERS),
            hot_reader: pool(&options, 1),
            write_back: WriteBack::new(write_back),
            options,
            registry: RwLock::new(Arc::new(registry)),
            vault,
            outage: Default::default(),
            _lock: lock,
        })
    }
}

pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

pub(super) fn unusable(path: &Path, cause: Cause) -> OpenError {
    OpenError::Unusable { path: path.to_owned(), cause }
}

fn no_key(path: &Path, sealed_with: Vec<String>, cause: KeyError) -> OpenError {
    OpenError::NoKey { path: path.to_owned(), sealed_with, cause }
}

/// The file itself, whatever links lead to it: two names of one file must meet at one lock.
pub(super) fn real(path: &Path) -> Result<PathBuf, OpenError> {
    let failed = |error: std::io::Error| unusable(path, error.into());
    if path.exists() {
        return path.canonicalize().map_err(failed);
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let name = path.file_name().ok_or_else(|| failed(ErrorKind::InvalidInput.into()))?;
    Ok(folder.canonicalize().map_err(failed)?.join(name))
}

/// Whether there is no database in this file yet.
pub(super) fn is_new(path: &Path) -> bool {
    !std::fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

/// SQLite would open a read-only file, too, and leave files beside it that stay read-only.
fn may_be_written(path: &Path) -> Result<(), OpenError> {
    let opened = OpenOptions::new().write(true).open(path);
    opened.map(drop).map_err(|error| unusable(path, error.into()))
}

fn pool(options: &SqliteConnectOptions, connections: u32) -> SqlitePool {
    SqlitePoolOptions::new().max_connections(connections).connect_lazy_with(options.clone())
}

pub(super) fn options(path: &Path) -> SqliteConnectOptions {
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

/// A connection for writing.
pub(super) async fn writing(options: &SqliteConnectOptions) -> sqlx::Result<SqliteConnection> {
    let options = options.clone().pragma("cache_size", WRITER_CACHE);
    options.pragma("wal_autocheckpoint", LOG_PAGES).connect().await
}

/// Opens the file and brings its schema up to date.
pub(super) async fn connect(
    path: &Path,
    options: &SqliteConnectOptions,
) -> Result<SqliteConnection, OpenError> {
    let unusable = |error: Cause| unusable(path, error);
    let mut connection = writing(options).await.map_err(|error| unusable(error.into()))?;
    migrate(&mut connection).await.map_err(|error| unusable(error.into()))?;
    Ok(connection)
}

pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<(), MigrateError> {
    sqlx::migrate!("../migrations/sqlite").run(connection).await
}

/// The key, if it is the one that the secrets in the database are sealed with.
pub(super) async fn key(
    connection: &mut SqliteConnection,
    path: &Path,
    keys: &KeySource,
) -> Result<VaultKey, OpenError> {
    let sealed_with = sqlx::query_scalar(statement::SEALING_KEYS).fetch_all(connection).await;
    let mut sealed_with: Vec<String> = sealed_with.map_err(|error| unusable(path, error.into()))?;
    sealed_with.sort_unstable();
    // One is left, unless somebody has mixed databases.
    sealed_with.dedup();
    let key = match keys.read() {
        Ok(key) => key,
        Err(cause) => return Err(no_key(path, sealed_with, cause)),
    };
    let given = key.id();
    if sealed_with.iter().all(|known| *known == given) {
        return Ok(key);
    }
    let (path, place, sealed_with) = (path.to_owned(), keys.to_string(), sealed_with.join(", "));
    Err(OpenError::OtherKey { path, sealed_with, place, given })
}

/// Reads the numbers and the registry, and makes what a dead dispatcher held due at once.
async fn take_stock(
    mut connection: SqliteConnection,
    vault: &Vault,
    now: Timestamp,
) -> Result<(Writer, Registry), StoreError> {
    let abandoned = sqlx::query(statement::ABANDONED).bind(now.as_micros());
    let deliveries = abandoned.execute(&mut connection).await?.rows_affected();
    if deliveries > 0 {
        info!(deliveries, "taking up what the last dispatcher left in flight");
    }
    crash_point::reach("open.leases_ended");
    let stock = read_all(connection, vault).await;
    crash_point::reach("open.read");
    stock
}

/// What is kept in memory, as it stands in the database.
pub(super) async fn read_all(
    mut connection: SqliteConnection,
    vault: &Vault,
) -> Result<(Writer, Registry), StoreError> {
    let (registry, sequences) = registry::load(&mut connection, vault).await?;
    let last_event = last_position(&mut connection, "events").await?;
    let last_delivery = last_position(&mut connection, "deliveries").await?;
    let numbers = Numbers { last_event, last_delivery, sequences };
    write::prepare(&mut connection).await?;
    let writer = Writer { connection, numbers, in_doubt: false };
    Ok((writer, registry))
}

async fn last_position(
    connection: &mut SqliteConnection,
    table: &'static str,
) -> Result<i64, StoreError> {
    let last = sqlx::query_scalar(statement::LAST_POSITION).bind(table);
    Ok(last.fetch_optional(connection).await?.unwrap_or(0))
}

/// An advisory lock on a file beside the database. It dies with the process, however that ends.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
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
