//! The dispatcher's side: a listener's routes, and what they take and give.

use std::sync::Arc;
use std::time::Duration;

use bluum_hooks_shared::api::{Listener, Sought};
use hyper::body::Incoming;
use serde::Serialize;
use url::form_urlencoded::Serializer;

use super::identity::Identity;
use crate::cli::query;
use crate::client::{Client, ClientError};

/// How long an answer may take. A stream has its own limits.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is wished of a listener.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Wanted {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) events: Vec<String>,
    pub(super) retry: bool,
    pub(super) timeout_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tenant: Option<String>,
}

/// What became of one attempt. The same delivery and attempt has the same result.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    pub(super) delivery: Arc<str>,
    pub(super) attempt: u32,
    pub(super) outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) latency_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body_b64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

impl Report {
    /// One that says no more than its outcome.
    pub(super) fn bare(delivery: Arc<str>, attempt: u32, outcome: &'static str) -> Self {
        let (status, latency_ms, body_b64, error) = (None, None, None, None);
        Self { delivery, attempt, outcome, status, latency_ms, body_b64, error }
    }
}

/// Where to begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Place {
    /// `now`, `last`, or a time.
    Text(String),
    Cursor(i64),
}

/// How to take a name that somebody else has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Alone,
    Takeover,
    Share,
}

/// One listener of one daemon.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    client: Client,
    base: String,
    path: String,
    tenant: Option<String>,
}

impl Remote {
    pub(super) fn new(client: Client, base: &str, name: &str, tenant: Option<String>) -> Self {
        let path = query::item("/v1/listeners", name);
        Self { client, base: base.to_owned(), path, tenant }
    }

    pub(super) async fn put(&self, wanted: &Wanted) -> Result<Listener, ClientError> {
        let answer = self.in_time(self.client.put(&self.path, wanted)).await?;
        self.client.read(&answer)
    }

    pub(super) async fn get(&self) -> Result<Listener, ClientError> {
        let answer = self.in_time(self.client.get(&self.of("", &[]))).await?;
        self.client.read(&answer)
    }

    /// [`get`](Self::get), where there may be none of this name.
    pub(super) async fn find(&self) -> Result<Option<Listener>, ClientError> {
        match self.get().await {
            Err(ClientError::Refused { status: 404, .. }) => Ok(None),
            found => found.map(Some),
        }
    }

    pub(super) async fn seek(&self, to: &Place) -> Result<Sought, ClientError> {
        let path = self.of("/seek", &[]);
        let body = serde_json::json!({ "to": to });
        let answer = self.in_time(self.client.post(&path, &body)).await?;
        self.client.read(&answer)
    }

    pub(super) async fn results(&self, results: &[Report]) -> Result<(), ClientError> {
        let path = self.of("/results", &[]);
        self.in_time(self.client.post(&path, &results)).await.map(drop)
    }

    /// Delivers a delivery again: new signature, new timestamp.
    pub(super) async fn replay(&self, delivery: &str) -> Result<(), ClientError> {
        let path = format!("{}/replay", query::item("/v1/deliveries", delivery));
        self.in_time(self.client.post(&path, &serde_json::json!({}))).await.map(drop)
    }

    pub(super) async fn stream(
        &self,
        identity: &Identity,
        window: u16,
        manner: Manner,
        after: Option<i64>,
    ) -> Result<Incoming, ClientError> {
        let (window, pid) = (window.to_string(), identity.pid.to_string());
        let mut query = vec![
            ("window", window.as_str()),
            ("instance", &identity.instance),
            ("machine", &identity.machine),
            ("pid", &pid),
        ];
        match manner {
            Manner::Alone => {}
            Manner::Takeover => query.push(("takeover", "true")),
            Manner::Share => query.push(("share", "true")),
        }
        let path = self.of("/stream", &query);
        let after = after.map(|cursor| cursor.to_string());
        self.in_time(self.client.stream_after(&path, after.as_deref())).await
    }

    fn of(&self, tail: &str, query: &[(&str, &str)]) -> String {
        let tenant = self.tenant.as_deref().map(|tenant| ("tenant", tenant));
        let query = query.iter().copied().chain(tenant);
        match Serializer::new(String::new()).extend_pairs(query).finish() {
            query if query.is_empty() => format!("{}{tail}", self.path),
            query => format!("{}{tail}?{query}", self.path),
        }
    }

    async fn in_time<T>(
        &self,
        asked: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let late = |_| ClientError::Unreachable {
            base: self.base.clone(),
            cause: format!("no answer within {} s", PATIENCE.as_secs()),
        };
        tokio::time::timeout(PATIENCE, asked).await.map_err(late)?
    }
}

/// Whether asking again may help: the daemon is away, or busy, or something stands between.
pub(super) fn may_pass(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } | ClientError::TooFast { .. } => true,
        ClientError::Refused { status, .. } => *status == 429 || *status == 408 || *status >= 500,
        ClientError::Strange { status, .. } => *status >= 500 || *status == 407 || *status == 404,
        ClientError::BadBase(_) => false,
    }
}
