//! Which attempts are known here: an attempt that is offered again is never made again.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::remote::Report;

/// How many results are remembered. Only what is in the window can be offered again, and that is
/// 256 at most.
const REMEMBERED: usize = 4_096;

type Key = (Arc<str>, u32);

#[derive(Debug)]
enum State {
    UnderWay,
    Done(Report),
}

/// What an attempt that is offered is to this process.
#[derive(Debug)]
pub(super) enum Offer {
    New,
    UnderWay,
    /// Its result has not reached the dispatcher, or crossed this offer on the way.
    Done(Report),
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    states: HashMap<Key, State>,
    done: VecDeque<Key>,
}

impl Ledger {
    /// What is new is under way from here on.
    pub(super) fn offer(&mut self, delivery: &Arc<str>, attempt: u32) -> Offer {
        match self.states.get(&(delivery.clone(), attempt)) {
            Some(State::UnderWay) => Offer::UnderWay,
            Some(State::Done(report)) => Offer::Done(report.clone()),
            None => {
                self.states.insert((delivery.clone(), attempt), State::UnderWay);
                Offer::New
            }
        }
    }

    pub(super) fn done(&mut self, report: Report) {
        let key = (report.delivery.clone(), report.attempt);
        self.states.insert(key.clone(), State::Done(report));
        self.done.push_back(key);
        if self.done.len() > REMEMBERED
            && let Some(oldest) = self.done.pop_front()
        {
            self.states.remove(&oldest);
        }
    }

    /// Given back: it may be offered again, and is new then.
    pub(super) fn forget(&mut self, delivery: &Arc<str>, attempt: u32) {
        self.states.remove(&(delivery.clone(), attempt));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_new_once() {
        let mut ledger = Ledger::default();
        let delivery: Arc<str> = "dlv_1".into();
        assert!(matches!(ledger.offer(&delivery, 1), Offer::New));
        assert!(matches!(ledger.offer(&delivery, 1), Offer::UnderWay));
        assert!(matches!(ledger.offer(&delivery, 2), Offer::New));
        ledger.done(Report::bare(delivery.clone(), 1, "timeout"));
        let Offer::Done(report) = ledger.offer(&delivery, 1) else { panic!("forgotten") };
        assert_eq!(report.outcome, "timeout");
        ledger.forget(&delivery, 2);
        assert!(matches!(ledger.offer(&delivery, 2), Offer::New));
    }

    #[test]
    fn the_oldest_results_are_forgotten() {
        let mut ledger = Ledger::default();
        for number in 0..REMEMBERED + 10 {
            let delivery: Arc<str> = format!("dlv_{number}").into();
            ledger.offer(&delivery, 1);
            ledger.done(Report::bare(delivery, 1, "response"));
        }
        assert_eq!((ledger.states.len(), ledger.done.len()), (REMEMBERED, REMEMBERED));
        assert!(matches!(ledger.offer(&"dlv_10".into(), 1), Offer::Done(_)));
    }
}
