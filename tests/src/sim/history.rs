//! What must be true of everything that was asked of the receivers, from the first start to the
//! last delivery.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bluum_hooks_dispatcher::store::{LEASE, StoredAttempt};
use bluum_hooks_shared::id::EventId;

use super::law::{self, Stored};
use super::ledger::{Asked, Entries, Known, span};
use super::world::World;

/// From claiming to asking, no more time passes than this.
const ON_THE_WAY: Duration = Duration::from_mins(1);
/// How long a receiver that throttles without saying how long is left alone.
const THROTTLED: Duration = Duration::from_mins(1);
/// After a fault of our own.
const OUR_FAULT: Duration = Duration::from_secs(5);
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);

/// A request, and what was recorded of it.
type Told<'a> = (&'a Asked, Option<&'a StoredAttempt>);

/// Holds the whole story against what was promised.
pub(super) fn hold(world: &World) -> Result<(), String> {
    let entries = world.ledger.open();
    let everything = law::everything(world, &entries);
    for (place, stored) in everything.iter().enumerate() {
        let context = |what: String| format!("webhook {place}: {what}");
        let known = &entries.webhooks[place];
        let told = recorded(place, &entries, stored).map_err(context)?;
        for (event, told) in &told {
            let kept = stored.values().any(|(one, _)| one.event == *event);
            let told = in_time(&entries, told);
            // What is forgotten says nothing any more of what was recorded.
            for pair in told.windows(2).filter(|_| kept) {
                repeated_for_a_reason(known, &entries, pair[0], pair[1]).map_err(context)?;
                attempts_are_numbered(pair[0].0, pair[1].0).map_err(context)?;
            }
            not_too_early(known, &told).map_err(context)?;
            delivered_once(known, &told).map_err(context)?;
        }
        in_order(known, &entries, &told).map_err(context)?;
        if !known.deleted {
            everything_arrived(place, &entries, &told).map_err(context)?;
        }
    }
    Ok(())
}

fn must(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// The requests for each event, in their order, each with what is stored of it. Every stored
/// attempt was made, with that outcome; and every answer of the last process is stored.
fn recorded<'a>(
    place: usize,
    entries: &'a Entries,
    stored: &'a BTreeMap<i64, Stored>,
) -> Result<BTreeMap<EventId, Vec<Told<'a>>>, String> {
    let attempts = stored.values().flat_map(|(one, list)| list.iter().map(|it| (one.event, it)));
    let mut by_span: BTreeMap<u64, (EventId, &StoredAttempt)> = BTreeMap::new();
    for (event, attempt) in attempts {
        let other = by_span.insert(span(attempt.attempt.id), (event, attempt));
        must(other.is_none(), || format!("recorded twice: {attempt:?}"))?;
    }
    let kept: BTreeSet<_> = stored.values().map(|(one, _)| one.event).collect();
    let mut told: BTreeMap<EventId, Vec<Told<'_>>> = BTreeMap::new();
    for asked in entries.asked.iter().filter(|asked| asked.webhook == place) {
        let found = by_span.remove(&asked.span);
        let same = found.is_none_or(|(event, attempt)| {
            let recorded = (attempt.attempt.outcome, attempt.attempt.status);
            event == asked.event
                && asked.end.is_some_and(|end| (end.outcome, end.status) == recorded)
        });
        must(same, || format!("recorded otherwise than it was: {asked:?} {found:?}"))?;
        let last = asked.boot == entries.boot() && kept.contains(&asked.event);
        must(!last || found.is_some(), || format!("never recorded: {asked:?}"))?;
        told.entry(asked.event).or_default().push((asked, found.map(|(_, attempt)| attempt)));
    }
    must(by_span.is_empty(), || format!("recorded and never asked: {by_span:?}"))?;
    Ok(told)
}

/// Asked again only if the answer was a failure, was not heard, could not be recorded, or if the
/// owner wanted it again.
fn repeated_for_a_reason(
    known: &Known,
    entries: &Entries,
    (first, recorded): Told<'_>,
    (again, _): Told<'_>,
) -> Result<(), String> {
    let heard = first.end.is_some_and(|end| end.is_success());
    let wanted = known.replays.iter().any(|(asked, delivered)| *delivered && *asked < again.begun);
    let given_up = || entries.refused.contains(&first.span) && lease_is_over(entries, first, again);
    let reason = match recorded {
        Some(_) if heard => wanted,
        Some(_) => true,
        None => first.boot != again.boot || leapt(entries, first, again) || given_up(),
    };
    must(reason, || format!("asked again for no reason: {first:?} {recorded:?} {again:?}"))
}

/// Without what may have been sent by a worker that was still asleep when its claim had run out,
/// because the clock was put forward. The store refuses what it reports.
fn in_time<'a>(entries: &Entries, told: &[Told<'a>]) -> Vec<Told<'a>> {
    let late = |asked: &Asked| {
        let begun = entries.boots[asked.boot - 1];
        entries.leaps.iter().any(|leap| (begun..asked.begun).contains(leap))
    };
    told.iter().copied().filter(|(asked, recorded)| recorded.is_some() || !late(asked)).collect()
}

/// Whether the claim of the first may have run out when the second was made.
fn lease_is_over(entries: &Entries, first: &Asked, second: &Asked) -> bool {
    leapt(entries, first, second) || second.latest.since(first.wall) + ON_THE_WAY >= LEASE
}

