//! Where a setting was given, so that an error can say which to change.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

use crate::vault::{KEY_VARIABLE, NotAKey, VaultKey};

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
    /// What [`KEY_VARIABLE`] holds. Never a flag, which others can read, nor in the settings file.
    secrets_key: Option<Result<VaultKey, NotAKey>>,
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
        let secrets_key = environment(KEY_VARIABLE).filter(|text| !text.is_empty());
        let secrets_key = secrets_key.map(|text| VaultKey::parse(&Zeroizing::new(text)));
        Self { given, secrets_key }
    }

    /// The setting from where it counts most.
    pub fn get(&self, name: &str) -> Option<Given> {
        self.given.get(name).cloned()
    }

    /// The key of the secrets, if it is in the environment.
    pub fn secrets_key(&self) -> Result<Option<VaultKey>, ConfigError> {
        self.secrets_key.clone().transpose().map_err(|not_a_key| ConfigError {
            source: KEY_VARIABLE.into(),
            message: not_a_key.to_string(),
        })
    }
}
