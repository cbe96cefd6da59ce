//! `tail`: attempts of all webhooks as they are made.
//!
//! The API has no stream of attempts, so the newest deliveries of each webhook are asked for once
//! a second, and one by one those whose count of attempts has risen, or whose retry was due.

mod watch;

use std::time::Duration;

use bluum_hooks_shared::api::{Attempt, AttemptOutcome, Webhook};
use serde_json::json;

use self::watch::{Made, Watch};
use super::args::TailArgs;
use super::failure::{Failure, Status};
use super::line::{Lines, Row};
use super::print::Printer;
use super::query;
use super::which::{self, Only, Types};
use crate::client::{Client, ClientError};
use crate::clock::{Clock, SystemClock};

const INTERVAL: Duration = Duration::from_secs(1);
/// After so many rounds, look whether there are new webhooks.
const ROUNDS: u32 = 10;

fn only(text: &str) -> Result<Only, Failure> {
    Only::parse(text).ok_or_else(|| {
        let message = format!("--status '{text}' is no outcome");
        let next = "write 2xx, 3xx, 4xx, 5xx, timeout, failed, ok, or a number";
        Failure::new(Status::Usage, message).then(next)
    })
}

/// What is wanted, and how it is told.
struct Teller {
    types: Types,
    only: Vec<Only>,
    lines: Lines,
    printer: Printer,
}

impl Teller {
    fn wants(&self, made: &Made) -> bool {
        let Attempt { status, outcome, .. } = made.attempt;
        let timed_out = outcome == AttemptOutcome::Timeout;
        let failed = outcome != AttemptOutcome::Delivered;
        let outcome = self.only.is_empty()
            || self.only.iter().any(|only| only.has(status, timed_out, failed));
        outcome && self.types.has(&made.event_type)
    }

    /// False when nobody reads any more.
    fn tell(&mut self, made: &Made) -> bool {
        let Made { attempt, event_type, event, webhook, delivery } = made;
        let line = match self.printer.json {
            true => json!({"type": "attempt", "at": attempt.started_at, "event": event,
                "event_type": event_type, "delivery": delivery, "webhook": webhook,
                "attempt": attempt.number, "outcome": attempt.outcome, "status": attempt.status,
                "latency_ms": attempt.duration_ms, "error": attempt.error,
                "response_body": attempt.response_body})
            .to_string(),
            false => {
                let row = Row::of_attempt(attempt, event_type, event, webhook);
                self.printer.fit(&self.lines.draw(&row))
            }
        };
        self.printer.flow(&line)
    }

    fn tell_all(&mut self, mut made: Vec<Made>) -> bool {
        made.retain(|made| self.wants(made));
        made.sort_by_key(|made| made.attempt.started_at);
        made.iter().all(|made| self.tell(made))
    }
}

pub(super) async fn run(args: TailArgs, client: &Client, printer: Printer) -> Result<(), Failure> {
    let clock = SystemClock::new();
    let only = args.status.iter().map(|text| only(text)).collect::<Result<_, _>>()?;
    let since = args.since.as_deref().map(|text| which::time("--since", text, clock.now()));
    let since = since.transpose()?;
    let (types, lines) = (Types::parse(&args.events)?, Lines::new(printer.colour()));
    let mut teller = Teller { types, only, lines, printer };
    let mut watch = Watch::begin(webhooks(&args.webhook, client).await?, client).await?;
    let mut past = match since {
        Some(since) => watch.since(since, client).await?,
        None => watch.newest(args.lines, &teller.types, client).await?,
    };
    past.retain(|made| teller.wants(made));
    past.sort_by_key(|made| made.attempt.started_at);
    let skipped = if since.is_some() { 0 } else { past.len().saturating_sub(args.lines) };
    let mut is_read = teller.tell_all(past.split_off(skipped));
    let (mut rounds, mut lost) = (0, false);
    while is_read && !args.no_follow {
        tokio::time::sleep(INTERVAL).await;
        rounds += 1;
        let round = async {
            if rounds % ROUNDS == 0 && args.webhook.is_empty() {
                watch.add(webhooks(&[], client).await?);
            }
            watch.round(clock.now(), client).await
        };
        match round.await {
            Ok(made) => {
                lost = false;
                is_read = teller.tell_all(made);
            }
            Err(ClientError::Unreachable { .. } | ClientError::TooFast { .. }) => {
                if !lost {
                    printer.talk("the connection was lost; trying again");
                }
                lost = true;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn webhooks(ids: &[String], client: &Client) -> Result<Vec<Webhook>, ClientError> {
    if ids.is_empty() {
        return query::all("/v1/webhooks", &[], client).await;
    }
    let mut named = Vec::new();
    for id in ids {
        named.push(query::one(client, "/v1/webhooks", id).await?);
    }
    Ok(named)
}
