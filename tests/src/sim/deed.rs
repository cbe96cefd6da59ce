//! What people do, and what befalls the dispatcher.

use std::time::Duration;

use bluum_hooks_dispatcher::clock::Clock as _;
use bluum_hooks_dispatcher::context::Context;
use bluum_hooks_dispatcher::notice;
use bluum_hooks_dispatcher::publish::{self, Addressee, Publication};
use bluum_hooks_dispatcher::random::Random as _;
use bluum_hooks_dispatcher::store::{
    Change, DeliveryFilter, Edit, NewEvent, Replay, ReplayFilter, Store as _,
};
use bluum_hooks_shared::api::{DeliveryStatus, WebhookStatus};
use bluum_hooks_shared::id::ReplayId;
use serde_json::value::RawValue;

use super::drive::Process;
use super::ledger::Published;
use super::world::{World, at_once};
use crate::conformance::world::ALL;
use crate::walk::dice::Dice;

const NAMES: [&str; 3] = ["order.filled", "deposit.completed", "kyc.decided"];
/// What events are about; the last of them, about nothing in particular.
const ABOUT: [&str; 5] = [r#"{"id":"a"}"#, r#"{"id":"a"}"#, r#"{"id":"b"}"#, r#"{"id":"c"}"#, "{}"];
/// More than a lease, and any wait between.
const LEAP: Duration = Duration::from_mins(10);
/// Longer than a lease.
const LONG_OUTAGE: Duration = Duration::from_mins(4);
/// More webhooks than this are not added.
const MOST_WEBHOOKS: usize = 6;

/// One of them.
#[derive(Debug)]
pub(super) enum Deed {
    Nothing,
    Publish(usize),
    Status(usize, WebhookStatus),
    Delete(usize),
    Add,
    ReplayOne(usize),
    ReplayAll {
        webhook: usize,
        delivered: bool,
    },
    CancelReplays(usize),
    /// The wall clock is put forward or back.
    Clock {
        forward: bool,
        by: Duration,
    },
    Outage(Duration),
    Crash,
    Stop(Duration),
}

/// The next deed. The last one ends the process, so that the end begins with a start.
pub(super) fn draw(world: &mut World) -> Deed {
    let webhooks = world.ledger.open().webhooks.len();
    let World { dice, deeds, replays, .. } = world;
    let grace = dice.micros(0..10_000_000);
    if *deeds == 0 {
        return if dice.one_in(2) { Deed::Crash } else { Deed::Stop(grace) };
    }
    *deeds -= 1;
    let webhook = dice.size(0..webhooks);
    match dice.size(0..100) {
        0..10 => Deed::Status(webhook, WebhookStatus::Inactive),
        10..25 => Deed::Status(webhook, WebhookStatus::Active),
        25..28 if *replays => Deed::ReplayOne(webhook),
        28..35 if *replays => Deed::ReplayAll { webhook, delivered: !dice.one_in(3) },
        35 if *replays => Deed::CancelReplays(webhook),
        36 if webhooks < MOST_WEBHOOKS => Deed::Add,
        37 => Deed::Delete(webhook),
        38..40 => Deed::Clock { forward: dice.one_in(2), by: dice.micros(1..2_000_000) },
        40 => Deed::Clock { forward: true, by: LEAP },
        41..43 => Deed::Outage(dice.micros(1..3_000_000)),
        43 => Deed::Outage(LONG_OUTAGE),
        44..50 => Deed::Crash,
        50..53 => Deed::Stop(grace),
        _ => Deed::Publish(dice.size(1..5)),
    }
}

/// How many polls, or how long, until it is done. At least one of them is not zero.
pub(super) fn draw_wait(dice: &mut Dice, last: &Deed, next: &Deed) -> (usize, Duration) {
    match dice.size(0..100) {
        // The end of a long outage is to be seen.
        _ if matches!(last, Deed::Outage(LONG_OUTAGE)) => (0, Duration::from_mins(5)),
        _ if matches!(next, Deed::Crash) && !dice.one_in(4) => (dice.size(1..60), Duration::ZERO),
        0..40 => (dice.size(1..30), Duration::ZERO),
        40..70 => (0, dice.micros(1..300_000)),
        70..95 => (0, dice.micros(1..5_000_000)),
        95..99 => (0, dice.micros(1..60_000_000)),
        _ => (0, Duration::from_mins(5)),
    }
}

/// What is still to be done so that everything is delivered: webhooks that are stopped are to be
/// started, and what is parked is to be replayed.
pub(super) fn amends(world: &World) -> Vec<Deed> {
    let registry = world.store.registry();
    let webhooks = world.ledger.open().webhooks.iter().map(|known| known.id).collect::<Vec<_>>();
    let places = webhooks.into_iter().enumerate();
    let deed = |(place, id)| {
        let webhook = registry.webhook(id)?;
        if webhook.stopped().is_some() {
            return Some(Deed::Status(place, WebhookStatus::Active));
        }
        let status = Some(DeliveryStatus::Parked);
        let filter = DeliveryFilter { webhook: Some(id), status, ..DeliveryFilter::default() };
        let parked = at_once(world.store.deliveries(&filter, ALL)).unwrap();
        (!parked.is_empty()).then_some(Deed::ReplayAll { webhook: place, delivered: false })
    };
    places.filter_map(deed).collect()
}

impl Deed {
    /// Begins it. What waits for the store does so in a task, which dies with the process.
    pub(super) fn perform(&self, world: &mut World, process: &Process) {
        world.trace.note(|| format!("{self:?}"));
        let context = process.context.clone();
        match *self {
            Self::Publish(count) => publish(world, process, count),
            Self::Status(webhook, status) => set_status(world, context, webhook, status),
            Self::Delete(webhook) => delete(world, context, webhook),
            Self::Add => add(world, context),
            Self::ReplayOne(webhook) => replay_one(world, context, webhook),
            Self::ReplayAll { webhook, delivered } => {
                replay_all(world, context, webhook, delivered);
            }
            Self::CancelReplays(webhook) => cancel_replays(world, context, webhook),
            Self::Clock { forward, by } => {
                world.clock.put(forward, by);
                let mut entries = world.ledger.open();
                let tick = entries.tick();
                entries.leaps.extend((forward && by >= LEAP).then_some(tick));
            }
            Self::Outage(duration) => {
                let until = world.clock.monotonic() + duration;
                world.weather.lock().unwrap().out_until = until;
            }
            Self::Nothing | Self::Crash | Self::Stop(_) => {}
        }
    }
}

fn publish(world: &mut World, process: &Process, count: usize) {
    let Some(acceptor) = process.acceptor.clone() else { return };
    let mut entries = world.ledger.open();
    let begun = entries.tick();
    let mut events: Vec<NewEvent> = Vec::new();
    for _ in 0..count {
        let (name, data) = (world.dice.pick(&NAMES), world.dice.pick(&ABOUT));
        let data = RawValue::from_string(data.to_owned()).unwrap();
        let said = Publication {
            event: name,
            data: &data,
            investor_id: None,
            ordering_key: None,
            idempotency_key: None,
            timestamp: None,
        };
        let to = Addressee { tenant: world.dice.pick(&world.tenants), livemode: false };
        let event = publish::check(said, to, world.clock.now(), &*world.random).unwrap();
        let published = Published {
            tenant: event.tenant,
            name: event.name.clone(),
            key: event.ordering_key.clone(),
            begun,
            answered: None,
        };
        entries.publishing(event.id, published, event.body.clone());
        events.push(event);
    }
    drop(entries);
    let (ledger, trace) = (world.ledger.clone(), world.trace.clone());
    tokio::spawn(async move {
        let ids: Vec<_> = events.iter().map(|event| event.id).collect();
        let answer = acceptor.accept(events, None).await;
        trace.note(|| format!("the publisher of {ids:?} is told {answer:?}"));
        ledger.open().answered(&ids, answer.is_ok());
    });
}

fn set_status(world: &World, context: Context, place: usize, status: WebhookStatus) {
    let mut entries = world.ledger.open();
    let begun = entries.tick();
    let known = &mut entries.webhooks[place];
    let (id, change) = (known.id, known.changes.len());
    known.changes.push((begun, None));
    drop(entries);
    let ledger = world.ledger.clone();
    tokio::spawn(async move {
        let (now, random) = (context.clock.now(), context.random.clone());
        let edit = Edit::new(move |draft| {
            let before = draft.status;
            draft.status = status;
            draft.status_reason = None;
            Some(notice::status_changed(before, draft, now, &*random))
        });
        let _ = context.change(Change::EditWebhook(id, edit), None, now).await;
        let mut entries = ledger.open();
        let tick = entries.tick();
        entries.webhooks[place].changes[change].1 = Some(tick);
    });
}

fn delete(world: &World, context: Context, place: usize) {
    let mut entries = world.ledger.open();
    let begun = entries.tick();
    let known = &mut entries.webhooks[place];
    // It never comes back, so there is nothing to be said of it any more.
    known.deleted = true;
    known.changes.push((begun, None));
    let id = known.id;
    drop(entries);
    tokio::spawn(async move {
        let now = context.clock.now();
        let edit = Edit::new(move |draft| {
            draft.deleted_at = Some(now);
            Some(bluum_hooks_dispatcher::store::Edited::default())
        });
        let _ = context.change(Change::EditWebhook(id, edit), None, now).await;
    });
}

fn add(world: &mut World, context: Context) {
    let draft = world.draft();
    let ledger = world.ledger.clone();
    let place = ledger.open().webhooks.len() - 1;
    tokio::spawn(async move {
        let now = context.clock.now();
        let added = context.change(Change::AddWebhook(draft, usize::MAX), None, now).await;
        let mut entries = ledger.open();
        let tick = entries.tick();
        entries.webhooks[place].added = added.is_ok().then_some(tick);
    });
}

fn replay_one(world: &mut World, context: Context, place: usize) {
    let mut entries = world.ledger.open();
    let tick = entries.tick();
    let known = &mut entries.webhooks[place];
    known.replays.push((tick, true));
    let filter = DeliveryFilter { webhook: Some(known.id), ..DeliveryFilter::default() };
    drop(entries);
    let deliveries = at_once(world.store.deliveries(&filter, ALL)).unwrap();
    if deliveries.is_empty() {
        return;
    }
    let id = deliveries[world.dice.size(0..deliveries.len())].id;
    tokio::spawn(async move {
        let _ = context.store.replay(id, None, context.clock.now()).await;
        context.bell.ring();
    });
}

fn replay_all(world: &World, context: Context, place: usize, delivered: bool) {
    let mut entries = world.ledger.open();
    let tick = entries.tick();
    let known = &mut entries.webhooks[place];
    known.replays.push((tick, delivered));
    let filter = ReplayFilter { delivered, ..ReplayFilter::default() };
    let now = world.clock.now();
    let replay = Replay::new(ReplayId::new(now, world.random.bits()), known.id, filter, now);
    drop(entries);
    tokio::spawn(async move {
        let _ = context.change(Change::StartReplay(replay), None, now).await;
    });
}

fn cancel_replays(world: &World, context: Context, place: usize) {
    let id = world.ledger.open().webhooks[place].id;
    let registry = world.store.registry();
    let running = registry.replays_of(id).filter(|replay| replay.is_running());
    for id in running.map(|replay| replay.id) {
        let context = context.clone();
        tokio::spawn(async move {
            let now = context.clock.now();
            let _ = context.change(Change::CancelReplay(id), None, now).await;
        });
    }
}
