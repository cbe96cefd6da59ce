//! Replays: one delivery, or many of a webhook.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use bluum_hooks_shared::api::{Delivery, DeliveryStatus, List, Replay, ReplayStatus};
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::id::{DeliveryId, ReplayId, WebhookId};
use bluum_hooks_shared::time::Timestamp;

use super::answer::{self, Answer};
use super::auth::Caller;
use super::idempotency::{Asked, Telling, change_and_tell};
use super::openapi::requests::{NewReplay, Nothing};
use super::path::Path;
use super::query::{Query, Window, known_event};
use super::{Api, Shared, body, deliveries, list, to_the_end, webhooks};
use crate::context::Context;
use crate::fields::Fields;
use crate::invalid::Invalid;
use crate::policy::state::ParkReason;
use crate::store::{self, Change, Registry, ReplayFilter, StoreError};

/// Replay a delivery
///
/// One that was delivered or parked is owed again: its attempts begin anew, at once, or behind what
/// is under way about the same object.
#[utoipa::path(post, path = "/v1/deliveries/{id}/replay", operation_id = "replay_delivery",
    params(("id" = DeliveryId, Path)), request_body = Option<Nothing>,
    responses((status = 202, body = Delivery)))]
pub(super) async fn one(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Answer {
    let delivery = deliveries::find(&api, &caller, &id, "id").await?.0;
    let asked = Asked::read(&caller, request, body::SMALL).await?;
    if let Some(answered) = asked.answered(&api).await? {
        return Ok(answered);
    }
    object(&asked.body)?.finish(&[])?;
    let telling = Telling {
        status: StatusCode::ACCEPTED,
        secret: false,
        declined: "This delivery cannot be replayed: it is under way already, or its webhook is \
                   not active."
            .into(),
    };
    let Context { store, clock, bell, .. } = api.context.clone();
    let render = |after: &store::StoredDelivery| answer::bytes(&deliveries::to_api(after.clone()));
    let write = |keep| async move {
        let replayed = store.replay(delivery.id, keep, clock.now()).await;
        bell.ring();
        replayed.map(Arc::new)
    };
    asked.tell(&api, telling, render, write).await
}

/// Replay a webhook's deliveries
///
/// What is parked, or was delivered, is owed again, in the order of the sequence numbers. It goes
/// on by itself, also after a restart; `GET /v1/replays/{id}` says how far it is. A dry run only
/// counts, and is answered with 200.
#[utoipa::path(post, path = "/v1/webhooks/{id}/replay", operation_id = "replay_webhook",
    params(("id" = WebhookId, Path)), request_body = Option<NewReplay>,
    responses((status = 200, body = Replay), (status = 202, body = Replay)))]
pub(super) async fn many(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Answer {
    let webhook = webhooks::find(&api, &caller, &id, "id")?;
    let asked = Asked::read(&caller, request, body::SMALL).await?;
    if let Some(answered) = asked.answered(&api).await? {
        return Ok(answered);
    }
    let (filter, dry_run) = read(&asked.body)?;
    let settings = &webhook.settings;
    let total = api.context.store.count_replay(settings.id, &filter).await?;
    let now = api.context.clock.now();
    let id = ReplayId::new(now, api.context.random.bits());
    let replay = store::Replay { total, ..store::Replay::new(id, settings.id, filter, now) };
    if dry_run {
        let counted = Replay { id: None, dry_run, ..replay.to_api(settings.livemode) };
        return Ok(answer::json(StatusCode::OK, &counted));
    }
    let telling = Telling {
        status: StatusCode::ACCEPTED,
        secret: false,
        declined: "Nothing can be replayed: this webhook is not active, or has four replays that \
                   run. Setting its status to 'active' releases what was parked meanwhile."
            .into(),
    };
    let render = move |registry: &Registry| answer::bytes(&shown(registry, id));
    change_and_tell(&api, asked, telling, Change::StartReplay(replay), render).await
}

/// Which deliveries, and whether only to count them.
fn read(body: &[u8]) -> Result<(ReplayFilter, bool), Invalid> {
    let mut fields = object(body)?;
    let status: Option<String> = fields.optional("status", "a string")?;
    let delivered = match status.as_deref() {
        None => false,
        Some(text) if text == DeliveryStatus::Parked.as_str() => false,
        Some(text) if text == DeliveryStatus::Delivered.as_str() => true,
        Some(_) => {
            let message = "'status' is 'parked' or 'delivered': what is under way needs no replay.";
            return Err(Invalid::field(ErrorCode::InvalidEnum, "status", message));
        }
    };
    let filter = ReplayFilter {
        delivered,
        reason: reason(&mut fields, delivered)?,
        event_name: event_name(&mut fields)?,
        since: time(&mut fields, "since")?,
        until: time(&mut fields, "until")?,
    };
    let dry_run: Option<bool> = fields.optional("dry_run", "true or false")?;
    fields.finish(&["status", "reason", "event", "since", "until", "dry_run"])?;
    Ok((filter, dry_run.unwrap_or(false)))
}

/// Without a body, nothing is said.
pub(super) fn object(body: &[u8]) -> Result<Fields<'_>, Invalid> {
    Fields::parse(if body.is_empty() { b"{}" } else { body })
}

