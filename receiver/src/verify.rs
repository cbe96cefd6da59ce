//! Whether a request is a delivery: signed for one of our keys, lately, and unchanged.
//!
//! Pure: headers, body and time come in as arguments, and nothing is allocated for a request that
//! is good. Cheap refusals come first, so that a stranger's request costs no hashing unless it
//! looks right, and then one MAC per secret however many signatures it lists; of those that cost
//! more, no more are taken than are ever sent.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

#[cfg(feature = "v1a")]
use bluum_hooks_shared::asymmetric;
#[cfg(feature = "events")]
use bluum_hooks_shared::event::{Event, EventError};
#[cfg(feature = "v1a")]
use bluum_hooks_shared::header::MAX_ASYMMETRIC;
use bluum_hooks_shared::header::{
    MAX_DELIVERY_BYTES, MAX_ID_BYTES, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP,
};
use bluum_hooks_shared::secret::SecretError;
#[cfg(feature = "tower")]
use bluum_hooks_shared::signature::RunningMac;
use bluum_hooks_shared::signature::{self, Mac, SigningKey};
use bluum_hooks_shared::time::Timestamp;

use crate::error::VerifyError;
use crate::headers::Headers;
use crate::key::{Key, KeyError, Kind};
use crate::leniency::{Leniencies, Leniency};

/// How far a timestamp may be from now, both ways, unless told otherwise.
pub const DEFAULT_TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Knows the keys of a webhook and what to let pass. Cheap to clone.
///
/// ```
/// use std::time::Duration;
/// use bluum_hooks_receiver::{Key, Verifier};
///
/// let new = Key::parse("whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=")?;
/// let old = Key::parse("whsec_QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=")?;
/// let verifier = Verifier::new([new, old])
///     .tolerance(Duration::from_secs(300), Duration::from_secs(30));
/// # let _ = verifier;
/// # Ok::<(), bluum_hooks_receiver::KeyError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: Arc<[Key]>,
    past: Duration,
    future: Duration,
    max_body_bytes: usize,
    allowed: Leniencies,
}

impl Verifier {
    /// Trusts what is signed for any of these keys: secrets, public keys, or both as [`Key`]. With
    /// none of them, nothing.
    ///
    /// Several are for rotation, so put the newest first: the first that fits ends the search.
    pub fn new(keys: impl IntoIterator<Item = impl Into<Key>>) -> Self {
        Self {
            keys: keys.into_iter().map(Into::into).collect(),
            past: DEFAULT_TOLERANCE,
            future: DEFAULT_TOLERANCE,
            max_body_bytes: MAX_DELIVERY_BYTES,
            allowed: Leniencies::default(),
        }
    }

    /// Reads the keys from one text, as a configuration variable holds them: `whsec_…`, `whpk_…`,
    /// or several with white space in between.
    pub fn parse(keys: &str) -> Result<Self, KeyError> {
        let mut texts = keys.split_whitespace().peekable();
        if texts.peek().is_none() {
            return Err(SecretError::TooShort { bytes: 0 }.into());
        }
        Ok(Self::new(texts.map(Key::parse).collect::<Result<Vec<_>, _>>()?))
    }

    /// How old a delivery may be, and how far ahead of our clock.
    ///
    /// Keep the ids of processed events for longer than both together, or a replay gets through.
    #[must_use]
    pub fn tolerance(self, past: Duration, future: Duration) -> Self {
        Self { past, future, ..self }
    }

    /// The largest body to take; by default the largest that a dispatcher sends.
    #[must_use]
    pub fn max_body_bytes(self, bytes: usize) -> Self {
        Self { max_body_bytes: bytes, ..self }
    }

    /// Gives up one of the rules, for a sender who does not keep it. Ours keeps them all.
    #[must_use]
    pub fn allow(self, leniency: Leniency) -> Self {
        Self { allowed: self.allowed.with(leniency), ..self }
    }

    /// The fingerprints of its keys, to be logged when a receiver starts and compared with what
    /// the sender shows.
    pub fn fingerprints(&self) -> Vec<String> {
        self.keys.iter().map(Key::fingerprint).collect()
    }

