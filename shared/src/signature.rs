//! [Standard Webhooks](https://www.standardwebhooks.com) signatures, version `v1`.
//!
//! HMAC-SHA256 over `{id}.{timestamp}.{body}`, in base64. One MAC is made per key, never per
//! signature listed, so a header full of junk costs the verifier next to nothing.

use alloc::string::{String, ToString};
use core::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{Hmac, KeyInit, Mac as _};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::secret::{MAX_SECRET_BYTES, Secret};

/// What stands before the comma of a signature made here.
pub const VERSION: &str = "v1";

const MAC_BYTES: usize = 32;
/// [`MAC_BYTES`] in padded base64.
const MAC_TEXT: usize = 44;

/// What people paste and what other tools make: padding may be missing, and bits stand beneath it.
pub(crate) const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A secret made ready to sign: the key schedule is done once, not once per delivery.
#[derive(Clone)]
pub struct SigningKey {
    keyed: Hmac<Sha256>,
    fingerprint: [u8; 4],
}

impl SigningKey {
    /// Prepares a secret.
    pub fn new(secret: &Secret) -> Self {
        let mut fingerprint = [0; 4];
        fingerprint.copy_from_slice(&Sha256::digest(secret.as_bytes())[..4]);
        Self { keyed: keyed(secret), fingerprint }
    }

    /// One entry of a `webhook-signature` header: `v1,<base64>`.
    ///
    /// `timestamp` is Unix seconds of the attempt, as the `webhook-timestamp` header says them.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mac = self.mac(id, &timestamp.to_string(), body);
        let mut entry = String::with_capacity(VERSION.len() + 1 + MAC_TEXT);
        entry.push_str(VERSION);
        entry.push(',');
        STANDARD.encode_string(mac.0, &mut entry);
        entry
    }

    /// The MAC of a delivery; `timestamp` is the text of the header as it was sent, because a
    /// number read and printed again may be another text.
    pub fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Mac {
        let mut mac = self.begin(id, timestamp);
        mac.update(body);
        mac.finish()
    }

    /// The same, for a body that comes in pieces.
    pub fn begin(&self, id: &str, timestamp: &str) -> RunningMac {
        let mut mac = self.keyed.clone();
        for part in [id, ".", timestamp, "."] {
            mac.update(part.as_bytes());
        }
        RunningMac(mac)
    }

    /// The fingerprint of the secret, [`Secret::fingerprint`].
    pub fn fingerprint(&self) -> String {
        hex::encode(self.fingerprint)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.fingerprint())
    }
}

/// HMAC pads a short key with zeros to one block. Doing that here, for a secret that always fits,
/// uses the constructor that cannot fail.
fn keyed(secret: &Secret) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; MAX_SECRET_BYTES]);
    block[..secret.as_bytes().len()].copy_from_slice(secret.as_bytes());
    Hmac::new((&*block).into())
}

/// A MAC whose body is still coming in.
#[derive(Clone)]
pub struct RunningMac(Hmac<Sha256>);

impl RunningMac {
    /// The next piece of the body.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The MAC of all pieces.
    pub fn finish(self) -> Mac {
        Mac(self.0.finalize().into_bytes().into())
    }
}

impl fmt::Debug for RunningMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunningMac")
    }
}

/// The MAC of a delivery under one key. Not to be shown: it is what a forger is looking for.
#[derive(Clone)]
pub struct Mac([u8; MAC_BYTES]);

impl Mac {
    /// Whether the value of a `webhook-signature` header lists it.
    ///
    /// Every `v1` entry is compared, in constant time, as the text that this MAC has in canonical
    /// base64; so no other way to write the same bytes passes, and nothing is decoded. Entries of
    /// other versions and entries that are no base64 hide nothing.
    pub fn is_listed(&self, header: &str) -> bool {
        let mut text = [0; MAC_TEXT];
        // The buffer has the length of every MAC, so this cannot fail; and if it did, zeros are
        // the text of no header.
        let written = STANDARD.encode_slice(self.0, &mut text).is_ok();
        let text = words(&text);
        let equal = |entry: &str| match entry.as_bytes().try_into() {
            Ok(entry) => text.ct_eq(&words(entry)).into(),
            Err(_) => false,
        };
        // All of them, match or not.
        written & listed(header, VERSION).fold(false, |found, entry| found | equal(entry))
    }

    /// The same, also where padding is missing or unused bits are set, as some senders write it.
    pub fn is_listed_loosely(&self, header: &str) -> bool {
        let equal = |entry: &str| {
            let mut bytes = [0; MAC_BYTES + 2];
            match LENIENT.decode_slice(entry, &mut bytes) {
                Ok(length) => bool::from(self.0.ct_eq(&bytes[..length])),
                Err(_) => false,
            }
        };
        listed(header, VERSION).fold(false, |found, entry| found | equal(entry))
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac")
    }
}

