//! A product that flows: many lines a second, written by a thread of their own, so that a reader
//! who stops for a while stops nobody else.

use std::io::Write;
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Lines wait for each other up to this many bytes.
const BLOCK: usize = 64 * 1024;
/// So many blocks may be ahead of the reader.
const AHEAD: usize = 16;

/// Lines on their way to a file or to a reader.
#[derive(Debug)]
pub(in crate::cli) struct Flow {
    buffer: Vec<u8>,
    blocks: mpsc::Sender<Vec<u8>>,
    broken: CancellationToken,
    ended: oneshot::Receiver<()>,
}

/// Nobody reads any more, or nothing can be written.
#[derive(Debug)]
pub(in crate::cli) struct Broken;

impl Flow {
    pub(in crate::cli) fn stdout() -> Self {
        Self::into(std::io::stdout())
    }

    pub(in crate::cli) fn into(mut sink: impl Write + Send + 'static) -> Self {
        let (blocks, mut receiver) = mpsc::channel::<Vec<u8>>(AHEAD);
        let (end, ended) = oneshot::channel();
        let broken = CancellationToken::new();
        let breaks = broken.clone();
        thread::spawn(move || {
            while let Some(block) = receiver.blocking_recv() {
                if sink.write_all(&block).and_then(|()| sink.flush()).is_err() {
                    breaks.cancel();
                    break;
                }
            }
            drop(receiver);
            let _ = end.send(());
        });
        Self { buffer: Vec::new(), blocks, broken, ended }
    }

    /// Set once nobody reads any more, or nothing can be written.
    pub(in crate::cli) fn broken(&self) -> CancellationToken {
        self.broken.clone()
    }

    /// Adds a line, without waiting for anything.
    pub(in crate::cli) fn line(&mut self, line: &str) {
        self.buffer.extend_from_slice(line.as_bytes());
        self.buffer.push(b'\n');
    }

    /// Whether something waits to be written, or nothing can be any more: there is a reason to
    /// flush.
    pub(in crate::cli) fn is_dirty(&self) -> bool {
        !self.buffer.is_empty() || self.broken.is_cancelled()
    }

    /// Whether so much waits that it must be written before more is added.
    pub(in crate::cli) fn is_full(&self) -> bool {
        self.buffer.len() >= BLOCK
    }

    /// Hands over what waits; waits itself only for a reader who is far behind.
    pub(in crate::cli) async fn flush(&mut self) -> Result<(), Broken> {
        if !self.buffer.is_empty() {
            let room = self.blocks.reserve().await.map_err(|_| Broken)?;
            room.send(std::mem::take(&mut self.buffer));
        }
        if self.broken.is_cancelled() { Err(Broken) } else { Ok(()) }
    }

    /// Writes what is left, for so long.
    pub(in crate::cli) async fn end(mut self, limit: Duration) -> Result<(), Broken> {
        let rest = async {
            self.flush().await?;
            drop(self.blocks);
            let _ = self.ended.await;
            // The last block as well.
            if self.broken.is_cancelled() { Err(Broken) } else { Ok(()) }
        };
        tokio::time::timeout(limit, rest).await.unwrap_or(Err(Broken))
    }
}
