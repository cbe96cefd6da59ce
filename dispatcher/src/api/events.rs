//! Publishing events, and reading them back.

use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use bluum_hooks_shared::api::List;
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::event::Event;
use bluum_hooks_shared::header::MAX_EVENT_BYTES;
use bluum_hooks_shared::id::{EventId, TenantId};
use bytes::Bytes;
use serde_json::value::RawValue;

use super::answer::{self, Answer};
use super::auth::Caller;
use super::error::ApiError;
use super::idempotency::Asked;
use super::openapi::requests::{EventName, PublishEvent, PublishEvents};
use super::path::Path;
use super::query::{Period, Query, Window};
use super::{Api, Shared, list};
use crate::acceptor::AcceptFailed;
use crate::fields::Fields;
use crate::invalid::Invalid;
use crate::publish::{self, Addressee, Publication};
use crate::store::{Cursor, EventFilter, NewEvent, PAGE_BYTES, Page, StoredEvent};

const FIELDS: &[&str] = &["event", "data", "tenant", "investor_id", "ordering_key", "timestamp"];

/// Publish an event
///
/// Accepted means durable: the event and its deliveries are on disk.
#[utoipa::path(post, path = "/v1/events", operation_id = "publish_event",
    request_body = PublishEvent, responses((status = 202, body = Event)))]
pub(super) async fn publish(State(api): Shared, caller: Caller, request: Request) -> Answer {
    let asked = Asked::read(&caller, request, MAX_EVENT_BYTES).await?;
    if let Some(answered) = asked.answered(&api).await? {
        return Ok(answered);
    }
    let event = read(&api, &caller, &asked.body)?;
    let stored = event.body.clone();
    accept(&api, vec![event], stored, &asked).await
}

/// Publish many events
///
/// All or nothing.
#[utoipa::path(post, path = "/v1/events/batch", operation_id = "publish_events",
    request_body = PublishEvents, responses((status = 202, body = List<Event>)))]
pub(super) async fn publish_batch(
    State(api): Shared,
    caller: Caller,
    uri: Uri,
    request: Request,
) -> Answer {
    let asked = Asked::read(&caller, request, api.limits.batch_bytes).await?;
    if let Some(answered) = asked.answered(&api).await? {
        return Ok(answered);
    }
    let items = batch(&asked.body)?;
    let most = api.limits.batch_events;
    if items.is_empty() || items.len() > most {
        let message = format!("A batch has 1 to {most} events, this has {}.", items.len());
        return Err(Invalid::field(ErrorCode::Validation, "events", message).into());
    }
    let mut events = Vec::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        let event = read(&api, &caller, item.get().as_bytes());
        events.push(event.map_err(|invalid| invalid.within(&format!("events[{place}]")))?);
    }
    let stored = events.iter().map(|event| raw(&event.body)).collect::<Result<_, _>>()?;
    let stored = list::to_bytes(&uri, stored);
    accept(&api, events, stored, &asked).await
}

/// Accepts the events and answers with what was stored, this time and every time.
pub(super) async fn accept(
    api: &Api,
    events: Vec<NewEvent>,
    stored: Bytes,
    asked: &Asked,
) -> Answer {
    const STATUS: StatusCode = StatusCode::ACCEPTED;
    match api.acceptor.accept(events, asked.keep(STATUS, &stored)).await {
        Ok(()) => Ok(answer::raw(STATUS, stored)),
        Err(AcceptFailed::KeyUsed) => asked.answer_of_first(api).await,
        Err(failed) => Err(failed.into()),
    }
}

/// `{"events":[…]}`, or the array alone.
fn batch(body: &[u8]) -> Result<Vec<&RawValue>, Invalid> {
    if body.trim_ascii_start().starts_with(b"[") {
        return serde_json::from_slice(body).map_err(|error| {
            let message = format!("The body is not valid JSON: {error}.");
            Invalid::request(ErrorCode::Validation, message)
        });
    }
    let mut fields = Fields::parse(body)?;
    let events = fields.raw("events").ok_or_else(|| Invalid::missing("events"))?;
    fields.finish(&["events"])?;
    serde_json::from_str(events.get()).map_err(|_| {
        Invalid::field(ErrorCode::InvalidFormat, "events", "'events' must be an array.")
    })
}

