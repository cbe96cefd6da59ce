//! Looks out for silence, and for sleep: timers stand still while a machine sleeps.

use std::time::Duration;

use bluum_hooks_shared::time::Timestamp;

use super::frames::Hello;
use crate::clock::Clock;

/// How long its first word may take, which comes at once if nobody keeps it back.
const HELLO: Duration = Duration::from_secs(10);
/// How long a stream may be silent that does not say how often it speaks.
pub(super) const SILENCE: Duration = Duration::from_secs(40);
/// How often silence and the clock are looked at.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// A wall clock that is ahead of the monotonic one by so much: this machine slept.
const SLEPT: Duration = Duration::from_secs(10);

/// A moment on both clocks: one stands still while this machine sleeps, the other can be set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    wall: Timestamp,
    monotonic: Duration,
}

impl Moment {
    pub(super) fn now(clock: &dyn Clock) -> Self {
        Self { wall: clock.now(), monotonic: clock.monotonic() }
    }

    /// How long ago it may be: what the clocks say that goes further.
    pub(super) fn age(&self, clock: &dyn Clock) -> Duration {
        let now = Self::now(clock);
        now.wall.since(self.wall).max(now.monotonic.saturating_sub(self.monotonic))
    }
}

/// Of one stream, or of one wait.
#[derive(Debug)]
pub(super) struct Vigil {
    heard: Duration,
    looked: Moment,
    patience: Duration,
}

impl Vigil {
    pub(super) fn new(clock: &dyn Clock) -> Self {
        Self { heard: clock.monotonic(), looked: Moment::now(clock), patience: HELLO }
    }

    /// Two heartbeats may be missed, and the third be late.
    pub(super) fn expects(&mut self, hello: &Hello) {
        let often = hello.heartbeat_ms.map(|often| Duration::from_millis(often).max(LOOK));
        self.patience = often.map_or(SILENCE, |often| often.saturating_mul(8) / 3);
    }

    pub(super) fn heard(&mut self, clock: &dyn Clock) {
        self.heard = clock.monotonic();
    }

    pub(super) fn looks(&mut self, clock: &dyn Clock) -> Option<String> {
        if self.slept(clock) {
            return Some("this machine slept".into());
        }
        let silence = self.looked.monotonic.saturating_sub(self.heard);
        (silence >= self.patience).then(|| format!("no word for {} s", silence.as_secs()))
    }

    fn slept(&mut self, clock: &dyn Clock) -> bool {
        let (before, now) = (self.looked, Moment::now(clock));
        self.looked = now;
        let awake = now.monotonic.saturating_sub(before.monotonic);
        now.wall.since(before.wall).saturating_sub(awake) >= SLEPT
    }
}

/// Waits so long, but not on after this machine slept: the network is new then.
pub(super) async fn wait_awake(clock: &dyn Clock, wait: Duration) {
    let until = clock.monotonic() + wait;
    let mut vigil = Vigil::new(clock);
    loop {
        let left = until.saturating_sub(clock.monotonic());
        if left.is_zero() || vigil.slept(clock) {
            return;
        }
        tokio::time::sleep(left.min(LOOK)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use super::*;

    /// What both clocks of a machine show.
    #[derive(Debug)]
    struct Hands {
        wall: Timestamp,
        monotonic: Duration,
    }

    impl Clock for Hands {
        fn now(&self) -> Timestamp {
            self.wall
        }

        fn monotonic(&self) -> Duration {
            self.monotonic
        }

        fn sleep_until(&self, _: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            Box::pin(std::future::pending())
        }
    }

    impl Hands {
        fn start() -> Self {
            let wall = "2026-11-21T10:00:00Z".parse().unwrap();
            Self { wall, monotonic: Duration::from_secs(100) }
        }

        fn pass(&mut self, time: Duration) {
            self.wall = self.wall.plus(time);
            self.monotonic += time;
        }
    }

    fn vigil(hands: &Hands) -> Vigil {
        let mut vigil = Vigil::new(hands);
        let hello = r#"{"waiting":0,"heartbeat_ms":15000}"#;
        vigil.expects(&serde_json::from_str(hello).unwrap());
        vigil
    }

    #[test]
    fn the_first_word_comes_soon_or_is_kept_back() {
        let mut hands = Hands::start();
        let mut vigil = Vigil::new(&hands);
        hands.pass(HELLO);
        assert_eq!(vigil.looks(&hands).unwrap(), "no word for 10 s");
        vigil.expects(&serde_json::from_str(r#"{"waiting":0}"#).unwrap());
        assert_eq!(vigil.looks(&hands), None);
    }

    /// A machine that slept cannot be told from a clock that was set: the stream is opened again,
    /// which loses nothing, and once.
    #[test]
    fn a_clock_set_forward_is_taken_for_sleep_once() {
        let mut hands = Hands::start();
        let mut vigil = vigil(&hands);
        hands.pass(LOOK);
        assert_eq!(vigil.looks(&hands), None);
        hands.wall = hands.wall.plus(SLEPT - LOOK);
        assert_eq!(vigil.looks(&hands), None, "so little may be a clock that is set right");
        hands.wall = hands.wall.plus(Duration::from_hours(24));
        hands.pass(LOOK);
        assert_eq!(vigil.looks(&hands).unwrap(), "this machine slept");
        hands.pass(LOOK);
        assert_eq!(vigil.looks(&hands), None);
    }

    #[test]
    fn a_clock_set_back_is_not_noticed_and_hides_no_silence() {
        let mut hands = Hands::start();
        let mut vigil = vigil(&hands);
        hands.wall = hands.wall.minus(Duration::from_hours(24));
        for _ in 0..39 {
            hands.pass(LOOK);
            assert_eq!(vigil.looks(&hands), None);
        }
        hands.pass(LOOK);
        assert_eq!(vigil.looks(&hands).unwrap(), "no word for 40 s");
        vigil.heard(&hands);
        assert_eq!(vigil.looks(&hands), None);
    }

    #[test]
    fn what_came_before_a_sleep_is_old_and_a_clock_set_back_makes_nothing_young() {
        let mut hands = Hands::start();
        let came = Moment::now(&hands);
        hands.wall = hands.wall.plus(Duration::from_hours(8));
        assert_eq!(came.age(&hands), Duration::from_hours(8));
        hands.wall = hands.wall.minus(Duration::from_hours(9));
        hands.pass(Duration::from_secs(5));
        assert_eq!(came.age(&hands), Duration::from_secs(5));
    }
}
