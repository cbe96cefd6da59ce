//! One attempt: sign, send, judge, step, observe. Loading was claiming; recording comes after.

use std::sync::Arc;
use std::time::Duration;

use ::http::header::{CONTENT_TYPE, USER_AGENT};
use ::http::{HeaderMap, HeaderName, HeaderValue};
use bluum_hooks_shared::api::AttemptOutcome;
use bluum_hooks_shared::event::traceparent;
use bluum_hooks_shared::header;
use bluum_hooks_shared::id::AttemptId;
use bluum_hooks_shared::time::Timestamp;
use tracing::{debug, error, info, warn};

use super::Engine;
use crate::context::Context;
use crate::crash_point;
use crate::faults::Fault;
use crate::notice;
use crate::policy::judge::{Verdict, judge};
use crate::policy::pace::Sign;
use crate::policy::state::{Input, Progress, State, step};
use crate::slots::{Slot, Turn};
use crate::store::{Claimed, NewAttempt, Report, Unreadable, Webhook};
use crate::transport::{Answer, Request, SendError};

/// Headers that we and the HTTP client add to a webhook's own.
const OURS: usize = 10;

/// Makes the request that is owed, when its turn comes, and says what came of it. The turn is kept
/// until that is recorded.
pub(super) async fn attempt(
    engine: &Engine,
    claimed: Claimed,
    slot: &Slot,
) -> (Report, Option<Turn>) {
    let turn = tokio::select! {
        biased;
        turn = slot.turn(claimed.webhook.max_in_flight()) => turn,
        () = engine.context.shutdown.intake_stopped() => None,
    };
    let Some(turn) = turn else {
        return (decide(engine, claimed, Input::GivenBack, None), None);
    };
    (request(engine, claimed).await, Some(turn))
}

async fn request(engine: &Engine, mut claimed: Claimed) -> Report {
    // It may have been changed or stopped since the delivery was claimed.
    if let Some(webhook) = engine.context.store.registry().webhook_numbered(claimed.webhook.number)
    {
        claimed.webhook = Arc::clone(webhook);
    }
    if claimed.webhook.stopped().is_some() {
        // The claimer parks it: those queued behind it first, so that their order is kept.
        return decide(engine, claimed, Input::GivenBack, None);
    }
    let started_at = engine.context.clock.now();
    let latest_end = started_at.plus(claimed.webhook.settings.timeout);
    if claimed.progress.state.due_at().is_some_and(|lease_until| lease_until <= latest_end) {
        // The process slept, or a commit took minutes: somebody else may hold it by then.
        return decide(engine, claimed, Input::GivenBack, None);
    }
    let began = engine.context.clock.monotonic();
    let id = AttemptId::new(started_at, engine.context.random.bits());
    let request = sign(&claimed, id, started_at);
    crash_point::reach("send.signed");
    let outcome = tokio::select! {
        biased;
        () = engine.context.shutdown.abandoned() => None,
        outcome = send(engine, &claimed, request) => outcome,
    };
    let Some(outcome) = outcome else {
        return decide(engine, claimed, Input::GivenBack, None);
    };
    crash_point::reach("send.answered");
    let ended = engine.context.clock.monotonic();
    let duration = ended.saturating_sub(began);
    // A listener is there as long as its stream is, whatever comes back.
    let moved = has_moved(engine, &claimed) || claimed.webhook.listener().is_some();
    if !moved {
        learn(engine, &claimed, &outcome, began, ended);
    }
    let verdict = match verdict(&outcome, engine.context.clock.now()) {
        // Who is gone is not where the webhook points now.
        Verdict::Gone if moved => Verdict::Failed { not_before: Duration::ZERO },
        verdict => verdict,
    };
    let attempt = describe(id, started_at, duration, outcome);
    engine.context.metrics.attempted(attempt.outcome, duration);
    decide(engine, claimed, Input::Attempted(verdict), Some(attempt))
}

/// `None`: nobody has taken it, nor will.
async fn send(
    engine: &Engine,
    claimed: &Claimed,
    request: Request,
) -> Option<Result<Answer, SendError>> {
    let webhook = &claimed.webhook;
    if webhook.settings.unreadable != Unreadable::default() {
        let detail = format!("the secrets or headers of {} cannot be opened", webhook.settings.id);
        return Some(Err(SendError::Ours(Fault::Secrets, detail)));
    }
    if webhook.listener().is_some() {
        return engine.context.listeners.offer(claimed, &request).await;
    }
    Some(engine.transport.send(request).await)
}

/// What the attempt says about its receiver's pace, or about us.
fn learn(
    engine: &Engine,
    claimed: &Claimed,
    outcome: &Result<Answer, SendError>,
    began: Duration,
    ended: Duration,
) {
    let Context { slots, faults, metrics, clock, .. } = &engine.context;
    if let Err(SendError::Ours(fault, detail)) = outcome {
        metrics.fault(*fault);
        if faults.met(*fault, detail, clock.now()) {
            error!(
                fault = fault.as_str(),
                detail,
                "a fault of our own keeps deliveries from being sent; no failure is counted"
            );
        }
    }
    let sign = match outcome {
        Ok(_) => Some(Sign::Answer),
        Err(SendError::Ours(..)) => Some(Sign::OurFault),
        Err(_) => Sign::unanswered(ended.saturating_sub(began)),
    };
    if let Some(sign) = sign {
        let webhook = &claimed.webhook;
        slots.learn(webhook.number, webhook.max_in_flight(), sign, began, ended);
    }
}

