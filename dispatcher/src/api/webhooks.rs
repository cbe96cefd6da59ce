//! Webhooks: create, list, show, update, delete.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use bluum_hooks_shared::api::{self, Deleted, List};
use bluum_hooks_shared::asymmetric::{PrivateKey, SEED_BYTES};
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::id::{EventId, TenantId, WebhookId};
use bluum_hooks_shared::secret::Secret;
use bluum_hooks_shared::time::Timestamp;
use bytes::Bytes;
use zeroize::Zeroizing;

use super::answer::{self, Answer};
use super::auth::Caller;
use super::error::ApiError;
use super::idempotency::{Asked, Telling, change_and_tell, no_room};
use super::openapi::requests::{NewWebhook, WebhookChanges};
use super::path::Path;
use super::query::{Query, Window};
use super::settings::Settings;
use super::{Api, Shared, body, events, list, to_the_end};
use crate::context::Context;
use crate::fields::Fields;
use crate::invalid::Invalid;
use crate::notice;
use crate::policy::state::ParkReason;
use crate::store::{
    Change, Edit, Registry, Replay, ReplayFilter, StoreError, Webhook, WebhookDraft, WebhookSecret,
};
use crate::upkeep;

/// Create a webhook
///
/// The only answer, beside rotation, that shows a secret.
#[utoipa::path(post, path = "/v1/webhooks", operation_id = "create_webhook",
    request_body = NewWebhook, responses((status = 201, body = api::Webhook)))]
pub(super) async fn create(State(api): Shared, caller: Caller, request: Request) -> Answer {
    caller.not_an_investor()?;
    let asked = Asked::read(&caller, request, body::SMALL).await?;
    if let Some(answered) = asked.answered(&api).await? {
        return Ok(answered);
    }
    let mut fields = Fields::parse(&asked.body)?;
    let tenant: Option<String> = fields.optional("tenant", "a tenant's id")?;
    let owner = caller.acts_for(tenant.as_deref(), &api.context.store.registry())?;
    let settings = Settings::read(fields, owner.livemode, &api.targets)?;
    let now = api.context.clock.now();
    let id = WebhookId::new(now, api.context.random.bits());
    let secret = new_secret(&api)?;
    let mut draft = WebhookDraft::new(id, owner.tenant, owner.livemode, now);
    draft.secrets.push(WebhookSecret::new(secret.clone(), now));
    settings.required()?.apply(&mut draft, new_private_key(&api));
    let at_most = api.limits.webhooks;
    let advice = "delete one, or ask the operator to raise max_webhooks";
    let telling = Telling {
        status: StatusCode::CREATED,
        secret: true,
        declined: no_room(at_most, "webhooks", advice),
    };
    let change = Change::AddWebhook(draft, at_most);
    change_and_tell(&api, asked, telling, change, with_secret(id, secret, now)).await
}

/// Shows a webhook with the secret that it was given just now.
pub(super) fn with_secret(
    id: WebhookId,
    secret: Secret,
    now: Timestamp,
) -> impl Fn(&Registry) -> Bytes + Clone + Send + 'static {
    move |registry| {
        let shown = registry.webhook(id).map(|webhook| {
            let secret = Some(secret.to_whsec().to_string());
            api::Webhook { secret, ..webhook.to_api(now) }
        });
        answer::bytes(&shown)
    }
}

/// With what is known of it beside what is stored.
fn shown(api: &Api, webhook: &Webhook, now: Timestamp) -> api::Webhook {
    let paused_until = api.context.paused_until(webhook.number);
    api::Webhook { paused_until, ..webhook.to_api(now) }
}

pub(super) fn new_secret(api: &Api) -> Result<Secret, ApiError> {
    let mut bytes = [0; 32];
    api.context.random.fill(&mut bytes);
    Secret::from_bytes(&bytes).map_err(|error| ApiError::internal(&error))
}

pub(super) fn new_private_key(api: &Api) -> PrivateKey {
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    api.context.random.fill(&mut *seed);
    PrivateKey::from_seed(&seed)
}

/// List webhooks
///
/// Oldest first; an operator sees all tenants' unless it names one.
#[utoipa::path(get, path = "/v1/webhooks", operation_id = "list_webhooks",
    params(Window, ("starting_after" = Option<WebhookId>, Query),
        ("tenant" = Option<TenantId>, Query), ("for_event" = Option<EventId>, Query)),
    responses((status = 200, body = List<api::Webhook>)))]
