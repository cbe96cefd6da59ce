//! The key that a webhook's deliveries are signed with.
//!
//! It is shown to the partner once as `whsec_<base64>` and never printed otherwise: what logs and
//! errors show is its fingerprint, which tells two secrets apart and gives neither away.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::signature::LENIENT;

/// The fewest bytes a secret may have.
pub const MIN_SECRET_BYTES: usize = 24;
/// The most bytes a secret may have.
pub const MAX_SECRET_BYTES: usize = 64;

const PREFIX: &str = "whsec_";
/// Base64 of [`MAX_SECRET_BYTES`], padded.
const MAX_TEXT: usize = MAX_SECRET_BYTES.div_ceil(3) * 4;

/// Why something is not a usable secret. Never quotes what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretError {
    /// Fewer than [`MIN_SECRET_BYTES`]; an empty secret would let anybody sign.
    TooShort {
        /// How many bytes it has.
        bytes: usize,
    },
    /// More than [`MAX_SECRET_BYTES`].
    TooLong,
    /// What follows `whsec_` is not base64.
    NotBase64,
    /// A `whpk_` or `whsk_` key: half of a key pair, which is no shared secret.
    AsymmetricKey,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { bytes } => {
                write!(f, "a secret needs at least {MIN_SECRET_BYTES} bytes, this has {bytes}")
            }
            Self::TooLong => write!(f, "a secret has at most {MAX_SECRET_BYTES} bytes"),
            Self::NotBase64 => f.write_str("a secret looks like 'whsec_<base64>'"),
            Self::AsymmetricKey => {
                f.write_str("this is a key of a key pair; the secret begins 'whsec_'")
            }
        }
    }
}

impl core::error::Error for SecretError {}

/// A shared secret of 24 to 64 bytes. Wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// From raw bytes, which the caller drew at random; 32 is what we make ourselves.
    ///
    /// Some senders use the text of a secret as it stands: `Secret::from_bytes(text.as_bytes())`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        match bytes.len() {
            0..MIN_SECRET_BYTES => Err(SecretError::TooShort { bytes: bytes.len() }),
            MIN_SECRET_BYTES..=MAX_SECRET_BYTES => Ok(Self(Zeroizing::new(bytes.to_vec()))),
            _ => Err(SecretError::TooLong),
        }
    }

    /// From fewer bytes than that, for a sender who gives out no longer ones; one byte at least.
    ///
    /// Whoever guesses the secret signs what they like. Ask the sender for a longer one.
    pub fn from_short_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        match bytes.len() {
            1..=MAX_SECRET_BYTES => Ok(Self(Zeroizing::new(bytes.to_vec()))),
            _ => Self::from_bytes(bytes),
        }
    }

    /// From `whsec_<base64>`. The prefix and the padding may be missing, white space around it
    /// is dropped, and a `v1,` that some dashboards put in front is ignored.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        let text = text.strip_prefix("v1,").unwrap_or(text);
        if text.starts_with("whpk_") || text.starts_with("whsk_") {
            return Err(SecretError::AsymmetricKey);
        }
        let text = text.strip_prefix(PREFIX).unwrap_or(text);
        if text.len() > MAX_TEXT {
            return Err(SecretError::TooLong);
        }
        let mut bytes = Zeroizing::new([0; MAX_TEXT]);
        let length =
            LENIENT.decode_slice(text, &mut bytes[..]).map_err(|_| SecretError::NotBase64)?;
        Self::from_bytes(&bytes[..length])
    }

    /// The text that is shown to the partner once.
    pub fn to_whsec(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new([0; MAX_TEXT]);
        // The buffer holds the longest secret, so this cannot fail.
        let length = STANDARD.encode_slice(self.as_bytes(), &mut text[..]).unwrap_or(0);
        let base64 = core::str::from_utf8(&text[..length]).unwrap_or_default();
        // Reserved in one piece: growing would leave a copy behind that nobody wipes.
        let mut whsec = Zeroizing::new(String::with_capacity(PREFIX.len() + length));
        whsec.push_str(PREFIX);
        whsec.push_str(base64);
        whsec
    }

    /// The key itself.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The first eight hex digits of the SHA-256 of the key: safe to log and to compare by eye.
    pub fn fingerprint(&self) -> String {
        hex::encode(&Sha256::digest(self.as_bytes())[..4])
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        Self::parse(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_and_back(bytes in prop::collection::vec(any::<u8>(), 24..=64)) {
            let text = Secret::from_bytes(&bytes).unwrap().to_whsec();
            let bare = text.strip_prefix("whsec_").unwrap();
            for form in [&text, bare, bare.trim_end_matches('=')] {
                let read = Secret::parse(form).unwrap();
                prop_assert_eq!(read.as_bytes(), &bytes[..]);
            }
        }

        #[test]
        fn any_text_is_answered(text: String) {
            let _ = Secret::parse(&text);
        }
    }

    #[test]
    fn forms_that_people_paste() {
        let plain = Secret::parse("C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
        for text in [
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "v1,whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            " whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n",
        ] {
            assert_eq!(text.parse::<Secret>().unwrap().as_bytes(), plain.as_bytes(), "{text}");
        }
        // Two characters of padding missing, and bits set beneath them.
        assert_eq!(
            Secret::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwBr").unwrap().as_bytes().len(),
            25
        );
    }

    #[test]
    fn refuses_keys_that_anyone_could_guess() {
        for (text, bytes) in [("", 0), ("whsec_", 0), ("whsec_AAAA", 3)] {
            assert_eq!(Secret::parse(text).unwrap_err(), SecretError::TooShort { bytes });
        }
        assert_eq!(
            Secret::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS").unwrap_err(),
            SecretError::TooShort { bytes: 23 }
        );
        assert_eq!(Secret::from_short_bytes(&[1; 3]).unwrap().as_bytes(), [1; 3]);
        assert_eq!(Secret::from_short_bytes(&[]).unwrap_err(), SecretError::TooShort { bytes: 0 });
        assert_eq!(Secret::from_short_bytes(&[1; 65]).unwrap_err(), SecretError::TooLong);
        assert_eq!(Secret::from_bytes(&[1; 65]).unwrap_err(), SecretError::TooLong);
        assert_eq!(Secret::parse(&"A".repeat(87)).unwrap_err(), SecretError::TooLong);
        assert_eq!(Secret::parse(&"A".repeat(1 << 20)).unwrap_err(), SecretError::TooLong);
    }

    #[test]
    fn says_what_it_was_given_instead() {
        assert_eq!(Secret::parse("whsec_not base64!").unwrap_err(), SecretError::NotBase64);
        assert_eq!(Secret::parse("whpk_abcd").unwrap_err(), SecretError::AsymmetricKey);
        assert_eq!(Secret::parse("whsk_abcd").unwrap_err(), SecretError::AsymmetricKey);
    }

    #[test]
    fn debug_shows_the_fingerprint_alone() {
        let secret = Secret::from_bytes(&[7; 32]).unwrap();
        let shown = format!("{secret:?}");
        assert_eq!(shown, format!("Secret({})", secret.fingerprint()));
        assert_eq!(secret.fingerprint(), &hex::encode(Sha256::digest([7; 32]))[..8]);
    }
}
