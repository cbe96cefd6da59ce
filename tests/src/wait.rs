//! Waiting for facts, each time with a deadline. No other file of the tests may sleep.
#![expect(clippy::disallowed_methods, reason = "here, and only here, tests read the clock")]

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long a fact may take on a slow and busy machine. Nothing takes this long when all is well.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// How often a fact is asked for that nothing announces.
const INTERVAL: Duration = Duration::from_millis(10);

/// The present, for stamping what happens in a test.
pub fn now() -> Instant {
    Instant::now()
}

/// Lets scripted time pass: a slow answer, the moment of a kill. Never a way to wait for a fact.
pub async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Asks `probe` until it answers `Ok`, within [`DEADLINE`].
///
/// # Panics
///
/// After the deadline, with `what` was waited for and the last `Err`, which says what was there.
pub async fn until<T, E: Display>(what: &str, probe: impl AsyncFnMut() -> Result<T, E>) -> T {
    until_within(DEADLINE, what, probe).await
}

/// [`until`], with a deadline of its own.
pub async fn until_within<T, E: Display>(
    limit: Duration,
    what: &str,
    mut probe: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let start = Instant::now();
    loop {
        let seen = match probe().await {
            Ok(fact) => return fact,
            Err(seen) => seen,
        };
        assert!(start.elapsed() < limit, "waited {limit:?} for {what}, last seen: {seen}");
        pause(INTERVAL).await;
    }
}

/// [`until_within`] for a thread: for processes, which announce nothing.
pub fn until_blocking<T, E: Display>(
    limit: Duration,
    what: &str,
    mut probe: impl FnMut() -> Result<T, E>,
) -> T {
    let start = Instant::now();
    loop {
        let seen = match probe() {
            Ok(fact) => return fact,
            Err(seen) => seen,
        };
        assert!(start.elapsed() < limit, "waited {limit:?} for {what}, last seen: {seen}");
        std::thread::sleep(INTERVAL);
    }
}

/// The result of `future`, or `None` if it takes longer than `limit`.
pub async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_as_soon_as_the_fact_is_there() {
        let mut asked = 0;
        let fact = until("the third answer", async || {
            asked += 1;
            if asked == 3 { Ok("here") } else { Err("nothing yet") }
        });
        assert_eq!(fact.await, "here");
        assert_eq!(asked, 3);
    }

    #[test]
    #[should_panic(expected = "waited 20ms for the moon, last seen: only stars")]
    fn says_what_it_waited_for_and_what_it_saw() {
        until_blocking::<(), _>(Duration::from_millis(20), "the moon", || Err("only stars"));
    }

    #[tokio::test]
    async fn a_future_that_never_ends_is_given_up() {
        let never = std::future::pending::<()>();
        assert_eq!(within(Duration::from_millis(5), never).await, None);
    }
}
