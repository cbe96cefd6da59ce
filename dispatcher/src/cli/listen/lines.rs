//! The line of an event, for people.

use std::fmt::Write;
use std::time::Duration;

use super::forward::Attempt;
use super::held::{Held, Sent};
use super::record::Outcome;
use super::tally::millis;
use crate::cli::args::PartArg;
use crate::cli::show::words::{first_line, harmless};

/// The widest column of event types.
const WIDEST: usize = 32;
/// Under the column of the time.
const INDENT: &str = "              │ ";

const GREEN: &str = "32";
const YELLOW: &str = "33";
const RED: &str = "31";
const RED_BOLD: &str = "1;31";
const BOLD: &str = "1";
const DIM: &str = "2";

/// How lines are written, and how wide their columns have become.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) colour: bool,
    pub(super) live: bool,
    /// Beyond half of it, an answer is late.
    pub(super) timeout: Option<Duration>,
    pub(super) parts: Vec<PartArg>,
    width: usize,
}

impl Lines {
    pub(super) fn new(
        colour: bool,
        live: bool,
        timeout: Option<Duration>,
        parts: Vec<PartArg>,
    ) -> Self {
        Self { colour, live, timeout, parts, width: 0 }
    }

    /// The line, and below it what went wrong and the parts that are wished for.
    pub(super) fn event(&mut self, held: &Held, sent: &Sent, target: Option<&str>) -> String {
        let (arrival, attempt) = (&held.arrival, &sent.attempt);
        let name = harmless(&held.event_type);
        self.width = self.width.max(name.chars().count().min(WIDEST));
        let mut line = String::with_capacity(160);
        let time = sent.at.to_string();
        self.put(&mut line, DIM, time.get(11..23).unwrap_or(&time));
        line.push_str("  ");
        if self.live {
            self.put(&mut line, RED_BOLD, "LIVE");
            line.push_str("  ");
        }
        let (status, style) = status(attempt);
        self.put(&mut line, style, &status);
        line.push_str("  ");
        let late = self.timeout.is_some_and(|timeout| attempt.latency > timeout / 2);
        self.put(&mut line, if late { YELLOW } else { DIM }, &latency(attempt));
        line.push_str("  ");
        self.put(&mut line, BOLD, &name);
        let gap = (self.width + 2).saturating_sub(name.chars().count()).max(2);
        line.extend(std::iter::repeat_n(' ', gap));
        line.push_str(&harmless(&arrival.event));
        let mut dim = |text: &str| {
            line.push_str("  ");
            self.put(&mut line, DIM, text);
        };
        if arrival.attempt > 1 {
            dim(&format!("#{}", arrival.attempt));
        }
        if arrival.redelivered {
            dim("↻");
        }
        if let Some(target) = target {
            dim(&format!("→ {target}"));
        }
        if let Some(error) = &attempt.error {
            let _ = write!(line, "  {}", harmless(error));
        }
        self.body_of_failure(&mut line, attempt);
        self.below(&mut line, held, attempt);
        line
    }

    fn put(&self, line: &mut String, style: &str, text: &str) {
        if self.colour {
            let _ = write!(line, "\x1b[{style}m{text}\x1b[0m");
        } else {
            line.push_str(text);
        }
    }

    fn indented(&self, line: &mut String, text: &str) {
        line.push('\n');
        self.put(line, DIM, INDENT.trim_end_matches(' '));
        line.push(' ');
        line.push_str(text);
    }

    fn body_of_failure(&self, line: &mut String, attempt: &Attempt) {
        let shown = self.shows(PartArg::Response);
        let Some(answer) = attempt.answer.as_ref().filter(|_| !attempt.is_success() && !shown)
        else {
            return;
        };
        let text = String::from_utf8_lossy(&answer.body);
        if let Some(said) = first_line(&text) {
            let bare = said.strip_prefix('"').and_then(|said| said.strip_suffix('"'));
            self.indented(line, bare.unwrap_or(&said));
        }
    }

    fn shows(&self, part: PartArg) -> bool {
        self.parts.contains(&part) || self.parts.contains(&PartArg::All)
    }

    /// The parts that are wished for.
    fn below(&self, line: &mut String, held: &Held, attempt: &Attempt) {
        if self.shows(PartArg::Headers) {
            for (name, value) in &held.arrival.headers {
                self.indented(line, &harmless(&format!("{name}: {value}")));
            }
        }
        let mut body = |bytes: &[u8]| {
            for text in String::from_utf8_lossy(bytes).lines() {
                self.indented(line, &harmless(text));
            }
        };
        if self.shows(PartArg::Body) {
            body(&held.arrival.body);
        }
        if let Some(answer) = attempt.answer.as_ref().filter(|_| self.shows(PartArg::Response)) {
            for (name, value) in &answer.headers {
                let value = String::from_utf8_lossy(value.as_bytes());
                body(format!("{name}: {value}").as_bytes());
            }
            body(&answer.body);
        }
    }
}

fn status(attempt: &Attempt) -> (String, &'static str) {
    match (attempt.outcome, attempt.status) {
        (Outcome::Printed | Outcome::Filtered, _) => ("  -".into(), DIM),
        (_, Some(status)) => {
            let style = match status {
                200..300 => GREEN,
                300..400 => YELLOW,
                400..500 => RED,
                _ => RED_BOLD,
            };
            (status.to_string(), style)
        }
        (_, None) => ("---".into(), RED_BOLD),
    }
}

/// `  38 ms`, `30.0 s `: seven columns.
fn latency(attempt: &Attempt) -> String {
    if matches!(attempt.outcome, Outcome::Printed | Outcome::Filtered) {
        return "       ".into();
    }
    let millis = millis(attempt.latency);
    if millis < 10_000 {
        return format!("{millis:>4} ms");
    }
    match millis / 100 {
        tenths @ 0..1_000 => format!("{:>4} s ", format!("{}.{}", tenths / 10, tenths % 10)),
        tenths => format!("{:>4} s ", tenths / 10),
    }
}
