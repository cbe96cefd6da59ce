//! The event types there are, and the patterns that subscribe to them.

mod pattern;
mod table;

pub use pattern::{Pattern, PatternError};
pub use table::CATALOGUE;

use crate::header::MAX_EVENT_NAME_BYTES;

/// One type of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventType {
    /// The name that goes over the wire, verbatim.
    pub name: &'static str,
    /// Other names of the same happening; a subscription to any of them gets all of them.
    pub aliases: &'static [&'static str],
    /// What it belongs to, for grouping in lists: `order`, `transfer`, ….
    pub category: &'static str,
    /// What has happened, in one sentence.
    pub description: &'static str,
    /// The `object` of `data`: `order`, `deposit`, ….
    pub object: &'static str,
    /// A realistic `data`, on several lines for reading.
    pub example_data: &'static str,
}

impl EventType {
    /// The example without white space between its tokens, as a sender would send it.
    pub fn compact_example(&self) -> String {
        let (mut quoted, mut escaped) = (false, false);
        let keep = |&letter: &char| {
            if escaped {
                escaped = false;
            } else if letter == '"' {
                quoted = !quoted;
            } else if letter == '\\' {
                escaped = true;
            }
            quoted || !letter.is_ascii_whitespace()
        };
        self.example_data.chars().filter(keep).collect()
    }
}

/// The type of this exact name.
pub fn find(name: &str) -> Option<&'static EventType> {
    CATALOGUE.iter().find(|event_type| event_type.name == name)
}

/// Every wildcard that matches something, so that they can be suggested.
pub const WILDCARDS: &[&str] = &[
    "*",
    "account.*",
    "delivery.*",
    "deposit.*",
    "document.*",
    "kyc.*",
    "kyc.verification.*",
    "order.*",
    "transfer.*",
    "transfer.deposit.*",
    "transfer.withdrawal.*",
    "wallet.*",
    "webhook.*",
    "withdrawal.*",
];

/// Less alike than this is no help to anybody.
const ALIKE: f64 = 0.5;

/// Up to three known names like this one, the likeliest first. For a text with a `*` in it, known
/// wildcards; for one that is too long to be a name, nothing.
pub fn nearest(name: &str) -> Vec<&'static str> {
    if name.len() > MAX_EVENT_NAME_BYTES {
        return Vec::new();
    }
    let name = name.trim().to_ascii_lowercase();
    let names = CATALOGUE.iter().map(|event_type| event_type.name);
    let candidates: Vec<_> = match name.contains('*') {
        true => WILDCARDS.to_vec(),
        false => names.collect(),
    };
    let mut scored: Vec<_> = candidates
        .into_iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(&name, known), known))
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    // A stable sort: equals stay in the order of the catalogue.
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    scored.into_iter().take(3).map(|(_, known)| known).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn names_are_unique_and_well_formed() {
        let names: BTreeSet<_> = CATALOGUE.iter().map(|event_type| event_type.name).collect();
        assert_eq!(names.len(), CATALOGUE.len());
        for name in names {
            assert!(Pattern::well_formed(name).is_ok(), "{name}");
            assert_eq!(find(name).unwrap().name, name);
        }
        assert_eq!(find("order"), None);
    }

    #[test]
    fn aliases_name_each_other_and_carry_the_same() {
        for event_type in CATALOGUE {
            for alias in event_type.aliases {
                let other = find(alias).unwrap();
                assert!(other.aliases.contains(&event_type.name), "{alias}");
                assert_eq!(other.object, event_type.object);
                assert_eq!(other.example_data, event_type.example_data);
            }
        }
    }

    #[test]
    fn wildcards_are_the_prefixes_of_the_names() {
        let mut prefixes = BTreeSet::from(["*".to_owned()]);
        for event_type in CATALOGUE {
            for (dot, _) in event_type.name.match_indices('.') {
                prefixes.insert(format!("{}.*", &event_type.name[..dot]));
            }
        }
        assert_eq!(prefixes.iter().map(String::as_str).collect::<Vec<_>>(), WILDCARDS);
    }

    #[test]
    fn examples_are_what_they_say() {
        for event_type in CATALOGUE {
            let data: Value = serde_json::from_str(event_type.example_data).unwrap();
            assert_eq!(data["object"], event_type.object, "{}", event_type.name);
            let compact = event_type.compact_example();
            assert!(!compact.contains('\n'));
            assert_eq!(serde_json::from_str::<Value>(&compact).unwrap(), data);
        }
    }

    #[test]
    fn typing_errors_find_what_was_meant() {
        for (typed, meant) in [
            ("order.fileld", "order.filled"),
            ("order.cancelled", "order.canceled"),
            ("ORDER.FILLED", "order.filled"),
            ("transfer.deposit.complete", "transfer.deposit.completed"),
            ("deposit.complete", "deposit.completed"),
            ("orders.*", "order.*"),
            ("transfers.deposit.*", "transfer.deposit.*"),
            ("**", "*"),
        ] {
            let found = nearest(typed);
            assert_eq!(found.first(), Some(&meant), "{typed}: {found:?}");
            assert!(found.len() <= 3);
        }
        assert!(nearest("zzzzzzzz").is_empty());
        assert!(nearest("").is_empty());
    }

    proptest! {
        #[test]
        fn any_name_is_answered(name: String) {
            let _ = nearest(&name);
        }
    }
}
