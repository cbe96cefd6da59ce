//! A page of `GET /v1/events`.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Event, EventError, from_json};

/// A page of `GET /v1/events`: events in the order in which they were accepted.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EventPage {
    /// First to last, each byte for byte as its deliveries carry it.
    pub events: Vec<Event>,
    /// Whether there is more after the last one here.
    pub has_more: bool,
}

impl EventPage {
    /// Reads the body of the answer. One event that cannot be read makes the page unreadable:
    /// what is left out would never be missed.
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        #[derive(Deserialize)]
        struct List<'a> {
            has_more: bool,
            #[serde(borrow)]
            data: Vec<&'a RawValue>,
        }
        let list: List<'_> = from_json(body)?.1;
        let events = list.data.iter().map(|event| Event::parse(event.get().as_bytes()));
        Ok(Self { has_more: list.has_more, events: events.collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"id":"evt_1","livemode":false,"event":"order.filled", "data":{},
        "timestamp":"2026-06-15T14:30:15Z"}"#;

    #[test]
    fn events_come_out_as_they_stand_there() {
        let body = format!(
            r#"{{"object":"list","url":"/v1/events","has_more":true,"data":[
            {EVENT} , {EVENT}]}}"#
        );
        let page = EventPage::parse(body.as_bytes()).unwrap();
        assert!(page.has_more);
        assert_eq!(page.events.iter().map(Event::body).collect::<Vec<_>>(), [EVENT; 2]);
    }

    #[test]
    fn what_is_no_page_of_events_is_refused() {
        for body in ["", "[]", r#"{"has_more":false}"#, r#"{"has_more":false,"data":[{}]}"#] {
            assert!(EventPage::parse(body.as_bytes()).is_err(), "{body}");
        }
    }
}
