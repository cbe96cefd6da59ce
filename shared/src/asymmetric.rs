//! [Standard Webhooks](https://www.standardwebhooks.com) signatures with a key pair, version `v1a`.
//!
//! Ed25519 over `{id}.{timestamp}.{body}`, in base64. The private key never leaves the daemon; the
//! public key, `whpk_<base64>`, lets whoever has it verify, and lets nobody sign.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::signature::listed;

/// What stands before the comma of a signature made here.
pub const VERSION: &str = "v1a";
/// How many bytes a private key has.
pub const SEED_BYTES: usize = 32;

const PREFIX: &str = "whpk_";

/// What is signed. `timestamp` is the text of the header.
pub fn content(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

/// The half of a key pair that signs. Wiped from memory when dropped; it has no text.
#[derive(Clone)]
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// From raw bytes, which the caller drew at random.
    pub fn from_seed(seed: &[u8; SEED_BYTES]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The key itself.
    pub fn seed(&self) -> &[u8; SEED_BYTES] {
        self.0.as_bytes()
    }

    /// The other half.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// One entry of a `webhook-signature` header, `v1a,<base64>`, over [`content`].
    pub fn sign(&self, content: &[u8]) -> String {
        format!("{VERSION},{}", STANDARD.encode(self.0.sign(content).to_bytes()))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public_key().fingerprint())
    }
}

/// Why something is not a public key. Never quotes what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// Not `whpk_` and 32 bytes in base64.
    Malformed,
    /// A `whsk_` key: the half that signs, which is nobody's but the sender's.
    PrivateKey,
    /// 32 bytes that are no key, or one for which anybody could sign.
    Unusable,
}

impl fmt::Display for PublicKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "a public key looks like 'whpk_<32 bytes in base64>'",
            Self::PrivateKey => "this is the private half of a key pair; the public begins 'whpk_'",
            Self::Unusable => "this is no key that anything is signed with",
        })
    }
}

impl core::error::Error for PublicKeyError {}

/// The half of a key pair that verifies. No secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// From `whpk_<base64>`, padded, with nothing around it.
    pub fn parse(text: &str) -> Result<Self, PublicKeyError> {
        if text.starts_with("whsk_") {
            return Err(PublicKeyError::PrivateKey);
        }
        let base64 = text.strip_prefix(PREFIX).ok_or(PublicKeyError::Malformed)?;
        let bytes = decode(base64).ok_or(PublicKeyError::Malformed)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| PublicKeyError::Unusable)?;
        // Some points can be written in two ways; only one of them is the key's.
        let canonical = key.to_edwards().compress().to_bytes() == bytes;
        if canonical && !key.is_weak() { Ok(Self(key)) } else { Err(PublicKeyError::Unusable) }
    }

    /// Whether `header`, the value of a `webhook-signature`, lists what the private half signed.
    /// `timestamp` is the text of the header.
    ///
    /// Costs a curve operation per entry: look at [`count`] first. Strict: of the signatures that
    /// some verifiers accept and others do not, it accepts none.
    pub fn verifies(&self, header: &str, id: &str, timestamp: &str, body: &[u8]) -> bool {
        let content = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        listed(header, VERSION).filter_map(decode).any(|bytes| self.signed(&content, &bytes))
    }

    /// As [`VerifyingKey::verify_strict`], without the parts of the message put together first.
    fn signed(&self, parts: &[&[u8]], signature: &[u8; 64]) -> bool {
        let signature = Signature::from_bytes(signature);
        // With a point of small order here, one signature would fit many messages.
        let strict = VerifyingKey::from_bytes(signature.r_bytes()).is_ok_and(|r| !r.is_weak());
        let Ok(mut stream) = self.0.verify_stream(&signature) else { return false };
        parts.iter().for_each(|part| stream.update(part));
        strict && stream.finalize_and_verify().is_ok()
    }

    /// The first eight hex digits of the SHA-256 of the key, to compare by eye.
    pub fn fingerprint(&self) -> String {
        hex::encode(&Sha256::digest(self.0.as_bytes())[..4])
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, PublicKeyError> {
        Self::parse(text)
    }
}