fn reason(fields: &mut Fields<'_>, delivered: bool) -> Result<Option<ParkReason>, Invalid> {
    let Some(text) = fields.optional::<String>("reason", "a string")? else { return Ok(None) };
    if delivered {
        let message = "'reason' is why a delivery is parked; those delivered have none.";
        return Err(Invalid::field(ErrorCode::Validation, "reason", message));
    }
    ParkReason::parse(&text).map(Some).ok_or_else(|| {
        let all = ParkReason::ALL.map(ParkReason::as_str).join("', '");
        let message = format!("'reason' is one of '{all}'.");
        Invalid::field(ErrorCode::InvalidEnum, "reason", message)
    })
}

fn event_name(fields: &mut Fields<'_>) -> Result<Option<String>, Invalid> {
    let name: Option<String> = fields.optional("event", "the name of an event type")?;
    known_event(name.as_deref())?;
    Ok(name)
}

fn time(fields: &mut Fields<'_>, name: &str) -> Result<Option<Timestamp>, Invalid> {
    let Some(text) = fields.optional::<String>(name, "an RFC 3339 time")? else { return Ok(None) };
    text.parse().map(Some).map_err(|error| {
        let message = format!("'{name}' is not a time: {error}.");
        Invalid::field(ErrorCode::InvalidFormat, name, message)
    })
}

/// List a webhook's replays
///
/// Newest first. A webhook that was set active again has one for what was parked meanwhile.
#[utoipa::path(get, path = "/v1/webhooks/{id}/replays", operation_id = "list_replays",
    params(("id" = WebhookId, Path), Window, ("starting_after" = Option<ReplayId>, Query)),
    responses((status = 200, body = List<Replay>)))]
pub(super) async fn list(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer {
    let webhook = webhooks::find(&api, &caller, &id, "id")?;
    let mut query = Query::new(&uri)?;
    let window = query.window()?;
    let after: Option<ReplayId> = query.parsed("starting_after")?;
    query.finish()?;
    let registry = api.context.store.registry();
    let replays = registry.replays().rev().filter(|replay| {
        replay.webhook == webhook.settings.id && after.is_none_or(|after| replay.id < after)
    });
    let livemode = webhook.settings.livemode;
    Ok(list::window(&uri, replays.map(|replay| replay.to_api(livemode)), window))
}

/// Get a replay
///
/// How far it is.
#[utoipa::path(get, path = "/v1/replays/{id}", operation_id = "get_replay",
    params(("id" = ReplayId, Path)), responses((status = 200, body = Replay)))]
pub(super) async fn show(State(api): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    Ok(answer::json(StatusCode::OK, &find(&api, &caller, &id)?))
}

/// Cancel a replay
///
/// What it has replayed stays so. One that has ended is answered as it is.
#[utoipa::path(delete, path = "/v1/replays/{id}", operation_id = "cancel_replay",
    params(("id" = ReplayId, Path)), responses((status = 200, body = Replay), (status = 409)))]
pub(super) async fn cancel(State(api): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    let replay = find(&api, &caller, &id)?;
    let (context, now) = (api.context.clone(), api.context.clock.now());
    let cancel = Change::CancelReplay(replay.id.ok_or_else(|| Invalid::not_found("id"))?);
    let canceled = to_the_end(async move { context.change(cancel, None, now).await }).await?;
    let replay = find(&api, &caller, &id)?;
    match canceled {
        Err(StoreError::Declined) if replay.status == ReplayStatus::Running => {
            let message = "This replay releases what was parked while its webhook was stopped. Set \
                           the webhook 'inactive' to end it.";
            Err(Invalid::request(ErrorCode::StateConflict, message).into())
        }
        Ok(_) | Err(StoreError::Declined) => Ok(answer::json(StatusCode::OK, &replay)),
        Err(failure) => Err(failure.into()),
    }
}

/// A replay that is the caller's to see.
fn find(api: &Api, caller: &Caller, id: &str) -> Result<Replay, Invalid> {
    caller.not_an_investor()?;
    let id: ReplayId = id.parse().map_err(|error| Invalid::id("id", &error))?;
    let registry = api.context.store.registry();
    let found = shown(&registry, id).ok_or_else(|| Invalid::not_found("id"))?;
    webhooks::find_even_deleted(api, caller, &found.webhook_id.to_string(), "id")?;
    Ok(found)
}

fn shown(registry: &Registry, id: ReplayId) -> Option<Replay> {
    let replay = registry.replay(id)?;
    let webhook = registry.webhook_numbered(registry.webhook_number(replay.webhook)?)?;
    Some(replay.to_api(webhook.settings.livemode))
}
