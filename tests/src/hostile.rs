//! Receivers that mean harm, or are broken as if they did: bytes on a socket, beyond what an HTTP
//! library would send.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::wait;

/// What it does to whoever sends it a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trick {
    /// Takes the request and says nothing.
    Silence,
    /// A head, a byte at a time.
    DrippingHead,
    /// A body, a byte at a time.
    DrippingBody,
    /// A body without end.
    EndlessBody,
    /// A body of a gigabyte, announced.
    Gigabyte,
    /// A body of a gigabyte, in chunks.
    GigabyteInChunks,
    /// A chunk size without end.
    EndlessChunkSize,
    /// Small header after small header, without end.
    EndlessHeaders,
    /// One header without end.
    GiantHeader,
    /// "More to come", without end.
    EndlessHints,
    /// Half a body, and a reset.
    ResetInBody,
    /// Half a body, and the end.
    ShortBody,
    /// The connection is closed as soon as it is there.
    EarlyClose,
    /// Takes the request, and closes the connection.
    CloseUnanswered,
    /// Half a head, and the end.
    HalfHead,
    /// Another protocol.
    NotHttp,
    /// A status that is no number.
    WordyStatus,
    /// A status of four digits.
    LongStatus,
    /// A status of three digits that means nothing.
    Status999,
    /// A header that is none.
    NoColon,
    /// A header with a byte that none may have.
    NulInHeader,
    /// A length that is no number.
    WordyLength,
    /// Two lengths.
    TwoLengths,
    /// A chunk size that is no number.
    WordyChunkSize,
    /// A second answer that nobody asked for.
    AnswersTwice,
    /// 64 kilobytes that unpack to ten megabytes of the letter a.
    GzipBomb,
}

impl Trick {
    pub const ALL: [Self; 26] = [
        Self::Silence,
        Self::DrippingHead,
        Self::DrippingBody,
        Self::EndlessBody,
        Self::Gigabyte,
        Self::GigabyteInChunks,
        Self::EndlessChunkSize,
        Self::EndlessHeaders,
        Self::GiantHeader,
        Self::EndlessHints,
        Self::ResetInBody,
        Self::ShortBody,
        Self::EarlyClose,
        Self::CloseUnanswered,
        Self::HalfHead,
        Self::NotHttp,
        Self::WordyStatus,
        Self::LongStatus,
        Self::Status999,
        Self::NoColon,
        Self::NulInHeader,
        Self::WordyLength,
        Self::TwoLengths,
        Self::WordyChunkSize,
        Self::AnswersTwice,
        Self::GzipBomb,
    ];

    /// What it sends, if that is short.
    fn line(self) -> &'static str {
        match self {
            Self::ResetInBody | Self::ShortBody => {
                "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfive."
            }
            Self::HalfHead => "HTTP/1.1 200 OK\r\ncontent-le",
            Self::NotHttp => "SSH-2.0-OpenSSH_9.9\r\n",
            Self::WordyStatus => "HTTP/1.1 two OK\r\n\r\n",
            Self::LongStatus => "HTTP/1.1 2000 OK\r\n\r\n",
            Self::Status999 => "HTTP/1.1 999 OK\r\ncontent-length: 0\r\n\r\n",
            Self::NoColon => "HTTP/1.1 200 OK\r\ncontent-length 0\r\n\r\n",
            Self::NulInHeader => "HTTP/1.1 200 OK\r\nx-nul: a\0b\r\ncontent-length: 0\r\n\r\n",
            Self::WordyLength => "HTTP/1.1 200 OK\r\ncontent-length: ten\r\n\r\n",
            Self::TwoLengths => {
                "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"
            }
            Self::WordyChunkSize => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nten\r\n",
            Self::AnswersTwice => concat!(
                "HTTP/1.1 204 No Content\r\n\r\n",
                "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n",
            ),
            _ => "",
        }
    }

    /// What it sends first, what then, and how often.
    fn bytes(self) -> (&'static str, Vec<u8>, usize) {
        const OK: &str = "HTTP/1.1 200 OK\r\n";
        const BLOCK: usize = 1 << 18;
        const FOR_EVER: usize = usize::MAX;
        let block = || vec![b'.'; BLOCK];
        match self {
            Self::DrippingHead => ("HTTP/1.1 200 OK\r\nx-slow: ", b".".into(), FOR_EVER),
            Self::DrippingBody => {
                ("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", b".".into(), FOR_EVER)
            }
            Self::EndlessBody => ("HTTP/1.1 200 OK\r\n\r\n", block(), FOR_EVER),
            Self::Gigabyte => (
                "HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n",
                block(),
                (1 << 30) / BLOCK,
            ),
            Self::GigabyteInChunks => {
                let chunk = [b"40000\r\n", &block()[..], b"\r\n"].concat();
                ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk, (1 << 30) / BLOCK)
            }
            Self::EndlessChunkSize => {
                let size = vec![b'0'; BLOCK];
                ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", size, FOR_EVER)
            }
            Self::EndlessHeaders => (OK, b"x-more: to come\r\n".repeat(1000), FOR_EVER),
            Self::GiantHeader => ("HTTP/1.1 200 OK\r\nx-giant: ", block(), FOR_EVER),
            Self::EndlessHints => {
                ("", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(1000), FOR_EVER)
            }
            Self::GzipBomb => (OK, gzip_bomb(), 1),
            _ => (self.line(), Vec::new(), 0),
        }
    }

    fn drips(self) -> bool {
        matches!(self, Self::DrippingHead | Self::DrippingBody)
    }
}

/// The rest of a head, and its body: a block of DEFLATE that repeats one letter over and over.
fn gzip_bomb() -> Vec<u8> {
    const BEGINNING: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4a\x1c\x05";
    const EIGHT_TIMES_258: &[u8] = b"\xa3\x60\x14\x8c\x82\x51\x30\x0a\x46\xc1\x28\x18\x05";
    let body = [BEGINNING, &EIGHT_TIMES_258.repeat(5000)].concat();
    let head = format!("content-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), &body].concat()
}

/// A server on a free port of the loopback that does one trick; stops when dropped.
#[derive(Debug)]
pub struct Hostile {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Hostile {
    pub async fn start(trick: Trick) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let mut victims = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("accept");
                victims.spawn(play(trick, stream));
            }
        });
        Self { address, server }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// For who expects TLS of it, which it does not speak.
    pub fn https_url(&self) -> String {
        format!("https://{}/", self.address)
    }
}

/// Until the other side has had enough.
async fn play(trick: Trick, mut stream: TcpStream) -> io::Result<()> {
    if trick == Trick::EarlyClose {
        return Ok(());
    }
    // A delivery of these tests fits into one read; whoever answers before it reads gets a reset.
    let mut request = [0; 16_384];
    if stream.read(&mut request).await? == 0 {
        return Ok(());
    }
    let (first, then, times) = trick.bytes();
    stream.write_all(first.as_bytes()).await?;
    for _ in 0..times {
        stream.write_all(&then).await?;
        if trick.drips() {
            wait::pause(Duration::from_millis(20)).await;
        }
    }
    if trick == Trick::ResetInBody {
        // To linger for no time at all is how a socket is told to send RST.
        return stream.set_zero_linger();
    }
    if matches!(trick, Trick::ShortBody | Trick::CloseUnanswered | Trick::HalfHead) {
        return Ok(());
    }
    while stream.read(&mut request).await? > 0 {}
    Ok(())
}
