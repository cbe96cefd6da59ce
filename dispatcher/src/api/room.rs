//! Whether there is room for one more webhook or key of a tenant.

use std::sync::Arc;

use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::id::TenantId;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::Api;
use crate::invalid::Invalid;
use crate::store::Key;

/// One place to take at a time: otherwise two requests at once could both take the last.
#[derive(Debug, Default)]
pub struct Room(Arc<Mutex<()>>);

/// Leave to add one. Nobody else gets leave before it is added.
#[derive(Debug)]
pub(super) struct Leave(OwnedMutexGuard<()>);

impl Leave {
    pub(super) async fn then<T>(self, add: impl Future<Output = T>) -> T {
        let added = add.await;
        drop(self.0);
        added
    }
}

impl Room {
    async fn leave(&self) -> Leave {
        Leave(Arc::clone(&self.0).lock_owned().await)
    }

    pub(super) async fn for_a_webhook(
        api: &Api,
        tenant: TenantId,
        livemode: bool,
    ) -> Result<Leave, Invalid> {
        let leave = api.room.leave().await;
        let there = api.context.store.registry().webhooks_of(tenant, livemode).len();
        let advice = "delete one, or ask the operator to raise max_webhooks";
        within(api.limits.webhooks, there, "webhooks", advice).map(|()| leave)
    }

    /// Of a key without a tenant, an operator's, there may be any number.
    pub(super) async fn for_a_key(
        api: &Api,
        tenant: Option<TenantId>,
        livemode: bool,
    ) -> Result<Leave, Invalid> {
        let leave = api.room.leave().await;
        let registry = api.context.store.registry();
        let is_one = |key: &&Arc<Key>| {
            key.tenant == tenant && key.livemode == livemode && key.revoked_at.is_none()
        };
        let there = if tenant.is_some() { registry.keys().filter(is_one).count() } else { 0 };
        let advice = "revoke one, or raise max_keys";
        within(api.limits.keys, there, "keys", advice).map(|()| leave)
    }
}

fn within(limit: usize, there: usize, what: &str, advice: &str) -> Result<(), Invalid> {
    if there < limit {
        return Ok(());
    }
    let message = format!("A tenant may have {limit} {what} in each mode; {advice}.");
    Err(Invalid::request(ErrorCode::StateConflict, message))
}
