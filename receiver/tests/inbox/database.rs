//! One test, two databases.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bluum_hooks_receiver::inbox::{Backend, HandlerError, Inbox};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{PgConnection, Pool, Postgres, Sqlite, SqliteConnection};

use super::postgres;

/// A database with a partner's table `fills`, in which no row is unique.
pub(crate) struct Database<D: Backend> {
    /// How another process finds it.
    pub(crate) place: String,
    pub(crate) pool: Pool<D>,
    _folder: Option<tempfile::TempDir>,
}

impl<D: TestBackend> Database<D> {
    /// An inbox as a program would have it that has just started.
    pub(crate) async fn inbox(&self) -> Inbox<D> {
        let inbox = Inbox::new(self.pool.clone());
        inbox.migrate().await.unwrap();
        inbox
    }

    pub(crate) async fn fills(&self) -> i64 {
        self.number("SELECT COUNT(*) FROM fills").await
    }

    pub(crate) async fn number(&self, query: &'static str) -> i64 {
        D::number(&mut *self.pool.acquire().await.unwrap(), query).await
    }

    /// Until somebody waits for a lock, where that can be asked.
    pub(crate) async fn until_somebody_waits(&self) {
        let Some(waiting) = D::WAITING else { return };
        let nobody = async {
            while self.number(waiting).await == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), nobody).await.expect("nobody waits");
    }

    pub(crate) async fn run(&self, statement: &'static str) {
        D::run(&mut *self.pool.acquire().await.unwrap(), statement).await.unwrap();
    }
}

/// What tests need of a database.
pub(crate) trait TestBackend: Backend {
    /// How many wait for somebody else's lock: `None` if it cannot be asked.
    const WAITING: Option<&'static str>;

    /// A new one.
    fn create() -> impl Future<Output = Database<Self>> + Send;
    /// The one at this place.
    fn open(place: &str) -> impl Future<Output = Pool<Self>> + Send;
    fn run(
        connection: &mut Self::Connection,
        statement: &'static str,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send;
    fn number(
        connection: &mut Self::Connection,
        query: &'static str,
    ) -> impl Future<Output = i64> + Send;
}

/// A new one, with the partner's table.
pub(crate) async fn create<D: TestBackend>() -> Database<D> {
    let database = D::create().await;
    database.run("CREATE TABLE fills (order_id TEXT NOT NULL)").await;
    database
}

/// Writes what a handler would.
pub(crate) async fn fill<D: TestBackend>(
    connection: &mut D::Connection,
) -> Result<(), HandlerError> {
    D::run(connection, "INSERT INTO fills (order_id) VALUES ('ord_1')").await
}

impl TestBackend for Sqlite {
    const WAITING: Option<&'static str> = None;

    async fn create() -> Database<Self> {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("inbox.db").to_str().unwrap().to_owned();
        Database { pool: Self::open(&place).await, place, _folder: Some(folder) }
    }

    async fn open(place: &str) -> Pool<Self> {
        let options = SqliteConnectOptions::new().filename(Path::new(place));
        let options = options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
        SqlitePoolOptions::new().connect_with(options).await.unwrap()
    }

    async fn run(
        connection: &mut SqliteConnection,
        statement: &'static str,
    ) -> Result<(), HandlerError> {
        sqlx::raw_sql(statement).execute(connection).await?;
        Ok(())
    }

    async fn number(connection: &mut SqliteConnection, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(connection).await.unwrap()
    }
}

impl TestBackend for Postgres {
    const WAITING: Option<&'static str> = Some(
        "SELECT COUNT(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );

    async fn create() -> Database<Self> {
        static CREATED: AtomicU32 = AtomicU32::new(0);
        let place = format!("inbox_{}", CREATED.fetch_add(1, Ordering::Relaxed));
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {place}"));
        let admin = Self::open("postgres").await;
        sqlx::raw_sql(create).execute(&admin).await.unwrap();
        admin.close().await;
        Database { pool: Self::open(&place).await, place, _folder: None }
    }

    async fn open(place: &str) -> Pool<Self> {
        let folder = std::env::var_os("INBOX_TEST_SOCKET").map(Into::into);
        let socket = folder.unwrap_or_else(|| postgres::socket().clone());
        let options = PgConnectOptions::new_without_pgpass().socket(socket);
        let options = options.username("postgres").database(place);
        PgPoolOptions::new().max_connections(8).connect_with(options).await.unwrap()
    }

    async fn run(
        connection: &mut PgConnection,
        statement: &'static str,
    ) -> Result<(), HandlerError> {
        sqlx::raw_sql(statement).execute(connection).await?;
        Ok(())
    }

    async fn number(connection: &mut PgConnection, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(connection).await.unwrap()
    }
}

/// Runs each of these on both databases, as a test each.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::database::create::<sqlx::Sqlite>().await).await;
            })*
        }

        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::database::create::<sqlx::Postgres>().await).await;
            })*
        }
    };
}

pub(crate) use on_both;
