//! Faults of our own: what is wrong here, and so is no receiver's failure.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bluum_hooks_shared::time::Timestamp;

use crate::policy::pace::LONGEST_OF_OURS;

/// A fault is over when nobody has met it for so long: the longest pause after which whoever met it
/// tries again, the longest attempt, and some.
const MEMORY: Duration = LONGEST_OF_OURS.saturating_add(Duration::from_secs(90));

/// What can be wrong with us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The database refuses to read or to write.
    Database,
    /// No name can be resolved.
    Resolver,
    /// Out of open files, ports or memory.
    Resources,
    /// This machine has no way out.
    Network,
    /// A webhook's signing secret cannot be opened.
    Secrets,
}

impl Fault {
    /// As `/readyz`, logs and metrics have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Resolver => "resolver",
            Self::Resources => "resources",
            Self::Network => "network",
            Self::Secrets => "secrets",
        }
    }
}

/// A fault that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub fault: Fault,
    pub since: Timestamp,
    /// What was heard last.
    pub detail: String,
}

/// The faults that stand. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<BTreeMap<Fault, Met>>>);

#[derive(Debug)]
struct Met {
    first: Timestamp,
    last: Timestamp,
    detail: String,
}

impl Faults {
    /// Somebody met this fault. True if it stands only from now on.
    pub fn met(&self, fault: Fault, detail: &str, now: Timestamp) -> bool {
        let mut faults = self.lock();
        let standing = faults.get(&fault).filter(|met| stands(met, now));
        let first = standing.map_or(now, |met| met.first);
        let begins = standing.is_none();
        faults.insert(fault, Met { first, last: now, detail: detail.to_owned() });
        begins
    }

    /// What stands now.
    pub fn standing(&self, now: Timestamp) -> Vec<Standing> {
        let faults = self.lock();
        let standing = faults.iter().filter(|(_, met)| stands(met, now));
        let shown = |(&fault, met): (&Fault, &Met)| Standing {
            fault,
            since: met.first,
            detail: met.detail.clone(),
        };
        standing.map(shown).collect()
    }

    /// The map is whole after every statement, so a poisoned lock has nothing wrong in it.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Fault, Met>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stands(met: &Met, now: Timestamp) -> bool {
    now.since(met.last) < MEMORY
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_unix_seconds(1_000_000);

    #[test]
    fn a_fault_stands_until_nobody_has_met_it_for_a_while() {
        let faults = Faults::default();
        let later = |seconds| START.plus(Duration::from_secs(seconds));
        assert!(faults.met(Fault::Resolver, "no name server", START));
        assert!(!faults.met(Fault::Resolver, "still none", later(140)));
        let standing = faults.standing(later(289));
        assert_eq!(standing.len(), 1);
        assert_eq!((standing[0].since, &*standing[0].detail), (START, "still none"));
        assert!(faults.standing(later(290)).is_empty());
        assert!(faults.met(Fault::Resolver, "again", later(290)), "another one");
    }
}
