//! All that is known and shown. Knows no terminal: happenings and keys go in, lines come out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ratatui_core::layout::Size;
use ratatui_core::style::Stylize;
use ratatui_core::text::{Line, Span};

use super::super::record::{Delivery, Happening, Outcome, Record};
use super::super::tally::{Tally, plural};
use super::detail::Detail;
use super::history::{Begun, Entry, History};
use super::line::Scrolled;
use super::printed::Printed;
use super::{Options, line};
use crate::cli::line::Columns;

/// So many lines wait for their turn in the scrollback; what is more goes by untold.
const MOST_LINES: usize = 1_000;
/// How long a word about a key stays.
const NOTICE: Duration = Duration::from_secs(6);
/// How long the secret stays.
pub(super) const SECRET: Duration = Duration::from_secs(10);

/// How it stands with the dispatcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    Connecting,
    Connected,
    Offline { attempt: u32, since: Duration },
}

pub(super) struct Screen {
    pub(super) options: Options,
    pub(super) columns: Columns,
    pub(super) history: History,
    pub(super) tally: Tally,
    pub(super) link: Link,
    pub(super) waiting: u64,
    /// By the user.
    pub(super) paused: bool,
    /// By `listen` itself: why.
    pub(super) held: Option<String>,
    pub(super) ending: bool,

    pub(super) full: bool,
    pub(super) detail: Option<Detail>,
    pub(super) help: bool,
    /// The filter while it is typed.
    pub(super) typed: Option<String>,
    pub(super) notice: Option<(String, Duration)>,
    pub(super) secret_until: Option<Duration>,
    /// The number of the entry that keys are about. Nothing: the newest, whichever it is.
    pub(super) selected: Option<u64>,
    pub(super) size: Size,
    pub(super) now: Duration,

    pub(super) printed: Printed,
    lines: VecDeque<Scrolled>,
    untold: u64,
}

impl Screen {
    pub(super) fn new(options: Options, size: Size) -> Self {
        Self {
            columns: Columns::new(false, options.timeout, options.zone.clone()),
            full: options.full,
            options,
            history: History::default(),
            tally: Tally::default(),
            link: Link::Connecting,
            waiting: 0,
            paused: false,
            held: None,
            ending: false,
            detail: None,
            help: false,
            typed: None,
            notice: None,
            secret_until: None,
            selected: None,
            size,
            now: Duration::ZERO,
            printed: Printed::default(),
            lines: VecDeque::new(),
            untold: 0,
        }
    }

    /// Takes in what has happened.
    pub(super) fn apply(&mut self, happening: Happening) {
        match happening {
            Happening::Began { delivery, event, event_type, attempt, target, at } => {
                self.held = None;
                self.columns.widen(&event_type);
                let since = self.now;
                self.history.begin(Begun {
                    delivery,
                    event,
                    event_type,
                    attempt,
                    target,
                    at,
                    since,
                });
            }
            Happening::Told(record) => self.told(&record),
            Happening::Waiting(waiting) => self.waiting = waiting,
            Happening::Hint(hint) => {
                if self.full {
                    // The lines are out of sight.
                    self.say(&hint);
                }
                self.scroll(vec![line::hint_line(&hint)]);
            }
            Happening::Notice(notice) => self.say(&notice),
        }
        self.settle();
    }

    fn told(&mut self, record: &Arc<Record>) {
        match &**record {
            Record::Delivery(delivery) => return self.delivered(record, delivery),
            Record::Ready(ready) => {
                self.link = Link::Connected;
                self.waiting = ready.waiting;
                self.columns.targets = ready.targets.len() > 1;
            }
            Record::Disconnected { .. } => {
                let (attempt, since) = match self.link {
                    Link::Offline { attempt, since } => (attempt.saturating_add(1), since),
                    Link::Connecting | Link::Connected => (1, self.now),
                };
                self.link = Link::Offline { attempt, since };
                if attempt > 1 {
                    // Said once; the footer goes on saying it.
                    return;
                }
            }
            Record::Resumed { waiting, .. } => {
                self.link = Link::Connected;
                self.waiting = *waiting;
            }
            Record::Paused { reason } => self.held = Some(reason.clone()),
            Record::Error { message, .. } => self.say(message),
            Record::End { .. } => self.ending = true,
            Record::Gap { .. } => {}
        }
        let lines = line::lines(record, &self.columns);
        self.scroll(lines);
    }

