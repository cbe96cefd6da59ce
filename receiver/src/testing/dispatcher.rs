//! Delivers to a handler in this process, as the dispatcher does and as networks do.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use super::{Signed, TestEvent, TestSender};
use crate::Timestamp;

/// The waits before the second attempt, the third and so on.
const SCHEDULE: [u64; 5] = [60, 5 * 60, 30 * 60, 2 * 3_600, 8 * 3_600];

/// What a handler answers. A status alone becomes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// 2xx is success, 410 the end of it; after anything else comes another attempt.
    pub status: u16,
    /// Not before then: the header `Retry-After` of a 429 or 503.
    pub retry_after: Option<Duration>,
}

impl From<u16> for Answer {
    fn from(status: u16) -> Self {
        Self { status, retry_after: None }
    }
}

#[cfg(feature = "http")]
impl From<http::StatusCode> for Answer {
    fn from(status: http::StatusCode) -> Self {
        status.as_u16().into()
    }
}

impl Answer {
    fn is_success(self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// One request and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// When it was made, by the sender's clock.
    pub at: Timestamp,
    /// What the handler answered.
    pub answer: Answer,
    /// The answer did not arrive: the dispatcher takes it as a failure, whatever it was.
    pub lost: bool,
}

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// Its `webhook-id`.
    pub id: String,
    /// Every request that was made for it, in the order of answers.
    pub attempts: Vec<Attempt>,
    /// Whether a success has arrived.
    pub delivered: bool,
}

/// What became of all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// In the order of delivery.
    pub deliveries: Vec<Delivery>,
}

impl Report {
    /// Every status that was answered, in order.
    pub fn statuses(&self) -> Vec<u16> {
        let attempts = self.deliveries.iter().flat_map(|delivery| &delivery.attempts);
        attempts.map(|attempt| attempt.answer.status).collect()
    }

    /// Those that no success has arrived for.
    pub fn undelivered(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.iter().filter(|delivery| !delivery.delivered)
    }

    /// Ends the test if there are any, and says what was answered.
    #[expect(clippy::panic, reason = "for tests, to end them")]
    pub fn assert_delivered(&self) {
        let failed: Vec<_> = self.undelivered().collect();
        if !failed.is_empty() {
            panic!("{} of {} not delivered: {failed:#?}", failed.len(), self.deliveries.len());
        }
    }
}

/// Delivers events to a handler until it takes them, or the schedule ends.
///
/// There is no waiting: the sender's clock is put to the time of the next attempt.
#[derive(Debug, Clone)]
pub struct Dispatcher<'a> {
    sender: &'a TestSender,
    copies: usize,
    lost_answers: usize,
    shuffled: Option<u64>,
    schedule: Vec<Duration>,
}

impl<'a> Dispatcher<'a> {
    /// One copy of each event, in order, every answer arrives.
    pub fn new(sender: &'a TestSender) -> Self {
        let schedule = SCHEDULE.map(Duration::from_secs).to_vec();
        Self { sender, copies: 1, lost_answers: 0, shuffled: None, schedule }
    }

    /// Every attempt is made so many times at once: each is polled before the first has ended.
    /// They are equal to the byte, as what a proxy repeats.
    #[must_use]
    pub fn copies(self, copies: usize) -> Self {
        Self { copies: copies.max(1), ..self }
    }

    /// The first answers to each event do not arrive, so there is another attempt although the
    /// handler has done its work. Five at most leave an attempt for the answer that arrives.
    #[must_use]
    pub fn lost_answers(self, answers: usize) -> Self {
        Self { lost_answers: answers, ..self }
    }

    /// Events come in another order, which this number decides: the same one, the same order.
    #[must_use]
    pub fn shuffled(self, seed: u64) -> Self {
        Self { shuffled: Some(seed), ..self }
    }

    /// Other waits than the platform's five.
    #[must_use]
    pub fn schedule(self, waits: impl IntoIterator<Item = Duration>) -> Self {
        Self { schedule: waits.into_iter().collect(), ..self }
    }

    /// Delivers them, one after the other: the next when the one before has been taken or given
    /// up.
    pub async fn deliver<A: Into<Answer>>(
        &self,
        events: &[TestEvent],
        handler: impl AsyncFn(Signed) -> A,
    ) -> Report {
        let mut events: Vec<_> = events.iter().collect();
        if let Some(seed) = self.shuffled {
            shuffle(&mut events, seed);
        }
        let mut deliveries = Vec::with_capacity(events.len());
        for event in events {
            deliveries.push(self.deliver_one(event, &handler).await);
        }
        Report { deliveries }
    }

    async fn deliver_one<A: Into<Answer>>(
        &self,
        event: &TestEvent,
        handler: &impl AsyncFn(Signed) -> A,
    ) -> Delivery {
        let clock = self.sender.clock();
        let mut request = self.sender.sign(event);
        let mut delivery =
            Delivery { id: request.id().to_owned(), attempts: Vec::new(), delivered: false };
        let mut waits = self.schedule.iter();
        for number in 0.. {
            let at = clock.now();
            let copies = (0..self.copies).map(|_| handler(request.clone()));
            let answers: Vec<Answer> = together(copies).await.into_iter().map(Into::into).collect();
            let lost = number < self.lost_answers;
            let attempts = answers.iter().map(|answer| Attempt { at, answer: *answer, lost });
            delivery.attempts.extend(attempts);
            delivery.delivered = !lost && answers.iter().any(|answer| answer.is_success());
            let gone = !lost && answers.iter().any(|answer| answer.status == 410);
            let Some(wait) = waits.next().filter(|_| !delivery.delivered && !gone) else { break };
            let asked = answers.iter().filter_map(|answer| answer.retry_after).max();
            clock.advance(asked.filter(|_| !lost).unwrap_or_default().max(*wait));
            request = self.sender.resend(&request);
        }
        delivery
    }
}

/// A future, and what came of it.
type Running<F> = (Pin<Box<F>>, Option<<F as Future>::Output>);

/// Runs them at once, in this task; what they come to, in their order.
async fn together<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Running<F>> = futures.map(|future| (Box::pin(future), None)).collect();
    let all = poll_fn(|context| {
        for (future, output) in running.iter_mut().filter(|(_, output)| output.is_none()) {
            if let Poll::Ready(ready) = future.as_mut().poll(context) {
                *output = Some(ready);
            }
        }
        match running.iter().all(|(_, output)| output.is_some()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    });
    pin!(all).await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}

/// Fisher and Yates, by the upper bits of a linear congruence: good enough to be out of order.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let drawn = usize::try_from(state >> 33).unwrap_or_default();
        items.swap(last, drawn % (last + 1));
    }
}
