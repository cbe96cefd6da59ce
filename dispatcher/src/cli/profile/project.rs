//! The project's file: `bluum-hooks.toml`, committed, for everybody who works on the project.

use std::path::{Path, PathBuf};
use std::{env, fs};

use serde::Deserialize;
use toml::{Table, Value};

use super::malformed;
use crate::cli::failure::{Failure, Status};

const NAME: &str = "bluum-hooks.toml";

/// What the project says, and where.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::cli) struct Project {
    #[serde(skip)]
    pub(in crate::cli) path: PathBuf,
    pub(in crate::cli) listen: ListenTable,
    pub(in crate::cli) trigger: TriggerTable,
}

/// Defaults of `listen`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::cli) struct ListenTable {
    /// As on the command line: `order.*=3000/webhooks`.
    pub(in crate::cli) targets: Vec<String>,
    pub(in crate::cli) events: Vec<String>,
    /// The variable in which the app looks for the signing secret.
    pub(in crate::cli) secret_env: Option<String>,
}

/// Defaults of `trigger`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::cli) struct TriggerTable {
    /// The folder of scenarios and examples of one's own; from the folder of the file on.
    pub(in crate::cli) fixtures: Option<PathBuf>,
}

impl Project {
    /// Of the folder we are in.
    pub(in crate::cli) fn here() -> Result<Option<Self>, Failure> {
        Self::read(&env::current_dir().unwrap_or_default())
    }

    /// The nearest one from this folder upwards, if there is one.
    fn read(from: &Path) -> Result<Option<Self>, Failure> {
        let Some(path) = find(from) else { return Ok(None) };
        let text = fs::read_to_string(&path).map_err(|error| {
            let message = format!("cannot read {}: {error}", path.display());
            Failure::new(Status::Usage, message).then("make it readable, or remove it")
        })?;
        let refused =
            |error: toml::de::Error| malformed(&path, &text, error.span(), error.message());
        let table: Table = text.parse().map_err(refused)?;
        if let Some(key) = credential(&table, "") {
            let message = format!("'{key}' in {} is a key or a secret", path.display());
            let next = "take it out and change it: this file is shared. `bluum-hooks login` keeps \
                        keys, and `listen --write-env` writes secrets where they belong";
            return Err(Failure::new(Status::Usage, message).then(next));
        }
        let mut project: Self = toml::from_str(&text).map_err(refused)?;
        if let Some(name) = project.listen.secret_env.as_ref().filter(|name| !is_variable(name)) {
            let name = name.escape_default();
            let message =
                format!("listen.secret_env in {}: no variable is called '{name}'", path.display());
            return Err(Failure::new(Status::Usage, message).then("write WEBHOOK_SECRET"));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        project.trigger.fixtures = project.trigger.fixtures.map(|inside| folder.join(inside));
        project.path = path;
        Ok(Some(project))
    }

    /// The tables and keys that say something.
    pub(in crate::cli) fn says(&self) -> String {
        let Self { listen, trigger, .. } = self;
        let listen = [
            (!listen.targets.is_empty(), format!("listen.targets = {}", listen.targets.join(" "))),
            (!listen.events.is_empty(), format!("listen.events = {}", listen.events.join(" "))),
            (listen.secret_env.is_some(), {
                let variable = listen.secret_env.as_deref().unwrap_or_default();
                format!("listen.secret_env = {variable}")
            }),
        ];
        let fixtures = trigger.fixtures.as_deref().unwrap_or(Path::new(""));
        let fixtures = format!("trigger.fixtures = {}", fixtures.display());
        let said = listen.into_iter().chain([(trigger.fixtures.is_some(), fixtures)]);
        let said: Vec<_> = said.filter_map(|(is_said, text)| is_said.then_some(text)).collect();
        if said.is_empty() { "nothing".into() } else { said.join(", ") }
    }
}

/// Whether every shell takes it for the name of a variable.
pub(in crate::cli) fn is_variable(text: &str) -> bool {
    let starts = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    starts && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Upwards to the root of the repository; outside of one, in this folder alone: what lies above
/// may be anybody's.
fn find(from: &Path) -> Option<PathBuf> {
    let root = from.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(from);
    let inside = from.ancestors().take_while(|folder| folder.starts_with(root));
    inside.map(|folder| folder.join(NAME)).find(|file| file.is_file())
}

/// The first key that is, or holds, what nobody else may know. Never its value.
fn credential(table: &Table, above: &str) -> Option<String> {
    let secret = |value: &Value| match value {
        Value::String(text) => ["whsec_", "whsk_", "apk_"].iter().any(|mark| text.contains(mark)),
        _ => false,
    };
    table.iter().find_map(|(name, value)| {
        let key = format!("{above}{name}");
        let found = match value {
            Value::Table(table) => return credential(table, &format!("{key}.")),
            Value::Array(items) => items.iter().any(secret),
            value => secret(value) || matches!(&**name, "api_key" | "api_secret"),
        };
        found.then_some(key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path, text: &str) -> Result<Option<Project>, Failure> {
        fs::write(folder.join(NAME), text).unwrap();
        Project::read(folder)
    }

    #[test]
    fn the_nearest_file_counts_and_none_above_the_repository() {
        let folder = tempfile::tempdir().unwrap();
        let (root, deep) = (folder.path().join("repo"), folder.path().join("repo/a/b"));
        fs::create_dir_all(&deep).unwrap();
        fs::write(folder.path().join(NAME), "").unwrap();
        assert!(Project::read(&deep).unwrap().is_none(), "outside of a repository");
        fs::create_dir(root.join(".git")).unwrap();
        assert!(Project::read(&deep).unwrap().is_none(), "above the root");
        let said = "[listen]\ntargets = ['3000/a']\n[trigger]\nfixtures = 'f'";
        fs::write(root.join(NAME), said).unwrap();
        let project = Project::read(&deep).unwrap().unwrap();
        assert_eq!(project.listen.targets, ["3000/a"]);
        assert_eq!(project.trigger.fixtures, Some(root.join("f")));
        fs::write(deep.join(NAME), "").unwrap();
        assert_eq!(Project::read(&deep).unwrap().unwrap().path, deep.join(NAME));
    }

    #[test]
    fn what_cannot_be_meant_is_told_with_its_place_and_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        for (text, words) in [
            ("[listen]\nsecret_env = 'whsec_QUFB'", "'listen.secret_env' in"),
            ("api_secret = 'QUFB'", "'api_secret' in"),
            ("[listen]\ntargets = ['apk_QUFB']", "'listen.targets' in"),
            ("[listen]\n\ntarget = ['3000']", "line 3: unknown field `target`"),
            ("base_url = 'http://elsewhere'", "line 1: unknown field `base_url`"),
            ("[listen", "line 1"),
            ("[listen]\nsecret_env = 'A=B'", "no variable is called 'A=B'"),
        ] {
            let failure = written(folder.path(), text).unwrap_err();
            assert_eq!(failure.status, Status::Usage);
            let said = failure.to_string();
            assert!(said.contains(words) && !said.contains("QUFB"), "{text}: {said}");
        }
    }
}
