//! Settings: flags over environment over file over defaults; raw in, checked out.

mod file;
mod given;
mod limits;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

pub use given::{ConfigError, Given, Sources};
pub use limits::{Limits, RateLimits};

use crate::policy::retention::Ages;
use crate::policy::retry::{DISABLE_AFTER, RetrySchedule};
use crate::vault::KeySource;
use crate::{duration, shutdown, slots};

/// The database, if nothing is said.
pub const DEFAULT_DATABASE: &str = "sqlite:bluum-hooks.db";
/// Where the daemon listens, if nothing is said.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:4100";

/// Where everything is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// The SQLite file.
    pub path: PathBuf,
}

/// Checked settings of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub listen: SocketAddr,
    pub database: Database,
    pub secrets_key: KeySource,
    pub allow_target: Vec<IpNet>,
    pub retry_schedule: RetrySchedule,
    pub disable_after: Duration,
    pub grace: Duration,
    pub max_in_flight: usize,
    pub retention: Ages,
    pub limits: Limits,
}

/// The settings that there are, in the spelling of the file. As a flag, `--allow-target`; as a
/// variable, `BLUUM_HOOKS_ALLOW_TARGET`.
pub const SETTINGS: &[&str] = &[
    "listen",
    "database",
    "secrets_key_file",
    "allow_target",
    "retry_schedule",
    "disable_after",
    "grace",
    "max_in_flight",
    "retention",
    "retention_parked",
    "rate_limit_sandbox",
    "rate_limit_live",
    "max_connections",
    "head_timeout",
    "body_timeout",
    "answer_timeout",
    "max_header_bytes",
    "max_target_bytes",
    "max_query_parameters",
    "max_offset",
    "max_batch_events",
    "max_batch_bytes",
    "max_webhooks",
    "max_keys",
    "max_streams",
    "stream_heartbeat",
];

impl Config {
    /// Reads every setting from where it was given. Opens and binds nothing.
    pub fn read(sources: &Sources) -> Result<Self, ConfigError> {
        let database = database(sources)?;
        Ok(Self {
            listen: sources.get("listen").map_or_else(default_listen, |given| listen(&given))?,
            secrets_key: secrets_key(sources, &database)?,
            database,
            allow_target: list(sources.get("allow_target"), range)?,
            retry_schedule: match sources.get("retry_schedule") {
                Some(given) => schedule(&given)?,
                None => RetrySchedule::default(),
            },
            disable_after: age(sources, "disable_after", DISABLE_AFTER)?,
            grace: match sources.get("grace") {
                Some(given) => duration::parse(&given.text).map_err(|why| given.refuse(why))?,
                None => shutdown::DEFAULT_GRACE,
            },
            max_in_flight: {
                let default = slots::DEFAULT_TOTAL;
                limits::count(sources, "max_in_flight", 1..=100_000, default)?
            },
            retention: Ages {
                finished: age(sources, "retention", Ages::default().finished)?,
                parked: age(sources, "retention_parked", Ages::default().parked)?,
            },
            limits: Limits::read(sources)?,
        })
    }
}

/// The database alone, for commands that need nothing else.
pub fn database(sources: &Sources) -> Result<Database, ConfigError> {
    let given = sources
        .get("database")
        .unwrap_or_else(|| Given { text: DEFAULT_DATABASE.into(), source: "the default".into() });
    if given.text.starts_with("postgres:") || given.text.starts_with("postgresql:") {
        return Err(given.refuse("Postgres is not supported yet; use 'sqlite:PATH'"));
    }
    let path =
        given.text.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest));
    match path {
        Some(path) if !path.is_empty() && path != ":memory:" => {
            Ok(Database { path: Path::new(path).to_owned() })
        }
        _ => Err(given.refuse(format!("'{}' is not a database; write 'sqlite:PATH'", given.text))),
    }
}

/// Where the key of a database's secrets is: the environment, a file that is named, or the file
/// beside the database.
pub fn secrets_key(sources: &Sources, database: &Database) -> Result<KeySource, ConfigError> {
    if let Some(key) = sources.secrets_key()? {
        return Ok(KeySource::Given(key));
    }
    match sources.get("secrets_key_file") {
        Some(given) if given.text.is_empty() => Err(given.refuse("name a file")),
        Some(given) => Ok(KeySource::File(given.text.into())),
        None => {
            let mut beside = database.path.clone().into_os_string();
            beside.push(".key");
            Ok(KeySource::Ours(beside.into()))
        }
    }
}

