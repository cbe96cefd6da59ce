//! Arguments of `trigger`.

use std::time::Duration;

use clap::{ArgGroup, Args};

use crate::cli::target::Target;
use crate::cli::trigger::{Fault, Setting};
use crate::duration;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("sample").args(["what", "like"]).multiple(true))]
#[command(after_help = "Examples:
  bluum-hooks trigger                                        list types and scenarios
  bluum-hooks trigger order.filled -s data.filled_quantity=5
  bluum-hooks trigger order.filled --to 3000/webhooks        no daemon, no key
  bluum-hooks trigger market-buy --wait                      a story; fails unless delivered
  bluum-hooks trigger market-buy -s quantity=3 -s symbol=MSFT
  bluum-hooks trigger order.filled --to 3000 --fault duplicate,stale-timestamp
  bluum-hooks trigger @refund.json --dry-run                 a scenario of your own; without @,
                                                             one of the project's fixtures

Exit status: 0 sent, 8 not delivered (--to, --wait, expect), 4 no such type or scenario.")]
pub(in crate::cli) struct TriggerArgs {
    /// Event type, scenario, or @FILE; none lists them
    pub(in crate::cli) what: Option<String>,
    /// Set a field, or a scenario's variable; +PATH=VALUE adds a field
    ///
    /// The value is JSON if it parses, else text. In the place of a text, a number becomes one:
    /// amounts are texts.
    #[arg(long, short, value_name = "PATH=VALUE", requires = "sample")]
    pub(in crate::cli) set: Vec<Setting>,
    /// Remove a field
    #[arg(long, value_name = "PATH", requires = "sample")]
    pub(in crate::cli) unset: Vec<String>,
    /// Start from the data of a real event
    #[arg(long, value_name = "EVENT")]
    pub(in crate::cli) like: Option<String>,
    /// Edit the data in $VISUAL, $EDITOR or vi first
    #[arg(long, requires = "sample")]
    pub(in crate::cli) edit: bool,
    /// Straight to a server: 3000, 3000/path, host:3000/path, a URL; signed here, no daemon
    #[arg(long, value_name = "TARGET", requires = "sample")]
    pub(in crate::cli) to: Option<Target>,
    /// With --to, where the secret is: env:VAR, file:PATH, or - for stdin
    ///
    /// Without it, env:WEBHOOK_SECRET if that is set, else env:BLUUM_WEBHOOK_SECRET if that is,
    /// or only the variable that the project names; else a fixed one for demos, which is told.
    #[arg(long, value_name = "FROM", requires = "to")]
    pub(in crate::cli) secret: Option<String>,
    /// How many
    #[arg(long, short, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) count: u32,
    /// At most so many a second
    #[arg(long, value_name = "N/s", value_parser = spacing)]
    pub(in crate::cli) rate: Option<Duration>,
    /// Misbehave: duplicate, reorder, delay=2s, stale-timestamp, bad-signature, drop-mid-body
    #[arg(long, value_name = "FAULT", value_delimiter = ',', requires = "sample")]
    pub(in crate::cli) fault: Vec<Fault>,
    /// Wait for every delivery, 1m unless said otherwise; status 8 unless all are delivered
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "1m", value_parser = duration::parse, requires = "sample")]
    pub(in crate::cli) wait: Option<Duration>,
    /// Print the events, send nothing
    #[arg(long, conflicts_with = "wait", requires = "sample")]
    pub(in crate::cli) dry_run: bool,
    /// Whom it is for, with an operator's key, if there are several tenants
    #[arg(long, value_name = "ID", conflicts_with = "to")]
    pub(in crate::cli) tenant: Option<String>,
}

/// The time between two events, of a rate.
fn spacing(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).parse::<u32>().ok();
    number
        .and_then(|number| Duration::from_secs(1).checked_div(number))
        .ok_or_else(|| format!("'{text}' is no rate; write '10/s'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_spacing() {
        assert_eq!(spacing("10/s"), Ok(Duration::from_millis(100)));
        assert_eq!(spacing("1"), Ok(Duration::from_secs(1)));
        for text in ["", "0/s", "10/m", "-1/s", "1.5/s"] {
            assert!(spacing(text).unwrap_err().contains("write '10/s'"), "{text}");
        }
    }
}
