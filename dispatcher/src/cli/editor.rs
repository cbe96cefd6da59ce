//! The editor of the user's choice.

use std::io::{self, Write};
use std::{env, fs};

use tokio::process::Command;

/// The text as the user has left it in the editor of `VISUAL` or `EDITOR`, or the system's own.
pub(super) async fn edited(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut file = tempfile::Builder::new().prefix("event-").suffix(".json").tempfile()?;
    file.write_all(text)?;
    // Closed, since Windows lets nobody else write to it before.
    let file = file.into_temp_path();
    let set = |name: &&str| env::var(name).ok().filter(|editor| !editor.trim().is_empty());
    let usual = if cfg!(windows) { "notepad" } else { "vi" };
    let command = ["VISUAL", "EDITOR"].iter().find_map(set).unwrap_or_else(|| usual.into());
    let mut words = command.split_whitespace();
    let mut editor = Command::new(words.next().unwrap_or_default());
    let status = editor.args(words).arg(&file).status().await.map_err(|error| {
        let message =
            format!("the editor '{command}' cannot be run: {error}; set VISUAL or EDITOR");
        io::Error::new(error.kind(), message)
    })?;
    if !status.success() {
        return Err(io::Error::other(format!("the editor '{command}' failed: {status}")));
    }
    fs::read(&file)
}
