//! What keys do, and what is never said.

use std::time::Duration;

use crossterm::event::KeyCode;
use ratatui_core::backend::TestBackend;
use ratatui_core::style::Color;
use ratatui_core::terminal::Terminal;

use super::script::*;
use super::snapshots::scrolled;
use crate::cli::line::{Columns, ansi};
use crate::cli::listen::record::{Delivery, Happening, Outcome, Record, Wish};
use crate::cli::listen::screen::keys::Act;
use crate::cli::listen::screen::state::Screen;

fn listening() -> Screen {
    let mut screen = screen(100, 24);
    screen.happens([ready()]);
    screen
}

fn footer(screen: &Screen) -> String {
    screen.below(usize::from(screen.size.width)).iter().map(|line| format!("{line}\n")).collect()
}

fn wish(wish: Wish) -> Option<Act> {
    Some(Act::Wish(wish))
}

fn id(number: u32) -> String {
    delivery(number, "", FINE).delivery
}

#[test]
fn keys_answer_before_the_first_event() {
    for letter in "rRxyYed".chars() {
        let mut screen = screen(100, 24);
        assert_eq!(screen.types(&letter.to_string()), None);
        assert!(screen.notice.is_some(), "{letter} says nothing");
    }
    let mut screen = screen(100, 24);
    assert_eq!(screen.types("p"), wish(Wish::Pause(true)));
    assert_eq!(screen.types("p"), wish(Wish::Pause(false)));
    assert_eq!(screen.types("q"), wish(Wish::Quit));
    assert_eq!(screen.press_control('c'), wish(Wish::Quit), "again, to end at once");
    assert_eq!(screen.press_control('z'), Some(Act::Suspend));
    screen.types("i?");
    assert!(screen.full && screen.seen().contains("only failures"));
}

#[test]
fn replay_is_about_the_last_event_or_the_selected_one() {
    let mut screen = listening();
    screen.deliver(first_minutes());
    screen.happens([began(&delivery(8, "order.filled", FINE))]);
    assert_eq!(screen.types("r"), wish(Wish::Replay { delivery: id(7) }));
    assert!(footer(&screen).contains(&id(7)), "a key's effect is told");
    screen.types("gj");
    assert_eq!(screen.types("r"), wish(Wish::Replay { delivery: id(2) }));
    assert_eq!(screen.types("x"), wish(Wish::Resend { delivery: id(2) }));
    assert_eq!(screen.types("R"), wish(Wish::Replay { delivery: id(7) }), "302 is a failure");
}

#[test]
fn what_is_new_does_not_move_the_selection_and_g_follows_again() {
    let mut screen = listening();
    screen.deliver(first_minutes());
    screen.press(KeyCode::Up);
    screen.press(KeyCode::Up);
    assert_eq!(screen.current().unwrap().delivery(), id(6));
    screen.deliver([delivery(8, "order.filled", FINE)]);
    assert_eq!(screen.current().unwrap().delivery(), id(6));
    screen.types("G");
    assert_eq!(screen.current().unwrap().delivery(), id(8));
    screen.deliver([delivery(9, "order.filled", FINE)]);
    assert_eq!(screen.current().unwrap().delivery(), id(9));
    screen.press(KeyCode::Esc);
    assert!(!screen.full);
}

#[test]
fn in_flight_is_no_failure_and_survives_a_disconnect() {
    let mut screen = listening();
    screen.full = true;
    let slow = delivery(1, "order.filled", FINE);
    screen.happens([began(&slow)]);
    screen.tick(Duration::from_secs(12));
    screen.happens([disconnected()]);
    let seen = screen.seen();
    assert!(seen.contains("12.0 s") && seen.contains("in flight (oldest 12 s)"), "{seen}");
    assert!(seen.contains(&slow.event) && seen.contains("reconnecting, attempt 1"), "{seen}");
    assert!(!seen.contains("failed") && !seen.contains("---"), "{seen}");
    screen.types("f");
    assert!(!screen.seen().contains(&slow.event));
    screen.types("f");
    screen.happens([done(slow)]);
    assert_eq!((screen.tally.ok, screen.tally.failed), (1, 0));
    assert_eq!(screen.history.len(), 1);
}

#[test]
fn two_targets_are_two_requests_and_what_is_given_back_is_none() {
    let mut screen = listening();
    let one = delivery(1, "order.filled", FINE);
    let other = Delivery { target: Some("http://localhost:4000/".into()), ..one.clone() };
    screen.happens([began(&one), began(&other), done(other)]);
    assert_eq!((screen.history.len(), screen.history.under_way().0), (2, 1));
    screen.happens([done(Delivery { outcome: Outcome::Cancelled, ..one })]);
    assert_eq!((screen.history.len(), screen.history.under_way().0), (1, 0));
    assert_eq!(screen.tally.events(), 1);
}

