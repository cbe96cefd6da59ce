//! What the bodies of requests look like.
//!
//! Handlers read a body field by field, so that every error can name its field, and the words of
//! JSON Schema are closer to that than a type would be. That handlers take what is said here, and
//! refuse what is not, is what `tests/schemathesis` tries out.

use bluum_hooks_shared::api::MAX_BATCH;
use bluum_hooks_shared::catalogue::WILDCARDS;
use bluum_hooks_shared::header::MAX_ID_BYTES;
use bluum_hooks_shared::id::TenantId;
use bluum_hooks_shared::openapi::event_names;
use bluum_hooks_shared::schema;
use serde_json::{Value, json};

use crate::api::secrets::MAX_OVERLAP_SECONDS;
use crate::api::settings::{
    MAX_ENTRIES, MAX_IN_FLIGHT, MAX_PATTERNS, MAX_TEXT, MAX_TIMEOUT_SECONDS, RESERVED,
};
use crate::api::tenants::MAX_NAME;
use crate::policy::retry::{MAX_DELAY, MAX_RETRIES};
use crate::policy::state::ParkReason;
use crate::publish::MAX_KEY_LENGTH;
use crate::transport::guard::MAX_URL_BYTES;

/// Texts such as `90s`, `5m`, `2h` and `7d`, up to seven days.
const WAIT: &str = concat!(
    "^0*([1-7]d|([1-9][0-9]?|1[0-5][0-9]|16[0-8])h|([1-9][0-9]{0,3}|100[0-7][0-9]|10080)m",
    "|([1-9][0-9]{0,4}|[1-5][0-9]{5}|60[0-3][0-9]{3}|604[0-7][0-9]{2}|604800)s)$",
);

/// Names a schema.
macro_rules! named {
    ($($(#[$doc:meta])* $name:ident: $schema:expr;)*) => {$(
        $(#[$doc])*
        pub(in crate::api) struct $name;
        schema!($name, $schema);
    )*};
}

mod listeners;

pub(in crate::api) use self::listeners::{ListenerName, NewListener, Results, Seek};

named! {
    /// The name of an event type.
    EventName: json!({"type": "string", "enum": event_names(), "examples": ["order.filled"]});

    /// Of `POST /v1/events`.
    PublishEvent: object(&["event", "data"], json!({
        "event": {"$ref": "#/components/schemas/EventName"},
        "data": {
            "type": "object",
            "description": "The resource at this moment, kept byte for byte. Events with the \
                            same `data.id` wait for each other, unless `ordering_key` is given.",
            "properties": {"id": {"minLength": 1, "maxLength": MAX_KEY_LENGTH}},
        },
        "tenant": tenant(),
        "investor_id": investor(json!(["string", "null"])),
        "ordering_key": {
            "type": ["string", "null"],
            "minLength": 1,
            "maxLength": MAX_KEY_LENGTH,
            "description": "Events with the same key reach a webhook one after the other.",
        },
        "timestamp": time("When it happened; the moment of acceptance if absent."),
    }));

    /// Of `POST /v1/events/batch`.
    PublishEvents: {
        let events = json!({
            "type": "array",
            "items": {"$ref": "#/components/schemas/PublishEvent"},
            "minItems": 1,
            "maxItems": MAX_BATCH,
        });
        json!({"oneOf": [object(&["events"], json!({"events": events})), events]})
    };

    /// Of `POST /v1/webhooks`.
    NewWebhook: {
        let mut settings = settings();
        settings["url"]["type"] = json!("string");
        settings["eventTypeNames"]["type"] = json!("array");
        settings["event_type_names"]["type"] = json!("array");
        settings["tenant"] = tenant();
        let mut webhook = object(&["url"], settings);
        webhook["oneOf"] =
            json!([{"required": ["eventTypeNames"]}, {"required": ["event_type_names"]}]);
        webhook
    };

    /// Of `PATCH /v1/webhooks/{id}`.
    WebhookChanges: {
        let mut changes = object(&[], settings());
        changes["not"] = json!({"required": ["eventTypeNames", "event_type_names"]});
        changes
    };

    /// Of `POST /v1/webhooks/{id}/secrets`.
    RotateSecret: object(&[], json!({
        "overlap_seconds": {
            "type": ["integer", "null"],
            "minimum": 0,
            "maximum": MAX_OVERLAP_SECONDS,
            "description": "How long the old secret goes on signing beside the new one: a day \
                            unless said otherwise.",
        },
    }));

    /// Of `POST /v1/deliveries/{id}/replay`.
    Nothing: object(&[], json!({}));

    /// Of `POST /v1/webhooks/{id}/replay`.
    NewReplay: {
        let filters = |status: Value, reasons: &[Value]| object(&[], json!({
            "status": {"enum": status, "description": "Those parked, unless said otherwise."},
            "reason": {"enum": reasons, "description": "Those parked for this."},
            "event": {
                "oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/EventName"}],
                "description": "Those of this event type.",
            },
            "since": time("Those accepted from then on."),
            "until": time("Those accepted before then."),
            "dry_run": {
                "type": ["boolean", "null"],
                "description": "Only to count them; nothing is replayed.",
            },
        }));
        let reasons = ParkReason::ALL.map(|reason| Value::from(reason.as_str()));
        let reasons: Vec<_> = reasons.into_iter().chain([Value::Null]).collect();
        json!({"anyOf": [
            filters(json!(["parked", null]), &reasons),
            filters(json!(["delivered"]), &[Value::Null]),
        ]})
    };

    /// Of `POST /v1/webhooks/{id}/test`.
    SendTestEvent: object(&[], json!({
        "event": {
            "oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/EventName"}],
            "description": "Of which type; one that the webhook subscribes to, if absent.",
        },
    }));

    /// Of `POST /v1/tenants`.
    NewTenant: object(&["name"], json!({
        "name": {
            "type": "string",
            "maxLength": MAX_NAME,
            "pattern": r"\S",
            "description": "A name for people.",
        },
        "metadata": {
            "type": ["object", "null"],
            "additionalProperties": {"type": "string"},
            "description": "Your own notes.",
        },
    }));

    /// Of `POST /v1/keys`.
    NewKey: {
        let key = |role: &str, required: &[&str], tenant: Value, investor_id: Value| {
            object(required, json!({
                "role": {"const": role},
                "tenant": tenant,
                "investor_id": investor_id,
                "livemode": {
                    "type": ["boolean", "null"],
                    "description": "Production or sandbox; your own key's if absent.",
                },
                "name": {"type": ["string", "null"], "description": "A name for people."},
            }))
        };
        let none = || json!({"type": "null"});
        json!({"oneOf": [
            key("operator", &["role"], none(), none()),
            key("tenant", &["role"], tenant(), none()),
            key("investor", &["role", "investor_id"], tenant(), investor(json!("string"))),
        ]})
    };
}

