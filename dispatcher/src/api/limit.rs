//! How many requests a key may make: a sandbox key few, a live key more, an operator's any number.
//!
//! Each key has a bucket of as many requests as it may make in a second, which fills up again
//! evenly within a second. Only a key that has proven itself has a bucket; so nobody without the
//! secret can use one up, and there are never more buckets than keys.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bluum_hooks_shared::api::Role;
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::id::KeyId;
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::Shared;
use super::auth::Caller;
use super::error::ApiError;
use crate::clock::Clock;
use crate::config::RateLimits;
use crate::invalid::Invalid;
use crate::store::Key;

/// How many requests the key may make in a second.
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
/// How many it may make now.
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
/// After how many seconds of silence it may make all of them again.
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// How often the buckets of keys that are idle are thrown away.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// Counts the requests of each key.
#[derive(Debug)]
pub struct Limiter {
    sandbox: Option<Buckets>,
    live: Option<Buckets>,
}

impl Limiter {
    pub fn new(limits: RateLimits, clock: &Arc<dyn Clock>) -> Self {
        let buckets = |limit: Option<NonZeroU32>| Some(Buckets::new(limit?, Arc::clone(clock)));
        Self { sandbox: buckets(limits.sandbox), live: buckets(limits.live) }
    }

    /// Counts one request of this key. `None` if the key is not limited.
    fn count(&self, key: &Key) -> Option<Standing> {
        let buckets = match (key.role, key.livemode) {
            (Role::Operator, _) => None,
            (Role::Tenant | Role::Investor, false) => self.sandbox.as_ref(),
            (Role::Tenant | Role::Investor, true) => self.live.as_ref(),
        };
        Some(buckets?.count(key.id))
    }
}

/// Where a key stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    limit: NonZeroU32,
    remaining: u32,
    reset: Duration,
    /// If this request was one too many: when the next may come.
    refused_for: Option<Duration>,
}

impl Standing {
    fn tell(&self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, HeaderValue::from(self.limit.get()));
        headers.insert(REMAINING, HeaderValue::from(self.remaining));
        headers.insert(RESET, HeaderValue::from(whole_seconds(self.reset)));
        if let Some(wait) = self.refused_for {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait).max(1)));
        }
    }
}

/// Rounded up: who waits that long has waited long enough.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// Buckets of one size, one for each key that is not idle.
#[derive(Debug)]
struct Buckets {
    limit: NonZeroU32,
    quota: Quota,
    levels: RateLimiter<KeyId, HashMapStateStore<KeyId>, Ticks, StateInformationMiddleware>,
    clock: Ticks,
    /// When idle keys were last forgotten, in seconds of monotonic time.
    forgot_at: AtomicU64,
}

impl Buckets {
    fn new(limit: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let quota = Quota::per_second(limit);
        let levels = RateLimiter::new(quota, HashMapStateStore::default(), Ticks(clock.clone()));
        let forgot_at = AtomicU64::new(clock.monotonic().as_secs());
        Self { limit, quota, levels, clock: Ticks(clock), forgot_at }
    }

    fn count(&self, key: KeyId) -> Standing {
        let now = self.clock.0.monotonic();
        self.forget_idle(now);
        let (remaining, refused_for) = match self.levels.check_key(&key) {
            Ok(state) => (state.remaining_burst_capacity(), None),
            Err(until) => (0, Some(until.wait_time_from(now))),
        };
        let used = self.limit.get().saturating_sub(remaining);
        let reset = self.quota.replenish_interval().saturating_mul(used);
        Standing { limit: self.limit, remaining, reset, refused_for }
    }

    /// Now and then, throws away the buckets that are full: they are as good as new ones.
    fn forget_idle(&self, now: Duration) {
        let last = self.forgot_at.load(Ordering::Relaxed);
        if now.as_secs() < last.saturating_add(FORGET_EVERY.as_secs()) {
            return;
        }
        let taken = self.forgot_at.compare_exchange(
            last,
            now.as_secs(),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        if taken.is_ok() {
            self.levels.retain_recent();
            self.levels.shrink_to_fit();
        }
    }
}

/// Our clock, as `governor` reads it.
#[derive(Debug, Clone)]
struct Ticks(Arc<dyn Clock>);

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

/// Lets in who has a key and has not used up its limit, and says with every answer what is left.
/// OPTIONS needs no key: the answer tells methods and nothing else.
pub(super) async fn admit(
    State(api): Shared,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if request.method() == Method::OPTIONS {
        return Ok(next.run(request).await);
    }
    let caller = Caller::authenticate(request.headers(), &api.context.store.registry())?;
    // Results come as fast as deliveries go, and only for those.
    let result = request.uri().path().ends_with("/results");
    let standing = if result { None } else { api.limiter.count(caller.key()) };
    let Some(standing) = standing else {
        request.extensions_mut().insert(caller);
        return Ok(next.run(request).await);
    };
    let mut response = if standing.refused_for.is_some() {
        too_many(standing.limit).into_response()
    } else {
        request.extensions_mut().insert(caller);
        next.run(request).await
    };
    standing.tell(response.headers_mut());
    Ok(response)
}

fn too_many(limit: NonZeroU32) -> ApiError {
    let message = format!("This key may make {limit} requests a second; see Retry-After.");
    Invalid::request(ErrorCode::TooManyRequests, message).into()
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::atomic::AtomicU64;

    use bluum_hooks_shared::time::Timestamp;

    use super::*;

    #[derive(Debug, Default)]
    struct ManualClock {
        millis: AtomicU64,
    }

    impl ManualClock {
        fn pass(&self, millis: u64) {
            self.millis.fetch_add(millis, Ordering::Relaxed);
        }
    }

    impl Clock for ManualClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix_seconds(0).plus(self.monotonic())
        }

