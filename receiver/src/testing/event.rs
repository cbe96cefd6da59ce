//! Events to be signed in tests.

use bluum_hooks_shared::catalogue::{self, CATALOGUE};
use bluum_hooks_shared::event;

use super::NOW;
use crate::Timestamp;
use crate::id::EventId;

/// An event as a publisher publishes it: an example of its type, unless told otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestEvent {
    id: EventId,
    sequence: u64,
    name: String,
    data: String,
    livemode: bool,
    timestamp: Timestamp,
    investor_id: Option<String>,
}

impl TestEvent {
    /// An event of this type, with the example's data; of a type that is not in the catalogue,
    /// with no fields in its data.
    ///
    /// It is the first of its webhook: [`numbered`](Self::numbered) makes others.
    pub fn new(name: &str) -> Self {
        let example = catalogue::find(name).map(|event_type| event_type.compact_example());
        Self {
            id: EventId::new(NOW, 1),
            sequence: 1,
            name: name.to_owned(),
            data: example.unwrap_or_else(|| "{}".to_owned()),
            livemode: false,
            timestamp: NOW,
            investor_id: Some("inv_01j9x8m2k7qpzwv3t5r6y8n0ab".to_owned()),
        }
    }

    /// An event of every type there is, in the order of the life of an investor's money, numbered
    /// from 1.
    pub fn catalogue() -> impl Iterator<Item = Self> {
        (1..).zip(CATALOGUE).map(|(number, event)| Self::new(event.name).numbered(number))
    }

    /// The event with this number in the sequence of its webhook, and an id of its own.
    #[must_use]
    pub fn numbered(self, sequence: u64) -> Self {
        Self { id: EventId::new(NOW, sequence.into()), sequence, ..self }
    }

    /// Of this type, with the data that it has.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// With this id.
    #[must_use]
    pub fn id(self, id: EventId) -> Self {
        Self { id, ..self }
    }

    /// With this `data`: one JSON value, which goes in byte for byte. What is no JSON makes a body
    /// that is no event.
    #[must_use]
    pub fn data(self, json: impl Into<String>) -> Self {
        Self { data: json.into(), ..self }
    }

    /// Of the real world, or of the sandbox, which it is of otherwise.
    #[must_use]
    pub fn livemode(self, livemode: bool) -> Self {
        Self { livemode, ..self }
    }

    /// Happened, and was published, at this time.
    #[must_use]
    pub fn at(self, timestamp: Timestamp) -> Self {
        Self { timestamp, ..self }
    }

    /// Concerns this investor, or none.
    #[must_use]
    pub fn investor_id(self, id: Option<&str>) -> Self {
        Self { investor_id: id.map(str::to_owned), ..self }
    }

    /// Its type.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id, which a receiver deduplicates on.
    pub fn event_id(&self) -> EventId {
        self.id
    }

    /// Its number in the sequence of its webhook.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Its `data`.
    pub fn raw_data(&self) -> &str {
        &self.data
    }

    /// The body of its deliveries, byte for byte as the dispatcher makes it.
    pub fn body(&self) -> String {
        event::render(
            self.id,
            self.livemode,
            &self.name,
            self.timestamp,
            self.timestamp,
            self.investor_id.as_deref(),
            &self.data,
        )
    }
}
