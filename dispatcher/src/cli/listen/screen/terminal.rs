//! The real terminal: taken, drawn on, and given back as it was, whatever happens.

use std::io::{self, Stdout, Write};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicU8, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crossterm::cursor::{Hide, Show};
use crossterm::terminal::{self, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{cursor, execute};
use ratatui_core::layout::Size;
use ratatui_core::text::Line;
use ratatui_crossterm::CrosstermBackend;

use super::inline::{self, ERASE};
use super::line::Scrolled;
use super::state::Screen;

/// What has to be undone, for whoever has to do that: the driver, or a panic.
static TAKEN: AtomicU8 = AtomicU8::new(NOTHING);
const NOTHING: u8 = 0;
const LINES: u8 = 1;
const FULL: u8 = 2;

type Full = ratatui_core::terminal::Terminal<CrosstermBackend<Stdout>>;

fn full() -> io::Result<Full> {
    Full::new(CrosstermBackend::new(io::stdout()))
}

/// Gives the terminal back when it is dropped.
pub(super) struct Terminal {
    full: Full,
    /// The footer that stands there now.
    footer: Vec<Line<'static>>,
}

impl Terminal {
    pub(super) fn open() -> io::Result<Self> {
        restore_on_panic();
        let mut terminal = Self { full: full()?, footer: Vec::new() };
        terminal.take()?;
        Ok(terminal)
    }

    pub(super) fn size() -> Size {
        terminal::size().map_or(Size::new(80, 24), |(width, height)| Size::new(width, height))
    }

    /// Keys come one by one from now on, and are not echoed.
    pub(super) fn take(&mut self) -> io::Result<()> {
        TAKEN.store(LINES, Ordering::SeqCst);
        self.footer.clear();
        terminal::enable_raw_mode()?;
        keep_line_ends()?;
        execute!(io::stdout(), Hide)
    }

    /// Brings on the screen what has changed.
    pub(super) fn draw(&mut self, screen: &mut Screen) -> io::Result<()> {
        if TAKEN.load(Ordering::SeqCst) == NOTHING {
            // A panic somewhere else gave it back.
            self.take()?;
        }
        let is_full = TAKEN.load(Ordering::SeqCst) == FULL;
        if screen.full && !is_full {
            execute!(io::stdout(), EnterAlternateScreen)?;
            TAKEN.store(FULL, Ordering::SeqCst);
            self.forget()?;
        } else if !screen.full && is_full {
            execute!(io::stdout(), LeaveAlternateScreen)?;
            TAKEN.store(LINES, Ordering::SeqCst);
            self.footer.clear();
        }
        if screen.full {
            self.full.draw(|frame| screen.draw(frame))?;
            return Ok(());
        }
        let width = usize::from(screen.size.width);
        let footer = screen.below(width);
        let lines = screen.take_lines();
        if lines.is_empty() && footer == self.footer {
            return Ok(());
        }
        write(&inline::paint(&lines, &footer, width, screen.options.colour))?;
        self.footer = footer;
        Ok(())
    }

    /// Everything that is visible is drawn anew the next time.
    pub(super) fn forget(&mut self) -> io::Result<()> {
        self.footer.clear();
        if TAKEN.load(Ordering::SeqCst) == FULL {
            // Its own `clear` asks the terminal where the cursor is, and the answer would go to
            // whoever reads the keys.
            self.full = full()?;
            execute!(io::stdout(), Clear(ClearType::All))?;
        }
        Ok(())
    }

    /// An empty screen. What is in the scrollback stays there.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        if TAKEN.load(Ordering::SeqCst) == LINES {
            execute!(io::stdout(), Clear(ClearType::All), cursor::MoveTo(0, 0))?;
        }
        self.forget()
    }

    /// To the clipboard of whoever looks at the terminal, also from afar (OSC 52).
    pub(super) fn copy(text: &str) -> io::Result<()> {
        write(&format!("\x1b]52;c;{}\x07", BASE64_STANDARD.encode(text)))
    }

    /// Leaves these lines behind, and the terminal as it was.
    pub(super) fn close(self, lines: &[Scrolled], colour: bool) -> io::Result<()> {
        restore();
        let width = Self::size().width.into();
        let lines: String = lines.iter().map(|line| inline::line(line, width, colour)).collect();
        write(&lines)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, without a footer. Nothing happens the second time.
pub(super) fn restore() {
    let taken = TAKEN.swap(NOTHING, Ordering::SeqCst);
    if taken == NOTHING {
        return;
    }
    // There is nobody left to tell, should any of this fail.
    if taken == FULL {
        let _ = execute!(io::stdout(), LeaveAlternateScreen);
    }
    let _ = write(ERASE);
    let _ = execute!(io::stdout(), Show);
    let _ = terminal::disable_raw_mode();
}

/// What a panic says has to be seen.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            restore();
            tell(panic);
        }));
    });
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// In raw mode a line end only goes down. A panic prints here too, so it goes to the beginning of
/// the line as well.
#[cfg(unix)]
fn keep_line_ends() -> io::Result<()> {
    use rustix::termios::{OptionalActions, OutputModes, tcgetattr, tcsetattr};

    let stdout = io::stdout();
    let mut modes = tcgetattr(&stdout)?;
    modes.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
    tcsetattr(&stdout, OptionalActions::Now, &modes)?;
    Ok(())
}

#[cfg(not(unix))]
fn keep_line_ends() -> io::Result<()> {
    Ok(())
}
