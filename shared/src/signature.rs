//! [Standard Webhooks](https://www.standardwebhooks.com) signatures, version `v1`.
//!
//! HMAC-SHA256 over `{id}.{timestamp}.{body}`, in base64. One MAC is made per key, never per
//! signature listed, so a header full of junk costs the verifier nothing.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::header::MAX_SIGNATURES;
use crate::secret::{MAX_SECRET_BYTES, Secret};

/// What stands before the comma of a signature made here.
pub const VERSION: &str = "v1";

const MAC_BYTES: usize = 32;
/// 32 bytes in padded base64.
const MAC_TEXT: usize = 44;

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
        STANDARD.encode_string(mac, &mut entry);
        entry
    }

    /// The MAC of a delivery; `timestamp` is the text of the header as it was sent, because a
    /// number read and printed again may be another text.
    pub fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> [u8; MAC_BYTES] {
        let mut mac = self.keyed.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
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

/// What a `webhook-signature` header turned out to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// One of the MACs is listed: this one, counted from 0.
    Match(usize),
    /// There are `v1` signatures, and none is one of the MACs.
    NoMatch,
    /// There is no `v1` signature at all.
    NoKnownVersion,
}

/// Looks for `macs`, one per key, in the value of a `webhook-signature` header.
///
/// Every candidate is compared with every MAC in constant time, match or not. Entries of other
/// versions, entries that do not decode, and everything behind the first
/// [`MAX_SIGNATURES`] entries are passed over, so that a bad neighbour cannot hide a good
/// signature. Only canonical base64 of exactly 44 characters decodes.
pub fn check(header: &str, macs: &[[u8; MAC_BYTES]]) -> Check {
    let mut known = false;
    let mut found = None;
    for text in listed(header, VERSION) {
        known = true;
        let Some(candidate) = decode::<MAC_BYTES>(text) else { continue };
        for (key, mac) in macs.iter().enumerate() {
            if bool::from(mac.ct_eq(&candidate)) {
                found = found.or(Some(key));
            }
        }
    }
    match found {
        Some(key) => Check::Match(key),
        None if known => Check::NoMatch,
        None => Check::NoKnownVersion,
    }
}

/// What a `webhook-signature` header lists of a version, without it. Looks at the first
/// [`MAX_SIGNATURES`] entries.
pub fn listed<'a>(header: &'a str, version: &'a str) -> impl Iterator<Item = &'a str> {
    let entries = header.split(' ').filter(|entry| !entry.is_empty()).take(MAX_SIGNATURES);
    entries.filter_map(move |entry| entry.strip_prefix(version)?.strip_prefix(','))
}

/// Canonical base64, padded, of exactly so many bytes.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    // Looked at first: nobody makes us decode at length.
    if text.len() != N.div_ceil(3) * 4 {
        return None;
    }
    STANDARD.decode(text).ok()?.try_into().ok()
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

    fn two_macs() -> [[u8; 32]; 2] {
        two_keys().map(|key| key.mac("msg_2K5E7Y8J6T4Q", "1700000000", BODY))
    }

    #[test]
    fn rotation_vector() {
        let [first, second] =
            two_keys().map(|key| key.sign("msg_2K5E7Y8J6T4Q", 1_700_000_000, BODY));
        assert_eq!([first.as_str(), second.as_str()], [FIRST, SECOND]);

        let macs = two_macs();
        assert_eq!(check(&format!("{FIRST} {SECOND}"), &macs), Check::Match(0));
        assert_eq!(check(SECOND, &macs), Check::Match(1));
        assert_eq!(check(SECOND, &macs[..1]), Check::NoMatch);
        assert_eq!(check(SECOND, &[]), Check::NoMatch);
    }

    #[test]
    fn a_bad_neighbour_hides_nothing() {
        let macs = two_macs();
        for junk in ["v1,", "v1,AAAA", "v1,%%%", "v1", "v2,abc", "v1a,abc", ",", "junk", " ", "ä"]
        {
            assert_eq!(check(&format!("{junk} {FIRST}"), &macs), Check::Match(0), "{junk}");
            assert_eq!(check(&format!("{FIRST} {junk}"), &macs), Check::Match(0), "{junk}");
        }
        let full = "v1,A ".repeat(MAX_SIGNATURES - 1);
        assert_eq!(check(&format!("{full}{FIRST}"), &macs), Check::Match(0));
        assert_eq!(check(&format!("v1,A {full}{FIRST}"), &macs), Check::NoMatch);
    }

    #[test]
    fn only_canonical_base64_matches() {
        let macs = two_macs();
        for near in [
            FIRST.trim_end_matches('=').to_owned(),
            format!("{FIRST}="),
            format!("{FIRST}AAAA"),
            FIRST.replace("Cg=", "Ch="), // an unused bit set
            FIRST.replace("v1,", "v1, "),
            FIRST.replace("v1,", "V1,"),
            FIRST.replace("v1,", "v1a,"),
            FIRST[..11].to_owned(),
        ] {
            assert!(!matches!(check(&near, &macs), Check::Match(_)), "{near}");
        }
    }

    #[test]
    fn nothing_known_is_told_from_nothing_right() {
        for header in ["", " ", "v2,abc", "v1a,abc v2,abc", "v1"] {
            assert_eq!(check(header, &two_macs()), Check::NoKnownVersion, "{header}");
        }
        assert_eq!(check("v2,abc v1,", &two_macs()), Check::NoMatch);
    }

    proptest! {
        #[test]
        fn any_header_is_answered(header: String) {
            prop_assert!(!matches!(check(&header, &two_macs()), Check::Match(_)));
        }

        #[test]
        fn what_is_signed_is_found(
            id in "[!-~]{1,128}", timestamp: i64, body: Vec<u8>, before in "[ -~]{0,60}",
        ) {
            let [_, key] = two_keys();
            let header = format!("{before} {}", key.sign(&id, timestamp, &body));
            let macs = two_keys().map(|key| key.mac(&id, &timestamp.to_string(), &body));
            prop_assert_eq!(check(&header, &macs), Check::Match(1));
        }
    }

    #[test]
    fn debug_shows_the_fingerprint_alone() {
        let secret = Secret::from_bytes(&[7; 32]).unwrap();
        let shown = format!("{:?}", SigningKey::new(&secret));
        assert_eq!(shown, format!("SigningKey({})", secret.fingerprint()));
    }
}