/// A text in pieces of eight bytes, the last filled up with zeros: comparing these in constant time
/// takes a tenth of what comparing bytes does, and a header may have thousands of entries.
fn words(text: &[u8; MAC_TEXT]) -> [u64; MAC_TEXT.div_ceil(8)] {
    let mut words = [0; MAC_TEXT.div_ceil(8)];
    for (word, piece) in words.iter_mut().zip(text.chunks(8)) {
        let mut bytes = [0; 8];
        bytes[..piece.len()].copy_from_slice(piece);
        *word = u64::from_le_bytes(bytes);
    }
    words
}

/// What a `webhook-signature` header lists of a version, without it.
pub fn listed<'a>(header: &'a str, version: &'a str) -> impl Iterator<Item = &'a str> {
    header.split(' ').filter_map(move |entry| entry.strip_prefix(version)?.strip_prefix(','))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(secret: &str) -> SigningKey {
        SigningKey::new(&secret.parse().unwrap())
    }

    /// Known answers of the libraries in other languages.
    #[test]
    fn official_vectors() {
        for (secret, id, timestamp, body, signature) in [
            (
                "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
            (
                "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ] {
            assert_eq!(key(secret).sign(id, timestamp, body.as_bytes()), signature);
        }
    }

    const BODY: &[u8] = br#"{"id":"evt_1","ok":true}"#;
    const FIRST: &str = "v1,LH6iSeIQ4CSoqKp0jPAjIJGJrjbG3QBKt3lLL0ewpCg=";
    const SECOND: &str = "v1,uwz7cFaMiqTYKFpTuAf20S6PrXS9anmY7b93FEH1F0s=";

    fn two_keys() -> [SigningKey; 2] {
        let bytes: Vec<u8> = (0..64).collect();
        [0, 32].map(|from| SigningKey::new(&Secret::from_bytes(&bytes[from..from + 32]).unwrap()))
    }

    fn two_macs() -> [Mac; 2] {
        two_keys().map(|key| key.mac("msg_2K5E7Y8J6T4Q", "1700000000", BODY))
    }

    #[test]
    fn rotation_vector() {
        let [first, second] =
            two_keys().map(|key| key.sign("msg_2K5E7Y8J6T4Q", 1_700_000_000, BODY));
        assert_eq!([first.as_str(), second.as_str()], [FIRST, SECOND]);

        let [one, two] = two_macs();
        for mac in [&one, &two] {
            assert!(mac.is_listed(&format!("{FIRST} {SECOND}")));
            assert!(mac.is_listed(&format!("{SECOND} {FIRST}")));
        }
        assert!(two.is_listed(SECOND) && !one.is_listed(SECOND));
    }

    #[test]
    fn a_bad_neighbour_hides_nothing() {
        let [mac, _] = two_macs();
        for junk in ["v1,", "v1,AAAA", "v1,%%%", "v1", "v2,abc", "v1a,abc", ",", "junk", " ", "ä"]
        {
            for header in [format!("{junk} {FIRST}"), format!("{FIRST} {junk}")] {
                assert!(mac.is_listed(&header) && mac.is_listed_loosely(&header), "{header}");
            }
        }
        assert!(mac.is_listed(&format!("{}{FIRST}", "v1,A ".repeat(1_000))));
    }

    #[test]
    fn only_canonical_base64_matches() {
        let [mac, _] = two_macs();
        for (near, loosely) in [
            (FIRST.trim_end_matches('=').to_owned(), true),
            (FIRST.replace("Cg=", "Ch="), true), // an unused bit set
            (format!("{FIRST}="), false),
            (format!("{FIRST}AAAA"), false),
            (FIRST.replace("v1,", "v1, "), false),
            (FIRST.replace("v1,", "V1,"), false),
            (FIRST.replace("v1,", "v1a,"), false),
            (FIRST[..11].to_owned(), false),
        ] {
            assert!(!mac.is_listed(&near), "{near}");
            assert_eq!(mac.is_listed_loosely(&near), loosely, "{near}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_answered(header: String) {
            for mac in two_macs() {
                prop_assert!(!mac.is_listed(&header) && !mac.is_listed_loosely(&header));
            }
        }

        #[test]
        fn what_is_signed_is_found(
            id in "[!-~]{1,128}", timestamp: i64, body: Vec<u8>, before in "[ -~]{0,60}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let [other, key] = two_keys();
            let header = format!("{before} {}", key.sign(&id, timestamp, &body));
            let timestamp = timestamp.to_string();
            prop_assert!(key.mac(&id, &timestamp, &body).is_listed(&header));
            prop_assert!(!other.mac(&id, &timestamp, &body).is_listed(&header));
            // In pieces, wherever it is cut.
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
            cuts.sort_unstable();
            let mut mac = key.begin(&id, &timestamp);
            let mut from = 0;
            for to in cuts.into_iter().chain([body.len()]) {
                mac.update(&body[from..to]);
                from = to;
            }
            prop_assert!(mac.finish().is_listed(&header));
        }
    }

    #[test]
    fn debug_shows_the_fingerprint_alone() {
        let secret = Secret::from_bytes(&[7; 32]).unwrap();
        let shown = format!("{:?}", SigningKey::new(&secret));
        assert_eq!(shown, format!("SigningKey({})", secret.fingerprint()));
    }
}
