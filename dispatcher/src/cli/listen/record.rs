//! What `listen` tells: a line of NDJSON each, and what the views draw.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::cli::line::{Code, Row};

/// One line of `--json` and `--save`, with `"v":1` in front. Fields are only ever added.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in crate::cli) enum Record {
    Ready(Ready),
    Delivery(Box<Delivery>),
    Disconnected { reason: String, retry_ms: u64 },
    Resumed { offline_ms: u64, waiting: u64, transport: String },
    Gap { from: i64, to: i64, count: u64, reason: String },
    Paused { reason: String },
    End { reason: String, exit: u8, delivered: u64, failed: u64 },
    Error { code: String, exit: u8, message: String, hint: Option<String> },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::cli) struct Ready {
    pub(in crate::cli) listener: String,
    pub(in crate::cli) webhook: String,
    pub(in crate::cli) livemode: bool,
    pub(in crate::cli) targets: Vec<String>,
    pub(in crate::cli) cursor: i64,
    pub(in crate::cli) waiting: u64,
    pub(in crate::cli) secret_fingerprint: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::cli) struct Delivery {
    pub(in crate::cli) cursor: i64,
    pub(in crate::cli) delivery: String,
    pub(in crate::cli) event: String,
    pub(in crate::cli) event_type: String,
    pub(in crate::cli) created: Option<String>,
    pub(in crate::cli) livemode: bool,
    pub(in crate::cli) attempt: u32,
    pub(in crate::cli) redelivered: bool,
    /// None: printed, forwarded nowhere.
    pub(in crate::cli) target: Option<String>,
    /// When forwarding began.
    pub(in crate::cli) at: String,
    pub(in crate::cli) outcome: Outcome,
    pub(in crate::cli) status: Option<u16>,
    pub(in crate::cli) latency_ms: u64,
    pub(in crate::cli) error: Option<String>,
    pub(in crate::cli) request: Message,
    pub(in crate::cli) response: Option<Message>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum Outcome {
    Response,
    ConnectError,
    TlsError,
    Timeout,
    Reset,
    Cancelled,
    Filtered,
    Printed,
}

/// Headers and body of one direction. The body as text if it is UTF-8, else in base64.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cli) struct Message {
    pub(in crate::cli) headers: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) body_b64: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::cli) truncated: bool,
}

impl Delivery {
    /// Whether a sender would call this a failure.
    pub(in crate::cli) fn failed(&self) -> bool {
        match self.outcome {
            Outcome::Response => !self.status.is_some_and(|status| (200..300).contains(&status)),
            Outcome::ConnectError | Outcome::TlsError | Outcome::Timeout | Outcome::Reset => true,
            Outcome::Cancelled | Outcome::Filtered | Outcome::Printed => false,
        }
    }

    /// As a line has it.
    pub(in crate::cli) fn row(&self) -> Row<'_> {
        let error = self.error.as_deref();
        let (code, cause) = match self.outcome {
            Outcome::Response => (self.status.into(), error),
            Outcome::Timeout => (Code::NoAnswer, Some("time-out")),
            Outcome::ConnectError | Outcome::TlsError | Outcome::Reset => (Code::NoAnswer, error),
            Outcome::Cancelled => (Code::Nowhere, Some("given back")),
            Outcome::Filtered => (Code::Nowhere, error.or(Some("filtered"))),
            Outcome::Printed => (Code::Nowhere, None),
        };
        Row {
            at: self.at.as_str().into(),
            code,
            latency_ms: self.latency_ms,
            event_type: &self.event_type,
            event: &self.event,
            attempt: self.attempt,
            redelivered: self.redelivered,
            livemode: self.livemode,
            target: self.target.as_deref(),
            cause,
            answer: self.response.as_ref().filter(|_| self.failed()).map(Message::text),
        }
    }
}

impl Message {
    /// The bytes that were sent, as far as they are kept.
    pub(in crate::cli) fn bytes(&self) -> Cow<'_, [u8]> {
        match (&self.body, &self.body_b64) {
            (Some(text), _) => text.as_bytes().into(),
            (None, Some(encoded)) => STANDARD.decode(encoded).unwrap_or_default().into(),
            (None, None) => Cow::default(),
        }
    }

    /// As text, whatever the bytes are.
    pub(in crate::cli) fn text(&self) -> Cow<'_, str> {
        match &self.body {
            Some(text) => text.into(),
            None => String::from_utf8_lossy(&self.bytes()).into_owned().into(),
        }
    }
}

/// What happens, for the views.
#[derive(Debug, Clone)]
pub(in crate::cli) enum Happening {
    /// Forwarding began; its `Record::Delivery` follows. Same `delivery` id.
    Began {
        delivery: String,
        event: String,
        event_type: String,
        attempt: u32,
        target: Option<String>,
        at: String,
    },
    Told(std::sync::Arc<Record>),
    /// How many wait at the dispatcher.
    Waiting(u64),
    /// Why something fails, once per cause.
    Hint(String),
    /// The answer to a wish that could not be had, or a word about one that could.
    Notice(String),
}

/// What the user wishes by a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Wish {
    /// Ask the dispatcher to deliver this delivery again: new signature and timestamp.
    Replay {
        delivery: String,
    },
    /// Send these bytes with these headers again, from here, to the same target; not reported.
    Resend {
        delivery: String,
    },
    /// Send this body to the same target, signed anew, from here; not reported.
    SendEdited {
        delivery: String,
        body: Vec<u8>,
    },
    Pause(bool),
    Quit,
}
