//! The catalogue of event types.

use axum::http::Uri;
use bluum_hooks_shared::api::{EventTypeEntry, List};
use bluum_hooks_shared::catalogue::{CATALOGUE, EventType};
use bluum_hooks_shared::event;
use bluum_hooks_shared::id::EventId;
use bluum_hooks_shared::time::Timestamp;
use serde_json::value::RawValue;

use super::answer::Answer;
use super::auth::Caller;
use super::error::ApiError;
use super::list;
use super::query::{Query, Window};

/// The moment of every example: one that no reader takes for now.
pub(super) const EXAMPLE_AT: Timestamp = Timestamp::from_unix_seconds(1_781_533_815);

/// The investor of every example.
pub(super) const EXAMPLE_INVESTOR: &str = "inv_01j9x8m2k7qpzwv3t5r6y8n0ab";

/// List the types of events
///
/// Each with an example.
#[utoipa::path(get, path = "/v1/webhooks/event-types", operation_id = "list_event_types",
    params(Window), responses((status = 200, body = List<EventTypeEntry>)))]
pub(super) async fn list(caller: Caller, uri: Uri) -> Answer {
    caller.not_an_investor()?;
    let mut query = Query::new(&uri)?;
    let window = query.window()?;
    query.finish()?;
    let entries = CATALOGUE.iter().map(|known| entry(known, caller.livemode()));
    let entries: Vec<_> = entries.collect::<Result<_, _>>()?;
    Ok(list::window(&uri, entries.into_iter(), window))
}

pub(super) fn entry(known: &EventType, livemode: bool) -> Result<EventTypeEntry, ApiError> {
    let example = event::render(
        EventId::new(EXAMPLE_AT, 0),
        livemode,
        known.name,
        EXAMPLE_AT,
        EXAMPLE_AT,
        Some(EXAMPLE_INVESTOR),
        &known.compact_example(),
    );
    let example = RawValue::from_string(example).map_err(|error| ApiError::internal(&error))?;
    Ok(EventTypeEntry {
        object: "event_type".into(),
        name: known.name.into(),
        category: known.category.into(),
        description: known.description.into(),
        version: "1.0".into(),
        aliases: known.aliases.iter().map(|&alias| alias.into()).collect(),
        example,
    })
}
