//! What a sink answers: a status, late or at once, whole, in drips, without end, or not at all.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName};
use http::{Response, StatusCode};
use http_body_util::channel::{Channel, SendError, Sender};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};

use crate::wait;

/// The body of an answer.
#[derive(Debug, Clone)]
enum Body {
    Whole(Bytes),
    /// These bytes, one at a time.
    Drip(Bytes, Duration),
    /// As fast as the client reads, for ever.
    Endless,
    /// No answer: the connection is reset.
    Reset,
}

/// One answer of a script.
#[derive(Debug, Clone)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
    pub(super) delay: Duration,
}

impl Answer {
    /// This status with a short text, at once.
    pub fn status(status: u16) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Body::Whole(Bytes::from(format!("the sink says {status}"))),
            delay: Duration::ZERO,
        }
    }

    /// No answer: the connection is reset once the request is here.
    pub fn reset() -> Self {
        Self { body: Body::Reset, ..Self::status(200) }
    }

    /// Starts to answer only after this long.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        self
    }

    /// With this body instead of the short text.
    #[must_use]
    pub fn saying(mut self, text: impl Into<Bytes>) -> Self {
        self.body = Body::Whole(text.into());
        self
    }

    /// Sends this text one byte at a time, with a pause before each.
    #[must_use]
    pub fn drip(mut self, text: &'static str, pause: Duration) -> Self {
        self.body = Body::Drip(Bytes::from_static(text.as_bytes()), pause);
        self
    }

    /// Sends a body that never ends.
    #[must_use]
    pub fn endless(mut self) -> Self {
        self.body = Body::Endless;
        self
    }

    pub(super) fn resets(&self) -> bool {
        matches!(self.body, Body::Reset)
    }

    pub(super) fn into_response(self) -> Response<BoxBody<Bytes, Infallible>> {
        let body = match self.body {
            Body::Whole(bytes) => Full::new(bytes).boxed(),
            Body::Reset => Full::default().boxed(),
            Body::Drip(bytes, pause) => streamed(|sender| drip(sender, bytes, pause)),
            Body::Endless => streamed(endless),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

type Stopped = Result<(), SendError>;

/// A body that `write` sends while it is read; it stops when the client goes away.
fn streamed<F>(write: impl FnOnce(Sender<Bytes>) -> F) -> BoxBody<Bytes, Infallible>
where
    F: Future<Output = Stopped> + Send + 'static,
{
    let (sender, body) = Channel::new(1);
    tokio::spawn(write(sender));
    body.boxed()
}

async fn drip(mut sender: Sender<Bytes>, bytes: Bytes, pause: Duration) -> Stopped {
    for byte in bytes {
        wait::pause(pause).await;
        sender.send_data(Bytes::copy_from_slice(&[byte])).await?;
    }
    Ok(())
}

async fn endless(mut sender: Sender<Bytes>) -> Stopped {
    loop {
        sender.send_data(Bytes::from_static(&[b'.'; 16_384])).await?;
    }
}
