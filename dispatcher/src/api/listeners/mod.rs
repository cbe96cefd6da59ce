//! Listeners: webhooks that a developer's terminal takes instead of a URL.
//!
//! A listener is made by naming it. Its deliveries go down its stream, what came of them comes back
//! as results, and everything else about it is a webhook's.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use bluum_hooks_shared::api::{Deleted, Listener, Ordering, WebhookStatus};
use bluum_hooks_shared::catalogue::{CATALOGUE, Pattern};
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::id::{TenantId, WebhookId};

use super::answer::{self, Answer};
use super::auth::Caller;
use super::error::ApiError;
use super::idempotency::no_room;
use super::openapi::requests::{ListenerName, NewListener};
use super::path::Path;
use super::query::Query;
use super::replays::object;
use super::settings::{MAX_PATTERNS, MAX_TIMEOUT_SECONDS};
use super::webhooks::{new_secret, remove};
use super::{Api, Shared, body, to_the_end};
use crate::fields::Fields;
use crate::invalid::Invalid;
use crate::policy::retry::RetrySchedule;
use crate::publish::Addressee;
use crate::store::{
    Backlog, Change, Edit, Edited, LISTENER, StoreError, Webhook, WebhookDraft, WebhookSecret,
};
use crate::upkeep;

pub(super) mod results;
pub(super) mod seek;
pub(super) mod stream;

/// Most characters of a name.
pub(super) const MAX_NAME: usize = 64;
const DEFAULT_TIMEOUT_SECONDS: u32 = 30;
const FIELDS: &[&str] = &["events", "retry", "timeout_seconds", "tenant"];

/// What a request says about a listener.
#[derive(Debug, Clone)]
struct Wanted {
    event_type_names: Vec<String>,
    retry: bool,
    timeout: Duration,
}

/// Make or change a listener
///
/// Makes the listener of this name, or changes the one there is: what is not named gets its
/// default. The answer shows the secret, which stays the same as long as the listener exists.
#[utoipa::path(put, path = "/v1/listeners/{name}", operation_id = "put_listener",
    params(("name" = ListenerName, Path)), request_body = Option<NewListener>,
    responses((status = 200, body = Listener), (status = 409)))]
pub(super) async fn put(
    State(api): Shared,
    caller: Caller,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    check(&name)?;
    let body = body::read(request, body::SMALL).await?;
    let mut fields = object(&body)?;
    let tenant: Option<String> = fields.optional("tenant", "a tenant's id")?;
    let owner = caller.acts_for(tenant.as_deref(), &api.context.store.registry())?;
    let wanted = Wanted::read(fields)?;
    let naming = api.context.listeners.naming().await;
    let found = named(&api, owner, &name);
    let created = found.is_none();
    let id = match found {
        Some(webhook) => change(&api, &webhook, wanted).await?,
        None => create(&api, owner, &name, wanted).await?,
    };
    drop(naming);
    let registry = api.context.store.registry();
    let webhook = registry.webhook(id).ok_or_else(|| Invalid::not_found("name"))?;
    let backlog = upkeep::trim(&api.context, webhook, None).await?;
    Ok(answer::json(StatusCode::OK, &shown(&api, webhook, created, &backlog)?))
}

/// Get a listener
///
/// As it is, with its secret: only those who may make listeners see it.
#[utoipa::path(get, path = "/v1/listeners/{name}", operation_id = "get_listener",
    params(("name" = ListenerName, Path), ("tenant" = Option<TenantId>, Query)),
    responses((status = 200, body = Listener)))]
pub(super) async fn show(
    State(api): Shared,
    caller: Caller,
    Path(name): Path<String>,
    uri: Uri,
) -> Answer {
    let webhook = find_alone(&api, &caller, &name, &uri)?;
    let backlog = upkeep::backlog(&api.context, &webhook, None).await?;
    Ok(answer::json(StatusCode::OK, &shown(&api, &webhook, false, &backlog)?))
}

