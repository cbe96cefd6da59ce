//! Why a delivery stands where it stands, what happens next, and what one can do about it.

use std::time::Duration;

use bluum_hooks_receiver::Data;
use bluum_hooks_shared::api::{
    Attempt, AttemptOutcome, Delivery, DeliveryStatus, Webhook, WebhookStatus,
};
use bluum_hooks_shared::catalogue::Pattern;
use bluum_hooks_shared::id::{EventId, WebhookId};
use bluum_hooks_shared::time::Timestamp;
use serde::Serialize;

use super::timeline::{ended_at, outcome};
use super::words::{harmless, took, when};
use super::{Owed, Seen};
use crate::store::{LEASE, LISTENER};

/// Beyond what jitter and a busy daemon add to a wait of the schedule.
const SLACK: Duration = Duration::from_secs(5);

/// In words.
#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    pub(super) why: String,
    pub(super) next: String,
    /// What to run, if somebody has to do something; in this order.
    pub(super) commands: Vec<String>,
}

/// A webhook that the event was not sent to.
#[derive(Debug, Serialize)]
pub(super) struct Absent {
    pub(super) webhook_id: WebhookId,
    pub(super) url: String,
    pub(super) why: String,
}

pub(super) fn delivery(owed: &Owed, now: Timestamp) -> Explanation {
    match owed.delivery.status {
        DeliveryStatus::Queued => queued(owed, now),
        DeliveryStatus::Waiting => waiting(owed, now),
        DeliveryStatus::Leased => leased(owed, now),
        DeliveryStatus::Delivered => delivered(&owed.delivery),
        DeliveryStatus::Parked => parked(owed, now),
    }
}

/// Where it stands, in one line.
pub(super) fn standing(delivery: &Delivery, now: Timestamp) -> String {
    let status = delivery.status.as_str();
    let at = |at: Option<Timestamp>| at.map(|at| when(at, now)).unwrap_or_default();
    match (delivery.status, &delivery.reason) {
        (DeliveryStatus::Queued, _) => status.into(),
        (DeliveryStatus::Waiting, _) => {
            format!("{status}, next attempt {}", at(delivery.next_attempt_at))
        }
        (DeliveryStatus::Leased, _) => format!("{status}: an attempt is under way"),
        (_, Some(reason)) => format!("{status} ({reason}) {}", at(delivery.finished_at)),
        (_, None) => format!("{status} {}", at(delivery.finished_at)),
    }
}

fn nothing_to_do(why: String, next: impl Into<String>) -> Explanation {
    Explanation { why, next: next.into(), commands: Vec::new() }
}

/// What came of the last attempt, if it was one since the delivery was accepted or replayed.
fn last_failure(delivery: &Delivery) -> Option<&Attempt> {
    let last = delivery.attempts.as_deref()?.last()?;
    (delivery.failures > 0 || last.outcome == AttemptOutcome::OurFault).then_some(last)
}

/// It holds behind whom it waits, and what that one waits for.
fn queued(owed: &Owed, now: Timestamp) -> Explanation {
    let key = owed.delivery.ordering_key.as_deref().map(harmless).unwrap_or_default();
    let Some(ahead) = &owed.ahead else {
        let why = format!("An earlier delivery about {key} was finished just now.");
        return nothing_to_do(why, "It is its turn, or will be within moments.");
    };
    let why = format!(
        "Events about the same object go one after the other, and an earlier one about {key} is \
         not done: {} (number {}, {}) is {}.",
        ahead.id,
        ahead.sequence,
        harmless(&ahead.event),
        standing(ahead, now),
    );
    let next = "It goes out once that one is delivered or parked, and whatever stands between \
                them.";
    let commands = vec![format!("bluum-hooks show {} --why", ahead.id)];
    Explanation { why, next: next.into(), commands }
}

fn waiting(owed: &Owed, now: Timestamp) -> Explanation {
    let delivery = &owed.delivery;
    let why = match last_failure(delivery) {
        Some(failed) => failed_before(delivery, failed),
        None if delivery.attempt_count > 0 => "It was replayed, and is owed again.".into(),
        None => "No attempt has been made yet.".into(),
    };
    let Some(webhook) = owed.webhook.as_ref().filter(|one| one.status == WebhookStatus::Active)
    else {
        let state = stopped(owed.webhook.as_ref());
        return nothing_to_do(format!("{why} Its webhook {state}."), "It is about to be parked.");
    };
    let why = format!("{why}{}", failing(webhook, now));
    let due = delivery.next_attempt_at.unwrap_or(now);
    let attempt = the_attempt(delivery);
    if let Some(until) = webhook.paused_until.filter(|until| *until > now.max(due)) {
        let why = format!(
            "{why} Nothing is sent to this webhook at the moment, because nothing came of the last \
             attempts."
        );
        let next = format!(
            "One delivery is tried at {}. When that is answered, the others follow; the wait uses \
             up no retry.",
            when(until, now)
        );
        return nothing_to_do(why, next);
    }
    if due > now {
        return nothing_to_do(why, format!("{attempt} is made at {}.", when(due, now)));
    }
    if let Some(name) = webhook.url.strip_prefix(LISTENER) {
        let why = format!(
            "{why} It waits for its listener: nobody holds the stream of {name}, or who does has \
             as many unanswered as it takes."
        );
        let next = "It goes down the stream as soon as there is room.".into();
        let commands = vec![format!("bluum-hooks listen --name {name}")];
        return Explanation { why, next, commands };
    }
    let why = format!(
        "{why} {attempt} is due since {}, and waits for its turn: at most {} requests to this \
         webhook are under way at a time, and so many to all (serve --max-in-flight).",
        when(due, now),
        webhook.max_in_flight
    );
    nothing_to_do(why, "It goes out as soon as one of them is done.")
}

