//! Whether it is one write that the database refuses, or every write.

use std::fmt;

use super::StoreError;

/// Why nothing can be written now, whatever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    Full,
    ReadOnly,
    Locked,
    /// The disk fails, the file is damaged, there is no memory.
    Broken,
}

impl Outage {
    /// As a health check says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "the database takes no writes: the disk is full",
            Self::ReadOnly => "the database takes no writes: the file or its folder is read-only",
            Self::Locked => "the database takes no writes: another process holds its lock",
            Self::Broken => "the database takes no writes: reading or writing the file fails",
        }
    }

    /// What a person can do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Full => "make room on the disk",
            Self::ReadOnly => "let the daemon write to the file and its folder",
            Self::Locked => "end the transaction that a publisher of the outbox left open",
            Self::Broken => "look at the disk, its quota, `ulimit -f`, and the system's log",
        }
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl StoreError {
    /// The outage that this error is a sign of; none if it is about what was to be written.
    pub fn outage(&self) -> Option<Outage> {
        match self {
            Self::Outage(outage) => Some(*outage),
            Self::Database(sqlx::Error::Database(error)) => {
                sqlite_outage(error.code()?.parse().ok()?)
            }
            Self::Database(
                sqlx::Error::Io(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed,
            ) => Some(Outage::Broken),
            _ => None,
        }
    }
}

/// By SQLite's result code, of which the lowest byte is the kind.
fn sqlite_outage(code: u32) -> Option<Outage> {
    match code & 0xff {
        13 => Some(Outage::Full),
        3 | 8 => Some(Outage::ReadOnly),
        5 | 6 | 15 => Some(Outage::Locked),
        // A statement that fails (a trigger that somebody added), a constraint, a value of the
        // wrong kind or size: about this write.
        1 | 18..=21 | 25 => None,
        _ => Some(Outage::Broken),
    }
}
