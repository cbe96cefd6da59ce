//! A webhook as the daemon knows it: its settings, and what is derived from them once.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::time::Duration;

use bluum_hooks_shared::api::{self, CustomHeaders, Ordering, WebhookStatus};
use bluum_hooks_shared::asymmetric::{PrivateKey, content};
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
    pub headers: CustomHeaders,
    pub metadata: BTreeMap<String, String>,
    pub secrets: Vec<WebhookSecret>,
    /// What could not be opened when it was read. It is kept as it is until it is set anew.
    pub unreadable: Unreadable,
    /// Every attempt since then has failed; none: the last one was delivered, or there was none.
    pub failing_since: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
}

/// Which sealed settings cannot be opened. Without them nothing can be sent, and that is our fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unreadable {
    pub secrets: bool,
    /// With the secrets, a private key that signed beside them.
    pub private_key: bool,
    pub headers: bool,
}

/// A signing secret and how long it signs.
#[derive(Debug, Clone)]
pub struct WebhookSecret {
    pub secret: Secret,
    /// Signs beside it and as long as it does, if the partner wants that.
    pub private_key: Option<PrivateKey>,
    pub created_at: Timestamp,
    /// `None`: until it is rotated.
    pub expires_at: Option<Timestamp>,
}

/// Most secrets that sign at the same time. The schema says it too.
pub const MAX_SECRETS: usize = 5;

/// A webhook has [`MAX_SECRETS`] already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManySecrets;

/// What a listener has for a URL: this, and its name.
pub const LISTENER: &str = "listener:";

/// How long one attempt may take, if nothing is said.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// Most requests to one webhook at the same time, if nothing is said.
pub const DEFAULT_IN_FLIGHT: u32 = 512;

impl WebhookDraft {
    /// An active one with defaults, that points nowhere and subscribes to nothing.
    pub fn new(id: WebhookId, tenant: TenantId, livemode: bool, now: Timestamp) -> Self {
        Self {
            id,
            tenant,
            livemode,
            name: None,
            description: None,
            url: String::new(),
            event_type_names: Vec::new(),
            status: WebhookStatus::Active,
            status_reason: None,
            ordering: Ordering::default(),
            timeout: DEFAULT_TIMEOUT,
            retry_schedule: None,
            max_in_flight: DEFAULT_IN_FLIGHT,
            headers: CustomHeaders::default(),
            metadata: BTreeMap::new(),
            secrets: Vec::new(),
            unreadable: Unreadable::default(),
            failing_since: None,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        }
    }

    /// Makes a new secret the first to sign, with the private key if the last one had one. Those
    /// before it go on for `overlap`, or until their own end if that is earlier; what has ended is
    /// dropped. If too many are left, nothing changes.
    pub fn rotate(
        &mut self,
        secret: Secret,
        private_key: PrivateKey,
        overlap: Duration,
        now: Timestamp,
    ) -> Result<(), TooManySecrets> {
        let end = now.plus(overlap);
        let asymmetric = self.secrets.first().is_some_and(|last| last.private_key.is_some())
            || self.unreadable.private_key;
        let private_key = asymmetric.then_some(private_key);
        let mut secrets = vec![WebhookSecret { private_key, ..WebhookSecret::new(secret, now) }];
        let ending = self.secrets.iter().cloned().map(|known| {
            let expires_at = Some(known.expires_at.map_or(end, |own| own.min(end)));
            WebhookSecret { expires_at, ..known }
        });
        secrets.extend(ending.filter(|known| known.is_live(now)));
        if secrets.len() > MAX_SECRETS {
            return Err(TooManySecrets);
        }
        self.secrets = secrets;
        self.unreadable = Unreadable { headers: self.unreadable.headers, ..Default::default() };
        Ok(())
    }

    /// Lets the private key sign beside the secret, unless one does already.
    pub fn add_private_key(&mut self, private_key: PrivateKey) {
        if let Some(newest) = self.secrets.first_mut() {
            newest.private_key.get_or_insert(private_key);
        }
    }

