//! The last events, in the order in which they began.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::super::record::{Delivery, Record};
use super::body;
use super::filter::Filter;

/// So many events are kept.
pub(super) const MOST_ENTRIES: usize = 1_000;

/// A request that has no answer yet.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    pub(super) delivery: String,
    pub(super) event: String,
    pub(super) event_type: String,
    pub(super) attempt: u32,
    pub(super) target: Option<String>,
    pub(super) at: String,
    /// When, by the clock that never goes back.
    pub(super) since: Duration,
}

#[derive(Debug)]
enum What {
    InFlight(Begun),
    /// Always a `Record::Delivery`.
    Done(Arc<Record>),
}

#[derive(Debug)]
pub(super) struct Entry {
    /// Its number, for as long as it exists.
    pub(super) number: u64,
    /// Whether the filter lets it pass.
    shown: bool,
    what: What,
}

impl Entry {
    pub(super) fn done(&self) -> Option<&Delivery> {
        match &self.what {
            What::Done(record) => of(record),
            What::InFlight(_) => None,
        }
    }

    pub(super) fn in_flight(&self) -> Option<&Begun> {
        match &self.what {
            What::InFlight(begun) => Some(begun),
            What::Done(_) => None,
        }
    }

    pub(super) fn delivery(&self) -> &str {
        self.text(|begun| &begun.delivery, |done| &done.delivery)
    }

    pub(super) fn event(&self) -> &str {
        self.text(|begun| &begun.event, |done| &done.event)
    }

    pub(super) fn event_type(&self) -> &str {
        self.text(|begun| &begun.event_type, |done| &done.event_type)
    }

    fn text(&self, begun: fn(&Begun) -> &str, done: fn(&Delivery) -> &str) -> &str {
        match &self.what {
            What::InFlight(this) => begun(this),
            What::Done(record) => of(record).map(done).unwrap_or_default(),
        }
    }

    fn is_answered_by(&self, delivery: &Delivery) -> bool {
        self.in_flight().is_some_and(|begun| {
            begun.delivery == delivery.delivery
                && begun.attempt == delivery.attempt
                && begun.target == delivery.target
        })
    }
}

fn of(record: &Record) -> Option<&Delivery> {
    match record {
        Record::Delivery(delivery) => Some(delivery),
        _ => None,
    }
}

#[derive(Debug, Default)]
pub(super) struct History {
    entries: VecDeque<Entry>,
    next: u64,
    filter: Filter,
}

impl History {
    pub(super) fn begin(&mut self, begun: Begun) {
        self.push(What::InFlight(begun));
    }

    /// Takes the place of the request that it answers. Whether the filter shows it.
    pub(super) fn finish(&mut self, record: &Arc<Record>) -> bool {
        let Some(delivery) = of(record) else { return false };
        let what = What::Done(small(record, delivery));
        let answered = self.entries.iter_mut().rev().find(|entry| entry.is_answered_by(delivery));
        let Some(entry) = answered else { return self.push(what) };
        entry.what = what;
        entry.shown = self.filter.shows(entry);
        entry.shown
    }

    fn push(&mut self, what: What) -> bool {
        let mut entry = Entry { number: self.next, shown: false, what };
        entry.shown = self.filter.shows(&entry);
        let shown = entry.shown;
        self.next += 1;
        self.entries.push_back(entry);
        if self.entries.len() > MOST_ENTRIES {
            // What is in flight stays: its answer is still to come.
            let oldest = self.entries.iter().position(|entry| entry.done().is_some());
            self.entries.remove(oldest.unwrap_or(0));
        }
        shown
    }

    /// Takes an attempt off the list that was none.
    pub(super) fn give_back(&mut self, delivery: &Delivery) {
        self.entries.retain(|entry| !entry.is_answered_by(delivery));
    }

    /// Forgets what is done.
    pub(super) fn clear(&mut self) {
        self.entries.retain(|entry| entry.in_flight().is_some());
    }

    pub(super) fn filter(&self) -> &Filter {
        &self.filter
    }

    pub(super) fn set_filter(&mut self, filter: Filter) {
        self.filter = filter;
        for entry in &mut self.entries {
            entry.shown = self.filter.shows(entry);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, number: u64) -> Option<&Entry> {
        let at = self.entries.binary_search_by_key(&number, |entry| entry.number).ok()?;
        self.entries.get(at)
    }

    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// What the filter lets pass.
    pub(super) fn shown(&self) -> Vec<&Entry> {
        self.entries.iter().filter(|entry| entry.shown).collect()
    }

    pub(super) fn last_done(&self) -> Option<&Entry> {
        self.all().rev().find(|entry| entry.done().is_some())
    }

    pub(super) fn last_failed(&self) -> Option<&Entry> {
        self.all().rev().find(|entry| entry.done().is_some_and(Delivery::failed))
    }

    /// The event of the same type before this one.
    pub(super) fn previous(&self, entry: &Entry) -> Option<&Delivery> {
        let earlier = |other: &&Entry| {
            other.number < entry.number
                && other.event_type() == entry.event_type()
                && other.event() != entry.event()
        };
        self.all().rev().filter(earlier).find_map(Entry::done)
    }

    /// How many are in flight, and since when the first of them.
    pub(super) fn under_way(&self) -> (usize, Option<Duration>) {
        let begun = || self.all().filter_map(Entry::in_flight).map(|begun| begun.since);
        (begun().count(), begun().min())
    }
}

/// The record, or one with shorter bodies.
fn small(record: &Arc<Record>, delivery: &Delivery) -> Arc<Record> {
    if !body::is_long(&delivery.request) && !delivery.response.as_ref().is_some_and(body::is_long) {
        return Arc::clone(record);
    }
    Arc::new(Record::Delivery(Box::new(Delivery {
        request: body::kept(&delivery.request),
        response: delivery.response.as_ref().map(body::kept),
        ..delivery.clone()
    })))
}
