//! Edits of a webhook, and how changes are answered.

use std::sync::Arc;

use bluum_hooks_dispatcher::store::{Edited, Registry, Replay, StoreError, WebhookDraft};
use bluum_hooks_shared::api::WebhookStatus;
use bluum_hooks_shared::id::ReplayId;
use bluum_hooks_shared::time::Timestamp;

use super::op::Setting;

pub(super) fn answered(changed: Result<Arc<Registry>, StoreError>) -> Vec<String> {
    vec![changed.map_or_else(|error| refused(&error), |_| "changed".to_owned())]
}

pub(super) fn refused(error: &StoreError) -> String {
    let kind = match error {
        StoreError::KeyUsed => "key used",
        StoreError::Declined => "declined",
        _ => "refused",
    };
    kind.to_owned()
}

/// An edit, with the release that it begins.
pub(super) fn apply(
    draft: &mut WebhookDraft,
    setting: Setting,
    release: ReplayId,
    now: Timestamp,
) -> Edited {
    let before = draft.status;
    set(draft, setting);
    let enabled = before != WebhookStatus::Active && draft.status == WebhookStatus::Active;
    Edited { notice: None, release: enabled.then(|| Replay::release(release, draft.id, now)) }
}

fn set(draft: &mut WebhookDraft, setting: Setting) {
    match setting {
        Setting::Status(status) => {
            draft.status = status;
            let disabled = status == WebhookStatus::Disabled;
            draft.status_reason = disabled.then(|| "gone".to_owned());
        }
        Setting::Ordering(ordering) => draft.ordering = ordering,
        Setting::MaxInFlight(most) => draft.max_in_flight = most,
        Setting::Subscription(pattern) => draft.event_type_names = vec![pattern.to_owned()],
        Setting::DeletedAt(now) => draft.deleted_at = Some(now),
    }
}
