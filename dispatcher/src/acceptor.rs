//! Accepting events: callers ask, the committer answers.

use tokio::sync::{mpsc, oneshot};

use crate::store::{NewAnswer, NewEvent, StoreError};

/// Requests that may wait for the next commit; more than this wait outside.
const QUEUE: usize = 4096;

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

impl From<&StoreError> for AcceptFailed {
    fn from(failure: &StoreError) -> Self {
        match failure {
            StoreError::KeyUsed => Self::KeyUsed,
            failure if failure.outage().is_some() => Self::Outage,
            _ => Self::NotStored,
        }
    }
}

/// Events to be accepted, and whom to tell.
#[derive(Debug)]
pub struct Request {
    pub events: Vec<NewEvent>,
    /// To be kept under the caller's idempotency key.
    pub answer: Option<NewAnswer>,
    pub done: oneshot::Sender<Result<(), AcceptFailed>>,
}

/// Accepts events for many callers at once. Clones share the same commits.
#[derive(Debug, Clone)]
pub struct Acceptor {
    requests: mpsc::Sender<Request>,
}

impl Acceptor {
    /// The acceptor, and what it asks of the committer.
    pub fn new() -> (Self, mpsc::Receiver<Request>) {
        let (requests, inbox) = mpsc::channel(QUEUE);
        (Self { requests }, inbox)
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
