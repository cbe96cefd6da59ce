//! Secrets at rest: sealed with one key, which is kept apart from the database.
//!
//! XChaCha20-Poly1305 under a random nonce. The owner is authenticated beside the secret, such as a
//! webhook's id, so that a sealed secret opens for what it was sealed for, and for nothing else. No
//! error and no `Debug` shows a secret or a key: what they show is the key's id, which tells two
//! keys apart.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::random::Random;

/// The variable that holds the key itself, if it is in no file.
pub const KEY_VARIABLE: &str = "BLUUM_HOOKS_SECRETS_KEY";

const KEY_BYTES: usize = 32;
/// [`KEY_BYTES`] in padded base64.
const KEY_TEXT: usize = 44;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// Why a secret was not sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error("the secret of {owner} could not be sealed")]
    NotSealed { owner: String },
    #[error("the secret of {owner} is sealed with key {sealed_with}, this is key {key_id}")]
    OtherKey { owner: String, sealed_with: String, key_id: String },
    #[error("the sealed secret of {owner} was changed, or belongs to something else")]
    NotGenuine { owner: String },
}

/// A sealed secret, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Which key opens it: [`VaultKey::id`].
    pub key_id: String,
    /// Nonce, then ciphertext and tag, in base64.
    sealed: String,
}

/// Seals and opens with one key.
pub struct Vault {
    cipher: XChaCha20Poly1305,
    key_id: String,
    random: Arc<dyn Random>,
}

impl Vault {
    /// `random` is where nonces come from: it must never repeat itself, over all runs.
    pub fn new(key: &VaultKey, random: Arc<dyn Random>) -> Self {
        let cipher = XChaCha20Poly1305::new((&*key.0).into());
        Self { cipher, key_id: key.id(), random }
    }

    /// Seals a secret for this owner. Twice the same gives two texts.
    pub fn seal(&self, owner: &str, secret: &[u8]) -> Result<Sealed, VaultError> {
        let mut nonce = [0; NONCE_BYTES];
        self.random.fill(&mut nonce);
        // Room for the tag as well: growing would leave a copy behind that nobody wipes.
        let mut text = Zeroizing::new(Vec::with_capacity(secret.len() + TAG_BYTES));
        text.extend_from_slice(secret);
        self.cipher
            .encrypt_in_place(&nonce.into(), owner.as_bytes(), &mut *text)
            .map_err(|_| VaultError::NotSealed { owner: owner.to_owned() })?;
        let sealed = STANDARD.encode([&nonce[..], &text].concat());
        Ok(Sealed { key_id: self.key_id.clone(), sealed })
    }

    /// Opens what was sealed for this owner with this key.
    pub fn open(&self, owner: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        if sealed.key_id != self.key_id {
            return Err(VaultError::OtherKey {
                owner: owner.to_owned(),
                sealed_with: sealed.key_id.clone(),
                key_id: self.key_id.clone(),
            });
        }
        let not_genuine = || VaultError::NotGenuine { owner: owner.to_owned() };
        let bytes = STANDARD.decode(&sealed.sealed).map_err(|_| not_genuine())?;
        let (nonce, text) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or_else(not_genuine)?;
        let mut text = Zeroizing::new(text.to_vec());
        self.cipher
            .decrypt_in_place(nonce.into(), owner.as_bytes(), &mut *text)
            .map_err(|_| not_genuine())?;
        Ok(text)
    }

    /// [`VaultKey::id`] of its key.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({})", self.key_id)
    }
}

/// The key that seals. Wiped from memory when dropped.
#[derive(Clone)]
pub struct VaultKey(Zeroizing<[u8; KEY_BYTES]>);

/// The text is not a key. It is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a key of 32 bytes in base64, as from `head -c 32 /dev/urandom | base64`")]
pub struct NotAKey;

