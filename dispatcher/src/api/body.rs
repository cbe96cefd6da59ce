//! Reading a request's body: JSON as it is, under a cap, before a deadline.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, EXPECT, ORIGIN};
use axum::http::{HeaderMap, HeaderValue};
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::time::Timestamp;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;

use crate::clock::Clock;
use crate::invalid::Invalid;

/// For settings and the like.
pub(super) const SMALL: usize = 64 * 1024;

/// How much of a body that is too large is read and thrown away, so that the connection can be used
/// again: a client keeps it, and would send its next request into the end of it.
const DISCARDED: usize = 1024 * 1024;

/// When the body must have arrived; on every request.
#[derive(Debug, Clone)]
pub(super) struct Deadline {
    at: Timestamp,
    allowed: Duration,
    clock: Arc<dyn Clock>,
}

impl Deadline {
    pub(super) fn after(allowed: Duration, clock: &Arc<dyn Clock>) -> Self {
        Self { at: clock.now().plus(allowed), allowed, clock: Arc::clone(clock) }
    }

    async fn passed(&self) -> Invalid {
        self.clock.sleep_until(self.at).await;
        let seconds = self.allowed.as_secs();
        let message = format!("The body did not arrive within {seconds} s; send it again.");
        Invalid::request(ErrorCode::RequestTimeout, message)
    }
}

/// The whole body, if it is JSON by its headers, has at most `limit` bytes and arrives in time.
pub(super) async fn read(request: Request<Body>, limit: usize) -> Result<Bytes, Invalid> {
    let (head, body) = request.into_parts();
    must_be_plain(&head.headers)?;
    must_be_json(&head.headers)?;
    let is_awaiting_leave = head.headers.contains_key(EXPECT);
    if is_awaiting_leave && body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let Some(deadline) = head.extensions.get::<Deadline>() else {
        return collect(body, limit).await;
    };
    tokio::select! {
        biased;
        body = collect(body, limit) => body,
        late = deadline.passed() => Err(late),
    }
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Invalid> {
    match Limited::new(&mut body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            discard(body).await;
            Err(too_large(limit))
        }
        Err(_) => Err(Invalid::request(ErrorCode::Validation, "The body did not arrive whole.")),
    }
}

async fn discard(mut body: Body) {
    let mut left = DISCARDED;
    while left > 0
        && let Some(Ok(frame)) = body.frame().await
    {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
    }
}

fn too_large(limit: usize) -> Invalid {
    let message = format!("The body may have {limit} bytes, this has more.");
    Invalid::request(ErrorCode::BodyTooLarge, message)
}

/// Nothing is unpacked here: a small body could become a huge one.
fn must_be_plain(headers: &HeaderMap) -> Result<(), Invalid> {
    let plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().all(plain) {
        return Ok(());
    }
    let message = "Send the body as it is, without Content-Encoding.";
    Err(Invalid::field(ErrorCode::UnsupportedBody, CONTENT_ENCODING.as_str(), message))
}

/// A type that is not said is taken for JSON, and so is the one that curl and others say of a body
/// when nobody tells them; one that somebody said must be JSON.
fn must_be_json(headers: &HeaderMap) -> Result<(), Invalid> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let message = match (types.next(), types.next()) {
        (None, _) => return Ok(()),
        (Some(_), Some(_)) => "There is more than one Content-Type header; send one.",
        (Some(one), None) => match one.to_str().map(media_type) {
            Ok((essence, _)) if essence == FORM && !headers.contains_key(ORIGIN) => return Ok(()),
            Ok((essence, _)) if !is_json(&essence) => NOT_JSON,
            Ok((_, false)) => "JSON is in UTF-8; send it so, and no other charset.",
            Ok((_, true)) => return Ok(()),
            Err(_) => NOT_JSON,
        },
    };
    Err(Invalid::field(ErrorCode::UnsupportedBody, CONTENT_TYPE.as_str(), message))
}

/// A browser says it of forms on foreign pages too, which may not do anything here; it adds an
/// `Origin`.
const FORM: &str = "application/x-www-form-urlencoded";
const NOT_JSON: &str = "Send JSON, and say so: 'Content-Type: application/json'.";

/// A media type without its parameters, and whether its charset is UTF-8, said or unsaid.
fn media_type(text: &str) -> (String, bool) {
    let mut parts = text.split(';').map(|part| part.trim().to_ascii_lowercase());
    let essence = parts.next().unwrap_or_default();
    let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some(("charset", charset)) => matches!(charset.trim_matches('"'), "utf-8" | "utf8"),
        _ => true,
    });
    (essence, is_utf8)
}

fn is_json(essence: &str) -> bool {
    let subtype = essence.strip_prefix("application/");
    subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|&value| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_json_in_utf_8_passes_for_json() {
        for fine in [
            &[][..],
            &["application/json"],
            &["Application/JSON; charset=UTF-8"],
            &["application/json;charset=\"utf-8\";profile=x"],
            &["application/cloudevents+json"],
            &[FORM],
        ] {
            assert_eq!(must_be_json(&with("content-type", fine)), Ok(()), "{fine:?}");
        }
        for wrong in [
            &[""][..],
            &["text/plain"],
            &["application/jsonp"],
            &["text/json+json"],
            &["application/json; charset=latin1"],
            &["application/json; charset=utf-8; charset=utf-16"],
            &["application/json, text/plain"],
            &["application/json", "application/json"],
        ] {
            let refused = must_be_json(&with("content-type", wrong)).unwrap_err();
            assert_eq!(refused.code, ErrorCode::UnsupportedBody, "{wrong:?}");
        }
        let mut of_a_browser = with("content-type", &[FORM]);
        of_a_browser.insert(ORIGIN, HeaderValue::from_static("https://elsewhere.example"));
        assert!(must_be_json(&of_a_browser).is_err());
    }

    #[test]
    fn nothing_packed_passes_for_plain() {
        for fine in [&[][..], &["identity"], &["Identity", "identity"]] {
            assert_eq!(must_be_plain(&with("content-encoding", fine)), Ok(()), "{fine:?}");
        }
        for wrong in [&["gzip"][..], &["identity, gzip"], &["identity", "gzip"], &["br"]] {
            assert!(must_be_plain(&with("content-encoding", wrong)).is_err(), "{wrong:?}");
        }
    }
}
