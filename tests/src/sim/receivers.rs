//! The partners' end of the wire: receivers whose moods change, and who write down what they get.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bluum_hooks_dispatcher::clock::Clock as _;
use bluum_hooks_dispatcher::faults::Fault;
use bluum_hooks_dispatcher::store::Store as _;
use bluum_hooks_dispatcher::store::memory::MemoryStore;
use bluum_hooks_dispatcher::transport::{Answer, Request, SendError, Transport};
use bluum_hooks_receiver::Verifier;
use bluum_hooks_shared::api::AttemptOutcome;
use bluum_hooks_shared::header;
use bluum_hooks_shared::id::EventId;
use bluum_hooks_shared::secret::Secret;
use bytes::Bytes;

use super::clock::SimClock;
use super::ledger::{Asked, End, Ledger};
use super::trace::Trace;
use crate::walk::dice::Dice;

/// What a receiver is like for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Healthy,
    Slow,
    Answers(u16),
    Throttles,
    Refuses,
    Hangs,
    /// It takes the event, and its answer gets lost.
    LosesAnswers,
    /// There is no way out from here: our own fault.
    OutOfReach,
    /// Each time something else.
    Flaps,
}

const MOODS: [Mood; 13] = [
    Mood::Healthy,
    Mood::Healthy,
    Mood::Healthy,
    Mood::Slow,
    Mood::Answers(500),
    Mood::Answers(302),
    Mood::Answers(410),
    Mood::Throttles,
    Mood::Refuses,
    Mood::Hangs,
    Mood::LosesAnswers,
    Mood::OutOfReach,
    Mood::Flaps,
];

/// What comes of one request.
#[derive(Debug, Clone)]
struct Fate {
    takes: Duration,
    outcome: Result<Answer, SendError>,
}

/// All receivers, one for each webhook.
#[derive(Debug)]
pub(super) struct Receivers {
    pub(super) ledger: Ledger,
    pub(super) clock: SimClock,
    pub(super) trace: Trace,
    pub(super) store: Arc<MemoryStore>,
    pub(super) moods: Mutex<Moods>,
}

/// How each of them is, and until when.
#[derive(Debug)]
pub(super) struct Moods {
    dice: Dice,
    healed: bool,
    current: Vec<(Duration, Mood)>,
}

impl Moods {
    pub(super) fn new(dice: Dice) -> Mutex<Self> {
        Mutex::new(Self { dice, healed: false, current: Vec::new() })
    }

    /// From now on, all are well.
    pub(super) fn heal(&mut self) {
        self.healed = true;
    }

    fn of(&mut self, webhook: usize, now: Duration) -> Mood {
        if self.healed {
            return Mood::Healthy;
        }
        if self.current.len() <= webhook {
            self.current.resize(webhook + 1, (Duration::ZERO, Mood::Healthy));
        }
        if self.current[webhook].0 <= now {
            let lasts = self.dice.micros(1..20_000_000);
            self.current[webhook] = (now + lasts, self.dice.pick(&MOODS));
        }
        self.current[webhook].1
    }

    fn fate(&mut self, webhook: usize, timeout: Duration, now: Duration) -> Fate {
        let mut mood = self.of(webhook, now);
        if mood == Mood::Flaps {
            mood = self.dice.pick(&MOODS[..MOODS.len() - 1]);
        }
        let takes = match mood {
            Mood::Slow => self.dice.micros(1_000..10_000_000),
            Mood::Hangs => Duration::MAX,
            _ if self.dice.one_in(2) => self.dice.micros(1..50_000),
            _ => Duration::ZERO,
        };
        if takes >= timeout {
            return Fate { takes: timeout, outcome: Err(SendError::Timeout(timeout)) };
        }
        let outcome = match mood {
            Mood::Healthy | Mood::Slow | Mood::Hangs | Mood::Flaps => Ok(answer(200, None)),
            Mood::Answers(status) => Ok(answer(status, None)),
            Mood::Throttles => {
                let status = self.dice.pick(&[429, 503]);
                let rarely = if self.dice.one_in(20) { 7_200 } else { 20 };
                let seconds = self.dice.count(0..rarely);
                let asks = !self.dice.one_in(4);
                Ok(answer(status, asks.then(|| seconds.to_string())))
            }
            Mood::Refuses => Err(SendError::Connect("connection refused".into())),
            Mood::LosesAnswers => Err(SendError::Broken("connection reset".into())),
            Mood::OutOfReach => Err(SendError::Ours(Fault::Network, "no route".into())),
        };
        Fate { takes, outcome }
    }
}

