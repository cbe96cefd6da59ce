//! The one way in for the layer and the extractor: headers first, then the body, with its MAC
//! computed while it comes.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;

use crate::header::MAX_DELIVERY_BYTES;

#[cfg(feature = "axum")]
use crate::EventError;
use crate::{Timestamp, Verified, Verifier, VerifyError};

/// How long a whole body may take, unless told otherwise.
pub const DEFAULT_READ_DEADLINE: Duration = Duration::from_secs(10);

/// Why a request was refused. The sender learns [`status`](Self::status), and nothing else.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Rejection {
    /// Not a delivery to be trusted.
    Unverified(VerifyError),
    /// The body broke off, or could not be read.
    BrokenOff {
        /// What the server says of it.
        cause: String,
    },
    /// The body was not there in time.
    TooSlow {
        /// How long it may take.
        allowed: Duration,
    },
    /// Signed, but not an event.
    #[cfg(feature = "axum")]
    Malformed(EventError),
}

impl Rejection {
    /// What is answered: 400, 401, 408 or 413.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unverified(error) => {
                StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST)
            }
            Self::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::BrokenOff { .. } => StatusCode::BAD_REQUEST,
            #[cfg(feature = "axum")]
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// One of a few words, to count by.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unverified(error) => error.reason(),
            Self::BrokenOff { .. } => "broken_off",
            Self::TooSlow { .. } => "too_slow",
            #[cfg(feature = "axum")]
            Self::Malformed(_) => "malformed_event",
        }
    }

    /// The answer: the status and no body. Services further out find the rejection in its
    /// extensions.
    pub(crate) fn answer<B: Default>(self) -> Response<B> {
        let mut response = Response::default();
        *response.status_mut() = self.status();
        response.extensions_mut().insert(self);
        response
    }

    /// Tells the receiver's own log, which is the only one to learn the reason.
    pub(crate) fn log(&self) {
        let (status, reason) = (self.status().as_u16(), self.reason());
        tracing::warn!(status, reason, error = %self, "webhook refused");
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unverified(error) => error.fmt(f),
            Self::BrokenOff { cause } => write!(f, "the body broke off: {cause}"),
            Self::TooSlow { allowed } => {
                write!(f, "the body did not arrive in time, within {} s", allowed.as_secs_f32())
            }
            #[cfg(feature = "axum")]
            Self::Malformed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Rejection {}

impl From<VerifyError> for Rejection {
    fn from(error: VerifyError) -> Self {
        Self::Unverified(error)
    }
}

/// Takes in a request, and logs what came of it.
pub(crate) async fn receive<B>(
    verifier: &Verifier,
    headers: &HeaderMap,
    body: B,
    now: Timestamp,
    allowed: Duration,
) -> Result<Verified<Bytes>, Rejection>
where
    B: Body,
    B::Error: fmt::Display,
{
    let reading = read(verifier, headers, body, now);
    let received = match tokio::time::timeout(allowed, reading).await {
        Ok(received) => received,
        Err(_) => Err(Rejection::TooSlow { allowed }),
    };
    received.inspect_err(Rejection::log).inspect(|verified| {
        tracing::debug!(event.id = verified.id(), key = verified.fingerprint(), "webhook verified");
    })
}

async fn read<B>(
    verifier: &Verifier,
    headers: &HeaderMap,
    body: B,
    now: Timestamp,
) -> Result<Verified<Bytes>, Rejection>
where
    B: Body,
    B::Error: fmt::Display,
{
    // Before the body: a stranger's request is not worth reading.
    let pending = verifier.begin(headers, now)?;
    let allowed = pending.max_body_bytes();
    let mut macs = pending.running();
    // What `content-length` says, in HTTP/1 and 2.
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > allowed {
        return Err(VerifyError::TooLarge { allowed }.into());
    }
    let mut pieces = Pieces::default();
    let mut body = pin!(body);
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let frame = frame.map_err(|error| Rejection::BrokenOff { cause: error.to_string() })?;
        // What is not data is trailers, and they are the last frame.
        let Ok(mut data) = frame.into_data() else { break };
        if data.remaining() > allowed - pieces.len() {
            return Err(VerifyError::TooLarge { allowed }.into());
        }
        let piece = data.copy_to_bytes(data.remaining());
        macs.iter_mut().for_each(|mac| mac.update(&piece));
        pieces.push(piece, announced);
    }
    Ok(pending.finish(pieces.whole(), macs)?)
}

/// The body so far. What comes in one piece is never copied.
#[derive(Default)]
struct Pieces {
    first: Bytes,
    /// All of them, once there are two; then `first` is empty.
    joined: BytesMut,
}

impl Pieces {
    fn len(&self) -> usize {
        self.first.len() + self.joined.len()
    }

    fn push(&mut self, piece: Bytes, announced: usize) {
        if self.len() == 0 {
            self.first = piece;
            return;
        }
        if self.joined.is_empty() {
            // Not more on a stranger's word than a delivery has.
            let announced = announced.min(MAX_DELIVERY_BYTES);
            self.joined.reserve(announced.max(self.first.len() + piece.len()));
            self.joined.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&piece);
    }

    fn whole(self) -> Bytes {
        if self.joined.is_empty() { self.first } else { self.joined.freeze() }
    }
}
