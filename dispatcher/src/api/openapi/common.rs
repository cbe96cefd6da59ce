//! What operations have in common: errors, headers, parameters.

use axum::http::StatusCode;
use bluum_hooks_shared::error::{ErrorBody, ErrorCode};
use bluum_hooks_shared::id::RequestId;
use serde_json::{Map, Value, json};
use utoipa::PartialSchema;

use crate::publish::MAX_KEY_LENGTH;

/// Which operations can answer with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// All.
    Every,
    /// Those that need a key.
    Keyed,
    /// Those that take a body.
    Body,
    /// Those that make something.
    Post,
}

/// An error: its code, the parameter it names, if any, and what it says.
type Example = (ErrorCode, &'static str, &'static str);

/// The errors that a request to one of the operations can meet. What is special to an operation
/// stands at its handler as a status alone, such as `(status = 409)`.
const ERRORS: &[(Of, &[Example])] = &[
    (
        Of::Every,
        &[
            (ErrorCode::TargetTooLong, "", "The path and query may have 8192 bytes."),
            (ErrorCode::HeadersTooLarge, "", "The headers may have 16384 bytes in all."),
            (ErrorCode::Internal, "", "Something went wrong on our side. Try again."),
            (ErrorCode::Unavailable, "", "All connections are in use; try again."),
        ],
    ),
    (
        Of::Keyed,
        &[
            (ErrorCode::Validation, "limit", "'limit' must be a whole number from 1 to 200."),
            (ErrorCode::MissingField, "url", "Required field 'url' is missing."),
            (ErrorCode::InvalidFormat, "id", "'id' is not such an id: it should begin 'wh_'."),
            (ErrorCode::InvalidEnum, "event", "There is no event type 'order.fileld'."),
            (ErrorCode::MissingAuth, "", "Send 'Authorization: Basic <base64 of KEY:SECRET>'."),
            (ErrorCode::MalformedAuth, "", "The Authorization header is not 'Basic …'."),
            (ErrorCode::InvalidKey, "", "No such API key, or another secret."),
            (ErrorCode::KeyInactive, "", "This API key was revoked."),
            (ErrorCode::Forbidden, "", "This key may not do that; use a tenant's key."),
            (ErrorCode::NotFound, "id", "No such object, or it is not yours."),
            (ErrorCode::TooManyRequests, "", "This key may make 10 requests a second."),
        ],
    ),
    (
        Of::Body,
        &[
            (ErrorCode::RequestTimeout, "", "The body did not arrive within 30 s."),
            (ErrorCode::BodyTooLarge, "", "The body may have 65536 bytes, this has more."),
            (ErrorCode::UnsupportedBody, "", "Send the body as it is, without Content-Encoding."),
        ],
    ),
    (
        Of::Post,
        &[
            (ErrorCode::KeyConflict, "idempotency-key", "This key was used for another request."),
            (ErrorCode::StateConflict, "", "5 secrets sign for this webhook already."),
        ],
    ),
];

/// The parameters that mean the same wherever they stand.
const PARAMETERS: &[(&str, &str)] = &[
    ("id", "Its id, as it was given."),
    ("starting_after", "Only what comes after this one, which is the last of the page before."),
    ("tenant", "Only this tenant's. A tenant's key implies it."),
    ("event", "Only of this event type."),
    ("for_event", "Only those of the tenant and the mode of this event."),
    ("status", "Only what stands so."),
    ("since", "Only from this time on."),
    ("until", "Only before this time."),
    ("name", "The listener's name."),
    ("window", "How many deliveries may be unanswered, 1 to 256; 32 unless said otherwise."),
    ("instance", "What the process calls itself: a stream of its own takes the place of its last."),
    ("machine", "Where the process runs, for others to see."),
    ("pid", "Its number there, for others to see."),
    ("takeover", "Whether the streams of others end."),
    ("share", "Whether each delivery goes down one of several streams."),
    ("Last-Event-ID", "The last event that arrived, as the stream's `id` named it."),
];