/// A second at least: what is told is there to be looked at.
fn age(sources: &Sources, name: &str, default: Duration) -> Result<Duration, ConfigError> {
    let Some(given) = sources.get(name) else { return Ok(default) };
    let age = duration::parse(&given.text).map_err(|why| given.refuse(why))?;
    let wrong = || given.refuse(format!("'{}' is less than 1s", given.text));
    if age < Duration::from_secs(1) { Err(wrong()) } else { Ok(age) }
}

fn default_listen() -> Result<SocketAddr, ConfigError> {
    listen(&Given { text: DEFAULT_LISTEN.into(), source: "the default".into() })
}

fn listen(given: &Given) -> Result<SocketAddr, ConfigError> {
    given.text.parse().map_err(|_| {
        given.refuse(format!("'{}' is not an address; write '127.0.0.1:4100'", given.text))
    })
}

fn range(given: &Given, text: &str) -> Result<IpNet, ConfigError> {
    let single = || text.parse::<IpAddr>().map(IpNet::from).ok();
    text.parse().ok().or_else(single).ok_or_else(|| {
        given.refuse(format!("'{text}' is not a range of addresses; write '127.0.0.0/8'"))
    })
}

fn schedule(given: &Given) -> Result<RetrySchedule, ConfigError> {
    let wait = |given: &Given, text: &str| duration::parse(text).map_err(|why| given.refuse(why));
    let waits = list(Some(given.clone()), wait)?;
    RetrySchedule::new(waits).map_err(|why| given.refuse(why.to_string()))
}

