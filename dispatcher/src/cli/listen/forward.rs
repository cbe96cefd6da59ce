//! One request to a local server, exactly as a sender would make it.

use std::pin::pin;
use std::time::Duration;

use bluum_hooks_shared::header::{WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use bluum_hooks_shared::signature::SigningKey;
use bytes::{Bytes, BytesMut};
use futures_util::future::{Either, select};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::dial::{DialError, Dialer, Line, plain};
use super::record::Outcome;
use crate::cli::target::Target;
use crate::clock::{Clock, SystemClock};

/// How much of an answer is kept to be shown.
const KEPT: usize = 64 * 1024;
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(1);

/// What came of one request.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Attempt {
    pub(in crate::cli) outcome: Outcome,
    pub(in crate::cli) status: Option<u16>,
    pub(in crate::cli) latency: Duration,
    pub(in crate::cli) error: Option<String>,
    pub(in crate::cli) answer: Option<Answer>,
}

#[derive(Debug, Clone)]
pub(in crate::cli) struct Answer {
    pub(in crate::cli) headers: HeaderMap,
    /// Its beginning.
    pub(in crate::cli) body: Bytes,
    pub(in crate::cli) truncated: bool,
}

impl Attempt {
    pub(in crate::cli) fn without_answer(
        outcome: Outcome,
        latency: Duration,
        error: String,
    ) -> Self {
        Self { outcome, status: None, latency, error: Some(error), answer: None }
    }

    pub(in crate::cli) fn is_success(&self) -> bool {
        match self.outcome {
            Outcome::Response => self.status.is_some_and(|status| (200..300).contains(&status)),
            outcome => matches!(outcome, Outcome::Printed | Outcome::Filtered),
        }
    }
}

/// How requests are made, whichever the target.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Shape {
    /// None for ever.
    pub(in crate::cli) timeout: Option<Duration>,
    /// How long a refused connection is tried again: a dev server may restart.
    pub(in crate::cli) refused: Duration,
    /// Added, or in the place of what was sent.
    pub(in crate::cli) headers: Vec<(HeaderName, HeaderValue)>,
    pub(in crate::cli) host: Option<HeaderValue>,
    /// Signs instead of the dispatcher.
    pub(in crate::cli) key: Option<SigningKey>,
}

/// Sends to one target.
#[derive(Clone)]
pub(in crate::cli) struct Forwarder {
    pub(in crate::cli) target: Target,
    pub(in crate::cli) dialer: Dialer,
    pub(in crate::cli) shape: Shape,
}

enum Broken {
    Dial(DialError),
    Reset(String),
}

impl Forwarder {
    /// Sends, and waits for the whole answer.
    pub(in crate::cli) async fn send(
        &self,
        headers: &[(String, String)],
        body: &Bytes,
        clock: &SystemClock,
    ) -> Attempt {
        let headers = self.headers(headers, body);
        let mut begun = clock.monotonic();
        let exchange = self.exchange(headers, body, clock, &mut begun);
        let outcome = match self.shape.timeout {
            Some(limit) => tokio::time::timeout(limit, exchange).await.ok(),
            None => Some(exchange.await),
        };
        let latency = clock.monotonic().saturating_sub(begun);
        let failed = |outcome, error| Attempt::without_answer(outcome, latency, error);
        match outcome {
            Some(Ok((status, answer))) => Attempt {
                outcome: Outcome::Response,
                status: Some(status),
                latency,
                error: None,
                answer: Some(answer),
            },
            Some(Err(Broken::Dial(DialError::Refused))) => {
                failed(Outcome::ConnectError, "connection refused".into())
            }
            Some(Err(Broken::Dial(DialError::Connect(error)))) => {
                failed(Outcome::ConnectError, error)
            }
            Some(Err(Broken::Dial(DialError::Tls(error)))) => failed(Outcome::TlsError, error),
            Some(Err(Broken::Reset(error))) => failed(Outcome::Reset, error),
            None => failed(Outcome::Timeout, "time-out".into()),
        }
    }

    /// `begun` is set to when the connection that counts was begun.
    async fn exchange(
        &self,
        headers: HeaderMap,
        body: &Bytes,
        clock: &SystemClock,
        begun: &mut Duration,
    ) -> Result<(u16, Answer), Broken> {
        let (first, mut pause) = (*begun, FIRST_RETRY);
        let line = loop {
            *begun = clock.monotonic();
            match self.dialer.dial().await {
                Ok(line) => break line,
                Err(DialError::Refused) if *begun - first < self.shape.refused => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LAST_RETRY);
                }
                Err(error) => return Err(Broken::Dial(error)),
            }
        };
        let mut request = Request::post(self.target.path.as_str())
            .version(Version::HTTP_11)
            .body(Full::new(body.clone()))
            .map_err(|error| Broken::Reset(error.to_string()))?;
        *request.headers_mut() = headers;
        let exchanged = match line {
            Line::Plain(stream) => exchange(stream, request).await,
            Line::Tls(stream) => exchange(stream, request).await,
        };
        exchanged.map_err(|error| Broken::Reset(explain(&error)))
    }

    /// In the order in which they were sent; `host` first, as every client has it.
    fn headers(&self, sent: &[(String, String)], body: &Bytes) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(sent.len() + 4);
        let host = self.shape.host.clone();
        let host = host.or_else(|| HeaderValue::try_from(self.target.authority()).ok());
        headers.extend(host.map(|host| (HOST, host)));
        for (name, value) in sent {
            let name = HeaderName::try_from(name.as_str());
            let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value.as_str())) else {
                continue;
            };
            if ![HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(&name) {
                headers.append(name, value);
            }
        }
        if let Some(key) = &self.shape.key {
            sign(key, &mut headers, body);
        }
        for (name, value) in &self.shape.headers {
            headers.insert(name.clone(), value.clone());
        }
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers
    }
}

/// Puts a signature made here in the place of the dispatcher's.
fn sign(key: &SigningKey, headers: &mut HeaderMap, body: &[u8]) {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let Some(timestamp) = text(WEBHOOK_TIMESTAMP).and_then(|text| text.parse().ok()) else {
        return;
    };
    let signature = key.sign(text(WEBHOOK_ID).unwrap_or_default(), timestamp, body);
    if let Ok(signature) = HeaderValue::try_from(signature) {
        headers.insert(WEBHOOK_SIGNATURE, signature);
    }
}

async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<(u16, Answer), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let answered = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let (body, truncated) = read(body).await?;
        Ok((head.status.as_u16(), Answer { headers: head.headers, body, truncated }))
    };
    // The connection moves both ways while it is polled, and ends with this exchange.
    let (answered, connection) = (pin!(answered), pin!(connection));
    match select(answered, connection).await {
        Either::Left((answered, _)) => answered,
        // What it has brought is there.
        Either::Right((_, answered)) => answered.await,
    }
}

/// The beginning of the body; nobody waits for the rest.
async fn read(mut body: Incoming) -> Result<(Bytes, bool), hyper::Error> {
    let mut kept = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = KEPT - kept.len();
        kept.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return Ok((kept.freeze(), true));
        }
    }
    Ok((kept.freeze(), false))
}

fn explain(error: &hyper::Error) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut text = error.to_string();
    while let Some(error) = cause {
        text = match error.downcast_ref::<std::io::Error>() {
            Some(error) => plain(error),
            None => error.to_string(),
        };
        cause = error.source();
    }
    text
}
