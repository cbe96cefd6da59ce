//! What a webhook is owed, counted: for listeners, which may be away for days.

use bluum_hooks_shared::time::Timestamp;

/// What waits for a webhook, is queued behind that, or is under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    pub owed: i64,
    /// When the oldest of it was accepted.
    pub oldest: Option<Timestamp>,
    /// The number given last, of all that was ever owed to this webhook.
    pub last_sequence: i64,
    /// Everything up to this number is more than is kept; none: nothing is.
    pub surplus: Option<i64>,
    /// What was more than is kept, since the last attempt or the number asked about.
    pub gap: Option<Gap>,
}

/// How much of a backlog is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub at_most: i64,
    /// Nothing accepted before then.
    pub since: Timestamp,
}

/// Deliveries that will not come by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub from: i64,
    pub to: i64,
    pub count: i64,
}
