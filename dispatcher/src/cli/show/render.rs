//! What was seen, as text for a terminal of 80 columns.

use std::time::Duration;

use bluum_hooks_shared::api::{Delivery, DeliveryStatus};
use bluum_hooks_shared::id::EventId;

use super::words::{first_line, harmless, paragraph, took, when};
use super::{Owed, Seen, explain, timeline};
use crate::cli::print::{or_dash, table};
use crate::cli::spacing::pretty;

/// How many of the webhooks that an event was not sent to are told one by one.
const MOST_ABSENT: usize = 10;

pub(super) fn text(seen: &Seen, why: bool, colour: bool) -> String {
    let mut blocks = vec![head(seen)];
    if !why {
        let pretty = pretty(&seen.raw);
        blocks.push(pretty.lines().map(harmless).collect::<Vec<_>>().join("\n"));
    }
    blocks.extend(seen.owed.iter().map(|owed| block(owed, seen, why, colour)));
    if why {
        blocks.extend(absent(seen));
        blocks.extend(faults(seen));
    } else if seen.owed.is_empty() {
        blocks.push("No webhook got it.".into());
    }
    if !why {
        blocks.extend(by_hand(seen));
    }
    if !why && !seen.owed.iter().any(|owed| owed.delivery.status == DeliveryStatus::Delivered) {
        blocks.push(format!("Why? bluum-hooks show {} --why", seen.event.id));
    }
    blocks.join("\n\n")
}

fn head(seen: &Seen) -> String {
    let event = &seen.event;
    let accepted = event.id.parse().map(EventId::made_at).unwrap_or(event.timestamp);
    let key = seen.owed.iter().find_map(|owed| owed.delivery.ordering_key.as_deref());
    let mut lines = vec![
        format!("{}  {}", event.id, harmless(&event.name)),
        paragraph("  accepted  ", &when(accepted, seen.now)),
        paragraph("  mode      ", if event.livemode { "live" } else { "sandbox" }),
    ];
    lines.extend(key.map(|key| paragraph("  in line   ", &format!("by {}", harmless(key)))));
    lines.join("\n")
}

pub(super) fn block(owed: &Owed, seen: &Seen, why: bool, colour: bool) -> String {
    let delivery = &owed.delivery;
    let standing = explain::standing(delivery, seen.now);
    let standing = if colour { painted(&standing, delivery.status) } else { standing };
    let webhook = format!("{}, sequence {}", delivery.webhook_id, delivery.sequence);
    let url = owed.webhook.as_ref().map_or("(deleted)".into(), |webhook| harmless(&webhook.url));
    let mut lines = vec![
        delivery.id.to_string(),
        format!("  {standing}"),
        format!("  to    {webhook}"),
        format!("        {url}"),
    ];
    if why {
        let timeline = timeline::lines(delivery, seen.now);
        if !timeline.is_empty() {
            lines.push(String::new());
            lines.extend(timeline);
        }
        lines.push(String::new());
        let said = explain::delivery(owed, seen.now);
        lines.push(paragraph("  why   ", &said.why));
        lines.push(paragraph("  next  ", &said.next));
        lines.extend(said.commands.iter().map(|command| format!("          {command}")));
    } else if let Some(attempts) = attempts(delivery) {
        lines.extend([String::new(), attempts]);
    }
    lines.join("\n")
}

/// A line for each request that was made.
fn attempts(delivery: &Delivery) -> Option<String> {
    let attempts = delivery.attempts.as_deref().filter(|attempts| !attempts.is_empty())?;
    let rows = attempts.iter().map(|attempt| {
        let took = took(Duration::from_millis(attempt.duration_ms));
        let said = attempt.response_body.as_deref().and_then(first_line);
        let error = attempt.error.as_deref().filter(|_| attempt.status.is_none()).map(harmless);
        let number = format!("#{}", attempt.number);
        let answer = error.or(said).unwrap_or_default();
        [number, attempt.started_at.to_string(), or_dash(attempt.status), took, answer]
    });
    let table = table(["TRY", "STARTED", "STATUS", "TOOK", "ANSWER"], rows);
    Some(table.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"))
}

/// A command to copy: what a receiver gets, but for the signature, which only its secret makes. It
/// goes to this machine: whoever tries something out does not mean production.
fn by_hand(seen: &Seen) -> Option<String> {
    const MOST_BYTES: usize = 4096;
    let owed = seen.owed.first()?;
    let (id, body) = (&seen.event.id, &seen.raw);
    let signed = format!("bluum-hooks replay {id} --to PORT/PATH");
    // What a terminal would not show as it is cannot be copied from it either.
    if body.len() > MOST_BYTES || harmless(body) != *body {
        return Some(format!("Send it by hand:\n  {signed}"));
    }
    let is_here = |url: &&str| {
        ["http://127.0.0.1", "http://localhost", "http://[::1]"]
            .iter()
            .any(|here| url.strip_prefix(here).is_some_and(|rest| rest.starts_with([':', '/'])))
    };
    let url = owed.webhook.as_ref().map(|webhook| &*webhook.url).filter(is_here);
    let url = quoted(&harmless(url.unwrap_or("http://localhost:3000/webhooks")));
    let Delivery { sequence, attempt_count, .. } = owed.delivery;
    let lines = [
        format!("  curl {url} -H 'content-type: application/json'"),
        format!("    -H 'webhook-id: {id}'"),
        format!(
            "    -H 'webhook-sequence: {sequence}' -H 'webhook-attempt: {}'",
            attempt_count.max(1)
        ),
        format!("    --data-raw {}", quoted(body)),
    ];
    Some(format!("Send it by hand, not signed:\n{}\nSigned:\n  {signed}", lines.join(" \\\n")))
}

/// For a shell, one word.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn painted(text: &str, status: DeliveryStatus) -> String {
    let colour = match status {
        DeliveryStatus::Delivered => 32,
        DeliveryStatus::Parked => 31,
        DeliveryStatus::Queued | DeliveryStatus::Waiting | DeliveryStatus::Leased => 33,
    };
    format!("\x1b[{colour}m{text}\x1b[0m")
}

fn absent(seen: &Seen) -> Option<String> {
    let absent = explain::absent(seen);
    if absent.is_empty() && !seen.owed.is_empty() {
        return None;
    }
    if absent.is_empty() {
        return Some(
            "There is no webhook that could get it. Register one for the events to come:\n  \
             bluum-hooks webhooks create --url URL --events LIST"
                .into(),
        );
    }
    let mut lines = vec!["Not sent to".to_owned()];
    for one in absent.iter().take(MOST_ABSENT) {
        lines.push(format!("  {}  {}", one.webhook_id, harmless(&one.url)));
        lines.push(paragraph("      ", &one.why));
    }
    if let Some(more) = absent.len().checked_sub(MOST_ABSENT).filter(|more| *more > 0) {
        lines.push(format!("  … and {more} more: --json has them all"));
    }
    Some(lines.join("\n"))
}

/// While the daemon has a fault of its own, what it owes may wait for that.
fn faults(seen: &Seen) -> Option<String> {
    let done = |owed: &Owed| owed.delivery.finished_at.is_some();
    if seen.faults.is_empty() || seen.owed.iter().all(done) {
        return None;
    }
    let mut lines = vec!["The daemon has faults of its own, which may keep it from sending".into()];
    lines.extend(seen.faults.iter().map(|fault| {
        let label = format!("  {}  ", harmless(&fault.fault));
        let detail = harmless(&fault.detail);
        paragraph(&label, &format!("since {}: {detail}", when(fault.since, seen.now)))
    }));
    Some(lines.join("\n"))
}
