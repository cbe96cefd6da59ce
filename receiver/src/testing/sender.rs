//! Signs as the dispatcher does.

use std::fmt;

use bluum_hooks_shared::asymmetric::{self, PrivateKey};
use bluum_hooks_shared::event::traceparent;
use bluum_hooks_shared::header;
use bluum_hooks_shared::id::{AttemptId, EventId};

use super::{Clock, TestEvent};
use crate::{Key, Secret, SigningKey, Verifier};

/// The sender of a webhook's deliveries, with its keys.
#[derive(Debug, Clone)]
pub struct TestSender {
    secrets: Vec<Secret>,
    pairs: Vec<PrivateKey>,
    clock: Clock,
}

impl Default for TestSender {
    fn default() -> Self {
        Self::new()
    }
}

impl TestSender {
    /// The secret of [`new`](Self::new), as a configuration variable holds it. No secret at all:
    /// it is printed here.
    pub const SECRET: &str = "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";

    /// Signs with [`SECRET`](Self::SECRET).
    pub fn new() -> Self {
        Self::signing_with(Secret::parse(Self::SECRET), [])
    }

    /// Signs with these secrets and these key pairs, each beside the others, as during a rotation.
    pub fn signing_with(
        secrets: impl IntoIterator<Item = Secret>,
        pairs: impl IntoIterator<Item = PrivateKey>,
    ) -> Self {
        Self {
            secrets: secrets.into_iter().collect(),
            pairs: pairs.into_iter().collect(),
            clock: Clock::default(),
        }
    }

    /// What it takes as the time. Let the receiver under test go by the same.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The same keys, by another clock.
    #[must_use]
    pub fn with_clock(&self, clock: Clock) -> Self {
        Self { clock, ..self.clone() }
    }

    /// What a partner verifies with: each secret, and the public half of each key pair.
    pub fn keys(&self) -> Vec<Key> {
        let public = self.pairs.iter().map(|pair| pair.public_key().into());
        self.secrets.iter().cloned().map(Key::from).chain(public).collect()
    }

    /// A verifier with all of them, and otherwise as it comes.
    pub fn verifier(&self) -> Verifier {
        Verifier::new(self.keys())
    }

    /// The first attempt at delivering an event.
    pub fn sign(&self, event: &TestEvent) -> Signed {
        let id = event.event_id();
        self.request(&id.to_string(), event.body().into_bytes(), event.sequence(), 1)
    }

    /// A delivery of any bytes under any id: for what no dispatcher would send, and is signed.
    pub fn sign_bytes(&self, id: &str, body: impl Into<Vec<u8>>) -> Signed {
        self.request(id, body.into(), 1, 1)
    }

    /// The next attempt at the same delivery, signed anew with the time that it is now.
    pub fn resend(&self, before: &Signed) -> Signed {
        let number =
            |name| before.header(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or(1);
        let sequence = number(header::WEBHOOK_SEQUENCE);
        let attempt = number(header::WEBHOOK_ATTEMPT).saturating_add(1);
        self.request(before.id(), before.body.clone(), sequence, attempt)
    }

    fn request(&self, id: &str, body: Vec<u8>, sequence: u64, attempt: u64) -> Signed {
        let now = self.clock.now();
        let seconds = now.as_unix_seconds();
        let event = id.parse().unwrap_or_else(|_| EventId::new(now, 0));
        let span = AttemptId::new(now, attempt.into());
        let headers = [
            (header::WEBHOOK_ID, id.to_owned()),
            (header::WEBHOOK_TIMESTAMP, seconds.to_string()),
            (header::WEBHOOK_SIGNATURE, self.signatures(id, seconds, &body)),
            (header::WEBHOOK_SEQUENCE, sequence.to_string()),
            (header::WEBHOOK_ATTEMPT, attempt.to_string()),
            (header::TRACEPARENT, traceparent(event, span)),
            ("content-type", header::JSON.to_owned()),
            ("user-agent", header::AGENT.to_owned()),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.into_bytes()));
        Signed { headers: headers.into(), body }
    }

    /// The value of `webhook-signature`: an entry for each key, secrets first.
    pub(super) fn signatures(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let content = asymmetric::content(id, &seconds.to_string(), body);
        let secrets = self.secrets.iter();
        let signed = secrets.map(|secret| SigningKey::new(secret).sign(id, seconds, body));
        let entries = signed.chain(self.pairs.iter().map(|pair| pair.sign(&content)));
        entries.collect::<Vec<_>>().join(" ")
    }

    pub(super) fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    pub(super) fn pairs(&self) -> &[PrivateKey] {
        &self.pairs
    }
}

/// A request to a receiver: headers as pairs, and a body. Change it as you like, and see.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signed {
    /// Names in lower case, in the order of sending. A receiver may see them in another one.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body as it goes over the wire.
    pub body: Vec<u8>,
}

impl Signed {
    /// The first value of a header, if it is there and UTF-8. `name` is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(key, _)| key == name)?;
        str::from_utf8(value).ok()
    }

    /// The value of `webhook-id`; empty if there is none.
    pub fn id(&self) -> &str {
        self.header(header::WEBHOOK_ID).unwrap_or_default()
    }

    /// With this value in place of whatever the header had.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        let value = value.into();
        match self.headers.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.headers.push((name.to_owned(), value)),
        }
        self
    }

    /// Without this header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(key, _)| key != name);
        self
    }

    /// With this header once more.
    #[must_use]
    pub fn and(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With this body, under the old signature.
    #[must_use]
    pub fn with_body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// A POST to this address, for a router or a service.
    ///
    /// Fails where the headers cannot be sent over HTTP, as values with line breaks in them, or
    /// `uri` is none. What cannot be sent reaches no receiver, so pass over it.
    #[cfg(feature = "http")]
    pub fn into_http<B: From<Vec<u8>>>(self, uri: &str) -> Result<http::Request<B>, http::Error> {
        let request = http::Request::post(uri);
        let headers = self.headers.into_iter();
        headers
            .fold(request, |request, (name, value)| request.header(name, value))
            .body(self.body.into())
    }
}

/// Readable, and cut short: it is here to be read in a test that failed.
impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 300;
        let cut = |bytes: &[u8]| {
            let more = if bytes.len() > SHOWN { "…" } else { "" };
            format!("{}{more}", bytes[..bytes.len().min(SHOWN)].escape_ascii())
        };
        writeln!(f, "POST, {} bytes", self.body.len())?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", cut(value))?;
        }
        write!(f, "\n{}", cut(&self.body))
    }
}
