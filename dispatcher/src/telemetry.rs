//! Logs: one grammar. The message reads alone; ids are fields, spelled `delivery.id`, `webhook.id`,
//! `event.id`, `request.id`. Bodies and secrets are never logged.

use std::error::Error;
use std::fmt;
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The variable that chooses what is logged, as in `info,bluum_hooks_dispatcher=debug`.
pub const FILTER: &str = "BLUUM_HOOKS_LOG";

/// An error with its causes, on one line. A cause that only says again what was said is left out.
#[derive(Debug)]
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let link = error.to_string();
            if !text.contains(&link) {
                text.push_str(": ");
                text.push_str(&link);
            }
            cause = error.source();
        }
        f.write_str(&text)
    }
}

/// Logs go to stderr from here on: as text, or as one JSON object a line.
pub fn start(json: bool, default_filter: &str) {
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new(default_filter));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // The alternative is a panic, where the logs go to a full disk.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second call, as in a test that starts two daemons, changes nothing.
    let started = if json { logs.json().try_init() } else { logs.try_init() };
    drop(started);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Link(&'static str, #[source] Option<Box<Link>>);

    #[test]
    fn a_cause_that_says_nothing_new_is_left_out() {
        let root = Link("disk full", None);
        let again = Link("cannot write: disk full", Some(root.into()));
        let top = Link("cannot commit", Some(again.into()));
        assert_eq!(Chain(&top).to_string(), "cannot commit: cannot write: disk full");
    }
}