    /// Checks a request whose body is already here.
    ///
    /// `body` must be the bytes as received, not JSON parsed and written again. `now` is
    /// `now()`, or the time of receipt if the request has waited in a queue.
    pub fn verify<'a, H: Headers + ?Sized>(
        &'a self,
        headers: &'a H,
        body: &'a [u8],
        now: Timestamp,
    ) -> Result<Verified<&'a [u8]>, VerifyError> {
        let pending = self.begin(headers, now)?;
        let key = pending.key_for(body, |secret| pending.mac(secret, body))?;
        Ok(pending.verified(pending.id.as_bytes(), body, key))
    }

    /// Everything that can be checked before the body is read.
    pub(crate) fn begin<'a, H: Headers + ?Sized>(
        &'a self,
        headers: &'a H,
        now: Timestamp,
    ) -> Result<Pending<'a>, VerifyError> {
        let id = self.id(self.one(headers, WEBHOOK_ID)?).ok_or(VerifyError::MalformedId)?;
        let timestamp = self.timestamp(self.one(headers, WEBHOOK_TIMESTAMP)?);
        let (timestamp, seconds) = timestamp.ok_or(VerifyError::MalformedTimestamp)?;
        let signatures = text(self.one(headers, WEBHOOK_SIGNATURE)?);
        let signatures = signatures.ok_or(VerifyError::MalformedSignature)?;
        self.check_time(seconds, now)?;
        let pending = Pending { verifier: self, now, id, timestamp, seconds, signatures };
        pending.check_versions()?;
        Ok(pending)
    }

    /// The value of a header that is there once.
    fn one<'a, H: Headers + ?Sized>(
        &self,
        headers: &'a H,
        name: &'static str,
    ) -> Result<&'a [u8], VerifyError> {
        let mut values = headers.values_of(name);
        let value = values.next().ok_or(VerifyError::MissingHeader { name })?;
        let alike = self.allowed.has(Leniency::RepeatedHeaders);
        match values.all(|other| alike && other == value) {
            true => Ok(value),
            false => Err(VerifyError::DoubledHeader { name }),
        }
    }

    fn id<'a>(&self, value: &'a [u8]) -> Option<&'a str> {
        let id = text(value)?;
        let long = id.len() > MAX_ID_BYTES && !self.allowed.has(Leniency::LongIds);
        let dotted = id.contains('.') && !self.allowed.has(Leniency::DottedIds);
        (!id.is_empty() && !id.contains(' ') && !long && !dotted).then_some(id)
    }

    /// Plain digits alone, and their number: no sign, and no more than seconds can have.
    fn timestamp<'a>(&self, value: &'a [u8]) -> Option<(&'a str, i64)> {
        let mut text = text(value)?;
        if self.allowed.has(Leniency::PaddedTimestamps) {
            text = text.trim_matches(' ');
        }
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        Some((text, text.parse().ok().filter(|_| plain)?))
    }

    fn check_time(&self, sent: i64, now: Timestamp) -> Result<(), VerifyError> {
        let age = now.as_unix_seconds().saturating_sub(sent);
        let seconds = age.unsigned_abs();
        let (past, future) = (self.past.as_secs(), self.future.as_secs());
        if age > 0 && seconds > past {
            return Err(VerifyError::TooOld { seconds, allowed: past });
        }
        if age < 0 && seconds > future {
            return Err(VerifyError::TooNew { seconds, allowed: future });
        }
        Ok(())
    }
}

impl FromStr for Verifier {
    type Err = KeyError;

    fn from_str(keys: &str) -> Result<Self, KeyError> {
        Self::parse(keys)
    }
}

/// A request whose headers are in order and whose body is still to come.
#[derive(Debug)]
pub(crate) struct Pending<'a> {
    verifier: &'a Verifier,
    now: Timestamp,
    id: &'a str,
    timestamp: &'a str,
    seconds: i64,
    signatures: &'a str,
}

impl<'a> Pending<'a> {
    /// The most bytes that are worth reading.
    #[cfg(feature = "tower")]
    pub(crate) fn max_body_bytes(&self) -> usize {
        self.verifier.max_body_bytes
    }

