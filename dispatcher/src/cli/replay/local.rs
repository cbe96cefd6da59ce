//! To a local server, straight from here: signed anew, or exactly as it was.

use std::error::Error;
use std::io;
use std::time::Duration;

use bluum_hooks_shared::header::{WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use bluum_hooks_shared::secret::Secret;
use bluum_hooks_shared::signature::SigningKey;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;

use super::saved::{self, Saved};
use super::{Manner, Wanted, all_taken, nothing, select};
use crate::cli::args::{Global, ReplayEventsArgs};
use crate::cli::failure::{Failure, Status};
use crate::cli::line::{Lines, Row};
use crate::cli::print::Printer;
use crate::cli::signed::{self, Received};
use crate::cli::target::Target;
use crate::cli::{events, newest, query};
use crate::client::Client;
use crate::clock::{Clock, SystemClock};
use crate::telemetry::Chain;

/// As long as a sender waits.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How much of an answer is read.
const ANSWER_BYTES: usize = 64 << 10;

/// A server on this machine.
pub(super) struct Server {
    url: String,
    http: HttpClient<HttpConnector, Full<Bytes>>,
}

/// What came of a request.
struct Sent {
    status: Option<u16>,
    error: Option<String>,
    body: String,
}

impl Server {
    /// One that is no target is told what else `--to` takes.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let next = "write listener, wh_…, 3000, 3000/webhooks or http://localhost:3000/webhooks";
        let target: Target = Target::parse(text, true).map_err(|failure| failure.then(next))?;
        let unusable = |why: &str| {
            let message = format!("--to '{}' {why}", text.escape_default());
            Err(Failure::new(Status::Usage, message).then(next))
        };
        match (target.is_here(), target.https) {
            (false, _) => unusable("is not on this machine"),
            (true, true) => unusable("is not http"),
            (true, false) => {
                let mut tcp = HttpConnector::new();
                tcp.set_connect_timeout(Some(Duration::from_secs(5)));
                // A kept connection to a server that was restarted meanwhile would be reset.
                let mut http = HttpClient::builder(TokioExecutor::new());
                let http = http.pool_max_idle_per_host(0).build(tcp);
                Ok(Self { url: target.to_string(), http })
            }
        }
    }

    async fn send(&self, request: &Received) -> Sent {
        let refused = |error| Sent { status: None, error: Some(error), body: String::new() };
        let mut built = Request::post(&self.url);
        for (name, value) in &request.headers {
            built = built.header(name, value);
        }
        let built = match built.body(Full::new(request.body.clone().into())) {
            Ok(built) => built,
            Err(error) => return refused(error.to_string()),
        };
        let exchange = async {
            let answer = self.http.request(built).await.map_err(|error| in_words(&error))?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
            let body = body.map(|body| body.to_bytes()).unwrap_or_default();
            Ok((status, String::from_utf8_lossy(&body).into_owned()))
        };
        match tokio::time::timeout(TIMEOUT, exchange).await {
            Ok(Ok((status, body))) => Sent { status: Some(status), error: None, body },
            Ok(Err(error)) => refused(error),
            Err(_) => refused("time-out".into()),
        }
    }
}

fn in_words(error: &(dyn Error + 'static)) -> String {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && error.kind() == io::ErrorKind::ConnectionRefused
        {
            return "connection refused".into();
        }
        cause = error.source();
    }
    Chain(error).to_string()
}

pub(super) async fn replay(
    args: &ReplayEventsArgs,
    wanted: &Wanted,
    manner: &Manner,
    server: &Server,
    global: &Global,
    printer: Printer,
) -> Result<(), Failure> {
    let chosen = choose(args, wanted, global).await?;
    manner.confirm(chosen.len(), &server.url)?;
    let signer = match args.exact || manner.dry_run {
        true => None,
        false => Some(signer(args, global)?),
    };
    let clock = SystemClock::new();
    let mut lines = Lines::new(printer.colour());
    let (mut refused, target) = (0, &*server.url);
    for Saved { event, event_type, request } in &chosen {
        if manner.dry_run {
            let told = json!({"type": "replay", "event": event, "event_type": event_type,
                "target": target, "state": "would be sent"});
            printer.line(&format!("{event}  {event_type}  would be sent to {target}"), &told);
            continue;
        }
        let request = match &signer {
            Some(key) => anew(event, &request.body, key, clock.now().as_unix_seconds()),
            None => without_framing(request),
        };
        let (at, began) = (clock.now(), clock.monotonic());
        let Sent { status, error, body } = server.send(&request).await;
        let took = clock.monotonic().saturating_sub(began);
        refused += usize::from(!status.is_some_and(|status| (200..300).contains(&status)));
        let latency_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let line = lines.draw(&Row {
            at: at.to_string().into(),
            code: status.into(),
            latency_ms,
            event_type,
            event,
            cause: error.as_deref(),
            answer: Some(body.into()),
            ..Row::default()
        });
        let told = json!({"type": "replay", "event": event, "event_type": event_type,
            "target": target, "state": "answered", "status": status, "error": error,
            "latency_ms": latency_ms});
        printer.line(&line, &told);
        manner.pace().await;
    }
    match manner.wait {
        true => all_taken(refused, chosen.len()),
        false => Ok(()),
    }
}

