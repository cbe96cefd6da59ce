//! Why something fails, in a line; once per cause.

use std::collections::HashSet;
use std::time::Duration;

use bluum_hooks_shared::header::{WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use bluum_hooks_shared::signature::SigningKey;
use bluum_hooks_shared::time::Timestamp;
use http::header::{CONTENT_TYPE, LOCATION};

use super::forward::Attempt;
use super::held::Held;
use super::record::Outcome;
use super::tally::millis;
use crate::cli::show::words::{harmless, took};
use crate::cli::target::Target;

/// A clock that is further off makes signatures look stale.
const CLOCK_OFF: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Cause {
    Refused,
    Redirected,
    Unauthorized,
    NoRoute,
    Page,
    Tls,
    Slow,
    Clock,
}

#[derive(Debug)]
pub(super) struct Hints {
    key: SigningKey,
    timeout: Option<Duration>,
    /// Whether `verify last` finds what is forwarded.
    saved: bool,
    said: HashSet<Cause>,
}

impl Hints {
    /// `key` is what requests are signed with.
    pub(super) fn new(key: SigningKey, timeout: Option<Duration>, saved: bool) -> Self {
        Self { key, timeout, saved, said: HashSet::new() }
    }

    pub(super) fn key(&self) -> &SigningKey {
        &self.key
    }

    /// What to say about an attempt, if it was not said before.
    pub(super) fn of(&mut self, held: &Held, attempt: &Attempt, to: &Target) -> Option<String> {
        let cause = self.cause(attempt)?;
        if !self.said.insert(cause) {
            return None;
        }
        let path = to.path.split('?').next().unwrap_or_default();
        Some(match cause {
            Cause::Refused if to.is_localhost() => {
                format!("nothing listens on {} (tried 127.0.0.1 and [::1])", to.authority())
            }
            Cause::Refused => format!("nothing listens on {}", to.authority()),
            Cause::Redirected => {
                let place = header(attempt, LOCATION.as_str()).unwrap_or_default();
                format!(
                    "redirected to {}; not followed, a sender would not either: use that as the \
                     target",
                    harmless(&place)
                )
            }
            Cause::Unauthorized => self.signature(held),
            Cause::NoRoute => format!("POST {path} is not a route of the app"),
            Cause::Page => {
                format!("that is a page; is {} the front end?", to.authority())
            }
            Cause::Tls => "self-signed? -k takes any certificate, --ca-cert trusts its CA".into(),
            Cause::Slow => {
                let limit = self.timeout.unwrap_or_default();
                format!(
                    "{} ms is past half of the {} time-out; answer first, do the work after",
                    millis(attempt.latency),
                    took(limit)
                )
            }
            Cause::Clock => return None,
        })
    }

    /// What to say about this machine's clock.
    pub(super) fn of_clock(&mut self, here: Timestamp, there: Timestamp) -> Option<String> {
        let off = here.since(there).max(there.since(here));
        let said = off > CLOCK_OFF && self.said.insert(Cause::Clock);
        said.then(|| {
            format!("this clock is {} off the dispatcher's: signatures will look stale", took(off))
        })
    }

    fn cause(&self, attempt: &Attempt) -> Option<Cause> {
        let late = self.timeout.is_some_and(|timeout| attempt.latency > timeout / 2);
        match (attempt.outcome, attempt.status) {
            (Outcome::ConnectError, _)
                if attempt.error.as_deref() == Some("connection refused") =>
            {
                Some(Cause::Refused)
            }
            (Outcome::TlsError, _) => Some(Cause::Tls),
            (Outcome::Timeout, _) => Some(Cause::Slow),
            (_, Some(300..400)) => Some(Cause::Redirected),
            (_, Some(400 | 401 | 403)) => Some(Cause::Unauthorized),
            (_, Some(404 | 405)) => Some(Cause::NoRoute),
            (_, Some(200..300)) if is_page(attempt) => Some(Cause::Page),
            _ => late.then_some(Cause::Slow),
        }
    }

    /// Says whose fault it is not.
    fn signature(&self, held: &Held) -> String {
        let header = |name: &str| {
            let mut headers = held.arrival.headers.iter();
            let found = headers.find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map_or("", |(_, value)| value)
        };
        let mac = self.key.mac(header(WEBHOOK_ID), header(WEBHOOK_TIMESTAMP), &held.arrival.body);
        let fingerprint = self.key.fingerprint();
        match mac.is_listed(header(WEBHOOK_SIGNATURE)) {
            true => format!(
                "this request's signature is valid for the secret {fingerprint} (checked here); \
                 usual causes: the body is parsed before it is verified, or the app reads another \
                 secret (--print-secret). To see which: {}bluum-hooks verify last",
                if self.saved { "" } else { "listen with --save FILE, then " }
            ),
            false => format!(
                "this request's signature is not valid for the secret {fingerprint} (checked \
                 here): it was changed or rotated; start `listen` again"
            ),
        }
    }
}

fn header(attempt: &Attempt, name: &str) -> Option<String> {
    let value = attempt.answer.as_ref()?.headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn is_page(attempt: &Attempt) -> bool {
    header(attempt, CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("text/html"))
}
