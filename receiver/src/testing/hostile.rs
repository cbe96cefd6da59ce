//! Requests that receivers have been fooled, crashed and slowed down by, and what is right.

mod bodies;
mod headers;
mod signatures;
mod times;

use super::{Signed, TestEvent, TestSender};

/// A request, and what a receiver should make of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Hostile {
    /// What is wrong with it, in words; no two cases have the same.
    pub name: String,
    /// The request.
    pub request: Signed,
    /// What a receiver must answer, if it trusts the sender's keys, is as strict as a
    /// [`Verifier`](crate::Verifier) is by default, and goes by the sender's clock or by one that
    /// is not more than a minute ahead of it.
    pub expected: Expected,
}

/// What a receiver must make of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It is signed, and what is strange about it takes nothing from that: 2xx, and the handler
    /// runs.
    Accepted,
    /// It is not signed: 4xx, and the handler does not run. The status is what a
    /// [`Verifier`](crate::Verifier) says.
    Refused(u16),
}

impl Expected {
    /// Whether a receiver that answers with this status is right. Which 4xx does not matter.
    pub fn is_met_by(self, status: u16) -> bool {
        match self {
            Self::Accepted => (200..300).contains(&status),
            Self::Refused(_) => (400..500).contains(&status),
        }
    }
}

impl TestSender {
    /// Every case there is, made of one event: missing, doubled and malformed headers, other
    /// times, other ids, signatures that are nearly good, bodies that are nearly the same, and
    /// floods.
    pub fn hostile(&self, event: &TestEvent) -> impl Iterator<Item = Hostile> + use<> {
        let good = self.sign(event);
        let mut cases = Cases { sender: self, event, good, found: Vec::new() };
        cases.accepted("nothing is wrong", cases.good.clone());
        headers::add(&mut cases);
        headers::add_ids(&mut cases);
        times::add(&mut cases);
        signatures::add(&mut cases);
        signatures::add_neighbours(&mut cases);
        bodies::add(&mut cases);
        cases.found.into_iter()
    }
}

/// The cases so far, and what the next are made of.
struct Cases<'a> {
    sender: &'a TestSender,
    event: &'a TestEvent,
    good: Signed,
    found: Vec<Hostile>,
}

impl Cases<'_> {
    fn add(&mut self, name: impl Into<String>, request: Signed, expected: Expected) {
        self.found.push(Hostile { name: name.into(), request, expected });
    }

    fn accepted(&mut self, name: impl Into<String>, request: Signed) {
        self.add(name, request, Expected::Accepted);
    }

    fn refused(&mut self, status: u16, name: impl Into<String>, request: Signed) {
        self.add(name, request, Expected::Refused(status));
    }

    /// The good value of a header.
    fn value(&self, name: &str) -> String {
        self.good.header(name).unwrap_or_default().to_owned()
    }

    /// The good request with another value of a header.
    fn with(&self, name: &str, value: impl Into<Vec<u8>>) -> Signed {
        self.good.clone().with(name, value)
    }
}
