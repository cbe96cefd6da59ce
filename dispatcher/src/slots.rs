//! Slots: how many requests may be under way, to one webhook and in all.
//!
//! Whoever claims a delivery takes a slot first and the slot travels with the delivery, so the
//! number of deliveries in memory is bounded by the number of slots, wherever they were claimed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bell::Bell;

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
}

#[derive(Debug, Default)]
struct Lane {
    taken: usize,
    backlog: bool,
}

/// Room for one request; given back when dropped.
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

    /// A slot for a delivery that was accepted just now. `None` if there is none, or if earlier
    /// deliveries of this webhook wait for theirs: nobody jumps the line.
    pub fn take_now(&self, webhook: i64, max_in_flight: usize) -> Option<Slot> {
        let mut taken = self.shared.lock();
        let free = taken.total < self.shared.total;
        let lane = taken.of_webhook.entry(webhook).or_default();
        if !free || lane.backlog || lane.taken >= max_in_flight {
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
        let free = self.shared.total.saturating_sub(taken.total);
        let lane = taken.of_webhook.entry(webhook).or_default();
        let count = wanted.min(free).min(max_in_flight.saturating_sub(lane.taken));
        lane.taken += count;
        lane.backlog |= count == 0;
        taken.total += count;
        if count > 0 {
            taken.last_served = webhook;
        }
        let slot = || Slot { webhook, shared: Arc::clone(&self.shared) };
        std::iter::repeat_with(slot).take(count).collect()
    }

    /// Says whether deliveries of this webhook wait for a slot in the database.
    pub fn set_backlog(&self, webhook: i64, backlog: bool) {
        self.shared.lock().of_webhook.entry(webhook).or_default().backlog = backlog;
    }

    /// Whether somebody waits for a slot of this webhook: others of its own, or, where all slots
    /// are taken, anybody. Then it may not be handed on to the next in line.
    pub fn is_awaited(&self, webhook: i64) -> bool {
        let taken = self.shared.lock();
        let own = taken.of_webhook.get(&webhook).is_some_and(|lane| lane.backlog);
        let full = taken.total >= self.shared.total;
        own || (full && taken.of_webhook.values().any(|lane| lane.backlog))
    }

    /// Webhooks marked as having a backlog.
    pub fn backlogged(&self) -> Vec<i64> {
        let taken = self.shared.lock();
        taken.of_webhook.iter().filter(|(_, lane)| lane.backlog).map(|(&id, _)| id).collect()
    }

    /// Requests under way.
    pub fn in_flight(&self) -> usize {
        self.shared.lock().total
    }
}

impl Shared {
    /// The counts are whole after every statement, so a poisoned lock has nothing wrong in it.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.shared.lock();
        let was_full = taken.total >= self.shared.total;
        taken.total -= 1;
        let mut awaited = was_full;
        if let Some(lane) = taken.of_webhook.get_mut(&self.webhook) {
            lane.taken -= 1;
            awaited |= lane.backlog;
            if lane.taken == 0 && !lane.backlog {
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
    fn a_webhook_takes_no_more_than_its_own_and_all_no_more_than_the_total() {
        let slots = slots(5);
        let first = slots.take(1, 3, 10);
        assert_eq!(first.len(), 3);
        let second = slots.take(2, 3, 10);
        assert_eq!(second.len(), 2);
        assert!(slots.take_now(3, 3).is_none());
        drop(first);
        assert_eq!(slots.take(3, 3, 10).len(), 3);
        assert_eq!(slots.in_flight(), 2);
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
