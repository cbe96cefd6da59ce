//! Whose turn it is: slots for webhooks, claims for deliveries. Pure, and the same for every store.

use bluum_hooks_shared::time::Timestamp;

use super::{LEASE, Registry};
use crate::policy::retry::RetrySchedule;
use crate::policy::state::{Input, ParkReason, Progress, Refused, step};
use crate::slots::{Slot, Slots};

/// Deliveries that are claimed at once, for all webhooks together: what bounds the memory for that.
const AT_ONCE: usize = 1024;

/// The slots for each of these webhooks, which have something due; those that get none keep their
/// backlog. Where slots are scarce, the webhook after the last one served comes first.
pub(super) fn share(
    mut due: Vec<i64>,
    per_webhook: usize,
    slots: &Slots,
    registry: &Registry,
) -> Vec<(i64, Vec<Slot>)> {
    slots.in_turn(&mut due);
    let mut lanes = Vec::with_capacity(due.len());
    let mut left = AT_ONCE;
    for number in due {
        let taken = slots.take(number, max_in_flight(number, registry), per_webhook.min(left));
        left -= taken.len();
        if !taken.is_empty() {
            lanes.push((number, taken));
        }
    }
    lanes
}

/// Where all slots of a webhook are used, there may be more that is due.
pub(super) fn note_backlog(webhook: i64, all_used: bool, slots: &Slots, registry: &Registry) {
    if all_used {
        slots.set_backlog(webhook, max_in_flight(webhook, registry));
    }
}

fn max_in_flight(webhook: i64, registry: &Registry) -> usize {
    registry.webhook_numbered(webhook).map_or(1, |webhook| webhook.max_in_flight())
}

/// What a delivery that is not finished becomes when its webhook takes no deliveries.
pub(super) fn stopped(
    before: Progress,
    reason: ParkReason,
    now: Timestamp,
) -> Result<Progress, Refused> {
    step(before, Input::WebhookStopped(reason), now, &RetrySchedule::default(), 0.0)
}

/// A delivery that is due, once somebody has taken it: leased, or parked because it was taken and
/// lost too often.
pub(super) fn claimed(due: Progress, now: Timestamp) -> Result<Progress, Refused> {
    let until = Input::Claimed { lease_until: now.plus(LEASE) };
    step(due, until, now, &RetrySchedule::default(), 0.0)
}

/// A queued delivery once the one before it is finished; claimed at once if that one's slot is
/// handed on.
pub(super) fn ready(queued: Progress, hand_on: bool, now: Timestamp) -> Result<Progress, Refused> {
    let freed = Input::PredecessorFinished;
    let waiting = step(queued, freed, now, &RetrySchedule::default(), 0.0)?;
    if hand_on { claimed(waiting, now) } else { Ok(waiting) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::state::State;

    /// So a store may say of each line what the next in it becomes, before it knows which that is.
    #[test]
    fn what_is_ready_has_another_state_and_one_claim_more_whatever_it_was() {
        let now = Timestamp::from_unix_seconds(1_750_000_000);
        let first = Progress::new(State::Queued);
        for hand_on in [false, true] {
            let ready_first = ready(first, hand_on, now).unwrap();
            for lost_claims in 0..12 {
                for (claim, attempts) in [(12, 0), (12, 12), (500, 44)] {
                    let queued =
                        Progress { claim, lost_claims, attempts, failures: attempts, ..first };
                    let claim = claim + ready_first.claim;
                    let expected = Progress { state: ready_first.state, claim, ..queued };
                    assert_eq!(ready(queued, hand_on, now), Ok(expected));
                }
            }
        }
    }
}
