//! The stream, frame by frame, as its bytes come in.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, Bytes, BytesMut};
use serde::Deserialize;

/// Longer than any frame there is: the largest body in base64, and its headers.
const LONGEST: usize = 4 * 1024 * 1024;

/// What the dispatcher says first.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Hello {
    pub(super) waiting: u64,
    #[serde(default)]
    pub(super) server_time: Option<String>,
    /// How long the stream is silent at most.
    #[serde(default)]
    pub(super) heartbeat_ms: Option<u64>,
    /// How long it waits for a word about a delivery.
    #[serde(default)]
    pub(super) lease_ms: Option<u64>,
}

/// One attempt of one delivery, to be made here.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) cursor: i64,
    pub(super) delivery: Arc<str>,
    pub(super) attempt: u32,
    pub(super) event: String,
    pub(super) redelivered: bool,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Gap {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) count: u64,
    pub(super) reason: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Bye {
    pub(super) reason: String,
    #[serde(default)]
    pub(super) retry_ms: Option<u64>,
}

#[derive(Debug)]
pub(super) enum Frame {
    Hello(Hello),
    Delivery(Box<Arrival>),
    Gap(Gap),
    Beat {
        waiting: u64,
    },
    Bye(Bye),
    /// Of a later version, or a comment: it shows that the stream lives.
    Unknown,
}

/// The stream is not what it should be; the text says why.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Garbled(&'static str);

/// Bytes that have come and are no whole frame yet.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: BytesMut,
    /// So many hold no end of a frame.
    searched: usize,
}

impl Frames {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next frame that is whole.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, Garbled> {
        let from = self.searched.saturating_sub(1);
        let Some(end) = self.bytes[from..].windows(2).position(|two| two == b"\n\n") else {
            self.searched = self.bytes.len();
            return match self.searched > LONGEST {
                true => Err(Garbled("a frame without end")),
                false => Ok(None),
            };
        };
        self.searched = 0;
        let frame = read(&self.bytes[..from + end]);
        self.bytes.advance(from + end + 2);
        frame.map(Some)
    }
}

/// `data` is one line, as our daemon writes it.
fn read(text: &[u8]) -> Result<Frame, Garbled> {
    let (mut name, mut data, mut id) = (&b""[..], &b""[..], None);
    for line in text.split(|byte| *byte == b'\n') {
        if let Some(value) = line.strip_prefix(b"data: ") {
            data = value;
        } else if let Some(value) = line.strip_prefix(b"event: ") {
            name = value;
        } else if let Some(value) = line.strip_prefix(b"id: ") {
            id = std::str::from_utf8(value).ok().and_then(|id| id.parse().ok());
        }
    }
    Ok(match name {
        b"hello" => Frame::Hello(json(data)?),
        b"gap" => Frame::Gap(json(data)?),
        b"bye" => Frame::Bye(json(data)?),
        b"hb" => {
            #[derive(Deserialize)]
            struct Beat {
                waiting: u64,
            }
            Frame::Beat { waiting: json::<Beat>(data)?.waiting }
        }
        b"delivery" => Frame::Delivery(Box::new(arrival(id, data)?)),
        _ => Frame::Unknown,
    })
}

fn json<'a, T: Deserialize<'a>>(data: &'a [u8]) -> Result<T, Garbled> {
    serde_json::from_slice(data).map_err(|_| Garbled("a frame that cannot be read"))
}

fn arrival(id: Option<i64>, data: &[u8]) -> Result<Arrival, Garbled> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        delivery: Cow<'a, str>,
        attempt: u32,
        event: String,
        #[serde(default)]
        redelivered: bool,
        headers: Vec<(String, String)>,
        #[serde(borrow)]
        body_b64: Cow<'a, str>,
    }
    let wire: Wire<'_> = json(data)?;
    let body = STANDARD.decode(wire.body_b64.as_bytes());
    let body = body.map_err(|_| Garbled("a body that is not base64"))?;
    Ok(Arrival {
        cursor: id.ok_or(Garbled("a delivery without its place in the stream"))?,
        delivery: Arc::from(&*wire.delivery),
        attempt: wire.attempt,
        event: wire.event,
        redelivered: wire.redelivered,
        headers: wire.headers,
        body: body.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = concat!(
        ": a comment\n\n",
        "event: hello\ndata: {\"protocol\":1,\"waiting\":3,\"novelty\":[]}\n\n",
        "event: delivery\nid: 7\ndata: {\"delivery\":\"dlv_1\",\"attempt\":2,\"event\":\"evt_1\",",
        "\"headers\":[[\"a\",\"1\"],[\"a\",\"2\"]],\"body_b64\":\"AP9cLw0K\"}\n\n",
        "event: later\ndata: whatever\n\n",
        "event: hb\ndata: {\"waiting\":0}\n\n",
        "event: bye\ndata: {\"reason\":\"shutdown\",\"retry_ms\":1000}\n\n",
    );

    fn told(bytes: &[u8], step: usize) -> Vec<String> {
        let (mut frames, mut told) = (Frames::default(), Vec::new());
        for piece in bytes.chunks(step) {
            frames.push(piece);
            while let Some(frame) = frames.next().unwrap() {
                told.push(format!("{frame:?}"));
            }
        }
        told
    }

    #[test]
    fn frames_are_the_same_however_the_bytes_come() {
        let whole = told(STREAM.as_bytes(), usize::MAX);
        assert_eq!(whole.len(), 6, "{whole:?}");
        assert!(whole[2].contains(r#"body: b"\0\xff\\/\r\n""#), "{}", whole[2]);
        assert!(whole[2].contains(r#"[("a", "1"), ("a", "2")]"#), "{}", whole[2]);
        for step in 1..40 {
            assert_eq!(told(STREAM.as_bytes(), step), whole, "in pieces of {step}");
        }
    }

    #[test]
    fn what_is_garbled_is_told() {
        for text in ["event: hello\ndata: {\n\n", "event: delivery\ndata: {}\n\n"] {
            let mut frames = Frames::default();
            frames.push(text.as_bytes());
            assert!(frames.next().is_err(), "{text}");
        }
        let mut frames = Frames::default();
        frames.push(&vec![b'x'; LONGEST + 1]);
        assert_eq!(frames.next().unwrap_err(), Garbled("a frame without end"));
    }
}
