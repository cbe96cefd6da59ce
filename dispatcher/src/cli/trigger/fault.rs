//! How a delivery can go wrong on purpose.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::near::did_you_mean;
use crate::duration;

/// What is done to an event on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Fault {
    /// It comes twice, with the same id.
    Duplicate,
    /// Of two events the later comes first.
    Reorder,
    /// It comes that much later than it happened.
    Delay(Duration),
    /// Its signature is right, and older than receivers take.
    StaleTimestamp,
    /// It is signed with another secret.
    BadSignature,
    /// The connection ends in the middle of the body.
    DropMidBody,
}

const NAMES: [&str; 6] =
    ["duplicate", "reorder", "delay=2s", "stale-timestamp", "bad-signature", "drop-mid-body"];

impl Fault {
    /// Whether the dispatcher, which signs and sends by itself, cannot be made to do it.
    pub(super) fn needs_target(self) -> bool {
        !matches!(self, Self::Reorder | Self::Delay(_))
    }

    /// Whether a receiver that is right refuses such a request.
    pub(super) fn is_to_be_refused(self) -> bool {
        matches!(self, Self::StaleTimestamp | Self::BadSignature | Self::DropMidBody)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Delay(late) => return write!(f, "delay={}s", late.as_secs()),
            Self::StaleTimestamp => "stale-timestamp",
            Self::BadSignature => "bad-signature",
            Self::DropMidBody => "drop-mid-body",
        })
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "duplicate" => Self::Duplicate,
            "reorder" => Self::Reorder,
            "stale-timestamp" => Self::StaleTimestamp,
            "bad-signature" => Self::BadSignature,
            "drop-mid-body" => Self::DropMidBody,
            _ => match text.strip_prefix("delay=") {
                Some(late) => Self::Delay(duration::parse(late)?),
                None => {
                    let advice = did_you_mean(text, NAMES)
                        .unwrap_or_else(|| format!("there are {}", NAMES.join(", ")));
                    return Err(format!("there is no fault '{text}'; {advice}"));
                }
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_read_as_it_is_written() {
        for name in NAMES {
            assert_eq!(name.parse::<Fault>().unwrap().to_string(), name);
        }
        for (text, words) in [
            ("duplicat", "did you mean 'duplicate'?"),
            ("delay", "did you mean 'delay=2s'"),
            ("delay=2", "not a duration"),
            ("", "there are duplicate, reorder"),
        ] {
            let error = text.parse::<Fault>().unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
