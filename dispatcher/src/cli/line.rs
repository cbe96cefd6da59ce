//! A line for an attempt: when, what came of it, how long it took, of which type, for which event.

use std::time::Duration;

use bluum_hooks_shared::time::Timestamp;

use super::show::words::{first_line, harmless};

/// Types are padded to the longest seen, up to here.
const WIDEST: usize = 32;

/// What came of one request.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    pub(super) at: Timestamp,
    /// None: no answer, and `error` says why.
    pub(super) status: Option<u16>,
    pub(super) took: Duration,
    pub(super) event_type: &'a str,
    pub(super) event: &'a str,
    /// Beyond the first.
    pub(super) attempt: u32,
    pub(super) target: Option<&'a str>,
    pub(super) error: Option<&'a str>,
    /// What was answered.
    pub(super) body: Option<&'a str>,
}

/// Draws lines below each other.
#[derive(Debug)]
pub(super) struct Lines {
    width: usize,
    colour: bool,
}

impl Lines {
    pub(super) fn new(colour: bool) -> Self {
        Self { width: 0, colour }
    }

    /// One line, and a second with what a failure answered.
    pub(super) fn draw(&mut self, outcome: &Outcome<'_>) -> String {
        let Outcome { at, status, took, event_type, event, attempt, target, error, body } = outcome;
        let name = harmless(event_type);
        self.width = self.width.max(name.chars().count()).min(WIDEST);
        let at = at.to_string();
        let at = at.get(11..23).unwrap_or(&at);
        let ok = status.is_some_and(|status| (200..300).contains(&status));
        let standing = status.map_or("---".to_owned(), |status| status.to_string());
        let hue = match status {
            Some(200..300) => "32",
            Some(300..400) => "33",
            Some(400..500) => "31",
            _ => "1;31",
        };
        let mut line = format!(
            "{}  {}  {}  {}  {event}",
            self.in_colour("2", at),
            self.in_colour(hue, &standing),
            self.in_colour("2", &latency(*took)),
            self.in_colour("1", &format!("{name:width$}", width = self.width)),
        );
        if *attempt > 1 {
            line += &self.in_colour("2", &format!("  #{attempt}"));
        }
        if let Some(target) = target {
            line += &self.in_colour("2", &format!("  → {}", harmless(target)));
        }
        let error = error.filter(|_| status.is_none()).map(harmless);
        line += &error.map_or(String::new(), |error| format!("  {error}"));
        if let Some(said) = body.filter(|_| !ok).and_then(first_line) {
            line +=
                &format!("\n              {} {}", self.in_colour("2", "│"), said.trim_matches('"'));
        }
        line
    }

    fn in_colour(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// `  38 ms`, `30.0 s `: as wide as any.
fn latency(took: Duration) -> String {
    match took.as_millis() {
        millis @ 0..10_000 => format!("{millis:>4} ms"),
        millis @ 10_000..1_000_000 => {
            format!("{:>4} s ", format!("{}.{}", millis / 1000, millis % 1000 / 100))
        }
        millis => format!("{:>4} s ", millis / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_below_each_other() {
        let mut lines = Lines::new(false);
        let outcome = Outcome {
            at: "2026-11-21T14:02:11.118Z".parse().unwrap(),
            status: Some(200),
            took: Duration::from_millis(38),
            event_type: "order.filled",
            event: "evt_1",
            attempt: 1,
            target: None,
            error: None,
            body: Some("fine"),
        };
        let failed = Outcome {
            status: Some(500),
            took: Duration::from_millis(112),
            attempt: 2,
            target: Some("wh_1"),
            error: Some("answered 500"),
            body: Some("\n{\"error\":\"\x1b[2J\"}\n"),
            ..outcome
        };
        let silent = Outcome {
            status: None,
            took: Duration::from_secs(30),
            error: Some("time-out"),
            body: None,
            ..outcome
        };
        let drawn = [&outcome, &failed, &silent].map(|one| lines.draw(one)).join("\n");
        assert_eq!(
            drawn,
            "14:02:11.118  200    38 ms  order.filled  evt_1\n\
             14:02:11.118  500   112 ms  order.filled  evt_1  #2  → wh_1\n              \
             │ {\"error\":\"\\u001b[2J\"}\n\
             14:02:11.118  ---  30.0 s   order.filled  evt_1  time-out"
        );
        let coloured = Lines::new(true).draw(&outcome);
        assert!(coloured.contains("\x1b[32m200\x1b[0m"), "{coloured:?}");
    }
}
