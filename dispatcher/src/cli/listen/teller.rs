//! What is told of all that happens: lines, NDJSON, a file, a screen, and talk on stderr.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::held::{Held, Sent};
use super::hints::Hints;
use super::lines::Lines;
use super::record::{Happening, Record};
use super::tally::Tally;
use crate::cli::print::{Broken, Flow, Printer};
use crate::cli::target::Target;

pub(super) struct Teller {
    pub(super) printer: Printer,
    /// Stdout.
    pub(super) out: Flow,
    pub(super) save: Option<Flow>,
    /// Whether the file could not be written.
    pub(super) save_failed: bool,
    pub(super) screen: Option<UnboundedSender<Happening>>,
    pub(super) lines: Lines,
    pub(super) hints: Hints,
    pub(super) tally: Tally,
}

impl Teller {
    /// One attempt: what was sent where, and what came of it.
    pub(super) fn delivery(&mut self, held: &Held, sent: &Sent, target: Option<&Target>) {
        let delivery = held.record(sent, target.map(ToString::to_string));
        self.tally.count(&delivery);
        if !self.printer.json && self.screen.is_none() {
            self.out.line(&self.lines.event(&delivery));
        }
        if self.printer.json || self.save.is_some() || self.screen.is_some() {
            let record = Record::Delivery(Box::new(delivery));
            let text = ndjson(&record);
            if let Some(save) = &mut self.save {
                save.line(&text);
            }
            if self.printer.json {
                self.out.line(&text);
            }
            self.screen(|| Happening::Told(Arc::new(record)));
        }
        if let Some(target) = target
            && let Some(hint) = self.hints.of(held, &sent.attempt, target)
        {
            self.hint(hint);
        }
    }

    /// Anything else that has a record.
    pub(super) fn tell(&mut self, record: Record) {
        if self.printer.json {
            self.out.line(&ndjson(&record));
        }
        self.screen(|| Happening::Told(Arc::new(record)));
    }

    pub(super) fn hint(&mut self, hint: String) {
        if self.screen.is_none() {
            self.talk(&format!("  hint  {hint}"));
        }
        self.screen(|| Happening::Hint(hint));
    }

    /// A word beside the product. What was told before it stands before it.
    pub(super) fn talk(&self, text: &str) {
        if self.screen.is_none() {
            self.printer.talk(text);
        }
    }

    pub(super) fn notice(&self, text: String) {
        self.talk(&text);
        self.screen(|| Happening::Notice(text));
    }

    pub(super) fn screen(&self, happening: impl FnOnce() -> Happening) {
        if let Some(screen) = &self.screen {
            // It has ended before us: its summary is on the terminal.
            let _ = screen.send(happening());
        }
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.out.is_dirty() || self.save.as_ref().is_some_and(Flow::is_dirty)
    }

    pub(super) fn is_full(&self) -> bool {
        self.out.is_full() || self.save.as_ref().is_some_and(Flow::is_full)
    }

    /// Hands over what is written; an error if nobody reads stdout any more.
    pub(super) async fn flush(&mut self) -> Result<(), Broken> {
        if let Some(save) = &mut self.save
            && save.flush().await.is_err()
        {
            self.save = None;
            self.save_failed = true;
            self.notice("error: --save: the file cannot be written any more; going on".into());
        }
        self.out.flush().await
    }
}

/// A line of `--json` and of `--save`.
fn ndjson(record: &Record) -> String {
    let text = serde_json::to_string(record).unwrap_or_else(|_| "{}".into());
    format!("{{\"v\":1,{}", text.strip_prefix('{').unwrap_or(&text))
}
