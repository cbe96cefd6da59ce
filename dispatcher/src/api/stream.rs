//! Events as they are accepted, as server-sent events.
//!
//! The same list as `GET /v1/events`, read page by page and then as it grows. Nothing is kept for a
//! stream but its cursor, so one that breaks is resumed from the last id that arrived, with no
//! event left out.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::id::{EventId, KeyId, TenantId};
use bluum_hooks_shared::time::Timestamp;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::watch;

use super::answer::{self, Answer};
use super::auth::Caller;
use super::error::ApiError;
use super::openapi::requests::EventName;
use super::query::Query;
use super::{Api, Shared, events};
use crate::invalid::Invalid;
use crate::store::{Cursor, EventFilter, Page, StoredEvent};

/// Events read at once.
const PAGE: u32 = 100;
/// How long a stream is silent at most. Shorter than the time after which proxies commonly close a
/// connection on which nothing moves.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long to wait after a look that found the end. Where many events arrive, one look then finds
/// several, and a stream costs the same however many there are.
const GATHER: Duration = Duration::from_millis(20);
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Stream events
///
/// The list of events, and then each as it is accepted, as server-sent events: `id` is the event's
/// id, `event` its type, `data` the event. From the beginning, or on from `Last-Event-ID` or
/// `starting_after`.
#[utoipa::path(get, path = "/v1/events/stream", operation_id = "stream_events",
    params(("event" = Option<EventName>, Query), ("since" = Option<Timestamp>, Query),
        ("starting_after" = Option<EventId>, Query), ("tenant" = Option<TenantId>, Query),
        ("Last-Event-ID" = Option<EventId>, Header)),
    responses((status = 200, body = String, content_type = "text/event-stream",
        example = "id: evt_01kv5v1cak0000000000000007\nevent: order.filled\ndata: {…}\n\n")))]
pub(super) async fn open(State(api): Shared, caller: Caller, request: Request) -> Answer {
    let mut query = Query::new(request.uri())?;
    let (tenant, event) = (query.text("tenant"), query.event()?);
    let (since, starting_after) = (query.parsed("since")?, query.text("starting_after"));
    query.finish()?;
    let addressee = caller.acts_for(tenant.as_deref(), &api.context.store.registry())?;
    let resumed = request.headers().get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let resumed = resumed.filter(|id| !id.is_empty());
    let after = match (resumed, starting_after.as_deref()) {
        (Some(id), _) => Some((id, "Last-Event-ID")),
        (None, Some(id)) => Some((id, "starting_after")),
        (None, None) => None,
    };
    let after = match after {
        Some((id, param)) => {
            Some(events::find_of(&api, &caller, addressee, id, param).await?.position)
        }
        None => None,
    };
    let place = api.streams.place(caller.key_id(), api.limits.streams)?;
    let reader = Reader {
        _place: place,
        key: caller.key_id(),
        arrivals: api.context.arrivals.listen(),
        filter: EventFilter {
            tenant: addressee.tenant,
            livemode: addressee.livemode,
            name: None,
            since: None,
            until: None,
        },
        event,
        since,
        after,
        api,
    };
    let frames = stream::unfold(reader, |mut reader| async move {
        let frames = reader.next().await.transpose()?;
        Some((frames, reader))
    });
    Ok(sent(Body::from_stream(frames)))
}

/// The answer whose body goes on.
pub(super) fn sent(frames: Body) -> Response {
    let mut response = answer::raw(StatusCode::OK, frames);
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The streams that are open, by the key that opened them.
#[derive(Debug, Clone, Default)]
pub struct Streams(Arc<Mutex<HashMap<KeyId, usize>>>);

/// Room for one stream; given back when dropped.
pub(super) struct Place {
    key: KeyId,
    streams: Streams,
}

impl Streams {
    /// Whole after every statement, so a poisoned lock has nothing wrong in it.
    fn open(&self) -> MutexGuard<'_, HashMap<KeyId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for one more stream of this key.
    pub(super) fn place(&self, key: KeyId, at_most: usize) -> Result<Place, Invalid> {
        let mut open = self.open();
        let count = open.entry(key).or_default();
        if *count >= at_most {
            let message = format!("This key may have {at_most} streams; close one.");
            return Err(Invalid::request(ErrorCode::TooManyRequests, message));
        }
        *count += 1;
        Ok(Place { key, streams: self.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.open();
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

/// Where a stream stands.
struct Reader {
    _place: Place,
    api: Arc<Api>,
    key: KeyId,
    arrivals: watch::Receiver<()>,
    filter: EventFilter,
    /// What the caller wants of them. Looked at here and not in the store, so that what is passed
    /// over is passed over once.
    event: Option<String>,
    since: Option<Timestamp>,
    after: Option<i64>,
}

impl Reader {
    /// The next frames; `None` when the daemon stops, or the key was revoked.
    async fn next(&mut self) -> Result<Option<Bytes>, std::io::Error> {
        let context = self.api.context.clone();
        let silent_until = context.clock.now().plus(HEARTBEAT);
        while !context.shutdown.is_intake_stopped() {
            if context.clock.now() >= silent_until {
                return Ok(Some(Bytes::from_static(b":\n\n")));
            }
            // What arrives while the page is read must wake the wait after it.
            self.arrivals.mark_unchanged();
            // Not by its id: the event may be forgotten while the stream is quiet.
            let after = self.after.map(Cursor::Position);
            let page = Page { limit: PAGE, offset: 0, after };
            let found = context.store.events(&self.filter, page).await.map_err(|failure| {
                let _logged = ApiError::internal(&failure);
                std::io::Error::other("the events cannot be read")
            })?;
            // After the read: what was published since the key was revoked may be in it.
            if !self.is_let_in() {
                break;
            }
            if let Some(last) = found.last() {
                self.after = Some(last.position);
                let wanted: Vec<_> = found.iter().filter(|event| self.wants(event)).collect();
                if !wanted.is_empty() {
                    return Ok(Some(frames(&wanted)));
                }
                continue;
            }
            let gathered = context.clock.now().plus(GATHER);
            tokio::select! {
                _ = self.arrivals.changed() => context.clock.sleep_until(gathered).await,
                () = context.shutdown.intake_stopped() => {}
                () = context.clock.sleep_until(silent_until) => {}
            }
        }
        Ok(None)
    }

    /// A key that is revoked ends the streams that it opened.
    fn is_let_in(&self) -> bool {
        let registry = self.api.context.store.registry();
        registry.key(self.key).is_some_and(|key| key.revoked_at.is_none())
    }

    fn wants(&self, event: &StoredEvent) -> bool {
        self.event.as_ref().is_none_or(|name| *name == event.name)
            && self.since.is_none_or(|since| event.created_at >= since)
    }
}

/// One frame for each event. White space that ends a line in the body begins a new `data:`.
fn frames(events: &[&StoredEvent]) -> Bytes {
    let mut frames = String::new();
    for event in events {
        // Writing to a String cannot fail.
        let _ = writeln!(frames, "id: {}\nevent: {}", event.id, event.name);
        let body = String::from_utf8_lossy(&event.body);
        for line in body.split(['\r', '\n']).filter(|line| !line.is_empty()) {
            let _ = writeln!(frames, "data: {line}");
        }
        frames.push('\n');
    }
    frames.into()
}
