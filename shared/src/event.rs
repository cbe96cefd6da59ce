//! An event: the body of every delivery, byte for byte what was stored when it was accepted.
//!
//! The envelope is read apart from `data`. So an event of a type that this version does not know,
//! or whose data does not have the shape expected, can still be identified, deduplicated and kept.

use std::fmt::{self, Write};
use std::ops::Range;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::catalogue;
use crate::id::{AttemptId, EventId};
use crate::object::{
    self, Account, Delivery, Deposit, Document, KycDecision, Order, Wallet, Webhook, Withdrawal,
};
use crate::time::Timestamp;

mod page;

pub use page::EventPage;

/// Something that happened.
#[derive(Clone)]
#[non_exhaustive]
pub struct Event {
    /// The same on every attempt and replay: deduplicate on this, never on `data.id`, which is
    /// the same for every event of one object.
    pub id: String,
    /// When the event was accepted, in whole seconds.
    pub created: Option<Timestamp>,
    /// False in the sandbox, and where the envelope does not say: what may be play money is.
    pub livemode: bool,
    /// The type: `order.filled`.
    pub name: String,
    /// When it happened.
    pub timestamp: Timestamp,
    /// Whom it concerns.
    pub investor_id: Option<String>,
    /// What it happened to.
    pub data: Data,
    body: Box<str>,
    /// Where in the body `data` stands.
    data_at: Range<usize>,
}

/// The resource that an event is about, as it stood at that moment.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Data {
    /// `order.*`
    Order(Box<Order>),
    /// `deposit.*` and `transfer.deposit.*`
    Deposit(Box<Deposit>),
    /// `withdrawal.*` and `transfer.withdrawal.*`
    Withdrawal(Box<Withdrawal>),
    /// `kyc.*`
    KycDecision(Box<KycDecision>),
    /// `account.*`
    Account(Box<Account>),
    /// `document.*`
    Document(Box<Document>),
    /// `wallet.*`
    Wallet(Box<Wallet>),
    /// `webhook.*`: about the delivery system itself.
    Webhook(Box<Webhook>),
    /// `delivery.*`: about the delivery system itself.
    Delivery(Box<Delivery>),
    /// A type that this version does not know; [`Event::raw_data`] has the data.
    Unknown,
    /// A type that this version knows, with data that it cannot read; [`Event::raw_data`] has it.
    Unreadable {
        /// What did not fit and where, without the value that did not.
        reason: String,
    },
}

/// Why a body is not an event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventError {
    /// Not JSON, or cut off.
    NotJson {
        /// Counted from 1; 0 if the body is not even UTF-8.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// JSON, but not the envelope of an event.
    Envelope {
        /// What is missing or of the wrong kind, without the value itself.
        reason: String,
    },
}

/// Why JSON is not of the type that it was read into, and where.
///
/// Without the value that did not fit: it may name a person, and errors end up in logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataError {
    reason: String,
}

impl From<serde_json::Error> for DataError {
    fn from(error: serde_json::Error) -> Self {
        Self { reason: reason(&error) }
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for DataError {}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson { line: 0, .. } => f.write_str("the body is not UTF-8"),
            Self::NotJson { line, column } => {
                write!(f, "the body is not JSON at line {line}, column {column}")
            }
            Self::Envelope { reason } => write!(f, "the body is not an event: {reason}"),
        }
    }
}

impl std::error::Error for EventError {}

