//! A change to the registry, in one commit with what it brings about.

use std::sync::Arc;

use bluum_hooks_shared::time::Timestamp;
use sqlx::{Connection, SqliteConnection};

use super::accept::Plan;
use super::write::Changes;
use super::{Writer, answers, registry};
use crate::crash_point;
use crate::slots::Slots;
use crate::store::change::{begin, cancel, replays, room_for_key, room_for_webhook, surplus};
use crate::store::{
    Change, Edit, Keep, Key, NewEvent, Registry, Replay, StoreError, Tenant, Webhook,
};
use crate::vault::Vault;
use bluum_hooks_shared::id::WebhookId;

/// Returns the registry as it stands after the commit.
pub(super) async fn change(
    writer: &mut Writer,
    vault: &Vault,
    registry: &Registry,
    change: Change,
    answer: Option<Keep<Registry>>,
    now: Timestamp,
) -> Result<Registry, StoreError> {
    let Writer { connection, numbers, .. } = writer;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    crash_point::reach("change.begun");
    let mut step = Step { transaction: &mut transaction, vault, registry: registry.clone(), now };
    let notice = match change {
        Change::AddTenant(tenant, keys) => step.add_tenant(tenant, keys).await?,
        Change::AddKey(key, at_most) => {
            room_for_key(&key, at_most, registry)?;
            step.add_key(key).await?
        }
        Change::RevokeKey(id) => {
            registry::revoke_key(step.transaction, id, now).await?;
            step.registry.revoke_key(id, now);
            None
        }
        Change::AddWebhook(draft, at_most) => {
            room_for_webhook(&draft, at_most, registry)?;
            let number = registry::insert_webhook(step.transaction, vault, &draft).await?;
            step.registry.put_webhook(Arc::new(Webhook::new(number, draft)));
            None
        }
        Change::EditWebhook(id, edit) => step.edit_webhook(id, edit).await?,
        Change::StartReplay(replay) => {
            let number = step.registry.webhook_number(replay.webhook);
            let last = number.and_then(|number| numbers.sequences.get(&number)).copied();
            let replay = begin(replay, last.unwrap_or(0), &step.registry)?;
            step.put_replay(replay).await?
        }
        Change::CancelReplay(id) => {
            let canceled = cancel(id, &step.registry, now)?;
            step.put_replay(canceled).await?
        }
    };
    let registry = step.registry;
    crash_point::reach("change.written");
    let notices: Vec<NewEvent> = notice.into_iter().collect();
    // They wait for the next claim.
    let none = Slots::none();
    let plan = Plan::new(&notices, &registry, numbers, &none, now);
    let mut changes = Changes::default();
    plan.add(&mut changes, &notices)?;
    let queued = changes.write(&mut transaction, now).await?.queued()?;
    crash_point::reach("change.published");
    let answer: Vec<_> = answer.map(|keep| keep(&registry)).into_iter().collect();
    answers::keep(&mut transaction, &answer, vault, now).await?;
    crash_point::reach("change.answer_kept");
    transaction.commit().await?;
    crash_point::reach("change.committed");
    plan.settle(numbers, &notices, &queued, &none);
    Ok(registry)
}

/// A change under way: the rows, and the registry as it will be. Each returns what to publish.
struct Step<'a> {
    transaction: &'a mut SqliteConnection,
    vault: &'a Vault,
    registry: Registry,
    now: Timestamp,
}

type Notice = Result<Option<NewEvent>, StoreError>;

impl Step<'_> {
    async fn add_tenant(&mut self, tenant: Tenant, keys: Vec<Key>) -> Notice {
        registry::insert_tenant(self.transaction, &tenant).await?;
        self.registry.put_tenant(tenant);
        for key in keys {
            self.add_key(key).await?;
        }
        Ok(None)
    }

    async fn add_key(&mut self, key: Key) -> Notice {
        registry::insert_key(self.transaction, &key).await?;
        self.registry.put_key(key);
        Ok(None)
    }

    async fn edit_webhook(&mut self, id: WebhookId, edit: Edit) -> Notice {
        let (webhook, mut edited) = edit.apply(id, &self.registry, self.now)?;
        registry::update_webhook(self.transaction, self.vault, &webhook.settings).await?;
        crash_point::reach("change.webhook_updated");
        for replay in replays(&webhook, &mut edited, &self.registry, self.now) {
            self.put_replay(replay).await?;
        }
        self.registry.put_webhook(Arc::new(webhook));
        Ok(edited.notice)
    }

    async fn put_replay(&mut self, replay: Replay) -> Notice {
        registry::put_replay(self.transaction, &replay).await?;
        crash_point::reach("change.replay_begun");
        let surplus = surplus(replay.webhook, &self.registry);
        registry::forget_replays(self.transaction, &surplus).await?;
        self.registry.forget_replays(&surplus);
        self.registry.put_replay(replay);
        Ok(None)
    }
}
