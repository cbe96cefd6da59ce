//! What the app prints, in lines: text, tabs and colours stay, and the last version of a line that
//! is written over. All else that a terminal would obey is left out, because the screen is ours.

use std::mem;

use super::line::Scrolled;
use crate::cli::print::visible;
use crate::cli::show::words::harmless;

/// A line is broken after so many bytes.
const LONGEST: usize = 16 * 1024;
/// More than any colour needs.
const MOST_PARAMETERS: usize = 64;
const ESCAPE: u8 = 0x1b;

#[derive(Debug, Default)]
pub(super) struct Printed {
    line: Vec<u8>,
    /// Whether the next letter stands at the beginning of the line again.
    returned: bool,
    place: Place,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Text,
    Escape,
    /// In `ESC [`, behind these parameters.
    Control(Vec<u8>),
    /// In a text for the terminal: a title, an answer.
    Words,
}

impl Printed {
    /// Takes in one more; gives the line that has ended with it or, if it was long, before it.
    pub(super) fn push(&mut self, byte: u8) -> Option<Scrolled> {
        // Whatever has not ended yet ends with the line.
        if byte == b'\n' {
            self.place = Place::Text;
            return Some(self.end());
        }
        match (mem::take(&mut self.place), byte) {
            (_, ESCAPE) => self.place = Place::Escape,
            (Place::Text, b'\r') => self.returned = true,
            (Place::Text, b'\t' | b' '..=b'~' | 0x80..) => return self.put(&[byte]),
            (Place::Escape, b'[') => self.place = Place::Control(Vec::new()),
            (Place::Escape, b']' | b'P' | b'X' | b'^' | b'_') => self.place = Place::Words,
            (Place::Escape, b' '..=b'/') => self.place = Place::Escape,
            (Place::Control(mut parameters), b' '..=b'?') => {
                if parameters.len() <= MOST_PARAMETERS {
                    parameters.push(byte);
                }
                self.place = Place::Control(parameters);
            }
            (Place::Control(parameters), b'@'..=b'~') => return self.control(&parameters, byte),
            // These end it, as does an escape.
            (Place::Words, byte) if !matches!(byte, 0x07 | 0x18 | 0x1a) => {
                self.place = Place::Words;
            }
            _ => {}
        }
        None
    }

    /// What stands before the end of the line, without colours. It may be all there will ever be,
    /// such as a question, or be written over soon.
    pub(super) fn unfinished(&self) -> Option<String> {
        let text = harmless(&visible(&text(&self.line)).replace('\t', "    "));
        (!text.is_empty()).then_some(text)
    }

    /// There will be no more.
    pub(super) fn finish(&mut self) -> Option<Scrolled> {
        (!self.line.is_empty()).then(|| self.end())
    }

    fn control(&mut self, parameters: &[u8], last: u8) -> Option<Scrolled> {
        let is_colour = |byte: &u8| matches!(byte, b'0'..=b'9' | b';' | b':');
        match (last, parameters) {
            (b'm', colour) if colour.len() <= MOST_PARAMETERS && colour.iter().all(is_colour) => {
                return self.put(&[b"\x1b[", colour, b"m"].concat());
            }
            // To the first column, and erasing the line: so spinners turn.
            (b'G', b"" | b"0" | b"1") => self.returned = true,
            (b'K', b"2") => self.line.clear(),
            (b'K', b"" | b"0") if self.returned => self.line.clear(),
            _ => {}
        }
        None
    }

    fn put(&mut self, bytes: &[u8]) -> Option<Scrolled> {
        if mem::take(&mut self.returned) {
            self.line.clear();
        }
        // Not inside a letter, which has at most four bytes.
        let is_inside = bytes[0] & 0xc0 == 0x80 && self.line.len() < LONGEST + 4;
        let is_full = self.line.len() + bytes.len() > LONGEST && !is_inside;
        let line = is_full.then(|| self.end());
        self.line.extend_from_slice(bytes);
        line
    }

