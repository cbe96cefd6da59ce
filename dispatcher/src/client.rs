//! A client of our own API, for the command line.

use std::io;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bluum_hooks_shared::error::{ErrorBody, ErrorDetail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How often a request that came too fast, or when the daemon was full, is made again.
const PATIENCE: usize = 3;
/// The longest wait for that; beyond it, a person should decide.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Speaks to one daemon with one key.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    authorization: HeaderValue,
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("cannot reach {base}: {cause}")]
    Unreachable { base: String, cause: String },
    /// The daemon said no.
    #[error("{}", .detail.message)]
    Refused { status: u16, detail: Box<ErrorDetail> },
    /// The daemon said to come back later.
    #[error("{base} takes no more requests for {} s", .wait.as_secs())]
    TooFast { base: String, wait: Duration },
    /// Something answered, but not this API.
    #[error("{base} answered {status}, and not as this API does; is it the daemon?")]
    Strange { base: String, status: u16 },
    #[error("{0} is not a base URL; write 'http://127.0.0.1:4100'")]
    BadBase(String),
}

impl Client {
    /// `base` with or without `/v1`.
    pub fn new(base: &str, key: &str, secret: &str) -> io::Result<Self> {
        // Paths are put behind it.
        let whole = |url: &url::Url| url.query().is_none() && url.fragment().is_none();
        let usable = url::Url::parse(base).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https") && url.has_host() && whole(&url)
        });
        let literal = base.parse::<http::Uri>().is_ok_and(|uri| uri.scheme().is_some());
        if !usable || !literal {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{base} is not a base URL; write 'http://127.0.0.1:4100'"),
            ));
        }
        let base = base.trim_end_matches('/');
        let base = base.strip_suffix("/v1").unwrap_or(base).to_owned();
        let basic = format!("Basic {}", STANDARD.encode(format!("{key}:{secret}")));
        let mut authorization = HeaderValue::try_from(basic).map_err(io::Error::other)?;
        authorization.set_sensitive(true);
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(ring::default_provider())?
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        let http = HttpClient::builder(TokioExecutor::new()).build(connector);
        Ok(Self { base, authorization, http })
    }

    pub async fn get(&self, path: &str) -> Result<Bytes, ClientError> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Bytes, ClientError> {
        self.send(Method::POST, path, json(body)).await
    }

    pub async fn put(&self, path: &str, body: &impl Serialize) -> Result<Bytes, ClientError> {
        self.send(Method::PUT, path, json(body)).await
    }

    pub async fn patch(&self, path: &str, body: &impl Serialize) -> Result<Bytes, ClientError> {
        self.send(Method::PATCH, path, json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Bytes, ClientError> {
        self.send(Method::DELETE, path, Bytes::new()).await
    }

    /// Reads an answer that [`Client::get`] and the others brought.
    pub fn read<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(answer)
            .map_err(|_| ClientError::Strange { base: self.base.clone(), status: 200 })
    }

    /// Waits when the daemon says that this was too fast, as long as it says, a few times.
    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes, ClientError> {
        for _ in 0..PATIENCE {
            match self.exchange(method.clone(), path, body.clone()).await {
                Err(ClientError::TooFast { wait, .. }) => tokio::time::sleep(wait).await,
                outcome => return outcome,
            }
        }
        self.exchange(method, path, body).await
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Bytes, ClientError> {
        let body = self.open(method, path, body, None).await?.collect().await;
        Ok(body.map_err(|error| self.unreachable(&error))?.to_bytes())
    }

    /// Only the root of it is news to a person.
    fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> ClientError {
        let mut cause = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        ClientError::Unreachable { base: self.base.clone(), cause: cause.to_string() }
    }

    /// A stream as it comes in, once its head says that all is well.
    pub async fn stream(&self, path: &str) -> Result<Incoming, ClientError> {
        self.stream_after(path, None).await
    }

    /// The same, from behind an event that was seen.
    pub async fn stream_after(
        &self,
        path: &str,
        last: Option<&str>,
    ) -> Result<Incoming, ClientError> {
        self.open(Method::GET, path, Bytes::new(), last).await
    }

    /// What time it is where the daemon is, as HTTP says it. No key is needed.
    pub async fn date(&self) -> Result<Option<String>, ClientError> {
        let answer = self.ask(Method::GET, "/healthz", Bytes::new(), None).await?;
        if !answer.status().is_success() {
            let status = answer.status().as_u16();
            return Err(ClientError::Strange { base: self.base.clone(), status });
        }
        let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
        Ok(date.map(str::to_owned))
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        last_event: Option<&str>,
    ) -> Result<Response<Incoming>, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, "application/json");
        if let Some(last_event) = last_event {
            request = request.header("last-event-id", last_event);
        }
        let request =
            request.body(Full::new(body)).map_err(|_| ClientError::BadBase(self.base.clone()))?;
        self.http.request(request).await.map_err(|error| self.unreachable(&error))
    }

    async fn open(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        last_event: Option<&str>,
    ) -> Result<Incoming, ClientError> {
        let answer = self.ask(method, path, body, last_event).await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer.into_body());
        }
        let (status, wait) = (status.as_u16(), retry_after(answer.headers()));
        let body = answer.into_body().collect().await.map_err(|error| self.unreachable(&error))?;
        let body = body.to_bytes();
        if let (429 | 503, Some(wait)) = (status, wait.filter(|wait| *wait <= LONGEST_WAIT)) {
            return Err(ClientError::TooFast { base: self.base.clone(), wait });
        }
        match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(ErrorBody { error }) => Err(ClientError::Refused { status, detail: error.into() }),
            Err(_) => Err(ClientError::Strange { base: self.base.clone(), status }),
        }
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Our own types, which are always JSON.
fn json(body: &impl Serialize) -> Bytes {
    serde_json::to_vec(body).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_and_a_host_make_a_base_url() {
        for base in ["http://127.0.0.1:4100", "https://hooks.example/v1/"] {
            assert!(Client::new(base, "key", "secret").is_ok(), "{base}");
        }
        for base in ["", "nonsense", "ftp://x", "http://", "http:x", "http://x?a=b", "http://x#a"] {
            let error = Client::new(base, "key", "secret").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{base}");
        }
    }
}
