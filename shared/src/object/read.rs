//! Reading an object that says the same twice, under its older and its current name.

use std::fmt;

use serde::de::value::MapDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::event::DataError;

/// Older names of fields, each with the current one. Alone, either is read; the objects say so.
const NAMES: [(&str, &str); 8] = [
    ("account_id", "investor_id"),
    ("canceled_at", "cancelled_at"),
    ("document_id", "id"),
    ("filled_qty", "filled_quantity"),
    ("qty", "quantity"),
    ("reject_reason", "failure_reason"),
    ("remaining_qty", "remaining_quantity"),
    ("upload_status", "status"),
];

/// Reads an object of this module from JSON, as [`Event::parse`](crate::event::Event::parse) does.
///
/// Differs from `serde_json::from_str` where a field stands there under both of its names, which
/// it takes for a field that stands twice. Here the current one counts, unless it is null.
///
/// ```
/// use bluum_hooks_shared::object::{self, Position};
///
/// let position: Position = object::read(r#"{"id": "pos_1", "qty": "10", "quantity": "10"}"#)?;
/// assert_eq!(position.quantity.map(|it| it.to_string()).as_deref(), Some("10"));
/// # Ok::<(), bluum_hooks_shared::event::DataError>(())
/// ```
pub fn read<T: DeserializeOwned>(json: &str) -> Result<T, DataError> {
    serde_json::from_str(json).or_else(|error| current(json).ok_or(error.into()))
}

/// The object read from what is said once; nothing if nothing is said twice.
fn current<T: DeserializeOwned>(json: &str) -> Option<T> {
    let Fields(mut fields) = serde_json::from_str(json).ok()?;
    let before = fields.len();
    for (older, current) in NAMES {
        let said = |name: &str| fields.iter().find(|field| field.0 == name);
        let (Some(_), Some((_, value))) = (said(older), said(current)) else { continue };
        let less = if value.get() == "null" { current } else { older };
        fields.retain(|field| field.0 != less);
    }
    let twice = fields.len() < before;
    twice.then(|| T::deserialize(MapDeserializer::new(fields.into_iter())).ok())?
}

/// The fields of an object in their order, those that stand twice too.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Document, Order};

    #[test]
    fn the_current_name_counts_unless_it_is_null() {
        for (fields, quantity) in [
            (r#""qty":"1","quantity":"2""#, Some("2")),
            (r#""quantity":2,"qty":"1""#, Some("2")),
            (r#""quantity":null,"qty":"1""#, Some("1")),
            (r#""qty":null,"quantity":"2""#, Some("2")),
            (r#""qty":null,"quantity":null"#, None),
            (r#""qty":"1","quantity":"2","account_id":"u-1","investor_id":"inv_1""#, Some("2")),
        ] {
            let json = format!(r#"{{"id":"ord_1","status":"filled",{fields}}}"#);
            let order: Order = read(&json).unwrap();
            assert_eq!(order.quantity.map(|it| it.to_string()).as_deref(), quantity, "{json}");
            assert!(order.investor_id.is_none_or(|id| id.as_str() == "inv_1"));
        }
        let json =
            r#"{"id":"doc_1","document_id":"doc_1","status":null,"upload_status":"approved"}"#;
        assert_eq!(read::<Document>(json).unwrap().status.as_str(), "ACCEPTED");
    }

    #[test]
    fn every_older_name_is_in_the_table() {
        for source in [
            include_str!("deposit.rs"),
            include_str!("document.rs"),
            include_str!("kyc.rs"),
            include_str!("order.rs"),
            include_str!("position.rs"),
            include_str!("transaction.rs"),
            include_str!("wallet.rs"),
            include_str!("withdrawal.rs"),
        ] {
            let mut fields = source.split("alias = \"").skip(1).peekable();
            assert!(fields.peek().is_some());
            for field in fields {
                let (older, rest) = field.split_once('"').unwrap();
                let current = rest.split_once("pub ").unwrap().1.split_once(':').unwrap().0;
                assert!(NAMES.contains(&(older, current)), "{older} {current}");
            }
        }
    }

    #[test]
    fn a_field_that_stands_twice_is_not_guessed_at() {
        for json in [
            r#"{"id":"ord_1","status":"filled","status":"failed"}"#,
            r#"{"id":"ord_1","status":"filled","qty":"1","qty":"2","quantity":"3","id":"ord_2"}"#,
            r#"{"id":"ord_1","status":"filled","quantity":"1","quantity":"2","qty":"3"}"#,
            r#"{"id":"ord_1","qty":"1","quantity":"1"}"#,
            "[]",
            "null",
            "",
        ] {
            assert!(read::<Order>(json).is_err(), "{json}");
        }
        let error = read::<Order>(r#"{"id":"ord_1","status":"filled","status":"failed"}"#);
        assert!(error.unwrap_err().to_string().starts_with("duplicate field `status`"));
    }
}
