//! Which events are shown.

use super::super::record::{Delivery, Outcome};
use super::history::Entry;

/// Words that must all apply: a type (`order.*`), a status (`5xx`, `404`, `failed`, `timeout`), or
/// text of the type, the ids, the bodies or the cause.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    pub(super) text: String,
    pub(super) only_failures: bool,
}

impl Filter {
    pub(super) fn is_active(&self) -> bool {
        self.only_failures || !self.text.trim().is_empty()
    }

    pub(super) fn shows(&self, entry: &Entry) -> bool {
        if self.only_failures && !entry.done().is_some_and(Delivery::failed) {
            return false;
        }
        self.text.split_whitespace().all(|word| applies(word, entry))
    }
}

fn applies(word: &str, entry: &Entry) -> bool {
    if word.contains('*') {
        return glob(word, entry.event_type());
    }
    match (of_status(word), entry.done()) {
        (Some(applies), Some(delivery)) => applies(delivery, word) || holds(word, entry),
        _ => holds(word, entry),
    }
}

/// How a word that means a status is held against a delivery.
fn of_status(word: &str) -> Option<fn(&Delivery, &str) -> bool> {
    match word {
        "failed" => Some(|delivery, _| delivery.failed()),
        "ok" => Some(|delivery, _| !delivery.failed()),
        "timeout" => Some(|delivery, _| delivery.outcome == Outcome::Timeout),
        _ if word.len() == 3 && word.starts_with(|first: char| first.is_ascii_digit()) => {
            Some(|delivery, word| {
                let status = delivery.status.map(|status| status.to_string()).unwrap_or_default();
                status == word || (word.ends_with("xx") && status.starts_with(&word[..1]))
            })
        }
        _ => None,
    }
}

/// Whether the word stands somewhere in the event, in whatever case.
fn holds(word: &str, entry: &Entry) -> bool {
    let word = word.to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&word);
    if has(entry.event_type()) || has(entry.event()) || has(entry.delivery()) {
        return true;
    }
    let Some(delivery) = entry.done() else { return false };
    let answer = delivery.response.as_ref();
    delivery.error.as_deref().is_some_and(has)
        || has(&delivery.request.text())
        || answer.is_some_and(|answer| has(&answer.text()))
}

/// `*` stands for anything.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let Some((middle, end)) = rest.rsplit_once('*') else { return text.ends_with(rest) };
    for part in middle.split('*') {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, matches) in [
            ("order.*", "order.filled", true),
            ("order.*", "orders.filled", false),
            ("*", "", true),
            ("*.filled", "order.filled", true),
            ("o*r.*led", "order.filled", true),
            ("ab*ba", "aba", false),
            ("*r*d*", "order.filled", true),
            ("*x*d*", "order.filled", false),
        ] {
            assert_eq!(glob(pattern, text), matches, "{pattern} on {text}");
        }
    }
}