#[derive(Deserialize)]
struct Envelope<'a> {
    id: Option<String>,
    created: Option<i64>,
    livemode: Option<bool>,
    event: String,
    timestamp: Timestamp,
    investor_id: Option<String>,
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Event {
    /// Reads the body of a delivery.
    ///
    /// Fails only where the envelope does: unknown fields, unknown types and unexpected data do
    /// not make an event unreadable. A key that stands twice in the envelope does.
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        Self::read(body, None)
    }

    /// Reads the body of a delivery, and gives the event this id if the body has none.
    ///
    /// The platform's older documentation has an envelope of `event`, `timestamp` and `data`
    /// alone. Then the header `webhook-id`, which is signed, has the id to deduplicate on.
    pub fn parse_with_id(body: &[u8], id: &str) -> Result<Self, EventError> {
        Self::read(body, Some(id))
    }

    fn read(body: &[u8], fallback: Option<&str>) -> Result<Self, EventError> {
        let (text, envelope): (_, Envelope<'_>) = from_json(body)?;
        // It was borrowed from there.
        let start = envelope.data.get().as_ptr().addr() - text.as_ptr().addr();
        let id = envelope.id.or_else(|| fallback.map(str::to_owned));
        Ok(Self {
            id: id
                .ok_or_else(|| EventError::Envelope { reason: "missing field `id`".to_owned() })?,
            created: envelope.created.map(Timestamp::from_unix_seconds),
            livemode: envelope.livemode.unwrap_or(false),
            data: Data::parse(&envelope.event, envelope.data.get()),
            name: envelope.event,
            timestamp: envelope.timestamp,
            investor_id: envelope.investor_id,
            data_at: start..start + envelope.data.get().len(),
            body: text.into(),
        })
    }

    /// The whole body as it was sent, byte for byte: what [`Event::parse_with_id`] reads again.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// `data` as it was sent, byte for byte.
    pub fn raw_data(&self) -> &str {
        &self.body[self.data_at.clone()]
    }

    /// The object that it is about, with its kind: `order:ord_…`. `None` if `data` has no `id`.
    ///
    /// The kind is what the catalogue says, or the name of the type without its last word.
    pub fn object(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Identified {
            id: String,
        }
        let Identified { id } = self.data_as().ok()?;
        let known = catalogue::find(&self.name).map(|event_type| event_type.object);
        let kind = known.or_else(|| self.name.rsplit_once('.').map(|(kind, _)| kind));
        Some(format!("{}:{id}", kind.unwrap_or(&self.name)))
    }

    /// Reads `data` into a type of the caller's own, for what this version does not know.
    pub fn data_as<T: DeserializeOwned>(&self) -> Result<T, DataError> {
        Ok(serde_json::from_str(self.raw_data())?)
    }
}

/// Leaves the body out: it may name a person, and `{:?}` ends up in logs.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("id", &self.id)
            .field("created", &self.created)
            .field("livemode", &self.livemode)
            .field("name", &self.name)
            .field("timestamp", &self.timestamp)
            .field("investor_id", &self.investor_id)
            .field("data", &self.data)
            .finish_non_exhaustive()
    }
}

impl Data {
    /// Reads the data of an event of the type `name`.
    pub fn parse(name: &str, data: &str) -> Self {
        fn read<T: DeserializeOwned>(data: &str, wrap: fn(Box<T>) -> Data) -> Data {
            match object::read(data) {
                Ok(object) => wrap(Box::new(object)),
                Err(DataError { reason }) => Data::Unreadable { reason },
            }
        }
        match catalogue::find(name).map(|event_type| event_type.object) {
            Some("order") => read(data, Self::Order),
            Some("deposit") => read(data, Self::Deposit),
            Some("withdrawal") => read(data, Self::Withdrawal),
            Some("compliance_workflow") => read(data, Self::KycDecision),
            Some("investor") => read(data, Self::Account),
            Some("document") => read(data, Self::Document),
            Some("wallet") => read(data, Self::Wallet),
            Some("webhook") => read(data, Self::Webhook),
            Some("delivery") => read(data, Self::Delivery),
            Some(_) | None => Self::Unknown,
        }
    }
}

/// Reads JSON; also gives its text.
fn from_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<(&'a str, T), EventError> {
    let text = std::str::from_utf8(body).map_err(|_| EventError::NotJson { line: 0, column: 0 })?;
    let value = serde_json::from_str(text).map_err(|error| {
        if error.is_data() {
            EventError::Envelope { reason: reason(&error) }
        } else {
            EventError::NotJson { line: error.line(), column: error.column() }
        }
    })?;
    Ok((text, value))
}

/// What an error says, without the value it quotes: `invalid type: string "Ada", expected …`.
/// Reasons end up in logs, and values may name a person.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(", expected ") {
        Some((found, expected)) => {
            let kind = found.split(['"', '`']).next().unwrap_or_default().trim_end();
            format!("{kind}, expected {expected}")
        }
        None => text,
    }
}

