//! What deliveries are verified with: shared secrets and public keys.

use std::fmt;
use std::str::FromStr;

use bluum_hooks_shared::asymmetric::{self, PublicKey, PublicKeyError};
use bluum_hooks_shared::secret::{Secret, SecretError};
use bluum_hooks_shared::signature::{self, SigningKey};

/// A key of a webhook. Its kind alone says which signatures it is held against: a `v1` entry never
/// meets a public key, nor a `v1a` entry a secret.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Key {
    /// A shared secret, `whsec_…`, for `v1`.
    Secret(SigningKey),
    /// A public key, `whpk_…`, for `v1a`.
    Public(PublicKey),
}

impl Key {
    /// From `whpk_…` or `whsec_…`; see [`PublicKey::parse`] and [`Secret::parse`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.starts_with("whpk_") || text.starts_with("whsk_") {
            Ok(PublicKey::parse(text)?.into())
        } else {
            Ok(Secret::parse(text)?.into())
        }
    }

    /// The version of the signatures that it is held against.
    pub(crate) fn version(&self) -> &'static str {
        match self {
            Self::Secret(_) => signature::VERSION,
            Self::Public(_) => asymmetric::VERSION,
        }
    }

    /// The first eight hex digits of the SHA-256 of the key: safe to log and to compare by eye.
    pub fn fingerprint(&self) -> String {
        match self {
            Self::Secret(secret) => secret.fingerprint(),
            Self::Public(key) => key.fingerprint(),
        }
    }
}

impl From<Secret> for Key {
    fn from(secret: Secret) -> Self {
        Self::Secret(SigningKey::new(&secret))
    }
}

impl From<PublicKey> for Key {
    fn from(key: PublicKey) -> Self {
        Self::Public(key)
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
    PublicKey(PublicKeyError),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(error) => error.fmt(f),
            Self::PublicKey(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeyError {}

impl From<SecretError> for KeyError {
    fn from(error: SecretError) -> Self {
        Self::Secret(error)
    }
}

impl From<PublicKeyError> for KeyError {
    fn from(error: PublicKeyError) -> Self {
        Self::PublicKey(error)
    }
}