/// Whether the webhook points elsewhere since the delivery was sent.
fn has_moved(engine: &Engine, claimed: &Claimed) -> bool {
    let registry = engine.context.store.registry();
    let current = registry.webhook_numbered(claimed.webhook.number);
    current.is_some_and(|webhook| webhook.settings.url != claimed.webhook.settings.url)
}

/// The request, with a signature over this moment.
fn sign(claimed: &Claimed, id: AttemptId, now: Timestamp) -> Request {
    let webhook = &claimed.webhook;
    let mut headers = HeaderMap::with_capacity(webhook.settings.headers.0.len() + OURS);
    headers.extend(own_headers(webhook));
    let event = claimed.event.to_string();
    let signature = webhook.sign(&event, now, &claimed.body);
    for (name, value) in [
        (header::WEBHOOK_ID, event),
        (header::WEBHOOK_TIMESTAMP, now.as_unix_seconds().to_string()),
        (header::WEBHOOK_SIGNATURE, signature),
        (header::WEBHOOK_SEQUENCE, claimed.sequence.to_string()),
        (header::WEBHOOK_ATTEMPT, (claimed.progress.attempts + 1).to_string()),
        (header::TRACEPARENT, traceparent(claimed.event, id)),
    ] {
        // Digits, ids and base64: always a header value.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(header::JSON));
    headers.insert(USER_AGENT, HeaderValue::from_static(header::AGENT));
    Request {
        url: webhook.settings.url.clone(),
        headers,
        body: claimed.body.clone(),
        timeout: webhook.settings.timeout,
    }
}

/// The headers that the partner asked for; ours come after and win. Their values are marked as
/// credentials, so that no log shows them and HTTP/2 keeps them out of its tables.
fn own_headers(webhook: &Webhook) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let own = webhook.settings.headers.0.iter();
    own.filter_map(|(name, value)| {
        let mut value = HeaderValue::try_from(value).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::try_from(name).ok()?, value))
    })
}

fn verdict(outcome: &Result<Answer, SendError>, now: Timestamp) -> Verdict {
    match outcome {
        Ok(answer) => judge(Some(answer.status), answer.retry_after.as_deref(), now),
        Err(SendError::Ours(..)) => Verdict::OurFault,
        Err(_) => judge(None, None, now),
    }
}

fn describe(
    id: AttemptId,
    started_at: Timestamp,
    duration: Duration,
    outcome: Result<Answer, SendError>,
) -> NewAttempt {
    let (outcome, status, error, response_body) = match outcome {
        Err(error) => (error.outcome(), None, Some(error.to_string()), None),
        Ok(Answer { status, body, .. }) => {
            let outcome = AttemptOutcome::of_status(status);
            let error = (outcome != AttemptOutcome::Delivered).then(|| refusal(status));
            (outcome, Some(status), error, text(&body))
        }
    };
    NewAttempt { id, started_at, duration, outcome, status, error, response_body }
}

fn refusal(status: u16) -> String {
    match status {
        300..=399 => format!("answered {status}; redirects are not followed"),
        _ => format!("answered {status}"),
    }
}

/// The body as far as it is text; a character cut in half at the end is left out.
fn text(body: &[u8]) -> Option<String> {
    let valid = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&body[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return None,
    };
    let text = valid.replace('\0', "");
    (!text.is_empty()).then_some(text)
}

fn decide(engine: &Engine, claimed: Claimed, input: Input, attempt: Option<NewAttempt>) -> Report {
    let schedule = claimed.webhook.settings.retry_schedule.as_ref().unwrap_or(&engine.schedule);
    let (now, jitter) = (engine.context.clock.now(), engine.context.random.unit());
    let after = step(claimed.progress, input, now, schedule, jitter).unwrap_or_else(|refused| {
        // Only a leased delivery is attempted, and that takes each of these inputs.
        warn!(delivery.id = %claimed.id, %refused, "impossible; giving the delivery back");
        Progress { state: State::Waiting { due_at: now }, ..claimed.progress }
    });
    observe(&claimed, &after, attempt.as_ref());
    let hand_on = engine.hand_on(&claimed.webhook);
    let notice = notice::parked(&claimed, &after, now, &*engine.context.random);
    Report { claimed, after, attempt, notice, hand_on }
}

/// A receiver's failure is an ordinary outcome; giving up on a delivery is news.
fn observe(claimed: &Claimed, after: &Progress, attempt: Option<&NewAttempt>) {
    let webhook: &Arc<Webhook> = &claimed.webhook;
    let status = attempt.and_then(|attempt| attempt.status);
    let error = attempt.and_then(|attempt| attempt.error.as_deref());
    match after.state {
        State::Delivered { .. } => debug!(
            delivery.id = %claimed.id, webhook.id = %webhook.settings.id, status, "delivered"
        ),
        State::Waiting { due_at } => info!(
            delivery.id = %claimed.id, webhook.id = %webhook.settings.id, status, error,
            failures = after.failures, due_at = %due_at, "not delivered; trying again"
        ),
        _ => warn!(
            delivery.id = %claimed.id, webhook.id = %webhook.settings.id, status, error,
            reason = after.state.reason().map(|reason| reason.as_str()), "parked"
        ),
    }
}
