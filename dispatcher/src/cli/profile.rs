//! Settings of commands that talk to a daemon: flags over the environment over the project's file
//! over the user's file over defaults; and of each, who said so.
//!
//! The project's file is shared with everybody who clones it, so it says what to listen to, and
//! never whom to ask or with which key: whoever can change it could have these sent to himself.

use std::env;
use std::path::Path;

use serde::Serialize;

pub(super) use self::project::{Project, is_variable};
pub(super) use self::user::{Place, state};
use super::failure::{Failure, Status};
use crate::config::DEFAULT_LISTEN;

pub(super) mod keyring;
mod project;
mod user;

const KEY: &str = "BLUUM_API_KEY";
const SECRET: &str = "BLUUM_API_SECRET";
const PROFILE: &str = "BLUUM_HOOKS_PROFILE";
const LISTENER: &str = "BLUUM_HOOKS_LISTENER";
/// Where apps look for the signing secret: the usual name, and the one that our guides use.
const SECRETS: [&str; 2] = ["WEBHOOK_SECRET", "BLUUM_WEBHOOK_SECRET"];

/// A value, and who said so.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Setting {
    pub(super) value: String,
    pub(super) from: String,
}

/// Who asks, and whom.
pub(super) struct Login {
    pub(super) key: Setting,
    pub(super) secret: String,
    pub(super) secret_from: String,
    pub(super) base: Setting,
}

/// Everything that says something, read but not yet weighed.
pub(super) struct Sources {
    base_flag: Option<String>,
    pub(super) profile: Setting,
    /// The user's file, whether it is there or not.
    pub(super) place: Place,
    entry: user::Entry,
    pub(super) project: Option<Project>,
}

impl Setting {
    fn new(value: impl Into<String>, from: impl Into<String>) -> Self {
        Self { value: value.into(), from: from.into() }
    }

    fn of_variable(name: &str) -> Option<Self> {
        Some(Self::new(variable(name)?, name))
    }
}

/// An empty variable says nothing.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

impl Sources {
    /// A profile that is chosen by name must be there; `default` need not.
    pub(super) fn read(base: Option<&str>, profile: Option<&str>) -> Result<Self, Failure> {
        let sources = Self::for_login(base, profile)?;
        let Setting { value: name, from } = &sources.profile;
        let names = sources.place.names()?;
        if sources.profile.from == "the default" || names.contains(name) {
            return Ok(sources);
        }
        let there = match names.is_empty() {
            true => "there is none yet".to_owned(),
            false => format!("there is {}", names.join(", ")),
        };
        let message = format!("no profile '{name}' ({from}) in {}: {there}", sources.place);
        let next = format!("make it with `bluum-hooks login -p {name}`");
        Err(Failure::new(Status::Usage, message).then(next))
    }

    /// The same for a profile that may be about to be made.
    pub(super) fn for_login(base: Option<&str>, profile: Option<&str>) -> Result<Self, Failure> {
        let profile = match profile {
            Some(name) => Setting::new(name, "--profile"),
            None => Setting::of_variable(PROFILE)
                .unwrap_or_else(|| Setting::new("default", "the default")),
        };
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.@".contains(letter);
        if profile.value.is_empty() || !profile.value.chars().all(plain) {
            let message = format!("'{}' cannot name a profile", profile.value.escape_default());
            let next = "take letters, digits and - _ . @";
            return Err(Failure::new(Status::Usage, message).then(next));
        }
        let place = Place::of_user();
        let entry = place.entry(&profile.value)?;
        let project = Project::here()?;
        Ok(Self { base_flag: base.map(str::to_owned), profile, place, entry, project })
    }

    fn of_entry(&self, value: Option<&String>) -> Option<Setting> {
        Some(Setting::new(value?, format!("profile '{}'", self.profile.value)))
    }

    /// Where the daemon is.
    pub(super) fn base(&self) -> Setting {
        let flag = self.base_flag.as_ref().map(|base| Setting::new(base, "--base-url"));
        flag.or_else(|| Setting::of_variable("BLUUM_BASE_URL"))
            .or_else(|| self.of_entry(self.entry.base_url.as_ref()))
            .unwrap_or_else(|| Setting::new(format!("http://{DEFAULT_LISTEN}"), "the default"))
    }

