//! Deliveries of one webhook owed again, many at once, a batch in a commit.
//!
//! A replay is a row with a cursor, which moves in the commit that replays. So however often the
//! process dies in between, nothing is replayed twice and nothing is left out.

use bluum_hooks_shared::api::{self, ReplayStatus};
use bluum_hooks_shared::id::{ReplayId, WebhookId};
use bluum_hooks_shared::time::Timestamp;

use super::{Registry, StoreError, StoredDelivery, Webhook};
use crate::policy::retry::RetrySchedule;
use crate::policy::state::{Input, ParkReason, Progress, Refused, step};

/// A replay, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    pub id: ReplayId,
    pub webhook: WebhookId,
    pub filter: ReplayFilter,
    /// Begun because the webhook was enabled again. Until it has come to the end of what is there,
    /// what arrives is parked behind it, so that nothing overtakes.
    pub release: bool,
    /// The last sequence number to look at.
    pub up_to: i64,
    /// The sequence number looked at last.
    pub cursor: i64,
    /// How many there were when it began.
    pub total: i64,
    pub replayed: i64,
    pub status: ReplayStatus,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// Which deliveries of the webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplayFilter {
    /// Delivered ones instead of parked ones.
    pub delivered: bool,
    /// Parked for this.
    pub reason: Option<ParkReason>,
    pub event_name: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// What one batch of a replay did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advanced {
    pub replayed: usize,
    /// Whether it goes on.
    pub running: bool,
}

impl Replay {
    /// One that has not begun.
    pub fn new(id: ReplayId, webhook: WebhookId, filter: ReplayFilter, now: Timestamp) -> Self {
        Self {
            id,
            webhook,
            filter,
            release: false,
            up_to: i64::MAX,
            cursor: 0,
            total: 0,
            replayed: 0,
            status: ReplayStatus::Running,
            created_at: now,
            finished_at: None,
        }
    }

    /// The one for a webhook that takes deliveries again.
    pub fn release(id: ReplayId, webhook: WebhookId, now: Timestamp) -> Self {
        let filter = ReplayFilter { reason: Some(ParkReason::Disabled), ..ReplayFilter::default() };
        Self { release: true, ..Self::new(id, webhook, filter, now) }
    }

    pub fn is_running(&self) -> bool {
        self.status == ReplayStatus::Running
    }

    #[must_use]
    pub(super) fn ended(self, status: ReplayStatus, now: Timestamp) -> Self {
        Self { status, finished_at: Some(now), ..self }
    }

    /// The replay after a batch that looked as far as `cursor`, where `last` is the webhook's last
    /// sequence number.
    #[must_use]
    pub(super) fn after(&self, cursor: i64, replayed: usize, last: i64, now: Timestamp) -> Self {
        let replayed = self.replayed + i64::try_from(replayed).unwrap_or(i64::MAX);
        let after = Self { cursor, replayed, ..self.clone() };
        if cursor < self.up_to.min(last) { after } else { after.ended(ReplayStatus::Finished, now) }
    }

    /// As the API shows it.
    pub fn to_api(&self, livemode: bool) -> api::Replay {
        let count = |count: i64| u64::try_from(count).unwrap_or_default();
        let status = if self.filter.delivered {
            api::DeliveryStatus::Delivered
        } else {
            api::DeliveryStatus::Parked
        };
        api::Replay {
            id: Some(self.id),
            object: "replay".into(),
            created: self.created_at.as_unix_seconds(),
            livemode,
            webhook_id: self.webhook,
            status: self.status,
            delivery_status: status,
            reason: self.filter.reason.map(|reason| reason.as_str().to_owned()),
            event: self.filter.event_name.clone(),
            since: self.filter.since,
            until: self.filter.until,
            release: self.release,
            dry_run: false,
            total: count(self.total),
            replayed: count(self.replayed),
            finished_at: self.finished_at,
        }
    }
}

impl ReplayFilter {
    /// Whether a delivery is one of those.
    pub(super) fn wants(&self, delivery: &StoredDelivery) -> bool {
        let state = delivery.progress.state;
        let finished = match state.status() {
            api::DeliveryStatus::Parked => !self.delivered,
            api::DeliveryStatus::Delivered => self.delivered,
            _ => false,
        };
        finished
            && self.reason.is_none_or(|reason| state.reason() == Some(reason))
            && self.event_name.as_ref().is_none_or(|name| *name == delivery.event_name)
            && self.since.is_none_or(|since| delivery.created_at >= since)
            && self.until.is_none_or(|until| delivery.created_at < until)
    }
}

/// The webhook of one delivery that is to be replayed, if it takes deliveries.
pub(super) fn taker(registry: &Registry, number: i64) -> Result<&Webhook, StoreError> {
    let webhook = registry.webhook_numbered(number);
    webhook
        .filter(|webhook| webhook.stopped().is_none())
        .map(|known| &**known)
        .ok_or(StoreError::Declined)
}

/// What a finished delivery becomes.
pub(super) fn replayed(
    before: Progress,
    behind: bool,
    now: Timestamp,
) -> Result<Progress, Refused> {
    step(before, Input::Replayed { behind }, now, &RetrySchedule::default(), 0.0)
}
