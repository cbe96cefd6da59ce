//! Arguments, checked before anything is asked or made.

use std::fs::OpenOptions;
use std::sync::Arc;
use std::time::Duration;

use bluum_hooks_shared::secret::Secret;
use bluum_hooks_shared::signature::SigningKey;
use bluum_hooks_shared::time::Timestamp;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue};

use super::condition::Condition;
use super::dial::Dialer;
use super::env_file::EnvFile;
use super::forward::{Forwarder, Shape};
use super::identity;
use super::remote::{Manner, Place, Wanted};
use super::routes::Routes;
use super::screen;
use crate::cli::args::ListenArgs;
use crate::cli::failure::{Failure, Status};
use crate::cli::print::Flow;
use crate::cli::profile::{self, Sources};
use crate::cli::signed;
use crate::cli::target::Target;
use crate::clock::{Clock, SystemClock};
use crate::duration;

/// How long a refused connection is tried again.
const REFUSED: Duration = Duration::from_secs(10);
/// What the dispatcher takes as a time-out, in seconds.
const TIMEOUTS: std::ops::RangeInclusive<u64> = 1..=60;

/// Where to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Since {
    /// Where this name left off, if that is not far.
    Auto,
    Place(Place),
}

/// What can be used of the arguments.
pub(super) struct Settled {
    pub(super) args: ListenArgs,
    pub(super) name: String,
    pub(super) routes: Routes,
    pub(super) forwarders: Vec<Arc<Forwarder>>,
    pub(super) conditions: Vec<Condition>,
    pub(super) expect: Vec<Condition>,
    pub(super) since: Since,
    pub(super) manner: Manner,
    /// None for ever.
    pub(super) timeout: Option<Duration>,
    pub(super) key: Option<SigningKey>,
    /// In which the app gets the secret.
    pub(super) variables: Vec<String>,
    pub(super) env_file: Option<EnvFile>,
    pub(super) save: Option<Flow>,
}

impl Settled {
    pub(super) fn new(mut args: ListenArgs, sources: &Sources) -> Result<Self, Failure> {
        if args.within.is_some() && args.exit_after.is_none() && args.expect.is_empty() {
            let next = "say what is waited for with --exit-after or --expect";
            return Err(Failure::new(Status::Usage, "--within alone never ends well").then(next));
        }
        if args.tui && !screen::is_possible() {
            let next = "leave out --tui, or run it where there is one";
            return Err(Failure::new(Status::Usage, "--tui needs a terminal").then(next));
        }
        let routes = routes(&mut args, sources)?;
        let variables = profile::secret_variables(sources.project.as_ref());
        let usual = variables.first().map_or("", String::as_str);
        let timeout = (!args.timeout.is_zero()).then_some(args.timeout);
        let key = args.sign_with.as_deref().map(signing_key).transpose()?;
        let host = args.host_header.as_deref().map(host).transpose()?;
        let headers = headers(&args.header)?;
        let shape = Shape { timeout, refused: REFUSED, headers, host, key: key.clone() };
        let forwarder = |target: &Target| {
            let dialer = Dialer::new(target, args.insecure, args.ca_cert.as_deref())?;
            Ok(Arc::new(Forwarder { target: target.clone(), dialer, shape: shape.clone() }))
        };
        let forwarders = routes.targets().map(forwarder).collect::<Result<_, Failure>>()?;
        let manner = match (args.takeover, args.share) {
            (true, _) => Manner::Takeover,
            (_, true) => Manner::Share,
            _ => Manner::Alone,
        };
        let save = args.save.as_ref().map(|path| {
            let opened = OpenOptions::new().create(true).append(true).open(path);
            let refused = |error| {
                let message = format!("--save {}: {error}", path.display());
                Failure::new(Status::Usage, message).then("name a file that may be written")
            };
            opened.map(Flow::into).map_err(refused)
        });
        Ok(Self {
            name: identity::checked(sources.listener(args.name.as_deref()))?,
            conditions: Condition::parse_all(&args.conditions)?,
            expect: Condition::parse_all(&args.expect)?,
            since: since(&args.since, SystemClock::new().now())?,
            env_file: args.write_env.as_deref().map(|text| EnvFile::parse(text, usual)),
            save: save.transpose()?,
            variables,
            routes,
            forwarders,
            manner,
            timeout,
            key,
            args,
        })
    }

