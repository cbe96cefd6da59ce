//! First answers, kept under the caller's idempotency key in the commit of what they answer.

use bluum_hooks_shared::id::KeyId;
use bluum_hooks_shared::time::Timestamp;
use bytes::Bytes;
use sqlx::{SqliteConnection, SqlitePool};

use super::write::{Changes, Rows};
use super::{row, statement};
use crate::store::{ANSWER_LIFE, Answer, NewAnswer, StoreError};
use crate::vault::{Sealed, Vault};

/// The last moment of answers that have expired by now.
fn expired(now: Timestamp) -> i64 {
    let life = i64::try_from(ANSWER_LIFE.as_micros()).unwrap_or(i64::MAX);
    now.as_micros().saturating_sub(life)
}

/// Whom the answer under this key is sealed for.
pub(super) fn owner(caller: &str, idempotency_key: &str) -> String {
    format!("{caller}/{idempotency_key}")
}

/// Keeps all of them, or none: a key in use is an error, and the caller rolls back.
pub(super) async fn keep(
    transaction: &mut SqliteConnection,
    answers: &[NewAnswer],
    vault: &Vault,
    now: Timestamp,
) -> Result<(), StoreError> {
    if answers.is_empty() {
        return Ok(());
    }
    let mut changes = Changes::default();
    add(&mut changes, answers, vault, now)?;
    changes.write(transaction, now).await.map(drop)
}

/// Adds them to what is to be written, if there are any; then some that have expired are deleted.
pub(super) fn add(
    changes: &mut Changes,
    answers: &[NewAnswer],
    vault: &Vault,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut bodies = Vec::new();
    let mut rows = Vec::with_capacity(answers.len());
    for NewAnswer { caller, idempotency_key, answer } in answers {
        // substr counts from 1.
        let offset = bodies.len() + 1;
        if answer.secret {
            let owner = owner(&caller.to_string(), idempotency_key);
            let sealed = row::batch(&vault.seal(&owner, &answer.body)?)?;
            bodies.extend_from_slice(sealed.as_bytes());
        } else {
            bodies.extend_from_slice(&answer.body);
        }
        rows.push((
            caller,
            idempotency_key,
            &answer.request_sha256,
            answer.status,
            offset,
            bodies.len() + 1 - offset,
            answer.secret.then(|| vault.key_id()),
        ));
    }
    changes.answers = Rows::of(&rows)?;
    changes.answer_bodies = bodies;
    changes.expired = (!answers.is_empty()).then(|| expired(now));
    Ok(())
}

/// Deletes some of those that have expired.
pub(super) async fn forget(
    transaction: &mut SqliteConnection,
    now: Timestamp,
) -> Result<(), StoreError> {
    let forget = sqlx::query(statement::FORGET_ANSWERS).bind(expired(now));
    forget.execute(transaction).await?;
    Ok(())
}

pub(super) async fn find(
    readers: &SqlitePool,
    vault: &Vault,
    caller: KeyId,
    idempotency_key: &str,
    now: Timestamp,
) -> Result<Option<Answer>, StoreError> {
    let found: Option<(String, u16, Vec<u8>, Option<String>)> = sqlx::query_as(statement::ANSWER)
        .bind(caller.to_string())
        .bind(idempotency_key)
        .bind(expired(now))
        .fetch_optional(readers)
        .await?;
    let Some((request_sha256, status, body, sealed_with)) = found else { return Ok(None) };
    let secret = sealed_with.is_some();
    let body = if secret {
        let owner = owner(&caller.to_string(), idempotency_key);
        Bytes::copy_from_slice(&vault.open(&owner, &sealed(&body)?)?)
    } else {
        Bytes::from(body)
    };
    Ok(Some(Answer { request_sha256, status, body, secret }))
}

/// The body of an answer that is sealed.
pub(super) fn sealed(body: &[u8]) -> Result<Sealed, StoreError> {
    serde_json::from_slice(body)
        .map_err(|_| StoreError::Corrupt("a sealed answer is not its JSON".into()))
}
