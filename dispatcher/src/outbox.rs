//! Publishing without HTTP, for whoever shares the database.
//!
//! A publisher inserts into the table `outbox` inside its own transaction: in Rust with
//! [`publish()`], in any language with plain SQL. The dispatcher notices the commit and accepts the
//! row in the commit that deletes it, so every committed row becomes exactly one event.

use std::sync::Arc;
use std::time::Duration;

use bluum_hooks_shared::id::TenantId;
use bluum_hooks_shared::time::Timestamp;
use serde_json::value::RawValue;
use sqlx::SqliteConnection;
use tokio::sync::mpsc;
use tracing::warn;

use crate::context::Context;
use crate::crash_point;
use crate::publish::{self, Addressee, Publication};
use crate::random::Random;
use crate::store::{NewEvent, OutboxRow, Registry, StoreError, Work};

/// How often to look. A commit is noticed within this time.
const INTERVAL: Duration = Duration::from_millis(25);
/// Rows taken in one commit.
const BATCH: usize = 500;
/// How long to wait after the database refused.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// An event to publish. Nothing is checked before the dispatcher reads it: what cannot be accepted
/// ends in the table `outbox_rejected`, with the reason.
#[derive(Debug, Clone, Copy)]
pub struct OutboxEvent<'a> {
    pub tenant: TenantId,
    pub livemode: bool,
    /// A name of the catalogue.
    pub event: &'a str,
    /// The resource as it stands: one JSON object.
    pub data: &'a str,
    pub investor_id: Option<&'a str>,
    /// `data.id` if absent.
    pub ordering_key: Option<&'a str>,
    /// The same key again publishes nothing.
    pub idempotency_key: Option<&'a str>,
}

/// Publishes as part of the caller's transaction: committed, the event will be delivered, even if
/// the caller dies at once; rolled back, it never was.
pub async fn publish(
    transaction: &mut SqliteConnection,
    event: &OutboxEvent<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO outbox (
            tenant_id, livemode, event, data, investor_id, ordering_key, idempotency_key
        ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )
    .bind(event.tenant.to_string())
    .bind(event.livemode)
    .bind(event.event)
    .bind(event.data)
    .bind(event.investor_id)
    .bind(event.ordering_key)
    .bind(event.idempotency_key)
    .execute(transaction)
    .await?;
    Ok(())
}

/// The loop that takes rows over.
#[derive(Debug, Clone)]
pub struct Outbox {
    pub context: Context,
    pub work: mpsc::UnboundedSender<Vec<Work>>,
}

impl Outbox {
    /// Takes rows over until shutdown.
    pub async fn run(self) {
        while !self.context.shutdown.is_intake_stopped() {
            let pause = match self.look().await {
                Ok(()) => INTERVAL,
                Err(failure) => {
                    self.context.refused(&failure, "cannot read the outbox");
                    AFTER_ERROR
                }
            };
            self.context.rest(pause).await;
        }
    }

    async fn look(&self) -> Result<(), StoreError> {
        while !self.context.shutdown.is_intake_stopped()
            && self.context.store.outbox_waiting().await?
        {
            let now = self.context.clock.now();
            let registry = self.context.store.registry();
            let random = Arc::clone(&self.context.random);
            let read = move |row: &OutboxRow| read(row, &registry, now, &*random);
            let drained =
                self.context.store.drain_outbox(BATCH, &read, &self.context.slots, now).await?;
            self.context.metrics.accepted(drained.taken - drained.rejected);
            self.context.arrivals.tell();
            let _ = self.work.send(drained.accepted.work);
            crash_point::reach("outbox.handed_over");
            if drained.accepted.left_waiting {
                self.context.bell.ring();
            }
            if drained.rejected > 0 {
                warn!(rows = drained.rejected, "rows of the outbox rejected; see outbox_rejected");
            }
        }
        Ok(())
    }
}

/// A row as an event, or in words why it is none.
fn read(
    row: &OutboxRow,
    registry: &Registry,
    now: Timestamp,
    random: &dyn Random,
) -> Result<NewEvent, String> {
    let tenant = row.tenant_id.as_deref().and_then(|text| text.parse().ok());
    let tenant = tenant.filter(|&id| registry.tenant(id).is_some());
    let tenant = tenant.ok_or("tenant_id is not the id of a tenant")?;
    let livemode = match row.livemode {
        Some(0) => false,
        Some(1) => true,
        _ => return Err("livemode is neither 0 nor 1".into()),
    };
    let event = row.event.as_deref().ok_or("event is not text")?;
    let data = row.data.as_deref().ok_or("data is not text")?;
    let data: &RawValue = serde_json::from_str(data)
        .map_err(|error| format!("data is not JSON: column {}", error.column()))?;
    let said = Publication {
        event,
        data,
        investor_id: row.investor_id.as_deref(),
        ordering_key: row.ordering_key.as_deref(),
        idempotency_key: row.idempotency_key.as_deref(),
        timestamp: None,
    };
    publish::check(said, Addressee { tenant, livemode }, now, random)
        .map_err(|invalid| invalid.message)
}
