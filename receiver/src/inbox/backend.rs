//! What SQLite and PostgreSQL do differently, and how a statement gets to either.
//!
//! All other statements are the same text for both: each reads `$1` and `ON CONFLICT`.

use std::future::Future;

use sqlx::Database;
use sqlx::query::Query;

/// A database that an inbox can live in: `sqlx::Sqlite` (feature `sqlite`) or `sqlx::Postgres`
/// (feature `postgres`).
///
/// Sealed: its supertrait cannot be named elsewhere.
pub trait Backend: Statements {}

/// A parameter of a statement.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Int(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// How statements are run. Written once below, compiled for each database.
pub trait Statements: Database {
    /// Begins a transaction that will write, and lets copies of an event wait for each other.
    const BEGIN: &'static str;
    /// Keeps others from migrating until the transaction ends.
    const LOCK_SCHEMA: &'static str;
    /// Whether there is a `bluum_inbox_schema`: one row, 0 or 1.
    const HAS_SCHEMA: &'static str;
    /// What brings the schema from each version, 0 first, to the next.
    const MIGRATIONS: &'static [&'static str];

    /// A statement with its parameters.
    fn bind<'q>(statement: &'static str, values: &[Value<'_>]) -> Query<'q, Self, Self::Arguments>;

    /// Runs a statement; gives the number of rows changed.
    fn execute(
        connection: &mut Self::Connection,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Runs a statement; gives its rows.
    fn rows(
        connection: &mut Self::Connection,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> impl Future<Output = sqlx::Result<Vec<Self::Row>>> + Send;

    /// Runs many statements.
    fn script(
        connection: &mut Self::Connection,
        script: &'static str,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// A number of a row; `None` for NULL.
    fn int(row: &Self::Row, column: usize) -> sqlx::Result<Option<i64>>;

    /// A text of a row; `None` for NULL.
    fn text(row: &Self::Row, column: usize) -> sqlx::Result<Option<String>>;

    /// Bytes of a row; `None` for NULL.
    fn bytes(row: &Self::Row, column: usize) -> sqlx::Result<Option<Vec<u8>>>;
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
macro_rules! backend {
    ($database:ty { $($differs:item)* }) => {
        impl Backend for $database {}

        impl Statements for $database {
            $($differs)*

            fn bind<'q>(
                statement: &'static str,
                values: &[Value<'_>],
            ) -> Query<'q, Self, Self::Arguments> {
                values.iter().fold(sqlx::query(statement), |query, value| match *value {
                    Value::Int(number) => query.bind(number),
                    Value::Text(text) => query.bind(text),
                    Value::Bytes(bytes) => query.bind(bytes),
                })
            }

            async fn execute(
                connection: &mut Self::Connection,
                statement: &'static str,
                values: &[Value<'_>],
            ) -> sqlx::Result<u64> {
                Ok(Self::bind(statement, values).execute(connection).await?.rows_affected())
            }

            async fn rows(
                connection: &mut Self::Connection,
                statement: &'static str,
                values: &[Value<'_>],
            ) -> sqlx::Result<Vec<Self::Row>> {
                Self::bind(statement, values).fetch_all(connection).await
            }

            async fn script(
                connection: &mut Self::Connection,
                script: &'static str,
            ) -> sqlx::Result<()> {
                sqlx::raw_sql(script).execute(connection).await.map(drop)
            }

            fn int(row: &Self::Row, column: usize) -> sqlx::Result<Option<i64>> {
                sqlx::Row::try_get(row, column)
            }

            fn text(row: &Self::Row, column: usize) -> sqlx::Result<Option<String>> {
                sqlx::Row::try_get(row, column)
            }

            fn bytes(row: &Self::Row, column: usize) -> sqlx::Result<Option<Vec<u8>>> {
                sqlx::Row::try_get(row, column)
            }
        }
    };
}

#[cfg(feature = "sqlite")]
backend!(sqlx::Sqlite {
    // A transaction that reads first and then writes could be refused half-way (SQLITE_BUSY).
    const BEGIN: &'static str = "BEGIN IMMEDIATE";
    const LOCK_SCHEMA: &'static str = "SELECT 1";
    const HAS_SCHEMA: &'static str =
        "SELECT COUNT(*) FROM sqlite_master WHERE name = 'bluum_inbox_schema'";
    const MIGRATIONS: &'static [&'static str] = &[include_str!("../../migrations/sqlite.sql")];
});

#[cfg(feature = "postgres")]
backend!(sqlx::Postgres {
    // The second of two copies has to see what the first has committed, once it goes on.
    const BEGIN: &'static str = "BEGIN ISOLATION LEVEL READ COMMITTED";
    // The number is nobody else's: the letters of `bluuminb`.
    const LOCK_SCHEMA: &'static str = "SELECT pg_advisory_xact_lock(7092172660408938082)";
    const HAS_SCHEMA: &'static str =
        "SELECT COUNT(*) FROM (VALUES (to_regclass('bluum_inbox_schema'))) AS found (name)
         WHERE name IS NOT NULL";
    const MIGRATIONS: &'static [&'static str] = &[include_str!("../../migrations/postgres.sql")];
});
