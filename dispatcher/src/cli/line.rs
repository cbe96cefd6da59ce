//! The line of an event: when, what came of it, how long it took, of which type, for which event.
//! `listen`, its screen, `tail` and `replay` draw the same one.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use bluum_hooks_shared::api::Attempt;
use jiff::tz::TimeZone;
use ratatui_core::style::{Color, Modifier, Style, Stylize};
use ratatui_core::text::{Line, Span};

use super::show::words::harmless;

/// The type's column grows up to this width.
const WIDEST_TYPE: usize = 32;
/// And in lines that scroll by up to this: then the event's id still fits into 80 columns.
const WIDEST_IN_LINES: usize = 20;
/// Of an answer that tells of a failure, so much is told.
const LONGEST_CAUSE: usize = 120;
/// What stands before such an answer, below the time.
pub(super) const INDENT: &str = "              │ ";

/// What came of one request, or of an event that went nowhere.
#[derive(Debug, Clone, Default)]
pub(super) struct Row<'a> {
    /// RFC 3339.
    pub(super) at: Cow<'a, str>,
    pub(super) code: Code,
    pub(super) latency_ms: u64,
    pub(super) event_type: &'a str,
    pub(super) event: &'a str,
    pub(super) attempt: u32,
    pub(super) redelivered: bool,
    pub(super) livemode: bool,
    pub(super) target: Option<&'a str>,
    /// Why there is no answer.
    pub(super) cause: Option<&'a str>,
    pub(super) answer: Option<Cow<'a, str>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Code {
    Status(u16),
    #[default]
    NoAnswer,
    /// It went nowhere.
    Nowhere,
}

impl From<Option<u16>> for Code {
    fn from(status: Option<u16>) -> Self {
        status.map_or(Self::NoAnswer, Self::Status)
    }
}

/// What lines that stand below each other agree on.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub(super) event_type: usize,
    /// Whether to say which target it was, as there are several.
    pub(super) targets: bool,
    /// From here on an answer is slow.
    pub(super) slow_ms: u64,
    /// Where times of day are told.
    pub(super) zone: TimeZone,
}

impl Columns {
    /// An answer is slow from half of the time-out on, if there is one.
    pub(super) fn new(targets: bool, timeout: Option<Duration>, zone: TimeZone) -> Self {
        let slow_ms = timeout.and_then(|timeout| u64::try_from(timeout.as_millis() / 2).ok());
        Self { event_type: 0, targets, slow_ms: slow_ms.unwrap_or(u64::MAX), zone }
    }

    /// Those of lines that scroll by.
    pub(super) fn of_lines(&self) -> Self {
        Self { event_type: self.event_type.min(WIDEST_IN_LINES), ..self.clone() }
    }

    /// Makes room for this type.
    pub(super) fn widen(&mut self, event_type: &str) {
        let width = harmless(event_type).chars().count().min(WIDEST_TYPE);
        self.event_type = self.event_type.max(width);
    }
}

impl<'a> Row<'a> {
    /// Of an attempt that the dispatcher made.
    pub(super) fn of_attempt(
        attempt: &'a Attempt,
        event_type: &'a str,
        event: &'a str,
        webhook: &'a str,
    ) -> Self {
        Self {
            at: attempt.started_at.to_string().into(),
            code: attempt.status.into(),
            latency_ms: attempt.duration_ms,
            event_type,
            event,
            attempt: attempt.number,
            target: Some(webhook),
            cause: attempt.error.as_deref(),
            answer: attempt.response_body.as_deref().map(Cow::from),
            ..Self::default()
        }
    }

    /// `TIME  ST  LATENCY  TYPE  ID  [#ATTEMPT] [↻] [LIVE] [→ TARGET] [CAUSE]`
    pub(super) fn line(&self, columns: &Columns) -> Line<'static> {
        let slow = self.latency_ms >= columns.slow_ms;
        let latency = match self.code {
            Code::Nowhere => " ".repeat(7),
            _ => latency(self.latency_ms),
        };
        let mut line = Line::from(vec![
            Span::raw(time_of_day(&self.at, &columns.zone)).dim(),
            Span::raw("  "),
            self.status(),
            Span::raw("  "),
            if slow { Span::raw(latency).yellow() } else { Span::raw(latency).dim() },
            Span::raw("  "),
            Span::raw(padded(&harmless(self.event_type), columns.event_type)).bold(),
            Span::raw(format!("  {}", harmless(self.event))),
        ]);
        for part in self.tail(columns) {
            line.push_span("  ");
            line.push_span(part);
        }
        line
    }

    /// What the answer to a failed request says, below its line.
    pub(super) fn answer_line(&self) -> Option<Line<'static>> {
        let answer = self.answer.as_ref().filter(|_| self.failed())?;
        let line = answer.lines().map(str::trim).find(|line| !line.is_empty())?;
        let mut said: String = harmless(line).chars().take(LONGEST_CAUSE + 1).collect();
        if said.chars().count() > LONGEST_CAUSE {
            said.pop();
            said.push('…');
        }
        Some(Line::from(vec![Span::raw(INDENT).dim(), Span::raw(said)]))
    }

    fn failed(&self) -> bool {
        !matches!(self.code, Code::Status(200..300) | Code::Nowhere)
    }

    fn status(&self) -> Span<'static> {
        let of_status = |code| match code {
            200..300 => Style::new().fg(Color::Green),
            100..400 => Style::new().fg(Color::Yellow),
            400..500 => Style::new().fg(Color::Red),
            _ => Style::new().fg(Color::Red).bold(),
        };
        match self.code {
            Code::Nowhere => Span::raw("  ·").dim(),
            Code::Status(code) => Span::raw(format!("{code:>3}")).style(of_status(code)),
            Code::NoAnswer => Span::raw("---").red().bold(),
        }
    }

    fn tail(&self, columns: &Columns) -> Vec<Span<'static>> {
        let mut parts = Vec::new();
        if self.attempt > 1 {
            parts.push(Span::raw(format!("#{}", self.attempt)).dim());
        }
        if self.redelivered {
            parts.push(Span::raw("↻").dim());
        }
        if self.livemode {
            parts.push(live());
        }
        let target = self.target.filter(|_| columns.targets);
        parts.extend(target.map(|target| Span::raw(format!("→ {}", harmless(target))).dim()));
        let cause = self.cause.filter(|_| !matches!(self.code, Code::Status(_)));
        parts.extend(cause.map(|cause| Span::raw(harmless(cause))));
        parts
    }
}

