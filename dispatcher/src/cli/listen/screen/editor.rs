//! A body in the editor of the user's choice.

use std::env;
use std::io::{self, Write};

use tokio::process::Command;

/// The body as the user left it; nothing if it is still the same.
pub(super) async fn edit(body: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut file = tempfile::Builder::new().prefix("event-").suffix(".json").tempfile()?;
    file.write_all(body)?;
    let named = ["VISUAL", "EDITOR"]
        .into_iter()
        .find_map(|name| env::var(name).ok().filter(|editor| !editor.trim().is_empty()));
    let command = named.unwrap_or_else(|| if cfg!(windows) { "notepad" } else { "vi" }.into());
    let mut words = command.split_whitespace();
    let status = Command::new(words.next().unwrap_or_default())
        .args(words)
        .arg(file.path())
        .status()
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("'{command}': {error}")))?;
    if !status.success() {
        return Err(io::Error::other(format!("'{command}' ended with {status}")));
    }
    let edited = tokio::fs::read(file.path()).await?;
    Ok((edited != body).then_some(edited))
}
