//! Lines as they scroll by: one per event, and one for whatever else is worth telling.

use std::fmt::Write;

use jiff::tz::TimeZone;
use ratatui_core::style::{Color, Modifier, Style, Stylize};
use ratatui_core::text::{Line, Span};

use super::super::record::{Delivery, Outcome, Record};
use super::body;
use crate::cli::show::words::{harmless, paragraph};

/// The type's column grows up to this width.
const WIDEST_TYPE: usize = 32;
/// Of an answer that tells of a failure, so much is told.
const LONGEST_CAUSE: usize = 120;

/// What lines that stand below each other agree on.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Columns {
    pub(in crate::cli) event_type: usize,
    /// Whether to say which target it was, as there are several.
    pub(in crate::cli) targets: bool,
    /// From here on an answer is slow.
    pub(in crate::cli) slow_ms: u64,
    pub(in crate::cli) zone: TimeZone,
}

impl Columns {
    /// Makes room for this type.
    pub(in crate::cli) fn widen(&mut self, event_type: &str) {
        let width = event_type.chars().count().min(WIDEST_TYPE);
        self.event_type = self.event_type.max(width);
    }
}

/// Whether a sender would call this a failure.
pub(in crate::cli) fn failed(delivery: &Delivery) -> bool {
    match delivery.outcome {
        Outcome::Response => !delivery.status.is_some_and(|status| (200..300).contains(&status)),
        Outcome::ConnectError | Outcome::TlsError | Outcome::Timeout | Outcome::Reset => true,
        Outcome::Cancelled | Outcome::Filtered | Outcome::Printed => false,
    }
}

/// `TIME  ST  LATENCY  TYPE  ID  [#ATTEMPT] [↻] [LIVE] [→ TARGET] [CAUSE]`
pub(in crate::cli) fn event_line(delivery: &Delivery, columns: &Columns) -> Line<'static> {
    let slow = delivery.latency_ms >= columns.slow_ms;
    let latency = match delivery.outcome {
        Outcome::Printed | Outcome::Filtered | Outcome::Cancelled => " ".repeat(7),
        _ => latency(delivery.latency_ms),
    };
    let mut line = Line::from(vec![
        Span::raw(time_of_day(&delivery.at, &columns.zone)).dim(),
        Span::raw("  "),
        status(delivery),
        Span::raw("  "),
        if slow { Span::raw(latency).yellow() } else { Span::raw(latency).dim() },
        Span::raw("  "),
        Span::raw(padded(&harmless(&delivery.event_type), columns.event_type)).bold(),
        Span::raw(format!("  {}", harmless(&delivery.event))),
    ]);
    tail(delivery, columns).into_iter().for_each(|part| {
        line.push_span("  ");
        line.push_span(part);
    });
    line
}

/// What the answer to a failed request says, below its line.
pub(in crate::cli) fn cause_line(delivery: &Delivery) -> Option<Line<'static>> {
    let answer = delivery.response.as_ref().filter(|_| failed(delivery))?;
    let text = body::text(answer);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let mut cause: String = harmless(line).chars().take(LONGEST_CAUSE + 1).collect();
    if cause.chars().count() > LONGEST_CAUSE {
        cause.pop();
        cause.push('…');
    }
    Some(Line::from(vec![Span::raw(format!("{:14}│ ", "")).dim(), Span::raw(cause)]))
}

/// Whatever is told, as the lines that scroll by.
pub(in crate::cli) fn lines(record: &Record, columns: &Columns) -> Vec<Line<'static>> {
    match record {
        Record::Delivery(delivery) => {
            let mut lines = vec![event_line(delivery, columns)];
            lines.extend(cause_line(delivery));
            lines
        }
        Record::Disconnected { reason, retry_ms } => {
            let retry = seconds(*retry_ms);
            alarm(&format!("disconnected ({}) — retry in {retry}", harmless(reason)))
        }
        Record::Resumed { offline_ms, waiting, .. } => {
            let were = if *waiting == 1 { "was" } else { "were" };
            let waiting = plural(*waiting, "event");
            let text = format!("back after {}s; {waiting} {were} waiting", offline_ms / 1_000);
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
pub(in crate::cli) fn hint_lines(hint: &str) -> Vec<Line<'static>> {
    let text = paragraph("  hint  ", &harmless(hint));
    let styled = |line: &str| match line.strip_prefix("  hint") {
        Some(rest) => Line::from(vec![Span::raw("  hint").yellow(), Span::raw(rest.to_owned())]),
        None => Line::raw(line.to_owned()),
    };
    text.lines().map(styled).collect()
}

fn alarm(text: &str) -> Vec<Line<'static>> {
    vec![Line::from(vec![Span::raw("! ").yellow(), Span::raw(text.to_owned())])]
}

fn status(delivery: &Delivery) -> Span<'static> {
    let code = delivery.status.filter(|_| delivery.outcome == Outcome::Response);
    match (delivery.outcome, code) {
        (Outcome::Printed | Outcome::Filtered | Outcome::Cancelled, _) => Span::raw("  ·").dim(),
        (_, Some(code)) => Span::raw(format!("{code:>3}")).style(of_status(code)),
        (_, None) => Span::raw("---").red().bold(),
    }
}

fn of_status(code: u16) -> Style {
    match code {
        200..300 => Style::new().fg(Color::Green),
        100..400 => Style::new().fg(Color::Yellow),
        400..500 => Style::new().fg(Color::Red),
        _ => Style::new().fg(Color::Red).bold(),
    }
}

fn tail(delivery: &Delivery, columns: &Columns) -> Vec<Span<'static>> {
    let mut parts = Vec::new();
    if delivery.attempt > 1 {
        parts.push(Span::raw(format!("#{}", delivery.attempt)).dim());
    }
    if delivery.redelivered {
        parts.push(Span::raw("↻").dim());
    }
    if delivery.livemode {
        parts.push(live());
    }
    let target = delivery.target.as_ref().filter(|_| columns.targets);
    parts.extend(target.map(|target| Span::raw(format!("→ {}", harmless(target))).dim()));
    let cause = match delivery.outcome {
        Outcome::Timeout => Some("time-out".to_owned()),
        Outcome::Cancelled => Some("given back".to_owned()),
        Outcome::Filtered => Some("filtered".to_owned()),
        _ => delivery.error.as_deref().map(harmless),
    };
    parts.extend(cause.map(Span::raw));
    parts
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

/// `0.4s`, `12s`
fn seconds(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{}.{}s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{}s", ms / 1_000),
    }
}

/// `1 event`, `3 events`
pub(super) fn plural(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

pub(super) fn padded(text: &str, width: usize) -> String {
    format!("{text:<width$}")
}

/// The line for a terminal, or without colours for whatever is none.
pub(in crate::cli) fn ansi(line: &Line<'_>, colour: bool) -> String {
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
