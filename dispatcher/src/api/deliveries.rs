//! Deliveries: of a webhook, of an event, one with its attempts.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use bluum_hooks_shared::api::{Attempt, Delivery, DeliveryStatus, List};
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::id::{DeliveryId, EventId, WebhookId};

use super::answer::{self, Answer};
use super::auth::Caller;
use super::error::ApiError;
use super::openapi::requests::EventName;
use super::path::Path;
use super::query::{Period, Query, Window};
use super::{Api, Shared, events, list, webhooks};
use crate::invalid::Invalid;
use crate::policy::state::State as Standing;
use crate::store::{Cursor, DeliveryFilter, Page, StoredAttempt, StoredDelivery};

/// List a webhook's deliveries
///
/// Newest first. Also those of a webhook that was deleted.
#[utoipa::path(get, path = "/v1/webhooks/{id}/deliveries", operation_id = "list_webhook_deliveries",
    params(("id" = WebhookId, Path), Window, ("starting_after" = Option<DeliveryId>, Query),
        ("status" = Option<DeliveryStatus>, Query), ("event" = Option<EventName>, Query), Period),
    responses((status = 200, body = List<Delivery>)))]
pub(super) async fn of_webhook(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer {
    let webhook = webhooks::find_even_deleted(&api, &caller, &id, "id")?;
    let mut query = Query::new(&uri)?;
    let Period { since, until } = query.period()?;
    let filter = DeliveryFilter {
        webhook: Some(webhook.settings.id),
        event: None,
        status: status(&mut query)?,
        event_name: query.event()?,
        since,
        until,
    };
    page(&api, &caller, &uri, query, &filter).await
}

/// List an event's deliveries
///
/// In the order in which the webhooks were created.
#[utoipa::path(get, path = "/v1/events/{id}/deliveries", operation_id = "list_event_deliveries",
    params(("id" = EventId, Path), Window, ("starting_after" = Option<DeliveryId>, Query),
        ("status" = Option<DeliveryStatus>, Query)),
    responses((status = 200, body = List<Delivery>)))]
pub(super) async fn of_event(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer {
    let event = events::find(&api, &caller, &id, "id").await?;
    let mut query = Query::new(&uri)?;
    let status = status(&mut query)?;
    let filter = DeliveryFilter { event: Some(event.id), status, ..DeliveryFilter::default() };
    page(&api, &caller, &uri, query, &filter).await
}

/// Get a delivery
///
/// With every attempt.
#[utoipa::path(get, path = "/v1/deliveries/{id}", operation_id = "get_delivery",
    params(("id" = DeliveryId, Path)), responses((status = 200, body = Delivery)))]
pub(super) async fn show(State(api): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    let (delivery, attempts) = find(&api, &caller, &id, "id").await?;
    let registry = api.context.store.registry();
    let schedule = registry.webhook(delivery.webhook).map(|webhook| {
        webhook.settings.retry_schedule.as_ref().unwrap_or(&api.schedule).in_seconds()
    });
    let mut shown = to_api(delivery);
    shown.retry_schedule = schedule;
    shown.attempts = Some(attempts.into_iter().map(attempt_to_api).collect());
    Ok(answer::json(StatusCode::OK, &shown))
}

async fn page(
    api: &Api,
    caller: &Caller,
    uri: &Uri,
    mut query: Query,
    filter: &DeliveryFilter,
) -> Result<Response, ApiError> {
    let window = query.window()?;
    let after = query.text("starting_after");
    query.finish()?;
    let after = match after {
        Some(id) => Some(find(api, caller, &id, "starting_after").await?.0),
        None => None,
    };
    let is_other = |after: &StoredDelivery| {
        filter.webhook.is_some_and(|webhook| webhook != after.webhook)
            || filter.event.is_some_and(|event| event != after.event)
    };
    if after.as_ref().is_some_and(is_other) {
        // After one of another list there would be nothing.
        return Err(Invalid::not_found("starting_after").into());
    }
    let after = after.map(|after| Cursor::Delivery(after.id));
    let page = Page { limit: window.limit + 1, offset: window.offset, after };
    let found = api.context.store.deliveries(filter, page).await?;
    Ok(list::page(uri, found.into_iter().map(to_api).collect(), window.limit))
}

fn status(query: &mut Query) -> Result<Option<DeliveryStatus>, Invalid> {
    let Some(text) = query.text("status") else { return Ok(None) };
    let known = DeliveryStatus::ALL.into_iter().find(|status| status.as_str() == text);
    known.map(Some).ok_or_else(|| {
        let all = DeliveryStatus::ALL.map(DeliveryStatus::as_str).join("', '");
        let message = format!("'status' is one of '{all}'.");
        Invalid::field(ErrorCode::InvalidEnum, "status", message)
    })
}

/// A delivery that is the caller's to see, with every attempt.
pub(super) async fn find(
    api: &Api,
    caller: &Caller,
    id: &str,
    param: &str,
) -> Result<(StoredDelivery, Vec<StoredAttempt>), ApiError> {
    caller.not_an_investor()?;
    let id: DeliveryId = id.parse().map_err(|error| Invalid::id(param, &error))?;
    let found = api.context.store.delivery(id).await?;
    let found = found.filter(|(delivery, _)| caller.may_see(delivery.tenant, delivery.livemode));
    Ok(found.ok_or_else(|| Invalid::not_found(param))?)
}

pub(super) fn to_api(delivery: StoredDelivery) -> Delivery {
    let progress = delivery.progress;
    let (next_attempt_at, lease_until) = match progress.state {
        Standing::Waiting { due_at } => (Some(due_at), None),
        Standing::Leased { lease_until } => (None, Some(lease_until)),
        _ => (None, None),
    };
    Delivery {
        id: delivery.id,
        object: "delivery".into(),
        created: delivery.created_at.as_unix_seconds(),
        livemode: delivery.livemode,
        event_id: delivery.event,
        event: delivery.event_name,
        webhook_id: delivery.webhook,
        sequence: delivery.sequence,
        status: progress.state.status(),
        reason: progress.state.reason().map(|reason| reason.as_str().to_owned()),
        ordering_key: delivery.ordering_key,
        attempt_count: progress.attempts,
        failures: progress.failures,
        next_attempt_at,
        finished_at: progress.state.finished_at(),
        blocked_by: delivery.blocked_by,
        lease_until,
        retry_schedule: None,
        attempts: None,
    }
}

fn attempt_to_api(stored: StoredAttempt) -> Attempt {
    let attempt = stored.attempt;
    Attempt {
        id: attempt.id,
        object: "attempt".into(),
        number: stored.number,
        started_at: attempt.started_at,
        duration_ms: u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
        status: attempt.status,
        outcome: attempt.outcome,
        error: attempt.error,
        response_body: attempt.response_body,
    }
}