    fn delivered(&mut self, record: &Arc<Record>, delivery: &Delivery) {
        self.tally.count(delivery);
        if matches!(delivery.outcome, Outcome::Cancelled | Outcome::Filtered) {
            return self.history.give_back(delivery);
        }
        self.columns.widen(&delivery.event_type);
        if self.history.finish(record) {
            let lines = line::lines(record, &self.columns.of_lines());
            self.scroll(lines);
        }
    }

    /// Takes in what the app has printed.
    pub(super) fn print(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let line = self.printed.push(*byte);
            self.scroll(line);
        }
    }

    /// Whether some lines should be drawn before more are taken in.
    pub(super) fn is_behind(&self) -> bool {
        self.lines.len() >= MOST_LINES / 2
    }

    fn scroll(&mut self, lines: impl IntoIterator<Item = impl Into<Scrolled>>) {
        self.lines.extend(lines.into_iter().map(Into::into));
        while self.lines.len() > MOST_LINES {
            self.lines.pop_front();
            self.untold += 1;
        }
    }

    /// The app prints nothing any more.
    pub(super) fn finish_printing(&mut self) {
        let line = self.printed.finish();
        self.scroll(line);
    }

    /// What goes into the scrollback next.
    pub(super) fn take_lines(&mut self) -> Vec<Scrolled> {
        let untold = std::mem::take(&mut self.untold);
        let notice = (untold > 0).then(|| {
            let lines = plural(untold, "line");
            Line::from(Span::raw(format!("… {lines} went by too fast to be shown")).dim()).into()
        });
        notice.into_iter().chain(self.lines.drain(..)).collect()
    }

    /// Says something where everybody looks, for a while.
    pub(super) fn say(&mut self, notice: &str) {
        self.notice = Some((notice.to_owned(), self.now.saturating_add(NOTICE)));
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Duration) {
        self.now = self.now.max(now);
        if self.notice.as_ref().is_some_and(|(_, until)| self.now >= *until) {
            self.notice = None;
        }
        if self.secret_until.is_some_and(|until| self.now >= until) {
            self.secret_until = None;
        }
    }

    pub(super) fn resized(&mut self, size: Size) {
        self.size = size;
        self.settle();
    }

    /// Whether what is shown changes although nothing happens.
    pub(super) fn moves(&self) -> bool {
        self.notice.is_some()
            || self.secret_until.is_some()
            || self.link != Link::Connected
            || self.history.under_way().0 > 0
    }

    /// The entry that keys are about.
    pub(super) fn current(&self) -> Option<&Entry> {
        let number = self.detail.as_ref().map(|detail| detail.number).or(self.selected);
        match number {
            Some(number) => self.history.get(number),
            None => self.history.shown().last().copied(),
        }
    }

    /// Back to where it was opened.
    pub(super) fn close_detail(&mut self) {
        if self.detail.take().is_some_and(|detail| detail.over_lines) {
            self.full = false;
            self.selected = None;
        }
    }

    /// After any change: what is selected exists and is shown, and the detail is up to date.
    pub(super) fn settle(&mut self) {
        if let Some(selected) = self.selected {
            let shown = self.history.shown();
            let at = shown.partition_point(|entry| entry.number < selected);
            let nearest = shown.get(at).or(shown.last());
            self.selected = nearest.map(|entry| entry.number);
        }
        if let Some(mut detail) = self.detail.take() {
            let is_kept = detail.refresh(self);
            self.detail = Some(detail);
            if !is_kept {
                self.close_detail();
            }
        }
    }
}