    /// The name of this machine's listener: `--name`, or what is set, or `user@host`.
    pub(super) fn listener(&self, flag: Option<&str>) -> Setting {
        flag.map(|name| Setting::new(name, "--name"))
            .or_else(|| Setting::of_variable(LISTENER))
            .or_else(|| self.of_entry(self.entry.listener.as_ref()))
            .unwrap_or_else(|| Setting::new(user_at_host(), "the default"))
    }

    /// Where the app finds the signing secret, as `--secret` takes it.
    pub(super) fn app_secret(&self) -> String {
        app_secret(self.project.as_ref())
    }

    /// Key and secret are a pair: both come from the same place.
    pub(super) fn login(&self) -> Result<Login, Failure> {
        let missing = |name: &str, why: &str| {
            Failure::new(Status::Credentials, format!("{why}{name} is not set"))
                .then("run `bluum-hooks login`, or set it and its pair as `init` printed them")
        };
        let base = self.base();
        match (Setting::of_variable(KEY), Setting::of_variable(SECRET)) {
            (Some(key), Some(secret)) => {
                return Ok(Login { key, secret: secret.value, secret_from: secret.from, base });
            }
            (Some(_), None) => return Err(missing(SECRET, "")),
            (None, Some(_)) => return Err(missing(KEY, "")),
            (None, None) => {}
        }
        let Some(key) = self.of_entry(self.entry.api_key.as_ref()) else {
            let why = format!("profile '{}' holds no key, and ", self.profile.value);
            return Err(missing(KEY, &why));
        };
        let (secret, secret_from) = match &self.entry.api_secret {
            Some(secret) => (secret.clone(), key.from.clone()),
            None => match keyring::find(&key.value)? {
                Some(secret) => (secret, "the keyring".to_owned()),
                None => {
                    let message = format!("the secret of {} is not in the keyring", key.value);
                    let next = format!("run `bluum-hooks login -p {}`", self.profile.value);
                    return Err(Failure::new(Status::Credentials, message).then(next));
                }
            },
        };
        Ok(Login { key, secret, secret_from, base })
    }

    /// The key that the profile holds, whatever else is set.
    pub(super) fn stored_key(&self) -> Option<&str> {
        self.entry.api_key.as_deref()
    }

    /// Variables that are asked before the profile.
    pub(super) fn shadowed_by(&self) -> Vec<&'static str> {
        [KEY, SECRET].into_iter().filter(|name| variable(name).is_some()).collect()
    }
}

/// The variables in which the app may look for the signing secret; the first is the one that is
/// written.
pub(super) fn secret_variables(project: Option<&Project>) -> Vec<String> {
    match project.and_then(|project| project.listen.secret_env.clone()) {
        Some(name) => vec![name],
        None => SECRETS.map(str::to_owned).into(),
    }
}

/// The one of them that is set, as `--secret` takes it.
pub(super) fn app_secret_that_is_set(project: Option<&Project>) -> Option<String> {
    let mut names = secret_variables(project).into_iter();
    names.find(|name| variable(name).is_some()).map(|name| format!("env:{name}"))
}

/// The same, or the one that should be.
fn app_secret(project: Option<&Project>) -> String {
    let usual = || secret_variables(project).into_iter().next().unwrap_or_default();
    app_secret_that_is_set(project).unwrap_or_else(|| format!("env:{}", usual()))
}

/// The places of secrets that were given, or the app's.
pub(super) fn secrets(given: &[String]) -> Result<Vec<String>, Failure> {
    match given {
        [] => Ok(vec![app_secret(Project::here()?.as_ref())]),
        given => Ok(given.to_vec()),
    }
}

/// What a listener is called if nobody says: letters that its name may not have become `-`.
fn user_at_host() -> String {
    let user = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(variable);
    let name = format!("{}@{}", user.as_deref().unwrap_or("dev"), host());
    let name = name.trim_start_matches('.');
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-@".contains(letter);
    name.chars().map(|letter| if plain(letter) { letter } else { '-' }).take(64).collect()
}

/// The name of this machine, without its domain.
pub(super) fn host() -> String {
    let name = gethostname::gethostname().to_string_lossy().into_owned();
    let short = name.split('.').next().unwrap_or_default();
    if short.is_empty() { "localhost".to_owned() } else { short.to_owned() }
}

/// What TOML has to say about a file, with the line.
fn malformed(path: &Path, text: &str, at: Option<std::ops::Range<usize>>, why: &str) -> Failure {
    let line = 1 + at.map_or(0, |at| text[..at.start].matches('\n').count());
    Failure::new(Status::Usage, format!("{} at line {line}: {}", path.display(), why.trim()))
        .then("correct that line")
}