/// The text that [`PublicKey::parse`] reads.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}

/// How many `v1a` entries a `webhook-signature` header has. More than
/// [`MAX_ASYMMETRIC`](crate::header::MAX_ASYMMETRIC) are from no dispatcher.
pub fn count(header: &str) -> usize {
    listed(header, VERSION).count()
}

/// Canonical base64, padded, of exactly so many bytes.
fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    // Looked at first: nobody makes us decode at length.
    if text.len() != N.div_ceil(3) * 4 {
        return None;
    }
    // Room for the longest, a signature, if it had no padding.
    let mut bytes = [0; 66];
    let length = STANDARD.decode_slice(text, &mut bytes).ok()?;
    bytes[..length].try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::header::{MAX_ASYMMETRIC, MAX_SECRETS};

    const BODY: &[u8] = br#"{"id":"evt_1","ok":true}"#;
    const PUBLIC: &str = "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";
    const SIGNED: &str = "v1a,EtzSWbun++ppYjqR7+vJYrfi+IYXcbKS8jGi88mOK5x7kxNwtD4NoLp993x2t95q\
                          7Kd2SBwH99hxV4/WsnlUCg==";

    /// The seed is 0, 1, 2 …, as for [`PUBLIC`] and [`SIGNED`].
    fn private_key() -> PrivateKey {
        let mut seed = [0; SEED_BYTES];
        seed.iter_mut().zip(0..).for_each(|(byte, place)| *byte = place);
        PrivateKey::from_seed(&seed)
    }

    fn signed_content() -> Vec<u8> {
        content("evt_1", "1700000000", BODY)
    }

    fn verifies(header: &str) -> bool {
        PublicKey::parse(PUBLIC).unwrap().verifies(header, "evt_1", "1700000000", BODY)
    }

    /// RFC 8032, section 7.1, tests 1 to 3.
    #[test]
    fn vectors_of_the_rfc() {
        for (seed, public, message, signature) in [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
                 5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                 085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
                 18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
        ] {
            let seed: [u8; SEED_BYTES] = hex::decode(seed).unwrap().try_into().unwrap();
            let (key, message) = (PrivateKey::from_seed(&seed), hex::decode(message).unwrap());
            let base64 = |hexed| STANDARD.encode(hex::decode(hexed).unwrap());
            assert_eq!(key.public_key().to_string(), format!("whpk_{}", base64(public)));
            let entry = key.sign(&message);
            assert_eq!(entry, format!("v1a,{}", base64(signature)));
            assert!(key.public_key().signed(&[&message], &decode(&entry[4..]).unwrap()));
        }
    }

    /// Made with OpenSSL.
    #[test]
    fn vector_over_the_content_of_a_delivery() {
        let key = private_key();
        assert_eq!(key.public_key(), PublicKey::parse(PUBLIC).unwrap());
        assert_eq!(key.public_key().to_string(), PUBLIC);
        assert_eq!(key.sign(&signed_content()), SIGNED);
        assert!(verifies(SIGNED));
    }

    #[test]
    fn any_change_is_seen() {
        let (key, signature) = (private_key().public_key(), decode(&SIGNED[4..]).unwrap());
        let good = signed_content();
        for bit in 0..good.len() * 8 {
            let mut changed = good.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.signed(&[&changed], &signature), "{bit}");
        }
        let other = PrivateKey::from_seed(&[1; SEED_BYTES]).public_key();
        assert!(!other.signed(&[&good], &signature));
        assert!(!verifies(""));
    }

    #[test]
    fn only_the_one_text_of_a_signature_verifies() {
        for near in [
            SIGNED.replace("v1a", "v1"),
            SIGNED.replace("v1a", "V1a"),
            SIGNED.replace("v1a,", "v1a, "),
            SIGNED.trim_end_matches('=').to_owned(),
            SIGNED.replace("Cg==", "Ch=="), // an unused bit set
            format!("{SIGNED}="),
            SIGNED[..4].to_owned(),
        ] {
            assert!(!verifies(&near), "{near}");
        }
        // The same signature with the group's order added to its second half: equal, and refused.
        let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
        let mut bytes: [u8; 64] = decode(&SIGNED[4..]).unwrap();
        let mut carry = 0;
        for (byte, add) in bytes[32..].iter_mut().zip(hex::decode(order).unwrap()) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            [*byte, _] = sum.to_le_bytes();
            carry = sum >> 8;
        }
        assert!(!verifies(&format!("v1a,{}", STANDARD.encode(bytes))));
    }

    /// What `verify_strict` refuses, this refuses: the library says so of the same bytes.
    #[test]
    fn strict_is_what_the_library_calls_strict() {
        let (key, message) = (private_key().public_key(), signed_content());
        for first in [0, 1, 2, 0xec, 0xff] {
            for second in [0_u8, 1, 0xff] {
                let mut bytes = [0; 64];
                (bytes[0], bytes[31], bytes[32]) = (first, second, second);
                let library = key.0.verify_strict(&message, &Signature::from_bytes(&bytes));
                assert_eq!(key.signed(&[&message], &bytes), library.is_ok());
            }
        }
    }

    #[test]
    fn a_bad_neighbour_hides_nothing() {
        for junk in ["v1a,", "v1a,AAAA", "v1a", "v1,abc", "v2,abc", ",", " ", "ä"] {
            assert!(verifies(&format!("{junk} {SIGNED}")), "{junk}");
            assert!(verifies(&format!("{SIGNED} {junk}")), "{junk}");
        }
        const { assert!(MAX_ASYMMETRIC > MAX_SECRETS) };
        assert_eq!(count(&format!("v1a,A v1,A  {SIGNED} v1a")), 2);
    }

    #[test]
    fn only_public_keys_are_public_keys() {
        let malformed = Err(PublicKeyError::Malformed);
        for text in [
            "",
            "whpk_",
            "whsec_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=",
            &PUBLIC[5..],
            &PUBLIC[..48],
            &PUBLIC.replace("bg=", "bh="),
            &format!(" {PUBLIC}"),
            &format!("{PUBLIC}\n"),
            &format!("{PUBLIC}AAAA"),
            &"whpk_".repeat(100_000),
        ] {
            assert_eq!(PublicKey::parse(text), malformed, "{text:.80}");
        }
        assert_eq!(PublicKey::parse("whsk_AAAA"), Err(PublicKeyError::PrivateKey));
        // Points of small order, bytes that are no point, and a point written the other way.
        for (first, rest) in [(0, 0), (1, 0), (2, 0), (0xff, 0xff)] {
            let mut bytes = [rest; 32];
            bytes[0] = first;
            let text = format!("whpk_{}", STANDARD.encode(bytes));
            assert_eq!(PublicKey::parse(&text), Err(PublicKeyError::Unusable), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_and_back(seed: [u8; SEED_BYTES], body: Vec<u8>) {
            let key = PrivateKey::from_seed(&seed);
            prop_assert_eq!(key.seed(), &seed);
            let public: PublicKey = key.public_key().to_string().parse().unwrap();
            let entry = key.sign(&content("evt_1", "1700000000", &body));
            prop_assert!(public.verifies(&entry, "evt_1", "1700000000", &body));
        }

        #[test]
        fn any_text_is_answered(text: String) {
            let _ = PublicKey::parse(&text);
            prop_assert!(!verifies(&text));
        }
    }

    #[test]
    fn debug_shows_the_fingerprint_of_the_public_half_alone() {
        assert_eq!(format!("{:?}", private_key()), "PrivateKey(56475aa7)");
        assert_eq!(format!("{:?}", private_key().public_key()), "PublicKey(56475aa7)");
    }
}
