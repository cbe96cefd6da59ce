//! Where a listener goes on.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use bluum_hooks_shared::api::Sought;
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::id::{ReplayId, TenantId};
use bluum_hooks_shared::time::Timestamp;

use super::super::answer::{self, Answer};
use super::super::auth::Caller;
use super::super::error::ApiError;
use super::super::openapi::requests::{ListenerName, Seek};
use super::super::path::Path;
use super::super::replays::object;
use super::super::{Api, Shared, body, to_the_end};
use super::{count, find_alone};
use crate::fields;
use crate::invalid::Invalid;
use crate::policy::state::ParkReason;
use crate::store::{Change, Replay, ReplayFilter, StoreError, Webhook};
use crate::upkeep;

/// Where to.
#[derive(Debug, Clone, Copy)]
enum To {
    /// What waits is skipped.
    Now,
    /// What was skipped is owed again.
    Last,
    /// What came since is owed again.
    Time(Timestamp),
    /// What has a later sequence number is owed again.
    Cursor(i64),
}

/// Choose where a listener goes on
///
/// `now` parks what waits. `last` owes again what was parked so. A time, or a sequence number, owes
/// again everything since.
#[utoipa::path(post, path = "/v1/listeners/{name}/seek", operation_id = "seek_listener",
    params(("name" = ListenerName, Path), ("tenant" = Option<TenantId>, Query)),
    request_body = Seek, responses((status = 200, body = Sought), (status = 409)))]
pub(in crate::api) async fn seek(
    State(api): Shared,
    caller: Caller,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    let webhook = find_alone(&api, &caller, &name, request.uri())?;
    let body = body::read(request, body::SMALL).await?;
    let to = read(&body)?;
    let (skipped, owed) = match to {
        To::Now => (skip(&api, &webhook).await?, 0),
        To::Last => (0, replay(&api, &webhook, skipped(), 0).await?),
        To::Time(since) => (0, owe_since(&api, &webhook, since).await?),
        To::Cursor(after) => (0, owe_all(&api, &webhook, None, after).await?),
    };
    let backlog = upkeep::backlog(&api.context, &webhook, None).await?;
    let sought = Sought { skipped, owed, cursor: backlog.last_sequence };
    Ok(answer::json(StatusCode::OK, &sought))
}

fn read(body: &[u8]) -> Result<To, Invalid> {
    let wrong = || {
        let message = "'to' is \"now\", \"last\", a time as in RFC 3339, or a sequence number.";
        Invalid::field(ErrorCode::InvalidFormat, "to", message)
    };
    let mut fields = object(body)?;
    let to = fields.raw("to").ok_or_else(|| Invalid::missing("to"))?.get();
    fields.finish(&["to"])?;
    if let Ok(number) = serde_json::from_str::<f64>(to) {
        let cursor = fields::whole_of(number).filter(|cursor| *cursor >= 0);
        return cursor.map(To::Cursor).ok_or_else(wrong);
    }
    match serde_json::from_str::<String>(to).map_err(|_| wrong())?.as_str() {
        "now" => Ok(To::Now),
        "last" => Ok(To::Last),
        time => time.parse().map(To::Time).map_err(|_| wrong()),
    }
}

async fn skip(api: &Api, webhook: &Webhook) -> Result<u64, StoreError> {
    let (store, now) = (&api.context.store, api.context.clock.now());
    let mut skipped = 0;
    loop {
        let some = store.skip(webhook.settings.id, i64::MAX, ParkReason::Skipped, now).await?;
        if some == 0 {
            return Ok(skipped);
        }
        skipped += some as u64;
    }
}

/// What was parked, what was delivered, and what came before the listener.
async fn owe_since(api: &Arc<Api>, webhook: &Webhook, since: Timestamp) -> Result<u64, ApiError> {
    let owed = owe_all(api, webhook, Some(since), 0).await?;
    let (context, id) = (api.context.clone(), webhook.settings.id);
    let (now, seed) = (context.clock.now(), context.random.bits());
    let missed = to_the_end(async move {
        let missed = context.store.backfill(id, since, upkeep::KEPT, seed, now).await;
        context.bell.ring();
        missed
    });
    Ok(owed + missed.await?? as u64)
}

/// What was parked, and what was delivered.
async fn owe_all(
    api: &Arc<Api>,
    webhook: &Webhook,
    since: Option<Timestamp>,
    after: i64,
) -> Result<u64, ApiError> {
    let delivered = ReplayFilter { delivered: true, since, ..ReplayFilter::default() };
    let parked = ReplayFilter { since, ..ReplayFilter::default() };
    Ok(replay(api, webhook, delivered, after).await? + replay(api, webhook, parked, after).await?)
}

fn skipped() -> ReplayFilter {
    ReplayFilter { reason: Some(ParkReason::Skipped), ..ReplayFilter::default() }
}

async fn replay(
    api: &Arc<Api>,
    webhook: &Webhook,
    filter: ReplayFilter,
    after: i64,
) -> Result<u64, ApiError> {
    let total = api.context.store.count_replay(webhook.settings.id, &filter).await?;
    if total == 0 {
        return Ok(0);
    }
    let now = api.context.clock.now();
    let id = ReplayId::new(now, api.context.random.bits());
    let replay = Replay::new(id, webhook.settings.id, filter, now);
    let change = Change::StartReplay(Replay { total, cursor: after, ..replay });
    let context = api.context.clone();
    match to_the_end(async move { context.change(change, None, now).await }).await? {
        Err(StoreError::Declined) => {
            let message = "This listener goes back already, four times over; wait for the end.";
            Err(Invalid::request(ErrorCode::StateConflict, message).into())
        }
        begun => Ok(begun.map(|_| count(total))?),
    }
}
