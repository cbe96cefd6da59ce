//! Listeners: webhooks whose receiver has no address, because it is a developer's terminal.
//!
//! It holds a stream open, deliveries go down it, and what came of each comes back in a request of
//! its own. Between the two a delivery is on offer: leased like any other that is under way. A
//! stream that breaks takes nothing with it, since its offers go down the next one.
//!
//! Nothing is claimed for a listener without a stream: its window is closed.

mod word;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bluum_hooks_shared::api::Holder;
use bluum_hooks_shared::id::DeliveryId;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

pub use self::word::Word;
use crate::clock::Clock;
use crate::shutdown::Shutdown;
use crate::slots::Slots;
use crate::store::{Claimed, LEASE};
use crate::transport::{Answer, Request, SendError};

/// How long an offer stands beyond the time that its attempt may take: for the way there and back.
pub const GRACE: Duration = Duration::from_secs(15);
/// How much earlier than its lease in the database an offer ends, however often it is extended.
const MARGIN: Duration = Duration::from_secs(30);

/// What is on offer, and who listens.
#[derive(Debug, Clone)]
pub struct Listeners {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    slots: Slots,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
    last_stream: AtomicU64,
    /// Held while a name is looked up and taken.
    naming: tokio::sync::Mutex<()>,
    /// By the number of the webhook.
    listening: Mutex<HashMap<i64, Listening>>,
}

#[derive(Debug, Default)]
struct Listening {
    streams: Vec<Stream>,
    offers: HashMap<(DeliveryId, u32), Offer>,
}

#[derive(Debug)]
struct Stream {
    number: u64,
    holder: Holder,
    window: usize,
    frames: UnboundedSender<Frame>,
}

#[derive(Debug)]
struct Offer {
    offered: Arc<Offered>,
    /// The stream that it went down.
    stream: Option<u64>,
    words: UnboundedSender<Word>,
}

/// A delivery as it goes down a stream.
#[derive(Debug)]
pub struct Offered {
    pub delivery: DeliveryId,
    pub sequence: i64,
    pub attempt: u32,
    pub event: String,
    pub request: Request,
}

/// What goes down a stream.
#[derive(Debug)]
pub enum Frame {
    Delivery {
        offered: Arc<Offered>,
        /// Whether it may have come down a stream before.
        again: bool,
    },
    /// The last one.
    Bye(Bye),
}

/// Why a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bye {
    Takeover,
    Shutdown,
    Revoked,
    Deleted,
}

impl Bye {
    /// As the stream has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Takeover => "takeover",
            Self::Shutdown => "shutdown",
            Self::Revoked => "revoked",
            Self::Deleted => "deleted",
        }
    }
}

/// How a stream goes with others of the same listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// Not at all: another's is an obstacle.
    Nobody,
    /// The others end.
    Takeover,
    /// Each delivery goes down one of them.
    Share,
}

/// The receiving end of a stream. It ends when this is dropped.
#[derive(Debug)]
pub struct Open {
    pub frames: UnboundedReceiver<Frame>,
    pub number: u64,
    webhook: i64,
    listeners: Listeners,
}

impl Listeners {
    pub fn new(slots: Slots, clock: Arc<dyn Clock>, shutdown: Shutdown) -> Self {
        Self {
            shared: Arc::new(Shared {
                slots,
                clock,
                shutdown,
                last_stream: AtomicU64::new(0),
                naming: tokio::sync::Mutex::default(),
                listening: Mutex::default(),
            }),
        }
    }

    /// Lets one at a time make a listener, so that no name is taken twice.
    pub async fn naming(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.shared.naming.lock().await
    }

    /// Offers a delivery to whoever listens. `None`: nobody did, or nobody has said a word in time.
    pub async fn offer(
        &self,
        claimed: &Claimed,
        request: &Request,
    ) -> Option<Result<Answer, SendError>> {
        let Shared { clock, shutdown, .. } = &*self.shared;
        let began = clock.now();
        let allowed = request.timeout + GRACE;
        let latest = began.plus(LEASE.saturating_sub(MARGIN));
        let (mut words, _withdrawn) = self.put(claimed, request)?;
        let mut until = began.plus(allowed).min(latest);
        loop {
            tokio::select! {
                biased;
                word = words.recv() => match word? {
                    Word::Working => until = clock.now().plus(allowed).min(latest),
                    Word::Done(outcome) => return Some(outcome),
                    Word::Declined => return None,
                },
                () = clock.sleep_until(until) => return None,
                // What came of it will be said again to the next daemon.
                () = shutdown.intake_stopped() => return None,
            }
        }
    }

    fn put(
        &self,
        claimed: &Claimed,
        request: &Request,
    ) -> Option<(UnboundedReceiver<Word>, Withdraw)> {
        let attempt = claimed.progress.attempts + 1;
        let offered = Arc::new(Offered {
            delivery: claimed.id,
            sequence: claimed.sequence,
            attempt,
            event: claimed.event.to_string(),
            request: request.clone(),
        });
        let (words, heard) = mpsc::unbounded_channel();
        let (webhook, key) = (claimed.webhook.number, (claimed.id, attempt));
        let mut all = self.lock();
        let listening = all.get_mut(&webhook)?;
        let mut offer = Offer { offered, stream: None, words };
        // Claimed before, and given back: it may have gone down a stream.
        let again = claimed.progress.claim > attempt;
        listening.hand_out(&mut offer, again);
        offer.stream?;
        listening.offers.insert(key, offer);
        Some((heard, Withdraw { webhook, key, listeners: self.clone() }))
    }

