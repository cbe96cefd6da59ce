//! Whatever happens and whatever is pressed, the screen stays whole.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui_core::layout::Size;

use super::script::*;
use crate::cli::listen::record::{Delivery, Happening, Outcome, Record};
use crate::cli::listen::screen::history::MOST_ENTRIES;
use crate::cli::listen::screen::state::Screen;

#[derive(Debug, Clone)]
enum Step {
    Happens(Happening),
    Prints(Vec<u8>),
    Press(KeyEvent),
    Resize(u16, u16),
    Later(u64),
    Look,
}

fn happening() -> impl Strategy<Value = Happening> {
    let types = prop::sample::select(vec!["order.filled", "order.accepted", "kyc.decided"]);
    let answers = prop::sample::select(vec![
        FINE,
        Answer::Status(500, "no\u{1b}[2Jway\n日本"),
        Answer::Failed(Outcome::Timeout, 30_000, "time-out"),
        Answer::Failed(Outcome::Cancelled, 0, ""),
    ]);
    (0_u32..40, types, answers, 1_u32..3, 0..8).prop_map(|(number, name, answer, attempt, kind)| {
        let delivery = Delivery { attempt, ..delivery(number, name, answer) };
        match kind {
            0..3 => began(&delivery),
            3..6 => done(delivery),
            6 => disconnected(),
            _ => told(Record::Resumed { offline_ms: 9, waiting: 1, transport: "sse".into() }),
        }
    })
}

fn prints() -> impl Strategy<Value = Vec<u8>> {
    let pieces =
        prop::sample::select(vec!["\x1b[", "31m", "\r", "\n", "日", "\x1b]", "\u{9b}", "a"]);
    let pieces = prop::collection::vec(pieces, 0..20).prop_map(|pieces| pieces.concat().into());
    prop_oneof![pieces, prop::collection::vec(any::<u8>(), 0..40)]
}

/// Nothing but colours, which end with the line.
fn is_harmless(line: &str) -> bool {
    let mut pieces = line.split("\x1b[");
    let is_text = |text: &str| !text.contains(|letter: char| letter.is_control() && letter != '\t');
    let is_first_text = pieces.next().is_none_or(is_text);
    is_first_text
        && pieces.all(|piece| {
            let (colour, text) = piece.split_once('m').unwrap_or(("?", piece));
            colour.chars().all(|one| one.is_ascii_digit() || ";:".contains(one)) && is_text(text)
        })
        && (!line.contains('\x1b') || line.ends_with("\x1b[0m"))
}

fn key() -> impl Strategy<Value = KeyEvent> {
    let letters = "rRxyYedpqscif/?jkgG5*\u{1F600}".chars().map(KeyCode::Char);
    let others = [
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::BackTab,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Backspace,
        KeyCode::F(1),
    ];
    let codes: Vec<_> = letters.chain(others).collect();
    let plain =
        prop::sample::select(codes).prop_map(|code| KeyEvent::new(code, KeyModifiers::NONE));
    let control = prop::sample::select(vec!['c', 'z', 'w'])
        .prop_map(|letter| KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL));
    prop_oneof![12 => plain, 1 => control]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => happening().prop_map(Step::Happens),
        4 => prints().prop_map(Step::Prints),
        8 => key().prop_map(Step::Press),
        1 => (1_u16..140, 1_u16..40).prop_map(|(width, height)| Step::Resize(width, height)),
        1 => (0_u64..20_000).prop_map(Step::Later),
        3 => Just(Step::Look),
    ]
}

/// What holds after every step.
fn hold(screen: &Screen) {
    assert!(screen.history.len() <= MOST_ENTRIES);
    let shown = screen.history.shown();
    assert!(shown.is_sorted_by_key(|entry| entry.number));
    if let Some(selected) = screen.selected {
        assert!(shown.iter().any(|entry| entry.number == selected), "{selected} is not shown");
    }
    if let Some(detail) = &screen.detail {
        assert!(screen.history.get(detail.number).is_some());
        assert!(detail.scroll <= detail.lines.len());
    }
}

fn look(screen: &mut Screen) {
    let width = usize::from(screen.size.width);
    for line in screen.below(width) {
        assert!(line.width() <= width, "{line}");
    }
    if screen.full {
        screen.seen();
    } else {
        for line in screen.take_lines() {
            assert!(is_harmless(&line.to_string()), "{line:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_screen_stays_whole(steps in prop::collection::vec(step(), 0..120)) {
        let (mut screen, mut now) = (screen(80, 24), Duration::ZERO);
        for step in steps {
            match step {
                Step::Happens(happening) => screen.apply(happening),
                Step::Prints(bytes) => screen.print(&bytes),
                Step::Press(key) => drop(screen.key(key)),
                Step::Resize(width, height) => screen.resized(Size::new(width, height)),
                Step::Later(millis) => {
                    now += Duration::from_millis(millis);
                    screen.tick(now);
                }
                Step::Look => look(&mut screen),
            }
            hold(&screen);
        }
        look(&mut screen);
    }
}

#[test]
fn what_is_kept_has_an_end() {
    let mut screen = screen(80, 24);
    let stuck = delivery(0, "order.filled", FINE);
    screen.happens([began(&stuck)]);
    let long = "x".repeat(200_000);
    for number in 1..3_000 {
        let mut one = delivery(number, "order.filled", Answer::Status(200, &long));
        one.request.body = Some(if number % 2 == 0 { "é".repeat(90_000) } else { String::new() });
        screen.deliver([one]);
    }
    hold(&screen);
    assert_eq!(screen.history.len(), MOST_ENTRIES);
    assert_eq!(screen.history.under_way().0, 1, "what is in flight stays");
    for done in screen.history.all().filter_map(|entry| entry.done()) {
        for message in [Some(&done.request), done.response.as_ref()].into_iter().flatten() {
            assert!(message.body.as_ref().unwrap().len() <= 64 * 1024);
        }
    }
    let lines = screen.take_lines();
    assert_eq!(lines.len(), 1_001);
    assert_eq!(lines[0].to_string(), "… 1999 lines went by too fast to be shown");
    screen.happens([done(stuck)]);
    assert_eq!(screen.history.under_way().0, 0);
}
