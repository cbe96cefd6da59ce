//! The one place that reads the time; everything else takes it as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

use bluum_hooks_shared::time::Timestamp;

/// The system's time, for [`Verifier::verify`](crate::Verifier::verify).
///
/// A clock set before 1970 reads as 1970: every delivery is then refused as too new.
#[expect(clippy::disallowed_methods, reason = "a partner's handler has no clock to hand in")]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(0).plus(since)
}
