//! Slots: how many requests may be under way, to one webhook and in all.
//!
//! Whoever claims a delivery takes a slot first and the slot travels with the delivery, so the
//! number of deliveries in memory is bounded by the number of slots, wherever they were claimed.
//!
//! The last quarter is for webhooks that hold none, one each. So where some hang and hold all that
//! they may, there is room for those that do not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::bell::Bell;
use crate::policy::pace::{Pace, Sign};

/// Requests under way at the same time, in all, if nothing else is configured.
pub const DEFAULT_TOTAL: usize = 1024;

/// The slots of one dispatcher.
#[derive(Debug, Clone)]
pub struct Slots {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    total: usize,
    bell: Bell,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    /// The webhook that was last given slots for what waited in the database.
    last_served: i64,
    of_webhook: HashMap<i64, Lane>,
    /// How many those may take that have no number of their own: who is not in here, none.
    windows: HashMap<i64, usize>,
    /// How many must be free for a webhook that has not got its share.
    scarce: Option<usize>,
}

#[derive(Debug, Default)]
struct Lane {
    taken: usize,
    backlog: bool,
    pace: Pace,
}

impl Lane {
    /// Whether nothing is known of it that a new one would not have.
    fn is_idle(&self) -> bool {
        self.taken == 0 && !self.backlog && self.pace == Pace::Full
    }
}

/// Room for one request; given back when dropped.
#[derive(Debug)]
pub struct Slot {
    webhook: i64,
    shared: Arc<Shared>,
}

/// What may have the slot of a delivery that is finished, or tried again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandOn {
    /// Nothing: the slot goes back.
    Nothing,
    /// The next in its line, if it is finished.
    Successor,
    /// What the webhook has been owed for longest: its line is not the only one that waits.
    Due,
}

impl Slots {
    /// `bell` rings when a slot comes free that a backlog waits for.
    pub fn new(total: usize, bell: Bell) -> Self {
        Self { shared: Arc::new(Shared { total, bell, taken: Mutex::default() }) }
    }

    /// None at all, for what is to wait for the next claim.
    pub fn none() -> Self {
        Self::new(0, Bell::default())
    }

    /// A slot for a delivery that was accepted just now. `None` if there is none, or if earlier
    /// deliveries of this webhook wait for theirs: nobody jumps the line.
    pub fn take_now(&self, webhook: i64, max_in_flight: usize) -> Option<Slot> {
        let mut taken = self.shared.lock();
        let waits = taken.of_webhook.get(&webhook).is_some_and(|lane| lane.backlog);
        let room = if waits { 0 } else { self.shared.room(&mut taken, webhook, max_in_flight) };
        let lane = taken.of_webhook.entry(webhook).or_default();
        if room == 0 {
            lane.backlog = true;
            return None;
        }
        lane.taken += 1;
        taken.total += 1;
        Some(Slot { webhook, shared: Arc::clone(&self.shared) })
    }

    /// Sorts webhooks by whose turn it is: round and round by number, on from the one last served.
    /// So where slots are scarce, none is served twice before another that waits is served once.
    pub fn in_turn(&self, webhooks: &mut [i64]) {
        let last_served = self.shared.lock().last_served;
        webhooks.sort_unstable_by_key(|&webhook| (webhook <= last_served, webhook));
    }

    /// Up to `wanted` slots for deliveries that wait in the database. If there is none, the
    /// webhook has a backlog, and the next slot that comes free rings for it.
    pub fn take(&self, webhook: i64, max_in_flight: usize, wanted: usize) -> Vec<Slot> {
        let mut taken = self.shared.lock();
        let count = wanted.min(self.shared.room(&mut taken, webhook, max_in_flight));
        let lane = taken.of_webhook.entry(webhook).or_default();
        lane.taken += count;
        lane.backlog |= count == 0;
        taken.total += count;
        if count > 0 {
            taken.last_served = webhook;
        }
        let slot = || Slot { webhook, shared: Arc::clone(&self.shared) };
        std::iter::repeat_with(slot).take(count).collect()
    }

    /// How many slots a webhook without a number of its own (0) may take from now on.
    pub fn set_window(&self, webhook: i64, window: usize) {
        let mut taken = self.shared.lock();
        match window {
            0 => taken.windows.remove(&webhook),
            _ => taken.windows.insert(webhook, window),
        };
        drop(taken);
        self.shared.bell.ring();
    }

