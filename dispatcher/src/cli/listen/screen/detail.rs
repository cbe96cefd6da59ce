//! All about one event: what was sent, what came back, other attempts, what is new in it.

use ratatui_core::style::Stylize;
use ratatui_core::text::{Line, Span};

use super::super::record::{Delivery, Message};
use super::body;
use super::footer::columns as wide;
use super::history::Entry;
use super::state::Screen;
use crate::cli::line::latency;
use crate::cli::show::words::harmless;
use crate::difference::{Change, changes};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Request,
    Response,
    Attempts,
    Diff,
}

pub(super) const TABS: [(Tab, &str); 4] = [
    (Tab::Request, "request"),
    (Tab::Response, "response"),
    (Tab::Attempts, "attempts"),
    (Tab::Diff, "diff"),
];

#[derive(Debug)]
pub(super) struct Detail {
    pub(super) number: u64,
    pub(super) tab: Tab,
    pub(super) scroll: usize,
    /// Whether it was opened over the lines, and so closes to them.
    pub(super) over_lines: bool,
    /// What can be scrolled through, as wide as the screen.
    pub(super) lines: Vec<Line<'static>>,
    made_for: Option<Key>,
}

/// When none of this changes, the lines do not either.
#[derive(Debug, PartialEq, Eq)]
struct Key {
    number: u64,
    tab: Tab,
    width: u16,
    done: bool,
    /// How many attempts of it there are.
    attempts: usize,
}

impl Detail {
    pub(super) fn new(number: u64, over_lines: bool) -> Self {
        let tab = Tab::Request;
        Self { number, tab, scroll: 0, over_lines, lines: Vec::new(), made_for: None }
    }

    /// The tab beside this one.
    pub(super) fn turn(&mut self, forwards: bool) {
        let at = TABS.iter().position(|(tab, _)| *tab == self.tab).unwrap_or(0);
        let step = if forwards { 1 } else { TABS.len() - 1 };
        self.tab = TABS[(at + step) % TABS.len()].0;
        self.scroll = 0;
    }

    /// So many lines down, or up.
    pub(super) fn scroll_by(&mut self, lines: isize, page: usize) {
        let last = self.lines.len().saturating_sub(page);
        self.scroll = self.scroll.saturating_add_signed(lines).min(last);
    }

    /// Makes the lines anew if they are not true any more. Whether the event is still kept.
    pub(super) fn refresh(&mut self, screen: &Screen) -> bool {
        let Some(entry) = screen.history.get(self.number) else { return false };
        let key = Key {
            number: self.number,
            tab: self.tab,
            width: screen.size.width,
            done: entry.done().is_some(),
            attempts: match self.tab {
                Tab::Attempts => attempts(entry, screen).count(),
                _ => 0,
            },
        };
        if self.made_for.as_ref() != Some(&key) {
            self.lines = lines(entry, self.tab, screen);
            self.made_for = Some(key);
            self.scroll = self.scroll.min(self.lines.len().saturating_sub(1));
        }
        true
    }
}

fn attempts<'a>(entry: &'a Entry, screen: &'a Screen) -> impl Iterator<Item = &'a Entry> {
    screen.history.all().filter(|other| other.event() == entry.event() && other.done().is_some())
}

/// As far as the row above it.
fn indented(mut line: Line<'static>) -> Line<'static> {
    line.spans.insert(0, Span::raw("  "));
    line
}

fn lines(entry: &Entry, tab: Tab, screen: &Screen) -> Vec<Line<'static>> {
    let width = usize::from(screen.size.width).saturating_sub(2).max(8);
    let Some(delivery) = entry.done() else {
        return vec![Line::raw("under way: there is more to see when it is answered").dim()];
    };
    match tab {
        Tab::Request => {
            let target = delivery.target.as_deref().map(harmless);
            let first = match target {
                Some(target) => format!("POST {target}"),
                None => "printed, and forwarded nowhere".to_owned(),
            };
            message(&first, &delivery.request, width)
        }
        Tab::Response => response(delivery, width),
        Tab::Attempts => attempts(entry, screen)
            .flat_map(|one| {
                let cause = one.done().and_then(|done| done.row().answer_line()).map(indented);
                [Some(screen.row(one, width)), cause].into_iter().flatten()
            })
            .collect(),
        Tab::Diff => match screen.history.previous(entry) {
            Some(previous) => difference(previous, delivery, width),
            None => vec![Line::raw("no earlier event of this type is kept").dim()],
        },
    }
}

fn response(delivery: &Delivery, width: usize) -> Vec<Line<'static>> {
    let took = latency(delivery.latency_ms);
    let first = match (delivery.status, &delivery.error) {
        (Some(status), _) => format!("{status} after {}", took.trim()),
        (None, Some(error)) => format!("{} after {}", harmless(error), took.trim()),
        (None, None) => "no answer".to_owned(),
    };
    let answer = delivery.response.clone().unwrap_or_default();
    let mut lines = message(&first, &answer, width);
    if delivery.failed()
        && let Some(first) = lines.first_mut()
    {
        *first = first.clone().red();
    }
    lines
}

fn message(first: &str, message: &Message, width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::raw(first.to_owned()).bold()];
    for (name, value) in &message.headers {
        let text = format!("{}: {}", harmless(name), harmless(value));
        lines.extend(wrapped(&text, width).map(|line| Line::raw(line).dim()));
    }
    lines.push(Line::default());
    let text = body::readable(message);
    let rows = text.lines().flat_map(|line| wrapped(&harmless(line), width).collect::<Vec<_>>());
    lines.extend(rows.map(Line::raw));
    if message.truncated {
        lines.push(Line::raw("… the rest of the body is not kept").dim());
    }
    lines
}

fn difference(old: &Delivery, new: &Delivery, width: usize) -> Vec<Line<'static>> {
    let heading = format!("{} → {}", harmless(&old.event), harmless(&new.event));
    let mut lines = vec![Line::raw(heading).bold(), Line::default()];
    let (old, new) = (body::readable(&old.request), body::readable(&new.request));
    for change in changes(&old, &new) {
        let (sign, text) = match change {
            Change::Same(text) => (' ', text),
            Change::Gone(text) => ('-', text),
            Change::New(text) => ('+', text),
        };
        for line in wrapped(&harmless(text), width.saturating_sub(2)) {
            let span = Span::raw(format!("{sign} {line}"));
            lines.push(Line::from(match sign {
                '-' => span.red(),
                '+' => span.green(),
                _ => span,
            }));
        }
    }
    lines
}

/// The text in pieces of so many columns; one empty piece, if there is none.
fn wrapped(text: &str, width: usize) -> impl Iterator<Item = String> {
    let mut pieces = vec![String::new()];
    let mut columns = 0;
    for letter in text.chars() {
        let room = wide(letter);
        if columns + room > width {
            pieces.push(String::new());
            columns = 0;
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(letter);
        }
        columns += room;
    }
    pieces.into_iter()
}
