//! A bare connection to the daemon, for requests that no HTTP client would make.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Response;
use crate::daemon::Daemon;
use crate::wait;

/// One connection. What is sent goes out as it is; what comes back is taken apart.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Socket {
    /// Connects; panics if the daemon does not listen.
    pub async fn open(daemon: &Daemon) -> Self {
        let address = daemon.base().trim_start_matches("http://");
        Self { stream: TcpStream::connect(address).await.unwrap(), unread: Vec::new() }
    }

    /// Sends these bytes. That the daemon may have closed the connection is no failure yet.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Sends, and reads the answer.
    pub async fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Response {
        self.send(bytes).await;
        self.answer().await
    }

    /// The next answer with its body; panics if the connection ends before or in it.
    pub async fn answer(&mut self) -> Response {
        let mut response = self.head().await;
        let length = response.header("content-length").map_or(0, |text| text.parse().unwrap());
        while self.unread.len() < length {
            assert!(self.read().await, "the connection ended in the body of {response:?}");
        }
        response.body = self.unread.drain(..length).collect::<Vec<_>>().into();
        response
    }

    /// The next answer up to its body, as HEAD has it.
    pub async fn head(&mut self) -> Response {
        const END: &[u8] = b"\r\n\r\n";
        let end = loop {
            let found = self.unread.windows(END.len()).position(|bytes| bytes == END);
            if let Some(end) = found {
                break end;
            }
            let so_far = String::from_utf8_lossy(&self.unread).into_owned();
            assert!(self.read().await, "the connection ended in the head of an answer: '{so_far}'");
        };
        let head: Vec<u8> = self.unread.drain(..end + END.len()).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            let value: HeaderValue = value.trim().parse().unwrap();
            (name.parse::<HeaderName>().unwrap(), value)
        });
        let headers: HeaderMap = headers.collect();
        Response {
            status: StatusCode::from_bytes(status.as_bytes()).unwrap(),
            headers,
            body: Bytes::new(),
        }
    }

    /// Waits until the daemon closes the connection; panics if it says anything more.
    pub async fn until_closed(&mut self) {
        let more = self.rest().await;
        assert!(more.is_empty(), "instead of the end came '{}'", String::from_utf8_lossy(&more));
    }

    /// Everything up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.read().await {}
        std::mem::take(&mut self.unread)
    }

    /// Reads on; false at the end. A reset is an end too.
    async fn read(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.unread);
        let read = wait::within(wait::DEADLINE, read).await;
        let read = read.expect("the daemon to answer, or to close the connection");
        read.is_ok_and(|count| count > 0)
    }
}
