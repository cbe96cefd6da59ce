//! What the bodies of requests about listeners look like.

use bluum_hooks_shared::schema;
use serde_json::{Value, json};

use super::{object, patterns, tenant};
use crate::api::listeners::MAX_NAME;
use crate::api::listeners::results::MAX_RESULTS;
use crate::api::settings::{MAX_PATTERNS, MAX_TIMEOUT_SECONDS};

named! {
    /// The name of a listener.
    ListenerName: json!({
        "type": "string",
        "pattern": "^[A-Za-z0-9_@-][A-Za-z0-9._@-]*$",
        "minLength": 1,
        "maxLength": MAX_NAME,
        "examples": ["ana@laptop"],
    });

    /// Of `PUT /v1/listeners/{name}`.
    NewListener: object(&[], json!({
        "events": {
            "type": ["array", "null"],
            "maxItems": MAX_PATTERNS,
            "items": {"anyOf": [
                {"enum": patterns()},
                {"enum": patterns().iter().map(|name| format!("!{name}")).collect::<Vec<_>>()},
            ]},
            "description": "Names, `order.*`, `*`; with `!` in front, what to leave out, if \
                            something is left. Everything unless said otherwise.",
        },
        "retry": {
            "type": ["boolean", "null"],
            "description": "Whether what fails is tried again, as for any webhook.",
        },
        "timeout_seconds": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": MAX_TIMEOUT_SECONDS,
        },
        "tenant": tenant(),
    }));

    /// Of `POST /v1/listeners/{name}/results`.
    Results: json!({
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_RESULTS,
        "items": {"oneOf": [
            result(&["status"], json!({
                "outcome": {"const": "response"},
                "status": {"type": "integer", "minimum": 100, "maximum": 999},
                "body_b64": {
                    "type": ["string", "null"],
                    "pattern": "^([A-Za-z0-9+/]{4})*$",
                    "description": "The beginning of the answer's body; 1 KiB is kept.",
                },
            })),
            result(&[], json!({
                "outcome": {"enum": ["connect_error", "tls_error", "reset"]},
                "error": {"type": ["string", "null"]},
            })),
            result(&[], json!({
                "outcome": {"enum": ["timeout", "cancelled", "filtered", "working"]},
            })),
        ]},
    });

    /// Of `POST /v1/listeners/{name}/seek`.
    Seek: object(&["to"], json!({
        "to": {"oneOf": [
            {"enum": ["now", "last"]},
            {"type": "integer", "minimum": 0, "maximum": i64::MAX},
            {"type": "string", "format": "date-time"},
        ]},
    }));
}

/// One result, with what all have.
fn result(more_required: &[&str], more: Value) -> Value {
    let required = [&["delivery", "attempt", "outcome"], more_required].concat();
    let mut properties = json!({
        "delivery": {"$ref": "#/components/schemas/DeliveryId"},
        "attempt": {"type": "integer", "minimum": 1, "maximum": u32::MAX},
    });
    for (name, schema) in more.as_object().into_iter().flatten() {
        properties[name] = schema.clone();
    }
    json!({"type": "object", "required": required, "properties": properties})
}
