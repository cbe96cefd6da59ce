//! A sender that writes whatever it is told, byte for byte.

use std::net::SocketAddr;
use std::time::Duration;

use bluum_hooks_receiver::{Secret, SigningKey, now};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long any answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const ID: &str = "evt_01kv5v1cd09n7q5s3v1x0z2b4d";

pub(crate) type Headers = Vec<(&'static str, String)>;

pub(crate) fn secret() -> Secret {
    Secret::from_bytes(&[7; 32]).unwrap()
}

/// An event as the dispatcher sends it.
pub(crate) fn event(name: &str, data: &str) -> String {
    format!(
        r#"{{"id":"{ID}","created":1781533815,"livemode":false,"event":"{name}",
           "timestamp":"2026-06-15T14:30:15.123Z","investor_id":null,"data":{data}}}"#
    )
}

/// The headers of a delivery that was signed this long ago.
pub(crate) fn signed_by(secret: &Secret, body: &[u8], seconds_ago: i64) -> Headers {
    let timestamp = now().as_unix_seconds() - seconds_ago;
    vec![
        ("webhook-id", ID.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", SigningKey::new(secret).sign(ID, timestamp, body)),
    ]
}

pub(crate) fn signed(body: impl AsRef<[u8]>) -> Headers {
    signed_by(&secret(), body.as_ref(), 0)
}

/// Well-formed headers, as any stranger can write them.
pub(crate) fn forged() -> Headers {
    signed_by(&Secret::from_bytes(&[8; 32]).unwrap(), b"", 0)
}

/// The head of a request; `framing` is what it says of its body.
pub(crate) fn head(path: &str, headers: &Headers, framing: &str) -> String {
    let lines: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("POST {path} HTTP/1.1\r\nhost: partner.example\r\n{lines}{framing}\r\n\r\n")
}

pub(crate) const CHUNKED: &str = "transfer-encoding: chunked";

pub(crate) fn length(bytes: usize) -> String {
    format!("content-length: {bytes}")
}

/// One chunk of a chunked body; an empty one ends it.
pub(crate) fn chunk(piece: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()
}

/// What a server answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// A status, and nothing else.
pub(crate) fn bare(status: u16) -> Answer {
    Answer { status, body: Vec::new() }
}

/// A connection to a server.
pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) async fn connect(server: SocketAddr) -> Self {
        Self(TcpStream::connect(server).await.unwrap())
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next answer, be it an interim one.
    pub(crate) async fn answer(&mut self) -> Answer {
        tokio::time::timeout(PATIENCE, self.read_answer()).await.unwrap()
    }

    async fn read_answer(&mut self) -> Answer {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.0.read_exact(&mut body).await.unwrap();
        Answer { status, body }
    }
}

/// One request, with the length of its body in the head.
pub(crate) async fn post(
    server: SocketAddr,
    path: &str,
    headers: &Headers,
    body: impl AsRef<[u8]>,
) -> Answer {
    let mut client = Client::connect(server).await;
    client.send(head(path, headers, &length(body.as_ref().len()))).await;
    client.send(body).await;
    client.answer().await
}
