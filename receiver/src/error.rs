//! Why a request was refused: for the receiver's own logs, never for the sender.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Why a request is not a delivery that we can trust.
///
/// Says enough to find the cause and never holds a secret, a signature or a body. Tell the
/// outside nothing of it but the status.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyError {
    /// A header is not there.
    MissingHeader {
        /// Its name.
        name: &'static str,
    },
    /// A header is there more than once, even if the values are the same.
    DoubledHeader {
        /// Its name.
        name: &'static str,
    },
    /// `webhook-id` is empty, longer than 128 bytes, or holds a dot or something invisible.
    ///
    /// A dot would let an id and a timestamp be cut out of the signed text in two ways.
    MalformedId,
    /// `webhook-timestamp` is not a number of seconds in plain digits.
    MalformedTimestamp,
    /// `webhook-signature` is not printable ASCII.
    MalformedSignature,
    /// Signed too long ago: a replay, a queue in between, or a clock that is off.
    TooOld {
        /// How long ago.
        seconds: u64,
        /// How long is allowed.
        allowed: u64,
    },
    /// Signed too far ahead of our time: a clock is off, theirs or ours.
    TooNew {
        /// How far ahead.
        seconds: u64,
        /// How far is allowed.
        allowed: u64,
    },
    /// There is no key to hold a signature against.
    NoKey {
        /// How many there are that are not trusted yet, or no longer.
        configured: usize,
    },
    /// There are signatures, none of a version that one of the keys is for: `v1` for secrets, `v1a`
    /// for public keys.
    NoKnownVersion {
        /// The versions that the keys are for.
        known: Vec<&'static str>,
    },
    /// More `v1a` signatures than any dispatcher sends: checking them would cost us dearly.
    TooManySignatures {
        /// How many are allowed.
        allowed: usize,
    },
    /// The body is larger than [`Verifier::max_body_bytes`](crate::Verifier::max_body_bytes).
    TooLarge {
        /// How many bytes are allowed.
        allowed: usize,
    },
    /// No signature fits: the wrong key, or a body that is not the one that was signed.
    NoMatch {
        /// The fingerprints of the keys that were tried, at least one.
        fingerprints: Vec<String>,
        /// The length of the body, to compare with what the sender says it sent.
        body_bytes: usize,
    },
}

impl VerifyError {
    /// The HTTP status to answer with, and the only thing that the sender should learn:
    /// 413 for a body that is too large, 400 for what is not formed like a delivery, 401 for what
    /// is and cannot be trusted.
    pub fn status(&self) -> u16 {
        match self {
            Self::TooLarge { .. } => 413,
            Self::TooOld { .. }
            | Self::TooNew { .. }
            | Self::NoKey { .. }
            | Self::NoMatch { .. } => 401,
            Self::MissingHeader { .. }
            | Self::DoubledHeader { .. }
            | Self::MalformedId
            | Self::MalformedTimestamp
            | Self::MalformedSignature
            | Self::NoKnownVersion { .. }
            | Self::TooManySignatures { .. } => 400,
        }
    }

    /// The name of the case, such as `too_old`: one of a few words, to count by.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::MissingHeader { .. } => "missing_header",
            Self::DoubledHeader { .. } => "doubled_header",
            Self::MalformedId => "malformed_id",
            Self::MalformedTimestamp => "malformed_timestamp",
            Self::MalformedSignature => "malformed_signature",
            Self::TooOld { .. } => "too_old",
            Self::TooNew { .. } => "too_new",
            Self::NoKey { .. } => "no_key",
            Self::NoKnownVersion { .. } => "no_known_version",
            Self::TooManySignatures { .. } => "too_many_signatures",
            Self::TooLarge { .. } => "too_large",
            Self::NoMatch { .. } => "no_match",
        }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingHeader { name } => write!(f, "the header '{name}' is missing"),
            Self::DoubledHeader { name } => write!(f, "the header '{name}' is there twice"),
            Self::MalformedId => {
                f.write_str("'webhook-id' must be 1 to 128 visible ASCII characters without a dot")
            }
            Self::MalformedTimestamp => {
                f.write_str("'webhook-timestamp' must be Unix seconds in plain digits")
            }
            Self::MalformedSignature => f.write_str("'webhook-signature' must be printable ASCII"),
            Self::TooOld { seconds, allowed } => {
                write!(
                    f,
                    "signed {seconds} s ago, at most {allowed} s are allowed; check the clock"
                )
            }
            Self::TooNew { seconds, allowed } => write!(
                f,
                "signed {seconds} s ahead of now, at most {allowed} s are allowed; check the clock"
            ),
            Self::NoKnownVersion { known } => {
                write!(f, "no signature of version '{}'", known.join("' or '"))
            }
            Self::TooManySignatures { allowed } => {
                write!(f, "more than {allowed} signatures of version 'v1a'")
            }
            Self::TooLarge { allowed } => write!(f, "the body is larger than {allowed} bytes"),
            Self::NoKey { configured: 0 } => f.write_str("no key is configured"),
            Self::NoKey { configured } => {
                write!(f, "none of the {configured} keys is trusted at this time")
            }
            Self::NoMatch { fingerprints, body_bytes } => write!(
                f,
                "no signature fits the {body_bytes} bytes of the body and the key with the \
                 fingerprint {}; the key may be another webhook's, or something has changed \
                 the body on its way here",
                fingerprints.join(" or ")
            ),
        }
    }
}

impl core::error::Error for VerifyError {}