pub(super) async fn list(State(api): Shared, caller: Caller, uri: Uri) -> Answer {
    caller.not_an_investor()?;
    let mut query = Query::new(&uri)?;
    let window = query.window()?;
    let after = query.text("starting_after");
    let tenant: Option<TenantId> = query.parsed("tenant")?;
    let for_event = query.text("for_event");
    query.finish()?;
    let event = match for_event {
        Some(id) => Some(events::find(&api, &caller, &id, "for_event").await?),
        None => None,
    };
    let registry = api.context.store.registry();
    let after = match after {
        Some(id) => find_even_deleted(&api, &caller, &id, "starting_after")?.number,
        None => 0,
    };
    let webhooks = registry.webhooks().filter(|webhook| {
        let settings = &webhook.settings;
        webhook.number > after
            && caller.may_see(settings.tenant, settings.livemode)
            && tenant.is_none_or(|tenant| tenant == settings.tenant)
            && event.as_ref().is_none_or(|event| {
                (event.tenant, event.livemode) == (settings.tenant, settings.livemode)
            })
    });
    let now = api.context.clock.now();
    Ok(list::window(&uri, webhooks.map(|webhook| shown(&api, webhook, now)), window))
}

/// Get a webhook
///
/// Without its secret.
#[utoipa::path(get, path = "/v1/webhooks/{id}", operation_id = "get_webhook",
    params(("id" = WebhookId, Path)), responses((status = 200, body = api::Webhook)))]
pub(super) async fn show(State(api): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    let webhook = find(&api, &caller, &id, "id")?;
    Ok(answer::json(StatusCode::OK, &shown(&api, &webhook, api.context.clock.now())))
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
    if fields.has("tenant") {
        let message = "A webhook stays its tenant's: 'tenant' cannot be changed.";
        return Err(Invalid::field(ErrorCode::Validation, "tenant", message).into());
    }
    if fields.has("url") && webhook.listener().is_some() {
        let message = "A listener has no URL: its deliveries go down its stream.";
        return Err(Invalid::field(ErrorCode::Validation, "url", message).into());
    }
    let settings = Settings::read(fields, webhook.settings.livemode, &api.targets)?;
    let Context { clock, random, .. } = &api.context;
    let (now, random) = (clock.now(), Arc::clone(random));
    let parked = to_release(&api, &webhook).await?;
    let private_key = new_private_key(&api);
    let edit = Edit::new(move |draft| {
        let before = draft.status;
        settings.apply(draft, private_key);
        let mut edited = notice::status_changed(before, draft, now, &*random);
        edited.release = edited.release.map(|release| Replay { total: parked, ..release });
        Some(edited)
    });
    let changed = change(&api, webhook.settings.id, edit, now).await?;
    let changed = changed.webhook(webhook.settings.id).ok_or_else(|| Invalid::not_found("id"))?;
    Ok(answer::json(StatusCode::OK, &shown(&api, changed, now)))
}

/// How many deliveries would be released now.
async fn to_release(api: &Api, webhook: &Webhook) -> Result<i64, StoreError> {
    if webhook.stopped().is_none() {
        return Ok(0);
    }
    let filter = ReplayFilter { reason: Some(ParkReason::Disabled), ..ReplayFilter::default() };
    api.context.store.count_replay(webhook.settings.id, &filter).await
}

/// Delete a webhook
///
/// What it is owed is parked.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", operation_id = "delete_webhook",
    params(("id" = WebhookId, Path)), responses((status = 200, body = Deleted)))]
pub(super) async fn delete(State(api): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    let webhook = find(&api, &caller, &id, "id")?;
    remove(&api, &webhook, "id").await?;
    let id = webhook.settings.id.to_string();
    let deleted = Deleted { id, object: "webhook".into(), deleted: true };
    Ok(answer::json(StatusCode::OK, &deleted))
}

/// Deletes a webhook, or a listener.
pub(super) async fn remove(api: &Api, webhook: &Arc<Webhook>, param: &str) -> Result<(), ApiError> {
    let (context, webhook) = (api.context.clone(), Arc::clone(webhook));
    match to_the_end(async move { upkeep::delete(&context, &webhook).await }).await? {
        Err(StoreError::Declined) => Err(Invalid::not_found(param).into()),
        deleted => Ok(deleted?),
    }
}

/// Edits a webhook.
async fn change(
    api: &Api,
    id: WebhookId,
    edit: Edit,
    now: Timestamp,
) -> Result<Arc<Registry>, ApiError> {
    let (context, change) = (api.context.clone(), Change::EditWebhook(id, edit));
    match to_the_end(async move { context.change(change, None, now).await }).await? {
        Err(StoreError::Declined) => Err(Invalid::not_found("id").into()),
        changed => Ok(changed?),
    }
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