/// Whether the clock was put forward by more than a lease before the second was made.
fn leapt(entries: &Entries, first: &Asked, second: &Asked) -> bool {
    let begun = entries.boots[first.boot - 1];
    entries.leaps.iter().any(|leap| (begun..second.begun).contains(leap))
}

/// The header counts what is recorded, so it stays or goes one up.
fn attempts_are_numbered(first: &Asked, again: &Asked) -> Result<(), String> {
    must((first.number..=first.number + 1).contains(&again.number), || {
        format!("attempts are numbered otherwise: {first:?} {again:?}")
    })
}

/// Never earlier than the schedule less a fifth, nor than the receiver asked for.
fn not_too_early(known: &Known, told: &[Told<'_>]) -> Result<(), String> {
    let mut failures = 0;
    for (index, (asked, recorded)) in told.iter().enumerate() {
        let Some(end) = asked.end.filter(|end| recorded.is_some() && !end.is_success()) else {
            continue;
        };
        let scheduled =
            if end.is_failure() { known.waits.get(failures).copied() } else { Some(OUR_FAULT) };
        failures += usize::from(end.is_failure());
        let later = told[index + 1..].iter().map(|(later, _)| later);
        let next = later.filter(|later| later.begun > end.tick).min_by_key(|later| later.begun);
        let Some(next) = next else { continue };
        if !known.plain_until(next.begun) || known.changed(told[0].0.begun, next.begun) {
            // It may have been parked, and released as if it were new.
            return Ok(());
        }
        must(scheduled.is_some() && end.status != Some(410), || {
            format!("asked again after the last time: {asked:?} {next:?}")
        })?;
        let wanted = match end.status {
            Some(429) => end.retry_after.unwrap_or(THROTTLED),
            Some(503) => end.retry_after.unwrap_or_default(),
            Some(502 | 504) => THROTTLED,
            _ => Duration::ZERO,
        };
        let least = scheduled.unwrap_or_default().mul_f64(0.8);
        let due = end.wall.plus(least.max(wanted.min(LONGEST_RETRY_AFTER)));
        must(next.latest >= due, || format!("asked before {due}: {asked:?} {next:?}"))?;
    }
    Ok(())
}

/// A success that is recorded is the last, but for as many more as the owner asked for.
fn delivered_once(known: &Known, told: &[Told<'_>]) -> Result<(), String> {
    let successes = told.iter().filter(|(asked, recorded)| {
        recorded.is_some() && asked.end.is_some_and(|end| end.is_success())
    });
    let wanted = known.replays.iter().filter(|(_, delivered)| *delivered).count();
    let count = successes.count();
    must(count <= 1 + wanted, || format!("delivered {count} times, replayed {wanted}: {told:?}"))
}

/// Of each key, nothing is asked for the first time before what was accepted earlier; and until the
/// owner does something, nothing is asked again once the next has had its turn.
fn in_order(
    known: &Known,
    entries: &Entries,
    told: &BTreeMap<EventId, Vec<Told<'_>>>,
) -> Result<(), String> {
    let mut lines: BTreeMap<&str, &[Told<'_>]> = BTreeMap::new();
    let mut told: Vec<_> = told.iter().filter(|_| known.in_order).collect();
    told.sort_by_key(|(_, told)| told[0].0.sequence);
    for (event, told) in told {
        let key = entries.published.get(event).and_then(|event| event.key.as_deref());
        let Some(key) = key else { continue };
        let Some(before) = lines.insert(key, told) else { continue };
        let last = in_time(entries, before).last().map_or(before[0].0, |(asked, _)| *asked);
        let first = told[0].0;
        let overtaken = before[0].0.begun > first.begun;
        must(!overtaken || !known.plain_until(before[0].0.begun), || {
            format!("{key}: overtaken: {:?} by {first:?}", before[0].0)
        })?;
        let plain = known.plain_until(last.begun) && !known.changed(before[0].0.begun, last.begun);
        must(last.begun < first.begun || !plain, || {
            format!("{key}: {last:?} came when it was the turn of {first:?}")
        })?;
        let beside = before.iter().find(|(asked, _)| {
            let ended = asked.end.map_or(u64::MAX, |end| end.tick);
            let both = asked.boot == first.boot && (asked.begun..ended).contains(&first.begun);
            both && !lease_is_over(entries, asked, first)
        });
        must(beside.is_none(), || format!("{key}: beside each other: {beside:?} {first:?}"))?;
    }
    Ok(())
}

/// What was accepted has arrived, and nothing of what was in doubt arrived in part; the numbers
/// have no hole.
fn everything_arrived(
    place: usize,
    entries: &Entries,
    told: &BTreeMap<EventId, Vec<Told<'_>>>,
) -> Result<(), String> {
    let success = |(asked, _): &Told<'_>| asked.end.is_some_and(|end| end.is_success());
    let arrived = |event: &EventId| told.get(event).is_some_and(|told| told.iter().any(success));
    let lost = entries.owed(place).find(|event| !arrived(event));
    must(lost.is_none(), || format!("{lost:?} was accepted and never arrived"))?;
    let numbers: BTreeSet<i64> = told.values().map(|told| told[0].0.sequence).collect();
    let whole = numbers.iter().copied().eq(1..=i64::try_from(numbers.len()).unwrap_or(i64::MAX));
    must(whole, || format!("the numbers have a hole: {numbers:?}"))
}
