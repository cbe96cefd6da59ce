//! What is checked of every request's head, before anybody looks at what it asks for.

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::{HeaderMap, Uri, Version};
use bluum_hooks_shared::error::ErrorCode;

use super::body::Deadline;
use super::{Api, query};
use crate::invalid::Invalid;

/// The bytes of a header beside its name and value: `: ` and the end of the line.
const AROUND_A_HEADER: usize = 4;

/// Whether a request's head is sound. Starts the clock for the body.
pub(super) fn check(api: &Api, request: &mut Request) -> Result<(), Invalid> {
    let limits = &api.limits;
    target(request.uri(), limits.target_bytes)?;
    headers(request.headers(), limits.header_bytes)?;
    host(request.headers(), request.version())?;
    query::check(request.uri(), limits)?;
    let deadline = Deadline::after(limits.body_timeout, &api.context.clock);
    request.extensions_mut().insert(deadline);
    Ok(())
}

fn target(uri: &Uri, limit: usize) -> Result<(), Invalid> {
    let length = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    if length <= limit {
        return Ok(());
    }
    let message = format!("Path and query may have {limit} bytes, these have {length}.");
    Err(Invalid::request(ErrorCode::TargetTooLong, message))
}

fn headers(headers: &HeaderMap, limit: usize) -> Result<(), Invalid> {
    let lines = headers.iter();
    let size = lines.map(|(name, value)| name.as_str().len() + value.len() + AROUND_A_HEADER);
    let size: usize = size.sum();
    if size <= limit {
        return Ok(());
    }
    let message = format!("Headers may have {limit} bytes in all, these have {size}.");
    Err(Invalid::request(ErrorCode::HeadersTooLarge, message))
}

/// Whoever stands between client and daemon must not be able to read another host than we.
fn host(headers: &HeaderMap, version: Version) -> Result<(), Invalid> {
    let message = match headers.get_all(HOST).iter().count() {
        0 if version >= Version::HTTP_11 => "HTTP/1.1 asks for a Host header; send one.",
        0 | 1 => return Ok(()),
        _ => "There is more than one Host header; send one.",
    };
    Err(Invalid::field(ErrorCode::Validation, "host", message))
}
