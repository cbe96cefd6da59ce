//! A JSON object, field by field, so that every error can name its field.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bluum_hooks_shared::error::ErrorCode;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::invalid::Invalid;

/// The fields of an object that have not been taken yet.
#[derive(Debug)]
pub struct Fields<'a>(BTreeMap<String, &'a RawValue>);

/// The entries of an object as they stand, in their order, doubled names and all.
#[derive(Debug)]
pub struct Entries<'a>(pub Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

impl<'a> Fields<'a> {
    /// Takes a body apart. Values stay text until they are asked for.
    pub fn parse(body: &'a [u8]) -> Result<Self, Invalid> {
        let Entries(entries) = serde_json::from_slice(body).map_err(|error| {
            let what = match error.classify() {
                _ if body.is_empty() => "The body is empty; expected a JSON object.".to_owned(),
                serde_json::error::Category::Data => {
                    format!("The body is not a JSON object (line {}).", error.line())
                }
                _ => format!(
                    "The body is not valid JSON: line {}, column {}.",
                    error.line(),
                    error.column()
                ),
            };
            Invalid::request(ErrorCode::Validation, what)
        })?;
        let mut fields = BTreeMap::new();
        for (name, value) in entries {
            if fields.insert(name.clone(), value).is_some() {
                let message = format!("Field '{name}' stands twice; which is meant?");
                return Err(Invalid::field(ErrorCode::Validation, &name, message));
            }
        }
        Ok(Self(fields))
    }

    /// The text of a field, if it is there and not `null`.
    pub fn raw(&mut self, name: &str) -> Option<&'a RawValue> {
        self.0.remove(name).filter(|value| value.get() != "null")
    }

    /// Whether a field is there, be it `null`.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A field, if it is there and not `null`. `kind` says in words what it should be.
    pub fn optional<T: DeserializeOwned>(
        &mut self,
        name: &str,
        kind: &str,
    ) -> Result<Option<T>, Invalid> {
        let Some(value) = self.raw(name) else { return Ok(None) };
        serde_json::from_str(value.get()).map(Some).map_err(|_| {
            Invalid::field(ErrorCode::InvalidFormat, name, format!("'{name}' must be {kind}."))
        })
    }

    /// A whole number, if it is there and not `null`. `3.0` is one: JSON knows numbers only.
    pub fn whole(&mut self, name: &str) -> Result<Option<u32>, Invalid> {
        let Some(value) = self.raw(name) else { return Ok(None) };
        whole(value.get()).map(Some).ok_or_else(|| {
            let message = format!("'{name}' must be a whole number.");
            Invalid::field(ErrorCode::InvalidFormat, name, message)
        })
    }

    /// A field that must be there.
    pub fn required<T: DeserializeOwned>(&mut self, name: &str, kind: &str) -> Result<T, Invalid> {
        self.optional(name, kind)?.ok_or_else(|| Invalid::missing(name))
    }

    /// Refuses what nobody has taken: a misspelled field would otherwise be silently without
    /// effect. `known` are the names there are.
    pub fn finish(self, known: &[&str]) -> Result<(), Invalid> {
        let Some(name) = self.0.into_keys().next() else { return Ok(()) };
        let likeness = |known: &&&str| strsim::jaro_winkler(&name, known);
        let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let hint = nearest.filter(|known| likeness(known) > 0.75).map_or_else(
            || format!("the fields are {}", known.join(", ")),
            |known| format!("did you mean '{known}'?"),
        );
        let message = format!("Unknown field '{name}'; {hint}");
        Err(Invalid::field(ErrorCode::Validation, &name, message))
    }
}

/// The whole number that this JSON is, if it is one. Never by way of a float.
pub fn whole(json: &str) -> Option<u32> {
    let (digits, fraction) = json.split_once('.').unwrap_or((json, "0"));
    digits.parse().ok().filter(|_| fraction.bytes().all(|digit| digit == b'0'))
}

/// The whole number that this float is, if it is one: JSON knows numbers only, and 3.0 is whole.
pub fn whole_of<T: FromStr>(number: f64) -> Option<T> {
    let whole = Some(number).filter(|number| number.fract() == 0.0)?;
    format!("{whole:.0}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Fields<'_>, Invalid> {
        Fields::parse(body.as_bytes())
    }

    #[test]
    fn each_field_is_asked_for_by_name() {
        let mut fields = parse(r#"{"a":"x","b":null,"n":1e2}"#).unwrap();
        assert_eq!(fields.required::<String>("a", "a string"), Ok("x".into()));
        assert_eq!(fields.optional::<String>("b", "a string"), Ok(None));
        assert_eq!(fields.raw("n").unwrap().get(), "1e2");
        assert_eq!(fields.required::<String>("a", "a string"), Err(Invalid::missing("a")));
        assert_eq!(fields.finish(&["a"]), Ok(()));
    }

    #[test]
    fn whole_numbers_need_no_float() {
        let cases = [("0", Some(0)), ("4294967295", Some(u32::MAX)), ("418.00", Some(418))];
        let others = ["4294967296", "-1", "1.5", "\"1\"", "[]", "true"].map(|json| (json, None));
        for (json, number) in cases.into_iter().chain(others) {
            assert_eq!(whole(json), number, "{json}");
        }
    }

    #[test]
    fn faults_name_the_field_and_the_nearest_one() {
        let mut fields = parse(r#"{"url":7,"ordering_kye":"x"}"#).unwrap();
        let wrong = fields.optional::<String>("url", "a string").unwrap_err();
        assert_eq!(wrong.message, "'url' must be a string.");
        assert_eq!(wrong.param.as_deref(), Some("url"));
        let unknown = fields.finish(&["event", "ordering_key"]).unwrap_err();
        assert_eq!(unknown.message, "Unknown field 'ordering_kye'; did you mean 'ordering_key'?");
    }

    #[test]
    fn what_is_not_an_object_is_said_plainly() {
        for (body, message) in [
            ("", "The body is empty; expected a JSON object."),
            (r#"{"a":1,"a":1}"#, "Field 'a' stands twice; which is meant?"),
            ("[1]", "The body is not a JSON object (line 1)."),
            ("{\n\"a\":}", "The body is not valid JSON: line 2, column 5."),
        ] {
            assert_eq!(parse(body).unwrap_err().message, message);
        }
    }
}
