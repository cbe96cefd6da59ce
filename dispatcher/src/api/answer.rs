//! Answers: JSON, one object.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;

use super::error::ApiError;

/// What a handler returns.
pub(super) type Answer = Result<Response, ApiError>;

/// An object as JSON.
pub(super) fn json(status: StatusCode, object: &impl Serialize) -> Response {
    raw(status, bytes(object))
}

/// The same, as the bytes of a body.
pub(super) fn bytes(object: &impl Serialize) -> Bytes {
    // Our own types: strings as keys, no value that JSON does not have.
    serde_json::to_vec(object).unwrap_or_default().into()
}

/// Bytes that are JSON already.
pub(super) fn raw(status: StatusCode, json: impl Into<Body>) -> Response {
    let mut response = Response::new(json.into());
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
