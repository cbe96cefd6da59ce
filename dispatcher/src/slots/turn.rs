//! Turns: which of the claimed deliveries of a webhook are sent, first come, first served.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Lane, Shared, Slot};

/// Leave to make one request, kept until what came of it is recorded: so what is sent again when
/// the process dies is no more than what a webhook takes at once. The next in line has it when this
/// is dropped.
#[derive(Debug)]
pub struct Turn {
    webhook: i64,
    max_in_flight: usize,
    shared: Arc<Shared>,
}

/// The requests to one webhook.
#[derive(Debug, Default)]
pub(super) struct Turns {
    under_way: usize,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

impl Turns {
    pub(super) fn are_over(&self) -> bool {
        self.under_way == 0
    }
}

impl Lane {
    /// How many requests may be under way. One that takes what it has said has slots for no more.
    fn requests(&self, max_in_flight: usize) -> usize {
        if max_in_flight == 0 { usize::MAX } else { self.pace.width(max_in_flight) }
    }
}

impl Slot {
    /// Waits until the webhook takes another request. `None`: it pauses.
    pub async fn turn(&self, max_in_flight: usize) -> Option<Turn> {
        let turn = {
            let mut taken = self.shared.lock();
            let lane = taken.of_webhook.entry(self.webhook).or_default();
            let requests = lane.requests(max_in_flight);
            if requests == 0 {
                return None;
            }
            if lane.turns.under_way < requests && lane.turns.waiting.is_empty() {
                lane.turns.under_way += 1;
                let (webhook, shared) = (self.webhook, Arc::clone(&self.shared));
                return Some(Turn { webhook, max_in_flight, shared });
            }
            let (theirs, turn) = oneshot::channel();
            lane.turns.waiting.push_back(theirs);
            turn
        };
        turn.await.ok()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut next = Vec::new();
        let mut taken = self.shared.lock();
        if let Some(lane) = taken.of_webhook.get_mut(&self.webhook) {
            lane.turns.under_way -= 1;
            let requests = lane.requests(self.max_in_flight);
            if requests == 0 {
                // Dropped, it says that there is no turn.
                lane.turns.waiting.clear();
            }
            while lane.turns.under_way < requests
                && let Some(waits) = lane.turns.waiting.pop_front()
            {
                lane.turns.under_way += 1;
                next.push(waits);
            }
        }
        drop(taken);
        for waits in next {
            let (webhook, max_in_flight) = (self.webhook, self.max_in_flight);
            let turn = Self { webhook, max_in_flight, shared: Arc::clone(&self.shared) };
            // What nobody waits for any more comes back here.
            let _ = waits.send(turn);
        }
    }
}
