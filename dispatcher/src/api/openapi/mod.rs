//! The API's description of itself, `GET /v1/openapi.json`: OpenAPI 3.1, made from the routes.
//!
//! An operation is described at its handler, by what is special about it: its path, its body, its
//! answer when all goes well. What operations have in common is added here: who may ask, errors,
//! headers, examples.
//!
//! A new route needs: `#[utoipa::path]` at its handler and its place in `api::router`; for what it
//! answers a type in `shared::api`, for what it takes a schema in `requests`; an example of both in
//! `examples`; a line in `tests/tests/openapi.rs`.

mod common;
mod examples;
pub(super) mod requests;

use axum::Extension;
use axum::http::StatusCode;
use bluum_hooks_shared::error::ErrorBody;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;

use self::common::Of;
use self::requests::{EventName, ListenerName};
use super::answer::{self, Answer};

/// What the parts of the API are about, by what their paths begin with.
const TAGS: &[(&str, &str, &str)] = &[
    ("/v1/events", "events", "Publishing, and reading back what was published."),
    ("/v1/webhooks", "webhooks", "Where events are delivered to."),
    ("/v1/deliveries", "deliveries", "What became of an event at a webhook."),
    ("/v1/listeners", "listeners", "Webhooks that a developer's terminal takes."),
    ("/v1/replays", "deliveries", "What became of an event at a webhook."),
    ("/v1/tenants", "tenants", "Partners. For operators."),
    ("/v1/keys", "keys", "API keys. For operators."),
    ("/", "daemon", "The daemon itself. No key needed."),
];

/// The description as it is served.
#[derive(Debug, Clone)]
pub(super) struct Document(Bytes);

/// Describe the API
///
/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", operation_id = "describe_api",
    responses((status = 200, body = Object)))]
pub(super) async fn show(Extension(Document(json)): Extension<Document>) -> Answer {
    Ok(answer::raw(StatusCode::OK, json))
}

impl Document {
    /// Describes the routes that need a key, and those that need none.
    pub(super) fn new(keyed: OpenApi, open: OpenApi) -> Self {
        let (mut paths, mut schemas) = (Map::new(), Map::new());
        for (routes, keyed) in [(keyed, true), (open, false)] {
            let mut routes = serde_json::to_value(routes).unwrap_or_default();
            for (path, methods) in entries(routes.get_mut("paths")) {
                for (method, operation) in entries(Some(methods)) {
                    describe(operation, method, path, keyed);
                }
            }
            paths.extend(taken(routes.get_mut("paths")));
            schemas.extend(taken(routes.pointer_mut("/components/schemas")));
        }
        add::<ErrorBody>(&mut schemas);
        add::<EventName>(&mut schemas);
        add::<ListenerName>(&mut schemas);
        add::<ListenerName>(&mut schemas);
        for (name, schema) in &mut schemas {
            sharpen(name, schema);
        }
        let mut tags: Vec<_> = TAGS
            .iter()
            .map(|(_, name, description)| json!({"name": name, "description": description}))
            .collect();
        tags.dedup();
        let document = json!({
            "openapi": "3.1.0",
            "info": info(),
            "servers": [{"url": "/", "description": "The daemon that serves this document."}],
            "tags": tags,
            "paths": paths,
            "components": {
                "schemas": schemas,
                "responses": common::errors(),
                "headers": common::header_definitions(),
                "securitySchemes": {"key": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "An API key: its id as user name, its secret as password.",
                }},
            },
        });
        Self(serde_json::to_vec(&document).unwrap_or_default().into())
    }
}

fn info() -> Value {
    json!({
        "title": "Bluum Hooks",
        "summary": "Delivers the events of a brokerage API to the partners who build on it.",
        "description": "Errors have a `code` for programs and a `message` for people; unknown \
                        fields and parameters are errors too. A method that a path does not take \
                        is answered with 405 and `Allow`, an unknown path with 404.",
        "version": env!("CARGO_PKG_VERSION"),
        "license": {
            "name": env!("CARGO_PKG_LICENSE"),
            "identifier": env!("CARGO_PKG_LICENSE"),
        },
    })
}

