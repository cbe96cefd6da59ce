//! Who is asking: HTTP Basic, the key's id as user name and its secret as password.

use std::sync::Arc;

use axum::Extension;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bluum_hooks_shared::api::Role;
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::id::{KeyId, TenantId};
use subtle::ConstantTimeEq;

use super::Api;
use super::error::ApiError;
use crate::credentials;
use crate::invalid::Invalid;
use crate::publish::Addressee;
use crate::store::{Key, Registry};

/// The key that a request came with.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    key: Arc<Key>,
}

/// The caller that `limit::admit` has let in.
impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        let admitted = Extension::<Self>::from_request_parts(parts, api).await;
        let Extension(caller) = admitted.map_err(|error| ApiError::internal(&error))?;
        Ok(caller)
    }
}

impl Caller {
    /// The key that these headers name, if they prove to know its secret.
    pub(super) fn authenticate(headers: &HeaderMap, registry: &Registry) -> Result<Self, Invalid> {
        let refuse = |code, message: &str| Invalid::request(code, message);
        let header = headers.get(AUTHORIZATION).ok_or_else(|| {
            refuse(ErrorCode::MissingAuth, "Send 'Authorization: Basic <base64 of KEY:SECRET>'.")
        })?;
        let (id, secret) = decode(header.as_bytes()).ok_or_else(|| {
            refuse(
                ErrorCode::MalformedAuth,
                "The Authorization header is not 'Basic <base64 of KEY:SECRET>'.",
            )
        })?;
        let given = credentials::hash(&secret);
        let key = id.parse::<KeyId>().ok().and_then(|id| registry.key(id));
        let key = key
            .filter(|key| bool::from(key.secret_sha256.as_bytes().ct_eq(given.as_bytes())))
            .ok_or_else(|| refuse(ErrorCode::InvalidKey, "No such API key, or another secret."))?;
        if key.revoked_at.is_some() {
            return Err(refuse(ErrorCode::KeyInactive, "This API key was revoked."));
        }
        Ok(Self { key: Arc::clone(key) })
    }
}

fn decode(header: &[u8]) -> Option<(String, String)> {
    let header = std::str::from_utf8(header).ok()?;
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

impl Caller {
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// The key's id.
    pub(super) fn key_id(&self) -> KeyId {
        self.key.id
    }

    /// The mode of what this key makes and sees.
    pub(super) fn livemode(&self) -> bool {
        self.key.livemode
    }

    /// Goes on only for operators.
    pub(super) fn operator(&self) -> Result<(), Invalid> {
        match self.key.role {
            Role::Operator => Ok(()),
            Role::Tenant | Role::Investor => Err(forbidden("only an operator's key may do this")),
        }
    }

    /// Goes on only for keys that serve a whole tenant, or all of them.
    pub(super) fn not_an_investor(&self) -> Result<(), Invalid> {
        match self.key.role {
            Role::Operator | Role::Tenant => Ok(()),
            Role::Investor => Err(forbidden("use a tenant's key, not an investor's")),
        }
    }

    /// The tenant this request acts for. A tenant's key implies it. An operator names it, unless
    /// there is only one.
    pub(super) fn acts_for(
        &self,
        requested: Option<&str>,
        registry: &Registry,
    ) -> Result<Addressee, Invalid> {
        self.not_an_investor()?;
        let requested: Option<TenantId> = requested
            .map(|text| text.parse().map_err(|error| Invalid::id("tenant", &error)))
            .transpose()?;
        let tenant = match (self.key.tenant, requested) {
            (Some(own), None) => own,
            (Some(own), Some(requested)) if own == requested => own,
            (None, Some(requested)) if registry.tenant(requested).is_some() => requested,
            (_, Some(_)) => return Err(Invalid::not_found("tenant")),
            (None, None) => the_only_tenant(registry)?,
        };
        Ok(Addressee { tenant, livemode: self.key.livemode })
    }

    /// Whether something of this tenant and mode is the caller's to see.
    pub(super) fn may_see(&self, tenant: TenantId, livemode: bool) -> bool {
        self.key.livemode == livemode && self.key.tenant.is_none_or(|own| own == tenant)
    }
}

fn the_only_tenant(registry: &Registry) -> Result<TenantId, Invalid> {
    let mut tenants = registry.tenants();
    match (tenants.next(), tenants.next()) {
        (Some(only), None) => Ok(only.id),
        _ => Err(Invalid::field(
            ErrorCode::MissingField,
            "tenant",
            "Required field 'tenant' is missing: an operator's key serves all tenants, name one.",
        )),
    }
}

fn forbidden(why: &str) -> Invalid {
    Invalid::request(ErrorCode::Forbidden, format!("This key may not do that; {why}."))
}
