//! Tenants, keys, webhooks and replays: read whole at the start, written one at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bluum_hooks_shared::api::{Ordering, Role, WebhookStatus};
use bluum_hooks_shared::id::{KeyId, ReplayId, WebhookId};
use bluum_hooks_shared::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use tracing::error;

use super::seal::{SecretRow, open_headers, seal_headers};
use super::{row, statement};
use crate::policy::retry::RetrySchedule;
use crate::policy::state::ParkReason;
use crate::store::{
    Key, Registry, Replay, ReplayFilter, StoreError, Tenant, Unreadable, Webhook, WebhookDraft,
};
use crate::telemetry::Chain;
use crate::vault::Vault;

/// The registry, and the last sequence number of each webhook.
pub(super) async fn load(
    connection: &mut SqliteConnection,
    vault: &Vault,
) -> Result<(Registry, HashMap<i64, i64>), StoreError> {
    let mut registry = Registry::default();
    let mut sequences = HashMap::new();
    for found in sqlx::query(statement::TENANTS).fetch_all(&mut *connection).await? {
        registry.put_tenant(tenant(&found)?);
    }
    for found in sqlx::query(statement::KEYS).fetch_all(&mut *connection).await? {
        registry.put_key(key(&found)?);
    }
    for found in sqlx::query(statement::WEBHOOKS).fetch_all(&mut *connection).await? {
        let number = found.try_get("number")?;
        sequences.insert(number, found.try_get("last_sequence")?);
        registry.put_webhook(Arc::new(Webhook::new(number, webhook(&found, vault)?)));
    }
    for found in sqlx::query(statement::REPLAYS).fetch_all(&mut *connection).await? {
        registry.put_replay(replay(&found)?);
    }
    Ok((registry, sequences))
}

