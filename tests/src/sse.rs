//! A stream of server-sent events, read frame by frame.

use bytes::BytesMut;
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

use crate::client::{Call, Client};
use crate::wait;

/// What stands between two empty lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Nothing but a comment: the stream lives.
    Comment,
    Event {
        id: String,
        event: String,
        data: String,
    },
}

/// An open stream.
#[derive(Debug)]
pub struct Stream {
    pub headers: HeaderMap,
    body: Incoming,
    read: BytesMut,
}

impl Stream {
    /// Opens the stream; panics unless the answer is 200.
    pub async fn open(client: &Client, call: Call) -> Self {
        let answer = client.open(call).await.unwrap_or_else(|why| panic!("no stream: {why}"));
        assert_eq!(answer.status(), 200, "{answer:?}");
        let (head, body) = answer.into_parts();
        Self { headers: head.headers, body, read: BytesMut::new() }
    }

    /// The next frame; `None` when the stream has ended. Panics after [`wait::DEADLINE`].
    pub async fn next(&mut self) -> Option<Frame> {
        let next = wait::within(wait::DEADLINE, self.read_frame()).await;
        next.expect("a frame before the deadline")
    }

    /// The data of the next event; comments are passed over. Panics when the stream has ended.
    pub async fn event(&mut self) -> Value {
        loop {
            match self.next().await.expect("another event") {
                Frame::Comment => {}
                Frame::Event { id, event, data } => {
                    let data: Value = serde_json::from_str(&data).expect("the data is JSON");
                    assert_eq!((&data["id"], &data["event"]), (&id.into(), &event.into()));
                    return data;
                }
            }
        }
    }

    /// The next events, so many.
    pub async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::with_capacity(count);
        while events.len() < count {
            events.push(self.event().await);
        }
        events
    }

    async fn read_frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(end) = self.read.windows(2).position(|window| window == b"\n\n") {
                let text = self.read.split_to(end + 2);
                return Some(parse(std::str::from_utf8(&text).expect("UTF-8")));
            }
            let frame = self.body.frame().await?.ok()?;
            self.read.extend_from_slice(frame.data_ref()?);
        }
    }
}

/// As the specification of server-sent events says it, as far as our daemon uses it.
fn parse(text: &str) -> Frame {
    let (mut id, mut event, mut data) = (String::new(), String::new(), Vec::new());
    let mut comment = true;
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (field, rest) = line.split_once(':').unwrap_or((line, ""));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        comment &= field.is_empty();
        match field {
            "" => {}
            "id" => rest.clone_into(&mut id),
            "event" => rest.clone_into(&mut event),
            "data" => data.push(rest),
            other => panic!("a field '{other}' in {text:?}"),
        }
    }
    if comment { Frame::Comment } else { Frame::Event { id, event, data: data.join("\n") } }
}
