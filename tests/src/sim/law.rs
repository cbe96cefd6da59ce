//! What is true of everything stored, after every life of the process, and whenever nothing moves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bluum_hooks_dispatcher::clock::Clock as _;
use bluum_hooks_dispatcher::context::Context;
use bluum_hooks_dispatcher::policy::state::{ParkReason, State};
use bluum_hooks_dispatcher::store::{DeliveryFilter, Store as _, StoredAttempt, StoredDelivery};
use bluum_hooks_shared::api::{AttemptOutcome, DeliveryStatus};
use bluum_hooks_shared::id::EventId;

use super::drive::Ending;
use super::ledger::{Entries, Known};
use super::world::{World, at_once};
use crate::conformance::world::ALL;

/// The longest that nothing is sent to a webhook that is silent.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// A delivery with its attempts.
pub(super) type Stored = (StoredDelivery, Vec<StoredAttempt>);

/// Everything stored, by webhook and sequence number.
pub(super) fn everything(world: &World, entries: &Entries) -> Vec<BTreeMap<i64, Stored>> {
    let of = |known: &Known| {
        let deliveries = list(world, known, None).into_iter();
        let with_attempts =
            deliveries.filter_map(|one| at_once(world.store.delivery(one.id)).ok()?);
        with_attempts.map(|stored| (stored.0.sequence, stored)).collect()
    };
    entries.webhooks.iter().map(of).collect()
}

fn list(world: &World, known: &Known, status: Option<DeliveryStatus>) -> Vec<StoredDelivery> {
    let filter = DeliveryFilter { webhook: Some(known.id), status, ..DeliveryFilter::default() };
    at_once(world.store.deliveries(&filter, ALL)).unwrap_or_default()
}

