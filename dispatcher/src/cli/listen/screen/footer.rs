//! The two lines that stay: how it stands, and which keys there are, or what there is to say.

use ratatui_core::style::Stylize;
use ratatui_core::text::{Line, Span};

use super::super::tally::plural;
use super::full;
use super::state::{Link, Screen};
use crate::cli::line::live;
use crate::cli::show::words::harmless;

const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// A part of a line, and how gladly it is left out where there is no room.
type Part = (u8, Line<'static>);

impl Screen {
    /// Two lines, no wider than this.
    pub(super) fn footer(&self, width: usize) -> [Line<'static>; 2] {
        [self.standing(width), self.word(width)]
    }

    /// What stays below the lines: the line that the app has not finished, the keys while they are
    /// asked for, and the footer.
    pub(super) fn below(&self, width: usize) -> Vec<Line<'static>> {
        let room = usize::from(self.size.height).saturating_sub(3);
        let help = if self.help { full::help() } else { Vec::new() };
        let above = self.printed.unfinished().map(Line::raw).into_iter().chain(help);
        above.take(room).map(|line| cut(line, width)).chain(self.footer(width)).collect()
    }

    pub(super) fn spinner(&self) -> &'static str {
        let turn = self.now.as_millis() / 100 % 10;
        usize::try_from(turn).ok().and_then(|turn| SPINNER.get(turn)).unwrap_or(&"…")
    }

    fn standing(&self, width: usize) -> Line<'static> {
        let mut parts: Vec<Part> = Vec::new();
        if self.options.livemode {
            parts.push((0, live().into()));
        }
        parts.push((3, Line::raw(harmless(&self.options.listener))));
        parts.push((0, self.link()));
        parts.push((1, self.counts()));
        let (in_flight, since) = self.history.under_way();
        if in_flight > 0 {
            let oldest = self.now.saturating_sub(since.unwrap_or_default()).as_secs();
            let spinner = self.spinner();
            parts.push((2, format!("{spinner} {in_flight} in flight (oldest {oldest} s)").into()));
        }
        if self.history.filter().is_active() {
            parts.push((0, self.filtered()));
        }
        let emptiness = if self.waiting == 0 { 4 } else { 1 };
        parts.push((emptiness, format!("{} waiting", self.waiting).into()));
        let mut line = Line::from(Span::raw("── ").dim());
        for (at, part) in fitting(parts, 3, width.saturating_sub(4)).into_iter().enumerate() {
            if at > 0 {
                line.push_span(Span::raw(" · ").dim());
            }
            line.spans.extend(part.spans);
        }
        line.push_span(" ");
        let rest = width.saturating_sub(line.width());
        line.push_span(Span::raw("─".repeat(rest)).dim());
        cut(line, width)
    }

    fn link(&self) -> Line<'static> {
        if self.ending {
            return Span::raw("◌ ending").yellow().into();
        }
        match self.link {
            Link::Connecting => Span::raw("○ connecting").yellow().into(),
            Link::Offline { attempt, since } => {
                let seconds = self.now.saturating_sub(since).as_secs();
                let text = format!("○ reconnecting, attempt {attempt}, {seconds} s");
                Span::raw(text).yellow().into()
            }
            Link::Connected => match &self.held {
                Some(reason) => {
                    Span::raw(format!("‖ paused: {}", harmless(reason))).yellow().into()
                }
                None if self.paused => Span::raw("‖ paused").yellow().into(),
                None => Line::from(vec![Span::raw("●").green(), Span::raw(" connected")]),
            },
        }
    }

    fn counts(&self) -> Line<'static> {
        let mut line = Line::raw(plural(self.tally.events(), "event"));
        if self.tally.failed > 0 {
            line.push_span(Span::raw(format!(", {} failed", self.tally.failed)).red());
        }
        if self.tally.filtered > 0 {
            line.push_span(format!(", {} filtered", self.tally.filtered));
        }
        line
    }

    fn filtered(&self) -> Line<'static> {
        let filter = self.history.filter();
        let failures = filter.only_failures.then_some("only failures");
        let text = Some(filter.text.trim()).filter(|text| !text.is_empty()).map(harmless);
        let words: Vec<_> = failures.map(str::to_owned).into_iter().chain(text).collect();
        let hidden = self.history.len() - self.history.shown().len();
        Span::raw(format!("/ {} ({hidden} hidden)", words.join(", "))).cyan().into()
    }

    /// What is typed, or has just to be said, or may be shown a moment longer; else the keys.
    fn word(&self, width: usize) -> Line<'static> {
        if let Some(typed) = &self.typed {
            let typed = harmless(typed);
            return end_of(&format!(" /{typed}▏"), width);
        }
        if let Some((notice, _)) = &self.notice {
            return cut(Span::raw(format!(" {}", harmless(notice))).yellow().into(), width);
        }
        if let Some(until) = self.secret_until {
            let left = until.saturating_sub(self.now).as_millis().div_ceil(1_000);
            return cut(format!(" {}  hidden in {left} s", self.options.secret).into(), width);
        }
        let mut line = Line::raw(" ");
        for (at, key) in fitting(self.keys(), 2, width.saturating_sub(1)).into_iter().enumerate() {
            if at > 0 {
                line.push_span("  ");
            }
            line.spans.extend(key.spans);
        }
        cut(line, width)
    }

    fn keys(&self) -> Vec<Part> {
        let pause = if self.paused || self.held.is_some() { "go on" } else { "pause" };
        let keys: Vec<(u8, &str, &str)> = if self.ending {
            vec![(0, "^C", "again ends at once")]
        } else if self.detail.is_some() {
            vec![
                (0, "Tab", "next page"),
                (2, "↑↓", "scroll"),
                (2, "r", "replay"),
                (3, "x", "same bytes"),
                (3, "y", "copy"),
                (3, "e", "edit"),
                (1, "?", "keys"),
                (0, "q", "back"),
            ]
        } else if self.full {
            vec![
                (3, "↑↓", "select"),
                (1, "r", "replay"),
                (0, "⏎", "detail"),
                (1, "/", "filter"),
                (4, "f", "failures"),
                (2, "p", pause),
                (2, "G", "follow"),
                (3, "i", "lines"),
                (0, "?", "keys"),
                (0, "q", "quit"),
            ]
        } else {
            vec![
                (1, "r", "replay"),
                (1, "⏎", "detail"),
                (1, "/", "filter"),
                (2, "p", pause),
                (3, "i", "full screen"),
                (0, "?", "keys"),
                (0, "q", "quit"),
            ]
        };
        let named = |(rank, key, does): (u8, &'static str, &'static str)| {
            (rank, Line::from(vec![Span::raw(key).bold(), Span::raw(format!(" {does}")).dim()]))
        };
        keys.into_iter().map(named).collect()
    }
}

