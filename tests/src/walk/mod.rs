//! A random walk through everything a store can be asked, taken by two stores side by side.
//!
//! Both get the same operations; after each the answers are compared, and every now and then all
//! that is stored. The seed decides everything, so it brings a failure back.

pub(crate) mod dice;
mod edit;
mod law;
mod op;
mod side;

use std::collections::BTreeMap;

use crate::conformance::world::World;
use crate::seed::Chance;
use dice::Dice;
use op::Plan;
use side::Side;

/// How many operations lie between two comparisons of all that is stored.
const INSPECTION: usize = 500;

/// States and reasons, as they are printed.
const STATES: [&str; 8] =
    ["Queued", "Waiting", "Leased", "Delivered", "Exhausted", "Gone", "Disabled", "CrashesWorker"];

/// How often each kind of answer was given, and each state seen.
pub type Tally = BTreeMap<String, usize>;

/// Takes both worlds through the same operations.
///
/// # Panics
///
/// With the seed and the operation, if the answers differ or a law is broken.
pub async fn take(seed: u64, operations: usize, reference: World, other: World) -> Tally {
    let mut reference = Side::new(reference);
    let mut other = Side::new(other);
    let mut plan = Plan::new(Dice(Chance::new(seed)));
    for op in plan.beginning() {
        reference.perform(&op).await;
        other.perform(&op).await;
    }
    let mut tally = Tally::new();
    for number in 1..=operations {
        let op = plan.next(&reference);
        let expected = reference.perform(&op).await;
        let answers = other.perform(&op).await;
        assert_eq!(answers, expected, "seed {seed}, operation {number}: {op:?}");
        for answer in answers {
            let kind = answer.split(':').next().unwrap_or_default();
            *tally.entry(kind.to_owned()).or_default() += 1;
        }
        if number % INSPECTION == 0 || number == operations {
            let expected = law::inspect(&reference).await;
            let stored = law::inspect(&other).await;
            for (stored, expected) in stored.iter().zip(&expected) {
                assert_eq!(stored, expected, "seed {seed}, after operation {number}");
            }
            assert_eq!(stored.len(), expected.len(), "seed {seed}, after operation {number}");
            count_states(&expected, &mut tally);
        }
    }
    tally
}

fn count_states(stored: &[String], tally: &mut Tally) {
    for state in STATES {
        let lines = stored.iter().filter(|line| line.contains(state));
        *tally.entry(state.to_owned()).or_default() += lines.count();
    }
}
