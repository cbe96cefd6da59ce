//! A clock that moves when the world has nothing left to do, to the next who wants to be woken.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bluum_hooks_dispatcher::clock::Clock;
use bluum_hooks_shared::time::Timestamp;

use crate::conformance::world::START;

/// Wall time that can be set, over a monotonic time that only rises. Sleepers go by the latter, as
/// with the machine's clock.
#[derive(Debug, Clone, Default)]
pub(super) struct SimClock(Arc<Mutex<Hands>>);

#[derive(Debug, Default)]
struct Hands {
    monotonic: Duration,
    /// How far the wall clock was put forward, and back, in all.
    ahead: Duration,
    behind: Duration,
    /// The latest that the wall clock ever showed.
    latest: Duration,
    lain_down: u64,
    /// By when they want to be woken, and who came first.
    sleepers: BTreeMap<(Duration, u64), Waker>,
}

impl Hands {
    /// Since the beginning, as the wall clock has it.
    fn wall(&self) -> Duration {
        (self.monotonic + self.ahead).saturating_sub(self.behind)
    }
}

/// Somebody who sleeps. Whoever is dropped is woken no more.
struct Sleeper {
    hands: Arc<Mutex<Hands>>,
    place: (Duration, u64),
}

impl Future for Sleeper {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut hands = self.hands.lock().unwrap();
        if hands.monotonic >= self.place.0 {
            return Poll::Ready(());
        }
        hands.sleepers.insert(self.place, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.hands.lock().unwrap().sleepers.remove(&self.place);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        START.plus(self.hands().wall())
    }

    fn monotonic(&self) -> Duration {
        self.hands().monotonic
    }

    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let wait = at.since(self.now());
        Box::pin(self.wait(wait))
    }
}

impl SimClock {
    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.0.lock().unwrap()
    }

    /// Resolves when so much time has passed, whatever the wall clock says meanwhile.
    pub(super) fn wait(&self, duration: Duration) -> impl Future<Output = ()> + Send + use<> {
        let mut hands = self.hands();
        hands.lain_down += 1;
        Sleeper { hands: Arc::clone(&self.0), place: (hands.monotonic + duration, hands.lain_down) }
    }

    /// The latest that the wall clock ever showed: what was due by then may have been taken up.
    pub(super) fn latest(&self) -> Timestamp {
        let hands = self.hands();
        START.plus(hands.latest.max(hands.wall()))
    }

    /// When the next sleeper wants to be woken.
    pub(super) fn next(&self) -> Option<Duration> {
        self.hands().sleepers.keys().next().map(|place| place.0)
    }

    /// Lets the time pass, and wakes who is to be woken by then.
    pub(super) fn pass(&self, until: Duration) {
        let mut hands = self.hands();
        hands.monotonic = hands.monotonic.max(until);
        hands.latest = hands.latest.max(hands.wall());
        let later = (hands.monotonic, u64::MAX);
        let asleep = hands.sleepers.split_off(&later);
        let woken = std::mem::replace(&mut hands.sleepers, asleep);
        drop(hands);
        woken.into_values().for_each(Waker::wake);
    }

    /// Sets the wall clock.
    pub(super) fn put(&self, forward: bool, by: Duration) {
        let mut hands = self.hands();
        if forward {
            hands.ahead += by;
        } else {
            hands.behind += by;
        }
        hands.latest = hands.latest.max(hands.wall());
    }
}
