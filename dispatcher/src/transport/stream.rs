//! A connection whose other end can neither talk for ever nor keep it open for ever.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};

/// How much may come between two writes of ours. What is longer than any answer we would read (a
/// flood of interim answers, a chunk size of a gigabyte of zeros) would else be parsed as fast as
/// it comes until the deadline, on a processor that the other deliveries need.
const MAX_TALK: usize = 1024 * 1024;
/// How much is read at once.
const BLOCK: usize = 16 * 1024;

/// A stream with these bounds.
#[derive(Debug)]
pub(super) struct BoundedStream<S> {
    stream: S,
    talk: usize,
}

impl<S> BoundedStream<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, talk: 0 }
    }
}

impl<S: Connection> Connection for BoundedStream<S> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl<S: Read + Unpin> Read for BoundedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut block = [MaybeUninit::uninit(); BLOCK];
        let room = into.remaining().min(BLOCK);
        let mut block = ReadBuf::uninit(&mut block[..room]);
        ready!(Pin::new(&mut self.stream).poll_read(context, block.unfilled()))?;
        self.talk += block.filled().len();
        if self.talk > MAX_TALK {
            return Poll::Ready(Err(io::Error::other("more was sent than any answer is long")));
        }
        into.put_slice(block.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: Write + Unpin> Write for BoundedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.talk = 0;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.talk = 0;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// TLS says farewell, if it can at once: who does not read must not keep us waiting.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = Pin::new(&mut self.stream).poll_shutdown(context);
        Poll::Ready(Ok(()))
    }
}
