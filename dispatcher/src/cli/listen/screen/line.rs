//! The lines that scroll by.

use std::fmt::{self, Display, Formatter};

use ratatui_core::style::Stylize;
use ratatui_core::text::{Line, Span};

use super::super::record::Record;
use super::super::tally::{plural, were_waiting};
use crate::cli::line::Columns;
use crate::cli::show::words::harmless;

/// A line for the scrollback.
#[derive(Debug)]
pub(super) enum Scrolled {
    Told(Line<'static>),
    /// By the app, with its own colours.
    Printed(String),
}

impl From<Line<'static>> for Scrolled {
    fn from(line: Line<'static>) -> Self {
        Self::Told(line)
    }
}

/// Without our colours.
impl Display for Scrolled {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told(line) => line.fmt(out),
            Self::Printed(text) => text.fmt(out),
        }
    }
}

/// Whatever is told, as lines.
pub(super) fn lines(record: &Record, columns: &Columns) -> Vec<Line<'static>> {
    match record {
        Record::Delivery(delivery) => {
            let row = delivery.row();
            [row.line(columns)].into_iter().chain(row.answer_line()).collect()
        }
        Record::Disconnected { reason, retry_ms } => {
            let retry = seconds(*retry_ms);
            alarm(&format!("disconnected ({}) — retry in {retry}", harmless(reason)))
        }
        Record::Resumed { offline_ms, waiting, .. } => {
            let text = format!("back after {}s{}", offline_ms / 1_000, were_waiting(*waiting));
            vec![Line::from(vec![Span::raw("✓ ").green(), Span::raw(text)])]
        }
        Record::Gap { from, to, count, reason } => {
            let (events, reason) = (plural(*count, "event"), harmless(reason));
            alarm(&format!("{events} ({from} to {to}) are not kept any more: {reason}"))
        }
        Record::Paused { reason } => alarm(&format!("paused: {}", harmless(reason))),
        Record::Error { message, hint, .. } => {
            let mut lines = vec![Line::from(vec![
                Span::raw("error: ").red().bold(),
                Span::raw(harmless(message)),
            ])];
            lines.extend(hint.iter().map(|hint| Line::raw(format!("  {}", harmless(hint)))));
            lines
        }
        // Said before the screen was there, and after it is gone.
        Record::Ready(_) | Record::End { .. } => Vec::new(),
    }
}

/// Why something fails, and what to do.
pub(super) fn hint_line(hint: &str) -> Line<'static> {
    Line::from(vec![Span::raw("  hint").yellow(), Span::raw(format!("  {}", harmless(hint)))])
}

fn alarm(text: &str) -> Vec<Line<'static>> {
    vec![Line::from(vec![Span::raw("! ").yellow(), Span::raw(text.to_owned())])]
}

/// `0.4s`, `12s`
fn seconds(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{}.{}s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{}s", ms / 1_000),
    }
}
