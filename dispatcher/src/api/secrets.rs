//! Rotating a webhook's signing secret.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use bluum_hooks_shared::api;
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::id::WebhookId;

use super::answer::Answer;
use super::auth::Caller;
use super::idempotency::{Asked, Telling, change_and_tell};
use super::openapi::requests::RotateSecret;
use super::path::Path;
use super::replays::object;
use super::webhooks::{find, new_private_key, new_secret, with_secret};
use super::{Shared, body};
use crate::invalid::Invalid;
use crate::store::{Change, Edit, Edited, MAX_SECRETS};

const DEFAULT_OVERLAP_SECONDS: u32 = 24 * 60 * 60;
pub(super) const MAX_OVERLAP_SECONDS: u32 = 7 * 24 * 60 * 60;

/// Rotate a webhook's secret
///
/// The new secret is shown in this answer alone; a webhook with a key pair gets a new pair too. The
/// old ones sign beside them until the overlap ends. Without a body, a day.
#[utoipa::path(post, path = "/v1/webhooks/{id}/secrets", operation_id = "rotate_secret",
    params(("id" = WebhookId, Path)), request_body = Option<RotateSecret>,
    responses((status = 201, body = api::Webhook)))]
pub(super) async fn rotate(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Answer {
    let webhook = find(&api, &caller, &id, "id")?;
    let asked = Asked::read(&caller, request, body::SMALL).await?;
    if let Some(answered) = asked.answered(&api).await? {
        return Ok(answered);
    }
    let overlap = overlap(&asked.body)?;
    let (id, now) = (webhook.settings.id, api.context.clock.now());
    let secret = new_secret(&api)?;
    let private_key = new_private_key(&api);
    let shown = with_secret(id, secret.clone(), now);
    let edit = Edit::new(move |draft| {
        draft.rotate(secret, private_key, overlap, now).ok()?;
        Some(Edited::default())
    });
    let telling = Telling { status: StatusCode::CREATED, secret: true, declined: too_many() };
    change_and_tell(&api, asked, telling, Change::EditWebhook(id, edit), shown).await
}

fn too_many() -> String {
    format!(
        "{MAX_SECRETS} secrets sign for this webhook already. Wait until the overlap of one ends, \
         or send {{\"overlap_seconds\":0}} to end them all at once."
    )
}

/// Without a body, the default.
fn overlap(body: &[u8]) -> Result<Duration, Invalid> {
    const NAME: &str = "overlap_seconds";
    let mut fields = object(body)?;
    let seconds: Option<u32> = fields.whole(NAME)?;
    fields.finish(&[NAME])?;
    let seconds = seconds.unwrap_or(DEFAULT_OVERLAP_SECONDS);
    if seconds > MAX_OVERLAP_SECONDS {
        let message = format!("'{NAME}' must be from 0 to {MAX_OVERLAP_SECONDS}.");
        return Err(Invalid::field(ErrorCode::Validation, NAME, message));
    }
    Ok(Duration::from_secs(u64::from(seconds)))
}
