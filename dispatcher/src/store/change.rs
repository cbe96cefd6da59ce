//! Changes to tenants, keys, webhooks and replays: few, and each in a commit of its own.

use std::fmt;
use std::sync::Arc;

use bluum_hooks_shared::api::WebhookStatus;
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
        let starts = settings.status == WebhookStatus::Active
            && current.settings.status != WebhookStatus::Active;
        if starts || settings.url != current.settings.url {
            settings.failing_since = None;
        }
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

/// Replays of a webhook that may run at the same time.
const MAX_RUNNING: usize = 4;
/// Replays of a webhook that are kept to be looked at, once they have ended.
const MAX_ENDED: usize = 20;

/// The replays that a webhook's edit begins and ends: of a stopped webhook nothing is replayed.
pub(super) fn replays(
    webhook: &Webhook,
    edited: &mut Edited,
    registry: &Registry,
    now: Timestamp,
) -> Vec<Replay> {
    if webhook.stopped().is_none() {
        // A release that runs takes up everything that is there.
        let running = registry.release_of(webhook.number);
        return edited.release.take().filter(|_| running.is_none()).into_iter().collect();
    }
    let running = registry.replays_of(webhook.settings.id).filter(|replay| replay.is_running());
    running.map(|replay| Replay::clone(replay).ended(ReplayStatus::Canceled, now)).collect()
}

/// The replay as it begins: it reaches to the last delivery that there is.
pub(super) fn begin(
    replay: Replay,
    last_sequence: i64,
    registry: &Registry,
) -> Result<Replay, StoreError> {
    let webhook = registry.webhook(replay.webhook).ok_or(StoreError::Declined)?;
    let running = registry.replays_of(replay.webhook).filter(|other| other.is_running()).count();
    if webhook.stopped().is_some() || running >= MAX_RUNNING {
        return Err(StoreError::Declined);
    }
    Ok(Replay { up_to: last_sequence.min(replay.up_to), ..replay })
}

/// The replays of this webhook that nobody needs to see any more, when another one begins.
pub(super) fn surplus(webhook: WebhookId, registry: &Registry) -> Vec<ReplayId> {
    let ended = registry.replays_of(webhook).rev().filter(|replay| !replay.is_running());
    ended.skip(MAX_ENDED).map(|replay| replay.id).collect()
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
