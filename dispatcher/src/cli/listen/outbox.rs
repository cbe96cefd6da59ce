//! Results on their way to the dispatcher: in batches, tried again until they are there, whatever
//! becomes of the stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, JoinSet};

use super::backoff::Backoff;
use super::remote::{Remote, Report, may_pass};
use crate::random::SystemRandom;

/// Most results that wait. Beyond it nothing new is forwarded.
const CAPACITY: usize = 1_024;
/// Most results of one request.
const BATCH: usize = 64;
/// Most requests at once: the next batch does not wait for the dispatcher's disk.
const REQUESTS: usize = 4;

#[derive(Debug)]
pub(super) struct Outbox {
    sender: mpsc::UnboundedSender<Report>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: AtomicUsize,
    /// Some have arrived.
    posted: Notify,
    /// The dispatcher is there again.
    online: Notify,
}

impl Outbox {
    pub(super) fn new(remote: Remote) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(run(remote, receiver, shared.clone()));
        Self { sender, shared, task }
    }

    pub(super) fn push(&self, report: Report) {
        self.shared.waiting.fetch_add(1, Ordering::Relaxed);
        // The task ends after the sender does.
        let _ = self.sender.send(report);
    }

    pub(super) fn is_full(&self) -> bool {
        self.shared.waiting.load(Ordering::Relaxed) >= CAPACITY
    }

    /// Resolves when some more results have arrived.
    pub(super) async fn posted(&self) {
        self.shared.posted.notified().await;
    }

    /// Tries again at once what waits to be tried again.
    pub(super) fn online(&self) {
        self.shared.online.notify_waiters();
    }

    /// Posts what is left, for so long.
    pub(super) async fn finish(self, limit: Duration) {
        let Self { sender, shared, mut task } = self;
        drop(sender);
        shared.online.notify_waiters();
        if tokio::time::timeout(limit, &mut task).await.is_err() {
            task.abort();
        }
    }
}

async fn run(remote: Remote, mut reports: mpsc::UnboundedReceiver<Report>, shared: Arc<Shared>) {
    let mut posts = JoinSet::new();
    let mut open = true;
    while open || !posts.is_empty() {
        let mut batch = Vec::new();
        tokio::select! {
            _ = posts.join_next(), if !posts.is_empty() => continue,
            count = reports.recv_many(&mut batch, BATCH), if open && posts.len() < REQUESTS => {
                open = count > 0;
            }
        }
        if !batch.is_empty() {
            posts.spawn(post(remote.clone(), batch, shared.clone()));
        }
    }
}

/// What is refused for good is dropped: the stream says why.
async fn post(remote: Remote, batch: Vec<Report>, shared: Arc<Shared>) {
    let mut backoff = Backoff::default();
    while let Err(error) = remote.results(&batch).await {
        if !may_pass(&error) {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.next(&SystemRandom)) => {}
            () = shared.online.notified() => {}
        }
    }
    shared.waiting.fetch_sub(batch.len(), Ordering::Relaxed);
    shared.posted.notify_one();
}