    /// The keys that are trusted now.
    fn keys(&self) -> impl Iterator<Item = &'a Key> + Clone {
        let now = self.now;
        self.verifier.keys.iter().filter(move |key| key.is_trusted(now))
    }

    /// Refuses what lists nothing for any key, and more than anybody sends of what is dear.
    fn check_versions(&self) -> Result<(), VerifyError> {
        let lists = |key: &Key| signature::listed(self.signatures, key.version()).next().is_some();
        if self.keys().next().is_none() {
            return Err(VerifyError::NoKey { configured: self.verifier.keys.len() });
        }
        if !self.keys().any(lists) {
            let mut known: Vec<_> = self.keys().map(Key::version).collect();
            known.sort_unstable();
            known.dedup();
            return Err(VerifyError::NoKnownVersion { known });
        }
        #[cfg(feature = "v1a")]
        if self.keys().any(|key| key.version() == asymmetric::VERSION)
            && asymmetric::count(self.signatures) > MAX_ASYMMETRIC
        {
            return Err(VerifyError::TooManySignatures { allowed: MAX_ASYMMETRIC });
        }
        Ok(())
    }

    fn mac(&self, secret: &SigningKey, body: &[u8]) -> Mac {
        secret.mac(self.id, self.timestamp, body)
    }

    /// A MAC for each secret, for a body that comes in pieces.
    #[cfg(feature = "tower")]
    pub(crate) fn running(&self) -> Vec<RunningMac> {
        let secrets = self.keys().filter_map(Key::secret);
        secrets.map(|secret| secret.begin(self.id, self.timestamp)).collect()
    }

    /// What came of them: each must have seen all of `body`, as [`running`](Self::running) gave it.
    #[cfg(feature = "tower")]
    pub(crate) fn finish(
        self,
        body: bytes::Bytes,
        macs: Vec<RunningMac>,
    ) -> Result<Verified<bytes::Bytes>, VerifyError> {
        let mut macs = macs.into_iter().map(RunningMac::finish);
        let key = self.key_for(&body, |secret| match macs.next() {
            Some(mac) => mac,
            None => self.mac(secret, &body),
        })?;
        Ok(self.verified(bytes::Bytes::copy_from_slice(self.id.as_bytes()), body, key))
    }

    fn verified<B>(&self, id: B, body: B, key: &Key) -> Verified<B> {
        let timestamp = Timestamp::from_unix_seconds(self.seconds);
        Verified { id, timestamp, body, key: Arc::clone(&key.fingerprint) }
    }

    /// The first key whose signature of `body` is listed; `mac` is what a secret makes of it.
    fn key_for(
        &self,
        body: &[u8],
        mut mac: impl FnMut(&SigningKey) -> Mac,
    ) -> Result<&'a Key, VerifyError> {
        if body.len() > self.verifier.max_body_bytes {
            return Err(VerifyError::TooLarge { allowed: self.verifier.max_body_bytes });
        }
        let loose = self.verifier.allowed.has(Leniency::LooseSignatures);
        let fits = |key: &&Key| match &key.kind {
            Kind::Secret(secret) if loose => mac(secret).is_listed_loosely(self.signatures),
            Kind::Secret(secret) => mac(secret).is_listed(self.signatures),
            #[cfg(feature = "v1a")]
            Kind::Public(key) => key.verifies(self.signatures, self.id, self.timestamp, body),
        };
        self.keys().find(fits).ok_or_else(|| VerifyError::NoMatch {
            fingerprints: self.keys().map(Key::fingerprint).collect(),
            body_bytes: body.len(),
        })
    }
}

/// A delivery that was signed for one of our keys. Only a [`Verifier`] makes one.
///
/// `B` is what holds its bytes: `&[u8]` from [`Verifier::verify`], `Bytes` from a layer.
#[derive(Clone)]
pub struct Verified<B> {
    id: B,
    timestamp: Timestamp,
    pub(crate) body: B,
    key: Arc<str>,
}

impl<B: AsRef<[u8]>> Verified<B> {
    /// The id of the event, the same on every attempt: deduplicate on it.
    pub fn id(&self) -> &str {
        // It was printable ASCII when it was verified.
        str::from_utf8(self.id.as_ref()).unwrap_or_default()
    }

    /// When this attempt was signed.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The body, byte for byte what was signed.
    pub fn body(&self) -> &[u8] {
        self.body.as_ref()
    }

    /// The body, without the rest.
    pub fn into_body(self) -> B {
        self.body
    }

    /// The fingerprint of the key that fitted: tells when an old one is no longer in use.
    pub fn fingerprint(&self) -> &str {
        &self.key
    }

    /// Reads the body. Fails only where the envelope is broken; see [`Event::parse_with_id`].
    #[cfg(feature = "events")]
    pub fn event(&self) -> Result<Event, EventError> {
        Event::parse_with_id(self.body(), self.id())
    }
}

/// Leaves the body out: it may name a person, and `{:?}` ends up in logs.
impl<B: AsRef<[u8]>> fmt::Debug for Verified<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("id", &self.id())
            .field("timestamp", &self.timestamp)
            .field("body_bytes", &self.body().len())
            .field("key", &self.key)
            .finish()
    }
}

/// Printable ASCII as text.
fn text(value: &[u8]) -> Option<&str> {
    // Whole pieces at once: a header may be long, and bytes are faster looked at side by side.
    let plain = |all, byte: &u8| all & matches!(byte, b' '..=b'~');
    let printable = value.chunks(64).all(|piece| piece.iter().fold(true, plain));
    str::from_utf8(value).ok().filter(|_| printable)
}

#[cfg(test)]
#[cfg(feature = "v1a")]
mod tests;
