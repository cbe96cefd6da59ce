//! What deliveries are verified with: shared secrets and public keys.

use core::fmt;
use core::ops::RangeInclusive;
use core::str::FromStr;

use alloc::string::String;
use alloc::sync::Arc;

#[cfg(feature = "v1a")]
use bluum_hooks_shared::asymmetric::{self, PublicKey, PublicKeyError};
use bluum_hooks_shared::secret::{Secret, SecretError};
use bluum_hooks_shared::signature::{self, SigningKey};
use bluum_hooks_shared::time::Timestamp;

/// A key of a webhook, and from when until when it is trusted.
///
/// Its kind alone says which signatures it is held against: a `v1` entry never meets a public key,
/// nor a `v1a` entry a secret.
#[derive(Debug, Clone)]
pub struct Key {
    pub(crate) kind: Kind,
    pub(crate) fingerprint: Arc<str>,
    trusted: RangeInclusive<Timestamp>,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Secret(SigningKey),
    #[cfg(feature = "v1a")]
    Public(PublicKey),
}

/// From the earliest time there is to the latest.
const ALWAYS: RangeInclusive<Timestamp> =
    Timestamp::from_micros(i64::MIN)..=Timestamp::from_micros(i64::MAX);

impl Key {
    /// From `whsec_…`, see [`Secret::parse`], or, with the feature `v1a`, from `whpk_…`.
    ///
    /// White space around it is dropped, as a file's final newline.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        #[cfg(feature = "v1a")]
        if text.starts_with("whpk_") || text.starts_with("whsk_") {
            return Ok(PublicKey::parse(text)?.into());
        }
        #[cfg(not(feature = "v1a"))]
        if text.starts_with("whpk_") {
            return Err(KeyError::NeedsV1a);
        }
        Ok(Secret::parse(text)?.into())
    }

    /// Trusted from this time of receipt on.
    #[must_use]
    pub fn not_before(self, time: Timestamp) -> Self {
        Self { trusted: time..=*self.trusted.end(), ..self }
    }

    /// Trusted until this time of receipt: for the old key of a rotation, so that it is no longer
    /// a way in when nobody remembers to take it out.
    #[must_use]
    pub fn not_after(self, time: Timestamp) -> Self {
        Self { trusted: *self.trusted.start()..=time, ..self }
    }

    pub(crate) fn is_trusted(&self, now: Timestamp) -> bool {
        self.trusted.contains(&now)
    }

    /// The version of the signatures that it is held against.
    pub(crate) fn version(&self) -> &'static str {
        match &self.kind {
            Kind::Secret(_) => signature::VERSION,
            #[cfg(feature = "v1a")]
            Kind::Public(_) => asymmetric::VERSION,
        }
    }

    #[cfg(feature = "tower")]
    pub(crate) fn secret(&self) -> Option<&SigningKey> {
        match &self.kind {
            Kind::Secret(secret) => Some(secret),
            #[cfg(feature = "v1a")]
            Kind::Public(_) => None,
        }
    }

    /// The first eight hex digits of the SHA-256 of the key: safe to log and to compare by eye.
    pub fn fingerprint(&self) -> String {
        (*self.fingerprint).into()
    }
}

impl From<Secret> for Key {
    fn from(secret: Secret) -> Self {
        let key = SigningKey::new(&secret);
        Self { fingerprint: key.fingerprint().into(), kind: Kind::Secret(key), trusted: ALWAYS }
    }
}

#[cfg(feature = "v1a")]
impl From<PublicKey> for Key {
    fn from(key: PublicKey) -> Self {
        Self { fingerprint: key.fingerprint().into(), kind: Kind::Public(key), trusted: ALWAYS }
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::parse(text)
    }
}

/// Why something is not a usable key. Never quotes what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// Nor is it a secret.
    Secret(SecretError),
    /// It says that it is half of a key pair.
    #[cfg(feature = "v1a")]
    PublicKey(PublicKeyError),
    /// A public key, which this build cannot verify with.
    #[cfg(not(feature = "v1a"))]
    NeedsV1a,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(error) => error.fmt(f),
            #[cfg(feature = "v1a")]
            Self::PublicKey(error) => error.fmt(f),
            #[cfg(not(feature = "v1a"))]
            Self::NeedsV1a => f.write_str(
                "this is a public key: enable the feature 'v1a' of bluum-hooks-receiver",
            ),
        }
    }
}

impl core::error::Error for KeyError {}

impl From<SecretError> for KeyError {
    fn from(error: SecretError) -> Self {
        Self::Secret(error)
    }
}

#[cfg(feature = "v1a")]
impl From<PublicKeyError> for KeyError {
    fn from(error: PublicKeyError) -> Self {
        Self::PublicKey(error)
    }
}