    /// From now on, only secrets sign.
    pub fn drop_private_keys(&mut self) {
        self.secrets.iter_mut().for_each(|known| known.private_key = None);
    }
}

impl WebhookSecret {
    /// One that signs alone, until it is rotated.
    pub fn new(secret: Secret, now: Timestamp) -> Self {
        Self { secret, private_key: None, created_at: now, expires_at: None }
    }

    fn is_live(&self, at: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| at < end)
    }
}

/// A stored webhook, ready for use. Never changed in place: a change makes a new one.
#[derive(Debug)]
pub struct Webhook {
    /// What rows refer to it by.
    pub number: i64,
    pub settings: WebhookDraft,
    patterns: Vec<Pattern>,
    /// Of each secret, in their order.
    keys: Vec<SigningKey>,
}

impl Webhook {
    pub fn new(number: i64, settings: WebhookDraft) -> Self {
        // Patterns were checked when they were set.
        let names = settings.event_type_names.iter();
        let patterns = names.filter_map(|name| Pattern::well_formed(name).ok()).collect();
        let keys = settings.secrets.iter().map(|known| SigningKey::new(&known.secret)).collect();
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

    /// The name of the listener that it is for, if its deliveries go down a stream instead of out
    /// to a URL.
    pub fn listener(&self) -> Option<&str> {
        self.settings.url.strip_prefix(LISTENER)
    }

    /// Most requests at the same time; 0: as many as its streams take.
    pub fn max_in_flight(&self) -> usize {
        if self.listener().is_some() {
            return 0;
        }
        usize::try_from(self.settings.max_in_flight).unwrap_or(usize::MAX)
    }

    /// The `webhook-signature` header: one signature for each secret that is still good, then one
    /// for each of their private keys.
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let seconds = at.as_unix_seconds();
        let secrets = self.settings.secrets.iter().zip(&self.keys);
        let live = secrets.filter(|(known, _)| known.is_live(at));
        let mut signatures: Vec<_> = live.map(|(_, key)| key.sign(id, seconds, body)).collect();
        let content = LazyCell::new(|| content(id, &seconds.to_string(), body));
        signatures.extend(self.private_keys(at).map(|key| key.sign(&content)));
        signatures.join(" ")
    }

    fn private_keys(&self, at: Timestamp) -> impl Iterator<Item = &PrivateKey> {
        let live = self.settings.secrets.iter().filter(move |known| known.is_live(at));
        live.filter_map(|known| known.private_key.as_ref())
    }

