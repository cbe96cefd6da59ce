//! What a key does.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::record::{Delivery, Wish};
use super::body;
use super::detail::Detail;
use super::filter::Filter;
use super::full;
use super::state::{SECRET, Screen};

/// What is left to do outside of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Wish(Wish),
    /// To the clipboard.
    Copy(String),
    /// In the user's editor, then to the target.
    Edit {
        delivery: String,
        body: Vec<u8>,
    },
    /// To the shell, until it lets us go on.
    Suspend,
    /// Empty what is visible.
    Clear,
}

/// Every key, as the help tells them.
pub(super) const KEYS: [(&str, &str); 17] = [
    ("r", "replay the last or the selected event, signed anew"),
    ("R", "replay the last that failed"),
    ("x", "send the same bytes again, old timestamp and all"),
    ("⏎ d", "all about the event; Tab turns the page"),
    ("↑↓ j k", "select an event; what is new does not move it"),
    ("g G", "first, last; G follows what is new again"),
    ("PgUp PgDn", "a page up, down"),
    ("/", "filter: order.*  5xx  404  failed  timeout  text"),
    ("f", "only failures"),
    ("y Y", "copy the body, or the request for curl"),
    ("e", "edit the body, sign it anew, send it from here"),
    ("p", "pause: events wait at the dispatcher"),
    ("s", "show the secret for 10 s"),
    ("c", "clear"),
    ("i", "full screen, and back"),
    ("^Z", "to the shell; `fg` comes back"),
    ("q ^C", "finish what is under way, end; again: at once"),
];

impl Screen {
    pub(super) fn key(&mut self, key: KeyEvent) -> Option<Act> {
        let act = self.pressed(key);
        self.settle();
        act
    }

