//! To a local server, straight from here: signed anew, or exactly as it was.

use std::time::Duration;

use bluum_hooks_shared::header::{WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use bluum_hooks_shared::secret::Secret;
use bluum_hooks_shared::signature::SigningKey;
use serde_json::json;

use super::saved::{self, Saved};
use super::{Manner, Wanted, all_taken, nothing, select};
use crate::cli::args::{Global, ReplayEventsArgs};
use crate::cli::failure::{Failure, Status};
use crate::cli::line::{Lines, Row};
use crate::cli::listen::{Attempt, Dialer, Forwarder, Shape};
use crate::cli::print::Printer;
use crate::cli::signed::{self, Received};
use crate::cli::target::Target;
use crate::cli::{events, newest, query};
use crate::client::Client;
use crate::clock::{Clock, SystemClock};

/// As long as a sender waits.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A server on this machine. One that is no target is told what else `--to` takes.
pub(super) fn server(text: &str) -> Result<Forwarder, Failure> {
    let next = "write listener, wh_…, 3000, 3000/webhooks or http://localhost:3000/webhooks";
    let target: Target = Target::parse(text, true).map_err(|failure| failure.then(next))?;
    if !target.is_here() {
        let message = format!("--to '{}' is not on this machine", text.escape_default());
        return Err(Failure::new(Status::Usage, message).then(next));
    }
    let (timeout, refused) = (Some(TIMEOUT), Duration::ZERO);
    let shape = Shape { timeout, refused, headers: Vec::new(), host: None, key: None };
    let dialer = Dialer::new(&target, false, None)?;
    Ok(Forwarder { target, dialer, shape })
}

pub(super) async fn replay(
    args: &ReplayEventsArgs,
    wanted: &Wanted,
    manner: &Manner,
    server: &Forwarder,
    global: &Global,
    printer: Printer,
) -> Result<(), Failure> {
    let chosen = choose(args, wanted, global).await?;
    let target = server.target.to_string();
    manner.confirm(chosen.len(), &target)?;
    let signer = match args.exact || manner.dry_run {
        true => None,
        false => Some(signer(args, global)?),
    };
    let clock = SystemClock::new();
    let mut lines = Lines::new(printer.colour());
    let mut refused = 0;
    for Saved { event, event_type, request } in &chosen {
        if manner.dry_run {
            let told = json!({"type": "replay", "event": event, "event_type": event_type,
                "target": target, "state": "would be sent"});
            printer.line(&format!("{event}  {event_type}  would be sent to {target}"), &told);
            continue;
        }
        let request = match &signer {
            Some(key) => anew(event, &request.body, key, clock.now().as_unix_seconds()),
            None => request.clone(),
        };
        let at = clock.now();
        let attempt = server.send(&request.headers, &request.body.into(), &clock).await;
        refused += usize::from(!attempt.is_success());
        let Attempt { status, latency, error, answer, .. } = attempt;
        let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        let line = lines.draw(&Row {
            at: at.to_string().into(),
            code: status.into(),
            latency_ms,
            event_type,
            event,
            cause: error.as_deref(),
            answer: answer.as_ref().map(|answer| String::from_utf8_lossy(&answer.body)),
            ..Row::default()
        });
        let told = json!({"type": "replay", "event": event, "event_type": event_type,
            "target": target, "state": "answered", "status": status, "error": error,
            "latency_ms": latency_ms});
        printer.line(&line, &told);
        manner.pace().await;
    }
    match manner.wait {
        true => all_taken(refused, chosen.len()),
        false => Ok(()),
    }
}

/// What is meant, with what was sent. Files need no daemon.
async fn choose(
    args: &ReplayEventsArgs,
    wanted: &Wanted,
    global: &Global,
) -> Result<Vec<Saved>, Failure> {
    let mut chosen = Vec::new();
    for file in args.what.iter().filter(|what| what.starts_with('@')) {
        chosen.extend(saved::read(file, wanted)?);
    }
    let others: Vec<_> = args.what.iter().filter(|what| !what.starts_with('@')).collect();
    if args.exact && (!others.is_empty() || args.what.is_empty()) {
        let message = "--exact needs what was saved: the daemon keeps no signature";
        let next = "give @FILE as `listen --save FILE` wrote it, or leave out --exact";
        return Err(Failure::new(Status::Usage, message).then(next));
    }
    if !others.is_empty() || args.what.is_empty() {
        let client = global.client()?;
        let mut ids = Vec::new();
        for what in others {
            ids.push(named(what, &client).await?);
        }
        if args.what.is_empty() {
            ids = wanted.events(&client).await?;
        }
        for id in ids {
            let body = client.get(&query::item("/v1/events", &id)).await?;
            let event_type = events::read(&body)?.name;
            let request = Received { headers: Vec::new(), body: body.to_vec() };
            chosen.push(Saved { event: id, event_type, request });
        }
    }
    if chosen.is_empty() {
        return Err(nothing("among what was asked for"));
    }
    Ok(chosen)
}

async fn named(what: &str, client: &Client) -> Result<String, Failure> {
    let found = match what {
        "last" => newest::event(client).await?,
        "last-failed" => select::newest_failed_event(client).await?,
        _ if what.starts_with("evt_") => Some(what.to_owned()),
        _ if what.starts_with("dlv_") => {
            let delivery: bluum_hooks_shared::api::Delivery =
                query::one(client, "/v1/deliveries", what).await?;
            Some(delivery.event_id.to_string())
        }
        _ => return Err(select::unknown(what)),
    };
    found.ok_or_else(|| nothing(&format!("as there is no '{what}' event")))
}

/// The secret that the app knows.
fn signer(args: &ReplayEventsArgs, global: &Global) -> Result<SigningKey, Failure> {
    let from = match &args.secret {
        Some(from) => from.clone(),
        None => global.sources()?.app_secret(),
    };
    let secret = Secret::parse(signed::key(&from)?.text.trim())
        .map_err(|error| Failure::new(Status::Usage, format!("{from}: {error}")))?;
    Ok(SigningKey::new(&secret))
}

/// As the daemon would send it now.
fn anew(event: &str, body: &[u8], key: &SigningKey, timestamp: i64) -> Received {
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("user-agent", concat!("Bluum-Hooks/", env!("CARGO_PKG_VERSION")).to_owned()),
        (WEBHOOK_ID, event.to_owned()),
        (WEBHOOK_TIMESTAMP, timestamp.to_string()),
        (WEBHOOK_SIGNATURE, key.sign(event, timestamp, body)),
    ];
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Received { headers, body: body.to_vec() }
}
