//! A webhook as the daemon knows it: its settings, and what is derived from them once.

use std::collections::BTreeMap;
use std::time::Duration;

use bluum_hooks_shared::api::{self, Ordering, WebhookStatus};
use bluum_hooks_shared::catalogue::Pattern;
use bluum_hooks_shared::id::{TenantId, WebhookId};
use bluum_hooks_shared::secret::Secret;
use bluum_hooks_shared::signature::SigningKey;
use bluum_hooks_shared::time::Timestamp;

use crate::policy::retry::RetrySchedule;
use crate::policy::state::ParkReason;

/// Everything about a webhook that is stored, but for its number.
#[derive(Debug, Clone)]
pub struct WebhookDraft {
    pub id: WebhookId,
    pub tenant: TenantId,
    pub livemode: bool,
    pub name: Option<String>,
    pub description: Option<String>,
    pub url: String,
    pub event_type_names: Vec<String>,
    pub status: WebhookStatus,
    pub status_reason: Option<String>,
    pub ordering: Ordering,
    pub timeout: Duration,
    pub retry_schedule: Option<RetrySchedule>,
    pub max_in_flight: u32,
    pub headers: BTreeMap<String, String>,
    pub metadata: BTreeMap<String, String>,
    pub secrets: Vec<WebhookSecret>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
}

/// A signing secret and how long it signs.
#[derive(Debug, Clone)]
pub struct WebhookSecret {
    pub secret: Secret,
    pub created_at: Timestamp,
    /// `None`: until it is rotated.
    pub expires_at: Option<Timestamp>,
}

/// A change to a webhook, applied to it as it is at that moment.
pub type Change = Box<dyn FnOnce(&mut WebhookDraft) + Send>;

/// A stored webhook, ready for use. Never changed in place: a change makes a new one.
#[derive(Debug)]
pub struct Webhook {
    /// What rows refer to it by.
    pub number: i64,
    pub settings: WebhookDraft,
    patterns: Vec<Pattern>,
    keys: Vec<(SigningKey, Option<Timestamp>)>,
}

impl Webhook {
    pub fn new(number: i64, settings: WebhookDraft) -> Self {
        // Patterns were checked when they were set.
        let names = settings.event_type_names.iter();
        let patterns = names.filter_map(|name| Pattern::well_formed(name).ok()).collect();
        let keys = settings
            .secrets
            .iter()
            .map(|known| (SigningKey::new(&known.secret), known.expires_at))
            .collect();
        Self { number, settings, patterns, keys }
    }

    /// Whether it subscribes to events of this name.
    pub fn wants(&self, event_name: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(event_name))
    }

    /// Why it takes no deliveries, if it takes none.
    pub fn stopped(&self) -> Option<ParkReason> {
        if self.settings.deleted_at.is_some() {
            return Some(ParkReason::Deleted);
        }
        match self.settings.status {
            WebhookStatus::Active => None,
            WebhookStatus::Inactive | WebhookStatus::Disabled => Some(ParkReason::Disabled),
        }
    }

    /// Most requests at the same time.
    pub fn max_in_flight(&self) -> usize {
        usize::try_from(self.settings.max_in_flight).unwrap_or(usize::MAX)
    }

    /// The `webhook-signature` header: one signature for each secret that is still good.
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let live = self.keys.iter().filter(|(_, expires_at)| expires_at.is_none_or(|end| at < end));
        let signatures: Vec<_> =
            live.map(|(key, _)| key.sign(id, at.as_unix_seconds(), body)).collect();
        signatures.join(" ")
    }

    /// As the API shows it; never with a secret.
    pub fn to_api(&self) -> api::Webhook {
        let settings = self.settings.clone();
        let seconds = |wait: &Duration| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
        api::Webhook {
            id: settings.id,
            object: "webhook".into(),
            created: settings.created_at.as_unix_seconds(),
            livemode: settings.livemode,
            metadata: settings.metadata,
            tenant: settings.tenant,
            name: settings.name,
            description: settings.description,
            url: settings.url,
            event_type_names: settings.event_type_names,
            status: settings.status,
            status_reason: settings.status_reason,
            ordering: settings.ordering,
            timeout_seconds: seconds(&settings.timeout),
            retry_schedule: settings
                .retry_schedule
                .map(|schedule| schedule.waits().iter().map(seconds).collect()),
            max_in_flight: settings.max_in_flight,
            headers: settings.headers,
            updated_at: settings.updated_at,
            secret: None,
        }
    }
}