    /// Says whether deliveries of this webhook wait for a slot in the database.
    pub fn set_backlog(&self, webhook: i64, backlog: bool) {
        self.shared.lock().of_webhook.entry(webhook).or_default().backlog = backlog;
    }

    /// What may have the slot of a delivery to this webhook. Nothing of its own while slots are
    /// scarce and others wait for one, nor if it has too many.
    pub fn hand_on(&self, webhook: i64, max_in_flight: usize) -> HandOn {
        let taken = self.shared.lock();
        match taken.of_webhook.get(&webhook) {
            Some(_) if taken.scarce.is_some() => HandOn::Nothing,
            Some(lane) if lane.taken > taken.width(webhook, lane, max_in_flight) => HandOn::Nothing,
            Some(Lane { backlog: true, .. }) => HandOn::Due,
            _ => HandOn::Successor,
        }
    }

    /// Learns from an attempt that began then and ended now.
    pub fn learn(
        &self,
        webhook: i64,
        max_in_flight: usize,
        sign: Sign,
        began: Duration,
        now: Duration,
    ) {
        let mut taken = self.shared.lock();
        let lane = taken.of_webhook.entry(webhook).or_default();
        lane.pace = lane.pace.after(sign, began, now, max_in_flight);
    }

    /// Forgets what was learned: the webhook is another one now.
    pub fn unlearn(&self, webhook: i64) {
        if let Some(lane) = self.shared.lock().of_webhook.get_mut(&webhook) {
            lane.pace = Pace::Full;
        }
    }

    /// Ends the pauses that are over, and returns when the next one is.
    pub fn end_pauses(&self, now: Duration) -> Option<Duration> {
        let mut taken = self.shared.lock();
        taken.of_webhook.retain(|_, lane| !lane.is_idle());
        let lanes = taken.of_webhook.values_mut();
        lanes
            .filter_map(|lane| {
                lane.pace = lane.pace.at(now);
                lane.pace.paused_until()
            })
            .min()
    }

    /// Until when nothing is sent to this webhook, if it pauses.
    pub fn paused_until(&self, webhook: i64) -> Option<Duration> {
        self.shared.lock().of_webhook.get(&webhook)?.pace.paused_until()
    }

    /// Webhooks marked as having a backlog.
    pub fn backlogged(&self) -> Vec<i64> {
        let taken = self.shared.lock();
        taken.of_webhook.iter().filter(|(_, lane)| lane.backlog).map(|(&id, _)| id).collect()
    }

    /// Requests that may be under way.
    pub fn total(&self) -> usize {
        self.shared.total
    }

    /// Requests under way.
    pub fn in_flight(&self) -> usize {
        self.shared.lock().total
    }
}

impl Taken {
    /// How many this webhook may have in all.
    fn width(&self, webhook: i64, lane: &Lane, max_in_flight: usize) -> usize {
        match max_in_flight {
            0 => self.windows.get(&webhook).copied().unwrap_or(0),
            own => lane.pace.width(own),
        }
    }
}

impl Shared {
    /// How many more this webhook may take.
    fn room(&self, taken: &mut Taken, webhook: i64, max_in_flight: usize) -> usize {
        let free = self.total.saturating_sub(taken.total);
        taken.of_webhook.entry(webhook).or_default();
        let lane = &taken.of_webhook[&webhook];
        let own = taken.width(webhook, lane, max_in_flight).saturating_sub(lane.taken);
        let common = free.saturating_sub(self.total / 4);
        let room = common.max(usize::from(free > 0 && lane.taken == 0));
        if room < own {
            let needed = if lane.taken + room > 0 { self.total / 4 + 1 } else { 1 };
            taken.scarce = Some(taken.scarce.map_or(needed, |least| least.min(needed)));
        }
        own.min(room)
    }

