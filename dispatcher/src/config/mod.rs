//! Settings: flags over environment over file over defaults; raw in, checked out.

mod file;
mod given;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

pub use given::{ConfigError, Given, Sources};

use crate::policy::retry::RetrySchedule;
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
    pub allow_target: Vec<IpNet>,
    pub retry_schedule: RetrySchedule,
    pub grace: Duration,
    pub max_in_flight: usize,
}

/// The settings that there are, in the spelling of the file. As a flag, `--allow-target`; as a
/// variable, `BLUUM_HOOKS_ALLOW_TARGET`.
pub const SETTINGS: &[&str] =
    &["listen", "database", "allow_target", "retry_schedule", "grace", "max_in_flight"];

impl Config {
    /// Reads every setting from where it was given. Opens and binds nothing.
    pub fn read(sources: &Sources) -> Result<Self, ConfigError> {
        Ok(Self {
            listen: sources.get("listen").map_or_else(default_listen, |given| listen(&given))?,
            database: database(sources)?,
            allow_target: list(sources.get("allow_target"), range)?,
            retry_schedule: match sources.get("retry_schedule") {
                Some(given) => schedule(&given)?,
                None => RetrySchedule::default(),
            },
            grace: match sources.get("grace") {
                Some(given) => duration::parse(&given.text).map_err(|why| given.refuse(why))?,
                None => shutdown::DEFAULT_GRACE,
            },
            max_in_flight: match sources.get("max_in_flight") {
                Some(given) => count(&given)?,
                None => slots::DEFAULT_TOTAL,
            },
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

fn count(given: &Given) -> Result<usize, ConfigError> {
    let count = given.text.parse().ok().filter(|count| (1..=100_000).contains(count));
    count.ok_or_else(|| given.refuse(format!("'{}' is not from 1 to 100000", given.text)))
}

/// The parts between commas.
fn list<T>(
    given: Option<Given>,
    read: impl Fn(&Given, &str) -> Result<T, ConfigError>,
) -> Result<Vec<T>, ConfigError> {
    let Some(given) = given else { return Ok(Vec::new()) };
    let parts = given.text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| read(&given, part)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

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
