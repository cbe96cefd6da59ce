//! Between the terminal, the happenings, the app's output and the keys.

use std::io;
use std::time::Duration;

use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_util::StreamExt;
use ratatui_core::layout::Size;
use ratatui_core::text::Line;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::super::output::Output;
use super::super::record::{Happening, Wish};
use super::super::tally::Tally;
use super::Options;
use super::keys::Act;
use super::state::Screen;
use super::suspend::Stops;
use super::terminal::{self, Terminal};
use crate::cli::editor;
use crate::clock::{Clock, SystemClock};

/// As often as it is worth looking.
const FRAME: Duration = Duration::from_millis(33);
/// Of what the app prints, so much is taken in before lines are drawn: fewer than wait for that.
const PIECE: usize = 256;
/// What the app has started may hold on to its output and live on. The app's last words are here
/// once nothing comes for so long,
const QUIET: Duration = Duration::from_millis(300);
/// and nobody waits longer than this.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// So many happenings are taken in before keys are looked at again.
const BATCH: usize = 1_024;

struct Driver {
    screen: Screen,
    terminal: Terminal,
    /// Nothing once they cannot be read any more.
    keys: Option<EventStream>,
    stops: Stops,
    happenings: UnboundedReceiver<Happening>,
    wishes: UnboundedSender<Wish>,
    output: Option<Output>,
    clock: SystemClock,
    /// Whether there is something to draw.
    changed: bool,
}

pub(super) async fn drive(
    happenings: UnboundedReceiver<Happening>,
    wishes: UnboundedSender<Wish>,
    output: Option<Output>,
    options: Options,
) -> io::Result<Tally> {
    let mut driver = Driver {
        screen: Screen::new(options, Terminal::size()),
        terminal: Terminal::open()?,
        keys: Some(EventStream::new()),
        stops: Stops::new()?,
        happenings,
        wishes,
        output,
        clock: SystemClock::new(),
        changed: true,
    };
    driver.run().await?;
    driver.last_words().await?;
    driver.end()
}

impl Driver {
    async fn run(&mut self) -> io::Result<()> {
        let mut frames = frames();
        let mut batch = Vec::new();
        loop {
            let due = self.changed || self.screen.moves();
            tokio::select! {
                biased;
                key = pressed(&mut self.keys) => self.event(key).await?,
                _ = frames.tick(), if due => self.draw()?,
                () = self.stops.went_on() => self.take_again()?,
                count = self.happenings.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return Ok(());
                    }
                    // An app has printed before it answers. So neither holds up the other, too.
                    if let Some(bytes) = self.output.as_mut().and_then(Output::ready) {
                        self.print(&bytes)?;
                    }
                    self.screen.tick(self.clock.monotonic());
                    batch.drain(..).for_each(|happening| self.screen.apply(happening));
                    self.changed = true;
                }
                bytes = printed(&mut self.output) => self.print(&bytes)?,
            }
        }
    }

    /// No faster than the terminal takes it, unless it is out of sight: then old lines give way.
    fn print(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(PIECE) {
            if self.screen.is_behind() && !self.screen.full {
                self.draw()?;
            }
            self.screen.print(piece);
        }
        self.changed = true;
        Ok(())
    }

    /// What the app has printed before it ended.
    async fn last_words(&mut self) -> io::Result<()> {
        let Some(mut output) = self.output.take() else { return Ok(()) };
        let rest = async {
            while let Ok(Some(bytes)) = timeout(QUIET, output.next()).await {
                self.print(&bytes)?;
            }
            Ok(())
        };
        timeout(LAST_WORDS, rest).await.unwrap_or(Ok(()))
    }

    fn draw(&mut self) -> io::Result<()> {
        self.screen.tick(self.clock.monotonic());
        self.changed = false;
        self.terminal.draw(&mut self.screen)
    }

    async fn event(&mut self, event: Option<io::Result<Event>>) -> io::Result<()> {
        self.changed = true;
        match event {
            Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => {
                self.screen.tick(self.clock.monotonic());
                if let Some(act) = self.screen.key(key) {
                    self.act(act).await?;
                }
            }
            Some(Ok(Event::Resize(width, height))) => {
                self.resized(Size::new(width, height));
                self.terminal.forget()?;
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => self.keys = None,
        }
        Ok(())
    }

    async fn act(&mut self, act: Act) -> io::Result<()> {
        match act {
            // Whoever would fulfil it has gone: the end comes by itself.
            Act::Wish(wish) => drop(self.wishes.send(wish)),
            Act::Copy(text) => Terminal::copy(&text)?,
            Act::Clear => self.terminal.clear()?,
            Act::Suspend => {
                self.give_back()?;
                let stopped = self.stops.stop().await;
                self.take_again()?;
                stopped.unwrap_or_else(|error| self.screen.say(&error.to_string()));
            }
            Act::Edit { delivery, body } => self.edit(delivery, &body).await?,
        }
        Ok(())
    }

    async fn edit(&mut self, delivery: String, body: &[u8]) -> io::Result<()> {
        // While the editor runs, what is typed is for the editor.
        self.keys = None;
        self.give_back()?;
        let edited = {
            let mut editing = std::pin::pin!(editor::edited(body));
            loop {
                tokio::select! {
                    edited = &mut editing => break edited,
                    Some(happening) = self.happenings.recv() => self.screen.apply(happening),
                    bytes = printed(&mut self.output) => self.screen.print(&bytes),
                }
            }
        };
        self.keys = Some(EventStream::new());
        self.take_again()?;
        let notice = match edited {
            Ok(edited) if edited == body => "nothing was changed, so nothing is sent".to_owned(),
            Ok(body) => {
                drop(self.wishes.send(Wish::SendEdited { delivery, body }));
                "sending what was edited; the dispatcher is not told".to_owned()
            }
            Err(error) => format!("nothing is sent: {error}"),
        };
        self.screen.say(&notice);
        Ok(())
    }

    /// For somebody else to use the terminal, with all lines so far above.
    fn give_back(&mut self) -> io::Result<()> {
        let full = std::mem::replace(&mut self.screen.full, false);
        let drawn = self.terminal.draw(&mut self.screen);
        self.screen.full = full;
        terminal::restore();
        drawn
    }

    fn take_again(&mut self) -> io::Result<()> {
        // The shell may have set its modes meanwhile.
        terminal::restore();
        self.resized(Terminal::size());
        self.changed = true;
        self.terminal.take()
    }

    fn resized(&mut self, size: Size) {
        self.screen.resized(size);
        if let Some(output) = &self.output {
            output.resized(size);
        }
    }

    /// All lines and the summary stay behind.
    fn end(mut self) -> io::Result<Tally> {
        self.screen.finish_printing();
        let mut lines = self.screen.take_lines();
        lines.push(Line::raw(self.screen.tally.to_string()).into());
        self.terminal.close(&lines, self.screen.options.colour)?;
        Ok(self.screen.tally)
    }
}

fn frames() -> Interval {
    let mut frames = interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    frames
}

/// The next key, if keys can be read.
async fn pressed(keys: &mut Option<EventStream>) -> Option<io::Result<Event>> {
    match keys {
        Some(keys) => keys.next().await,
        None => std::future::pending().await,
    }
}

/// What the app prints next, if it can.
async fn printed(output: &mut Option<Output>) -> Vec<u8> {
    if let Some(open) = output {
        match open.next().await {
            Some(bytes) => return bytes,
            None => *output = None,
        }
    }
    std::future::pending().await
}
