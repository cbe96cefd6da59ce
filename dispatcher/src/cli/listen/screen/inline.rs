//! Lines that scroll by over a footer that stays, in the normal scrollback of the terminal.
//!
//! Between two writes the cursor stands at the beginning of the footer. So each write erases from
//! there on, and does not need to know how the terminal has moved things meanwhile. Nobody else
//! prints there: what the app prints comes through here too. Our lines are broken between words, so
//! what is copied is whole; the app's stay as they are.

use ratatui_core::text::Line;

use super::line::Scrolled;
use crate::cli::line::ansi;
use crate::cli::print::fitted;

/// Everything in this write appears at once, where the terminal can do that.
const TOGETHER: [&str; 2] = ["\x1b[?2026h", "\x1b[?2026l"];
/// From the beginning of this line to the end of the screen.
pub(super) const ERASE: &str = "\r\x1b[J";

/// A line that stays.
pub(super) fn line(line: &Scrolled, width: usize, colour: bool) -> String {
    match line {
        Scrolled::Told(line) => {
            format!("{}\r\n", fitted(&ansi(line, colour), width).replace('\n', "\r\n"))
        }
        Scrolled::Printed(text) => format!("{text}\r\n"),
    }
}

/// The bytes that put lines above the footer, and the footer where it is to be.
pub(super) fn paint(lines: &[Scrolled], footer: &[Line<'_>], width: usize, colour: bool) -> String {
    let mut text = format!("{}{ERASE}", TOGETHER[0]);
    text.extend(lines.iter().map(|one| line(one, width, colour)));
    let footer: Vec<_> = footer.iter().map(|line| ansi(line, colour)).collect();
    text.push_str(&footer.join("\r\n"));
    text.push('\r');
    if footer.len() > 1 {
        text.push_str(&format!("\x1b[{}A", footer.len() - 1));
    }
    text.push_str(TOGETHER[1]);
    text
}
