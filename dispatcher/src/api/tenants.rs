//! Tenants, for operators.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use bluum_hooks_shared::api;
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::id::TenantId;

use super::answer::{self, Answer};
use super::auth::Caller;
use super::idempotency::{Asked, Telling, change_and_tell};
use super::openapi::requests::NewTenant;
use super::path::Path;
use super::query::{Query, Window};
use super::{Shared, body, list};
use crate::fields::Fields;
use crate::invalid::Invalid;
use crate::store::{Change, Tenant};

pub(super) const MAX_NAME: usize = 255;

/// Create a tenant
///
/// A partner; its keys come from `POST /v1/keys`.
#[utoipa::path(post, path = "/v1/tenants", operation_id = "create_tenant",
    request_body = NewTenant, responses((status = 201, body = api::Tenant)))]
pub(super) async fn create(State(api): Shared, caller: Caller, request: Request) -> Answer {
    caller.operator()?;
    let asked = Asked::read(&caller, request, body::SMALL).await?;
    if let Some(answered) = asked.answered(&api).await? {
        return Ok(answered);
    }
    let mut fields = Fields::parse(&asked.body)?;
    let name: String = fields.required("name", "a string")?;
    let metadata: Option<BTreeMap<String, String>> =
        fields.optional("metadata", "an object of strings")?;
    fields.finish(&["name", "metadata"])?;
    if name.trim().is_empty() || name.chars().count() > MAX_NAME {
        let message = format!("'name' must have 1 to {MAX_NAME} characters.");
        return Err(Invalid::field(ErrorCode::Validation, "name", message).into());
    }
    let now = api.context.clock.now();
    let id = TenantId::new(now, api.context.random.bits());
    let tenant = Tenant { id, name, metadata: metadata.unwrap_or_default(), created_at: now };
    let answer = answer::bytes(&to_api(&tenant));
    let telling = Telling { status: StatusCode::CREATED, secret: false, declined: String::new() };
    let change = Change::AddTenant(tenant, Vec::new());
    change_and_tell(&api, asked, telling, change, move |_| answer.clone()).await
}

/// List tenants
///
/// Oldest first.
#[utoipa::path(get, path = "/v1/tenants", operation_id = "list_tenants",
    params(Window, ("starting_after" = Option<TenantId>, Query)),
    responses((status = 200, body = api::List<api::Tenant>)))]
pub(super) async fn list(State(api): Shared, caller: Caller, uri: Uri) -> Answer {
    caller.operator()?;
    let mut query = Query::new(&uri)?;
    let window = query.window()?;
    let after: Option<TenantId> = query.parsed("starting_after")?;
    query.finish()?;
    let registry = api.context.store.registry();
    let tenants = registry.tenants().filter(|tenant| after.is_none_or(|after| tenant.id > after));
    Ok(list::window(&uri, tenants.map(|tenant| to_api(tenant)), window))
}

/// Get a tenant
///
/// By its id.
#[utoipa::path(get, path = "/v1/tenants/{id}", operation_id = "get_tenant",
    params(("id" = TenantId, Path)), responses((status = 200, body = api::Tenant)))]
pub(super) async fn show(State(api): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.operator()?;
    let id: TenantId = id.parse().map_err(|error| Invalid::id("id", &error))?;
    let registry = api.context.store.registry();
    let tenant = registry.tenant(id).ok_or_else(|| Invalid::not_found("id"))?;
    Ok(answer::json(StatusCode::OK, &to_api(tenant)))
}

fn to_api(tenant: &Tenant) -> api::Tenant {
    api::Tenant {
        id: tenant.id,
        object: "tenant".into(),
        created: tenant.created_at.as_unix_seconds(),
        metadata: tenant.metadata.clone(),
        name: tenant.name.clone(),
    }
}
