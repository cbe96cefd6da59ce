//! The stream that a listener's deliveries go down, as server-sent events.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bluum_hooks_shared::api::Holder;
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::id::{KeyId, TenantId};
use bluum_hooks_shared::time::Timestamp;
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;

use super::super::answer::Answer;
use super::super::auth::Caller;
use super::super::openapi::requests::ListenerName;
use super::super::path::Path;
use super::super::query::Query;
use super::super::stream::{LAST_EVENT_ID, Place, sent};
use super::super::{Api, Shared};
use super::{count, find};
use crate::invalid::Invalid;
use crate::listeners::{Beside, Bye, Frame, GRACE, Offered, Open};
use crate::store::{Backlog, Webhook};
use crate::upkeep;

/// The version of what goes down the stream.
const PROTOCOL: u32 = 1;
/// How many deliveries may be unanswered if nothing is said, and at most.
const DEFAULT_WINDOW: usize = 32;
const MAX_WINDOW: usize = 256;
/// When to come back to a daemon that stops.
const BACK_AFTER_MS: u64 = 1_000;
/// Most characters of what a process says of itself.
const MAX_TEXT: usize = 64;

/// Stream a listener's deliveries
///
/// Each is an event `delivery` with the headers and the body that a URL would get, and is to be
/// answered with a result. Nothing goes down while `window` of them are unanswered. First comes
/// `hello`, then `gap` if something was not kept; `hb` in the silence; `bye` at the end.
#[utoipa::path(get, path = "/v1/listeners/{name}/stream", operation_id = "stream_listener",
    params(("name" = ListenerName, Path), ("tenant" = Option<TenantId>, Query),
        ("window" = Option<u32>, Query), ("instance" = Option<String>, Query),
        ("machine" = Option<String>, Query), ("pid" = Option<u32>, Query),
        ("takeover" = Option<bool>, Query), ("share" = Option<bool>, Query),
        ("Last-Event-ID" = Option<i64>, Header)),
    responses((status = 200, body = String, content_type = "text/event-stream",
        example = "event: delivery\nid: 7\ndata: {…}\n\n"), (status = 409)))]
pub(in crate::api) async fn open(
    State(api): Shared,
    caller: Caller,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    let now = api.context.clock.now();
    let mut query = Query::new(request.uri())?;
    let tenant = query.text("tenant");
    let (window, beside) = (window(&mut query)?, beside(&mut query)?);
    let holder = holder(&mut query, &api, now)?;
    query.finish()?;
    let webhook = find(&api, &caller, &name, tenant.as_deref())?;
    let last = request.headers().get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let last = last.and_then(|text| text.parse().ok());
    let place = api.streams.place(caller.key_id(), api.limits.streams)?;
    let backlog = upkeep::trim(&api.context, &webhook, last).await?;
    let opened = api.context.listeners.open(webhook.number, holder, window, beside);
    let open = opened.map_err(|other| busy(&name, &other))?;
    let heartbeat = api.limits.stream_heartbeat;
    let greeting = hello(&open, window, heartbeat, &webhook, &backlog, now);
    let reader = Reader { _place: place, key: caller.key_id(), open, webhook, ended: false, api };
    let frames = stream::unfold((Some(greeting), reader), |(greeting, mut reader)| async move {
        let frames = match greeting {
            Some(greeting) => greeting.into(),
            None => reader.next().await?,
        };
        Some((Ok::<_, std::io::Error>(frames), (None, reader)))
    });
    Ok(sent(Body::from_stream(frames)))
}

fn window(query: &mut Query) -> Result<usize, Invalid> {
    let window: usize = query.parsed("window")?.unwrap_or(DEFAULT_WINDOW);
    if (1..=MAX_WINDOW).contains(&window) {
        return Ok(window);
    }
    let message = format!("'window' is between 1 and {MAX_WINDOW}.");
    Err(Invalid::field(ErrorCode::Validation, "window", message))
}

fn beside(query: &mut Query) -> Result<Beside, Invalid> {
    let takeover: bool = query.parsed("takeover")?.unwrap_or(false);
    let share: bool = query.parsed("share")?.unwrap_or(false);
    match (takeover, share) {
        (false, false) => Ok(Beside::Nobody),
        (true, false) => Ok(Beside::Takeover),
        (false, true) => Ok(Beside::Share),
        (true, true) => {
            let message = "'takeover' and 'share' exclude each other.";
            Err(Invalid::field(ErrorCode::Validation, "share", message))
        }
    }
}

/// Who says that it listens. One that does not say who it is, is somebody new each time.
fn holder(query: &mut Query, api: &Api, now: Timestamp) -> Result<Holder, Invalid> {
    let mut text = |name: &str| match query.text(name) {
        Some(text) if text.is_empty() || text.chars().count() > MAX_TEXT => {
            let message = format!("'{name}' has 1 to {MAX_TEXT} characters.");
            Err(Invalid::field(ErrorCode::Validation, name, message))
        }
        text => Ok(text),
    };
    let instance = text("instance")?;
    let machine = text("machine")?;
    Ok(Holder {
        instance: instance.unwrap_or_else(|| format!("{:x}", api.context.random.bits())),
        machine: machine.unwrap_or_else(|| "a machine".into()),
        pid: query.parsed("pid")?.unwrap_or(0),
        since: now,
    })
}

