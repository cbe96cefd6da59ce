//! What `listen` shows on a terminal: lines that scroll over two that stay, or the full screen.
//!
//! `state` is all that is known and shown, and knows no terminal: happenings, keys and what the app
//! prints go in, lines and wishes come out. `terminal` owns the real one, `drive` connects both.

mod body;
mod detail;
mod drive;
mod filter;
mod footer;
mod full;
mod history;
mod inline;
mod keys;
mod line;
mod printed;
mod state;
mod suspend;
mod terminal;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal};
use std::time::Duration;

use jiff::tz::TimeZone;
use ratatui_core::layout::Size;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::output::Output;
use super::record::{Happening, Wish};
use super::tally::Tally;

/// What the screen has to know beforehand.
pub(in crate::cli) struct Options {
    pub(in crate::cli) listener: String,
    pub(in crate::cli) livemode: bool,
    /// Shown for a while when asked for.
    pub(in crate::cli) secret: String,
    /// When an answer comes too late, if ever.
    pub(in crate::cli) timeout: Option<Duration>,
    /// Where times of day are told.
    pub(in crate::cli) zone: TimeZone,
    pub(in crate::cli) colour: bool,
    /// Begin with the full screen.
    pub(in crate::cli) full: bool,
}

/// Whether there is a terminal to draw on, and one to read keys from.
pub(in crate::cli) fn is_possible() -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !dumb && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// How large it is.
pub(in crate::cli) fn size() -> Size {
    terminal::Terminal::size()
}

/// Shows what happens and what the app prints, and reads keys, until nobody tells anything any
/// more. Leaves the terminal as it was, with the lines and the summary in its scrollback.
///
/// A terminal may be slow to take what is written, so this runs on a thread of its own.
pub(in crate::cli) async fn run(
    happenings: UnboundedReceiver<Happening>,
    wishes: UnboundedSender<Wish>,
    output: Option<Output>,
    options: Options,
) -> io::Result<Tally> {
    let runtime = tokio::runtime::Handle::current();
    let drive = move || runtime.block_on(drive::drive(happenings, wishes, output, options));
    tokio::task::spawn_blocking(drive).await.map_err(io::Error::other)?
}