impl VaultKey {
    /// A new key.
    pub fn draw(random: &dyn Random) -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        random.fill(&mut bytes[..]);
        Self(bytes)
    }

    /// From base64, padded; white space around it is dropped.
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let text = text.trim();
        if text.len() != KEY_TEXT {
            return Err(NotAKey);
        }
        // The decoder wants room for a full last group of three.
        let mut room = Zeroizing::new([0; KEY_BYTES + 1]);
        let length = STANDARD.decode_slice(text, &mut room[..]).map_err(|_| NotAKey)?;
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        if length != bytes.len() {
            return Err(NotAKey);
        }
        bytes.copy_from_slice(&room[..length]);
        Ok(Self(bytes))
    }

    /// The text that [`VaultKey::parse`] reads.
    pub fn to_base64(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(KEY_TEXT));
        STANDARD.encode_string(&self.0[..], &mut text);
        text
    }

    /// The first eight hex digits of the SHA-256 of the key: safe to log and to compare by eye.
    pub fn id(&self) -> String {
        hex::encode(&Sha256::digest(&self.0[..])[..4])
    }
}

impl PartialEq for VaultKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0[..]).into()
    }
}

impl Eq for VaultKey {}

impl fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultKey({})", self.id())
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot read the key file {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{} holds no key", path.display())]
    Malformed {
        path: PathBuf,
        #[source]
        cause: NotAKey,
    },
    #[error("cannot write the key file {}", path.display())]
    NotMade {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

/// Where the key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// In [`KEY_VARIABLE`].
    Given(VaultKey),
    /// In this file, which the operator has made.
    File(PathBuf),
    /// In this file, which is made when there is nothing yet to be sealed with its key.
    Ours(PathBuf),
}

impl KeySource {
    /// The key, which must be there.
    pub fn read(&self) -> Result<VaultKey, KeyError> {
        match self {
            Self::Given(key) => Ok(key.clone()),
            Self::File(path) | Self::Ours(path) => read_file(path),
        }
    }

    /// The key for something new. Never overwrites a file.
    pub fn read_or_make(&self, random: &dyn Random) -> Result<VaultKey, KeyError> {
        match self {
            Self::Ours(path) if !path.exists() => {
                let key = VaultKey::draw(random);
                write_file(path, &key)
                    .map_err(|cause| KeyError::NotMade { path: path.clone(), cause })?;
                Ok(key)
            }
            _ => self.read(),
        }
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => f.write_str(KEY_VARIABLE),
            Self::File(path) | Self::Ours(path) => path.display().fmt(f),
        }
    }
}

fn read_file(path: &Path) -> Result<VaultKey, KeyError> {
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|cause| KeyError::Unreadable { path: path.to_owned(), cause })?;
    let malformed = |cause| KeyError::Malformed { path: path.to_owned(), cause };
    VaultKey::parse(&text).map_err(malformed)
}

