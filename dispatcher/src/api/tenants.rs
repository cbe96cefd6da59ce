//! Tenants, for operators.

use std::collections::BTreeMap;

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use bluum_hooks_shared::api;
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::id::TenantId;

use super::answer::{self, Answer};
use super::auth::Caller;
use super::idempotency::{Asked, Telling, change_and_tell};
use super::query::Query;
use super::{Shared, body, list};
use crate::fields::Fields;
use crate::invalid::Invalid;
use crate::store::{Change, Tenant};

const MAX_NAME: usize = 255;

/// `POST /v1/tenants`
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
    if name.trim().is_empty() || name.len() > MAX_NAME {
        let message = format!("'name' must have 1 to {MAX_NAME} bytes.");
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

/// `GET /v1/tenants`
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

/// `GET /v1/tenants/{id}`
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
