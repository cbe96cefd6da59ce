//! Straight to a server, signed here as the dispatcher would; and wrongly, if that is wanted.

use std::io;
use std::time::Duration;

use bluum_hooks_shared::event::traceparent;
use bluum_hooks_shared::header;
use bluum_hooks_shared::id::AttemptId;
use bluum_hooks_shared::secret::Secret;
use bluum_hooks_shared::signature::SigningKey;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::{Ipv4Net, Ipv6Net};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::fault::Fault;
use super::story::Draft;
use crate::cli::failure::{Failure, Status};
use crate::cli::print::Printer;
use crate::cli::profile::{self, Project};
use crate::cli::signed;
use crate::cli::target::Target;
use crate::clock::{Clock, SystemClock};
use crate::random::{Random, SystemRandom};
use crate::transport::http::HttpTransport;
use crate::transport::{Request, SendError, Targets, Transport};

/// For whoever has none: it signs nothing that is worth anything.
const DEMO_SECRET: &str = "whsec_NotASecret/OnlyForDemosOfBluumHooksTrigger0=";
/// As long as the dispatcher waits, unless a webhook is set otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Older than any receiver takes by default.
const STALE: Duration = Duration::from_mins(10);

/// A server to send to.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) target: Target,
    key: SigningKey,
    forged: SigningKey,
    transport: HttpTransport,
    clock: SystemClock,
}

/// How one request ended.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: Option<u16>,
    pub(super) latency: Duration,
    /// Why there is no status.
    pub(super) error: Option<SendError>,
}

impl Local {
    pub(super) fn new(
        target: &Target,
        secret: Option<&str>,
        project: Option<&Project>,
        printer: Printer,
    ) -> Result<Self, Failure> {
        let mut forged = [0; 32];
        SystemRandom.fill(&mut forged);
        let forged = Secret::from_bytes(&forged).map_err(|error| Failure::unexpected(&error))?;
        // Networks of no bits: every address.
        let anywhere = vec![Ipv4Net::default().into(), Ipv6Net::default().into()];
        let transport = HttpTransport::new(Targets::new(anywhere))
            .map_err(|error| Failure::unexpected(&error))?;
        Ok(Self {
            target: target.clone(),
            key: SigningKey::new(&secret_of(secret, project, printer)?),
            forged: SigningKey::new(&forged),
            transport,
            clock: SystemClock::new(),
        })
    }

    /// Sends an event, signed now.
    pub(super) async fn send(&self, draft: &Draft, attempt: u32, faults: &[Fault]) -> Reply {
        let body = draft.body();
        let headers = self.headers(draft, attempt, faults, &body);
        let began = self.clock.monotonic();
        let sent = match faults.contains(&Fault::DropMidBody) {
            true => {
                let sent = self.cut_off(&headers, body.as_bytes());
                let sent = tokio::time::timeout(TIMEOUT, sent).await;
                sent.unwrap_or(Err(SendError::Timeout(TIMEOUT)))
            }
            false => {
                let url = self.target.to_string();
                let request = Request { url, headers, body: body.into(), timeout: TIMEOUT };
                self.transport.send(request).await.map(|answer| answer.status)
            }
        };
        let latency = self.clock.monotonic().saturating_sub(began);
        Reply { status: sent.as_ref().ok().copied(), latency, error: sent.err() }
    }

    fn headers(&self, draft: &Draft, attempt: u32, faults: &[Fault], body: &str) -> HeaderMap {
        let now = self.clock.now();
        let is_stale = faults.contains(&Fault::StaleTimestamp);
        let signed_at = if is_stale { now.minus(STALE) } else { now }.as_unix_seconds();
        let key = if faults.contains(&Fault::BadSignature) { &self.forged } else { &self.key };
        let id = draft.id.to_string();
        let signature = key.sign(&id, signed_at, body.as_bytes());
        let trace = traceparent(draft.id, AttemptId::new(now, SystemRandom.bits()));
        let headers = [
            (header::WEBHOOK_ID, id),
            (header::WEBHOOK_TIMESTAMP, signed_at.to_string()),
            (header::WEBHOOK_SIGNATURE, signature),
            (header::WEBHOOK_ATTEMPT, attempt.to_string()),
            (header::TRACEPARENT, trace),
            (CONTENT_TYPE.as_str(), header::JSON.to_owned()),
            (USER_AGENT.as_str(), header::AGENT.to_owned()),
        ];
        // Digits, ids and base64: always a header value.
        let header = |(name, value)| {
            Some((HeaderName::from_static(name), HeaderValue::try_from(value).ok()?))
        };
        headers.into_iter().filter_map(header).collect()
    }

    /// A request that announces its whole body, and ends in the middle of it.
    async fn cut_off(&self, headers: &HeaderMap, body: &[u8]) -> Result<u16, SendError> {
        let Target { path, .. } = &self.target;
        let mut head = format!("POST {path} HTTP/1.1\r\nhost: {}\r\n", self.target.authority());
        for (name, value) in headers {
            head += &format!("{name}: {}\r\n", value.to_str().unwrap_or_default());
        }
        head += &format!("content-length: {}\r\n\r\n", body.len());
        let connected = TcpStream::connect(self.target.address()).await;
        let mut stream = connected.map_err(|error| SendError::Connect(error.to_string()))?;
        let half = &body[..body.len() / 2];
        let written: io::Result<()> = async {
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(half).await?;
            stream.shutdown().await
        }
        .await;
        written.map_err(|error| SendError::Broken(error.to_string()))?;
        Err(SendError::Broken(format!("ended after {} of {} bytes", half.len(), body.len())))
    }
}

/// The secret from where it was said to be, or where receivers have it.
fn secret_of(
    from: Option<&str>,
    project: Option<&Project>,
    printer: Printer,
) -> Result<Secret, Failure> {
    let from = from.map(str::to_owned).or_else(|| profile::app_secret_that_is_set(project));
    let Some(from) = from else {
        printer.talk(&format!(
            "signed with the demo secret {DEMO_SECRET}; give it to the server as its secret, or \
             say where the server's own is: --secret env:VAR"
        ));
        return Secret::parse(DEMO_SECRET).map_err(|error| Failure::unexpected(&error));
    };
    let text = signed::key(&from)?.text;
    Secret::parse(&text).map_err(|error| {
        Failure::new(Status::Usage, format!("{from}: {error}"))
            .then("a webhook's secret begins with whsec_")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_secret_is_one_and_says_what_it_is() {
        let secret = Secret::parse(DEMO_SECRET).unwrap();
        assert_eq!((secret.as_bytes().len(), &**secret.to_whsec()), (32, DEMO_SECRET));
        assert!(DEMO_SECRET.contains("NotASecret"));
    }
}
