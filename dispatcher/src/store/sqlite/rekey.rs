//! Sealing everything anew, with another key: offline, in one transaction.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bluum_hooks_shared::api::CustomHeaders;
use serde::Serialize;
use sqlx::{Connection, Row, SqliteConnection};
use tracing::warn;

use super::open::{Cause, connect, is_new, key, lock, options, real, unusable};
use super::registry::json;
use super::seal::{SecretRow, reseal_headers, seal_headers};
use super::{OpenError, answers, row, statement};
use crate::random::Random;
use crate::store::StoreError;
use crate::vault::{KeyError, KeySource, Vault};

/// Why nothing was sealed anew. The database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RekeyError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("there is no new key")]
    NoNewKey(#[source] KeyError),
    #[error("the new key, in {place}, is the one in use, {key_id}")]
    SameKey { place: String, key_id: String },
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rekeyed {
    pub webhooks: u64,
    pub secrets: u64,
    /// The ids of the two keys.
    pub old_key_id: String,
    pub new_key_id: String,
}

/// Seals everything sealed in a database file with another key. No dispatcher may use the file
/// meanwhile. The new key is made if its file is [`KeySource::Ours`] and does not exist.
pub async fn rekey(
    path: &Path,
    old: &KeySource,
    new: &KeySource,
    random: Arc<dyn Random>,
) -> Result<Rekeyed, RekeyError> {
    if is_new(path) {
        let cause = io::Error::new(io::ErrorKind::NotFound, "there is no database");
        return Err(unusable(path, cause.into()).into());
    }
    let path = &real(path)?;
    let _lock = lock(path)?;
    // What the old key opens is overwritten, not just let go of.
    let options = options(path).pragma("secure_delete", "on");
    let mut connection = connect(path, &options).await?;
    let old_key = key(&mut connection, path, old).await?;
    let new_key = new.read_or_make(&*random).map_err(RekeyError::NoNewKey)?;
    if new_key == old_key {
        return Err(RekeyError::SameKey { place: new.to_string(), key_id: new_key.id() });
    }
    let from = Vault::new(&old_key, Arc::clone(&random));
    let to = Vault::new(&new_key, random);
    let unusable = |cause: Cause| unusable(path, cause);
    // What updates long ago let go of still stands in free space. First, because it needs room and
    // may fail: then nothing has changed.
    let rewritten = sqlx::query("VACUUM").execute(&mut connection).await;
    rewritten.map_err(|error| unusable(error.into()))?;
    let rekeyed =
        reseal(&mut connection, &from, &to).await.map_err(|error| unusable(error.into()))?;
    if let Err(error) =
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await
    {
        warn!(%error, "sealed anew; the log beside the database may still hold what was before");
    }
    Ok(rekeyed)
}

async fn reseal(
    connection: &mut SqliteConnection,
    from: &Vault,
    to: &Vault,
) -> Result<Rekeyed, StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let (mut webhooks, mut secrets) = (0, 0);
    for found in sqlx::query(statement::SEALED).fetch_all(&mut *transaction).await? {
        let id: String = found.try_get("id")?;
        let deleted: bool = found.try_get("deleted")?;
        // A deleted webhook signs nothing any more, and nobody could mend what does not open of it.
        let mut rows: Vec<SecretRow> = if deleted { Vec::new() } else { json(&found, "secrets")? };
        for row in &mut rows {
            row.reseal(&id, from, to)?;
            secrets += 1;
        }
        let mut headers = json(&found, "headers")?;
        if deleted {
            headers = seal_headers(to, &id, &CustomHeaders::default())?;
        } else {
            reseal_headers(&mut headers, &id, from, to)?;
        }
        let set = sqlx::query(statement::SET_SEALED).bind(&id).bind(row::batch(&rows)?);
        let set = set.bind(row::batch(&headers)?);
        webhooks += set.execute(&mut *transaction).await?.rows_affected();
    }
    for found in sqlx::query(statement::SEALED_ANSWERS).fetch_all(&mut *transaction).await? {
        let (caller, key): (String, String) =
            (found.try_get("key_id")?, found.try_get("idempotency_key")?);
        let (owner, body): (_, Vec<u8>) = (answers::owner(&caller, &key), found.try_get("body")?);
        let sealed = to.seal(&owner, &from.open(&owner, &answers::sealed(&body)?)?)?;
        sqlx::query(statement::SET_SEALED_ANSWER)
            .bind(caller)
            .bind(key)
            .bind(row::batch(&sealed)?.into_bytes())
            .bind(to.key_id())
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    let (old_key_id, new_key_id) = (from.key_id().to_owned(), to.key_id().to_owned());
    Ok(Rekeyed { webhooks, secrets, old_key_id, new_key_id })
}
