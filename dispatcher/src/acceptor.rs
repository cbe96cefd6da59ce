//! Group commit: requests that arrive while one commit runs share the next.
//!
//! At light load a request is alone in its commit and waits for nobody; under load the commits
//! grow by themselves. Nothing is tuned and nothing is delayed.

use tokio::sync::{mpsc, oneshot};
use tracing::error;

use crate::context::Context;
use crate::crash_point;
use crate::faults::Fault;
use crate::metrics::Commit;
use crate::store::{NewAnswer, NewEvent, StoreError, Work};
use crate::telemetry::Chain;

/// Requests that may wait for the next commit; more than this wait outside.
const QUEUE: usize = 4096;
/// Bodies in one commit, about: what bounds the memory of a commit.
const MAX_COMMIT_BYTES: usize = 8 << 20;

/// None of the events was accepted, and none ever will be by this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AcceptFailed {
    /// Our fault; asking again may help.
    #[error("the events could not be stored; nothing was accepted")]
    NotStored,
    /// So would be all others now.
    #[error("nothing can be stored now; nothing was accepted")]
    Outage,
    /// The idempotency key has an answer already.
    #[error("the idempotency key was used before")]
    KeyUsed,
}

#[derive(Debug)]
struct Request {
    events: Vec<NewEvent>,
    /// To be kept under the caller's idempotency key.
    answer: Option<NewAnswer>,
    done: oneshot::Sender<Result<(), AcceptFailed>>,
}

/// Accepts events for many callers at once. Clones share the same commits.
#[derive(Debug, Clone)]
pub struct Acceptor {
    requests: mpsc::Sender<Request>,
}

impl Acceptor {
    /// The acceptor, and the committer that must be run for it. Claimed deliveries go to `work`;
    /// the bell rings when some were left waiting.
    pub fn new(context: Context, work: mpsc::UnboundedSender<Work>) -> (Self, Committer) {
        let (requests, inbox) = mpsc::channel(QUEUE);
        (Self { requests }, Committer { context, work, inbox })
    }

    /// Returns once the events are durable, all of them or none, and the answer with them.
    pub async fn accept(
        &self,
        events: Vec<NewEvent>,
        answer: Option<NewAnswer>,
    ) -> Result<(), AcceptFailed> {
        let (done, outcome) = oneshot::channel();
        let request = Request { events, answer, done };
        self.requests.send(request).await.map_err(|_| AcceptFailed::NotStored)?;
        outcome.await.map_err(|_| AcceptFailed::NotStored)?
    }
}

/// The loop that commits.
#[derive(Debug)]
pub struct Committer {
    context: Context,
    work: mpsc::UnboundedSender<Work>,
    inbox: mpsc::Receiver<Request>,
}

impl Committer {
    /// Commits until the last acceptor is dropped, and what was asked of it before.
    pub async fn run(mut self) {
        while let Some(first) = self.inbox.recv().await {
            let mut group = vec![first];
            let mut bytes = group[0].bytes();
            while bytes < MAX_COMMIT_BYTES
                && let Ok(next) = self.inbox.try_recv()
            {
                bytes += next.bytes();
                group.push(next);
            }
            self.commit(group).await;
        }
    }

    /// One commit for all. If the database refuses that, and not everything, one for each: what
    /// cannot be stored takes no neighbour with it.
    async fn commit(&self, group: Vec<Request>) {
        let mut events = Vec::new();
        let mut answers = Vec::new();
        let mut callers = Vec::with_capacity(group.len());
        for mut request in group {
            callers.push((request.events.len(), request.answer.is_some(), request.done));
            events.append(&mut request.events);
            answers.extend(request.answer);
        }
        let together = self.accept(&events, &answers).await;
        let alone = callers.len() == 1;
        let (mut events, mut answers) = (events.as_slice(), answers.as_slice());
        for (count, kept, done) in callers {
            let own_events = split(&mut events, count);
            let own_answers = split(&mut answers, usize::from(kept));
            let outcome = match together {
                Err(AcceptFailed::NotStored | AcceptFailed::KeyUsed) if !alone => {
                    self.accept(own_events, own_answers).await
                }
                outcome => outcome,
            };
            // A caller that went away has its events accepted all the same.
            let _ = done.send(outcome);
        }
    }

    async fn accept(&self, events: &[NewEvent], answers: &[NewAnswer]) -> Result<(), AcceptFailed> {
        let Context { store, slots, clock, metrics, .. } = &self.context;
        let began = clock.monotonic();
        let accepted = store.accept(events, answers, slots, clock.now()).await;
        metrics.committed(Commit::Accept, clock.monotonic().saturating_sub(began));
        let accepted = match accepted {
            Ok(accepted) => accepted,
            Err(StoreError::KeyUsed) => return Err(AcceptFailed::KeyUsed),
            // The store tells of it, once.
            Err(failure) if failure.outage().is_some() => {
                metrics.fault(Fault::Database);
                return Err(AcceptFailed::Outage);
            }
            Err(failure) => {
                metrics.fault(Fault::Database);
                error!(error = %Chain(&failure), events = events.len(), "events not accepted");
                return Err(AcceptFailed::NotStored);
            }
        };
        metrics.accepted(events.len());
        crash_point::reach("accept.settled");
        self.context.arrivals.tell();
        for work in accepted.work {
            // If the engine is gone, the next start finds the delivery.
            let _ = self.work.send(work);
        }
        crash_point::reach("accept.handed_over");
        if accepted.left_waiting {
            self.context.bell.ring();
        }
        Ok(())
    }
}

/// Takes the first `count` off.
fn split<'a, T>(rest: &mut &'a [T], count: usize) -> &'a [T] {
    let (first, others) = rest.split_at(count.min(rest.len()));
    *rest = others;
    first
}

impl Request {
    fn bytes(&self) -> usize {
        self.events.iter().map(|event| event.body.len()).sum()
    }
}
