//! The claimer: looks for what is due, woken by a bell and by a timer.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Attempts;
use crate::crash_point;

/// How many deliveries of one webhook are claimed before the others have had their turn.
const PER_WEBHOOK: usize = 512;
/// How long to sleep at most, whatever was said about the next due time.
const SAFETY_NET: Duration = Duration::from_secs(5);
/// How long to wait after the database refused.
const AFTER_ERROR: Duration = Duration::from_secs(1);

pub(super) async fn run(attempts: Attempts) {
    let context = attempts.engine.context.clone();
    while !context.shutdown.is_intake_stopped() {
        let (now, monotonic) = (context.clock.now(), context.clock.monotonic());
        let pause_ends = context.slots.end_pauses(monotonic);
        if attempts.unrecorded.load(Ordering::Acquire) {
            context.rest(AFTER_ERROR).await;
            continue;
        }
        let wake_at = match context.store.claim_due(PER_WEBHOOK, &context.slots, now).await {
            Ok(due) if due.work.is_empty() => {
                let pause_ends = pause_ends.map(|end| now.plus(end.saturating_sub(monotonic)));
                let wishes = [due.next_due, pause_ends, Some(now.plus(SAFETY_NET))];
                wishes.into_iter().flatten().min().unwrap_or(now)
            }
            Ok(due) => {
                attempts.start(due.work);
                crash_point::reach("claim.handed_over");
                continue;
            }
            Err(failure) => {
                context.refused(&failure, "cannot claim deliveries");
                now.plus(AFTER_ERROR)
            }
        };
        tokio::select! {
            biased;
            () = context.bell.heard() => {}
            () = context.clock.sleep_until(wake_at) => {}
            () = context.shutdown.intake_stopped() => {}
        }
    }
}
