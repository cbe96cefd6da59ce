//! Limits on what clients may ask for and take up. Each is a setting with a range of its own.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use bluum_hooks_shared::api::MAX_BATCH;

use super::{ConfigError, Sources};
use crate::duration;

/// Where the daemon says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub rates: RateLimits,
    /// Open connections, and requests under way with them.
    pub connections: usize,
    /// How long a connection may wait for the head of its next request.
    pub head_timeout: Duration,
    /// How long the body may take to arrive, counted from the end of the head.
    pub body_timeout: Duration,
    /// How long a client may take nothing of its answer.
    pub answer_timeout: Duration,
    /// Names and values of all headers, with four bytes more for each.
    pub header_bytes: usize,
    /// Path and query.
    pub target_bytes: usize,
    pub query_parameters: usize,
    /// How many objects of a list can be skipped.
    pub offset: usize,
    pub batch_events: usize,
    pub batch_bytes: usize,
    /// Of one tenant in one mode, not counting deleted ones.
    pub webhooks: usize,
    /// Of one tenant in one mode, not counting revoked ones.
    pub keys: usize,
    /// Streams of events that one key has open.
    pub streams: usize,
    /// How long a listener's stream is silent at most.
    pub stream_heartbeat: Duration,
}

/// How many requests a key may make in a second; `None`: any number. Operators' keys always may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    pub sandbox: Option<NonZeroU32>,
    pub live: Option<NonZeroU32>,
}

impl Default for RateLimits {
    /// The platform's.
    fn default() -> Self {
        Self { sandbox: NonZeroU32::new(10), live: NonZeroU32::new(25) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rates: RateLimits::default(),
            connections: 1_024,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(30),
            header_bytes: 16 * 1024,
            target_bytes: 8 * 1024,
            query_parameters: 32,
            offset: 100_000,
            batch_events: MAX_BATCH,
            batch_bytes: 8 * 1024 * 1024,
            webhooks: 1_000,
            keys: 1_000,
            streams: 10,
            stream_heartbeat: Duration::from_secs(15),
        }
    }
}

impl Limits {
    pub(super) fn read(sources: &Sources) -> Result<Self, ConfigError> {
        let count = |name, range, default| count(sources, name, range, default);
        let timeout = |name, default| timeout(sources, name, default);
        let default = Self::default();
        Ok(Self {
            rates: RateLimits {
                sandbox: rate(sources, "rate_limit_sandbox", default.rates.sandbox)?,
                live: rate(sources, "rate_limit_live", default.rates.live)?,
            },
            connections: count("max_connections", 1..=100_000, default.connections)?,
            head_timeout: timeout("head_timeout", default.head_timeout)?,
            body_timeout: timeout("body_timeout", default.body_timeout)?,
            answer_timeout: timeout("answer_timeout", default.answer_timeout)?,
            header_bytes: count("max_header_bytes", 1_024..=262_144, default.header_bytes)?,
            // Beyond 64 KiB the HTTP library refuses by itself.
            target_bytes: count("max_target_bytes", 256..=32_768, default.target_bytes)?,
            query_parameters: count("max_query_parameters", 8..=1_000, default.query_parameters)?,
            offset: count("max_offset", 0..=1_000_000_000, default.offset)?,
            batch_events: count("max_batch_events", 1..=10_000, default.batch_events)?,
            batch_bytes: count("max_batch_bytes", 65_536..=67_108_864, default.batch_bytes)?,
            webhooks: count("max_webhooks", 1..=100_000, default.webhooks)?,
            keys: count("max_keys", 1..=100_000, default.keys)?,
            streams: count("max_streams", 0..=10_000, default.streams)?,
            stream_heartbeat: timeout("stream_heartbeat", default.stream_heartbeat)?,
        })
    }
}

/// A number in a range.
pub(super) fn count(
    sources: &Sources,
    name: &str,
    range: RangeInclusive<usize>,
    default: usize,
) -> Result<usize, ConfigError> {
    let Some(given) = sources.get(name) else { return Ok(default) };
    let count = given.text.parse().ok().filter(|count| range.contains(count));
    let (from, to) = (range.start(), range.end());
    count.ok_or_else(|| given.refuse(format!("'{}' is not from {from} to {to}", given.text)))
}

fn rate(
    sources: &Sources,
    name: &str,
    default: Option<NonZeroU32>,
) -> Result<Option<NonZeroU32>, ConfigError> {
    let Some(given) = sources.get(name) else { return Ok(default) };
    let rate = given.text.parse().ok().filter(|rate| (0..=100_000).contains(rate));
    let wrong = || format!("'{}' is not from 1 to 100000, or 0 for no limit", given.text);
    rate.map(NonZeroU32::new).ok_or_else(|| given.refuse(wrong()))
}

fn timeout(sources: &Sources, name: &str, default: Duration) -> Result<Duration, ConfigError> {
    let Some(given) = sources.get(name) else { return Ok(default) };
    let time = duration::parse(&given.text).map_err(|why| given.refuse(why))?;
    let sane = Duration::from_secs(1)..=Duration::from_hours(1);
    let wrong = || given.refuse(format!("'{}' is not from 1s to 1h", given.text));
    sane.contains(&time).then_some(time).ok_or_else(wrong)
}
