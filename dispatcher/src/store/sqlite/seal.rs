//! What of a webhook's row is sealed. Each value opens for this webhook and this use of it alone.

use bluum_hooks_shared::api::CustomHeaders;
use bluum_hooks_shared::asymmetric::{PrivateKey, SEED_BYTES};
use bluum_hooks_shared::secret::Secret;
use bluum_hooks_shared::time::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::store::{StoreError, WebhookSecret};
use crate::vault::{Sealed, Vault, VaultError};

/// A signing secret as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct SecretRow {
    #[serde(flatten)]
    sealed: Sealed,
    private_key: Option<Sealed>,
    created_at: i64,
    expires_at: Option<i64>,
}

/// Whom a webhook's private keys are sealed for; its secrets, for itself.
fn private_key_of(id: &str) -> String {
    format!("{id}/ed25519")
}

impl SecretRow {
    pub(super) fn seal(vault: &Vault, id: &str, known: &WebhookSecret) -> Result<Self, VaultError> {
        let private_key = known.private_key.as_ref();
        Ok(Self {
            sealed: vault.seal(id, known.secret.as_bytes())?,
            private_key: private_key
                .map(|key| vault.seal(&private_key_of(id), key.seed()))
                .transpose()?,
            created_at: known.created_at.as_micros(),
            expires_at: known.expires_at.map(Timestamp::as_micros),
        })
    }

    pub(super) fn open(&self, vault: &Vault, id: &str) -> Result<WebhookSecret, StoreError> {
        let private_key = self.private_key.as_ref();
        Ok(WebhookSecret {
            secret: Secret::from_bytes(&vault.open(id, &self.sealed)?)
                .map_err(|error| StoreError::Corrupt(error.to_string()))?,
            private_key: private_key
                .map(|sealed| open_private_key(vault, id, sealed))
                .transpose()?,
            created_at: Timestamp::from_micros(self.created_at),
            expires_at: self.expires_at.map(Timestamp::from_micros),
        })
    }

    pub(super) fn has_private_key(&self) -> bool {
        self.private_key.is_some()
    }

    /// Seals it anew, with another key.
    pub(super) fn reseal(&mut self, id: &str, from: &Vault, to: &Vault) -> Result<(), VaultError> {
        reseal(&mut self.sealed, id, from, to)?;
        match &mut self.private_key {
            Some(sealed) => reseal(sealed, &private_key_of(id), from, to),
            None => Ok(()),
        }
    }
}

fn open_private_key(vault: &Vault, id: &str, sealed: &Sealed) -> Result<PrivateKey, StoreError> {
    let seed = vault.open(&private_key_of(id), sealed)?;
    let seed: &[u8; SEED_BYTES] = seed.as_slice().try_into().map_err(|_| {
        StoreError::Corrupt(format!("a private key of {id} has not {SEED_BYTES} bytes"))
    })?;
    Ok(PrivateKey::from_seed(seed))
}

/// Whom a webhook's headers are sealed for.
fn headers_of(id: &str) -> String {
    format!("{id}/headers")
}

pub(super) fn seal_headers(
    vault: &Vault,
    id: &str,
    headers: &CustomHeaders,
) -> Result<Sealed, StoreError> {
    let json = serde_json::to_vec(headers).map(Zeroizing::new);
    let json = json.map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(vault.seal(&headers_of(id), &json)?)
}

pub(super) fn open_headers(
    vault: &Vault,
    id: &str,
    sealed: &Sealed,
) -> Result<CustomHeaders, StoreError> {
    let json = vault.open(&headers_of(id), sealed)?;
    serde_json::from_slice(&json)
        .map_err(|_| StoreError::Corrupt(format!("the headers of {id} are not their JSON")))
}

pub(super) fn reseal_headers(
    sealed: &mut Sealed,
    id: &str,
    from: &Vault,
    to: &Vault,
) -> Result<(), VaultError> {
    reseal(sealed, &headers_of(id), from, to)
}

fn reseal(sealed: &mut Sealed, owner: &str, from: &Vault, to: &Vault) -> Result<(), VaultError> {
    *sealed = to.seal(owner, &from.open(owner, sealed)?)?;
    Ok(())
}
