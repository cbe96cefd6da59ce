//! Test events: an example of a type, to one webhook alone, signed and delivered like any other.

use axum::extract::{Request, State};
use bluum_hooks_shared::catalogue::{self, CATALOGUE, EventType};
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::event::Event;
use bluum_hooks_shared::id::WebhookId;
use serde_json::value::RawValue;

use super::answer::Answer;
use super::auth::Caller;
use super::error::ApiError;
use super::event_types::EXAMPLE_INVESTOR;
use super::idempotency::Asked;
use super::openapi::requests::SendTestEvent;
use super::path::Path;
use super::replays::object;
use super::{Shared, body, events, webhooks};
use crate::invalid::Invalid;
use crate::publish::{self, Addressee, Publication};
use crate::store::{Audience, NewEvent, Webhook};

/// Send a test event
///
/// An example of a type, to this webhook alone, whatever it subscribes to; without `event`, of a
/// type that it does. In production only of a type about the delivery system.
#[utoipa::path(post, path = "/v1/webhooks/{id}/test", operation_id = "send_test_event",
    params(("id" = WebhookId, Path)), request_body = Option<SendTestEvent>,
    responses((status = 202, body = Event)))]
pub(super) async fn send(
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
    let known = event_type(&asked.body, &webhook)?;
    if webhook.stopped().is_some() {
        let message = "This webhook is not active, so a test event would be parked. Set its \
                       status to 'active' first.";
        return Err(Invalid::request(ErrorCode::StateConflict, message).into());
    }
    let data = RawValue::from_string(known.compact_example())
        .map_err(|error| ApiError::internal(&error))?;
    let said = Publication {
        event: known.name,
        data: &data,
        investor_id: Some(EXAMPLE_INVESTOR),
        ordering_key: None,
        idempotency_key: None,
        timestamp: None,
    };
    let settings = &webhook.settings;
    let addressee = Addressee { tenant: settings.tenant, livemode: settings.livemode };
    let context = &api.context;
    let event = publish::check(said, addressee, context.clock.now(), &*context.random)?;
    // All examples are about the same objects; they need not wait for each other.
    let event = NewEvent { ordering_key: None, audience: Audience::Only(settings.id), ..event };
    let stored = event.body.clone();
    events::accept(&api, vec![event], stored, &asked).await
}

/// The type to send. In production only one about the delivery system: an example of another
/// would look to its receiver as if money had moved.
fn event_type(body: &[u8], webhook: &Webhook) -> Result<&'static EventType, Invalid> {
    let mut fields = object(body)?;
    let name: Option<String> = fields.optional("event", "the name of an event type")?;
    fields.finish(&["event"])?;
    let live = webhook.settings.livemode;
    let fit = |known: &EventType| !live || known.category == "system";
    let Some(name) = name else {
        let wanted = CATALOGUE.iter().find(|known| fit(known) && webhook.wants(known.name));
        return wanted
            .or_else(|| CATALOGUE.iter().find(|known| fit(known)))
            .ok_or_else(|| Invalid::missing("event"));
    };
    let known = catalogue::find(&name).ok_or_else(|| Invalid::unknown_event(&name))?;
    if fit(known) {
        return Ok(known);
    }
    let message = format!(
        "In production a webhook is tested with 'webhook.enabled' or another event about the \
         delivery system: an example of '{name}' would look real to its receiver."
    );
    Err(Invalid::field(ErrorCode::Validation, "event", message))
}