    /// As the API shows it at this time; never with a secret.
    pub fn to_api(&self, at: Timestamp) -> api::Webhook {
        let settings = self.settings.clone();
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
            timeout_seconds: u32::try_from(settings.timeout.as_secs()).unwrap_or(u32::MAX),
            retry_schedule: settings.retry_schedule.map(|schedule| schedule.in_seconds()),
            max_in_flight: settings.max_in_flight,
            headers: settings.headers,
            public_keys: self.private_keys(at).map(|key| key.public_key().to_string()).collect(),
            failing_since: settings.failing_since,
            paused_until: None,
            updated_at: settings.updated_at,
            secret: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_unix_seconds(1_750_000_000);

    fn secret(byte: u8) -> Secret {
        Secret::from_bytes(&[byte; 32]).unwrap()
    }

    fn pair(byte: u8) -> PrivateKey {
        PrivateKey::from_seed(&[byte; 32])
    }

    fn draft() -> WebhookDraft {
        let (id, tenant) = (WebhookId::new(START, 1), TenantId::new(START, 1));
        let secrets = vec![WebhookSecret::new(secret(0), START)];
        WebhookDraft { secrets, ..WebhookDraft::new(id, tenant, false, START) }
    }

    fn hours(hours: u64) -> Duration {
        Duration::from_hours(hours)
    }

    /// The signatures at this time are those of these secrets, in this order.
    fn signs_with(draft: &WebhookDraft, at: Timestamp, secrets: &[u8]) {
        signs_with_pairs(draft, at, secrets, &[]);
    }

    /// The same, with those of these private keys behind them, and their public keys are shown.
    fn signs_with_pairs(draft: &WebhookDraft, at: Timestamp, secrets: &[u8], pairs: &[u8]) {
        let webhook = Webhook::new(1, draft.clone());
        let seconds = at.as_unix_seconds();
        let keys = secrets.iter().map(|byte| SigningKey::new(&secret(*byte)));
        let mut expected: Vec<_> = keys.map(|key| key.sign("evt_1", seconds, b"{}")).collect();
        let content = content("evt_1", &seconds.to_string(), b"{}");
        expected.extend(pairs.iter().map(|byte| pair(*byte).sign(&content)));
        assert_eq!(webhook.sign("evt_1", at, b"{}"), expected.join(" "), "{secrets:?} {pairs:?}");
        let shown = pairs.iter().map(|byte| pair(*byte).public_key().to_string());
        assert_eq!(webhook.to_api(at).public_keys, shown.collect::<Vec<_>>());
    }

    #[test]
    fn the_old_secret_signs_beside_the_new_one_until_the_overlap_ends() {
        let mut draft = draft();
        draft.rotate(secret(1), pair(1), hours(24), START).unwrap();
        let end = START.plus(hours(24));
        signs_with(&draft, START, &[1, 0]);
        signs_with(&draft, Timestamp::from_micros(end.as_micros() - 1), &[1, 0]);
        signs_with(&draft, end, &[1]);
        draft.rotate(secret(2), pair(2), hours(1), end).unwrap();
        assert_eq!(draft.secrets.len(), 2, "what has ended is dropped");
        signs_with(&draft, end, &[2, 1]);
    }

    #[test]
    fn without_overlap_all_older_secrets_stop_at_once() {
        let mut draft = draft();
        draft.rotate(secret(1), pair(1), hours(24), START).unwrap();
        draft.rotate(secret(2), pair(2), Duration::ZERO, START).unwrap();
        signs_with(&draft, START, &[2]);
        assert_eq!(draft.secrets.len(), 1);
    }

    #[test]
    fn a_later_rotation_lets_no_secret_live_longer() {
        let mut draft = draft();
        draft.rotate(secret(1), pair(1), hours(1), START).unwrap();
        draft.rotate(secret(2), pair(2), hours(24), START).unwrap();
        signs_with(&draft, START, &[2, 1, 0]);
        signs_with(&draft, START.plus(hours(1)), &[2, 1]);
    }

    #[test]
    fn a_sixth_live_secret_is_refused_and_changes_nothing() {
        let mut draft = draft();
        for byte in 1..=4 {
            draft.rotate(secret(byte), pair(byte), hours(24), START).unwrap();
        }
        assert_eq!(draft.rotate(secret(5), pair(5), hours(24), START), Err(TooManySecrets));
        signs_with(&draft, START, &[4, 3, 2, 1, 0]);
        assert_eq!(draft.secrets[0].expires_at, None);
        draft.rotate(secret(5), pair(5), hours(24), START.plus(hours(24))).unwrap();
        signs_with(&draft, START.plus(hours(24)), &[5, 4]);
    }

    #[test]
    fn private_keys_live_and_end_with_the_secret_they_sign_beside() {
        let mut draft = draft();
        draft.rotate(secret(1), pair(1), hours(24), START).unwrap();
        signs_with(&draft, START, &[1, 0]);
        draft.add_private_key(pair(1));
        draft.add_private_key(pair(9));
        signs_with_pairs(&draft, START, &[1, 0], &[1]);
        draft.rotate(secret(2), pair(2), hours(1), START).unwrap();
        signs_with_pairs(&draft, START, &[2, 1, 0], &[2, 1]);
        signs_with_pairs(&draft, START.plus(hours(1)), &[2], &[2]);
        draft.drop_private_keys();
        signs_with(&draft, START, &[2, 1, 0]);
        draft.rotate(secret(3), pair(3), Duration::ZERO, START).unwrap();
        signs_with(&draft, START, &[3]);
    }
}
