//! Ids: opaque, prefixed strings whose prefix says what they name.
//!
//! Our own are a [ULID](https://github.com/ulid/spec) behind a prefix, made from a time and random
//! bits that the caller hands in. The platform's are passed through as they came.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::header::MAX_ID_BYTES;
use crate::time::Timestamp;

/// Crockford's base32, lower case: no `i`, `l`, `o`, `u`.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Why a string is not an id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdError {
    /// A bare UUID: ids on the wire carry a prefix that names their kind.
    RawUuid {
        /// The prefix expected, without its underscore.
        expected: &'static str,
    },
    /// An id of another kind, or no prefix at all.
    WrongPrefix {
        /// The prefix expected, without its underscore.
        expected: &'static str,
    },
    /// The right prefix, but not a suffix that we could ever have made.
    Malformed {
        /// The prefix expected, without its underscore.
        expected: &'static str,
    },
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RawUuid { expected } => {
                write!(f, "a raw UUID is not an id; ids look like '{expected}_…'")
            }
            Self::WrongPrefix { expected } => write!(f, "expected an id that begins '{expected}_'"),
            Self::Malformed { expected } => write!(f, "no '{expected}_' id looks like this"),
        }
    }
}

impl std::error::Error for IdError {}

/// 48 bits of milliseconds, then 80 random bits.
fn ulid(at: Timestamp, random: u128) -> u128 {
    let millis = u128::from((at.as_micros() / 1000).max(0).unsigned_abs());
    ((millis & ((1 << 48) - 1)) << 80) | (random & ((1 << 80) - 1))
}

fn made_at(ulid: u128) -> Timestamp {
    let millis = i64::try_from(ulid >> 80).unwrap_or(i64::MAX);
    Timestamp::from_micros(millis.saturating_mul(1000))
}

fn encode(value: u128) -> [u8; 26] {
    let mut text = [0; 26];
    for (place, byte) in text.iter_mut().rev().enumerate() {
        let digit = (value >> (5 * place)) & 31;
        *byte = ALPHABET[usize::try_from(digit).unwrap_or(0)];
    }
    text
}

fn decode(text: &str) -> Option<u128> {
    if text.len() != 26 || text.as_bytes()[0] > b'7' {
        return None;
    }
    text.bytes().try_fold(0_u128, |value, byte| {
        let digit = ALPHABET.iter().position(|&letter| letter == byte)?;
        Some((value << 5) | digit as u128)
    })
}

fn looks_like_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Takes `<prefix>_` off, or says what stands there instead.
fn suffix<'a>(text: &'a str, prefix: &'static str) -> Result<&'a str, IdError> {
    if looks_like_uuid(text) {
        return Err(IdError::RawUuid { expected: prefix });
    }
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .ok_or(IdError::WrongPrefix { expected: prefix })
}

macro_rules! our_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            #[doc = concat!("What stands before the underscore: `", $prefix, "`.")]
            pub const PREFIX: &'static str = $prefix;

            /// Makes an id from a time (milliseconds count) and the low 80 bits of `random`.
            pub fn new(at: Timestamp, random: u128) -> Self {
                Self(ulid(at, random))
            }

            /// The time that it was made from, in whole milliseconds.
            pub fn made_at(self) -> Timestamp {
                made_at(self.0)
            }
        }

        impl From<$name> for u128 {
            /// The ULID as a number.
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = encode(self.0);
                f.write_str(concat!($prefix, "_"))?;
                f.write_str(std::str::from_utf8(&text).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                decode(suffix(text, $prefix)?)
                    .map(Self)
                    .ok_or(IdError::Malformed { expected: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

our_id!(/// Something that happened, immutable.
    EventId, "evt");
our_id!(/// A registered URL with its subscriptions, secrets and settings.
    WebhookId, "wh");
our_id!(/// One event owed to one webhook.
    DeliveryId, "dlv");
our_id!(/// One HTTP request made for a delivery.
    AttemptId, "att");
our_id!(/// A partner, who owns keys, webhooks and the events published for it.
    TenantId, "tnt");
our_id!(/// An API key; its secret is kept apart.
    KeyId, "apk");
our_id!(/// Deliveries of a webhook owed again.
    ReplayId, "rpl");
our_id!(/// One request to the API, as `X-Request-Id` names it.
    RequestId, "req");

fn platform_shape(text: &str) -> bool {
    let Some((prefix, suffix)) = text.split_once('_') else { return false };
    let letters = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase());
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let bounded = text.len() <= MAX_ID_BYTES && !prefix.is_empty() && !suffix.is_empty();
    bounded && letters(prefix) && plain(suffix)
}

/// What is harmless in a log, a file name and a URL.
fn opaque(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(plain)
}

macro_rules! platform_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        ///
        /// Opaque: the documentation asks to pass it back exactly as it came, and older ids have
        /// other prefixes. So any prefix is taken, and only the shape is looked at:
        /// `<prefix>_<letters and digits>`, 128 bytes at most. In what the platform sent it may
        /// also be a UUID, as its older versions had them, or have more hyphens and underscores.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            #[doc = concat!("What stands before the underscore today: `", $prefix, "`.")]
            pub const PREFIX: &'static str = $prefix;

            /// The id as it came.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                if looks_like_uuid(text) {
                    return Err(IdError::RawUuid { expected: $prefix });
                }
                match platform_shape(text) {
                    true => Ok(Self(text.to_owned())),
                    false => Err(IdError::Malformed { expected: $prefix }),
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let malformed = IdError::Malformed { expected: $prefix };
                opaque(&text).then(|| Self(text)).ok_or_else(|| serde::de::Error::custom(malformed))
            }
        }
    };
}

