//! The committer: one loop that writes what came of attempts and what is to be accepted, as much as
//! there is, in one commit, and then starts what was claimed in it.
//!
//! What comes while one commit runs shares the next. At light load each is alone in its commit and
//! waits for nobody; under load the commits grow by themselves, up to a limit. Nothing is delayed.
//!
//! Nothing that happened is forgotten while the process lives: if the database refuses, outcomes
//! are kept, their slots with them, and tried again. So a full disk slows the engine to a halt and
//! loses nothing. Whoever wants something accepted meanwhile is told at once that it is not.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bluum_hooks_shared::time::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use super::{Held, Outcome, WeakAttempts, record};
use crate::acceptor::{AcceptFailed, Request};
use crate::context::Context;
use crate::crash_point;
use crate::faults::Fault;
use crate::store::{Accepted, Batch, Committed, NewAnswer, NewEvent, Registry, Report, StoreError};
use crate::telemetry::Chain;

/// Outcomes in one commit at most.
const MAX_OUTCOMES: usize = 1024;
/// What is accepted in one commit, in bytes of bodies, if it is more than one request: events and
/// deliveries count as [`ROW`] beside. Until a commit is through, requests that were answered keep
/// their turns. Where it takes in more than is delivered meanwhile, deliveries fall behind, and
/// each is read back and claimed.
const MAX_ACCEPTED: usize = 640 << 10;
/// A row takes about as long to write as so many bytes of a body.
const ROW: usize = 2 << 10;
/// How long to wait after the database refused.
const AFTER_ERROR: Duration = Duration::from_millis(250);

/// What goes into one commit.
#[derive(Default)]
pub(super) struct Share {
    reports: Vec<Report>,
    /// For each report.
    held: Vec<Held>,
    events: Vec<NewEvent>,
    answers: Vec<NewAnswer>,
    /// Whose events and answers these are, in their order.
    callers: Vec<Caller>,
}

struct Caller {
    events: usize,
    answers: usize,
    done: oneshot::Sender<Result<(), AcceptFailed>>,
}

impl Share {
    fn record(&mut self, outcome: Outcome) {
        self.reports.push(outcome.report);
        self.held.push(outcome.held);
    }

    fn accept(&mut self, mut request: Request) {
        self.callers.push(Caller {
            events: request.events.len(),
            answers: usize::from(request.answer.is_some()),
            done: request.done,
        });
        self.events.append(&mut request.events);
        self.answers.extend(request.answer);
    }

    /// Accepts what waits, as far as it fits in. One that does not is held back for the next.
    fn fill(
        &mut self,
        held_back: &mut Option<Request>,
        requests: &mut mpsc::Receiver<Request>,
        registry: &Registry,
    ) {
        let mut accepted = size(&self.events, registry);
        while let Some(request) = held_back.take().or_else(|| requests.try_recv().ok()) {
            accepted += size(&request.events, registry);
            if accepted > MAX_ACCEPTED && !self.callers.is_empty() {
                *held_back = Some(request);
                return;
            }
            self.accept(request);
        }
    }

    fn batch(&self) -> Batch<'_> {
        Batch { reports: &self.reports, events: &self.events, answers: &self.answers }
    }

    /// In smaller shares, so that what is refused for what it is takes nothing with it: what is to
    /// be recorded and what is to be accepted apart, and then each alone. Itself, if it is alone.
    fn apart(self) -> Vec<Self> {
        let Self { reports, held, mut events, mut answers, callers } = self;
        if !reports.is_empty() && !callers.is_empty() {
            let outcomes = Self { reports, held, ..Self::default() };
            return vec![outcomes, Self { events, answers, callers, ..Self::default() }];
        }
        let outcomes = reports.into_iter().zip(held).map(|(report, held)| Self {
            reports: vec![report],
            held: vec![held],
            ..Self::default()
        });
        let mut shares: Vec<_> = outcomes.collect();
        shares.extend(callers.into_iter().map(|caller| Self {
            events: events.drain(..caller.events).collect(),
            answers: answers.drain(..caller.answers).collect(),
            callers: vec![caller],
            ..Self::default()
        }));
        shares
    }
}

pub(super) struct Committer {
    pub(super) attempts: WeakAttempts,
    pub(super) outcomes: mpsc::UnboundedReceiver<Outcome>,
    pub(super) requests: mpsc::Receiver<Request>,
    /// What has not fitted into the last commit.
    pub(super) held_back: Option<Request>,
    /// What is to be recorded.
    pub(super) pending: Vec<Outcome>,
    /// After an outage: not before then.
    pub(super) again_at: Option<Timestamp>,
}

impl Committer {
    /// Commits until nobody can ask for it any more, or until the process must end in an outage:
    /// then the deliveries are as if it had died.
    pub(super) async fn run(mut self) {
        while let Some(share) = self.next().await {
            let all_taken = self.outcomes.is_empty();
            let mut shares = vec![share];
            while let Some(share) = shares.pop() {
                match self.commit(&share).await {
                    Ok(committed) => self.settle(share, committed),
                    Err(failure) => shares.extend(self.refused(share, &failure)),
                }
            }
            if all_taken && self.again_at.is_none() {
                self.attempts.unrecorded.store(false, Ordering::Release);
            }
        }
    }