fn answer(status: u16, retry_after: Option<String>) -> Answer {
    Answer { status, retry_after, body: Bytes::new() }
}

/// The secret of a webhook.
pub(super) fn secret(webhook: usize) -> Secret {
    let byte = u8::try_from(webhook % 200).unwrap_or_default();
    Secret::from_bytes(&[byte; 32]).unwrap()
}

/// Where a webhook points.
pub(super) fn url(webhook: usize) -> String {
    format!("http://partner.example/{webhook}")
}

impl Receivers {
    fn arrive(&self, request: &Request) -> (Ticket, Fate) {
        let webhook = request.url.rsplit('/').next().and_then(|place| place.parse().ok()).unwrap();
        let text = |name| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap();
        let event: EventId = text(header::WEBHOOK_ID).parse().unwrap();
        let sequence = text(header::WEBHOOK_SEQUENCE).parse().unwrap();
        let number = text(header::WEBHOOK_ATTEMPT).parse().unwrap();
        let span = text(header::TRACEPARENT).split('-').nth(2).unwrap();
        let at = self.clock.monotonic();
        let verifier = Verifier::new([secret(webhook)]);
        let verified = verifier.verify(&request.headers, &request.body, self.clock.now());
        let refused = verified.as_ref().err().map(ToString::to_string);
        let ours = verified.is_ok_and(|it| it.event().is_ok_and(|it| is_notice(&it.name)));
        let registry = self.store.registry();
        let mut entries = self.ledger.open();
        entries.must(refused.is_none(), || format!("webhook {webhook}: {event}: {refused:?}"));
        let active = registry.webhook(entries.webhooks[webhook].id);
        let active = active.is_some_and(|found| found.stopped().is_none());
        entries.must(active, || format!("webhook {webhook} is stopped and got {event}"));
        let asked = Asked {
            webhook,
            event,
            sequence,
            number,
            span: u64::from_str_radix(span, 16).unwrap(),
            boot: entries.boot(),
            begun: entries.tick(),
            wall: self.clock.now(),
            latest: self.clock.latest(),
            end: None,
        };
        let place = entries.arrived(asked, &request.body, ours);
        drop(entries);
        let fate = self.moods.lock().unwrap().fate(webhook, request.timeout, at);
        self.trace.note(|| {
            format!("webhook {webhook}: {event} as {sequence}, attempt {number}: {fate:?}")
        });
        (Ticket { ledger: self.ledger.clone(), place }, fate)
    }
}

/// Whether an event of this name is published by the dispatcher itself.
fn is_notice(name: &str) -> bool {
    name.starts_with("webhook.") || name.starts_with("delivery.")
}

/// A request under way.
struct Ticket {
    ledger: Ledger,
    place: usize,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.ledger.open().open.remove(&self.place);
    }
}

#[async_trait]
impl Transport for Receivers {
    async fn send(&self, request: Request) -> Result<Answer, SendError> {
        let (ticket, Fate { takes, outcome }) = self.arrive(&request);
        tokio::task::yield_now().await;
        if takes > Duration::ZERO {
            self.clock.wait(takes).await;
        }
        let answer = outcome.as_ref().ok();
        let seconds = answer.and_then(|answer| answer.retry_after.as_ref()?.parse().ok());
        let mut entries = self.ledger.open();
        let tick = entries.tick();
        entries.asked[ticket.place].end = Some(End {
            tick,
            wall: self.clock.now(),
            outcome: outcome
                .as_ref()
                .map_or_else(SendError::outcome, |answer| AttemptOutcome::of_status(answer.status)),
            status: answer.map(|answer| answer.status),
            retry_after: seconds.map(Duration::from_secs),
        });
        drop(entries);
        outcome
    }
}
