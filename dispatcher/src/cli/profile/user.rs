//! The user's file: a table for each profile. Read by all, written by `login` and `logout` alone.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use serde::Deserialize;
use toml_edit::DocumentMut;

use super::{malformed, variable};
use crate::cli::failure::{Failure, Status};

/// A profile, as it stands in the file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Entry {
    pub(super) base_url: Option<String>,
    pub(super) api_key: Option<String>,
    /// Not there if it is in the keyring.
    pub(super) api_secret: Option<String>,
    pub(super) listener: Option<String>,
}

/// Where the user's file is, or would be.
pub(in crate::cli) struct Place(PathBuf);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

/// Where this program keeps what it remembers: `$XDG_STATE_HOME` or `~/.local/state`, and
/// `%LOCALAPPDATA%` on Windows.
pub(in crate::cli) fn state() -> PathBuf {
    folder("LOCALAPPDATA", "XDG_STATE_HOME", ".local/state")
}

/// A folder of the user's, by the custom of the system.
fn folder(windows: &str, xdg: &str, below_home: &str) -> PathBuf {
    let path = |name: &str| variable(name).map(PathBuf::from);
    let folder = match cfg!(windows) {
        true => path(windows),
        false => path(xdg)
            .filter(|folder| folder.is_absolute())
            .or_else(|| Some(path("HOME")?.join(below_home))),
    };
    folder.unwrap_or_default().join("bluum-hooks")
}

impl Place {
    /// `$XDG_CONFIG_HOME` or `~/.config`, also on macOS; `%APPDATA%` on Windows.
    pub(super) fn of_user() -> Self {
        Self(folder("APPDATA", "XDG_CONFIG_HOME", ".config").join("config.toml"))
    }

    pub(super) fn names(&self) -> Result<Vec<String>, Failure> {
        Ok(self.profiles()?.into_keys().collect())
    }

    /// An empty one, if there is no such profile.
    pub(super) fn entry(&self, name: &str) -> Result<Entry, Failure> {
        Ok(self.profiles()?.remove(name).unwrap_or_default())
    }

    fn profiles(&self) -> Result<BTreeMap<String, Entry>, Failure> {
        let text = self.text()?;
        toml::from_str(&text)
            .map_err(|error| malformed(&self.0, &text, error.span(), error.message()))
    }

    /// Nothing, if there is no file.
    fn text(&self) -> Result<String, Failure> {
        match fs::read_to_string(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => {
                let message = format!("cannot read {self}: {error}");
                Err(Failure::new(Status::Usage, message).then("make it readable, or remove it"))
            }
            Ok(text) => Ok(text),
        }
    }

    /// Sets or takes away values of a profile; all else in the file stays, comments too. The file
    /// is written whole or not at all, and nobody else can read it.
    pub(in crate::cli) fn write(
        &self,
        profile: &str,
        values: &[(&str, Option<&str>)],
    ) -> Result<(), Failure> {
        let text = self.text()?;
        let mut file: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            malformed(&self.0, &text, error.span(), error.message())
        })?;
        let table = file.entry(profile).or_insert(toml_edit::table());
        for (name, value) in values {
            match value {
                Some(value) => table[*name] = toml_edit::value(*value),
                None => {
                    table.as_table_like_mut().and_then(|table| table.remove(name));
                }
            }
        }
        self.replace(&file.to_string()).map_err(|error| {
            let message = format!("cannot write {self}: {error}");
            Failure::new(Status::Failed, message).then("make its folder writable")
        })
    }

    fn replace(&self, text: &str) -> io::Result<()> {
        // A link leads to where somebody keeps such files.
        let path = fs::canonicalize(&self.0).unwrap_or_else(|_| self.0.clone());
        let folder = path.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        Ok(())
    }

    /// Whether others than its owner may read the file.
    #[cfg(unix)]
    pub(in crate::cli) fn is_open_to_others(&self) -> bool {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(&self.0).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
    }

    /// Elsewhere the folder of the user is the user's alone.
    #[cfg(not(unix))]
    pub(in crate::cli) fn is_open_to_others(&self) -> bool {
        false
    }
}
