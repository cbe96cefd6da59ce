//! Whether what a webhook's receiver got is what was published: all of it, in order, numbered.

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use bluum_hooks_receiver::Verifier;

use super::publisher::Ledger;
use crate::compare;
use crate::sink::Request;

/// Longer than any story.
const TOLERANCE: Duration = Duration::from_hours(1);

fn each(received: &[impl Borrow<Request>]) -> impl Iterator<Item = &Request> {
    received.iter().map(Borrow::borrow)
}

/// Every request is signed with the webhook's secret.
pub fn all_verified(received: &[&Request], secret: &str) {
    let verifier = Verifier::parse(secret).unwrap().tolerance(TOLERANCE, TOLERANCE);
    for request in received {
        let verified =
            verifier.verify(&request.headers, &request.body, bluum_hooks_receiver::now());
        verified.unwrap_or_else(|error| panic!("{error}: {request:?}"));
    }
}

/// Each event has one number and each number one event, on whichever attempt; they are 1, 2, 3 …
/// up to `last`.
pub fn numbered_without_a_hole(received: &[impl Borrow<Request>], last: usize) {
    let pairs: BTreeSet<(u64, &str)> =
        each(received).map(|request| (request.sequence(), request.event_id())).collect();
    let numbers: Vec<u64> = pairs.iter().map(|(number, _)| *number).collect();
    let expected: Vec<u64> = (1..).take(last).collect();
    compare::same("webhook-sequence, each with its event", &numbers, &expected);
    let events: HashSet<&str> = pairs.iter().map(|(_, event)| *event).collect();
    assert_eq!(events.len(), pairs.len(), "an event came with two numbers");
}

/// First arrivals of the events of one object come in the order in which they were published.
pub fn in_order(received: &[impl Borrow<Request>]) {
    let mut last: HashMap<String, i64> = HashMap::new();
    let mut seen = HashSet::new();
    for request in each(received) {
        let data = &request.json()["data"];
        if let Some(n) = data["n"].as_i64()
            && seen.insert(request.event_id())
        {
            let before = last.insert(data["id"].to_string(), n).unwrap_or(-1);
            assert!(before < n, "of one object, n = {before} came before {request:?}");
        }
    }
}

/// What was accepted came, as one event each; what is in doubt came wholly or not at all; nothing
/// else came.
pub fn as_published(received: &[&Request], ledger: &Ledger) {
    let mut came: HashMap<i64, HashSet<&str>> = HashMap::new();
    for request in received {
        if let Some(n) = request.json()["data"]["n"].as_i64() {
            came.entry(n).or_default().insert(request.event_id());
        }
    }
    ledger.with(|entries| {
        for (n, id) in &entries.accepted {
            let ids = came.remove(n).unwrap_or_else(|| panic!("{n} was accepted and is lost"));
            let same = id.as_deref().is_none_or(|id| ids.contains(id));
            assert!(ids.len() == 1 && same, "{n} was accepted as {id:?} and came as {ids:?}");
        }
        for group in &entries.in_doubt {
            let there: Vec<_> = group.iter().filter_map(|n| came.remove(n)).collect();
            let whole = there.is_empty() || there.len() == group.len();
            assert!(whole, "of {group:?} only {there:?} came");
            assert!(there.iter().all(|ids| ids.len() == 1), "{group:?} came as {there:?}");
        }
    });
    assert!(came.is_empty(), "nobody published {came:?}");
}