/// What is meant, with what was sent. Files need no daemon.
async fn choose(
    args: &ReplayEventsArgs,
    wanted: &Wanted,
    global: &Global,
) -> Result<Vec<Saved>, Failure> {
    let mut chosen = Vec::new();
    for file in args.what.iter().filter(|what| what.starts_with('@')) {
        chosen.extend(saved::read(file, wanted)?);
    }
    let others: Vec<_> = args.what.iter().filter(|what| !what.starts_with('@')).collect();
    if args.exact && (!others.is_empty() || args.what.is_empty()) {
        let message = "--exact needs what was saved: the daemon keeps no signature";
        let next = "give @FILE as `listen --save FILE` wrote it, or leave out --exact";
        return Err(Failure::new(Status::Usage, message).then(next));
    }
    if !others.is_empty() || args.what.is_empty() {
        let client = global.client()?;
        let mut ids = Vec::new();
        for what in others {
            ids.push(named(what, &client).await?);
        }
        if args.what.is_empty() {
            ids = wanted.events(&client).await?;
        }
        for id in ids {
            let body = client.get(&query::item("/v1/events", &id)).await?;
            let event_type = events::read(&body)?.name;
            let request = Received { headers: Vec::new(), body: body.to_vec() };
            chosen.push(Saved { event: id, event_type, request });
        }
    }
    if chosen.is_empty() {
        return Err(nothing("among what was asked for"));
    }
    Ok(chosen)
}

async fn named(what: &str, client: &Client) -> Result<String, Failure> {
    let found = match what {
        "last" => newest::event(client).await?,
        "last-failed" => select::newest_failed_event(client).await?,
        _ if what.starts_with("evt_") => Some(what.to_owned()),
        _ if what.starts_with("dlv_") => {
            let delivery: bluum_hooks_shared::api::Delivery =
                query::one(client, "/v1/deliveries", what).await?;
            Some(delivery.event_id.to_string())
        }
        _ => return Err(select::unknown(what)),
    };
    found.ok_or_else(|| nothing(&format!("as there is no '{what}' event")))
}

/// The secret that the app knows.
fn signer(args: &ReplayEventsArgs, global: &Global) -> Result<SigningKey, Failure> {
    let from = match &args.secret {
        Some(from) => from.clone(),
        None => global.sources()?.app_secret(),
    };
    let secret = Secret::parse(signed::key(&from)?.text.trim())
        .map_err(|error| Failure::new(Status::Usage, format!("{from}: {error}")))?;
    Ok(SigningKey::new(&secret))
}

/// As the daemon would send it now.
fn anew(event: &str, body: &[u8], key: &SigningKey, timestamp: i64) -> Received {
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("user-agent", concat!("Bluum-Hooks/", env!("CARGO_PKG_VERSION")).to_owned()),
        (WEBHOOK_ID, event.to_owned()),
        (WEBHOOK_TIMESTAMP, timestamp.to_string()),
        (WEBHOOK_SIGNATURE, key.sign(event, timestamp, body)),
    ];
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Received { headers, body: body.to_vec() }
}

/// As it was, but for what belongs to the connection of that time.
fn without_framing(request: &Received) -> Received {
    let framing = ["host", "connection", "content-length", "transfer-encoding"];
    let mut request = request.clone();
    request.headers.retain(|(name, _)| !framing.iter().any(|one| name.eq_ignore_ascii_case(one)));
    request
}