/// An object with these fields and no others.
fn object(required: &[&str], properties: Value) -> Value {
    json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

fn tenant() -> Value {
    json!({
        "oneOf": [
            {"type": "null"},
            {"$ref": format!("#/components/schemas/{}", <TenantId as utoipa::ToSchema>::name())},
        ],
        "description": "Whose it is. A tenant's key implies it; with an operator's it may be \
                        absent only while there is one tenant.",
    })
}

fn time(description: &str) -> Value {
    json!({"type": ["string", "null"], "format": "date-time", "description": description})
}

fn investor(kind: Value) -> Value {
    json!({
        "type": kind,
        "pattern": "^[a-z]+_[0-9A-Za-z]+$",
        "maxLength": MAX_ID_BYTES,
        "description": "The investor concerned.",
    })
}

/// What can be subscribed to.
fn patterns() -> Vec<&'static str> {
    event_names().into_iter().chain(WILDCARDS.iter().copied()).collect()
}

fn subscriptions(description: &str) -> Value {
    json!({
        "type": ["array", "null"],
        "items": {"enum": patterns()},
        "minItems": 1,
        "maxItems": MAX_PATTERNS,
        "description": description,
    })
}

/// The names of headers that we set ourselves, in any mixture of cases.
fn our_headers() -> String {
    let in_any_case = |name: &str| -> String {
        let either = |letter: char| match letter.is_ascii_lowercase() {
            true => format!("[{}{letter}]", letter.to_ascii_uppercase()),
            false => letter.to_string(),
        };
        name.chars().map(either).collect()
    };
    let reserved: Vec<_> = RESERVED.iter().map(|name| in_any_case(name)).collect();
    format!("^({}|{}.*)$", reserved.join("|"), in_any_case("webhook-"))
}

/// An object of texts whose names and values look so.
fn entries(description: &str, name: Value, value: Value) -> Value {
    json!({
        "type": ["object", "null"],
        "maxProperties": MAX_ENTRIES,
        "propertyNames": name,
        "additionalProperties": value,
        "description": description,
    })
}

/// The settings of a webhook. `null` resets to the default, or changes nothing where there is none.
fn settings() -> Value {
    let text = |description: &str| {
        json!({
            "type": ["string", "null"],
            "maxLength": MAX_TEXT,
            "description": description,
        })
    };
    let number = |maximum: u32, description: &str| {
        json!({
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": maximum,
            "description": description,
        })
    };
    let bounded = json!({"type": "string", "maxLength": MAX_TEXT});
    json!({
        "url": {
            "type": ["string", "null"],
            "format": "uri",
            "maxLength": MAX_URL_BYTES,
            "pattern": "^https?://[^@#]+$",
            "description": "Where deliveries go: `https`, or `http` in the sandbox; a public \
                            address.",
        },
        "eventTypeNames": subscriptions("What to subscribe to: names, `order.*`, `*`."),
        "event_type_names": subscriptions("The same, as answers spell it."),
        "name": text("A name for people."),
        "description": text("More words for people."),
        "status": {
            "enum": ["active", "inactive", "ACTIVE", "INACTIVE", null],
            "description": "Whether it takes deliveries; `inactive`: they are parked.",
        },
        "metadata": entries("Your own notes.", bounded.clone(), bounded),
        "ed25519": {
            "type": ["boolean", "null"],
            "description": "Whether deliveries are signed with a key pair (`v1a`) too.",
        },
        "ordering": {
            "enum": ["object", "none", null],
            "description": "Whether events about the same object wait for each other.",
        },
        "timeout_seconds": number(MAX_TIMEOUT_SECONDS, "How long one attempt may take, in all."),
        "retry_schedule": {
            "type": ["array", "null"],
            "maxItems": MAX_RETRIES,
            "items": {"oneOf": [
                {"type": "integer", "minimum": 1, "maximum": MAX_DELAY.as_secs()},
                {"type": "string", "pattern": WAIT},
            ]},
            "description": "The waits between attempts: seconds, or texts such as `5m`.",
        },
        "max_in_flight": number(MAX_IN_FLIGHT, "Most requests at the same time."),
        "headers": entries(
            "Headers added to each delivery; not those that we set ourselves.",
            json!({
                "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
                "maxLength": MAX_TEXT,
                "not": {"pattern": our_headers()},
            }),
            json!({
                "type": "string",
                "pattern": r"^[^\x00-\x08\x0a-\x1f\x7f]*$",
                "maxLength": MAX_TEXT,
            }),
        ),
    })
}