    fn end(&mut self) -> Scrolled {
        self.returned = false;
        let mut text = text(&mem::take(&mut self.line));
        if text.contains('\x1b') {
            // No colour of the app is one of ours.
            text.push_str("\x1b[0m");
        }
        Scrolled::Printed(text)
    }
}

/// Without the controls that only show now, when bytes have become letters.
fn text(line: &[u8]) -> String {
    let letters = String::from_utf8_lossy(line);
    letters.chars().filter(|letter| !matches!(letter, '\u{80}'..='\u{9f}')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut printed = Printed::default();
        let mut lines: Vec<_> = bytes.iter().filter_map(|byte| printed.push(*byte)).collect();
        lines.extend(printed.finish());
        lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn text_and_colours_stay_and_nothing_else() {
        let long = "1;".repeat(40);
        for (bytes, seen) in [
            ("one\ntwo\r\n\nthree", &["one", "two", "", "three"][..]),
            ("a\tb ü 日本 👩‍💻\n", &["a\tb ü 日本 👩‍💻"]),
            ("\x1b[1;31mred\nplain\n", &["\x1b[1;31mred\x1b[0m", "plain"]),
            ("\x1b[38:5:9mnine\x1b[m\n", &["\x1b[38:5:9mnine\x1b[m\x1b[0m"]),
            ("a\x1b[2J\x1b[3;1H\x1b[5A\x1b[?25l\x1b[>4;1mb\n", &["ab"]),
            ("a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c\x1bP+q\x1b\\d\n", &["abcd"]),
            ("a\x1b(Bb\x1b7c\x1bcd\x07\x08\x0b\x0c\x00\x7fe\n", &["abcde"]),
            ("a\u{9b}2J\u{85}b\n", &["a2Jb"]),
            ("\x1b]0;no end\nb\x1b[3\nc\x1b\nd\x1b[\x18e\n", &["", "b", "c", "de"]),
            ("10%\r50%\r100%\r\ndone\n", &["100%", "done"]),
            ("long one\rshort\n", &["short"]),
            ("⠋ a\x1b[2K\x1b[1G⠙ b\x1b[1G\x1b[0K✓ c\n", &["✓ c"]),
            ("gone\r\x1b[K", &[]),
            ("stays\r\x1b[3C\n", &["stays"]),
            (&format!("\x1b[{long}mtoo much\n"), &["too much"]),
        ] {
            assert_eq!(lines(bytes.as_bytes()), seen, "{bytes:?}");
        }
        assert_eq!(lines(b"caf\xe9 \xff\n"), ["caf\u{fffd} \u{fffd}"]);
    }

    #[test]
    fn a_line_is_only_so_long() {
        let letters = lines("日".repeat(10_000).as_bytes());
        assert_eq!(letters.concat(), "日".repeat(10_000), "no letter is broken");
        for endless in [&b"x"[..], "日".as_bytes(), b"\x80", b"\x1b[1m"] {
            let lines = lines(&endless.repeat(100_000 / endless.len()));
            let most = lines.iter().map(String::len).max().unwrap_or(0);
            assert!(most <= 3 * (LONGEST + 8) && lines.len() > 5, "{most}");
        }
        assert_eq!(lines(&b"\x1b[".repeat(9)), [] as [&str; 0]);
    }

    #[test]
    fn a_line_is_seen_before_it_ends() {
        let mut printed = Printed::default();
        assert_eq!(printed.unfinished(), None);
        for (bytes, seen) in [
            (&b"\x1b[32m10%\x1b[0m\tof it\xe2"[..], Some("10%    of it\u{fffd}")),
            (b"\r\x1b[K", None),
            (b"go on? ", Some("go on? ")),
            (b"\r", Some("go on? ")),
            (b"\n", None),
        ] {
            bytes.iter().for_each(|byte| drop(printed.push(*byte)));
            assert_eq!(printed.unfinished().as_deref(), seen, "{bytes:?}");
        }
    }
}
