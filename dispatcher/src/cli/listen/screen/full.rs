//! The full screen: the list or one event of it, over the same two lines.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::{Rect, Size};
use ratatui_core::style::{Color, Modifier, Style, Stylize};
use ratatui_core::terminal::Frame;
use ratatui_core::text::{Line, Span};

use super::detail::{Detail, TABS};
use super::footer::cut;
use super::history::Entry;
use super::keys::KEYS;
use super::state::Screen;
use crate::cli::line::{latency, padded, time_of_day};
use crate::cli::show::words::harmless;

/// Columns of an event's id, and of the space before it.
const ID: usize = 32;

/// Rows of the list: all but its heading and the footer.
pub(super) fn rows(size: Size) -> usize {
    usize::from(size.height.saturating_sub(3)).max(1)
}

/// Rows of what can be scrolled in the detail: below the event, the tabs and an empty row.
pub(super) fn detail_rows(size: Size) -> usize {
    usize::from(size.height.saturating_sub(5)).max(1)
}

impl Screen {
    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let width = usize::from(area.width);
        let above = match (&self.detail, self.help) {
            (_, true) => help(),
            (Some(detail), false) => self.about(detail, area.as_size()),
            (None, false) => self.list(area.as_size()),
        };
        let space = usize::from(area.height.saturating_sub(2));
        let above = above.into_iter().take(space).map(|line| cut(line, width));
        let mut lines: Vec<Line<'_>> = above.collect();
        lines.resize(space, Line::default());
        lines.extend(self.footer(width));
        put(frame.buffer_mut(), area, &lines);
        if !self.options.colour {
            bleach(frame.buffer_mut());
        }
    }

    fn list(&self, size: Size) -> Vec<Line<'static>> {
        let rows = rows(size);
        let shown = self.history.shown();
        let mut lines = vec![self.heading(usize::from(size.width)).dim()];
        if shown.is_empty() {
            lines.push(Line::default());
            lines.push(Line::raw(format!("  {}", self.emptiness())));
            return lines;
        }
        let last = shown.len() - 1;
        let selected = match self.selected {
            Some(number) => shown.partition_point(|entry| entry.number < number).min(last),
            None => last,
        };
        // The selected one stays in the middle, where there is enough on both sides.
        let start = selected.saturating_sub(rows / 2).min(shown.len().saturating_sub(rows));
        for (at, entry) in shown.iter().enumerate().skip(start).take(rows) {
            let line = self.row(entry, usize::from(size.width));
            lines.push(match at == selected {
                true => marked(line),
                false => line,
            });
        }
        lines
    }

    fn emptiness(&self) -> String {
        if self.history.len() > 0 {
            return "no event passes the filter; Esc takes it away".into();
        }
        "no event yet. Try: bluum-hooks trigger order.filled".into()
    }

    fn heading(&self, width: usize) -> Line<'static> {
        let space = self.columns.event_type;
        let id = if self.has_room_for_ids(width) { "  ID" } else { "" };
        let text = format!("  {:<12}  {:<3}  LATENCY  {:<space$}{id}", "TIME", "ST", "TYPE");
        Line::raw(text)
    }

    /// An id is there as a whole or not at all, and not instead of why something failed.
    fn has_room_for_ids(&self, width: usize) -> bool {
        let others = ">   00:00:00.000  200    38 ms    connection refused".len();
        others + self.columns.event_type + ID <= width
    }

    pub(super) fn row(&self, entry: &Entry, width: usize) -> Line<'static> {
        let line = match (entry.done(), entry.in_flight()) {
            (Some(delivery), _) => delivery.row().line(&self.columns),
            (None, Some(begun)) => {
                let took = self.now.saturating_sub(begun.since).as_millis();
                let event_type = padded(&harmless(&begun.event_type), self.columns.event_type);
                Line::from(vec![
                    Span::raw(time_of_day(&begun.at, &self.columns.zone)).dim(),
                    Span::raw(format!("   {}   ", self.spinner())),
                    Span::raw(latency(u64::try_from(took).unwrap_or(u64::MAX))),
                    Span::raw("  "),
                    Span::raw(event_type).bold(),
                    Span::raw(format!("  {}", harmless(&begun.event))),
                    Span::raw("  in flight").dim(),
                ])
            }
            (None, None) => Line::default(),
        };
        let mut row = Line::raw("  ");
        row.spans.extend(line.spans);
        if !self.has_room_for_ids(width) && row.spans.len() > 6 {
            row.spans.remove(if entry.done().is_some() { 8 } else { 6 });
        }
        cut(row, width)
    }

    fn about(&self, detail: &Detail, size: Size) -> Vec<Line<'static>> {
        let width = usize::from(size.width);
        let entry = self.history.get(detail.number);
        let mut tabs = Line::raw(" ");
        for (tab, name) in TABS {
            tabs.push_span(match tab == detail.tab {
                true => Span::raw(format!("[{name}]")).bold(),
                false => Span::raw(format!(" {name} ")).dim(),
            });
            tabs.push_span(" ");
        }
        let page = detail_rows(size);
        let all = detail.lines.len();
        if all > page {
            let through = (detail.scroll + page).min(all);
            let text = format!(" {}-{through} of {all}", detail.scroll + 1);
            tabs.push_span(Span::raw(text).dim());
        }
        let head = entry.map(|entry| self.row(entry, width)).unwrap_or_default();
        let mut lines = vec![head, tabs, Line::default()];
        lines.extend(detail.lines.iter().skip(detail.scroll).take(page).map(|line| {
            let mut indented = Line::raw(" ").style(line.style);
            indented.spans.extend(line.spans.iter().cloned());
            indented
        }));
        lines
    }
}

pub(super) fn help() -> Vec<Line<'static>> {
    let key = |(key, does): &(&'static str, &'static str)| {
        Line::from(vec![Span::raw(format!("  {key:<10}")).bold(), Span::raw(*does)])
    };
    KEYS.iter().map(key).collect()
}

/// The selected row: told by a sign as well as by its look.
fn marked(mut line: Line<'static>) -> Line<'static> {
    if let Some(first) = line.spans.first_mut() {
        *first = Span::raw("> ").bold();
    }
    line.style(Style::new().add_modifier(Modifier::REVERSED))
}

fn put(buffer: &mut Buffer, area: Rect, lines: &[Line<'_>]) {
    for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
        let row = Rect { y, height: 1, ..area };
        buffer.set_style(row, line.style);
        buffer.set_line(area.left(), y, line, area.width);
    }
}

/// Takes the colours away, and leaves what is bold, dim or reversed.
fn bleach(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        (cell.fg, cell.bg) = (Color::Reset, Color::Reset);
    }
}
