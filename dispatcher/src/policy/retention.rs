//! How long things are kept.

use std::time::Duration;

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ages {
    /// Events, and what was delivered.
    pub finished: Duration,
    /// What was parked.
    pub parked: Duration,
}

impl Default for Ages {
    fn default() -> Self {
        Self { finished: Duration::from_hours(30 * 24), parked: Duration::from_hours(90 * 24) }
    }
}