/// Writes the body of an event: what is stored once and sent on every attempt.
///
/// The only place that knows the order of the keys. `data` must be one JSON value and goes in
/// verbatim; everything else is escaped. Longer than `data` by at most
/// [`MAX_ENVELOPE_BYTES`](crate::header::MAX_ENVELOPE_BYTES), as long as name and investor keep to
/// their own limits.
pub fn render(
    id: EventId,
    livemode: bool,
    name: &str,
    timestamp: Timestamp,
    created: Timestamp,
    investor_id: Option<&str>,
    data: &str,
) -> String {
    let created = created.as_unix_seconds();
    let name = Value::from(name);
    let investor_id = Value::from(investor_id);
    let mut body = String::with_capacity(data.len() + 256);
    // Writing to a String cannot fail.
    let _ = write!(
        body,
        concat!(
            r#"{{"id":"{}","object":"event","created":{},"livemode":{},"event":{},"#,
            r#""timestamp":"{}","investor_id":{},"data":{}}}"#
        ),
        id, created, livemode, name, timestamp, investor_id, data,
    );
    body
}

/// The value of the header [`TRACEPARENT`](crate::header::TRACEPARENT).
///
/// The event is the trace and the attempt its span, so both can be found by their ids.
pub fn traceparent(event: EventId, attempt: AttemptId) -> String {
    let span = u128::from(attempt) & u128::from(u64::MAX);
    format!("00-{:032x}-{span:016x}-01", u128::from(event))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalogue::CATALOGUE;
    use crate::header::{MAX_ENVELOPE_BYTES, MAX_EVENT_NAME_BYTES, MAX_ID_BYTES};

    const AT: Timestamp = Timestamp::from_micros(1_781_533_815_123_000);

    fn render_example(name: &str, data: &str) -> String {
        let created = Timestamp::from_unix_seconds(1_781_533_815);
        render(EventId::new(AT, 7), false, name, AT, created, Some("inv_1"), data)
    }

    #[test]
    fn the_body_is_the_one_of_the_wire_contract() {
        assert_eq!(
            render_example("order.filled", r#"{"id":"ord_1"}"#),
            "{\"id\":\"evt_01kv5v1cak0000000000000007\",\"object\":\"event\",\
             \"created\":1781533815,\"livemode\":false,\"event\":\"order.filled\",\
             \"timestamp\":\"2026-06-15T14:30:15.123Z\",\"investor_id\":\"inv_1\",\
             \"data\":{\"id\":\"ord_1\"}}"
        );
    }

    #[test]
    fn every_type_of_the_catalogue_is_typed() {
        for event_type in CATALOGUE {
            let body = render_example(event_type.name, event_type.example_data);
            let event = Event::parse(body.as_bytes()).unwrap();
            assert_eq!(event.raw_data(), event_type.example_data);
            assert!(
                !matches!(event.data, Data::Unknown | Data::Unreadable { .. }),
                "{}: {:?}",
                event_type.name,
                event.data
            );
        }
    }

    #[test]
    fn the_older_envelope_gets_its_id_from_the_header() {
        let body = br#"{"event":"order.filled","timestamp":"2025-06-15T14:30:15Z","data":{
            "id":"ord_1","investor_id":"inv_1","symbol":"AAPL","side":"buy","status":"filled",
            "filled_quantity":"10","average_price":"178.50"}}"#;
        let event = Event::parse_with_id(body, "msg_1").unwrap();
        assert!(matches!(event.data, Data::Order(_)));
        assert_eq!((event.id.as_str(), event.livemode, event.created), ("msg_1", false, None));
        let error = Event::parse(body).unwrap_err();
        assert_eq!(error.to_string(), "the body is not an event: missing field `id`");

        let body = render_example("order.filled", "{}");
        let event = Event::parse_with_id(body.as_bytes(), "msg_1").unwrap();
        assert_eq!(event.id, "evt_01kv5v1cak0000000000000007");
    }

    #[test]
    fn keys_may_come_in_any_order_and_created_be_null() {
        let body = r#"{"data":{"status":"filled","id":"ord_1"},"timestamp":"2026-06-15T14:30:15Z",
            "api_version":{"major":2},"event":"order.filled","livemode":true,"created":null,
            "investor_id":null,"object":"event","id":"evt_1","api_version":1e999}"#;
        let event = Event::parse(body.as_bytes()).unwrap();
        assert!(matches!(event.data, Data::Order(_)));
        assert_eq!((event.livemode, event.created, event.investor_id), (true, None, None));
    }

    /// As much as a delivery may have, of what costs the most to read.
    #[test]
    fn depth_and_length_break_nothing() {
        const SIZE: usize = crate::header::MAX_EVENT_BYTES;
        let unreadable = |name: &str, data: &str| {
            let event = Event::parse(render_example(name, data).as_bytes()).unwrap();
            assert_eq!(event.raw_data(), data);
            match event.data {
                Data::Unreadable { reason } => Some(reason),
                Data::Unknown => panic!("{name}"),
                _ => None,
            }
        };
        let deep = "[".repeat(SIZE / 2) + &"]".repeat(SIZE / 2);
        assert!(unreadable("order.filled", &deep).is_some());
        let nested = r#"{"a":"#.repeat(SIZE / 6) + "1" + &"}".repeat(SIZE / 6);
        assert!(unreadable("order.filled", &nested).unwrap().contains("missing field `id`"));
        for (key, typed) in [("metadata", true), ("unknown", true), ("checks", false)] {
            let data = format!(r#"{{"id":"cw_1","status":"approved","{key}":{deep}}}"#);
            assert_eq!(unreadable("kyc.decided", &data).is_none(), typed, "{key}");
        }
        for (item, typed) in [("{}", true), ("1", false)] {
            let list = vec![item; SIZE / 4].join(",");
            let data = format!(r#"{{"id":"cw_1","status":"approved","checks":[{list}]}}"#);
            assert_eq!(unreadable("kyc.decided", &data).is_none(), typed);
        }
        let body =
            render_example("order.filled", "{}").replacen('{', &format!("{{\"x\":{deep},"), 1);
        assert!(Event::parse(body.as_bytes()).is_ok());
        assert!(Event::parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn an_amount_out_of_bounds_is_unreadable_and_the_event_is_not() {
        for amount in
            ["1e1000000", "\"1e1000000\"", &"4711".repeat(2_500), "\"NaN\"", "\"+1\"", "\" 1\""]
        {
            let data = format!(r#"{{"id":"dep_1","status":"completed","amount":{amount}}}"#);
            let event =
                Event::parse(render_example("deposit.completed", &data).as_bytes()).unwrap();
            let Data::Unreadable { reason } = &event.data else { panic!("{:?}", event.data) };
            assert!(reason.contains("decimal") && !reason.contains("4711"), "{reason}");
            assert_eq!(event.raw_data(), data);
        }
    }

    #[test]
    fn unknown_types_and_unknown_fields_pass() {
        let body = r#"{"id":"msg_1","livemode":true,"event":"order.settled","shard":3,
            "timestamp":"2026-06-15T14:30:15Z","data":[1, 2 ]}"#;
        let event = Event::parse(body.as_bytes()).unwrap();
        assert_eq!(
            (event.id.as_str(), event.created, event.investor_id.as_deref()),
            ("msg_1", None, None)
        );
        assert_eq!(event.data, Data::Unknown);
        assert_eq!((event.raw_data(), event.body()), ("[1, 2 ]", body));
    }

    #[test]
    fn data_that_does_not_fit_says_why_and_is_kept() {
        for data in [
            "null",
            "[]",
            r#"{"id":"ord_1"}"#,
            r#"{"id":"ord 1","status":"filled"}"#,
            r#"{"id":"ord_1","status":"filled","status":"failed"}"#,
        ] {
            let event = Event::parse(render_example("order.filled", data).as_bytes()).unwrap();
            let Data::Unreadable { reason } = &event.data else { panic!("{:?}", event.data) };
            assert!(!reason.is_empty());
            assert_eq!(event.raw_data(), data);
        }
    }

    #[test]
    fn reasons_do_not_quote_the_value() {
        for private in [r#""Ada, expected at nine""#, "4711", "47.11", "true", r#"["Ada"]"#] {
            let data = format!(r#"{{"id":"ord_1","status":{private}}}"#);
            let Data::Unreadable { reason } = Data::parse("order.filled", &data) else {
                assert!(private.starts_with('"'), "{private}");
                continue;
            };
            assert!(reason.contains("expected a string"), "{reason}");
            assert!(!reason.contains("Ada") && !reason.contains("47"), "{reason}");
        }
        for private in [r#""Ada, expected at `nine`""#, "4711", "-1.5", "[\"Ada\"]"] {
            let data = format!(r#"{{"id":"cw_1","status":"approved","checks":{private}}}"#);
            let Data::Unreadable { reason } = Data::parse("kyc.decided", &data) else {
                panic!("{private}")
            };
            assert!(!reason.contains("Ada") && !reason.contains("47"), "{reason}");
        }
    }

    #[test]
    fn data_as_reads_into_a_type_of_the_callers() {
        let event = Event::parse(render_example("x.y", r#"{"n":"3"}"#).as_bytes()).unwrap();
        let map: std::collections::BTreeMap<String, String> = event.data_as().unwrap();
        assert_eq!(map["n"], "3");
        let error = event.data_as::<std::collections::BTreeMap<String, u64>>().unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("invalid type: string, expected u64"), "{shown}");
        assert!(!shown.contains("\"3\"") && !shown.contains("\\\"3"), "{shown}");
    }

    #[test]
    fn the_object_has_the_kind_of_the_catalogue_or_of_the_name() {
        for (name, data, object) in [
            ("order.filled", r#"{"id":"ord_1"}"#, Some("order:ord_1")),
            ("deposit.completed", r#"{"id":"dep_1"}"#, Some("deposit:dep_1")),
            ("transfer.deposit.completed", r#"{"id":"dep_1"}"#, Some("deposit:dep_1")),
            ("card.spend.settled", r#"{"id":"1"}"#, Some("card.spend:1")),
            ("bare", r#"{"id":"1"}"#, Some("bare:1")),
            ("order.filled", r#"{"id":7}"#, None),
            ("order.filled", "[]", None),
        ] {
            let event = Event::parse(render_example(name, data).as_bytes()).unwrap();
            assert_eq!(event.object().as_deref(), object, "{name}");
        }
    }

    #[test]
    fn a_broken_envelope_says_what_is_wrong() {
        let not_json = |body: &[u8]| match Event::parse(body).unwrap_err() {
            EventError::NotJson { line, column } => (line, column),
            other => panic!("{other}"),
        };
        assert_eq!(not_json(b""), (1, 0));
        assert_eq!(not_json(b"{\"id\":\n tru}"), (2, 5));
        assert_eq!(not_json(b"\xff\xfe"), (0, 0));
        assert_eq!(not_json(b"\xef\xbb\xbf{}"), (1, 1));

        let whole = render_example("order.filled", "{}");
        for cut in 0..whole.len() {
            assert!(Event::parse(&whole.as_bytes()[..cut]).is_err());
        }
        for (from, to) in [
            ("\"id\"", "\"no\""),
            ("\"event\":", "\"type\":"),
            ("\"data\":", "\"body\":"),
            ("\"livemode\":false", "\"livemode\":\"no\""),
            ("2026-06-15T14:30:15.123Z", "yesterday"),
            ("\"livemode\":false", "\"livemode\":false,\"livemode\":true"),
        ] {
            let error = Event::parse(whole.replacen(from, to, 1).as_bytes()).unwrap_err();
            assert!(matches!(error, EventError::Envelope { .. }), "{to}: {error}");
        }
    }

    #[test]
    fn debug_does_not_show_the_raw_data() {
        let data = r#"{"id":"inv_1","status":"active","last_name":"Lovelace"}"#;
        let event = Event::parse(render_example("account.updated", data).as_bytes()).unwrap();
        assert!(matches!(event.data, Data::Account(_)));
        assert!(!format!("{event:?}").contains("Lovelace"));
    }

    #[test]
    fn the_envelope_fits_what_receivers_allow_for_it() {
        let name = "a".repeat(MAX_EVENT_NAME_BYTES);
        let investor = "i".repeat(MAX_ID_BYTES);
        let body = render(EventId::new(AT, 0), false, &name, AT, AT, Some(&investor), "");
        assert!(body.len() <= MAX_ENVELOPE_BYTES, "{}", body.len());
    }

    proptest! {
        #[test]
        fn what_is_rendered_is_read(
            random: u128, livemode: bool, name: String, investor: Option<String>,
            micros in 0_i64..1 << 52, text: String,
        ) {
            let at = Timestamp::from_micros(micros);
            let id = EventId::new(at, random);
            let data = Value::from(text).to_string();
            let body = render(id, livemode, &name, at, at, investor.as_deref(), &data);
            let event = Event::parse(body.as_bytes()).unwrap();
            prop_assert_eq!(&event.id, &id.to_string());
            prop_assert_eq!(event.livemode, livemode);
            prop_assert_eq!(&event.name, &name);
            prop_assert_eq!(event.investor_id.as_ref(), investor.as_ref());
            prop_assert_eq!(event.timestamp.as_micros() / 1000, micros / 1000);
            prop_assert_eq!(event.created.unwrap().as_unix_seconds(), at.as_unix_seconds());
            prop_assert_eq!(event.raw_data(), data);
        }

        #[test]
        fn any_body_is_answered(body: Vec<u8>) {
            let _ = Event::parse(&body);
        }
    }
}
