//! What the app prints while a screen has the terminal. On Unix it gets a terminal of its own, so
//! that it prints in lines and in colours as it would on ours; elsewhere, or if there is none to be
//! had, a pipe.

use std::io::{self, ErrorKind, Read};
use std::process::Stdio;
use std::thread;

use ratatui_core::layout::Size;
use tokio::sync::mpsc;

/// So much is read at once,
const CHUNK: usize = 4 * 1024;
/// and so many may be ahead of the screen. Whoever prints more has to wait.
const AHEAD: usize = 16;

/// Our end.
#[derive(Debug)]
pub(super) struct Output {
    chunks: mpsc::Receiver<Vec<u8>>,
    terminal: Option<terminal::Terminal>,
}

impl Output {
    /// With the app's ends: its stdout and its stderr.
    pub(super) fn open(size: Size) -> io::Result<(Self, [Stdio; 2])> {
        if let Ok((terminal, reader, ends)) = terminal::open() {
            let output = Self { terminal: Some(terminal), chunks: chunks(reader) };
            output.resized(size);
            return Ok((output, ends));
        }
        let (reader, writer) = io::pipe()?;
        let ends = [writer.try_clone()?.into(), writer.into()];
        Ok((Self { terminal: None, chunks: chunks(reader) }, ends))
    }

    /// What was printed next; nothing, again and again, once all who could print have ended.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        self.chunks.recv().await
    }

    /// What is here already.
    pub(super) fn ready(&mut self) -> Option<Vec<u8>> {
        self.chunks.try_recv().ok()
    }

    /// The app's lines are as wide as ours.
    pub(super) fn resized(&self, size: Size) {
        if let Some(terminal) = &self.terminal {
            terminal.resized(size);
        }
    }
}

/// Read by a thread of its own, which ends when nobody can print any more.
fn chunks(mut reader: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, chunks) = mpsc::channel(AHEAD);
    thread::spawn(move || {
        let mut buffer = [0; CHUNK];
        loop {
            match reader.read(&mut buffer) {
                Ok(count @ 1..) => {
                    // Read on when the screen is gone: no app has to fail for that.
                    let _ = sender.blocking_send(buffer[..count].to_vec());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Of a terminal, the end is an error on Linux.
                Ok(0) | Err(_) => break,
            }
        }
    });
    chunks
}

/// Where rustix can name the app's end of one.
#[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))]
mod terminal {
    use std::ffi::OsStr;
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::OpenOptionsExt;
    use std::process::Stdio;

    use ratatui_core::layout::Size;
    use rustix::io::{FdFlags, fcntl_setfd};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{Winsize, tcsetwinsize};

    #[derive(Debug)]
    pub(super) struct Terminal(File);

    /// Nobody's controlling terminal: signals and keys of the app stay as they are.
    pub(super) fn open() -> io::Result<(Terminal, File, [Stdio; 2])> {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        fcntl_setfd(&ours, FdFlags::CLOEXEC)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let name = ptsname(&ours, Vec::new())?;
        let flags = OpenptFlags::NOCTTY.bits().cast_signed();
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(flags);
        let theirs = options.open(OsStr::from_bytes(name.as_bytes()))?;
        let (ours, ends) = (File::from(ours), [theirs.try_clone()?.into(), theirs.into()]);
        Ok((Terminal(ours.try_clone()?), ours, ends))
    }

    impl Terminal {
        pub(super) fn resized(&self, size: Size) {
            let (ws_row, ws_col) = (size.height, size.width);
            let size = Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 };
            // Then its lines have another width.
            let _ = tcsetwinsize(&self.0, size);
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "freebsd")))]
mod terminal {
    use std::convert::Infallible;
    use std::io::{self, Empty, ErrorKind};
    use std::process::Stdio;

    use ratatui_core::layout::Size;

    #[derive(Debug)]
    pub(super) struct Terminal(Infallible);

    pub(super) fn open() -> io::Result<(Terminal, Empty, [Stdio; 2])> {
        Err(ErrorKind::Unsupported.into())
    }

    impl Terminal {
        pub(super) fn resized(&self, _: Size) {
            match self.0 {}
        }
    }
}
