//! A connection whose client must read what it asked for, or lose it; and can, even if it is still
//! sending when the answer is given.

use std::io::{self, Error, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// Fails when something is to be written and nothing can be for so long: the system's buffers are
/// full, and the answer stays in our memory.
#[derive(Debug)]
pub(super) struct Unread {
    stream: TcpStream,
    patience: Duration,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
    /// Runs from the end of the last answer, if the client was still sending then.
    lingering: Option<Pin<Box<Sleep>>>,
    lingered: usize,
}

/// How long to go on reading after the last answer, and how much. A connection that is closed with
/// something unread is reset, and the client that is still sending never sees its answer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 << 20;

impl Unread {
    pub(super) fn within(patience: Duration, stream: TcpStream) -> Self {
        Self { stream, patience, waiting: None, lingering: None, lingered: 0 }
    }

    /// Reads and throws away what the client is still sending. Over at once if it sends nothing.
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut thrown_away = [0; 16 * 1024];
        while self.lingered < LINGER_BYTES {
            let mut buffer = ReadBuf::new(&mut thrown_away);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.lingered += buffer.filled().len();
                    self.lingering.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
                }
                Poll::Ready(_) => break,
                Poll::Pending => match &mut self.lingering {
                    Some(over) => return over.as_mut().poll(context),
                    None => break,
                },
            }
        }
        Poll::Ready(())
    }

    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let written = write(Pin::new(&mut self.stream), context);
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the client does not read its answer")))
    }
}

impl AsyncRead for Unread {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Unread {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.watch(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.watch(context, |stream, context| stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        self.linger(context).map(Ok)
    }
}
