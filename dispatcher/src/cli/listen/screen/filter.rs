//! Which events are shown.

use bluum_hooks_shared::catalogue::Pattern;

use super::super::record::{Delivery, Outcome};
use super::history::Entry;
use crate::cli::which::Only;

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
    if let Some(Ok(glob)) = word.ends_with('*').then(|| Pattern::well_formed(word)) {
        return glob.matches(entry.event_type());
    }
    let only = Only::parse(word).zip(entry.done()).is_some_and(|(only, delivery)| {
        let timed_out = delivery.outcome == Outcome::Timeout;
        only.has(delivery.status, timed_out, delivery.failed())
    });
    only || holds(word, entry)
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
