//! A change to the registry, with what it brings about.

use std::sync::Arc;

use bluum_hooks_shared::time::Timestamp;

use super::accept::{accept, keep, keys_are_free};
use super::books::{Books, refuse_if};
use crate::slots::Slots;
use crate::store::change::{begin, cancel, replays, room_for_key, room_for_webhook, surplus};
use crate::store::{Change, Keep, Key, NewEvent, Registry, Replay, StoreError, Webhook};

pub(super) fn change(
    books: &mut Books,
    change: Change,
    answer: Option<Keep<Registry>>,
    now: Timestamp,
) -> Result<Arc<Registry>, StoreError> {
    let mut registry = Registry::clone(&books.registry);
    let notice = apply(books, &mut registry, change, now)?;
    let answer: Vec<_> = answer.map(|keep| keep(&registry)).into_iter().collect();
    // A key may come into being with the tenant that it belongs to.
    let before = std::mem::replace(&mut books.registry, Arc::new(registry));
    if let Err(refused) = keys_are_free(books, &answer, now) {
        books.registry = before;
        return Err(refused);
    }
    keep(books, &answer, now);
    if let Some(notice) = notice {
        accept(books, &[notice], &[], &Slots::none(), now)?;
    }
    Ok(Arc::clone(&books.registry))
}

fn apply(
    books: &mut Books,
    registry: &mut Registry,
    change: Change,
    now: Timestamp,
) -> Result<Option<NewEvent>, StoreError> {
    match change {
        Change::AddTenant(tenant, keys) => {
            refuse_if(registry.tenant(tenant.id).is_some(), "the tenant exists")?;
            registry.put_tenant(tenant);
            keys.into_iter().try_for_each(|key| add_key(registry, key))?;
        }
        Change::AddKey(key, at_most) => {
            room_for_key(&key, at_most, registry)?;
            add_key(registry, key)?;
        }
        Change::RevokeKey(id) => registry.revoke_key(id, now),
        Change::AddWebhook(draft, at_most) => {
            room_for_webhook(&draft, at_most, registry)?;
            let exists = registry.webhook_number(draft.id).is_some();
            refuse_if(exists, "the webhook exists")?;
            refuse_if(registry.tenant(draft.tenant).is_none(), "there is no such tenant")?;
            books.last_webhook += 1;
            registry.put_webhook(Arc::new(Webhook::new(books.last_webhook, draft)));
        }
        Change::EditWebhook(id, edit) => {
            let (webhook, mut edited) = edit.apply(id, registry, now)?;
            for replay in replays(&webhook, &mut edited, registry, now) {
                put_replay(registry, replay);
            }
            registry.put_webhook(Arc::new(webhook));
            return Ok(edited.notice);
        }
        Change::StartReplay(replay) => {
            let number = registry.webhook_number(replay.webhook);
            let last = number.and_then(|number| books.sequences.get(&number)).copied();
            let replay = begin(replay, last.unwrap_or(0), registry)?;
            put_replay(registry, replay);
        }
        Change::CancelReplay(id) => {
            let canceled = cancel(id, registry, now)?;
            put_replay(registry, canceled);
        }
    }
    Ok(None)
}

fn put_replay(registry: &mut Registry, replay: Replay) {
    let surplus = surplus(replay.webhook, registry);
    registry.forget_replays(&surplus);
    registry.put_replay(replay);
}

fn add_key(registry: &mut Registry, key: Key) -> Result<(), StoreError> {
    refuse_if(registry.key(key.id).is_some(), "the key exists")?;
    let unknown = key.tenant.is_some_and(|id| registry.tenant(id).is_none());
    refuse_if(unknown, "there is no such tenant")?;
    registry.put_key(key);
    Ok(())
}