#[test]
fn one_line_on_the_drop_and_one_on_the_return() {
    let mut screen = listening();
    screen.take_lines();
    screen.happens([disconnected(), disconnected(), disconnected()]);
    screen.tick(Duration::from_secs(12));
    assert!(footer(&screen).contains("reconnecting, attempt 3, 12 s"));
    let resumed = Record::Resumed { offline_ms: 41_200, waiting: 1, transport: "sse".into() };
    screen.happens([told(resumed)]);
    let lines: Vec<_> = screen.take_lines().iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "! disconnected (connection reset) — retry in 0.4s",
            "✓ back after 41s; 1 event was waiting"
        ]
    );
    assert!(footer(&screen).contains("● connected"));
}

#[test]
fn the_secret_is_seen_for_ten_seconds_and_leaves_nothing_behind() {
    let (mut screen, mut terminal) = (listening(), vt100::Parser::new(24, 100, 1_000));
    screen.types("s");
    scrolled(&mut screen, &mut terminal);
    assert!(terminal.screen().contents().contains(SECRET));
    screen.tick(Duration::from_millis(9_900));
    assert!(footer(&screen).contains(SECRET));
    screen.tick(Duration::from_secs(10));
    screen.deliver((1..60).map(|number| delivery(number, "order.filled", FINE)));
    scrolled(&mut screen, &mut terminal);
    terminal.screen_mut().set_scrollback(1_000);
    assert!(!terminal.screen().contents().contains(SECRET));
    screen.types("ss");
    assert!(!footer(&screen).contains(SECRET), "and hidden at once when asked for");
}

#[test]
fn a_notice_stays_six_seconds_and_a_hint_is_kept() {
    let mut screen = listening();
    screen.take_lines();
    screen.happens([
        Happening::Hint("answer first, do the work after".into()),
        Happening::Notice("not connected: nothing was replayed".into()),
    ]);
    assert!(footer(&screen).contains("nothing was replayed"));
    screen.tick(Duration::from_secs(6));
    assert!(footer(&screen).contains("q quit"));
    let lines: Vec<_> = screen.take_lines().iter().map(ToString::to_string).collect();
    assert_eq!(lines, ["  hint  answer first, do the work after"]);
}

#[test]
fn only_what_passes_the_filter_scrolls_by() {
    let mut screen = listening();
    screen.take_lines();
    screen.types("/order.* failed");
    screen.press(KeyCode::Enter);
    screen.deliver(first_minutes());
    let lines: Vec<_> = screen.take_lines().iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 3, "two failures, one with a cause: {lines:?}");
    assert!(footer(&screen).contains("/ order.* failed (5 hidden)"), "{}", footer(&screen));
    screen.press(KeyCode::Esc);
    assert!(!screen.history.filter().is_active());
}

