//! The inbox's tables.

use super::backend::{Backend, Value};
use super::{Inbox, InboxError};

impl<DB: Backend> Inbox<DB> {
    /// Makes the inbox's tables, or brings those of an earlier version of this crate up to date.
    ///
    /// Call it at each start: it does nothing where nothing is to be done, and several processes
    /// may do it at once. The tables are all called `bluum_inbox_…`; on PostgreSQL they are made in
    /// the first schema of the `search_path`. For a migration tool of your own there are the same
    /// statements in `migrations/sqlite.sql` and `migrations/postgres.sql` of this crate.
    pub async fn migrate(&self) -> Result<(), InboxError> {
        let mut tx = self.begin().await?;
        DB::rows(&mut tx, DB::LOCK_SCHEMA, &[]).await?;
        let found = match number::<DB>(&mut tx, DB::HAS_SCHEMA).await? {
            0 => 0,
            _ => number::<DB>(&mut tx, "SELECT version FROM bluum_inbox_schema").await?,
        };
        let known = DB::MIGRATIONS.len();
        let missing = usize::try_from(found).ok().and_then(|found| DB::MIGRATIONS.get(found..));
        let Some(missing) = missing else {
            let known = i64::try_from(known).unwrap_or(i64::MAX);
            return Err(InboxError::MadeByLaterVersion { found, known });
        };
        for script in missing {
            DB::script(&mut tx, script).await?;
        }
        tx.commit().await?;
        if !missing.is_empty() {
            tracing::debug!(from = found, to = known, "inbox migrated");
        }
        Ok(())
    }
}

/// The one number that a query gives.
async fn number<DB: Backend>(
    connection: &mut DB::Connection,
    query: &'static str,
) -> Result<i64, InboxError> {
    let row = DB::rows(connection, query, &[] as &[Value<'_>]).await?.pop();
    let row = row.ok_or(sqlx::Error::RowNotFound)?;
    Ok(DB::int(&row, 0)?.ok_or(sqlx::Error::RowNotFound)?)
}
