//! Words for a terminal: times, lines that fit, and what strangers wrote made harmless.

use std::fmt::Write;
use std::time::Duration;

use bluum_hooks_shared::time::Timestamp;

/// Columns of the narrowest terminal that is written for.
const COLUMNS: usize = 80;

/// A duration in its two largest units, rounded down: `42 ms`, `4 min 12 s`, `2 h`.
pub(super) fn took(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let seconds = duration.as_secs();
    let Some(largest) = UNITS.iter().position(|(unit, _)| seconds >= *unit) else {
        return format!("{} ms", duration.as_millis());
    };
    let (unit, name) = UNITS[largest];
    let mut text = format!("{} {name}", seconds / unit);
    if let Some((smaller, name)) = UNITS.get(largest + 1)
        && seconds % unit >= *smaller
    {
        let _ = write!(text, " {} {name}", seconds % unit / smaller);
    }
    text
}

/// A time, and how far from now it is.
pub(super) fn when(at: Timestamp, now: Timestamp) -> String {
    if at > now {
        format!("{at} (in {})", took(at.since(now)))
    } else {
        format!("{at} ({} ago)", took(now.since(at)))
    }
}

/// Text that cannot move a cursor, change a colour or turn its own direction.
pub(in crate::cli) fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        let turns = matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if letter.is_control() || turns {
            let _ = write!(safe, "\\u{:04x}", u32::from(letter));
        } else {
            safe.push(letter);
        }
    }
    safe
}

/// The first line that says something, no longer than fits on a line.
pub(in crate::cli) fn first_line(text: &str) -> Option<String> {
    const LONGEST: usize = 60;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let mut letters = line.chars();
    let start: String = letters.by_ref().take(LONGEST).collect();
    let more = if letters.next().is_some() { "…" } else { "" };
    Some(format!("\"{}{more}\"", harmless(&start)))
}

/// A paragraph under a label, broken between words, but not between a number and what it counts. A
/// word too long for a line stays whole: it is an id, a URL or a command, to be copied.
pub(super) fn paragraph(label: &str, text: &str) -> String {
    let indent = label.chars().count();
    let (mut lines, mut column) = (label.to_owned(), indent);
    let mut words = text.split(' ');
    while let Some(word) = words.next() {
        let mut word = word.to_owned();
        while word.ends_with(|letter: char| letter.is_ascii_digit())
            && let Some(unit) = words.next()
        {
            word = format!("{word} {unit}");
        }
        let width = word.chars().count();
        if column > indent && column + 1 + width > COLUMNS {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            column = indent;
        } else if column > indent {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(&word);
        column += width;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        for (millis, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (59_999, "59 s"),
            (252_000, "4 min 12 s"),
            (7_200_000, "2 h"),
            (7_259_000, "2 h"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(took(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn what_strangers_wrote_moves_nothing() {
        assert_eq!(harmless("a\x1b[2J\u{9b}b\u{202e}c\r"), r"a\u001b[2J\u009bb\u202ec\u000d");
        assert_eq!(harmless("Zażółć 日本 \"x\""), "Zażółć 日本 \"x\"");
        assert_eq!(first_line(" \n\t<h1>\x07\nmore"), Some(r#""<h1>\u0007""#.into()));
        assert_eq!(first_line(&"é".repeat(99)), Some(format!("\"{}…\"", "é".repeat(60))));
        assert_eq!(first_line("\n \n"), None);
    }

    #[test]
    fn paragraphs_fit_and_break_no_word() {
        let text = paragraph("  why   ", &format!("{} {}", "word ".repeat(30), "x".repeat(90)));
        let mut lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.pop(), Some(&*format!("        {}", "x".repeat(90))));
        assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS), "{text}");
        assert!(lines[1].starts_with("        word "), "{text}");
        let counted = paragraph("", &format!("{} 30 s)", "x".repeat(76)));
        assert!(counted.ends_with("\n30 s)"), "{counted}");
    }
}
