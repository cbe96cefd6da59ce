//! The settings file: TOML, flat, every key known.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

use super::{ConfigError, Given, SETTINGS};

impl super::Sources {
    /// The settings of a file, for [`super::Sources::new`]; without a file, none.
    pub fn file(path: Option<&Path>) -> Result<BTreeMap<&'static str, Given>, ConfigError> {
        let Some(path) = path else { return Ok(BTreeMap::new()) };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            source: name.clone(),
            message: format!("cannot be read ({error}); see --config"),
        })?;
        parse(&text, &name)
    }
}

pub(super) fn parse(text: &str, name: &str) -> Result<BTreeMap<&'static str, Given>, ConfigError> {
    let refuse = |message| ConfigError { source: name.to_owned(), message };
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let above = error.span().map_or(0, |span| text[..span.start].matches('\n').count());
        let line = above + 1;
        refuse(format!("not valid TOML at line {line}: {}", error.message()))
    })?;
    let mut given = BTreeMap::new();
    for (key, value) in table {
        let Some(&known) = SETTINGS.iter().find(|&&known| known == key) else {
            let likeness = |known: &&&str| strsim::jaro_winkler(&key, known);
            let nearest = SETTINGS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            let nearest = nearest.copied().unwrap_or_default();
            return Err(refuse(format!("there is no setting '{key}'; did you mean '{nearest}'?")));
        };
        let source = format!("{known} in {name}");
        let text = plain(&value).ok_or_else(|| ConfigError {
            source: source.clone(),
            message: "must be a text, a number, or a list of these".into(),
        })?;
        given.insert(known, Given { text, source });
    }
    Ok(given)
}

/// A value as it would stand behind a flag.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(plain).collect();
            items.map(|items| items.join(","))
        }
        _ => None,
    }
}
