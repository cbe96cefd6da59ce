//! Webhooks: create, list, show, update, delete.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use bluum_hooks_shared::api::{self, Deleted, List};
use bluum_hooks_shared::id::{TenantId, WebhookId};
use bluum_hooks_shared::secret::Secret;

use super::answer::{self, Answer};
use super::auth::Caller;
use super::error::ApiError;
use super::openapi::requests::{NewWebhook, WebhookChanges};
use super::path::Path;
use super::query::{Query, Window};
use super::settings::{self, Settings};
use super::{Api, Shared, body, list, to_the_end};
use crate::fields::Fields;
use crate::invalid::Invalid;
use crate::store::{Webhook, WebhookDraft, WebhookSecret};

/// Create a webhook
///
/// The only answer, beside rotation, that shows a secret.
#[utoipa::path(post, path = "/v1/webhooks", operation_id = "create_webhook",
    request_body = NewWebhook, responses((status = 201, body = api::Webhook)))]
pub(super) async fn create(State(api): Shared, caller: Caller, request: Request) -> Answer {
    caller.not_an_investor()?;
    let body = body::read(request, body::SMALL).await?;
    let mut fields = Fields::parse(&body)?;
    let tenant: Option<String> = fields.optional("tenant", "a tenant's id")?;
    let owner = caller.acts_for(tenant.as_deref(), &api.context.store.registry())?;
    let settings = Settings::read(fields, owner.livemode, &api.targets)?;
    let now = api.context.clock.now();
    let id = WebhookId::new(now, api.context.random.bits());
    let secret = new_secret(&api)?;
    let mut draft = settings::blank(id, owner, now);
    draft.secrets.push(WebhookSecret { secret: secret.clone(), created_at: now, expires_at: None });
    settings.required()?.apply(&mut draft);
    let store = Arc::clone(&api.context.store);
    let webhook = to_the_end(async move { store.add_webhook(draft).await }).await?;
    let mut answer = webhook.to_api();
    answer.secret = Some(secret.to_whsec().to_string());
    Ok(answer::json(StatusCode::CREATED, &answer))
}

pub(super) fn new_secret(api: &Api) -> Result<Secret, ApiError> {
    let mut bytes = [0; 32];
    api.context.random.fill(&mut bytes);
    Secret::from_bytes(&bytes).map_err(|error| ApiError::internal(&error))
}

/// List webhooks
///
/// Oldest first; an operator sees all tenants' unless it names one.
#[utoipa::path(get, path = "/v1/webhooks", operation_id = "list_webhooks",
    params(Window, ("starting_after" = Option<WebhookId>, Query),
        ("tenant" = Option<TenantId>, Query)),
    responses((status = 200, body = List<api::Webhook>)))]
pub(super) async fn list(State(api): Shared, caller: Caller, uri: Uri) -> Answer {
    caller.not_an_investor()?;
    let mut query = Query::new(&uri)?;
    let window = query.window()?;
    let after = query.text("starting_after");
    let tenant: Option<TenantId> = query.parsed("tenant")?;
    query.finish()?;
    let registry = api.context.store.registry();
    let after = match after {
        Some(id) => find(&api, &caller, &id, "starting_after")?.number,
        None => 0,
    };
    let webhooks = registry.webhooks().filter(|webhook| {
        let settings = &webhook.settings;
        webhook.number > after
            && caller.may_see(settings.tenant, settings.livemode)
            && tenant.is_none_or(|tenant| tenant == settings.tenant)
    });
    Ok(list::window(&uri, webhooks.map(|webhook| webhook.to_api()), window))
}

/// Get a webhook
///
/// Without its secret.
#[utoipa::path(get, path = "/v1/webhooks/{id}", operation_id = "get_webhook",
    params(("id" = WebhookId, Path)), responses((status = 200, body = api::Webhook)))]
pub(super) async fn show(State(api): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    let webhook = find(&api, &caller, &id, "id")?;
    Ok(answer::json(StatusCode::OK, &webhook.to_api()))
}

/// Change a webhook
///
/// What is named changes, `null` resets.
#[utoipa::path(patch, path = "/v1/webhooks/{id}", operation_id = "update_webhook",
    params(("id" = WebhookId, Path)), request_body = WebhookChanges,
    responses((status = 200, body = api::Webhook)))]
pub(super) async fn update(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Answer {
    let webhook = find(&api, &caller, &id, "id")?;
    let body = body::read(request, body::SMALL).await?;
    let fields = Fields::parse(&body)?;
    let settings = Settings::read(fields, webhook.settings.livemode, &api.targets)?;
    let changed = change(&api, webhook.settings.id, move |draft| settings.apply(draft)).await?;
    Ok(answer::json(StatusCode::OK, &changed.to_api()))
}

/// Delete a webhook
///
/// What it is owed is parked as it comes due.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", operation_id = "delete_webhook",
    params(("id" = WebhookId, Path)), responses((status = 200, body = Deleted)))]
pub(super) async fn delete(State(api): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    let webhook = find(&api, &caller, &id, "id")?;
    let now = api.context.clock.now();
    change(&api, webhook.settings.id, move |draft| draft.deleted_at = Some(now)).await?;
    let id = webhook.settings.id.to_string();
    let deleted = Deleted { id, object: "webhook".into(), deleted: true };
    Ok(answer::json(StatusCode::OK, &deleted))
}

pub(super) async fn change(
    api: &Api,
    id: WebhookId,
    change: impl FnOnce(&mut WebhookDraft) + Send + 'static,
) -> Result<Arc<Webhook>, ApiError> {
    let now = api.context.clock.now();
    let store = Arc::clone(&api.context.store);
    let write = async move { store.change_webhook(id, Box::new(change), now).await };
    let changed = to_the_end(write).await?;
    Ok(changed.ok_or_else(|| Invalid::not_found("id"))?)
}

/// A webhook that is the caller's to see, and not deleted.
pub(super) fn find(
    api: &Api,
    caller: &Caller,
    id: &str,
    param: &str,
) -> Result<Arc<Webhook>, Invalid> {
    let webhook = find_even_deleted(api, caller, id, param)?;
    match webhook.settings.deleted_at {
        None => Ok(webhook),
        Some(_) => Err(Invalid::not_found(param)),
    }
}

/// The same, also if it was deleted: what it is owed is kept, and can be looked at.
pub(super) fn find_even_deleted(
    api: &Api,
    caller: &Caller,
    id: &str,
    param: &str,
) -> Result<Arc<Webhook>, Invalid> {
    caller.not_an_investor()?;
    let id: WebhookId = id.parse().map_err(|error| Invalid::id(param, &error))?;
    let registry = api.context.store.registry();
    let found = registry.webhook_number(id).and_then(|number| registry.webhook_numbered(number));
    found
        .filter(|webhook| caller.may_see(webhook.settings.tenant, webhook.settings.livemode))
        .cloned()
        .ok_or_else(|| Invalid::not_found(param))
}