#[test]
fn a_body_is_copied_as_it_came_and_as_a_command() {
    let mut screen = listening();
    let mut one = delivery(1, "order.filled", FINE);
    one.request.body = Some(r#"{"a" : "it's", "n":1.50}"#.into());
    one.request.headers = vec![("webhook-id".into(), "evt_1".into())];
    screen.deliver([one.clone()]);
    screen.types("i");
    assert_eq!(screen.types("y"), Some(Act::Copy(one.request.body.clone().unwrap())));
    let command = "curl \\\n  'http://localhost:3000/webhooks' \\\n  -H 'webhook-id: evt_1' \\\n  \
                   --data-raw '{\"a\" : \"it'\\''s\", \"n\":1.50}'";
    assert_eq!(screen.types("Y"), Some(Act::Copy(command.into())));
    let body = one.request.body.clone().unwrap().into_bytes();
    assert_eq!(screen.types("e"), Some(Act::Edit { delivery: id(1), body }));
    one.request.body = Some("x".repeat(70_000));
    screen.deliver([one]);
    assert_eq!(screen.types("y"), None, "not a body that is not all there");
    assert!(footer(&screen).contains("64 KiB"));
}

#[test]
fn nothing_of_an_old_footer_stays_behind() {
    let (mut screen, mut terminal) = (listening(), vt100::Parser::new(24, 120, 0));
    scrolled(&mut screen, &mut terminal);
    screen.print(b"somebody else prints\n");
    screen.types("?");
    scrolled(&mut screen, &mut terminal);
    screen.types("?");
    screen.deliver(first_minutes());
    scrolled(&mut screen, &mut terminal);
    let contents = terminal.screen().contents();
    assert_eq!(contents.matches("● connected").count(), 1, "{contents}");
    assert_eq!(contents.matches("q quit").count(), 1, "{contents}");
    assert!(contents.contains("somebody else prints"), "{contents}");
    let (row, column) = terminal.screen().cursor_position();
    assert_eq!((usize::from(row), column), (contents.lines().count() - 2, 0), "{contents}");
}

/// In pieces, as it comes, between lines of ours.
#[test]
fn what_the_app_prints_stands_above_the_footer() {
    let (mut screen, mut terminal) = (listening(), vt100::Parser::new(24, 100, 0));
    let long = "0123456789".repeat(25);
    let coloured = format!("\x1b[31mlong\x1b[0m {long}\n");
    for (bytes, unfinished) in [
        ("plain\n\x1b[2J\x1b[Hno", "no"),
        (" mischief\n", ""),
        (&*coloured, ""),
        ("10%", "10%"),
        ("\r90%\r", "90%"),
        ("100%\n\ttab\nlast wo", "last wo"),
    ] {
        screen.print(bytes.as_bytes());
        scrolled(&mut screen, &mut terminal);
        screen.deliver([delivery(1, "order.filled", FINE)]);
        scrolled(&mut screen, &mut terminal);
        let contents = terminal.screen().contents();
        let below: Vec<_> = contents.lines().rev().take(3).collect();
        assert!(below[0].contains("q quit") && below[1].contains("● connected"), "{contents}");
        match unfinished {
            "" => assert!(below[2].contains("order.filled"), "{contents}"),
            _ => assert_eq!(below[2], unfinished, "{contents}"),
        }
    }
    screen.print(b"rds");
    screen.finish_printing();
    scrolled(&mut screen, &mut terminal);
    let contents = terminal.screen().contents();
    let lines: Vec<_> = contents.lines().filter(|line| !line.contains("order.filled")).collect();
    let long = format!("long {long}");
    let seen = ["plain", "no mischief", &long, "100%", "        tab", "last words"];
    assert_eq!((&lines[..6], lines.len()), (&seen[..], 8), "and the footer: {contents}");
}

#[test]
fn an_app_that_never_stops_printing_is_kept_as_far_as_there_is_room() {
    let mut screen = listening();
    screen.types("i");
    (0..5_000).for_each(|number| screen.print(format!("{number}\n").as_bytes()));
    assert!(screen.is_behind() && !screen.seen().contains("4999"), "{}", screen.seen());
    let lines: Vec<_> = screen.take_lines().iter().map(ToString::to_string).collect();
    assert_eq!((lines.len(), &*lines[1], &*lines[1_000]), (1_001, "4000", "4999"));
    assert_eq!(lines[0], "… 4000 lines went by too fast to be shown");
}

#[test]
fn a_detail_is_what_its_keys_are_about_whatever_the_filter_hides() {
    let mut screen = listening();
    screen.types("/order.*");
    screen.press(KeyCode::Enter);
    screen.deliver([delivery(1, "order.filled", FINE), delivery(2, "kyc.decided", FINE)]);
    screen.press(KeyCode::Enter);
    assert!(screen.seen().contains("kyc.decided"), "{}", screen.seen());
    assert_eq!(screen.types("r"), wish(Wish::Replay { delivery: id(2) }));
    screen.types("q");
    assert!(!screen.full && screen.detail.is_none(), "back to the lines");
    screen.press(KeyCode::Enter);
    screen.types("c");
    assert!(!screen.full && screen.detail.is_none(), "nothing is left to be shown");
}

#[test]
fn the_full_screen_has_colours_only_if_they_are_wanted() {
    let mut screen = listening();
    screen.deliver(first_minutes());
    let colours = |screen: &Screen| {
        let mut terminal = Terminal::new(TestBackend::new(100, 24)).unwrap();
        terminal.draw(|frame| screen.draw(frame)).unwrap();
        let cells = terminal.backend().buffer().content.iter();
        cells.filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset).count()
    };
    assert_eq!(colours(&screen), 0);
    screen.options.colour = true;
    assert!(colours(&screen) > 0);
}

#[test]
fn without_colour_there_is_no_escape_and_with_it_the_same_text() {
    let mut columns = Columns::new(true, Some(Duration::from_secs(30)), jiff::tz::TimeZone::UTC);
    for delivery in first_minutes() {
        columns.widen(&delivery.event_type);
        let line = delivery.row().line(&columns);
        let plain = ansi(&line, false);
        assert!(!plain.contains('\x1b'), "{plain}");
        let mut terminal = vt100::Parser::new(2, 200, 0);
        terminal.process(ansi(&line, true).as_bytes());
        assert_eq!(terminal.screen().contents().trim_end(), plain.trim_end());
    }
}

#[test]
fn the_summary_counts_and_has_the_median() {
    let mut screen = listening();
    screen.deliver(first_minutes());
    assert_eq!(screen.tally.to_string(), "7 events, 2 ok, 5 failed, median 27 ms");
    assert_eq!(listening().tally.to_string(), "0 events, 0 ok, 0 failed");
}

#[test]
fn what_strangers_wrote_moves_nothing() {
    let evil = "\x1b[2J\u{202e}evil\r";
    let mut screen = listening();
    let mut one = delivery(1, evil, Answer::Status(500, evil));
    one.request.headers = vec![(evil.into(), evil.into())];
    (one.event, one.at, one.target) = (evil.into(), evil.into(), Some(evil.into()));
    screen.deliver([one.clone(), one]);
    for line in screen.take_lines() {
        let text = line.to_string();
        assert!(!text.contains(char::is_control) && !text.contains('\u{202e}'), "{text:?}");
    }
    screen.press(KeyCode::Enter);
    for _ in 0..4 {
        let seen = screen.seen();
        assert!(!seen.contains('\x1b') && !seen.contains('\u{202e}'), "{seen}");
        screen.press(KeyCode::Tab);
    }
}
