//! The newest event: what `last` means.

use std::time::Duration;

use bluum_hooks_shared::api::{List, MAX_LIMIT};
use bluum_hooks_shared::time::Timestamp;
use serde_json::value::RawValue;

use super::args::ListArgs;
use super::failure::Failure;
use super::{events, query};
use crate::client::Client;
use crate::clock::{Clock, SystemClock};

/// How far back the newest event is looked for, step by step.
const STEPS: [Duration; 4] = [
    Duration::from_mins(1),
    Duration::from_hours(1),
    Duration::from_hours(24),
    Duration::from_hours(24 * 365 * 100),
];

/// The newest event of all. The list begins with the oldest, so the time of the newest is closed
/// in on.
pub(super) async fn event(client: &Client) -> Result<Option<String>, Failure> {
    // Somebody's clock may be ahead of ours.
    let now = SystemClock::new().now().plus(Duration::from_hours(1));
    let mut nothing_from = now;
    for step in STEPS {
        let mut from = now.minus(Duration::from_hours(1) + step);
        loop {
            let at = from.to_string();
            let (events, more) = page(None, &[("since", Some(&at))], client).await?;
            match (events.last(), more) {
                (Some((id, _)), false) => return Ok(Some(id.clone())),
                (None, _) => nothing_from = from,
                (Some((id, _)), true) if nothing_from.since(from) < Duration::from_millis(2) => {
                    return last_after(id.clone(), client).await.map(Some);
                }
                (Some(_), true) => {
                    // There is more than a page from here on: look at the younger half.
                    let younger = halfway(from, nothing_from);
                    if page(None, &[("since", Some(&younger.to_string()))], client)
                        .await?
                        .0
                        .is_empty()
                    {
                        nothing_from = younger;
                    } else {
                        from = younger;
                    }
                    continue;
                }
            }
            break;
        }
    }
    Ok(None)
}

fn halfway(from: Timestamp, to: Timestamp) -> Timestamp {
    from.plus(to.since(from) / 2)
}

async fn last_after(mut last: String, client: &Client) -> Result<String, Failure> {
    loop {
        let (events, more) = page(Some(last.clone()), &[], client).await?;
        last = events.last().map_or(last, |(id, _)| id.clone());
        if !more {
            return Ok(last);
        }
    }
}

/// Ids and types of a page of events, and whether there are more.
pub(super) async fn page(
    starting_after: Option<String>,
    filters: &[(&str, Option<&str>)],
    client: &Client,
) -> Result<(Vec<(String, String)>, bool), Failure> {
    let whole = ListArgs { limit: Some(MAX_LIMIT), starting_after };
    let answer = client.get(&query::path("/v1/events", &whole, filters)).await?;
    let page: List<Box<RawValue>> = client.read(&answer)?;
    let events = page.data.iter().map(|event| {
        let event = events::read(event.get().as_bytes())?;
        Ok((event.id, event.name))
    });
    Ok((events.collect::<Result<_, Failure>>()?, page.has_more))
}
