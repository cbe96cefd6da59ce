//! Instants: UTC microseconds, RFC 3339 on the wire.

#[cfg(feature = "events")]
mod text;

use core::time::Duration;

#[cfg(feature = "events")]
pub use text::TimestampError;

/// A UTC instant in whole microseconds since 1970. Nothing here reads a clock.
///
/// As text it is RFC 3339 with milliseconds and `Z`: `2026-06-15T14:30:15.123Z`.
#[cfg_attr(not(feature = "events"), derive(Debug))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// From seconds since 1970; saturates.
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn as_unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This much later; saturates.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// That much earlier; the earliest time there is, if it would be before that.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let end = Timestamp::from_micros(i64::MAX);
        assert_eq!(end.plus(Duration::MAX), end);
        assert_eq!(Timestamp::from_micros(0).since(end), Duration::ZERO);
        assert_eq!(Timestamp::from_unix_seconds(i64::MAX), end);
        assert_eq!(Timestamp::from_micros(-1).as_unix_seconds(), -1);
    }
}
