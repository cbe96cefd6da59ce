//! The only place that prints. The product goes to stdout, talk to stderr.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table, presets};
use crossterm::terminal;
use serde::Serialize;
use serde_json::json;

mod fit;
mod flow;

pub(super) use self::fit::{fitted, visible};
pub(super) use self::flow::{Broken, Flow};
use super::failure::Failure;

/// How to print: for people, or one JSON object a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Printer {
    pub(super) json: bool,
}

impl Printer {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether colours are seen, and wanted (`NO_COLOR`).
    pub(super) fn colour(self) -> bool {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        !self.json && !unwanted && io::stdout().is_terminal()
    }

    /// The answer as it came, or what `text` makes of it for people.
    pub(super) fn answer(self, answer: &[u8], text: impl FnOnce() -> String) {
        if self.json {
            out(&String::from_utf8_lossy(answer));
        } else {
            out(&self.fit(&text()));
        }
    }

    /// Broken between words, where a terminal is too narrow for it.
    pub(super) fn fit(self, text: &str) -> String {
        on(&io::stdout(), text)
    }

    /// A line of the product.
    pub(super) fn line(self, text: &str, json: &impl Serialize) {
        if self.json {
            out(&serde_json::to_string(json).unwrap_or_default());
        } else {
            out(&self.fit(text));
        }
    }

    /// A line of a product that goes on; whether somebody reads it.
    pub(super) fn flow(self, text: &str) -> bool {
        try_out(text).is_ok()
    }

    /// What is true for now. On a terminal it takes the place of what was true before.
    pub(super) fn progress(self, text: &str) {
        if self.json {
            return;
        }
        let mut stderr = io::stderr();
        let _ = match stderr.is_terminal() {
            true => write!(stderr, "\r{text}\x1b[K").and_then(|()| stderr.flush()),
            false => writeln!(stderr, "{text}"),
        };
    }

    /// Ends the line of the progress.
    pub(super) fn progress_ends(self) {
        if !self.json && io::stderr().is_terminal() {
            self.talk("");
        }
    }

    /// A line beside the product.
    pub(super) fn talk(self, text: &str) {
        // Nobody listens: nothing to be done.
        let _ = writeln!(io::stderr(), "{}", on(&io::stderr(), text));
    }

    /// What went wrong, in one line.
    pub(super) fn failure(self, failure: &Failure) -> ExitCode {
        if failure.message.is_empty() {
            return failure.exit().into();
        }
        if self.json {
            let exit = failure.exit();
            let error = json!({"error": {"message": failure.to_string(), "exit": exit}});
            self.talk(&error.to_string());
        } else {
            self.talk(&format!("error: {failure}"));
        }
        failure.exit().into()
    }
}

/// As it stands there, which may be a terminal.
fn on(stream: &impl IsTerminal, text: &str) -> String {
    match stream.is_terminal().then(terminal::size) {
        Some(Ok((width, _))) => fitted(text, width.into()),
        _ => text.to_owned(),
    }
}

/// Ends quietly when the reader has gone away, as `head` does.
fn out(text: &str) {
    let _ = try_out(text);
}

fn try_out(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// Columns with a heading each, fitted to the terminal.
pub(super) fn table<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings);
    rows.into_iter().for_each(|row| {
        table.add_row(row);
    });
    // Each cell has a space on both sides.
    let lines = table.lines().map(|line| line.trim_end().trim_start_matches(' ').to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// Names and values below each other.
pub(super) fn facts(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<_> =
        facts.iter().map(|(name, value)| format!("{name:width$}  {value}")).collect();
    lines.join("\n")
}

/// A value that may be missing.
pub(super) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
