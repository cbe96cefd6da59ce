//! From what a publisher said to an event that can be accepted; the same for API and outbox.

use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::header::MAX_EVENT_BYTES;
use bluum_hooks_shared::id::{EventId, InvestorId, TenantId};
use bluum_hooks_shared::time::Timestamp;
use bluum_hooks_shared::{catalogue, event};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::invalid::Invalid;
use crate::random::Random;
use crate::store::{Audience, NewEvent};

/// The longest ordering key or idempotency key, in characters.
pub const MAX_KEY_LENGTH: usize = 255;

/// What a publisher said, not checked yet.
#[derive(Debug, Clone, Copy)]
pub struct Publication<'a> {
    pub event: &'a str,
    /// One JSON value.
    pub data: &'a RawValue,
    pub investor_id: Option<&'a str>,
    pub ordering_key: Option<&'a str>,
    pub idempotency_key: Option<&'a str>,
    /// RFC 3339.
    pub timestamp: Option<&'a str>,
}

/// Whom an event is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addressee {
    pub tenant: TenantId,
    pub livemode: bool,
}

/// Checks a publication and renders the body that every delivery will carry.
pub fn check(
    said: Publication<'_>,
    to: Addressee,
    now: Timestamp,
    random: &dyn Random,
) -> Result<NewEvent, Invalid> {
    let event_type =
        catalogue::find(said.event).ok_or_else(|| Invalid::unknown_event(said.event))?;
    let data = said.data.get();
    if data.len() > MAX_EVENT_BYTES {
        let message =
            format!("An event may have {MAX_EVENT_BYTES} bytes, this has {}.", data.len());
        return Err(Invalid::field(ErrorCode::BodyTooLarge, "data", message));
    }
    let object_id = object_id(data)?;
    bounded("data.id", object_id.as_deref())?;
    bounded("ordering_key", said.ordering_key)?;
    let ordering_key = said.ordering_key.map(str::to_owned).or(object_id);
    bounded("idempotency_key", said.idempotency_key)?;
    if let Some(investor) = said.investor_id {
        investor.parse::<InvestorId>().map_err(|error| {
            let message = format!("'investor_id' is not an investor's id: {error}.");
            Invalid::field(ErrorCode::InvalidFormat, "investor_id", message)
        })?;
    }
    let timestamp = said.timestamp.map_or(Ok(now), |text| {
        text.parse().map_err(|error| {
            let message = format!("'timestamp' is not a time: {error}.");
            Invalid::field(ErrorCode::InvalidFormat, "timestamp", message)
        })
    })?;
    let id = EventId::new(now, random.bits());
    let name = event_type.name;
    let body = event::render(id, to.livemode, name, timestamp, now, said.investor_id, data);
    Ok(NewEvent {
        id,
        tenant: to.tenant,
        livemode: to.livemode,
        name: name.to_owned(),
        ordering_key,
        idempotency_key: said.idempotency_key.map(str::to_owned),
        body: body.into(),
        audience: Audience::Subscribers,
        seed: random.bits(),
    })
}

/// `data.id`, by which events about the same object wait for each other.
fn object_id(data: &str) -> Result<Option<String>, Invalid> {
    #[derive(Deserialize)]
    struct Identified {
        #[serde(default)]
        id: serde_json::Value,
    }
    let not_an_object = || {
        let message = "'data' must be a JSON object: the resource as it stands.";
        Invalid::field(ErrorCode::InvalidFormat, "data", message)
    };
    if !data.starts_with('{') {
        return Err(not_an_object());
    }
    // It is an object: what can be wrong is an id that stands twice, or half of a surrogate pair.
    let object: Identified = serde_json::from_str(data).map_err(|error| {
        if error.is_data() {
            let message = "'data' has two fields 'id'; which is meant?";
            return Invalid::field(ErrorCode::Validation, "data.id", message);
        }
        let message = format!("'data' cannot be read: {error}.");
        Invalid::field(ErrorCode::InvalidFormat, "data", message)
    })?;
    Ok(object.id.as_str().map(str::to_owned))
}

fn bounded(name: &str, key: Option<&str>) -> Result<(), Invalid> {
    match key.map(|key| key.chars().count()) {
        Some(0) => Err(format!("'{name}' must not be empty.")),
        Some(length) if length > MAX_KEY_LENGTH => {
            Err(format!("'{name}' may have {MAX_KEY_LENGTH} characters, this has {length}."))
        }
        _ => Ok(()),
    }
    .map_err(|message| Invalid::field(ErrorCode::InvalidFormat, name, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_cannot_be_used_is_told_as_such() {
        let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(MAX_KEY_LENGTH + 1));
        let twice = r#"{"id":"a","id":"b"}"#;
        for (data, param) in [
            (r#"{"id":""}"#, "data.id"),
            (&*long, "data.id"),
            (twice, "data.id"),
            (r#"{"\ud800":1}"#, "data"),
            ("[]", "data"),
        ] {
            let id = object_id(data);
            let refused = id.and_then(|id| bounded("data.id", id.as_deref())).unwrap_err();
            assert_eq!(refused.param.as_deref(), Some(param), "{data}: {}", refused.message);
        }
    }
}
