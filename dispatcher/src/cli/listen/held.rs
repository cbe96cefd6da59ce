//! An event that is here: what it is, where it goes, and what is told of it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bluum_hooks_shared::time::Timestamp;
use futures_util::future::join_all;
use serde::Deserialize;

use super::forward::{Answer, Attempt, Forwarder};
use super::frames::Arrival;
use super::record::{self, Message, Outcome};
use super::remote::Report;
use super::tally::millis;
use super::vigil::Moment;
use crate::clock::{Clock, SystemClock};

/// The most of an answer's body that the dispatcher keeps.
const REPORTED: usize = 1_024;

/// What of an event's body is looked at whatever the options.
#[derive(Debug, Default, Deserialize)]
struct Envelope {
    #[serde(default)]
    event: String,
}

/// One attempt of one delivery, while it is here.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) arrival: Box<Arrival>,
    pub(super) event_type: String,
    /// Indexes of targets.
    pub(super) routes: Vec<usize>,
    pub(super) came: Moment,
}

/// What was sent where, and what came of it.
#[derive(Debug)]
pub(super) struct Sent {
    /// The target's index; none for what is printed alone.
    pub(super) route: Option<usize>,
    pub(super) at: Timestamp,
    pub(super) attempt: Attempt,
}

impl Held {
    pub(super) fn new(arrival: Box<Arrival>, came: Moment) -> Self {
        // Whatever cannot be read is forwarded all the same.
        let envelope: Envelope = serde_json::from_slice(&arrival.body).unwrap_or_default();
        Self { arrival, event_type: envelope.event, routes: Vec::new(), came }
    }

    /// For the dispatcher: of several targets, the first that failed.
    pub(super) fn report(&self, sent: &[Sent], with_body: bool) -> Report {
        let told = sent.iter().find(|sent| !sent.attempt.is_success()).or(sent.first());
        let bare =
            |outcome| Report::bare(self.arrival.delivery.clone(), self.arrival.attempt, outcome);
        let Some(Sent { attempt, .. }) = told else { return bare("filtered") };
        let outcome = match attempt.outcome {
            Outcome::Response => "response",
            Outcome::ConnectError => "connect_error",
            Outcome::TlsError => "tls_error",
            Outcome::Timeout => "timeout",
            Outcome::Reset => "reset",
            Outcome::Cancelled => "cancelled",
            Outcome::Filtered | Outcome::Printed => return bare("filtered"),
        };
        let body = attempt.answer.as_ref().filter(|_| with_body);
        let body =
            body.map(|answer| STANDARD.encode(&answer.body[..answer.body.len().min(REPORTED)]));
        Report {
            status: attempt.status,
            latency_ms: Some(millis(attempt.latency)),
            body_b64: body,
            error: attempt.error.clone(),
            ..bare(outcome)
        }
    }

    /// For people and files.
    pub(super) fn record(&self, sent: &Sent, target: Option<String>) -> record::Delivery {
        #[derive(Default, Deserialize)]
        struct Facts {
            timestamp: Option<String>,
            #[serde(default)]
            livemode: bool,
        }
        let facts: Facts = serde_json::from_slice(&self.arrival.body).unwrap_or_default();
        let Sent { at, attempt, .. } = sent;
        record::Delivery {
            cursor: self.arrival.cursor,
            delivery: self.arrival.delivery.as_ref().to_owned(),
            event: self.arrival.event.clone(),
            event_type: self.event_type.clone(),
            created: facts.timestamp,
            livemode: facts.livemode,
            attempt: self.arrival.attempt,
            redelivered: self.arrival.redelivered,
            target,
            at: at.to_string(),
            outcome: attempt.outcome,
            status: attempt.status,
            latency_ms: millis(attempt.latency),
            error: attempt.error.clone(),
            request: message(self.arrival.headers.clone(), &self.arrival.body, false),
            response: attempt.answer.as_ref().map(response),
        }
    }
}

fn response(answer: &Answer) -> Message {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = answer.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
    message(headers.collect(), &answer.body, answer.truncated)
}

fn message(headers: Vec<(String, String)>, bytes: &[u8], truncated: bool) -> Message {
    let (body, body_b64) = match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(STANDARD.encode(bytes))),
    };
    Message { headers, body, body_b64, truncated }
}

/// Shared by the task that sends it and the loop that waits for it.
pub(super) type Shared = Arc<Held>;

/// To all its targets at once.
pub(super) async fn send(
    held: Shared,
    to: Vec<(usize, Arc<Forwarder>)>,
    clock: SystemClock,
) -> (Shared, Vec<Sent>) {
    let arrival = &held.arrival;
    let sent = to.iter().map(async |(route, forwarder)| {
        let at = clock.now();
        let attempt = forwarder.send(&arrival.headers, &arrival.body, &clock).await;
        Sent { route: Some(*route), at, attempt }
    });
    let sent = join_all(sent).await;
    (held, sent)
}
