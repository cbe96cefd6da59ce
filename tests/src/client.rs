//! A small HTTP/1.1 client of the API, on hyper, so that the tests share no code with our own.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::wait;

/// A key and its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    pub key: String,
    pub secret: String,
}

impl Credentials {
    /// From an object with `api_key` and `api_secret`, as `init` and `POST /v1/keys` print them.
    pub fn from_json(value: &Value) -> Self {
        let text = |name: &str| value[name].as_str().expect(name).to_owned();
        Self { key: text("api_key"), secret: text("api_secret") }
    }

    /// The value of the `Authorization` header.
    pub fn header(&self) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", self.key, self.secret)))
    }
}

/// One request to make.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// A POST of these bytes, which need not be JSON.
    pub fn post(path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self::new(Method::POST, path).body(body)
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", "application/json")
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        self
    }
}

/// What came back.
#[derive(Clone)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Response {
    /// The body, if it is JSON; panics with the whole answer if it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The body of an answer that must have this status; panics with the whole answer otherwise.
    pub fn must_be(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "in the answer {self:?}");
        self.json()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}\n{}", self.status, self.headers, String::from_utf8_lossy(&self.body))
    }
}

/// Speaks to one daemon with one key, or with none.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    authorization: Option<String>,
    http: Http<HttpConnector, Full<Bytes>>,
}

impl Client {
    /// `base` is `http://host:port`, without a path.
    pub fn new(base: impl Into<String>, credentials: Option<&Credentials>) -> Self {
        Self {
            base: base.into(),
            authorization: credentials.map(Credentials::header),
            http: Http::builder(TokioExecutor::new()).build_http(),
        }
    }

    pub async fn get(&self, path: &str) -> Response {
        self.send(Call::get(path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.send(Call::post(path, body.to_string())).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Response {
        self.send(Call::new(Method::PATCH, path).body(body.to_string())).await
    }

    pub async fn delete(&self, path: &str) -> Response {
        self.send(Call::new(Method::DELETE, path)).await
    }

    /// All objects of a list, page by page; `path` may have a query.
    pub async fn list(&self, path: &str) -> Vec<Value> {
        let sign = if path.contains('?') { '&' } else { '?' };
        let mut all: Vec<Value> = Vec::new();
        loop {
            let after = all.last().map(|last| format!("&starting_after={}", text(last, "id")));
            let page = format!("{path}{sign}limit=200{}", after.unwrap_or_default());
            let mut page = self.get(&page).await.must_be(200);
            let more = page["has_more"].as_bool().expect("has_more");
            let objects = page["data"].as_array_mut().expect("data").split_off(0);
            assert!(!(more && objects.is_empty()), "more is promised, none is there: {page}");
            all.extend(objects);
            if !more {
                return all;
            }
        }
    }

    /// Sends and reads the whole answer; panics if the daemon cannot be reached or does not answer.
    pub async fn send(&self, call: Call) -> Response {
        let name = format!("{} {}", call.method, call.path);
        self.try_send(call).await.unwrap_or_else(|why| panic!("{name}: {why}"))
    }

    /// [`send`](Self::send) to a daemon that may die meanwhile.
    pub async fn try_send(&self, call: Call) -> Result<Response, String> {
        let answer = wait::within(wait::DEADLINE, self.exchange(call)).await;
        let response = answer.unwrap_or_else(|| Err("no answer before the deadline".to_owned()))?;
        let id = response.header("x-request-id").unwrap_or_default();
        assert!(id.starts_with("req_"), "expected an X-Request-Id of req_… in {response:?}");
        Ok(response)
    }

    async fn exchange(&self, call: Call) -> Result<Response, String> {
        let (head, body) = self.open(call).await?.into_parts();
        let body = body.collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
        Ok(Response { status: head.status, headers: head.headers, body })
    }

    /// Sends, and gives the answer as soon as its head is here.
    pub async fn open(&self, call: Call) -> Result<http::Response<Incoming>, String> {
        let mut request = http::Request::new(Full::new(call.body));
        *request.method_mut() = call.method;
        *request.uri_mut() = format!("{}{}", self.base, call.path).parse().unwrap();
        *request.headers_mut() = call.headers;
        if let Some(authorization) = &self.authorization {
            let value = HeaderValue::from_str(authorization).unwrap();
            request.headers_mut().entry(AUTHORIZATION).or_insert(value);
        }
        self.http.request(request).await.map_err(|error| format!("{error:?}"))
    }
}

/// The text at `name`; panics with the object if there is none.
pub fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_else(|| panic!("no text '{name}' in {object}"))
}

/// Whether the answer says that it is JSON.
pub fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"))
}
