//! Rotating a webhook's signing secret.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use bluum_hooks_shared::api;
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::id::WebhookId;
use tokio::sync::oneshot;

use super::answer::{self, Answer};
use super::auth::Caller;
use super::openapi::requests::RotateSecret;
use super::path::Path;
use super::webhooks::{change, find, new_secret};
use super::{Shared, body};
use crate::fields::Fields;
use crate::invalid::Invalid;
use crate::store::{MAX_SECRETS, TooManySecrets};

const DEFAULT_OVERLAP_SECONDS: u32 = 24 * 60 * 60;
pub(super) const MAX_OVERLAP_SECONDS: u32 = 7 * 24 * 60 * 60;

/// Rotate a webhook's secret
///
/// The new secret is shown in this answer alone. The old one signs beside it until the overlap
/// ends. Without a body, a day.
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
    let overlap = overlap(&body::read(request, body::SMALL).await?)?;
    let secret = new_secret(&api)?;
    let whsec = secret.to_whsec();
    let now = api.context.clock.now();
    let (tell, told) = oneshot::channel();
    let changed = change(&api, webhook.settings.id, move |draft| {
        // Whoever asked may have gone away.
        let _ = tell.send(draft.rotate(secret, overlap, now));
    });
    let changed = changed.await?;
    if told.await == Ok(Err(TooManySecrets)) {
        let message = format!(
            "{MAX_SECRETS} secrets sign for this webhook already. Wait until the overlap of one \
             ends, or send {{\"overlap_seconds\":0}} to end them all at once."
        );
        return Err(Invalid::request(ErrorCode::StateConflict, message).into());
    }
    let mut answer = changed.to_api();
    answer.secret = Some(whsec.to_string());
    Ok(answer::json(StatusCode::CREATED, &answer))
}

/// Without a body, the default.
fn overlap(body: &[u8]) -> Result<Duration, Invalid> {
    const NAME: &str = "overlap_seconds";
    let mut fields = Fields::parse(if body.is_empty() { b"{}" } else { body })?;
    let seconds: Option<u32> = fields.whole(NAME)?;
    fields.finish(&[NAME])?;
    let seconds = seconds.unwrap_or(DEFAULT_OVERLAP_SECONDS);
    if seconds > MAX_OVERLAP_SECONDS {
        let message = format!("'{NAME}' must be from 0 to {MAX_OVERLAP_SECONDS}.");
        return Err(Invalid::field(ErrorCode::Validation, NAME, message));
    }
    Ok(Duration::from_secs(u64::from(seconds)))
}