/// Since when nothing has succeeded, if that is worth a sentence.
fn failing(webhook: &Webhook, now: Timestamp) -> String {
    let since = webhook.failing_since.map(|since| when(since, now));
    since
        .map(|since| format!(" No attempt to this webhook has succeeded since {since}."))
        .unwrap_or_default()
}

/// What went wrong last, and why the wait after it is as long as it is.
fn failed_before(delivery: &Delivery, failed: &Attempt) -> String {
    if failed.outcome == AttemptOutcome::OurFault {
        return format!("Attempt {}: {}.", failed.number, outcome(failed));
    }
    let what = format!("Attempt {} failed: {}.", failed.number, outcome(failed));
    let waits = delivery.retry_schedule.as_deref().unwrap_or_default();
    let place = usize::try_from(delivery.failures.saturating_sub(1)).unwrap_or(usize::MAX);
    let (Some(due), Some(wait)) = (delivery.next_attempt_at, waits.get(place)) else { return what };
    let wait = Duration::from_secs(u64::from(*wait));
    let put_off = due.since(ended_at(failed));
    if put_off <= wait.mul_f64(1.2) + SLACK {
        return what;
    }
    let (wait, put_off) = (took(wait), took(put_off));
    let longer = match failed.status {
        Some(429 | 503) => {
            format!("the receiver wants to be left alone for {put_off} (Retry-After)")
        }
        Some(502 | 504) => format!("after such an answer it is {put_off}"),
        _ => return what,
    };
    format!("{what} The schedule would wait for {wait}; {longer}.")
}

/// The next attempt by its number, and as a retry by its place in the schedule.
fn the_attempt(delivery: &Delivery) -> String {
    let number = delivery.attempt_count + 1;
    let retries = delivery.retry_schedule.as_deref().unwrap_or_default().len();
    match usize::try_from(delivery.failures) {
        Ok(retry) if retry > 0 && retry == retries => {
            format!("Attempt {number}, the last of {retries} retries,")
        }
        Ok(retry) if retry > 0 && retry < retries => {
            format!("Attempt {number}, retry {retry} of {retries},")
        }
        _ => format!("Attempt {number}"),
    }
}

fn leased(owed: &Owed, now: Timestamp) -> Explanation {
    let attempt = the_attempt(&owed.delivery);
    let Some(until) = owed.delivery.lease_until else {
        return nothing_to_do(format!("{attempt} is under way."), "It ends in its time.");
    };
    let since = until.minus(LEASE);
    let why = format!("{attempt} is under way since {}.", when(since, now));
    let lost = format!("Should it be lost with the daemon, another is made after {until}.");
    let next = match &owed.webhook {
        Some(webhook) => {
            let timeout = Duration::from_secs(u64::from(webhook.timeout_seconds));
            let end = when(since.plus(timeout), now);
            format!("It is over by {end}: the webhook's timeout is {}. {lost}", took(timeout))
        }
        None => format!("Its webhook was deleted: if it fails, this is parked. {lost}"),
    };
    nothing_to_do(why, next)
}

fn delivered(delivery: &Delivery) -> Explanation {
    let attempts = delivery.attempts.as_deref().unwrap_or_default();
    let Some(last) = attempts.last() else {
        return nothing_to_do("It was delivered.".into(), "Nothing: it is done.");
    };
    let after = took(ended_at(last).since(delivery.id.made_at()));
    let why = format!(
        "Attempt {} {}, {after} after the event was accepted.",
        last.number,
        outcome(last).replacen("answered", "was answered", 1)
    );
    nothing_to_do(why, "Nothing: it is done.")
}

fn stopped(webhook: Option<&Webhook>) -> String {
    match webhook.map(|webhook| (webhook.status, webhook.status_reason.as_deref())) {
        None => "was deleted".into(),
        Some((WebhookStatus::Active, _)) => "is active".into(),
        Some((WebhookStatus::Inactive, _)) => "is inactive".into(),
        Some((WebhookStatus::Disabled, reason)) => {
            format!("is disabled ({})", reason.map(harmless).unwrap_or_default())
        }
    }
}

