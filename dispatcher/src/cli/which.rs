//! Which events: types, outcomes and times, as they are given on the command line and typed into
//! the screen's filter.

use bluum_hooks_shared::catalogue::Pattern;
use bluum_hooks_shared::time::Timestamp;

use super::failure::{Failure, Status};
use crate::duration;

/// Types that are wanted, and of these those that are not.
#[derive(Debug)]
pub(super) struct Types {
    wanted: Vec<Pattern>,
    unwanted: Vec<Pattern>,
}

impl Types {
    /// `order.*`, `order.filled`, `!order.accepted`. Only exclusions: all others are wanted.
    pub(super) fn parse(globs: &[String]) -> Result<Self, Failure> {
        let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
        for glob in globs {
            let (text, list) = match glob.strip_prefix('!') {
                Some(text) => (text, &mut unwanted),
                None => (&**glob, &mut wanted),
            };
            list.push(Pattern::parse(text).map_err(|error| {
                let next = "`bluum-hooks events types` lists them all";
                Failure::new(Status::Usage, format!("--events: {error}")).then(next)
            })?);
        }
        Ok(Self { wanted, unwanted })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        let any = |list: &[Pattern]| list.iter().any(|pattern| pattern.matches(name));
        (self.wanted.is_empty() || any(&self.wanted)) && !any(&self.unwanted)
    }
}

/// Which outcomes are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Only {
    Hundred(u16),
    Number(u16),
    Timeout,
    Failed,
    Ok,
}

impl Only {
    /// `5xx`, `404`, `timeout`, `failed`, `ok`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "timeout" => Some(Self::Timeout),
            "failed" => Some(Self::Failed),
            "ok" => Some(Self::Ok),
            _ => {
                let number = |text: &str| text.parse::<u16>().ok();
                let hundred = text.strip_suffix("xx").and_then(number);
                let hundred =
                    hundred.filter(|hundred| (1..=5).contains(hundred)).map(Self::Hundred);
                let exact = number(text).filter(|number| (100..1000).contains(number));
                hundred.or(exact.map(Self::Number))
            }
        }
    }

    /// Of an attempt: the status that was answered, and how it ended.
    pub(super) fn has(self, status: Option<u16>, timed_out: bool, failed: bool) -> bool {
        match self {
            Self::Hundred(hundred) => status.is_some_and(|status| status / 100 == hundred),
            Self::Number(number) => status == Some(number),
            Self::Timeout => timed_out,
            Self::Failed => failed,
            Self::Ok => !failed,
        }
    }
}

/// `10m` ago, or a time.
pub(super) fn time(flag: &str, text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Ok(ago) = duration::parse(text) {
        return Ok(now.minus(ago));
    }
    text.parse().map_err(|_| {
        let message = format!("{flag} '{text}' is no time");
        Failure::new(Status::Usage, message).then("write 10m, 2h, or 2026-06-15T14:30:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_chosen_and_excluded() {
        let types = |globs: &[&str]| {
            Types::parse(&globs.iter().map(|&glob| glob.to_owned()).collect::<Vec<_>>())
        };
        let some = types(&["order.*", "!order.accepted"]).unwrap();
        let has = ["order.filled", "order.accepted", "kyc.decided"].map(|name| some.has(name));
        assert_eq!(has, [true, false, false]);
        assert!(types(&["!kyc.*"]).unwrap().has("order.filled"), "all others");
        assert!(types(&["order.fileld"]).unwrap_err().to_string().contains("order.filled"));
    }

    #[test]
    fn outcomes_are_chosen_by_their_class_or_number() {
        for (text, only) in [
            ("5xx", Only::Hundred(5)),
            ("404", Only::Number(404)),
            ("timeout", Only::Timeout),
            ("failed", Only::Failed),
            ("ok", Only::Ok),
        ] {
            assert_eq!(Only::parse(text), Some(only));
        }
        for bad in ["6xx", "xx", "99", "1000", "fine", ""] {
            assert_eq!(Only::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_time_is_long_ago_or_a_date() {
        let now = Timestamp::from_unix_seconds(1_000);
        assert_eq!(time("--since", "10m", now).unwrap(), Timestamp::from_unix_seconds(400));
        assert_eq!(time("--since", "1970-01-01T00:00:07Z", now).unwrap().as_unix_seconds(), 7);
        assert!(time("--since", "soon", now).unwrap_err().to_string().contains("'soon'"));
    }
}