/// The parts between commas.
fn list<T>(
    given: Option<Given>,
    read: impl Fn(&Given, &str) -> Result<T, ConfigError>,
) -> Result<Vec<T>, ConfigError> {
    let Some(given) = given else { return Ok(Vec::new()) };
    let parts = given.text.split(',').map(str::trim);
    let read = |part: &str| match part {
        "" => Err(given.refuse("has an empty entry; leave it out to have the default")),
        part => read(&given, part),
    };
    parts.map(read).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::num::NonZeroU32;

    use super::*;
    use crate::vault::VaultKey;

    fn read(
        flags: &[(&'static str, &str)],
        environment: &[(&str, &str)],
        file: &str,
    ) -> Result<Config, String> {
        let flags = flags.iter().map(|&(name, text)| (name, text.to_owned())).collect();
        let environment: BTreeMap<_, _> = environment.iter().copied().collect();
        let lookup = |name: &str| environment.get(name).map(|&text| text.to_owned());
        let file = file::parse(file, "hooks.toml").map_err(|error| error.to_string())?;
        Config::read(&Sources::new(flags, lookup, file)).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_given_means_the_defaults() {
        let config = read(&[], &[], "").unwrap();
        assert_eq!(config.listen.to_string(), DEFAULT_LISTEN);
        assert_eq!(config.database.path, Path::new("bluum-hooks.db"));
        assert_eq!(config.retry_schedule, RetrySchedule::default());
        assert!(config.allow_target.is_empty());
        assert_eq!(config.limits, Limits::default());
    }

    #[test]
    fn a_rate_limit_of_zero_is_none() {
        let environment = [("BLUUM_HOOKS_RATE_LIMIT_LIVE", "100")];
        let config = read(&[("rate_limit_sandbox", "0")], &environment, "rate_limit_live = 7");
        let expected = RateLimits { sandbox: None, live: NonZeroU32::new(100) };
        assert_eq!(config.unwrap().limits.rates, expected);
        assert_eq!(
            read(&[], &[], "rate_limit_live = -1").unwrap_err(),
            "rate_limit_live in hooks.toml: '-1' is not from 1 to 100000, or 0 for no limit",
        );
    }

    #[test]
    fn each_limit_has_a_range() {
        let first = SETTINGS.iter().position(|name| *name == "rate_limit_sandbox").unwrap();
        for &name in &SETTINGS[first..] {
            for wrong in ["", "-1", "1.5", "many", "999999999999", "366d"] {
                let refused = read(&[(name, wrong)], &[], "").unwrap_err();
                let flag = format!("--{}: '{wrong}' is not ", name.replace('_', "-"));
                assert!(refused.starts_with(&flag), "{name} {wrong}: {refused}");
            }
        }
        let flags = [("max_connections", "2"), ("body_timeout", "1m"), ("max_offset", "0")];
        let limits = read(&flags, &[], "max_webhooks = 3").unwrap().limits;
        let body_timeout = Duration::from_mins(1);
        let expected = Limits { connections: 2, body_timeout, offset: 0, ..Limits::default() };
        assert_eq!(limits, Limits { webhooks: 3, ..expected });
        let refused = read(&[("head_timeout", "0s")], &[], "").unwrap_err();
        assert_eq!(refused, "--head-timeout: '0s' is not from 1s to 1h");
    }

    #[test]
    fn flags_win_over_environment_and_environment_over_the_file() {
        let file = "listen = '127.0.0.1:1'\ngrace = '1s'\nretry_schedule = ['1s', '2s']";
        let environment = [("BLUUM_HOOKS_LISTEN", "127.0.0.1:2"), ("BLUUM_HOOKS_GRACE", "2s")];
        let config = read(&[("listen", "127.0.0.1:3")], &environment, file).unwrap();
        assert_eq!(config.listen.port(), 3);
        assert_eq!(config.grace, Duration::from_secs(2));
        assert_eq!(config.retry_schedule.waits(), [1, 2].map(Duration::from_secs));
    }

    #[test]
    fn the_key_of_the_secrets_is_in_the_environment_or_a_file_or_beside_the_database() {
        let text = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
        let key = VaultKey::parse(text).unwrap();
        let beside = read(&[("database", "sqlite:a/b.db")], &[], "").unwrap();
        assert_eq!(beside.secrets_key, KeySource::Ours("a/b.db.key".into()));
        let named = [("BLUUM_HOOKS_SECRETS_KEY_FILE", "k")];
        let file = read(&[], &named, "secrets_key_file = 'other'").unwrap();
        assert_eq!(file.secrets_key, KeySource::File("k".into()));
        let given = [named[0], ("BLUUM_HOOKS_SECRETS_KEY", text)];
        assert_eq!(read(&[], &given, "").unwrap().secrets_key, KeySource::Given(key));

        let cut = &text[..40];
        let error = read(&[], &[("BLUUM_HOOKS_SECRETS_KEY", cut)], "").unwrap_err();
        assert!(error.starts_with("BLUUM_HOOKS_SECRETS_KEY: expected a key"), "{error}");
        assert!(!error.contains(cut), "{error}");
        let in_file = read(&[], &[], &format!("secrets_key = '{text}'")).unwrap_err();
        assert!(in_file.contains("did you mean 'secrets_key_file'?"), "{in_file}");
        assert!(!in_file.contains(text), "{in_file}");
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line() {
        for (file, line) in [
            ("=", 1),
            ("grace = '1s'\n= 1", 2),
            ("grace = '1s'\n\n  = 1\n", 3),
            ("grace = '1s'\ngrace = '2s'\n", 2),
        ] {
            let refused = read(&[], &[], file).unwrap_err();
            let place = format!("hooks.toml: not valid TOML at line {line}: ");
            assert!(refused.starts_with(&place), "{file:?}: {refused}");
        }
    }

    #[test]
    fn an_empty_list_is_no_list() {
        for empty in ["", ",,", "1s,,2s"] {
            let refused = read(&[("retry_schedule", empty)], &[], "").unwrap_err();
            assert!(refused.starts_with("--retry-schedule: has an empty entry"), "{refused}");
        }
        assert!(read(&[], &[], "retry_schedule = []").is_err());
        assert!(read(&[], &[("BLUUM_HOOKS_RETRY_SCHEDULE", "")], "").is_ok(), "as if unset");
    }

    #[test]
    fn a_wrong_value_is_told_with_where_it_stands_and_what_to_write() {
        for (flags, environment, file, error) in [
            (
                vec![("retry_schedule", "1s,1x")],
                vec![],
                "",
                "--retry-schedule: '1x' is not a duration; write '30s', '5m', '2h' or '1d'",
            ),
            (
                vec![],
                vec![("BLUUM_HOOKS_LISTEN", "nonsense")],
                "",
                "BLUUM_HOOKS_LISTEN: 'nonsense' is not an address; write '127.0.0.1:4100'",
            ),
            (
                vec![],
                vec![],
                "allow_target = ['10.0.0.0/99']",
                "allow_target in hooks.toml: '10.0.0.0/99' is not a range of addresses; write \
                 '127.0.0.0/8'",
            ),
            (
                vec![],
                vec![],
                "lisen = 'x'",
                "hooks.toml: there is no setting 'lisen'; did you mean 'listen'?",
            ),
            (
                vec![("database", "mysql://x")],
                vec![],
                "",
                "--database: 'mysql://x' is not a database; write 'sqlite:PATH'",
            ),
        ] {
            assert_eq!(read(&flags, &environment, file).unwrap_err(), error);
        }
    }
}
