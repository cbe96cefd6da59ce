//! The checks, in the order in which one needs the other.

use std::time::Duration;

use bluum_hooks_shared::api::{ApiKey, Listener};
use bluum_hooks_shared::secret::Secret;
use bluum_hooks_shared::time::Timestamp;
use http_body_util::BodyExt;
use tokio::net::TcpStream;

use super::Finding;
use crate::cli::args::{DoctorArgs, Global};
use crate::cli::failure::{Failure, Status};
use crate::cli::print::Printer;
use crate::cli::profile::Sources;
use crate::cli::target::route;
use crate::cli::{keys, login, query, signed};
use crate::client::{Client, ClientError};
use crate::clock::{Clock, SystemClock};

/// Beyond this, signatures look stale to some receivers.
const MOST_OFFSET: Duration = Duration::from_secs(60);
/// The daemon says something at least every five seconds.
const STREAM_PATIENCE: Duration = Duration::from_secs(6);
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);

/// What has been found so far.
pub(super) struct Findings {
    pub(super) printer: Printer,
    /// The status of the first that is not well.
    pub(super) worst: Option<Status>,
}

impl Findings {
    pub(super) fn new(printer: Printer) -> Self {
        Self { printer, worst: None }
    }

    fn well(&mut self, check: &'static str, message: String) {
        let finding = Finding { check, well: Some(true), message, next: None };
        self.tell(&finding, Status::Failed);
    }

    fn skipped(&mut self, check: &'static str, message: &str) {
        let finding = Finding { check, well: None, message: message.into(), next: None };
        self.tell(&finding, Status::Failed);
    }

    fn bad(&mut self, check: &'static str, failure: &Failure) {
        let (message, next) = (failure.message.clone(), failure.next().map(str::to_owned));
        self.tell(&Finding { check, well: Some(false), message, next }, failure.status);
    }
}

pub(super) async fn all(args: &DoctorArgs, global: &Global, findings: &mut Findings) {
    let sources = match settings(global, findings) {
        Some(sources) => sources,
        None => return,
    };
    let client = daemon(&sources, findings).await;
    if let Some((client, is_operator)) = &client {
        stream(client, *is_operator, findings).await;
    }
    let targets = match (&args.target[..], &sources.project) {
        ([], Some(project)) => &project.listen.targets,
        (_, _) => &args.target,
    };
    target(targets, findings).await;
    let name = sources.listener(args.name.as_deref()).value;
    match &client {
        Some((client, _)) => secret(&name, &sources, client, findings).await,
        None => findings.skipped("secret", "not compared, as the daemon cannot be asked"),
    }
}

/// Whether the files can be read, and say enough.
fn settings(global: &Global, findings: &mut Findings) -> Option<Sources> {
    let sources = match global.sources() {
        Ok(sources) => sources,
        Err(failure) => {
            findings.bad("settings", &failure);
            return None;
        }
    };
    let place = &sources.place;
    if place.is_open_to_others() {
        let message = format!("{place} can be read by others");
        let next = format!("run `chmod 600 {place}`");
        findings.bad("settings", &Failure::new(Status::Usage, message).then(next));
        return Some(sources);
    }
    let project = sources.project.as_ref().map(|project| project.path.display().to_string());
    findings.well(
        "settings",
        format!(
            "profile '{}' ({}); project {}",
            sources.profile.value,
            sources.profile.from,
            project.as_deref().unwrap_or("none"),
        ),
    );
    Some(sources)
}

/// Whether the daemon is there, knows the key, and has the same time; and if the key is an
/// operator's.
async fn daemon(sources: &Sources, findings: &mut Findings) -> Option<(Client, bool)> {
    let base = sources.base();
    let said = sources.login();
    let (key, secret) = match &said {
        Ok(said) => (&*said.key.value, &*said.secret),
        Err(_) => ("", ""),
    };
    let client = match login::connect(&base.value, key, secret) {
        Ok(client) => client,
        Err(failure) => {
            findings.bad("daemon", &failure);
            return None;
        }
    };
    let clock = SystemClock::new();
    let began = clock.monotonic();
    match client.date().await {
        Ok(date) => {
            let took = clock.monotonic().saturating_sub(began).as_millis();
            findings.well("daemon", format!("{} answers in {took} ms ({})", base.value, base.from));
            compare_clocks(date.as_deref(), clock.now(), findings);
        }
        Err(error) => {
            findings.bad("daemon", &error.into());
            findings.skipped("credentials", "not checked, as the daemon cannot be asked");
            return None;
        }
    }
    let checked = async {
        let said = said?;
        let key: ApiKey = query::one(&client, "/v1/keys", &said.key.value).await?;
        Ok::<_, Failure>((key, said.key.from))
    };
    match checked.await {
        Ok((key, from)) => {
            let (role, mode) = (key.role.as_str(), keys::mode(&key));
            findings
                .well("credentials", format!("{} is accepted: {role}, {mode} ({from})", key.id));
            Some((client, key.tenant.is_none()))
        }
        Err(failure) => {
            findings.bad("credentials", &failure);
            None
        }
    }
}