    /// Waits until there is something to commit, and takes as much as goes into one commit.
    async fn next(&mut self) -> Option<Share> {
        let Self { attempts, outcomes, requests, held_back, pending, again_at } = self;
        let Context { clock, shutdown, store, .. } = &attempts.engine.context;
        let mut share = Share::default();
        while share.callers.is_empty()
            && held_back.is_none()
            && (pending.is_empty() || again_at.is_some())
        {
            let at = again_at.unwrap_or_else(|| clock.now());
            let again = async { clock.sleep_until(at).await };
            tokio::select! {
                biased;
                () = shutdown.abandoned(), if again_at.is_some() => return None,
                () = again, if again_at.is_some() => *again_at = None,
                Some(outcome) = outcomes.recv() => pending.push(outcome),
                Some(request) = requests.recv() => share.accept(request),
                else => return None,
            }
        }
        while pending.len() < MAX_OUTCOMES
            && let Ok(outcome) = outcomes.try_recv()
        {
            pending.push(outcome);
        }
        share.fill(held_back, requests, &store.registry());
        if again_at.is_none() {
            pending.drain(..).for_each(|outcome| share.record(outcome));
        }
        Some(share)
    }

    async fn commit(&self, share: &Share) -> Result<Committed, StoreError> {
        let Context { store, slots, clock, metrics, .. } = &self.attempts.engine.context;
        // First, so that whoever sees a delivery parked sees its webhook disabled.
        record::disable(&self.attempts.engine, &share.reports).await;
        let began = clock.monotonic();
        let committed = store.commit(share.batch(), slots, clock.now()).await;
        metrics.committed(clock.monotonic().saturating_sub(began));
        committed
    }

    /// Tells callers, counts, and starts what was claimed.
    fn settle(&mut self, share: Share, committed: Committed) {
        if !share.callers.is_empty() {
            let metrics = &self.attempts.engine.context.metrics;
            metrics.accepted(share.events.len());
            crash_point::reach("accept.settled");
            // A caller that went away has its events accepted all the same.
            for caller in share.callers {
                let _ = caller.done.send(Ok(()));
            }
        }
        let noticed = share.reports.iter().any(|report| report.notice.is_some());
        if noticed || !share.events.is_empty() {
            self.attempts.engine.context.arrivals.tell();
        }
        let Committed { recorded, accepted } = committed;
        let recorded = recorded.into_iter().map(Some).collect();
        let back = record::settle(&self.attempts, &share.reports, share.held, recorded);
        self.pending.extend(back);
        self.start(accepted);
    }

    /// Starts what was claimed when it was accepted.
    fn start(&mut self, accepted: Accepted) {
        self.pending.extend(self.attempts.start(accepted.work));
        crash_point::reach("accept.handed_over");
        if accepted.left_waiting {
            self.attempts.engine.context.bell.ring();
        }
    }

    /// Returns what to try next: smaller shares, unless the database refuses everything now.
    fn refused(&mut self, share: Share, failure: &StoreError) -> Vec<Share> {
        let context = &self.attempts.engine.context;
        let outage = failure.outage().is_some();
        if !outage && share.reports.len() + share.callers.len() > 1 {
            return share.apart();
        }
        if !matches!(failure, StoreError::KeyUsed) {
            context.metrics.fault(Fault::Database);
        }
        let error = Chain(failure);
        for caller in share.callers {
            if !outage && !matches!(failure, StoreError::KeyUsed) {
                error!(%error, events = caller.events, "events not accepted");
            }
            let _ = caller.done.send(Err(AcceptFailed::from(failure)));
        }
        let outcomes = share.reports.into_iter().zip(share.held);
        for (report, held) in outcomes {
            if outage {
                self.pending.push(Outcome { report, held });
                self.again_at = Some(context.clock.now().plus(AFTER_ERROR));
                self.attempts.unrecorded.store(true, Ordering::Release);
                continue;
            }
            error!(
                delivery.id = %report.claimed.id, %error,
                "the database refuses what came of a delivery, which will be made again when its \
                 lease has run out; please report this"
            );
            record::settle(&self.attempts, &[report], vec![held], vec![None]);
        }
        Vec::new()
    }
}

/// What it takes to accept them, see [`MAX_ACCEPTED`].
fn size(events: &[NewEvent], registry: &Registry) -> usize {
    let rows = |event: &NewEvent| 1 + registry.webhooks_for(event).count();
    events.iter().map(|event| event.body.len() + rows(event) * ROW).sum()
}

#[cfg(test)]
mod tests {
    use bluum_hooks_shared::id::TenantId;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_750_000_000);

    fn event(seed: u128, length: usize) -> NewEvent {
        let event = NewEvent::sample(TenantId::new(NOW, 1), seed, NOW);
        NewEvent { body: vec![b' '; length].into(), ..event }
    }

    #[test]
    fn a_commit_accepts_many_small_requests_or_one_large_and_all_in_their_order() {
        let large = MAX_ACCEPTED - ROW;
        let lengths = [1; 1000].into_iter().chain([large, large, 2 * MAX_ACCEPTED, 1]);
        let (sender, mut requests) = mpsc::channel(2000);
        for (seed, length) in (0..).zip(lengths) {
            let (done, _) = oneshot::channel();
            let request = Request { events: vec![event(seed, length)], answer: None, done };
            sender.try_send(request).unwrap();
        }
        let (mut shares, mut held_back) = (Vec::new(), None);
        while held_back.is_some() || !requests.is_empty() {
            let mut share = Share::default();
            share.fill(&mut held_back, &mut requests, &Registry::default());
            shares.push(share);
        }
        let sizes: Vec<_> = shares.iter().map(|share| share.callers.len()).collect();
        assert_eq!(sizes, [319, 319, 319, 43, 1, 1, 1, 1]);
        let events = shares.iter().flat_map(|share| &share.events);
        assert!(events.map(|event| event.seed).eq(0..1004));
    }
}
