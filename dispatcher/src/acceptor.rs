//! Group commit: requests that arrive while one commit runs share the next.
//!
//! At light load a request is alone in its commit and waits for nobody; under load the commits
//! grow by themselves. Nothing is tuned and nothing is delayed.

use tokio::sync::{mpsc, oneshot};
use tracing::error;

use crate::context::Context;
use crate::store::{NewEvent, Work};
use crate::telemetry::Chain;

/// Requests that may wait for the next commit; more than this wait outside.
const QUEUE: usize = 4096;
/// Bodies in one commit, about: what bounds the memory of a commit.
const MAX_COMMIT_BYTES: usize = 8 << 20;

/// The events were not accepted, and none of them ever will be by this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the events could not be stored; nothing was accepted")]
pub struct AcceptFailed;

#[derive(Debug)]
struct Request {
    events: Vec<NewEvent>,
    answer: oneshot::Sender<Result<(), AcceptFailed>>,
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

    /// Returns once the events are durable, all of them or none.
    pub async fn accept(&self, events: Vec<NewEvent>) -> Result<(), AcceptFailed> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request { events, answer }).await.map_err(|_| AcceptFailed)?;
        answered.await.map_err(|_| AcceptFailed)?
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

    /// One commit for all. If the database refuses, one for each: a request that cannot be stored
    /// takes no neighbour with it.
    async fn commit(&self, group: Vec<Request>) {
        let mut events = Vec::new();
        let mut callers = Vec::with_capacity(group.len());
        for mut request in group {
            callers.push((request.events.len(), request.answer));
            events.append(&mut request.events);
        }
        let together = self.accept(&events).await;
        let alone = callers.len() == 1;
        let mut rest = events.as_slice();
        for (count, answer) in callers {
            let (own, others) = rest.split_at(count);
            rest = others;
            let outcome = match &together {
                Err(_) if !alone => self.accept(own).await,
                Err(failure) => Err(*failure),
                Ok(()) => Ok(()),
            };
            // A caller that went away has its events accepted all the same.
            let _ = answer.send(outcome);
        }
    }

    async fn accept(&self, events: &[NewEvent]) -> Result<(), AcceptFailed> {
        let Context { store, slots, clock, .. } = &self.context;
        let accepted = store.accept(events, slots, clock.now()).await.map_err(|failure| {
            error!(error = %Chain(&failure), events = events.len(), "events not accepted");
            AcceptFailed
        })?;
        for work in accepted.work {
            // If the engine is gone, the next start finds the delivery.
            drop(self.work.send(work));
        }
        if accepted.left_waiting {
            self.context.bell.ring();
        }
        Ok(())
    }
}

impl Request {
    fn bytes(&self) -> usize {
        self.events.iter().map(|event| event.body.len()).sum()
    }
}