    pub(super) fn wanted(&self) -> Wanted {
        let seconds = self.timeout.map_or(*TIMEOUTS.end(), |timeout| timeout.as_secs());
        Wanted {
            events: self.args.events.clone(),
            retry: self.args.retry,
            timeout_seconds: seconds.clamp(*TIMEOUTS.start(), *TIMEOUTS.end()),
            tenant: self.args.tenant.clone(),
        }
    }
}

/// To the targets given, or the project's; and of the events given, or the project's.
fn routes(args: &mut ListenArgs, sources: &Sources) -> Result<Routes, Failure> {
    let Some(project) = &sources.project else {
        return Routes::parse(&args.targets, args.allow_remote);
    };
    if args.events.is_empty() {
        args.events.clone_from(&project.listen.events);
    }
    if !args.targets.is_empty() || args.print_secret {
        return Routes::parse(&args.targets, args.allow_remote);
    }
    args.targets.clone_from(&project.listen.targets);
    Routes::parse(&args.targets, args.allow_remote).map_err(|mut failure| {
        failure.message = format!("{}: {}", project.path.display(), failure.message);
        failure
    })
}

/// `auto`, `now`, `last`, `10m`, a time, or a cursor.
fn since(text: &str, now: Timestamp) -> Result<Since, Failure> {
    let place = match text {
        "auto" => return Ok(Since::Auto),
        "now" | "last" => Place::Text(text.to_owned()),
        _ => {
            let cursor = text.parse().ok().filter(|cursor| *cursor >= 0).map(Place::Cursor);
            let ago = || duration::parse(text).ok().map(|ago| now.minus(ago));
            let time = || text.parse::<Timestamp>().ok();
            let place = cursor.or_else(|| Some(Place::Text(ago().or_else(time)?.to_string())));
            place.ok_or_else(|| {
                let next = "write auto, now, last, 10m, 2026-11-21T10:00:00Z or a cursor";
                Failure::new(Status::Usage, format!("'{text}' is no place to start")).then(next)
            })?
        }
    };
    Ok(Since::Place(place))
}

fn signing_key(from: &str) -> Result<SigningKey, Failure> {
    if from == "-" {
        let next = "say env:VAR or file:PATH";
        return Err(Failure::new(Status::Usage, "--sign-with does not read stdin").then(next));
    }
    let named = signed::key(from).map_err(|failure| {
        // The words are those of `verify`, whose option is called --secret.
        Failure::new(failure.status, failure.message.replace("--secret", "--sign-with"))
            .then(failure.next().unwrap_or_default().replace("--secret", "--sign-with"))
    })?;
    let secret = Secret::parse(&named.text).map_err(|error| {
        let next = "--sign-with takes a secret such as --print-secret shows";
        Failure::new(Status::Usage, format!("{from}: {error}")).then(next)
    })?;
    Ok(SigningKey::new(&secret))
}

fn host(text: &str) -> Result<HeaderValue, Failure> {
    let value = HeaderValue::try_from(text).ok().filter(|_| !text.is_empty());
    value.ok_or_else(|| {
        let next = "write it as 'app.test:8080'";
        Failure::new(Status::Usage, format!("'{text}' is no host")).then(next)
    })
}

fn headers(lines: &[String]) -> Result<Vec<(HeaderName, HeaderValue)>, Failure> {
    let ours = [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION];
    let header = |(name, value): (String, String)| {
        let refused = |next: &str| {
            Failure::new(Status::Usage, format!("header '{name}' cannot be set")).then(next)
        };
        let parsed = HeaderName::try_from(&name).ok().zip(HeaderValue::try_from(value).ok());
        match parsed {
            Some((name, _)) if name == HOST => Err(refused("use --host-header")),
            Some((name, _)) if ours.contains(&name) => Err(refused("it follows from the body")),
            Some(header) => Ok(header),
            None => Err(refused("its value has letters that no header may have")),
        }
    };
    signed::headers(lines)?.into_iter().map(header).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_a_word_a_time_ago_a_time_or_a_cursor() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let text = |text: &str| Since::Place(Place::Text(text.into()));
        for (given, place) in [
            ("auto", Since::Auto),
            ("now", text("now")),
            ("last", text("last")),
            ("10m", text("2026-11-21T09:50:00.000Z")),
            ("2026-11-20T10:00:00+02:00", text("2026-11-20T08:00:00.000Z")),
            ("18421", Since::Place(Place::Cursor(18_421))),
        ] {
            assert_eq!(since(given, now).unwrap(), place, "{given}");
        }
        for bad in ["", "yesterday", "-5", "10"] {
            let place = since(bad, now);
            assert!(place.is_err() || bad == "10", "{bad}");
        }
    }
}
