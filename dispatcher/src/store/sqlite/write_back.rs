//! Write back: the log into the database, beside the writer. Else a commit does it now and then,
//! and everybody waits for that one.

use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::{Connection, SqliteConnection};
use tokio::sync::Mutex;

use crate::store::StoreError;

/// Pages in the log that are worth it: 6 MiB. The pages that every commit changes are in it many
/// times, and written back once.
const ENOUGH: i64 = 1500;

#[derive(Debug)]
pub(super) struct WriteBack {
    connection: Mutex<SqliteConnection>,
    /// Whether something was written since the last look.
    written: AtomicBool,
}

impl WriteBack {
    pub(super) fn new(connection: SqliteConnection) -> Self {
        Self { connection: Mutex::new(connection), written: AtomicBool::new(true) }
    }

    pub(super) fn written(&self) {
        self.written.store(true, Ordering::Relaxed);
    }

    /// Takes what is there; what is written meanwhile is for the next time.
    pub(super) async fn run(&self) -> Result<(), StoreError> {
        if !self.written.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let mut connection = self.connection.lock().await;
        // Whether somebody else is at it, the pages in the log, and those that are written back.
        let (_, all, done): (i64, i64, i64) =
            sqlx::query_as("PRAGMA wal_checkpoint(NOOP)").fetch_one(&mut *connection).await?;
        if all - done >= ENOUGH {
            sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut *connection).await?;
        }
        Ok(())
    }

    pub(super) async fn close(self) -> sqlx::Result<()> {
        self.connection.into_inner().close().await
    }
}