fn busy(name: &str, other: &Holder) -> Invalid {
    let Holder { machine, pid, since, .. } = other;
    let message = format!(
        "Listener '{name}' is connected already, from {machine} (process {pid}) since {since}: \
         take it over, share it, or use another name."
    );
    Invalid::field(ErrorCode::StateConflict, "name", message)
}

/// One frame. The data is one line: our own JSON.
fn frame(event: &str, data: &serde_json::Value) -> String {
    format!("event: {event}\ndata: {data}\n\n")
}

fn hello(
    open: &Open,
    window: usize,
    heartbeat: Duration,
    webhook: &Webhook,
    backlog: &Backlog,
    now: Timestamp,
) -> String {
    let lease = webhook.settings.timeout + GRACE;
    let hello = json!({
        "protocol": PROTOCOL,
        "stream": format!("str_{}", open.number),
        "heartbeat_ms": heartbeat.as_millis(),
        "lease_ms": lease.as_millis(),
        "window": window,
        "waiting": count(backlog.owed),
        "server_time": now,
        "retention_days": upkeep::KEPT_DAYS,
        "retention_events": upkeep::KEPT,
    });
    let mut frames = frame("hello", &hello);
    if let Some(gap) = &backlog.gap {
        let (from, to, count) = (gap.from, gap.to, gap.count);
        let gap = json!({"from": from, "to": to, "count": count, "reason": "retention"});
        frames.push_str(&frame("gap", &gap));
    }
    frames
}

/// Where a stream stands.
struct Reader {
    _place: Place,
    api: Arc<Api>,
    key: KeyId,
    open: Open,
    webhook: Arc<Webhook>,
    /// Whether `bye` was said.
    ended: bool,
}

impl Reader {
    /// The next frames; `None` after the last.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let context = self.api.context.clone();
        let silent_until = context.clock.now().plus(self.api.limits.stream_heartbeat);
        tokio::select! {
            biased;
            () = context.shutdown.intake_stopped() => Some(self.bye(Bye::Shutdown)),
            first = self.open.frames.recv() => match first {
                Some(first) => Some(self.frames(first)),
                None => Some(self.bye(Bye::Takeover)),
            },
            () = context.clock.sleep_until(silent_until) => Some(self.heartbeat().await),
        }
    }

    /// Everything that is there, in its order.
    fn frames(&mut self, first: Frame) -> Bytes {
        let (mut deliveries, mut last) = (Vec::new(), None);
        let mut next = Some(first);
        while let Some(frame) = next {
            match frame {
                Frame::Delivery { offered, again } => deliveries.push((offered, again)),
                Frame::Bye(why) => last = Some(why),
            }
            next = self.open.frames.try_recv().ok();
        }
        let mut text = String::new();
        for (offered, again) in &deliveries {
            delivery(&mut text, offered, *again);
        }
        let mut bytes = text.into_bytes();
        if let Some(why) = last {
            bytes.extend_from_slice(&self.bye(why));
        }
        bytes.into()
    }

    fn bye(&mut self, why: Bye) -> Bytes {
        self.ended = true;
        frame("bye", &json!({"reason": why.as_str(), "retry_ms": BACK_AFTER_MS})).into()
    }

    async fn heartbeat(&mut self) -> Bytes {
        let registry = self.api.context.store.registry();
        if registry.key(self.key).is_none_or(|key| key.revoked_at.is_some()) {
            return self.bye(Bye::Revoked);
        }
        if registry.webhook(self.webhook.settings.id).is_none() {
            return self.bye(Bye::Deleted);
        }
        // A sign of life, if nothing else can be said.
        let found = upkeep::backlog(&self.api.context, &self.webhook, None).await;
        let waiting = found.map(|found| count(found.owed));
        frame("hb", &json!({"waiting": waiting.ok()})).into()
    }
}

/// One delivery. Written by hand: there are thousands a second, and nothing in them needs escaping
/// but the values of headers.
fn delivery(text: &mut String, offered: &Offered, again: bool) {
    let Offered { delivery, sequence, attempt, event, request } = offered;
    let headers = headers(&request.headers);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "event: delivery\nid: {sequence}\ndata: {{\"delivery\":\"{delivery}\",\
         \"attempt\":{attempt},\"event\":\"{event}\",\"redelivered\":{again},\
         \"headers\":{headers},\"body_b64\":\"",
    );
    STANDARD.encode_string(&request.body, text);
    text.push_str("\"}\n\n");
}

fn headers(headers: &HeaderMap) -> String {
    let pairs = headers
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())));
    serde_json::to_string(&pairs.collect::<Vec<_>>()).unwrap_or_else(|_| "[]".into())
}
