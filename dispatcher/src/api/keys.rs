//! API keys, for operators.

use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use bluum_hooks_shared::api::{ApiKey, KeyStatus, List, Role};
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::id::{InvestorId, KeyId, TenantId};

use super::answer::{self, Answer};
use super::auth::Caller;
use super::idempotency::{Asked, Telling, change_and_tell, no_room};
use super::openapi::requests;
use super::path::Path;
use super::query::{Query, Window};
use super::{Api, Shared, body, list, to_the_end};
use crate::credentials::NewKey;
use crate::fields::Fields;
use crate::invalid::Invalid;
use crate::store::{Change, Key, Registry};

/// Create an API key
///
/// The only answer that shows its secret.
#[utoipa::path(post, path = "/v1/keys", operation_id = "create_key",
    request_body = requests::NewKey, responses((status = 201, body = ApiKey)))]
pub(super) async fn create(State(api): Shared, caller: Caller, request: Request) -> Answer {
    caller.operator()?;
    let asked = Asked::read(&caller, request, body::SMALL).await?;
    if let Some(answered) = asked.answered(&api).await? {
        return Ok(answered);
    }
    let new = read(&asked.body, &caller, &api.context.store.registry())?;
    let (key, secret) = new.make(api.context.clock.now(), &*api.context.random);
    let mut answer = to_api(&key);
    answer.api_key = Some(key.id);
    answer.api_secret = Some(secret);
    let answer = answer::bytes(&answer);
    let at_most = api.limits.keys;
    let telling = Telling {
        status: StatusCode::CREATED,
        secret: true,
        declined: no_room(at_most, "keys", "revoke one, or raise max_keys"),
    };
    let change = Change::AddKey(key, at_most);
    change_and_tell(&api, asked, telling, change, move |_| answer.clone()).await
}

fn read(body: &[u8], caller: &Caller, registry: &Registry) -> Result<NewKey, Invalid> {
    let mut fields = Fields::parse(body)?;
    let role: String = fields.required("role", "a string")?;
    let tenant: Option<String> = fields.optional("tenant", "a tenant's id")?;
    let investor_id: Option<String> = fields.optional("investor_id", "an investor's id")?;
    let livemode: Option<bool> = fields.optional("livemode", "true or false")?;
    let name: Option<String> = fields.optional("name", "a string")?;
    fields.finish(&["role", "tenant", "investor_id", "livemode", "name"])?;
    let role = match role.as_str() {
        "operator" => Role::Operator,
        "tenant" => Role::Tenant,
        "investor" => Role::Investor,
        _ => {
            let message = "'role' is 'operator', 'tenant' or 'investor'.";
            return Err(Invalid::field(ErrorCode::InvalidEnum, "role", message));
        }
    };
    let belongs = |param: &str, there: bool, wanted: bool| match (there, wanted) {
        (false, true) => Err(Invalid::missing(param)),
        (true, false) => {
            let message = format!("A key of role '{}' has no '{param}'.", role.as_str());
            Err(Invalid::field(ErrorCode::Validation, param, message))
        }
        _ => Ok(()),
    };
    belongs("investor_id", investor_id.is_some(), role == Role::Investor)?;
    if let Some(id) = &investor_id {
        id.parse::<InvestorId>().map_err(|error| Invalid::id("investor_id", &error))?;
    }
    let tenant: Option<TenantId> = match role {
        Role::Operator => {
            belongs("tenant", tenant.is_some(), false)?;
            None
        }
        _ => Some(caller.acts_for(tenant.as_deref(), registry)?.tenant),
    };
    let livemode = livemode.unwrap_or(caller.livemode());
    Ok(NewKey { role, tenant, investor_id, livemode, name })
}

/// List API keys
///
/// Oldest first, revoked ones among them.
#[utoipa::path(get, path = "/v1/keys", operation_id = "list_keys",
    params(Window, ("starting_after" = Option<KeyId>, Query), ("tenant" = Option<TenantId>, Query)),
    responses((status = 200, body = List<ApiKey>)))]
pub(super) async fn list(State(api): Shared, caller: Caller, uri: Uri) -> Answer {
    caller.operator()?;
    let mut query = Query::new(&uri)?;
    let window = query.window()?;
    let after: Option<KeyId> = query.parsed("starting_after")?;
    let tenant: Option<TenantId> = query.parsed("tenant")?;
    query.finish()?;
    let registry = api.context.store.registry();
    let keys = registry.keys().filter(|key| {
        after.is_none_or(|after| key.id > after) && (tenant.is_none() || key.tenant == tenant)
    });
    Ok(list::window(&uri, keys.map(|key| to_api(key)), window))
}

/// Get an API key
///
/// Without its secret. Any key may see itself; others are for operators.
#[utoipa::path(get, path = "/v1/keys/{id}", operation_id = "get_key",
    params(("id" = KeyId, Path)), responses((status = 200, body = ApiKey)))]
pub(super) async fn show(State(api): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    if id != caller.key_id().to_string() {
        caller.operator()?;
    }
    Ok(answer::json(StatusCode::OK, &find(&api, &id)?))
}

/// Revoke an API key
///
/// It opens nothing any more, and is never forgotten.
#[utoipa::path(delete, path = "/v1/keys/{id}", operation_id = "revoke_key",
    params(("id" = KeyId, Path)), responses((status = 200, body = ApiKey)))]
pub(super) async fn revoke(State(api): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.operator()?;
    let key = find(&api, &id)?;
    let (context, now) = (api.context.clone(), api.context.clock.now());
    to_the_end(async move { context.change(Change::RevokeKey(key.id), None, now).await }).await??;
    Ok(answer::json(StatusCode::OK, &find(&api, &id)?))
}

fn find(api: &Api, id: &str) -> Result<ApiKey, Invalid> {
    let id: KeyId = id.parse().map_err(|error| Invalid::id("id", &error))?;
    let registry = api.context.store.registry();
    registry.key(id).map(|key| to_api(key)).ok_or_else(|| Invalid::not_found("id"))
}

fn to_api(key: &Key) -> ApiKey {
    ApiKey {
        id: key.id,
        object: "api_key".into(),
        created: key.created_at.as_unix_seconds(),
        livemode: key.livemode,
        name: key.name.clone(),
        role: key.role,
        tenant: key.tenant,
        investor_id: key.investor_id.clone(),
        status: if key.revoked_at.is_some() { KeyStatus::Revoked } else { KeyStatus::Active },
        api_key: None,
        api_secret: None,
    }
}
