//! Where a setting was given, so that an error can say which to change.

use std::collections::BTreeMap;
use std::fmt;

/// A setting that cannot be used: where it stands, what is wrong, what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    pub source: String,
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.message)
    }
}

impl std::error::Error for ConfigError {}

/// A setting as it was given, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub text: String,
    /// `--listen`, `BLUUM_HOOKS_LISTEN`, or `listen in hooks.toml`.
    pub source: String,
}

impl Given {
    pub fn refuse(&self, message: impl Into<String>) -> ConfigError {
        ConfigError { source: self.source.clone(), message: message.into() }
    }
}

/// Everything that was given, the most binding first.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    given: BTreeMap<&'static str, Given>,
}

impl Sources {
    /// `flags` and `file` by the setting's name; `environment` looks a variable up.
    pub fn new(
        flags: BTreeMap<&'static str, String>,
        environment: impl Fn(&str) -> Option<String>,
        file: BTreeMap<&'static str, Given>,
    ) -> Self {
        let mut given = file;
        for &name in super::SETTINGS {
            let variable = format!("BLUUM_HOOKS_{}", name.to_ascii_uppercase());
            if let Some(text) = environment(&variable).filter(|text| !text.is_empty()) {
                given.insert(name, Given { text, source: variable });
            }
        }
        for (name, text) in flags {
            let source = format!("--{}", name.replace('_', "-"));
            given.insert(name, Given { text, source });
        }
        Self { given }
    }

    /// The setting from where it counts most.
    pub fn get(&self, name: &str) -> Option<Given> {
        self.given.get(name).cloned()
    }
}
