//! What `{:?}` does not show: it may name a person or a bank account, and ends up in logs.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::event::DataError;

/// JSON that is kept as it came, byte for byte, and not looked into.
///
/// So whatever stands in it, the object around it can be read, and its numbers pass through no
/// float. `{:?}` shows how long it is. Equal if the texts are.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawJson(Box<RawValue>);

impl RawJson {
    /// The text.
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// Reads it into a type of the caller's own, such as `BTreeMap<String, String>`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, DataError> {
        Ok(serde_json::from_str(self.get())?)
    }
}

impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for RawJson {}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawJson({} bytes)", self.get().len())
    }
}

/// A text that `{:?}` does not show.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Redacted(String);

impl Redacted {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redacted")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn json_is_kept_to_the_byte_and_not_shown() {
        for text in [
            r#"{"bankDetails" : {"accountNumber":"000123456789", "fee":0.1000000000000000001}}"#,
            r#"{"a":1,"a":1e999}"#,
            &"[".repeat(5_000).chars().chain("]".repeat(5_000).chars()).collect::<String>(),
            "\"000123456789\"",
        ] {
            let raw: RawJson = serde_json::from_str(text).unwrap();
            assert_eq!(raw.get(), text);
            assert_eq!(serde_json::to_string(&raw).unwrap(), text);
            assert_eq!(raw.clone(), raw);
            assert_eq!(format!("{raw:?}"), format!("RawJson({} bytes)", text.len()));
        }
        let metadata: RawJson = serde_json::from_str(r#"{"basket":"7"}"#).unwrap();
        assert_eq!(metadata.read::<BTreeMap<String, String>>().unwrap()["basket"], "7");
        assert!(metadata.read::<Vec<String>>().is_err());
    }

    #[test]
    fn a_redacted_text_is_there_and_not_shown() {
        let name: Redacted = serde_json::from_str("\"Ada's checking\"").unwrap();
        assert_eq!(name.as_str(), "Ada's checking");
        assert_eq!(format!("{name:?}"), "Redacted");
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"Ada's checking\"");
    }
}