    fn pressed(&mut self, key: KeyEvent) -> Option<Act> {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => self.quit(),
                KeyCode::Char('z') => Some(Act::Suspend),
                _ => None,
            };
        }
        if std::mem::take(&mut self.help) {
            return None;
        }
        if self.typed.is_some() {
            self.typing(key.code);
            return None;
        }
        if self.detail.is_some() && self.in_detail(key.code) {
            return None;
        }
        match key.code {
            KeyCode::Char('r') => self.replay_current(),
            KeyCode::Char('R') => {
                let last = self.history.last_failed().map(|entry| entry.delivery().to_owned());
                self.replay(last, "nothing has failed")
            }
            KeyCode::Char('x') => self.resend(),
            KeyCode::Char('y') => self.copy_body(),
            KeyCode::Char('Y') => self.copy_curl(),
            KeyCode::Char('e') => self.edit(),
            KeyCode::Char('p') => self.pause(),
            KeyCode::Char('q') => self.quit(),
            KeyCode::Char('c') => {
                self.history.clear();
                self.close_detail();
                self.selected = None;
                Some(Act::Clear)
            }
            code => {
                self.look(code);
                None
            }
        }
    }

    /// Keys that only change what is seen.
    fn look(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter | KeyCode::Char('d') => self.open_detail(),
            KeyCode::Char('/') => self.typed = Some(self.history.filter().text.clone()),
            KeyCode::Char('f') => {
                let filter = self.history.filter().clone();
                let only_failures = !filter.only_failures;
                self.history.set_filter(Filter { only_failures, ..filter });
            }
            KeyCode::Char('s') => {
                let hidden = self.secret_until.is_none();
                self.secret_until = hidden.then(|| self.now.saturating_add(SECRET));
            }
            KeyCode::Char('i') => self.full = !self.full,
            KeyCode::Char('?') => self.help = true,
            KeyCode::Esc if self.history.filter().is_active() => {
                self.history.set_filter(Filter::default());
            }
            KeyCode::Esc => {
                self.full = false;
                self.selected = None;
            }
            code => self.move_by(code),
        }
    }

    fn move_by(&mut self, code: KeyCode) {
        let page = full::rows(self.size);
        let shown = self.history.shown();
        let Some(last) = shown.len().checked_sub(1) else { return };
        let at = match self.selected {
            Some(number) => shown.partition_point(|entry| entry.number < number).min(last),
            None => last,
        };
        // The first step away from the lines opens the full screen at the last event.
        let step = if self.full { 1 } else { 0 };
        let to = match code {
            KeyCode::Up | KeyCode::Char('k') => at.saturating_sub(step),
            KeyCode::Down | KeyCode::Char('j') => at.saturating_add(step).min(last),
            KeyCode::PageUp => at.saturating_sub(page),
            KeyCode::PageDown => at.saturating_add(page).min(last),
            KeyCode::Home | KeyCode::Char('g') => 0,
            KeyCode::End | KeyCode::Char('G') => {
                self.full = true;
                self.selected = None;
                return;
            }
            _ => return,
        };
        self.selected = Some(shown[to].number);
        self.full = true;
    }

    fn typing(&mut self, code: KeyCode) {
        let Some(mut text) = self.typed.take() else { return };
        match code {
            KeyCode::Enter => return,
            KeyCode::Esc => text.clear(),
            KeyCode::Backspace => {
                text.pop();
            }
            KeyCode::Char(letter) => text.push(letter),
            _ => {}
        }
        let only_failures = self.history.filter().only_failures;
        self.history.set_filter(Filter { text: text.clone(), only_failures });
        if code != KeyCode::Esc {
            self.typed = Some(text);
        }
    }

    fn open_detail(&mut self) {
        let last = self.history.last_done();
        let entry = if self.full { self.current() } else { last };
        let Some(number) = entry.map(|entry| entry.number) else {
            return self.say("no event yet");
        };
        self.detail = Some(Detail::new(number, !self.full));
        self.selected = Some(number);
        self.full = true;
    }

    /// Whether the key was for the detail.
    fn in_detail(&mut self, code: KeyCode) -> bool {
        let page = full::detail_rows(self.size);
        let jump = isize::try_from(page).unwrap_or(isize::MAX);
        let Some(detail) = &mut self.detail else { return false };
        match code {
            KeyCode::Esc | KeyCode::Char('q') | KeyCode::Enter | KeyCode::Char('d') => {
                self.close_detail()
            }
            KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => detail.turn(true),
            KeyCode::BackTab | KeyCode::Left | KeyCode::Char('h') => detail.turn(false),
            KeyCode::Up | KeyCode::Char('k') => detail.scroll_by(-1, page),
            KeyCode::Down | KeyCode::Char('j') => detail.scroll_by(1, page),
            KeyCode::PageUp => detail.scroll_by(-jump, page),
            KeyCode::PageDown | KeyCode::Char(' ') => detail.scroll_by(jump, page),
            KeyCode::Home | KeyCode::Char('g') => detail.scroll = 0,
            KeyCode::End | KeyCode::Char('G') => detail.scroll_by(isize::MAX, page),
            // It is about this event, and not about the list.
            KeyCode::Char('/' | 'f' | 'i') => {}
            _ => return false,
        }
        true
    }

    fn quit(&mut self) -> Option<Act> {
        self.ending = true;
        Some(Act::Wish(Wish::Quit))
    }

    fn pause(&mut self) -> Option<Act> {
        self.paused = !(self.paused || self.held.is_some());
        self.held = None;
        Some(Act::Wish(Wish::Pause(self.paused)))
    }

    fn replay_current(&mut self) -> Option<Act> {
        let entry = if self.full { self.current() } else { self.history.last_done() };
        let delivery = entry.map(|entry| entry.delivery().to_owned());
        self.replay(delivery, "no event yet")
    }

    fn replay(&mut self, delivery: Option<String>, otherwise: &str) -> Option<Act> {
        let Some(delivery) = delivery else {
            self.say(otherwise);
            return None;
        };
        self.say(&format!("asked the dispatcher to deliver {delivery} again"));
        Some(Act::Wish(Wish::Replay { delivery }))
    }

    fn resend(&mut self) -> Option<Act> {
        let delivery = self.chosen()?.delivery;
        self.say("sending the same bytes again; the dispatcher is not told");
        Some(Act::Wish(Wish::Resend { delivery }))
    }

    fn copy_body(&mut self) -> Option<Act> {
        let text = self.chosen_whole()?.request.text().into_owned();
        self.say(&format!("copied {} bytes", text.len()));
        Some(Act::Copy(text))
    }

    fn copy_curl(&mut self) -> Option<Act> {
        let command = body::curl(&self.chosen_whole()?);
        self.say(match command {
            Some(_) => "copied the request as a command",
            None => "it went nowhere, or its body is not text: no command can send it",
        });
        command.map(Act::Copy)
    }

    fn edit(&mut self) -> Option<Act> {
        let done = self.chosen_whole()?;
        let body = done.request.bytes().into_owned();
        Some(Act::Edit { delivery: done.delivery, body })
    }

    fn chosen_whole(&mut self) -> Option<Delivery> {
        let chosen = self.chosen()?;
        if chosen.request.truncated {
            self.say("of this body only the first 64 KiB are kept; r delivers it again");
            return None;
        }
        Some(chosen)
    }

    /// What the keys of the full screen are about; says why, if there is none.
    fn chosen(&mut self) -> Option<Delivery> {
        let reason = match self.current() {
            _ if !self.full => "select an event first, with ↑",
            None => "no event yet",
            Some(entry) => match entry.done() {
                Some(done) => return Some(done.clone()),
                None => "it has no answer yet",
            },
        };
        self.say(reason);
        None
    }
}