fn must(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// Holds all that is stored against what was seen.
pub(super) fn stored(world: &World, ending: Ending) -> Result<(), String> {
    let entries = world.ledger.open();
    let everything = everything(world, &entries);
    for (place, (known, stored)) in entries.webhooks.iter().zip(&everything).enumerate() {
        let context = |what: String| format!("webhook {place}: {what}");
        numbered(place, known, stored, &entries).map_err(context)?;
        in_line(stored).map_err(context)?;
        for one in stored.values() {
            counted(known, one).map_err(context)?;
            parked_for_a_reason(place, known, one, &entries).map_err(context)?;
            must(ending != Ending::Stopped || nothing_left(world, one), || {
                format!("webhook {place}: left behind by a stop: {:?}", one.0)
            })?;
        }
    }
    accepted_is_there(&entries, &everything)
}

/// Numbered 1, 2, 3 …, and what is missing has been delivered and forgotten.
fn numbered(
    place: usize,
    known: &Known,
    stored: &BTreeMap<i64, Stored>,
    entries: &Entries,
) -> Result<(), String> {
    let events: BTreeSet<EventId> = stored.values().map(|(one, _)| one.event).collect();
    must(events.len() == stored.len(), || "an event has two deliveries".into())?;
    let listed = stored.values().filter(|(one, _)| one.webhook == known.id).count();
    must(listed == stored.len(), || "a delivery of another webhook".into())?;
    let last = stored.keys().next_back().copied().unwrap_or(0);
    let missing = (1..=last).find(|number| {
        let delivered = || {
            entries.asked.iter().any(|asked| {
                let this = asked.webhook == place && asked.sequence == *number;
                this && asked.end.is_some_and(|end| end.is_success())
            })
        };
        !stored.contains_key(number) && !delivered()
    });
    must(missing.is_none(), || format!("number {missing:?} is missing"))
}

/// Of one key, one delivery is under way, and the rest are queued behind it.
fn in_line(stored: &BTreeMap<i64, Stored>) -> Result<(), String> {
    let (mut heads, mut queued) = (BTreeSet::new(), BTreeSet::new());
    for (one, _) in stored.values() {
        let Some(key) = &one.ordering_key else { continue };
        match one.progress.state.status() {
            DeliveryStatus::Waiting | DeliveryStatus::Leased => {
                must(heads.insert(key), || format!("two under way of {key}: {one:?}"))?;
            }
            DeliveryStatus::Queued => {
                queued.insert(key);
            }
            _ => {}
        }
    }
    must(queued.is_subset(&heads), || format!("queued behind nobody: {queued:?}, {heads:?}"))
}

/// As many attempts and failures as there were.
fn counted(known: &Known, (one, attempts): &Stored) -> Result<(), String> {
    let progress = one.progress;
    let numbers = attempts.iter().map(|attempt| attempt.number);
    must(numbers.eq(1..=progress.attempts), || format!("attempts of {one:?}: {attempts:?}"))?;
    let no_failure = [AttemptOutcome::Delivered, AttemptOutcome::OurFault];
    let outcomes = attempts.iter().map(|attempt| attempt.attempt.outcome);
    let failed = outcomes.filter(|outcome| !no_failure.contains(outcome)).count();
    let counted = usize::try_from(progress.failures).unwrap_or(usize::MAX);
    let plain = known.replays.is_empty() && known.changes.is_empty();
    must(counted == failed || (counted < failed && !plain), || {
        format!("{failed} failures of the receiver, {counted} counted: {one:?} {attempts:?}")
    })
}

fn parked_for_a_reason(
    place: usize,
    known: &Known,
    (one, attempts): &Stored,
    entries: &Entries,
) -> Result<(), String> {
    let State::Parked { reason, .. } = one.progress.state else { return Ok(()) };
    let last = attempts.last().and_then(|attempt| attempt.attempt.status);
    let legitimate = match reason {
        ParkReason::Exhausted => {
            usize::try_from(one.progress.failures) == Ok(known.waits.len() + 1)
        }
        ParkReason::Gone => last == Some(410),
        ParkReason::Disabled => {
            let mut asked = entries.asked.iter().filter(|asked| asked.webhook == place);
            // A failure is gone, or one too many for too long.
            let failed = asked.any(|asked| asked.end.is_some_and(|end| end.is_failure()));
            !known.changes.is_empty() || failed
        }
        ParkReason::Deleted => known.deleted,
        // Nobody listens in here.
        ParkReason::CrashesWorker | ParkReason::Skipped | ParkReason::Expired => false,
    };
    must(legitimate, || format!("parked for nothing: {one:?} {attempts:?}"))
}

/// Whether a process that was stopped, on a store that was well all the time, has given back what
/// it held.
fn nothing_left(world: &World, (one, _): &Stored) -> bool {
    let weather = world.weather.lock().unwrap();
    let well = weather.refused + weather.lost == 0 && weather.out_until == Duration::ZERO;
    let lapses = |until| until <= world.clock.latest();
    let state = one.progress.state;
    !well || state.status() != DeliveryStatus::Leased || state.due_at().is_some_and(lapses)
}

/// What a publisher was told is stored is stored, for each webhook that was there.
fn accepted_is_there(
    entries: &Entries,
    everything: &[BTreeMap<i64, Stored>],
) -> Result<(), String> {
    for (place, stored) in everything.iter().enumerate() {
        let mut there: BTreeSet<_> = stored.values().map(|(one, _)| one.event).collect();
        let asked = entries.asked.iter().filter(|asked| asked.webhook == place);
        there.extend(asked.map(|asked| asked.event));
        let lost = entries.owed(place).find(|event| !there.contains(event));
        must(lost.is_none(), || format!("webhook {place}: {lost:?} was accepted and is lost"))?;
    }
    Ok(())
}

/// Nothing that is due is left lying, and nothing is leased that nobody holds. True at rest of a
/// process without faults of its own.
pub(super) fn prompt(world: &World, context: &Context) -> Result<(), String> {
    let entries = world.ledger.open();
    let (now, monotonic) = (world.clock.now(), world.clock.monotonic());
    let registry = world.store.registry();
    let mut leased = 0;
    for (place, known) in entries.webhooks.iter().enumerate() {
        let lapsed = |one: &StoredDelivery| one.progress.state.due_at().is_some_and(|at| at <= now);
        let under_way = list(world, known, Some(DeliveryStatus::Leased));
        let claimed = under_way.iter().filter(|one| !lapsed(one)).count();
        let own = entries.open.iter().filter(|at| entries.asked[**at].webhook == place).count();
        leased += claimed;
        must(own > 0 || claimed == 0, || {
            format!("webhook {place}: {claimed} wait for their turn, and none is under way")
        })?;
        // With one under way, a second may be held back: it is silent, or slots are scarce.
        let number = registry.webhook_number(known.id).unwrap_or_default();
        let pauses = context.slots.paused_until(number);
        must(pauses.is_none_or(|until| until <= monotonic + LONGEST_PAUSE), || {
            format!("webhook {place} pauses until {pauses:?}")
        })?;
        let room = own == 0 && pauses.is_none() && context.slots.in_flight() < entries.slots;
        let waiting = list(world, known, Some(DeliveryStatus::Waiting)).into_iter();
        let mut due = waiting.chain(under_way).filter(lapsed);
        let lying = due.next().filter(|_| room);
        must(lying.is_none(), || format!("webhook {place}: due and left lying: {lying:?}"))?;
    }
    let (held, open) = (context.slots.in_flight(), entries.open.len());
    must(leased == held && open <= held, || {
        format!("{leased} leased, {held} slots taken, {open} under way")
    })
}

/// When something is due next.
pub(super) fn next_due(world: &World) -> Option<Duration> {
    let (now, monotonic) = (world.clock.now(), world.clock.monotonic());
    let entries = world.ledger.open();
    let known = entries.webhooks.iter();
    let waiting = known.flat_map(|known| list(world, known, Some(DeliveryStatus::Waiting)));
    let due = waiting.filter_map(|one| one.progress.state.due_at());
    let next = due.filter(|at| *at > now).min();
    next.map(|at| monotonic + at.since(now))
}

/// Whether anything is neither delivered nor parked, or a replay runs.
pub(super) fn something_is_owed(world: &World) -> bool {
    let open = [DeliveryStatus::Queued, DeliveryStatus::Waiting, DeliveryStatus::Leased];
    let entries = world.ledger.open();
    let mut known = entries.webhooks.iter();
    world.store.registry().replays().any(|replay| replay.is_running())
        || known.any(|known| open.iter().any(|at| !list(world, known, Some(*at)).is_empty()))
}