pub(super) async fn insert_tenant(
    connection: &mut SqliteConnection,
    tenant: &Tenant,
) -> Result<(), StoreError> {
    sqlx::query(statement::INSERT_TENANT)
        .bind(tenant.id.to_string())
        .bind(&tenant.name)
        .bind(row::batch(&tenant.metadata)?)
        .bind(tenant.created_at.as_micros())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn insert_key(
    connection: &mut SqliteConnection,
    key: &Key,
) -> Result<(), StoreError> {
    sqlx::query(statement::INSERT_KEY)
        .bind(key.id.to_string())
        .bind(key.tenant.map(|id| id.to_string()))
        .bind(key.livemode)
        .bind(key.role.as_str())
        .bind(&key.investor_id)
        .bind(&key.name)
        .bind(&key.secret_sha256)
        .bind(key.created_at.as_micros())
        .bind(key.revoked_at.map(Timestamp::as_micros))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn revoke_key(
    connection: &mut SqliteConnection,
    id: KeyId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let revoke = sqlx::query(statement::REVOKE_KEY).bind(id.to_string()).bind(now.as_micros());
    revoke.execute(connection).await?;
    Ok(())
}

/// Returns the webhook's number.
pub(super) async fn insert_webhook(
    connection: &mut SqliteConnection,
    vault: &Vault,
    draft: &WebhookDraft,
) -> Result<i64, StoreError> {
    write_webhook(connection, statement::INSERT_WEBHOOK, vault, draft).await
}

pub(super) async fn update_webhook(
    connection: &mut SqliteConnection,
    vault: &Vault,
    draft: &WebhookDraft,
) -> Result<(), StoreError> {
    write_webhook(connection, statement::UPDATE_WEBHOOK, vault, draft).await.map(drop)
}

/// Both statements take the same parameters and return the number.
async fn write_webhook(
    connection: &mut SqliteConnection,
    statement: &'static str,
    vault: &Vault,
    draft: &WebhookDraft,
) -> Result<i64, StoreError> {
    let id = draft.id.to_string();
    let secrets = draft.secrets.iter().map(|known| SecretRow::seal(vault, &id, known));
    let secrets: Vec<_> = secrets.collect::<Result<_, _>>()?;
    let headers = seal_headers(vault, &id, &draft.headers)?;
    let schedule = draft.retry_schedule.as_ref().map(|schedule| schedule.waits());
    let seconds = schedule.map(|waits| waits.iter().map(Duration::as_secs).collect::<Vec<_>>());
    let number = sqlx::query_scalar(statement)
        .bind(&id)
        .bind(draft.tenant.to_string())
        .bind(draft.livemode)
        .bind(&draft.name)
        .bind(&draft.description)
        .bind(&draft.url)
        .bind(row::batch(&draft.event_type_names)?)
        .bind(text(draft.status)?)
        .bind(&draft.status_reason)
        .bind(text(draft.ordering)?)
        .bind(i64::try_from(draft.timeout.as_millis()).unwrap_or(i64::MAX))
        .bind(seconds.map(|seconds| row::batch(&seconds)).transpose()?)
        .bind(draft.max_in_flight)
        .bind((!draft.unreadable.headers).then(|| row::batch(&headers)).transpose()?)
        .bind(row::batch(&draft.metadata)?)
        .bind((!draft.unreadable.secrets).then(|| row::batch(&secrets)).transpose()?)
        .bind(draft.created_at.as_micros())
        .bind(draft.updated_at.as_micros())
        .bind(draft.deleted_at.map(Timestamp::as_micros))
        .bind(draft.failing_since.map(Timestamp::as_micros))
        .fetch_one(connection)
        .await?;
    Ok(number)
}

/// Begins a replay, or moves it on.
pub(super) async fn put_replay(
    connection: &mut SqliteConnection,
    replay: &Replay,
) -> Result<(), StoreError> {
    let filter = &replay.filter;
    sqlx::query(statement::PUT_REPLAY)
        .bind(replay.id.to_string())
        .bind(replay.webhook.to_string())
        .bind(text(replay.status)?)
        .bind(replay.release)
        .bind(filter.delivered)
        .bind(filter.reason.map(ParkReason::as_str))
        .bind(&filter.event_name)
        .bind(filter.since.map(Timestamp::as_micros))
        .bind(filter.until.map(Timestamp::as_micros))
        .bind(replay.up_to)
        .bind(replay.cursor)
        .bind(replay.total)
        .bind(replay.replayed)
        .bind(replay.created_at.as_micros())
        .bind(replay.finished_at.map(Timestamp::as_micros))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn forget_replays(
    connection: &mut SqliteConnection,
    ids: &[ReplayId],
) -> Result<(), StoreError> {
    if !ids.is_empty() {
        let forget = sqlx::query(statement::FORGET_REPLAYS).bind(row::batch(&ids)?);
        forget.execute(connection).await?;
    }
    Ok(())
}

fn tenant(found: &SqliteRow) -> Result<Tenant, StoreError> {
    Ok(Tenant {
        id: row::parsed(found, "id")?,
        name: found.try_get("name")?,
        metadata: json(found, "metadata")?,
        created_at: row::time(found, "created_at")?,
    })
}

fn key(found: &SqliteRow) -> Result<Key, StoreError> {
    let tenant: Option<&str> = found.try_get("tenant_id")?;
    Ok(Key {
        id: row::parsed(found, "id")?,
        role: word::<Role>(found, "role")?,
        tenant: tenant.map(|_| row::parsed(found, "tenant_id")).transpose()?,
        livemode: found.try_get("livemode")?,
        investor_id: found.try_get("investor_id")?,
        name: found.try_get("name")?,
        secret_sha256: found.try_get("secret_sha256")?,
        created_at: row::time(found, "created_at")?,
        revoked_at: row::optional_time(found, "revoked_at")?,
    })
}

fn webhook(found: &SqliteRow, vault: &Vault) -> Result<WebhookDraft, StoreError> {
    let id: WebhookId = row::parsed(found, "id")?;
    let name = id.to_string();
    let schedule: Option<&str> = found.try_get("retry_schedule")?;
    let schedule: Option<Vec<u64>> = schedule.map(|_| json(found, "retry_schedule")).transpose()?;
    let secrets: Vec<SecretRow> = json(found, "secrets")?;
    let private_key = secrets.first().is_some_and(SecretRow::has_private_key);
    let secrets = secrets.iter().map(|row| row.open(vault, &name)).collect::<Result<Vec<_>, _>>();
    let headers = open_headers(vault, &name, &json(found, "headers")?);
    let unreadable = Unreadable {
        secrets: secrets.is_err(),
        private_key: secrets.is_err() && private_key,
        headers: headers.is_err(),
    };
    for error in secrets.as_ref().err().into_iter().chain(headers.as_ref().err()) {
        error!(
            webhook.id = name, error = %Chain(error),
            "a webhook's secrets cannot be opened, so nothing is sent to it; rotate its secret and \
             set its headers anew, or restore the database"
        );
    }
    let timeout_ms: i64 = found.try_get("timeout_ms")?;
    Ok(WebhookDraft {
        id,
        tenant: row::parsed(found, "tenant_id")?,
        livemode: found.try_get("livemode")?,
        name: found.try_get("name")?,
        description: found.try_get("description")?,
        url: found.try_get("url")?,
        event_type_names: json(found, "event_type_names")?,
        status: word::<WebhookStatus>(found, "status")?,
        status_reason: found.try_get("status_reason")?,
        ordering: word::<Ordering>(found, "ordering")?,
        timeout: Duration::from_millis(timeout_ms.unsigned_abs()),
        retry_schedule: schedule
            .map(|waits| RetrySchedule::new(waits.into_iter().map(Duration::from_secs).collect()))
            .transpose()
            .map_err(|error| StoreError::Corrupt(error.to_string()))?,
        max_in_flight: found.try_get("max_in_flight")?,
        headers: headers.unwrap_or_default(),
        metadata: json(found, "metadata")?,
        secrets: secrets.unwrap_or_default(),
        unreadable,
        failing_since: row::optional_time(found, "failing_since")?,
        created_at: row::time(found, "created_at")?,
        updated_at: row::time(found, "updated_at")?,
        deleted_at: row::optional_time(found, "deleted_at")?,
    })
}

fn replay(found: &SqliteRow) -> Result<Replay, StoreError> {
    let reason: Option<&str> = found.try_get("reason")?;
    Ok(Replay {
        id: row::parsed(found, "id")?,
        webhook: row::parsed(found, "webhook_id")?,
        filter: ReplayFilter {
            delivered: found.try_get("delivered")?,
            reason: reason.and_then(ParkReason::parse),
            event_name: found.try_get("event")?,
            since: row::optional_time(found, "since")?,
            until: row::optional_time(found, "until")?,
        },
        release: found.try_get("release")?,
        up_to: found.try_get("up_to")?,
        cursor: found.try_get("cursor")?,
        total: found.try_get("total")?,
        replayed: found.try_get("replayed")?,
        status: word(found, "status")?,
        created_at: row::time(found, "created_at")?,
        finished_at: row::optional_time(found, "finished_at")?,
    })
}

pub(super) fn json<T: DeserializeOwned>(found: &SqliteRow, column: &str) -> Result<T, StoreError> {
    let text: &str = found.try_get(column)?;
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt(format!("{column} is not its JSON")))
}

/// One of the words of an enum, as the API spells it.
fn word<T: DeserializeOwned>(found: &SqliteRow, column: &str) -> Result<T, StoreError> {
    let text: &str = found.try_get(column)?;
    serde_json::from_value(text.into())
        .map_err(|_| StoreError::Corrupt(format!("{column} '{text}' is not known")))
}

/// An enum as the API spells it.
fn text<T: Serialize>(word: T) -> Result<String, StoreError> {
    match serde_json::to_value(word) {
        Ok(serde_json::Value::String(text)) => Ok(text),
        _ => Err(StoreError::Corrupt("an enum that is not a word".into())),
    }
}