platform_id!(/// An investor: one end user's investing account.
    InvestorId, "inv");
platform_id!(/// An order.
    OrderId, "ord");
platform_id!(/// A deposit.
    DepositId, "dep");
platform_id!(/// A withdrawal.
    WithdrawalId, "wd");
platform_id!(/// A wallet.
    WalletId, "wlt");
platform_id!(/// A position.
    PositionId, "pos");
platform_id!(/// A document.
    DocumentId, "doc");
platform_id!(/// A funding source: a linked bank account.
    FundingSourceId, "fs");
platform_id!(/// A transaction on a wallet.
    TransactionId, "txn");
platform_id!(/// A compliance workflow, which ends in a KYC decision.
    ComplianceWorkflowId, "cw");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_and_back(micros in 0_i64..1 << 55, random: u128) {
            let id = EventId::new(Timestamp::from_micros(micros), random);
            let text = id.to_string();
            prop_assert_eq!(text.len(), "evt_".len() + 26);
            prop_assert_eq!(text.parse::<EventId>(), Ok(id));
            prop_assert_eq!(id.made_at().as_micros(), micros / 1000 * 1000);
        }

        #[test]
        fn later_ids_sort_later(a in 0_i64..1 << 50, b in 0_i64..1 << 50, r: u128, s: u128) {
            prop_assume!(a / 1000 < b / 1000);
            let earlier = EventId::new(Timestamp::from_micros(a), r).to_string();
            let later = EventId::new(Timestamp::from_micros(b), s).to_string();
            prop_assert!(earlier < later);
        }
    }

    #[test]
    fn the_documented_example_parses() {
        let text = "wh_01j9x8m2k7qpzwv3t5r6y8n0ab";
        assert_eq!(text.parse::<WebhookId>().unwrap().to_string(), text);
    }

    #[test]
    fn each_mistake_has_its_name() {
        let uuid = "6f9619ff-8b86-d011-b42d-00c04fc964ff".parse::<WebhookId>();
        assert_eq!(uuid, Err(IdError::RawUuid { expected: "wh" }));
        let other = "evt_01j9x8m2k7qpzwv3t5r6y8n0ab".parse::<WebhookId>();
        assert_eq!(other, Err(IdError::WrongPrefix { expected: "wh" }));
        for bad in ["wh_", "wh_x", "wh_81j9x8m2k7qpzwv3t5r6y8n0ab", "wh_01j9x8m2k7qpzwv3t5r6y8n0iL"]
        {
            assert_eq!(bad.parse::<WebhookId>(), Err(IdError::Malformed { expected: "wh" }));
        }
    }

    #[test]
    fn platform_ids_keep_what_they_were_given() {
        // Real ids of the documentation: not all of them are Crockford base32.
        for text in ["ord_01j9x8m2k7qpzwv3t5r6y8n0ij", "ord_A1b2", "ord_2ahq810t9rgmwgncgcawcm5400"]
        {
            assert_eq!(text.parse::<OrderId>().unwrap().as_str(), text);
        }
        assert!("wdr_a1b2".parse::<WithdrawalId>().is_ok(), "an older prefix");
        let long = format!("ord_{}", "a".repeat(MAX_ID_BYTES));
        for bad in ["ord_", "_a", "ord", "ord_a-b", "ord_ä", "ORD_1", &long] {
            assert!(bad.parse::<OrderId>().is_err());
        }
    }

    #[test]
    fn what_the_platform_sent_is_kept() {
        let read = |text: &str| serde_json::from_value::<OrderId>(text.into());
        for text in ["ord_1", "6f9619ff-8b86-d011-b42d-00c04fc964ff", "ord_test_1", "ORD-1"] {
            assert_eq!(read(text).unwrap().as_str(), text);
        }
        let long = "a".repeat(MAX_ID_BYTES + 1);
        for bad in ["", "ord 1", "../ord_1", "ord_1?", "ord_ä", "ord_1\n", &long] {
            assert_eq!(read(bad).unwrap_err().to_string(), "no 'ord_' id looks like this");
        }
    }
}
