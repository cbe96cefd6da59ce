//! `--write-env`: the secret in the file that the app reads its environment from.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::NamedTempFile;

use crate::cli::failure::{Failure, Status};
use crate::cli::profile::is_variable;

/// `FILE`, or `FILE:VAR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EnvFile {
    pub(super) path: PathBuf,
    pub(super) variable: String,
}

impl EnvFile {
    /// `usual` is the variable if none is named.
    pub(super) fn parse(text: &str, usual: &str) -> Self {
        let named = text.rsplit_once(':');
        let named = named.filter(|(path, name)| !path.is_empty() && is_variable(name));
        let (path, variable) = named.unwrap_or((text, usual));
        Self { path: path.into(), variable: variable.to_owned() }
    }

    /// Sets the variable and leaves the rest as it is; true if that changed anything.
    pub(super) fn write(&self, secret: &str) -> Result<bool, Failure> {
        let refused = |error: std::io::Error| {
            let message = format!("cannot write {}: {error}", self.path.display());
            Failure::new(Status::Usage, message).then("--write-env takes a file such as .env.local")
        };
        if self.path.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
            let message = format!("{} is a symbolic link", self.path.display());
            let next = "name the file itself: where a link leads, others may read the secret";
            return Err(Failure::new(Status::Usage, message).then(next));
        }
        let before = match fs::read_to_string(&self.path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(refused(error)),
        };
        let after = self.set(before.as_deref().unwrap_or_default(), secret);
        if before.as_ref() == Some(&after) {
            return Ok(false);
        }
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // Whole or not at all, and readable by its owner alone if it is new.
        let mut file = NamedTempFile::new_in(folder).map_err(refused)?;
        file.write_all(after.as_bytes()).map_err(refused)?;
        if let Ok(found) = fs::metadata(&self.path) {
            fs::set_permissions(file.path(), found.permissions()).map_err(refused)?;
        }
        file.persist(&self.path).map_err(|error| refused(error.error))?;
        Ok(true)
    }

    /// Whether everybody who has the repository has the file.
    pub(super) fn is_tracked(&self) -> bool {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let Some(name) = self.path.file_name() else { return false };
        let asked = Command::new("git")
            .args(["ls-files", "--error-unmatch", "--"])
            .arg(name)
            .current_dir(folder.unwrap_or(Path::new(".")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    }

    /// The text with the variable in the place of its last line, which is the one that counts, or
    /// at the end.
    fn set(&self, text: &str, secret: &str) -> String {
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        let set = |line: &String| {
            let line = line.trim_start();
            let (export, rest) = match line.strip_prefix("export ") {
                Some(rest) => ("export ", rest),
                None => ("", line),
            };
            let (name, _) = rest.split_once('=')?;
            (name.trim() == self.variable).then_some(export)
        };
        let found = lines.iter().enumerate().rev().find_map(|(at, line)| Some((at, set(line)?)));
        let value = |export| format!("{export}{}={secret}", self.variable);
        match found {
            Some((at, export)) => {
                let ending = lines[at].trim_end_matches(['\r', '\n']).len();
                let ending = lines[at].split_off(ending);
                lines[at] = value(export) + &ending;
            }
            None => {
                if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
                    last.push('\n');
                }
                lines.push(value("") + "\n");
            }
        }
        lines.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_can_follow_the_file() {
        for (text, path, variable) in [
            (".env", ".env", "WEBHOOK_SECRET"),
            ("a/.env.local:MY_SECRET", "a/.env.local", "MY_SECRET"),
            (r"C:\app\.env", r"C:\app\.env", "WEBHOOK_SECRET"),
            (r"C:\app\.env:A1", r"C:\app\.env", "A1"),
            (":A", ":A", "WEBHOOK_SECRET"),
        ] {
            let expected = EnvFile { path: path.into(), variable: variable.into() };
            assert_eq!(EnvFile::parse(text, "WEBHOOK_SECRET"), expected, "{text}");
        }
    }

    #[test]
    fn one_line_is_set_and_the_rest_stays() {
        let file = EnvFile::parse(".env", "S");
        for (before, after) in [
            ("", "S=new\n"),
            ("A=1", "A=1\nS=new\n"),
            ("A=1\r\nS=old\r\nB=2", "A=1\r\nS=new\r\nB=2"),
            ("export S=old # S=x\n", "export S=new\n"),
            ("S=one\nSS=x\n#S=y\nS=two\n", "S=one\nSS=x\n#S=y\nS=new\n"),
            ("S=old", "S=new"),
        ] {
            assert_eq!(file.set(before, "new"), after);
            assert_eq!(file.set(after, "new"), after, "again");
        }
    }
}