fn compare_clocks(date: Option<&str>, now: Timestamp, findings: &mut Findings) {
    let theirs = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    let Some(theirs) = theirs.map(|at| Timestamp::from_micros(at.timestamp().as_microsecond()))
    else {
        return findings.skipped("clock", "the daemon does not say what time it is");
    };
    // A date of HTTP has whole seconds.
    let (behind, ahead) = (theirs.since(now), now.since(theirs.plus(Duration::from_secs(1))));
    let offset = behind.max(ahead);
    let word = if ahead > behind { "ahead of" } else { "behind" };
    if offset <= MOST_OFFSET {
        return findings.well("clock", "agrees with the daemon's".into());
    }
    let message = format!("this clock is {} s {word} the daemon's", offset.as_secs());
    let next = "set the clock: signatures look stale, or as from the future, to a receiver here";
    findings.bad("clock", &Failure::new(Status::Failed, message).then(next));
}

/// Whether what the daemon says comes through while the answer goes on.
async fn stream(client: &Client, is_operator: bool, findings: &mut Findings) {
    if is_operator {
        return findings
            .skipped("stream", "not checked: an operator's key has no events of its own");
    }
    let clock = SystemClock::new();
    let began = clock.monotonic();
    let first = async {
        let mut body = client.stream("/v1/events/stream").await?;
        Ok::<_, Failure>(body.frame().await.is_some_and(|frame| frame.is_ok()))
    };
    let failure = match tokio::time::timeout(STREAM_PATIENCE, first).await {
        Ok(Ok(true)) => {
            let took = clock.monotonic().saturating_sub(began).as_millis();
            return findings.well("stream", format!("the first word came after {took} ms"));
        }
        Ok(Ok(false)) => Failure::new(Status::Failed, "the stream broke off at once")
            .then("look at the proxy between here and the daemon"),
        Ok(Err(failure)) => failure,
        Err(_) => {
            let seconds = STREAM_PATIENCE.as_secs();
            Failure::new(Status::Failed, format!("nothing came within {seconds} s"))
                .then("a proxy keeps back what is streamed: switch its buffering off")
        }
    };
    findings.bad("stream", &failure);
}

/// Whether something listens where events are to go.
async fn target(targets: &[String], findings: &mut Findings) {
    if targets.is_empty() {
        return findings.skipped("target", "none given: `bluum-hooks doctor 3000/webhooks`");
    }
    for target in targets {
        let address = match route(target, true) {
            Ok((_, target)) => target.address(),
            Err(failure) => {
                findings.bad("target", &failure);
                continue;
            }
        };
        match tokio::time::timeout(CONNECT_PATIENCE, TcpStream::connect(&address)).await {
            Ok(Ok(_)) => findings.well("target", format!("something listens on {address}")),
            _ => {
                let message = format!("nothing listens on {address}");
                let failure = Failure::new(Status::Failed, message);
                findings.bad("target", &failure.then("start the app, or correct the port"));
            }
        }
    }
}

/// Whether the app has the secret that the listener signs with.
async fn secret(name: &str, sources: &Sources, client: &Client, findings: &mut Findings) {
    let listener: Listener = match query::one(client, "/v1/listeners", name).await {
        Ok(listener) => listener,
        Err(ClientError::Refused { status: 404, .. }) => {
            let message = format!("no listener '{name}' yet: `bluum-hooks listen` makes it");
            return findings.skipped("secret", &message);
        }
        Err(error) => return findings.bad("secret", &error.into()),
    };
    let from = sources.app_secret();
    let Ok(ours) = signed::key(&from) else {
        let message = format!("{} is not set here", from.trim_start_matches("env:"));
        return findings.skipped("secret", &message);
    };
    let variable = from.trim_start_matches("env:");
    let message = match (Secret::parse(&ours.text), Secret::parse(&listener.secret)) {
        (Ok(ours), Ok(theirs)) if ours.as_bytes() == theirs.as_bytes() => {
            let message = format!("{variable} is the secret of listener '{name}'");
            return findings.well("secret", message);
        }
        (Ok(ours), Ok(theirs)) => format!(
            "{variable} ({}) is not the secret of listener '{name}' ({})",
            ours.fingerprint(),
            theirs.fingerprint()
        ),
        (Err(error), _) => format!("{variable}: {error}"),
        (_, Err(error)) => format!("the secret of listener '{name}': {error}"),
    };
    let next = "the app refuses what is signed for it: `bluum-hooks listen --write-env FILE`";
    findings.bad("secret", &Failure::new(Status::Failed, message).then(next));
}