/// What has to be done is up to a person, so each reason ends in a command.
fn parked(owed: &Owed, now: Timestamp) -> Explanation {
    let delivery = &owed.delivery;
    let (id, webhook) = (delivery.id, delivery.webhook_id);
    let reason = delivery.reason.as_deref().unwrap_or_default();
    let why = why_parked(delivery);
    let Some(settings) = &owed.webhook else {
        let next = "Nothing: a deleted webhook takes no replays. The event is kept and can be \
                    fetched, until it is forgotten.";
        let commands = vec![format!("bluum-hooks events show {}", delivery.event_id)];
        return Explanation { why, next: next.into(), commands };
    };
    let why = format!("{why}{}", failing(settings, now));
    let active = settings.status == WebhookStatus::Active;
    let enable = format!("bluum-hooks webhooks update {webhook} --status active");
    let one = format!("bluum-hooks deliveries replay {id}");
    let all = format!("bluum-hooks webhooks replay {webhook} --reason {reason}");
    let (next, commands) = match (reason, active) {
        ("skipped" | "expired", true) => {
            ("Nothing by itself. Replay it, and it goes down the stream.", vec![one, all])
        }
        ("crashes_worker", true) => {
            ("Nothing by itself. Once the cause is found, replay it.", vec![one])
        }
        ("disabled", true) => (
            "The webhook is active again, and releases what was parked as disabled, in its old \
             order. If no such release is running, replay it.",
            vec![format!("bluum-hooks webhooks replays {webhook}"), one],
        ),
        ("disabled", false) => (
            "Nothing until the webhook is active again: then this goes out, in its old order.",
            vec![enable],
        ),
        (_, false) => (
            "Nothing by itself; it is kept (serve --retention-parked). Once the receiver is well, \
             set the webhook active, and replay this, or all that was parked for the same reason.",
            vec![enable, one, all],
        ),
        (_, true) => (
            "Nothing by itself; it is kept (serve --retention-parked). Once the receiver is well, \
             replay it, or all that this webhook missed for the same reason.",
            vec![one, all],
        ),
    };
    let next = match active {
        true => next.to_owned(),
        false => format!("The webhook {}. {next}", stopped(Some(settings))),
    };
    Explanation { why, next, commands }
}

fn why_parked(delivery: &Delivery) -> String {
    let last = delivery.attempts.as_deref().and_then(<[_]>::last);
    match delivery.reason.as_deref() {
        Some("exhausted") => {
            let failed = last.map(outcome).unwrap_or_default();
            let so_many = match delivery.failures {
                1 => "One attempt failed, and the schedule has no retry left".to_owned(),
                many => format!("{many} attempts failed, as many as the schedule has"),
            };
            format!("{so_many}. The last: {failed}.")
        }
        Some("gone") => "The receiver answered 410: it is gone, and wants nothing more. So its \
                         webhook was disabled."
            .into(),
        Some("disabled") => "The webhook was inactive or disabled when its turn came.".into(),
        Some("deleted") => "The webhook was deleted before it was delivered.".into(),
        Some("skipped") => "Its listener went on from a later one.".into(),
        Some("expired") => "It waited for its listener for over seven days, or over 10,000 came \
                            after it."
            .into(),
        Some("crashes_worker") => {
            "Again and again the daemon died while this was under way, so it \
                                   may be what kills it. Its logs should tell; please report it."
                .into()
        }
        _ => format!("Parked: {}.", delivery.reason.as_deref().map(harmless).unwrap_or_default()),
    }
}

/// Why each of the other webhooks has no delivery of the event.
pub(super) fn absent(seen: &Seen) -> Vec<Absent> {
    let absent = seen.others.iter().map(|webhook| Absent {
        webhook_id: webhook.id,
        url: webhook.url.clone(),
        why: why_absent(webhook, seen),
    });
    absent.collect()
}

fn why_absent(webhook: &Webhook, seen: &Seen) -> String {
    let event = &seen.event;
    let names = &webhook.event_type_names;
    let wants = |name: &String| {
        Pattern::well_formed(name).is_ok_and(|pattern| pattern.matches(&event.name))
    };
    if !names.iter().any(wants) {
        let family = event.name.split_once('.').map_or(&*event.name, |(family, _)| family);
        return format!(
            "subscribes to {}; '{}' or '{family}.*' would match",
            harmless(&names.join(", ")),
            event.name
        );
    }
    let Ok(accepted) = event.id.parse().map(EventId::made_at) else { return String::new() };
    let made = webhook.id.made_at();
    if made > accepted {
        return format!("was made {} after the event was accepted", took(made.since(accepted)));
    }
    let is_about = match &event.data {
        Data::Webhook(about) => about.id.to_string() == webhook.id.to_string(),
        Data::Delivery(about) => about.webhook_id == Some(webhook.id),
        _ => false,
    };
    if is_about {
        return "the event is about this webhook; only others hear of it".into();
    }
    if webhook.updated_at > accepted {
        let changed = when(webhook.updated_at, seen.now);
        return format!("subscribes to it now, but was changed since, {changed}");
    }
    "subscribes to it; either what was delivered is forgotten (serve --retention), or this was a \
     test event for another webhook"
        .into()
}
