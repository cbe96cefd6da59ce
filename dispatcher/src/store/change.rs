//! Changes to tenants, keys, webhooks and replays: few, and each in a commit of its own.

use std::fmt;
use std::sync::Arc;

use bluum_hooks_shared::id::{KeyId, ReplayId, WebhookId};
use bluum_hooks_shared::time::Timestamp;

use super::{
    Key, NewEvent, Registry, Replay, ReplayStatus, StoreError, Tenant, Webhook, WebhookDraft,
};

/// One change.
#[derive(Debug)]
pub enum Change {
    /// A new tenant, with keys.
    AddTenant(Tenant, Vec<Key>),
    /// A new key, if its tenant has fewer than this in its mode. Operators' keys are not counted.
    AddKey(Key, usize),
    /// Makes a key useless from now on. Revoking twice is revoking once.
    RevokeKey(KeyId),
    /// A new webhook, if its tenant has fewer than this in its mode. It takes part in every
    /// `accept` that begins after this.
    AddWebhook(WebhookDraft, usize),
    EditWebhook(WebhookId, Edit),
    /// Begins to replay. Unless it is a release, it ends with the last delivery there is now.
    StartReplay(Replay),
    /// What was not replayed yet stays where it is.
    CancelReplay(ReplayId),
}

/// A change to a webhook, applied to it as it is at that moment.
pub struct Edit(Box<EditFn>);

type EditFn = dyn FnOnce(&mut WebhookDraft) -> Option<Edited> + Send;

/// What an edit brings about beside itself, in the same commit.
#[derive(Debug, Default)]
pub struct Edited {
    /// What to publish about it.
    pub notice: Option<NewEvent>,
    /// What becomes of deliveries that were parked because the webhook was stopped.
    pub release: Option<Replay>,
}

impl Edit {
    /// `None` from `edit` declines: then nothing changes.
    pub fn new(edit: impl FnOnce(&mut WebhookDraft) -> Option<Edited> + Send + 'static) -> Self {
        Self(Box::new(edit))
    }

    /// The webhook as it becomes.
    pub(super) fn apply(
        self,
        id: WebhookId,
        registry: &Registry,
        now: Timestamp,
    ) -> Result<(Webhook, Edited), StoreError> {
        let current = registry.webhook(id).ok_or(StoreError::Declined)?;
        let mut settings = current.settings.clone();
        let edited = (self.0)(&mut settings).ok_or(StoreError::Declined)?;
        settings.updated_at = now;
        Ok((Webhook::new(current.number, settings), edited))
    }
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Edit")
    }
}

/// Refuses a webhook where there is no room for it.
pub(super) fn room_for_webhook(
    draft: &WebhookDraft,
    at_most: usize,
    registry: &Registry,
) -> Result<(), StoreError> {
    let there = registry.webhooks_of(draft.tenant, draft.livemode).len();
    if there < at_most { Ok(()) } else { Err(StoreError::Declined) }
}

/// Refuses a key where there is no room for it.
pub(super) fn room_for_key(
    key: &Key,
    at_most: usize,
    registry: &Registry,
) -> Result<(), StoreError> {
    let counts = |other: &&Arc<Key>| {
        other.tenant == key.tenant && other.livemode == key.livemode && other.revoked_at.is_none()
    };
    let there = registry.keys().filter(counts).count();
    if key.tenant.is_none() || there < at_most { Ok(()) } else { Err(StoreError::Declined) }
}

/// The replays that a webhook's edit begins and ends: a stopped webhook releases nothing.
pub(super) fn releases(
    webhook: &Webhook,
    edited: &mut Edited,
    registry: &Registry,
    now: Timestamp,
) -> Vec<Replay> {
    let running = registry.release_of(webhook.number);
    if webhook.stopped().is_none() {
        // One that runs takes up everything that is there.
        return edited.release.take().filter(|_| running.is_none()).into_iter().collect();
    }
    let end = |release: &Replay| release.clone().ended(ReplayStatus::Canceled, now);
    running.map(|release| end(release)).into_iter().collect()
}

/// The replay as it begins: it reaches to the last delivery that there is.
pub(super) fn begin(
    replay: Replay,
    last_sequence: i64,
    registry: &Registry,
) -> Result<Replay, StoreError> {
    let webhook = registry.webhook(replay.webhook).ok_or(StoreError::Declined)?;
    if webhook.stopped().is_some() {
        return Err(StoreError::Declined);
    }
    let up_to = if replay.release { i64::MAX } else { last_sequence.min(replay.up_to) };
    Ok(Replay { up_to, ..replay })
}

/// The replay as it ends before its time.
pub(super) fn cancel(
    id: ReplayId,
    registry: &Registry,
    now: Timestamp,
) -> Result<Replay, StoreError> {
    let replay = registry.replay(id).filter(|replay| replay.is_running() && !replay.release);
    let replay = replay.ok_or(StoreError::Declined)?;
    Ok(Replay::clone(replay).ended(ReplayStatus::Canceled, now))
}