/// Delete a listener
///
/// Its streams end; what it is owed is parked.
#[utoipa::path(delete, path = "/v1/listeners/{name}", operation_id = "delete_listener",
    params(("name" = ListenerName, Path), ("tenant" = Option<TenantId>, Query)),
    responses((status = 200, body = Deleted)))]
pub(super) async fn delete(
    State(api): Shared,
    caller: Caller,
    Path(name): Path<String>,
    uri: Uri,
) -> Answer {
    let webhook = find_alone(&api, &caller, &name, &uri)?;
    remove(&api, &webhook, "name").await?;
    let deleted = Deleted { id: name, object: "listener".into(), deleted: true };
    Ok(answer::json(StatusCode::OK, &deleted))
}

async fn create(
    api: &Api,
    owner: Addressee,
    name: &str,
    wanted: Wanted,
) -> Result<WebhookId, ApiError> {
    let now = api.context.clock.now();
    let id = WebhookId::new(now, api.context.random.bits());
    let mut draft = WebhookDraft::new(id, owner.tenant, owner.livemode, now);
    draft.url = format!("{LISTENER}{name}");
    draft.name = Some(name.to_owned());
    draft.ordering = Ordering::None;
    draft.secrets.push(WebhookSecret::new(new_secret(api)?, now));
    wanted.apply(&mut draft);
    let at_most = api.limits.webhooks;
    let (context, change) = (api.context.clone(), Change::AddWebhook(draft, at_most));
    match to_the_end(async move { context.change(change, None, now).await }).await? {
        Err(StoreError::Declined) => {
            let advice = "delete one, or ask the operator to raise max_webhooks";
            let message = no_room(at_most, "webhooks, listeners among them", advice);
            Err(Invalid::request(ErrorCode::StateConflict, message).into())
        }
        created => Ok(created.map(|_| id)?),
    }
}

async fn change(api: &Api, webhook: &Webhook, wanted: Wanted) -> Result<WebhookId, ApiError> {
    let (now, id) = (api.context.clock.now(), webhook.settings.id);
    let edit = Edit::new(move |draft| {
        wanted.apply(draft);
        Some(Edited::default())
    });
    let (context, change) = (api.context.clone(), Change::EditWebhook(id, edit));
    match to_the_end(async move { context.change(change, None, now).await }).await? {
        Err(StoreError::Declined) => Err(Invalid::not_found("name").into()),
        changed => Ok(changed.map(|_| id)?),
    }
}

impl Wanted {
    fn read(mut fields: Fields<'_>) -> Result<Self, Invalid> {
        let kind = "an array of event type names";
        let events: Option<Vec<String>> = fields.optional("events", kind)?;
        let retry: Option<bool> = fields.optional("retry", "true or false")?;
        let seconds = fields.whole("timeout_seconds")?.unwrap_or(DEFAULT_TIMEOUT_SECONDS);
        if !(1..=MAX_TIMEOUT_SECONDS).contains(&seconds) {
            let message = format!("'timeout_seconds' is between 1 and {MAX_TIMEOUT_SECONDS}.");
            return Err(Invalid::field(ErrorCode::Validation, "timeout_seconds", message));
        }
        fields.finish(FIELDS)?;
        Ok(Self {
            event_type_names: event_type_names(&events.unwrap_or_default())?,
            retry: retry.unwrap_or(false),
            timeout: Duration::from_secs(u64::from(seconds)),
        })
    }

    fn apply(self, draft: &mut WebhookDraft) {
        draft.event_type_names = self.event_type_names;
        draft.timeout = self.timeout;
        // Without retries a failure is final: the developer sees it, and replays.
        draft.retry_schedule = (!self.retry).then(RetrySchedule::none);
        draft.status = WebhookStatus::Active;
        draft.status_reason = None;
    }
}

