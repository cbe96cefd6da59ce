//! To a webhook, also a listener's: deliveries that are owed again.

use std::time::Duration;

use bluum_hooks_shared::api::{Attempt, Delivery, Listener, Webhook, WebhookStatus};
use serde_json::json;

use super::{Manner, Wanted, all_taken, nothing, saved, select};
use crate::cli::failure::{Failure, Status};
use crate::cli::line::{Lines, Row};
use crate::cli::print::Printer;
use crate::cli::query;
use crate::client::{Client, ClientError};

/// How often to look whether an answer is there.
const INTERVAL: Duration = Duration::from_millis(500);
/// After so many looks, say what is being waited for.
const PATIENCE: u32 = 10;

/// The webhook behind a listener.
pub(super) async fn of_listener(name: &str, client: &Client) -> Result<Webhook, Failure> {
    match query::one::<Listener>(client, "/v1/listeners", name).await {
        Ok(listener) => find(&listener.webhook_id.to_string(), client).await,
        Err(ClientError::Refused { status: 404, .. }) => {
            let next = "start `bluum-hooks listen` first, or say where to with --to PORT/PATH, \
                        --to wh_… or --name";
            let message = format!("there is no listener '{name}'");
            Err(Failure::new(Status::NotFound, message).then(next))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn find(id: &str, client: &Client) -> Result<Webhook, Failure> {
    Ok(query::one(client, "/v1/webhooks", id).await?)
}

pub(super) async fn replay(
    what: &[String],
    wanted: &Wanted,
    manner: &Manner,
    to: &Webhook,
    client: &Client,
    printer: Printer,
) -> Result<(), Failure> {
    if to.status != WebhookStatus::Active {
        let message = format!("{} takes no deliveries: its status is not active", to.id);
        let next = format!("set it with `bluum-hooks webhooks update {} --status active`", to.id);
        return Err(Failure::new(Status::Usage, message).then(next));
    }
    let mut chosen: Vec<Delivery> = Vec::new();
    for one in what {
        for delivery in named(one, wanted, to, client).await? {
            if !chosen.iter().any(|before| before.id == delivery.id) {
                chosen.push(delivery);
            }
        }
    }
    if what.is_empty() {
        chosen = wanted.deliveries(to, client).await?;
    }
    if chosen.is_empty() {
        return Err(nothing(&format!("among the deliveries of {}", to.id)));
    }
    manner.confirm(chosen.len(), &format!("{} ({})", to.id, to.url))?;
    let mut begun = Vec::new();
    for delivery in chosen {
        if manner.dry_run {
            tell(&delivery, "would be replayed", to, printer);
            continue;
        }
        let path = format!("{}/replay", query::item("/v1/deliveries", &delivery.id.to_string()));
        let (delivery, word) = match client.post(&path, &json!({})).await {
            Ok(answer) => (client.read(&answer)?, "replayed"),
            // The webhook was active a moment ago: it is the delivery that needs no replay.
            Err(ClientError::Refused { status: 409, .. }) => (delivery, "is under way already"),
            Err(error) => return Err(error.into()),
        };
        if !manner.wait {
            tell(&delivery, word, to, printer);
        }
        begun.push(delivery);
        manner.pace().await;
    }
    match manner.wait {
        true => outcomes(&begun, to, client, printer).await,
        false => Ok(()),
    }
}

/// The deliveries to this webhook that somebody names.
async fn named(
    what: &str,
    wanted: &Wanted,
    to: &Webhook,
    client: &Client,
) -> Result<Vec<Delivery>, Failure> {
    let events = match what {
        "last" | "last-failed" => {
            let failed = what == "last-failed";
            let newest = select::newest_delivery(to, failed, client).await?;
            let which = if failed { "failed delivery" } else { "delivery" };
            let none = || nothing(&format!("as {} has no {which}", to.id));
            return Ok(vec![newest.ok_or_else(none)?]);
        }
        _ if what.starts_with("dlv_") => {
            let delivery: Delivery = query::one(client, "/v1/deliveries", what).await?;
            if delivery.webhook_id == to.id {
                return Ok(vec![delivery]);
            }
            vec![delivery.event_id.to_string()]
        }
        _ if what.starts_with("evt_") => vec![what.to_owned()],
        _ if what.starts_with('@') => {
            saved::read(what, wanted)?.into_iter().map(|saved| saved.event).collect()
        }
        _ => return Err(select::unknown(what)),
    };
    let mut found = Vec::new();
    for event in events {
        let path = format!("{}/deliveries", query::item("/v1/events", &event));
        let owed: Vec<Delivery> = query::all(&path, &[], client).await?;
        let mine = owed.into_iter().find(|delivery| delivery.webhook_id == to.id);
        found.push(mine.ok_or_else(|| never_owed(&event, to))?);
    }
    Ok(found)
}

/// There is nothing to replay where nothing was owed, and the API makes no delivery afterwards.
fn never_owed(event: &str, to: &Webhook) -> Failure {
    let message = format!("{event} was never owed to {} ({})", to.id, to.url);
    let next = match to.url.starts_with("listener:") {
        true => {
            "`bluum-hooks listen --since TIME` brings what is older than the listener, and \
                 --to PORT/PATH sends it to a local server"
        }
        false => {
            "a webhook is owed what it subscribes to from its creation on; --to PORT/PATH \
                  sends it to a local server"
        }
    };
    Failure::new(Status::NotFound, message).then(next)
}

fn tell(delivery: &Delivery, word: &str, to: &Webhook, printer: Printer) {
    let Delivery { id, event_id, event, .. } = delivery;
    let text = format!("{event_id}  {event}  {id} {word}, to {} ({})", to.id, to.url);
    let told = json!({"type": "replay", "event": event_id, "event_type": event, "delivery": id,
        "webhook": to.id, "state": word});
    printer.line(&text, &told);
}

/// What is answered to each, in the order in which they were begun.
async fn outcomes(
    begun: &[Delivery],
    to: &Webhook,
    client: &Client,
    printer: Printer,
) -> Result<(), Failure> {
    let mut lines = Lines::new(printer.colour());
    let mut refused = 0;
    for before in begun {
        let attempt = answered(before, to, client, printer).await?;
        let Attempt { number, duration_ms, status, error, .. } = &attempt;
        let ok = status.is_some_and(|status| (200..300).contains(&status));
        refused += usize::from(!ok);
        let (id, event, webhook) =
            (before.id, before.event_id.to_string(), before.webhook_id.to_string());
        let line = lines.draw(&Row::of_attempt(&attempt, &before.event, &event, &webhook));
        let told = json!({"type": "replay", "event": event, "event_type": before.event,
            "delivery": id, "webhook": webhook, "state": "answered", "attempt": number,
            "status": status, "latency_ms": duration_ms, "error": error});
        printer.line(&line, &told);
    }
    all_taken(refused, begun.len())
}

/// The first attempt that was not there before.
async fn answered(
    before: &Delivery,
    to: &Webhook,
    client: &Client,
    printer: Printer,
) -> Result<Attempt, Failure> {
    let mut looks = 0;
    loop {
        let now: Delivery = query::one(client, "/v1/deliveries", &before.id.to_string()).await?;
        let mut attempts = now.attempts.unwrap_or_default().into_iter();
        if let Some(new) = attempts.find(|attempt| attempt.number > before.attempt_count) {
            return Ok(new);
        }
        looks += 1;
        if looks == PATIENCE {
            let what = if to.url.starts_with("listener:") { "; does it listen?" } else { "" };
            printer.talk(&format!("waiting for {} to answer {}{what}", to.url, before.event_id));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