    /// The counts are whole after every statement, so a poisoned lock has nothing wrong in it.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.shared.lock();
        taken.total -= 1;
        let free = self.shared.total.saturating_sub(taken.total);
        let mut awaited = taken.scarce.take_if(|needed| *needed <= free).is_some();
        if let Some(lane) = taken.of_webhook.get_mut(&self.webhook) {
            lane.taken -= 1;
            awaited |= lane.backlog;
            if lane.is_idle() {
                taken.of_webhook.remove(&self.webhook);
            }
        }
        drop(taken);
        if awaited {
            self.shared.bell.ring();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(total: usize) -> Slots {
        Slots::new(total, Bell::default())
    }

    #[test]
    fn a_webhook_takes_no_more_than_its_own_and_the_last_quarter_goes_round() {
        let slots = slots(8);
        let first = slots.take(1, 3, 10);
        assert_eq!(first.len(), 3, "its own limit");
        let second = slots.take(2, 100, 10);
        assert_eq!((second.len(), slots.in_flight()), (3, 6), "three quarters are taken");
        assert!(slots.take_now(1, 100).is_none(), "it has some");
        let third = slots.take(3, 100, 10);
        let fourth = slots.take(4, 100, 10);
        assert_eq!((third.len(), fourth.len(), slots.in_flight()), (1, 1, 8));
        assert!(slots.take_now(5, 100).is_none(), "all are taken");
    }

    #[test]
    fn however_many_hang_there_is_room_for_one_that_does_not() {
        let slots = slots(1024);
        let hanging: Vec<_> = (0..200).map(|webhook| slots.take(webhook, 32, 32)).collect();
        assert_eq!(hanging.iter().filter(|taken| taken.len() == 32).count(), 24);
        assert_eq!(hanging.iter().filter(|taken| taken.len() == 1).count(), 176);
        assert!(slots.take_now(1_000, 32).is_some());
    }

    #[tokio::test]
    async fn who_has_not_got_its_share_is_woken_when_there_is_room_for_more() {
        let bell = Bell::default();
        let slots = Slots::new(4, bell.clone());
        let held = slots.take(1, 8, 8);
        let other = slots.take(2, 8, 8);
        assert_eq!((held.len(), other.len()), (3, 1));
        drop(held);
        bell.heard().await;
        assert_eq!(slots.take(2, 8, 8).len(), 2);
    }

    #[test]
    fn one_that_is_silent_gets_fewer_then_none_then_one() {
        let slots = slots(100);
        let silence = Sign::Silence(Duration::from_secs(30));
        let mut now = Duration::from_secs(100);
        for allowed in [4, 2, 1] {
            let held = slots.take(1, 4, 8);
            assert_eq!(held.len(), allowed);
            let began = now;
            now += Duration::from_secs(30);
            slots.learn(1, 4, silence, began, now);
        }
        assert!(slots.take(1, 4, 8).is_empty());
        let end = now + Duration::from_secs(30);
        assert_eq!(slots.end_pauses(now), Some(end));
        assert_eq!(slots.paused_until(1), Some(end));
        assert_eq!(slots.end_pauses(end), None);
        let probe = slots.take(1, 4, 8);
        assert_eq!(probe.len(), 1);
        assert!(slots.hand_on(1, 4) != HandOn::Successor || slots.take(1, 4, 8).is_empty());
        slots.learn(1, 4, Sign::Answer, end, end);
        assert_eq!(slots.take(1, 4, 8).len(), 1, "two at once now");
        slots.unlearn(1);
        assert_eq!(slots.take(1, 4, 8).len(), 3);
    }

    #[test]
    fn nobody_jumps_the_line() {
        let slots = slots(10);
        let held = slots.take_now(1, 1);
        assert!(held.is_some());
        assert!(slots.take_now(1, 1).is_none(), "full: this one waits in the database");
        drop(held);
        assert!(slots.take_now(1, 1).is_none(), "and so does the next, behind it");
        assert_eq!(slots.backlogged(), [1]);
        slots.set_backlog(1, false);
        assert!(slots.take_now(1, 1).is_some());
    }

    #[test]
    fn scarce_slots_go_round() {
        let slots = slots(1);
        let mut served = Vec::new();
        for _ in 0..6 {
            let mut waiting = [3, 1, 2];
            slots.in_turn(&mut waiting);
            served
                .extend(waiting.into_iter().find(|&webhook| !slots.take(webhook, 8, 8).is_empty()));
        }
        assert_eq!(served, [1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn counts_of_idle_webhooks_are_forgotten() {
        let slots = slots(10);
        for webhook in 0..100 {
            drop(slots.take_now(webhook, 1));
        }
        assert!(slots.shared.lock().of_webhook.is_empty());
    }

    #[tokio::test]
    async fn a_slot_that_is_waited_for_rings_the_bell() {
        let bell = Bell::default();
        let slots = Slots::new(1, bell.clone());
        let held = slots.take_now(1, 8);
        assert!(slots.take_now(2, 8).is_none());
        drop(held);
        bell.heard().await;
    }
}
