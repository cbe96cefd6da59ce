//! Subscriptions: an exact name, everything below a prefix, or everything.

use std::fmt;
use std::str::FromStr;

use super::{CATALOGUE, find, nearest};
use crate::header::MAX_EVENT_NAME_BYTES;

/// Why a pattern cannot be subscribed to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatternError {
    /// Not of the form `order.filled`, `order.*` or `*`.
    Malformed {
        /// Patterns that may have been meant, the likeliest first.
        nearest: Vec<&'static str>,
    },
    /// Well formed, but there is no event that it matches.
    MatchesNothing {
        /// Patterns that may have been meant, the likeliest first.
        nearest: Vec<&'static str>,
    },
}

impl PatternError {
    /// Patterns that may have been meant, the likeliest first.
    pub fn nearest(&self) -> &[&'static str] {
        match self {
            Self::Malformed { nearest } | Self::MatchesNothing { nearest } => nearest,
        }
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed { .. } => "expected 'order.filled', 'order.*' or '*'",
            Self::MatchesNothing { .. } => "no event type matches",
        })?;
        match self.nearest() {
            [] => Ok(()),
            names => write!(f, "; did you mean '{}'?", names.join("' or '")),
        }
    }
}

impl std::error::Error for PatternError {}

/// What a webhook is subscribed to: `order.filled`, `order.*` (any depth below) or `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Takes a pattern that matches at least one known event type.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let pattern = Self::well_formed(text)?;
        match CATALOGUE.iter().any(|event_type| pattern.covers(event_type.name)) {
            true => Ok(pattern),
            false => Err(PatternError::MatchesNothing { nearest: nearest(text) }),
        }
    }

    /// Takes a pattern whatever it matches: one that was accepted before, or by somebody else.
    pub fn well_formed(text: &str) -> Result<Self, PatternError> {
        let name = match text {
            "*" => return Ok(Self(text.into())),
            _ => text.strip_suffix(".*").unwrap_or(text),
        };
        let word = |segment: &str| {
            segment.starts_with(|first: char| first.is_ascii_lowercase())
                && segment
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        match text.len() <= MAX_EVENT_NAME_BYTES && name.split('.').all(word) {
            true => Ok(Self(text.into())),
            false => Err(PatternError::Malformed { nearest: nearest(text) }),
        }
    }

    /// Whether an event of this name, or of one of its aliases, is subscribed to.
    pub fn matches(&self, name: &str) -> bool {
        self.covers(name)
            || find(name).is_some_and(|known| known.aliases.iter().any(|alias| self.covers(alias)))
    }

    /// The pattern as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn covers(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            // "order." for `order.*`, and nothing at all for `*`: every name begins so.
            Some(prefix) => name.len() > prefix.len() && name.starts_with(prefix),
            None => *self.0 == *name,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(name)
    }

    #[test]
    fn the_three_forms() {
        assert!(matches("order.filled", "order.filled"));
        assert!(!matches("order.filled", "order.filled.late"));
        assert!(matches("order.*", "order.filled"));
        assert!(matches("order.*", "order.bond.settled"));
        assert!(!matches("order.*", "order"));
        assert!(!matches("order.*", "orders.filled"));
        assert!(matches("transfer.*", "transfer.deposit.failed"));
        assert!(matches("transfer.deposit.*", "transfer.deposit.failed"));
        assert!(!matches("transfer.deposit.*", "transfer.withdrawal.failed"));
        assert!(matches("*", "anything.at.all"));
    }

    #[test]
    fn an_alias_is_as_good_as_the_name() {
        for pattern in
            ["deposit.completed", "deposit.*", "transfer.deposit.completed", "transfer.*"]
        {
            assert!(matches(pattern, "deposit.completed"), "{pattern}");
            assert!(matches(pattern, "transfer.deposit.completed"), "{pattern}");
        }
        assert!(!matches("deposit.*", "transfer.deposit.failed"));
        assert!(!matches("withdrawal.*", "transfer.deposit.completed"));
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for text in [
            "",
            ".",
            "*.filled",
            "order*",
            "order.",
            ".order",
            "order..filled",
            "order.*.x",
            "Order.filled",
            "order filled",
            "order.**",
            "**",
            ".*",
            "1order",
            "order.filled ",
            "ä",
        ] {
            let error = Pattern::parse(text).unwrap_err();
            assert!(matches!(error, PatternError::Malformed { .. }), "{text}: {error:?}");
        }
        let long = format!("{}.*", "a".repeat(MAX_EVENT_NAME_BYTES));
        assert_eq!(Pattern::parse(&long), Err(PatternError::Malformed { nearest: vec![] }));
    }

    #[test]
    fn patterns_that_match_nothing_say_what_would() {
        let error = Pattern::parse("order.fileld").unwrap_err();
        assert_eq!(error.nearest().first(), Some(&"order.filled"));
        let error = Pattern::parse("orders.*").unwrap_err();
        assert_eq!(error.to_string(), "no event type matches; did you mean 'order.*'?");
        let error = Pattern::parse("zzzzzz").unwrap_err();
        assert_eq!(error.to_string(), "no event type matches");
        assert!(Pattern::well_formed("orders.*").is_ok());
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text: String) {
            let _ = Pattern::parse(&text);
        }

        #[test]
        fn a_well_formed_name_matches_itself_and_its_parents(
            name in "[a-z]{1,5}(\\.[a-z]{1,5}){1,4}",
        ) {
            prop_assert!(Pattern::well_formed(&name).unwrap().matches(&name));
            for (dot, _) in name.match_indices('.') {
                let parent = format!("{}.*", &name[..dot]);
                prop_assert!(Pattern::well_formed(&parent).unwrap().matches(&name));
            }
        }
    }
}
