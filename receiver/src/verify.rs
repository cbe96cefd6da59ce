//! Whether a request is a delivery: signed for one of our keys, lately, and unchanged.
//!
//! Pure: headers, body and time come in as arguments. Cheap refusals come first, so that a
//! stranger's request costs no hashing unless it looks right, and then one MAC per secret however
//! many signatures it lists; of those that cost more, no more are taken than are ever sent.

use std::cell::LazyCell;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bluum_hooks_shared::asymmetric::{self, Signature};
use bluum_hooks_shared::event::{Event, EventError};
use bluum_hooks_shared::header::{
    MAX_ASYMMETRIC, MAX_DELIVERY_BYTES, MAX_ID_BYTES, WEBHOOK_ID, WEBHOOK_SIGNATURE,
    WEBHOOK_TIMESTAMP,
};
use bluum_hooks_shared::secret::SecretError;
use bluum_hooks_shared::signature::{self, Check};
use bluum_hooks_shared::time::Timestamp;

use crate::error::VerifyError;
use crate::headers::Headers;
use crate::key::{Key, KeyError};

/// How far a timestamp may be from now, both ways, unless told otherwise.
pub const DEFAULT_TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Knows the keys of a webhook and what to let pass. Cheap to clone.
///
/// ```
/// use std::time::Duration;
/// use bluum_hooks_receiver::{Key, Verifier};
///
/// let secret = Key::parse("whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=")?;
/// let public = Key::parse("whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=")?;
/// let verifier = Verifier::new([secret, public])
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

    /// Checks a request whose body is already here.
    ///
    /// `body` must be the bytes as received, not JSON parsed and written again. `now` is
    /// [`now()`](crate::now), or the time of receipt if the request has waited in a queue.
    pub fn verify<'a, H: Headers + ?Sized>(
        &'a self,
        headers: &'a H,
        body: &'a [u8],
        now: Timestamp,
    ) -> Result<Verified<'a>, VerifyError> {
        self.begin(headers, now)?.finish(body)
    }

    /// Everything that can be checked before the body is read.
    pub(crate) fn begin<'a, H: Headers + ?Sized>(
        &'a self,
        headers: &'a H,
        now: Timestamp,
    ) -> Result<Pending<'a>, VerifyError> {
        let id = text(one(headers, WEBHOOK_ID)?).ok_or(VerifyError::MalformedId)?;
        if id.is_empty() || id.len() > MAX_ID_BYTES || id.contains(['.', ' ']) {
            return Err(VerifyError::MalformedId);
        }
        let timestamp =
            text(one(headers, WEBHOOK_TIMESTAMP)?).ok_or(VerifyError::MalformedTimestamp)?;
        let seconds = digits(timestamp).ok_or(VerifyError::MalformedTimestamp)?;
        let signatures =
            text(one(headers, WEBHOOK_SIGNATURE)?).ok_or(VerifyError::MalformedSignature)?;
        self.check_time(seconds, now)?;
        let asymmetric = self.check_versions(signatures)?;
        Ok(Pending { verifier: self, id, timestamp, seconds, signatures, asymmetric })
    }

    /// Gives the `v1a` signatures, if there is a key for them.
    fn check_versions(&self, signatures: &str) -> Result<Vec<Signature>, VerifyError> {
        let mut known: Vec<_> = self.keys.iter().map(Key::version).collect();
        known.sort_unstable();
        known.dedup();
        let listed = |version: &&str| signature::listed(signatures, version).next().is_some();
        if !known.is_empty() && !known.iter().any(listed) {
            return Err(VerifyError::NoKnownVersion { known });
        }
        if !known.contains(&asymmetric::VERSION) {
            return Ok(Vec::new());
        }
        let too_many = VerifyError::TooManySignatures { allowed: MAX_ASYMMETRIC };
        Signature::listed(signatures).ok_or(too_many)
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
    id: &'a str,
    timestamp: &'a str,
    seconds: i64,
    signatures: &'a str,
    asymmetric: Vec<Signature>,
}

impl<'a> Pending<'a> {
    /// The most bytes that are worth reading.
    pub(crate) fn max_body_bytes(&self) -> usize {
        self.verifier.max_body_bytes
    }

    pub(crate) fn finish<'b>(self, body: &'b [u8]) -> Result<Verified<'b>, VerifyError>
    where
        'a: 'b,
    {
        if body.len() > self.max_body_bytes() {
            return Err(VerifyError::TooLarge { allowed: self.max_body_bytes() });
        }
        let content = LazyCell::new(|| asymmetric::content(self.id, self.timestamp, body));
        let fits = |key: &&Key| match key {
            Key::Secret(secret) => {
                let mac = secret.mac(self.id, self.timestamp, body);
                matches!(signature::check(self.signatures, &[mac]), Check::Match(_))
            }
            Key::Public(key) => key.verifies(&content, &self.asymmetric),
        };
        let keys = &self.verifier.keys;
        match keys.iter().find(fits) {
            Some(key) => {
                let timestamp = Timestamp::from_unix_seconds(self.seconds);
                Ok(Verified { id: self.id, timestamp, body, key })
            }
            None => Err(VerifyError::NoMatch {
                fingerprints: keys.iter().map(Key::fingerprint).collect(),
                body_bytes: body.len(),
            }),
        }
    }
}

/// A delivery that was signed for one of our keys. Only a [`Verifier`] makes one.
#[derive(Clone)]
pub struct Verified<'a> {
    id: &'a str,
    timestamp: Timestamp,
    body: &'a [u8],
    key: &'a Key,
}

impl<'a> Verified<'a> {
    /// The id of the event, the same on every attempt: deduplicate on it.
    pub fn id(&self) -> &'a str {
        self.id
    }

    /// When this attempt was signed.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The body, byte for byte what was signed.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The fingerprint of the key that fitted: tells when an old one is no longer in use.
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint()
    }

    /// Reads the body. Fails only where the envelope is broken; see [`Event::parse`].
    pub fn event(&self) -> Result<Event, EventError> {
        Event::parse(self.body)
    }
}

/// Leaves the body out: it may name a person, and `{:?}` ends up in logs.
impl fmt::Debug for Verified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("id", &self.id)
            .field("timestamp", &self.timestamp)
            .field("body_bytes", &self.body.len())
            .field("key", &self.key)
            .finish()
    }
}

fn one<'a, H: Headers + ?Sized>(
    headers: &'a H,
    name: &'static str,
) -> Result<&'a [u8], VerifyError> {
    let mut values = headers.values_of(name);
    let value = values.next().ok_or(VerifyError::MissingHeader { name })?;
    match values.next() {
        Some(_) => Err(VerifyError::DoubledHeader { name }),
        None => Ok(value),
    }
}

/// Printable ASCII as text.
fn text(value: &[u8]) -> Option<&str> {
    let printable = value.iter().all(|byte| matches!(byte, b' '..=b'~'));
    std::str::from_utf8(value).ok().filter(|_| printable)
}

/// Plain digits alone: no sign, no space, and no more than a number of seconds can have.
fn digits(text: &str) -> Option<i64> {
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse().ok(),
        false => None,
    }
}

#[cfg(test)]
mod tests;