        fn monotonic(&self) -> Duration {
            Duration::from_millis(self.millis.load(Ordering::Relaxed))
        }

        fn sleep_until(&self, _: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            Box::pin(std::future::pending())
        }
    }

    fn limiter(sandbox: u32, live: u32) -> (Limiter, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        let limits = RateLimits { sandbox: NonZeroU32::new(sandbox), live: NonZeroU32::new(live) };
        let shared: Arc<dyn Clock> = clock.clone();
        (Limiter::new(limits, &shared), clock)
    }

    fn key(bits: u128, role: Role, livemode: bool) -> Key {
        let at = Timestamp::from_unix_seconds(0);
        Key {
            id: KeyId::new(at, bits),
            role,
            tenant: None,
            livemode,
            investor_id: None,
            name: None,
            secret_sha256: String::new(),
            created_at: at,
            revoked_at: None,
        }
    }

    /// How many of `tries` requests at this moment are let in.
    fn admitted(limiter: &Limiter, key: &Key, tries: u32) -> u32 {
        let refused = |key| limiter.count(key).is_some_and(|now| now.refused_for.is_some());
        (0..tries).filter(|_| !refused(key)).count().try_into().unwrap()
    }

    #[test]
    fn the_limit_is_exact_and_is_whole_again_after_a_second() {
        for limit in [1, 2, 3, 7, 10, 25, 1_000] {
            let (limiter, clock) = limiter(limit, 0);
            let key = key(1, Role::Tenant, false);
            assert_eq!(admitted(&limiter, &key, limit + 1), limit, "a new key");
            clock.pass(1_000);
            assert_eq!(admitted(&limiter, &key, limit + 1), limit, "after a second");
            clock.pass(3_600_000);
            assert_eq!(admitted(&limiter, &key, limit + 1), limit, "after an hour: not saved up");
        }
    }

    #[test]
    fn what_is_used_comes_back_evenly() {
        let (limiter, clock) = limiter(10, 0);
        let key = key(1, Role::Tenant, false);
        assert_eq!(admitted(&limiter, &key, 99), 10);
        clock.pass(99);
        assert_eq!(admitted(&limiter, &key, 99), 0);
        clock.pass(1);
        assert_eq!(admitted(&limiter, &key, 99), 1);
        clock.pass(350);
        assert_eq!(admitted(&limiter, &key, 99), 3);
    }

    #[test]
    fn refused_requests_use_nothing_up() {
        let (limiter, clock) = limiter(10, 0);
        let key = key(1, Role::Tenant, false);
        let in_ten_seconds = (0..1_000).map(|_| {
            clock.pass(10);
            admitted(&limiter, &key, 1)
        });
        assert_eq!(in_ten_seconds.sum::<u32>(), 10 + 10 * 10 - 1);
    }

    #[test]
    fn live_keys_may_more_and_operators_what_they_want() {
        let (limiter, _) = limiter(10, 25);
        for role in [Role::Tenant, Role::Investor] {
            let bits = if role == Role::Tenant { 1 } else { 2 };
            assert_eq!(admitted(&limiter, &key(bits, role, false), 99), 10);
            assert_eq!(admitted(&limiter, &key(bits + 2, role, true), 99), 25);
        }
        for livemode in [false, true] {
            assert_eq!(limiter.count(&key(5, Role::Operator, livemode)), None);
        }
    }

    #[test]
    fn zero_means_no_limit() {
        let (limiter, _) = limiter(0, 1);
        assert_eq!(limiter.count(&key(1, Role::Tenant, false)), None);
        assert_eq!(admitted(&limiter, &key(1, Role::Tenant, true), 9), 1);
    }

    #[test]
    fn keys_do_not_share_a_limit() {
        let (limiter, _) = limiter(10, 0);
        assert_eq!(admitted(&limiter, &key(1, Role::Tenant, false), 99), 10);
        assert_eq!(admitted(&limiter, &key(2, Role::Tenant, false), 99), 10);
    }

    #[test]
    fn every_answer_says_what_is_left() {
        let (limiter, clock) = limiter(2, 0);
        let key = key(1, Role::Tenant, false);
        let told = || {
            let mut headers = HeaderMap::new();
            limiter.count(&key).unwrap().tell(&mut headers);
            let value = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            [LIMIT, REMAINING, RESET, RETRY_AFTER].map(value)
        };
        let three = |a: &str, b: &str, c: &str| [a, b, c].map(|text| Some(text.to_owned()));
        let [two, one, none] = [three("2", "1", "1"), three("2", "0", "1"), three("2", "0", "1")];
        assert_eq!(told(), [&two[..], &[None]].concat()[..]);
        assert_eq!(told(), [&one[..], &[None]].concat()[..]);
        assert_eq!(told(), [&none[..], &[Some("1".to_owned())]].concat()[..]);
        clock.pass(499);
        assert_eq!(told()[3], Some("1".to_owned()), "a millisecond is rounded up to a second");
    }

    #[test]
    fn idle_keys_are_forgotten_and_busy_ones_are_not() {
        let (limiter, clock) = limiter(10, 0);
        for bits in 0..100 {
            admitted(&limiter, &key(bits, Role::Tenant, false), 1);
        }
        let levels = &limiter.sandbox.as_ref().unwrap().levels;
        assert_eq!(levels.len(), 100);
        clock.pass(59_900);
        let busy = key(7, Role::Tenant, false);
        assert_eq!(admitted(&limiter, &busy, 99), 10);
        assert_eq!(levels.len(), 100);
        clock.pass(100);
        assert_eq!(admitted(&limiter, &busy, 99), 1, "what the busy key has used is kept");
        assert_eq!(levels.len(), 1);
    }
}
