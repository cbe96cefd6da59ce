//! Schemas of what the wire carries, for the daemon's OpenAPI document.
//!
//! Types whose fields are what they seem derive theirs, and say `nullable = false` of a field that
//! is left out when there is nothing. The others say here what they look like, in the words of JSON
//! Schema.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, Schema, SchemaType};

use crate::catalogue::CATALOGUE;
use crate::error::ErrorCode;
use crate::event::Event;
use crate::header::MAX_ID_BYTES;
use crate::id::{
    AttemptId, DeliveryId, EventId, InvestorId, KeyId, ReplayId, RequestId, TenantId, WebhookId,
};
use crate::time::Timestamp;

/// A schema in the words of JSON Schema.
pub fn keywords(schema: Value) -> RefOr<Schema> {
    let Value::Object(keywords) = schema else { return RefOr::default() };
    let any = Object::builder().schema_type(SchemaType::AnyValue);
    RefOr::T(any.extensions(Some(keywords.into_iter().collect())).build().into())
}

/// Gives a type its schema in the words of JSON Schema.
#[macro_export]
macro_rules! schema {
    ($type:ty, $schema:expr) => {
        impl utoipa::PartialSchema for $type {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::openapi::keywords($schema)
            }
        }

        impl utoipa::ToSchema for $type {}
    };
}

macro_rules! our_ids {
    ($($id:ty),* $(,)?) => {$(
        schema!($id, json!({
            "type": "string",
            "pattern": format!("^{}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$", <$id>::PREFIX),
            "examples": [format!("{}_01j9x8m2k7qpzwv3t5r6y8n0ab", <$id>::PREFIX)],
        }));
    )*};
}

our_ids!(AttemptId, DeliveryId, EventId, KeyId, ReplayId, RequestId, TenantId, WebhookId);

schema!(
    InvestorId,
    json!({
        "type": "string",
        "pattern": "^[a-z]+_[0-9A-Za-z]+$",
        "maxLength": MAX_ID_BYTES,
        "examples": ["inv_01j9x8m2k7qpzwv3t5r6y8n0ab"],
    })
);

schema!(
    Timestamp,
    json!({"type": "string", "format": "date-time", "examples": ["2026-06-15T14:30:15.123Z"]})
);

schema!(
    Event,
    json!({
        "type": "object",
        "description": "Something that happened, as it is delivered, byte for byte.",
        "required": [
            "id", "object", "created", "livemode", "event", "timestamp", "investor_id", "data",
        ],
        "properties": {
            "id": {
                "$ref": "#/components/schemas/EventId",
                "description": "The same on every attempt: the key to deduplicate on.",
            },
            "object": {"type": "string"},
            "created": {
                "type": "integer",
                "format": "int64",
                "description": "When it was accepted, Unix seconds.",
            },
            "livemode": {"type": "boolean", "description": "Production (`true`) or sandbox."},
            "event": {"type": "string", "enum": event_names(), "description": "Its type."},
            "timestamp": {
                "$ref": "#/components/schemas/Timestamp",
                "description": "When it happened.",
            },
            "investor_id": {"type": ["string", "null"], "description": "Whom it concerns."},
            "data": {
                "type": "object",
                "description": "The resource as it stood, its amounts as decimal strings.",
            },
        },
    })
);

/// The name of every event type.
pub fn event_names() -> Vec<&'static str> {
    CATALOGUE.iter().map(|known| known.name).collect()
}

/// The schema of an error's `type`.
pub(crate) fn error_kinds() -> RefOr<Schema> {
    let kinds: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.kind()).collect();
    keywords(json!({
        "type": "string",
        "enum": kinds,
        "description": "The family of the code.",
    }))
}

/// The schema of an error's `code`.
pub(crate) fn error_codes() -> RefOr<Schema> {
    let codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.code()).collect();
    keywords(json!({
        "type": "string",
        "enum": codes,
        "description": "What is wrong, for a program to tell apart.",
    }))
}