fn read(api: &Api, caller: &Caller, body: &[u8]) -> Result<NewEvent, Invalid> {
    let mut fields = Fields::parse(body)?;
    let event: String = fields.required("event", "the name of an event type")?;
    let data = fields.raw("data").ok_or_else(|| Invalid::missing("data"))?;
    let tenant: Option<String> = fields.optional("tenant", "a tenant's id")?;
    let investor_id: Option<String> = fields.optional("investor_id", "an investor's id")?;
    let ordering_key: Option<String> = fields.optional("ordering_key", "a string")?;
    let timestamp: Option<String> = fields.optional("timestamp", "an RFC 3339 time")?;
    fields.finish(FIELDS)?;
    let addressee = caller.acts_for(tenant.as_deref(), &api.context.store.registry())?;
    let said = Publication {
        event: &event,
        data,
        investor_id: investor_id.as_deref(),
        ordering_key: ordering_key.as_deref(),
        idempotency_key: None,
        timestamp: timestamp.as_deref(),
    };
    publish::check(said, addressee, api.context.clock.now(), &*api.context.random)
}

/// List events
///
/// In the order in which they were accepted.
#[utoipa::path(get, path = "/v1/events", operation_id = "list_events",
    params(Window, ("starting_after" = Option<EventId>, Query),
        ("tenant" = Option<TenantId>, Query), ("event" = Option<EventName>, Query), Period),
    responses((status = 200, body = List<Event>)))]
pub(super) async fn list(State(api): Shared, caller: Caller, uri: Uri) -> Answer {
    let mut query = Query::new(&uri)?;
    let window = query.window()?;
    let after = query.text("starting_after");
    let tenant = query.text("tenant");
    let name = query.event()?;
    let Period { since, until } = query.period()?;
    query.finish()?;
    let addressee = caller.acts_for(tenant.as_deref(), &api.context.store.registry())?;
    let after = match after {
        Some(id) => Some(find_of(&api, &caller, addressee, &id, "starting_after").await?),
        None => None,
    };
    let (tenant, livemode) = (addressee.tenant, addressee.livemode);
    let filter = EventFilter { tenant, livemode, name, since, until };
    let after = after.map(|event| Cursor::Position(event.position));
    let page = Page { limit: window.limit + 1, offset: window.offset, after };
    let found = api.context.store.events(&filter, page).await?;
    let shown = on_page(&found, window.limit);
    let events: Result<Vec<_>, _> = shown.iter().map(|event| raw(&event.body)).collect();
    Ok(list::cut(&uri, events?, shown.len() < found.len()))
}

/// As many as were asked for, and no more than a page's bytes, but one at least.
fn on_page(found: &[StoredEvent], limit: u32) -> &[StoredEvent] {
    let mut bytes = 0;
    let fits = found.iter().enumerate().take_while(|(place, event)| {
        bytes += event.body.len();
        *place == 0 || bytes <= PAGE_BYTES
    });
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    &found[..fits.count().min(limit)]
}

/// Get an event
///
/// As it was accepted, and as every delivery carries it.
#[utoipa::path(get, path = "/v1/events/{id}", operation_id = "get_event",
    params(("id" = EventId, Path)), responses((status = 200, body = Event)))]
pub(super) async fn show(State(api): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    let event = find(&api, &caller, &id, "id").await?;
    Ok(answer::raw(StatusCode::OK, event.body))
}

/// An event that is the caller's to see.
pub(super) async fn find(
    api: &Api,
    caller: &Caller,
    id: &str,
    param: &str,
) -> Result<StoredEvent, ApiError> {
    caller.not_an_investor()?;
    let id: EventId = id.parse().map_err(|error| Invalid::id(param, &error))?;
    let found = api.context.store.event(id).await?;
    let found = found.filter(|event| caller.may_see(event.tenant, event.livemode));
    Ok(found.ok_or_else(|| Invalid::not_found(param))?)
}

/// The event that a list goes on after: one of its own, for after another's there is nothing.
pub(super) async fn find_of(
    api: &Api,
    caller: &Caller,
    addressee: Addressee,
    id: &str,
    param: &str,
) -> Result<StoredEvent, ApiError> {
    let event = find(api, caller, id, param).await?;
    if event.tenant != addressee.tenant {
        return Err(Invalid::not_found(param).into());
    }
    Ok(event)
}

/// A stored body inside another answer, byte for byte.
fn raw(body: &[u8]) -> Result<Box<RawValue>, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::internal(&error))
}