/// Adds what all operations have in common, and what only differs with method and path.
fn describe(operation: &mut Value, method: &str, path: &str, keyed: bool) {
    let tag = TAGS.iter().find(|(prefix, ..)| path.starts_with(prefix));
    operation["tags"] = tag.map(|(_, name, _)| *name).into_iter().collect();
    operation["security"] = if keyed { json!([{"key": []}]) } else { json!([]) };
    // What a listener says may be said twice, and needs no key for that.
    let repeatable = method == "post" && !path.starts_with("/v1/listeners");
    let mut parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    for parameter in &mut parameters {
        if let Some(description) = parameter["name"].as_str().and_then(common::parameter) {
            parameter["description"] = description.into();
        }
        not_null(&mut parameter["schema"]);
    }
    parameters.extend(repeatable.then(common::idempotency_key));
    operation["parameters"] = parameters.into();
    for (_, content) in entries(operation.pointer_mut("/requestBody/content")) {
        not_null(&mut content["schema"]);
        illustrate(content, path, "");
    }
    for (status, response) in entries(operation.get_mut("responses")) {
        let number: u16 = status.parse().unwrap_or_default();
        if number >= 400 && response["content"].is_null() {
            *response = common::error(number);
            continue;
        }
        response["description"] = common::reason(number).into();
        response["headers"] = common::headers(status, keyed).into();
        if repeatable {
            response["headers"]["Idempotency-Replayed"] =
                json!({"$ref": "#/components/headers/Idempotency-Replayed"});
        }
        for (_, content) in entries(response.get_mut("content")) {
            illustrate(content, path, status);
        }
    }
    let kinds = [
        (Of::Every, true),
        (Of::Keyed, keyed),
        (Of::Body, operation["requestBody"].is_object()),
        (Of::Post, repeatable),
    ];
    for (kind, _) in kinds.into_iter().filter(|(_, applies)| *applies) {
        for status in common::statuses(kind) {
            operation["responses"][status.to_string()] = common::error(status);
        }
    }
}

/// Gives a body its example.
fn illustrate(content: &mut Value, path: &str, status: &str) {
    let name = content["schema"]["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    let example = name.and_then(|name| examples::of(name, path, status));
    if let Some(example) = example {
        content["example"] = example;
    }
}

/// Takes back that a parameter or a body may be `null`: one that is optional is left out instead.
fn not_null(schema: &mut Value) {
    let choices = schema["oneOf"].as_array().cloned().unwrap_or_default();
    if let Some(choice) = choices.into_iter().find(|choice| choice["type"] != "null") {
        *schema = choice;
    } else if let Some(kinds) = schema["type"].as_array().cloned() {
        schema["type"] = kinds.into_iter().find(|kind| kind != "null").into();
    }
}

/// Says what the types of answers cannot say of themselves: what `object` is, what a list is of,
/// and that a field that can be `null` is always there.
fn sharpen(name: &str, schema: &mut Value) {
    if schema["additionalProperties"] == false {
        return;
    }
    if let Some(item) = name.strip_prefix("List_") {
        schema["properties"]["data"]["items"] =
            json!({"$ref": format!("#/components/schemas/{item}")});
    }
    let example = examples::of(name, "", "").unwrap_or_default();
    let object = example.get("object").cloned().unwrap_or_default();
    let mut required = schema["required"].as_array().cloned().unwrap_or_default();
    for (field, property) in entries(schema.get_mut("properties")) {
        if field == "object" && name != "Deleted" && !object.is_null() {
            property["const"] = object.clone();
        }
        let among = |choices: &Value, null: Value| {
            choices.as_array().is_some_and(|choices| choices.contains(&null))
        };
        let can_be_null = among(&property["type"], json!("null"))
            || among(&property["oneOf"], json!({"type": "null"}));
        let field = Value::from(field.clone());
        if can_be_null && !required.contains(&field) {
            required.push(field);
        }
    }
    if !required.is_empty() {
        schema["required"] = required.into();
    }
}

/// Adds the schema of a type, and of those that it is made of.
fn add<T: ToSchema>(schemas: &mut Map<String, Value>) {
    let mut all = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut all);
    for (name, schema) in all {
        schemas.insert(name, serde_json::to_value(schema).unwrap_or_default());
    }
}

fn entries(object: Option<&mut Value>) -> impl Iterator<Item = (&String, &mut Value)> {
    object.and_then(Value::as_object_mut).into_iter().flatten()
}

fn taken(object: Option<&mut Value>) -> Map<String, Value> {
    match object.map(Value::take) {
        Some(Value::Object(entries)) => entries,
        _ => Map::new(),
    }
}