/// What a listener subscribes to. With something excluded, that is every name that is left.
fn event_type_names(events: &[String]) -> Result<Vec<String>, Invalid> {
    if events.len() > MAX_PATTERNS {
        let message = format!("'events' may have {MAX_PATTERNS} entries.");
        return Err(Invalid::field(ErrorCode::Validation, "events", message));
    }
    let (mut included, mut excluded) = (Vec::new(), Vec::new());
    for (place, name) in events.iter().enumerate() {
        let (patterns, text) = match name.strip_prefix('!') {
            Some(rest) => (&mut excluded, rest),
            None => (&mut included, name.as_str()),
        };
        let pattern = Pattern::parse(text).map_err(|error| {
            let shown: String = text.chars().take(80).collect();
            let message = format!("'{shown}' cannot be listened to: {error}");
            Invalid::field(ErrorCode::InvalidEnum, &format!("events[{place}]"), message)
        })?;
        patterns.push((text.to_owned(), pattern));
    }
    if excluded.is_empty() {
        let names: Vec<_> = included.into_iter().map(|(text, _)| text).collect();
        return Ok(if names.is_empty() { vec!["*".into()] } else { names });
    }
    let any = |patterns: &[(String, Pattern)], name: &str| {
        patterns.iter().any(|(_, pattern)| pattern.matches(name))
    };
    let wanted = CATALOGUE
        .iter()
        .map(|known| known.name)
        .filter(|name| (included.is_empty() || any(&included, name)) && !any(&excluded, name));
    let wanted: Vec<_> = wanted.map(str::to_owned).collect();
    if wanted.is_empty() {
        let message = "'events' excludes everything that it includes.";
        return Err(Invalid::field(ErrorCode::Validation, "events", message));
    }
    Ok(wanted)
}

fn check(name: &str) -> Result<(), Invalid> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
    let fits = (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(fits);
    // A dot in front would be a folder to whoever shortens paths.
    if fits && !name.starts_with('.') {
        return Ok(());
    }
    let message = format!(
        "A listener's name has 1 to {MAX_NAME} letters, digits, underscores, dashes and @, and \
         dots, but not in front."
    );
    Err(Invalid::field(ErrorCode::InvalidFormat, "name", message))
}

/// The listener of this name, if there is one.
fn named(api: &Api, owner: Addressee, name: &str) -> Option<Arc<Webhook>> {
    let registry = api.context.store.registry();
    let webhooks = registry.webhooks_of(owner.tenant, owner.livemode);
    webhooks.iter().find(|webhook| webhook.listener() == Some(name)).cloned()
}

/// The same, where the query says nothing but the tenant.
fn find_alone(api: &Api, caller: &Caller, name: &str, uri: &Uri) -> Result<Arc<Webhook>, Invalid> {
    let mut query = Query::new(uri)?;
    let tenant = query.text("tenant");
    query.finish()?;
    find(api, caller, name, tenant.as_deref())
}

/// The caller's listener of this name.
fn find(
    api: &Api,
    caller: &Caller,
    name: &str,
    tenant: Option<&str>,
) -> Result<Arc<Webhook>, Invalid> {
    let owner = caller.acts_for(tenant, &api.context.store.registry())?;
    named(api, owner, name).ok_or_else(|| {
        let message = "There is no listener of this name; PUT makes one.";
        Invalid::field(ErrorCode::NotFound, "name", message)
    })
}

fn shown(
    api: &Api,
    webhook: &Webhook,
    created: bool,
    backlog: &Backlog,
) -> Result<Listener, ApiError> {
    let settings = &webhook.settings;
    let secret = settings.secrets.first().ok_or_else(|| {
        let message = "The secret of this listener cannot be opened; delete it, and make it anew.";
        Invalid::request(ErrorCode::StateConflict, message)
    })?;
    Ok(Listener {
        object: "listener".into(),
        name: webhook.listener().unwrap_or_default().to_owned(),
        webhook_id: settings.id,
        livemode: settings.livemode,
        secret: secret.secret.to_whsec().to_string(),
        created,
        cursor: backlog.last_sequence,
        waiting: count(backlog.owed),
        oldest: backlog.oldest,
        event_type_names: settings.event_type_names.clone(),
        holder: api.context.listeners.holder(webhook.number),
    })
}

fn count(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}
