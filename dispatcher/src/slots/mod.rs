//! Slots: how many deliveries may be claimed and how many requests under way, for one webhook and
//! in all.
//!
//! Whoever claims a delivery takes a slot first and the slot travels with the delivery, so the
//! number of deliveries in memory is bounded by the number of slots, wherever they were claimed.
//! Before it is sent it waits for its [`Turn`], because a webhook may have more claimed than it
//! takes requests: then the next one is here, when an answer comes, and not in the database.
//!
//! The last quarter is for webhooks that hold none, one each. So where some hang and hold all that
//! they may, there is room for those that do not.

#[cfg(test)]
mod tests;
mod turn;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use turn::Turn;
use turn::Turns;

use crate::bell::Bell;
use crate::policy::pace::{Pace, Sign};

/// Requests under way at the same time, in all, if nothing else is configured.
pub const DEFAULT_TOTAL: usize = 4096;

/// So many deliveries may be claimed for each request that a webhook takes at once, while more than
/// half of all slots are free.
const AHEAD: usize = 16;

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
    /// Something waits for a slot in the database.
    backlog: bool,
    /// It is claimed when so many are taken or less: many at once, as long as no request waits.
    low: usize,
    pace: Pace,
    turns: Turns,
}

impl Lane {
    /// Something waits from now on, if it did not before.
    fn wait(&mut self, width: usize) {
        if !self.backlog {
            self.backlog = true;
            self.low = (self.taken / 2).max(width).min(self.taken.saturating_sub(1));
        }
    }

    /// Whether nothing is known of it that a new one would not have.
    fn is_idle(&self) -> bool {
        self.taken == 0 && !self.backlog && self.pace == Pace::Full && self.turns.are_over()
    }
}

/// Room for one claimed delivery; given back when dropped.
#[derive(Debug)]
pub struct Slot {
    webhook: i64,
    shared: Arc<Shared>,
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

    /// A slot for a delivery that is accepted just now. `None` if there is none, or if earlier
    /// deliveries of this webhook wait for theirs: nobody jumps the line. If it is accepted all the
    /// same, [its webhook has a backlog](Self::set_backlog).
    pub fn take_now(&self, webhook: i64, max_in_flight: usize) -> Option<Slot> {
        let mut taken = self.shared.lock();
        let waits = taken.of_webhook.get(&webhook).is_some_and(|lane| lane.backlog);
        if waits || self.shared.room(&mut taken, webhook, max_in_flight) == 0 {
            return None;
        }
        taken.of_webhook.entry(webhook).or_default().taken += 1;
        taken.total += 1;
        Some(Slot { webhook, shared: Arc::clone(&self.shared) })
    }

    /// Sorts webhooks by whose turn it is: round and round by number, on from the one last served.
    /// So where slots are scarce, none is served twice before another that waits is served once.
    pub fn in_turn(&self, webhooks: &mut [i64]) {
        let last_served = self.shared.lock().last_served;
        webhooks.sort_unstable_by_key(|&webhook| (webhook <= last_served, webhook));
    }

    /// Up to `wanted` slots for deliveries that wait in the database. If there is none, or there
    /// will soon be many more, the webhook has a backlog, and a slot that comes free rings for it.
    pub fn take(&self, webhook: i64, max_in_flight: usize, wanted: usize) -> Vec<Slot> {
        let mut taken = self.shared.lock();
        let count = wanted.min(self.shared.room(&mut taken, webhook, max_in_flight));
        let width = taken.width_of(webhook, max_in_flight);
        let lane = taken.of_webhook.entry(webhook).or_default();
        let later = lane.backlog && lane.taken > lane.low && lane.taken >= width;
        let count = if later { 0 } else { count };
        lane.taken += count;
        taken.total += count;
        if count == 0 {
            taken.wait(webhook, max_in_flight);
        } else {
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

    /// Says that deliveries of this webhook wait for a slot in the database.
    pub fn set_backlog(&self, webhook: i64, max_in_flight: usize) {
        self.shared.lock().wait(webhook, max_in_flight);
    }

    /// Forgets which webhooks have a backlog, but for those that will have room for many soon:
    /// somebody looks into the database now.
    pub fn look_again(&self) {
        for lane in self.shared.lock().of_webhook.values_mut() {
            lane.backlog &= lane.taken > lane.low;
        }
    }

    /// Whether the slot of a finished delivery may go to the next in its line. Not while others
    /// have waited longer, be it for slots of this webhook or of any, nor if it has too many.
    pub fn hand_on(&self, webhook: i64, max_in_flight: usize) -> bool {
        let taken = self.shared.lock();
        let Some(lane) = taken.of_webhook.get(&webhook) else { return true };
        let too_many = lane.taken > taken.most(webhook, lane, max_in_flight);
        !lane.backlog && !too_many && taken.scarce.is_none()
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

    /// Deliveries that may be claimed.
    pub fn total(&self) -> usize {
        self.shared.total
    }

    /// Deliveries claimed and not recorded yet.
    pub fn in_flight(&self) -> usize {
        self.shared.lock().total
    }
}

impl Taken {
    /// Something waits for a slot of this webhook.
    fn wait(&mut self, webhook: i64, max_in_flight: usize) {
        let width = self.width_of(webhook, max_in_flight);
        self.of_webhook.entry(webhook).or_default().wait(width);
    }

    fn width_of(&self, webhook: i64, max_in_flight: usize) -> usize {
        let lane = self.of_webhook.get(&webhook);
        lane.map_or(0, |lane| self.width(webhook, lane, max_in_flight))
    }

    /// How many requests to this webhook may be under way.
    fn width(&self, webhook: i64, lane: &Lane, max_in_flight: usize) -> usize {
        match max_in_flight {
            0 => self.windows.get(&webhook).copied().unwrap_or(0),
            own => lane.pace.width(own),
        }
    }

    /// How many of its deliveries may be claimed. Only as many as are sent, where it keeps its
    /// requests waiting or says itself what it takes.
    fn most(&self, webhook: i64, lane: &Lane, max_in_flight: usize) -> usize {
        let width = self.width(webhook, lane, max_in_flight);
        if max_in_flight > 0 && lane.pace == Pace::Full { AHEAD * width } else { width }
    }
}

impl Shared {
    /// How many more this webhook may take.
    fn room(&self, taken: &mut Taken, webhook: i64, max_in_flight: usize) -> usize {
        let free = self.total.saturating_sub(taken.total);
        taken.of_webhook.entry(webhook).or_default();
        let lane = &taken.of_webhook[&webhook];
        let most = taken.most(webhook, lane, max_in_flight).saturating_sub(lane.taken);
        let ahead = most.min(free.saturating_sub(self.total.div_ceil(2)));
        let own = taken.width(webhook, lane, max_in_flight).saturating_sub(lane.taken);
        let common = free.saturating_sub(self.total / 4);
        let room = common.max(usize::from(free > 0 && lane.taken == 0));
        if room < own {
            let needed = if lane.taken + room > 0 { self.total / 4 + 1 } else { 1 };
            taken.scarce = Some(taken.scarce.map_or(needed, |least| least.min(needed)));
        }
        own.min(room).max(ahead)
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
            awaited |= lane.backlog && lane.taken <= lane.low;
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