/// Draws lines below each other where there is no screen.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) colour: bool,
    pub(super) columns: Columns,
}

impl Lines {
    /// In the time of this machine, each with its target.
    pub(super) fn new(colour: bool) -> Self {
        Self { colour, columns: Columns::new(true, None, TimeZone::system()) }
    }

    /// One line, and a second with what a failure answered.
    pub(super) fn draw(&mut self, row: &Row<'_>) -> String {
        self.columns.widen(row.event_type);
        let mut text = ansi(&row.line(&self.columns.of_lines()), self.colour);
        if let Some(answer) = row.answer_line() {
            text.push('\n');
            text.push_str(&ansi(&answer, self.colour));
        }
        text
    }
}

/// What nobody may overlook.
pub(super) fn live() -> Span<'static> {
    Span::styled("LIVE", Style::new().fg(Color::Red).add_modifier(Modifier::BOLD))
}

/// `14:02:11.118`, or the time as it came if it is none.
pub(super) fn time_of_day(at: &str, zone: &TimeZone) -> String {
    let Ok(at) = at.parse::<jiff::Timestamp>() else {
        return format!("{:<12}", harmless(at).chars().take(12).collect::<String>());
    };
    let at = zone.to_datetime(at).time();
    let millis = at.millisecond();
    format!("{:02}:{:02}:{:02}.{millis:03}", at.hour(), at.minute(), at.second())
}

/// Seven columns, the units below each other: `  38 ms`, `30.0 s `, ` 12 min`.
pub(super) fn latency(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms:>4} ms"),
        1_000..1_000_000 => {
            format!("{:>4} s ", format!("{}.{}", ms / 1_000, ms % 1_000 / 100))
        }
        _ => format!("{:>3} min", ms / 60_000),
    }
}

pub(super) fn padded(text: &str, width: usize) -> String {
    format!("{text:<width$}")
}

/// The line for a terminal, or without colours for whatever is none.
pub(super) fn ansi(line: &Line<'_>, colour: bool) -> String {
    let mut text = String::new();
    for span in &line.spans {
        let codes = if colour { codes(line.style.patch(span.style)) } else { String::new() };
        let _ = match codes.as_str() {
            "" => write!(text, "{}", span.content),
            codes => write!(text, "\x1b[{codes}m{}\x1b[0m", span.content),
        };
    }
    text
}

fn codes(style: Style) -> String {
    let foreground = match style.fg {
        Some(Color::Red) => "31",
        Some(Color::Green) => "32",
        Some(Color::Yellow) => "33",
        Some(Color::Cyan) => "36",
        _ => "",
    };
    let has = |modifier, code| if style.add_modifier.contains(modifier) { code } else { "" };
    let parts = [
        has(Modifier::BOLD, "1"),
        has(Modifier::DIM, "2"),
        has(Modifier::REVERSED, "7"),
        foreground,
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_below_each_other_and_tell_local_time() {
        let zone = TimeZone::fixed(jiff::tz::offset(-5));
        let mut lines = Lines { colour: false, columns: Columns::new(true, None, zone) };
        let answered = Row {
            at: "2026-11-21T14:02:11.118Z".into(),
            code: Code::Status(200),
            latency_ms: 38,
            event_type: "order.filled",
            event: "evt_1",
            attempt: 1,
            answer: Some("fine".into()),
            ..Row::default()
        };
        let failed = Row {
            code: Code::Status(500),
            latency_ms: 112,
            attempt: 2,
            target: Some("wh_1"),
            cause: Some("answered 500"),
            answer: Some("\n{\"error\":\"\x1b[2J\"}\n".into()),
            ..answered.clone()
        };
        let silent = Row {
            code: Code::NoAnswer,
            latency_ms: 30_000,
            redelivered: true,
            livemode: true,
            cause: Some("time-out"),
            answer: None,
            ..answered.clone()
        };
        let nowhere = Row { code: Code::Nowhere, cause: None, ..answered.clone() };
        let drawn = [&answered, &failed, &silent, &nowhere].map(|one| lines.draw(one)).join("\n");
        assert_eq!(
            drawn,
            "09:02:11.118  200    38 ms  order.filled  evt_1\n\
             09:02:11.118  500   112 ms  order.filled  evt_1  #2  → wh_1\n              \
             │ {\"error\":\"\\u001b[2J\"}\n\
             09:02:11.118  ---  30.0 s   order.filled  evt_1  ↻  LIVE  time-out\n\
             09:02:11.118    ·           order.filled  evt_1"
        );
        lines.colour = true;
        let coloured = lines.draw(&answered);
        assert!(coloured.contains("\x1b[32m200\x1b[0m"), "{coloured:?}");
    }
}