/// As many parts as fit, the most dispensable left out first, the last of equals first.
fn fitting(mut parts: Vec<Part>, between: usize, width: usize) -> Vec<Line<'static>> {
    let taken = |parts: &[Part]| -> usize {
        let widths: usize = parts.iter().map(|(_, part)| part.width()).sum();
        widths + parts.len().saturating_sub(1) * between
    };
    while taken(&parts) > width && parts.len() > 1 {
        let most = (0..parts.len()).max_by_key(|at| parts[*at].0).unwrap_or(0);
        parts.remove(most);
    }
    parts.into_iter().map(|(_, part)| part).collect()
}

/// The line, or as much of it as fits and a sign that there was more.
pub(super) fn cut(line: Line<'static>, width: usize) -> Line<'static> {
    if line.width() <= width {
        return line;
    }
    let (mut left, mut spans) = (width.saturating_sub(1), Vec::new());
    for span in line.spans {
        let fits = span.content.chars().take_while(|letter| {
            let wide = columns(*letter);
            let fits = wide <= left;
            left = if fits { left - wide } else { 0 };
            fits
        });
        let text: String = fits.collect();
        let whole = text.len() == span.content.len();
        spans.push(Span::styled(text, span.style));
        if !whole {
            break;
        }
    }
    if width > 0 {
        spans.push(Span::raw("…"));
    }
    Line::from(spans).style(line.style)
}

/// The end of a text that is being typed, so that one sees what one types.
fn end_of(text: &str, width: usize) -> Line<'static> {
    let mut rest = text.chars();
    while Span::raw(rest.as_str()).width() > width {
        rest.next();
    }
    Line::raw(rest.as_str().to_owned())
}

/// How much room a letter takes.
pub(super) fn columns(letter: char) -> usize {
    Span::raw(letter.encode_utf8(&mut [0; 4]) as &str).width()
}
