//! Every screen at three widths, word for word, in `snapshots/`.
//!
//! `BLUUM_UPDATE_GOLDEN=1 cargo test -p bluum-hooks-dispatcher screen` writes them anew; then look
//! at what has changed.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::KeyCode;

use super::script::*;
use crate::cli::listen::record::{Delivery, Happening, Record};
use crate::cli::listen::screen::inline;
use crate::cli::listen::screen::state::Screen;
use crate::difference::{Change, changes};

/// Holds what is seen against the file of this name.
fn check(name: &str, scenes: &[(&str, String)]) {
    let seen: String = scenes.iter().map(|(name, text)| format!("== {name}\n{text}\n")).collect();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/cli/listen/screen/snapshots");
    let path = folder.join(format!("{name}.txt"));
    if std::env::var_os("BLUUM_UPDATE_GOLDEN").is_some() {
        fs::write(&path, &seen).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    if golden == seen {
        return;
    }
    let changed = changes(&golden, &seen).into_iter().filter_map(|change| match change {
        Change::Same(line) => line.starts_with("== ").then(|| format!("  {line}\n")),
        Change::Gone(line) => Some(format!("- {line}\n")),
        Change::New(line) => Some(format!("+ {line}\n")),
    });
    panic!(
        "{name}.txt shows something else. If that is meant:\n  BLUUM_UPDATE_GOLDEN=1 \
         cargo test -p bluum-hooks-dispatcher screen\n\n{}",
        changed.collect::<String>()
    );
}

/// A screen to which all this has happened.
fn after(width: u16, height: u16, happenings: impl IntoIterator<Item = Happening>) -> Screen {
    let mut screen = screen(width, height);
    screen.full = true;
    screen.happens([ready()]);
    screen.happens(happenings);
    screen
}

fn minutes(width: u16, height: u16) -> Screen {
    let mut screen = after(width, height, []);
    screen.deliver(first_minutes());
    screen
}

fn waiting(width: u16) -> String {
    after(width, 9, []).seen()
}

fn in_flight(width: u16) -> String {
    let (slow, next) = (delivery(8, "order.filled", FINE), delivery(9, "order.accepted", FINE));
    let mut screen = minutes(width, 12);
    screen.happens([began(&slow)]);
    screen.tick(Duration::from_millis(11_800));
    screen.happens([began(&next), Happening::Waiting(214)]);
    screen.tick(Duration::from_millis(12_300));
    screen.seen()
}

fn offline(width: u16) -> String {
    let mut screen = minutes(width, 12);
    screen.happens([disconnected()]);
    screen.tick(Duration::from_secs(12));
    screen.happens([disconnected(), disconnected()]);
    screen.seen()
}

fn filter(width: u16) -> String {
    let mut screen = minutes(width, 9);
    screen.types("/order.* 4xx");
    let typed = screen.seen();
    screen.press(KeyCode::Enter);
    let nothing = {
        let mut screen = minutes(width, 9);
        screen.types("/nowhere");
        screen.press(KeyCode::Enter);
        screen.seen()
    };
    format!("{typed}\n{}\n{nothing}", screen.seen())
}

fn failures(width: u16) -> String {
    let mut screen = minutes(width, 9);
    screen.types("fg");
    screen.seen()
}

fn paused(width: u16) -> String {
    let mut screen = minutes(width, 8);
    screen.types("p");
    screen.happens([Happening::Waiting(3)]);
    let by_hand = screen.seen();
    screen.types("p");
    screen.happens([told(Record::Paused { reason: "nothing listens on localhost:3000".into() })]);
    format!("{by_hand}\n{}", screen.seen())
}

fn live(width: u16) -> String {
    let mut screen = after(width, 8, []);
    screen.options.livemode = true;
    screen.deliver(first_minutes().into_iter().map(|one| Delivery { livemode: true, ..one }));
    screen.seen()
}

fn secret(width: u16) -> String {
    let mut screen = minutes(width, 6);
    screen.types("s");
    screen.seen()
}

fn ending(width: u16) -> String {
    let mut screen = minutes(width, 6);
    screen.happens([began(&delivery(8, "order.filled", FINE))]);
    screen.types("q");
    screen.seen()
}

/// The detail of one event, at the tab behind so many.
fn detail(width: u16, tab: usize) -> String {
    let mut screen = minutes(width, 22);
    let again = delivery(2, "order.filled", FINE);
    screen.deliver([Delivery { attempt: 2, ..again }]);
    screen.press(KeyCode::Enter);
    (0..tab).for_each(|_| {
        screen.press(KeyCode::Tab);
    });
    screen.seen()
}

fn help(width: u16) -> String {
    let mut screen = minutes(width, 22);
    screen.types("?");
    screen.seen()
}

#[test]
fn every_screen_at_three_widths() {
    for width in [60, 80, 130] {
        let scenes = [
            ("waiting", waiting(width)),
            ("in flight", in_flight(width)),
            ("failed", failures(width)),
            ("offline", offline(width)),
            ("filter", filter(width)),
            ("paused", paused(width)),
            ("live", live(width)),
            ("secret", secret(width)),
            ("ending", ending(width)),
            ("detail: request", detail(width, 0)),
            ("detail: response", detail(width, 1)),
            ("detail: attempts", detail(width, 2)),
            ("detail: diff", detail(width, 3)),
            ("help", help(width)),
        ];
        check(&width.to_string(), &scenes);
    }
}

/// A terminal into which the lines and their footer are written.
pub(super) fn scrolled(screen: &mut Screen, terminal: &mut vt100::Parser) {
    let width = usize::from(screen.size.width);
    let footer = screen.below(width);
    let lines = screen.take_lines();
    terminal.process(inline::paint(&lines, &footer, width, true).as_bytes());
}

#[test]
fn lines_scroll_over_their_footer() {
    let mut scenes = Vec::new();
    for width in [60, 80, 130] {
        let mut terminal = vt100::Parser::new(26, width, 0);
        let mut screen = screen(width, 26);
        terminal.process(b"$ bluum-hooks listen 3000/webhooks\r\n");
        scrolled(&mut screen, &mut terminal);
        screen.happens([ready()]);
        scrolled(&mut screen, &mut terminal);
        for delivery in first_minutes() {
            screen.deliver([delivery]);
            scrolled(&mut screen, &mut terminal);
        }
        screen.happens([Happening::Hint(
            "redirected to /webhooks/ — not followed, a sender would not either; \
             use 3000/webhooks/"
                .into(),
        )]);
        screen.happens([
            disconnected(),
            disconnected(),
            told(Record::Resumed { offline_ms: 41_200, waiting: 3, transport: "sse".into() }),
            told(Record::Gap { from: 3, to: 9, count: 7, reason: "retention".into() }),
        ]);
        screen.tick(Duration::from_secs(7));
        scrolled(&mut screen, &mut terminal);
        scenes.push((format!("{width} columns"), terminal.screen().contents() + "\n"));
    }
    let scenes: Vec<_> = scenes.iter().map(|(name, text)| (&**name, text.clone())).collect();
    check("lines", &scenes);
}
