//! Making API keys: an id to show, a secret to show once, a hash to keep.

use bluum_hooks_shared::api::Role;
use bluum_hooks_shared::id::{KeyId, TenantId};
use bluum_hooks_shared::time::Timestamp;
use sha2::{Digest, Sha256};

use crate::random::Random;
use crate::store::Key;

/// A key about to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    pub role: Role,
    pub tenant: Option<TenantId>,
    pub investor_id: Option<String>,
    pub livemode: bool,
    pub name: Option<String>,
}

impl NewKey {
    /// The key as it is stored, and its secret, which is not.
    pub fn make(self, now: Timestamp, random: &dyn Random) -> (Key, String) {
        let mut bits = [0; 32];
        random.fill(&mut bits);
        let secret = format!("aps_{}", hex::encode(bits));
        let key = Key {
            id: KeyId::new(now, random.bits()),
            role: self.role,
            tenant: self.tenant,
            livemode: self.livemode,
            investor_id: self.investor_id,
            name: self.name,
            secret_sha256: hash(&secret),
            created_at: now,
            revoked_at: None,
        };
        (key, secret)
    }
}

/// A secret as it is stored. It is 256 random bits, so a fast hash is enough: there is nothing to
/// guess.
pub fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}