    /// Opens a stream, down which everything goes that is on offer and that no other stream has.
    ///
    /// # Errors
    ///
    /// Somebody else's is open, and `beside` says that this matters.
    pub fn open(
        &self,
        webhook: i64,
        holder: Holder,
        window: usize,
        beside: Beside,
    ) -> Result<Open, Holder> {
        let (frames, received) = mpsc::unbounded_channel();
        let mut all = self.lock();
        let listening = all.entry(webhook).or_default();
        // The same process once more: its last stream is dead, whatever we believe.
        listening.streams.retain(|other| other.holder.instance != holder.instance);
        match (beside, listening.streams.first()) {
            (Beside::Nobody, Some(other)) => return Err(other.holder.clone()),
            (Beside::Takeover, _) => listening.end(Bye::Takeover),
            (Beside::Share, _) | (_, None) => {}
        }
        let number = self.shared.last_stream.fetch_add(1, Ordering::Relaxed) + 1;
        listening.streams.push(Stream { number, holder, window, frames });
        self.settle(webhook, listening);
        Ok(Open { frames: received, number, webhook, listeners: self.clone() })
    }

    /// Who listens, first who has listened longest.
    pub fn holder(&self, webhook: i64) -> Option<Holder> {
        let all = self.lock();
        Some(all.get(&webhook)?.streams.first()?.holder.clone())
    }

    /// Tells what the listener says of an offer; whether there is such an offer.
    pub fn tell(&self, webhook: i64, delivery: DeliveryId, attempt: u32, word: Word) -> bool {
        let all = self.lock();
        let offer = all.get(&webhook).and_then(|of| of.offers.get(&(delivery, attempt)));
        offer.is_some_and(|offer| offer.words.send(word).is_ok())
    }

    /// Ends all streams of a listener that is no more, and takes back what was on offer.
    pub fn delete(&self, webhook: i64) {
        let mut all = self.lock();
        if let Some(listening) = all.get_mut(&webhook) {
            listening.end(Bye::Deleted);
            listening.offers.clear();
            self.settle(webhook, listening);
        }
    }

    /// Makes the window that of the streams there are, and hands out what has none.
    fn settle(&self, webhook: i64, listening: &mut Listening) {
        let window = listening.streams.iter().map(|stream| stream.window).sum();
        self.shared.slots.set_window(webhook, window);
        let numbers: Vec<_> = listening.streams.iter().map(|stream| stream.number).collect();
        let has_none = |offer: &Offer| offer.stream.is_none_or(|stream| !numbers.contains(&stream));
        let offers = listening.offers.iter().filter(|(_, offer)| has_none(offer));
        let mut keys: Vec<_> = offers.map(|(key, offer)| (offer.offered.sequence, *key)).collect();
        keys.sort_unstable();
        for (_, key) in keys {
            let Some(offer) = listening.offers.remove(&key) else { continue };
            let mut offer = Offer { stream: None, ..offer };
            listening.hand_out(&mut offer, true);
            listening.offers.insert(key, offer);
        }
    }

    /// Whole after every statement, so a poisoned lock has nothing wrong in it.
    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Listening>> {
        self.shared.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listening {
    /// Sends an offer down the stream that has the most room.
    fn hand_out(&self, offer: &mut Offer, again: bool) {
        let held = |stream: &Stream| {
            let of_stream = |other: &&Offer| other.stream == Some(stream.number);
            self.offers.values().filter(of_stream).count()
        };
        let stream = match &self.streams[..] {
            [only] => Some(only),
            many => many.iter().max_by_key(|stream| stream.window.saturating_sub(held(stream))),
        };
        let Some(stream) = stream else { return };
        let offered = Arc::clone(&offer.offered);
        if stream.frames.send(Frame::Delivery { offered, again }).is_ok() {
            offer.stream = Some(stream.number);
        }
    }

    fn end(&mut self, why: Bye) {
        for stream in self.streams.drain(..) {
            // Gone already: then it need not be told.
            let _ = stream.frames.send(Frame::Bye(why));
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut all = self.listeners.lock();
        let Some(listening) = all.get_mut(&self.webhook) else { return };
        listening.streams.retain(|stream| stream.number != self.number);
        self.listeners.settle(self.webhook, listening);
        if listening.streams.is_empty() && listening.offers.is_empty() {
            all.remove(&self.webhook);
        }
    }
}

/// Takes an offer back when it is dropped.
struct Withdraw {
    webhook: i64,
    key: (DeliveryId, u32),
    listeners: Listeners,
}

impl Drop for Withdraw {
    fn drop(&mut self) {
        let mut all = self.listeners.lock();
        let Some(listening) = all.get_mut(&self.webhook) else { return };
        listening.offers.remove(&self.key);
        if listening.streams.is_empty() && listening.offers.is_empty() {
            all.remove(&self.webhook);
        }
    }
}
