//! Headers that stand on every answer, errors included. An answer is data for one client: not to be
//! kept on the way, taken for anything else, or shown as a page.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

const ON_EVERY_ANSWER: [(HeaderName, &str); 4] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CACHE_CONTROL, "no-store"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (REFERRER_POLICY, "no-referrer"),
];

/// Adds what the answer does not say for itself.
pub(super) fn complete(response: &mut Response) {
    let busy = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
    let busy = busy.contains(&response.status());
    let headers = response.headers_mut();
    for (name, value) in ON_EVERY_ANSWER {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if busy {
        // "Not now" is seldom for long.
        headers.entry(RETRY_AFTER).or_insert(HeaderValue::from_static("1"));
    }
}