/// Whole or not at all, readable by nobody else, and on the disk before anything is sealed with it.
fn write_file(path: &Path, key: &VaultKey) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // Made with mode 0600.
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(key.to_base64().as_bytes())?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    const OWNER: &str = "wh_1";
    const SECRET: [u8; 32] = [7; 32];

    fn vault(key: &VaultKey) -> Vault {
        Vault::new(key, Arc::new(SystemRandom))
    }

    fn key(byte: u8) -> VaultKey {
        VaultKey(Zeroizing::new([byte; KEY_BYTES]))
    }

    #[test]
    fn what_was_sealed_opens() {
        for length in [0, 24, 32, 5_000] {
            let secret = vec![7; length];
            let sealed = vault(&key(1)).seal(OWNER, &secret).unwrap();
            assert_eq!(*vault(&key(1)).open(OWNER, &sealed).unwrap(), secret);
        }
    }

    #[test]
    fn no_two_nonces_are_the_same_and_the_text_tells_nothing() {
        let vault = vault(&key(1));
        let (first, second) =
            (vault.seal(OWNER, &SECRET).unwrap(), vault.seal(OWNER, &SECRET).unwrap());
        assert_ne!(first.sealed, second.sealed);
        let bytes = STANDARD.decode(&first.sealed).unwrap();
        assert_eq!(bytes.len(), NONCE_BYTES + 32 + TAG_BYTES);
        assert!(!bytes.windows(8).any(|window| window == [7; 8]));
    }

    #[test]
    fn another_key_opens_nothing() {
        let sealed = vault(&key(1)).seal(OWNER, &SECRET).unwrap();
        let refused = vault(&key(2)).open(OWNER, &sealed).unwrap_err();
        let (sealed_with, key_id) = (key(1).id(), key(2).id());
        assert_eq!(refused, VaultError::OtherKey { owner: OWNER.into(), sealed_with, key_id });
        // Also if somebody has changed the id of the key.
        let renamed = Sealed { key_id: key(2).id(), ..sealed };
        let refused = vault(&key(2)).open(OWNER, &renamed).unwrap_err();
        assert_eq!(refused, VaultError::NotGenuine { owner: OWNER.into() });
    }

    #[test]
    fn a_secret_moved_to_another_owner_does_not_open() {
        let sealed = vault(&key(1)).seal(OWNER, &SECRET).unwrap();
        let refused = vault(&key(1)).open("wh_2", &sealed).unwrap_err();
        assert_eq!(refused, VaultError::NotGenuine { owner: "wh_2".into() });
    }

    #[test]
    fn one_bit_changed_anywhere_is_noticed() {
        let sealed = vault(&key(1)).seal(OWNER, &SECRET).unwrap();
        let bytes = STANDARD.decode(&sealed.sealed).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let tampered = Sealed { sealed: STANDARD.encode(bytes), ..sealed.clone() };
            vault(&key(1)).open(OWNER, &tampered).unwrap_err();
        }
        for cut in ["", "AAAA", "no base64", &sealed.sealed[..40]] {
            let tampered = Sealed { sealed: cut.to_owned(), ..sealed.clone() };
            vault(&key(1)).open(OWNER, &tampered).unwrap_err();
        }
    }

    #[test]
    fn a_key_is_text_and_back_and_nothing_else_is_a_key() {
        let drawn = VaultKey::draw(&SystemRandom);
        let text = drawn.to_base64();
        assert_eq!(VaultKey::parse(&format!(" {}\n", *text)), Ok(drawn));
        let short = STANDARD.encode([1; 31]);
        let long = STANDARD.encode([1; 33]);
        for text in ["", "key", &short, &long, &text[..43], &text.replace('=', "A")] {
            assert_eq!(VaultKey::parse(text), Err(NotAKey), "{text}");
        }
    }

    #[test]
    fn debug_and_errors_show_ids_alone() {
        let key = key(1);
        assert_eq!(format!("{key:?}"), format!("VaultKey({})", key.id()));
        assert_eq!(format!("{:?}", vault(&key)), format!("Vault({})", key.id()));
        let sealed = vault(&key).seal(OWNER, &SECRET).unwrap();
        let refused = vault(&super::tests::key(2)).open(OWNER, &sealed).unwrap_err();
        for shown in [format!("{refused}"), format!("{refused:?}"), format!("{sealed:?}")] {
            assert!(!shown.contains(&*key.to_base64()), "{shown}");
            assert!(!shown.contains(&STANDARD.encode(SECRET)), "{shown}");
        }
    }

    #[test]
    fn a_key_file_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hooks.db.key");
        KeySource::Ours(path.clone()).read().unwrap_err();
        KeySource::File(path.clone()).read_or_make(&SystemRandom).unwrap_err();
        assert!(!path.exists(), "a file that the operator names is the operator's to make");
        let made = KeySource::Ours(path.clone()).read_or_make(&SystemRandom).unwrap();
        for source in [KeySource::Ours(path.clone()), KeySource::File(path.clone())] {
            assert_eq!(source.read_or_make(&SystemRandom).unwrap(), made);
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(&path, "no key").unwrap();
        let error = KeySource::File(path).read().unwrap_err();
        assert!(matches!(error, KeyError::Malformed { .. }), "{error:?}");
    }
}