/// The description of a parameter, if it is one that many operations have.
pub(super) fn parameter(name: &str) -> Option<&'static str> {
    PARAMETERS.iter().find(|(known, _)| *known == name).map(|(_, description)| *description)
}

/// The statuses of the errors that operations of this kind can answer with.
pub(super) fn statuses(of: Of) -> impl Iterator<Item = u16> {
    let errors = ERRORS.iter().filter(move |(kind, _)| *kind == of);
    errors.flat_map(|(_, examples)| examples.iter().map(|(code, ..)| code.status()))
}

/// What an operation says of an answer that is defined once for all.
pub(super) fn error(status: u16) -> Value {
    json!({"$ref": format!("#/components/responses/{}", reason(status).replace(' ', ""))})
}

/// The words that go with a status.
pub(super) fn reason(status: u16) -> &'static str {
    let status = StatusCode::from_u16(status).ok();
    status.and_then(|status| status.canonical_reason()).unwrap_or_default()
}

/// Every answer that is an error, by the name that [`error`] refers to.
pub(super) fn errors() -> Map<String, Value> {
    let mut responses = Map::new();
    for (code, param, message) in ERRORS.iter().flat_map(|(_, examples)| *examples) {
        let status = code.status();
        let param = Some((*param).to_owned()).filter(|param| !param.is_empty());
        let response = responses.entry(reason(status).replace(' ', "")).or_insert_with(|| {
            json!({
                "description": reason(status),
                "headers": headers(&status.to_string(), true),
                "content": {"application/json": {
                    "schema": {"$ref": "#/components/schemas/ErrorBody"},
                    "examples": {},
                }},
            })
        });
        response["content"]["application/json"]["examples"][code.code()] =
            json!({"value": ErrorBody::new(*code, *message, param)});
    }
    responses
}

/// The headers of an answer with this status.
pub(super) fn headers(status: &str, keyed: bool) -> Map<String, Value> {
    let counted = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"];
    let special: &[&str] = match status {
        "401" => &["WWW-Authenticate"],
        "429" | "503" => &["Retry-After"],
        _ => &[],
    };
    let counted = counted.iter().filter(|_| keyed && status != "401");
    let names = ["X-Request-Id"].iter().chain(counted).chain(special);
    let refer =
        |name: &&str| ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{name}")}));
    names.map(refer).collect()
}

/// What the headers mean that [`headers`] refers to.
pub(super) fn header_definitions() -> Value {
    let seconds = json!({"type": "integer", "minimum": 0});
    json!({
        "X-Request-Id": {
            "description": "The id of this request, to quote when asking us about it.",
            "required": true,
            "schema": RequestId::schema(),
        },
        "RateLimit-Limit": {
            "description": "How many requests this key may make in a second, if it is limited.",
            "schema": {"type": "integer", "minimum": 1},
        },
        "RateLimit-Remaining": {
            "description": "How many of them it may make now.",
            "schema": seconds,
        },
        "RateLimit-Reset": {
            "description": "After how many seconds of silence it may make all of them again.",
            "schema": seconds,
        },
        "Retry-After": {
            "description": "After how many seconds to try again.",
            "required": true,
            "schema": {"type": "integer", "minimum": 1},
        },
        "WWW-Authenticate": {
            "description": "How to say who is asking.",
            "required": true,
            "schema": {"const": "Basic realm=\"bluum-hooks\""},
        },
        "Idempotency-Replayed": {
            "description": "On an answer that was given before.",
            "schema": {"const": "true"},
        },
    })
}

/// The header that makes repeating a POST safe.
pub(super) fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same request with the same key has one effect, and the same answer \
                        for 24 hours.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_KEY_LENGTH,
            "pattern": r"^[!-~]([\t -~]*[!-~])?$",
        },
        "example": "order-4711-filled",
    })
}
