//! Tenants, keys, webhooks and replays in memory: few, and read on every request.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bluum_hooks_shared::id::{KeyId, ReplayId, TenantId, WebhookId};
use bluum_hooks_shared::time::Timestamp;

use super::{Audience, Key, NewEvent, Replay, Tenant, Webhook};
use crate::policy::state::ParkReason;

/// A snapshot, in the order of creation. Stores replace it whole after each committed change.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    tenants: BTreeMap<TenantId, Arc<Tenant>>,
    keys: BTreeMap<KeyId, Arc<Key>>,
    webhooks: BTreeMap<i64, Arc<Webhook>>,
    number_of: HashMap<WebhookId, i64>,
    of_tenant: HashMap<(TenantId, bool), Vec<Arc<Webhook>>>,
    replays: BTreeMap<ReplayId, Arc<Replay>>,
    /// The releases that run, by the number of their webhook.
    releases: HashMap<i64, ReplayId>,
}

impl Registry {
    pub fn tenant(&self, id: TenantId) -> Option<&Arc<Tenant>> {
        self.tenants.get(&id)
    }

    pub fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.values()
    }

    pub fn key(&self, id: KeyId) -> Option<&Arc<Key>> {
        self.keys.get(&id)
    }

    pub fn keys(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.keys.values()
    }

    /// By id; not if it was deleted.
    pub fn webhook(&self, id: WebhookId) -> Option<&Arc<Webhook>> {
        let webhook = self.webhook_numbered(*self.number_of.get(&id)?)?;
        webhook.settings.deleted_at.is_none().then_some(webhook)
    }

    /// All that are not deleted, oldest first.
    pub fn webhooks(&self) -> impl Iterator<Item = &Arc<Webhook>> {
        self.webhooks.values().filter(|webhook| webhook.settings.deleted_at.is_none())
    }

    /// By number, deleted or not: deliveries outlive their webhook.
    pub fn webhook_numbered(&self, number: i64) -> Option<&Arc<Webhook>> {
        self.webhooks.get(&number)
    }

    /// The number of a webhook, deleted or not.
    pub fn webhook_number(&self, id: WebhookId) -> Option<i64> {
        self.number_of.get(&id).copied()
    }

    /// A tenant's webhooks of one mode that are not deleted, oldest first.
    pub fn webhooks_of(&self, tenant: TenantId, livemode: bool) -> &[Arc<Webhook>] {
        self.of_tenant.get(&(tenant, livemode)).map_or(&[], Vec::as_slice)
    }

    /// Those that an event is for, oldest first.
    pub fn webhooks_for<'a>(
        &'a self,
        event: &'a NewEvent,
    ) -> impl Iterator<Item = &'a Arc<Webhook>> {
        let webhooks = self.webhooks_of(event.tenant, event.livemode);
        webhooks.iter().filter(|webhook| match event.audience {
            Audience::Subscribers => webhook.wants(&event.name),
            Audience::SubscribersBut(id) => webhook.settings.id != id && webhook.wants(&event.name),
            Audience::Only(id) => webhook.settings.id == id,
        })
    }

    pub fn replay(&self, id: ReplayId) -> Option<&Arc<Replay>> {
        self.replays.get(&id)
    }

    /// Oldest first.
    pub fn replays(&self) -> impl DoubleEndedIterator<Item = &Arc<Replay>> {
        self.replays.values()
    }

    /// Of one webhook, oldest first.
    pub fn replays_of(&self, webhook: WebhookId) -> impl DoubleEndedIterator<Item = &Arc<Replay>> {
        self.replays().filter(move |replay| replay.webhook == webhook)
    }

    /// The release of this webhook that runs.
    pub(super) fn release_of(&self, webhook: i64) -> Option<&Arc<Replay>> {
        self.replay(*self.releases.get(&webhook)?)
    }

    /// Why what arrives for this webhook is parked, if it is.
    pub(super) fn parks(&self, webhook: &Webhook) -> Option<ParkReason> {
        let releasing = self.releases.contains_key(&webhook.number);
        webhook.stopped().or(releasing.then_some(ParkReason::Disabled))
    }

    pub(super) fn put_replay(&mut self, replay: Replay) {
        if replay.release
            && let Some(&webhook) = self.number_of.get(&replay.webhook)
        {
            if replay.is_running() {
                self.releases.insert(webhook, replay.id);
            } else if self.releases.get(&webhook) == Some(&replay.id) {
                self.releases.remove(&webhook);
            }
        }
        self.replays.insert(replay.id, Arc::new(replay));
    }

    pub(super) fn forget_replays(&mut self, ids: &[ReplayId]) {
        self.replays.retain(|id, _| !ids.contains(id));
    }

    pub(super) fn put_tenant(&mut self, tenant: Tenant) {
        self.tenants.insert(tenant.id, Arc::new(tenant));
    }

    pub(super) fn put_key(&mut self, key: Key) {
        self.keys.insert(key.id, Arc::new(key));
    }

    pub(super) fn revoke_key(&mut self, id: KeyId, now: Timestamp) {
        if let Some(key) = self.keys.get_mut(&id) {
            let revoked_at = key.revoked_at.or(Some(now));
            *key = Arc::new(Key { revoked_at, ..Key::clone(key) });
        }
    }

    pub(super) fn put_webhook(&mut self, webhook: Arc<Webhook>) {
        let settings = &webhook.settings;
        self.number_of.insert(settings.id, webhook.number);
        let siblings = self.of_tenant.entry((settings.tenant, settings.livemode)).or_default();
        siblings.retain(|sibling| sibling.number != webhook.number);
        if settings.deleted_at.is_none() {
            siblings.push(Arc::clone(&webhook));
            siblings.sort_by_key(|sibling| sibling.number);
        }
        self.webhooks.insert(webhook.number, webhook);
    }
}
