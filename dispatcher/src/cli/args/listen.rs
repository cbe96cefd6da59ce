//! Arguments of `listen`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use crate::duration;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bluum-hooks listen                                 print events, forward nothing
  bluum-hooks listen 3000/webhooks                   forward to http://localhost:3000/webhooks
  bluum-hooks listen 'order.*=3000/orders' '*=3000/other'    route by event type
  bluum-hooks listen 3000/webhooks -- npm run dev    start the app with WEBHOOK_SECRET set
  bluum-hooks listen 3000/webhooks --expect type=order.filled --within 30s    a CI check

Exit status: 0 condition met or SIGTERM, 3 not authorised, 5 daemon unreachable, 6 name in use,
  124 --within ran out, 126 and 127 CMD cannot be run, 130 ^C; with '-- CMD', CMD's own status.")]
pub(in crate::cli) struct ListenArgs {
    /// Where to forward: PORT, PORT/PATH, HOST:PORT/PATH, URL, or GLOB=TARGET
    #[arg(value_name = "TARGET")]
    pub(in crate::cli) targets: Vec<String>,
    /// Run CMD with the signing secret in its environment; both stop together
    #[arg(last = true, value_name = "CMD")]
    pub(in crate::cli) command: Vec<String>,

    /// Event types to receive; 'order.*' for a family, '!' excludes
    #[arg(long, short = 'e', value_delimiter = ',', value_name = "GLOB")]
    #[arg(help_heading = "Which events")]
    pub(in crate::cli) events: Vec<String>,
    /// Payload condition: data.currency=USD, 'data.amount>=100'; all must hold
    #[arg(long = "where", short = 'w', value_name = "COND", help_heading = "Which events")]
    pub(in crate::cli) conditions: Vec<String>,
    /// Where to start: auto, now, last, 10m, a time, a cursor
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = "Which events")]
    pub(in crate::cli) since: String,
    /// Name of this listener; same name, same place in the stream and same secret [default:
    /// user@host] [env: BLUUM_HOOKS_LISTENER]
    #[arg(long, short = 'n', value_name = "NAME", help_heading = "Which events")]
    pub(in crate::cli) name: Option<String>,
    /// Disconnect another listener of the same name
    #[arg(long, conflicts_with = "share", help_heading = "Which events")]
    pub(in crate::cli) takeover: bool,
    /// Split the events with other listeners of the same name
    #[arg(long, help_heading = "Which events", hide_short_help = true)]
    pub(in crate::cli) share: bool,
    /// Work on live data instead of the sandbox
    #[arg(long, help_heading = "Which events")]
    pub(in crate::cli) live: bool,
    /// Whose events, with an operator's key
    #[arg(long, value_name = "ID", help_heading = "Which events", hide_short_help = true)]
    pub(in crate::cli) tenant: Option<String>,

    /// Add or replace a header on the forwarded request
    #[arg(long, short = 'H', value_name = "NAME: VALUE", help_heading = "Forwarding")]
    pub(in crate::cli) header: Vec<String>,
    /// How long the local server may take; 0: for ever
    #[arg(long, value_parser = patience, default_value = "30s", value_name = "DURATION")]
    #[arg(help_heading = "Forwarding")]
    pub(in crate::cli) timeout: Duration,
    /// Requests in flight at once; 1 keeps strict order
    #[arg(long, short = 'j', default_value_t = 8, value_name = "N", help_heading = "Forwarding")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(in crate::cli) concurrency: u16,
    /// Accept any TLS certificate from the local server
    #[arg(long, short = 'k', help_heading = "Forwarding")]
    pub(in crate::cli) insecure: bool,
    /// Also trust this CA for the local server
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(help_heading = "Forwarding", hide_short_help = true)]
    pub(in crate::cli) ca_cert: Option<PathBuf>,
    /// Host header instead of the target's own
    #[arg(long, value_name = "HOST", help_heading = "Forwarding", hide_short_help = true)]
    pub(in crate::cli) host_header: Option<String>,
    /// Allow a target that is not on this machine or in a private network
    #[arg(long, help_heading = "Forwarding", hide_short_help = true)]
    pub(in crate::cli) allow_remote: bool,
    /// Have a failed local delivery retried, on the dispatcher's schedule
    #[arg(long, help_heading = "Forwarding")]
    pub(in crate::cli) retry: bool,
    /// What to report of the local answer
    #[arg(long, value_enum, default_value = "status", value_name = "WHAT")]
    #[arg(help_heading = "Forwarding", hide_short_help = true)]
    pub(in crate::cli) report: ReportArg,

    /// Print the signing secret and exit; elsewhere it is told by its fingerprint, the first eight
    /// hex digits of the key's SHA-256
    #[arg(long, help_heading = "Signing secret")]
    #[arg(conflicts_with_all = ["targets", "command", "tui", "exit_after", "expect"])]
    pub(in crate::cli) print_secret: bool,
    /// Write the secret into an env file, e.g. .env.local or .env:MY_SECRET
    #[arg(long, value_name = "FILE[:VAR]", help_heading = "Signing secret")]
    pub(in crate::cli) write_env: Option<String>,
    /// Sign with the secret the app already has: env:VAR or file:PATH
    #[arg(long, value_name = "FROM", help_heading = "Signing secret")]
    pub(in crate::cli) sign_with: Option<String>,

    /// Full-screen view [default: one line per event and a status line]
    #[arg(long, short = 'i', help_heading = "Output")]
    pub(in crate::cli) tui: bool,
    /// Also print of each event
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART", help_heading = "Output")]
    pub(in crate::cli) show: Vec<PartArg>,
    /// Append every event as NDJSON, for 'replay @FILE' and 'verify'
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub(in crate::cli) save: Option<PathBuf>,

    /// Stop with status 0 after N delivered events
    #[arg(long, value_name = "N", help_heading = "Scripts and CI")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) exit_after: Option<u64>,
    /// Stop with status 0 once an event meets COND and was answered 2xx; of several, each
    #[arg(long, value_name = "COND", help_heading = "Scripts and CI")]
    pub(in crate::cli) expect: Vec<String>,
    /// With --exit-after or --expect: stop with status 124 after this long
    #[arg(long, value_parser = duration::parse, value_name = "DURATION")]
    #[arg(help_heading = "Scripts and CI")]
    pub(in crate::cli) within: Option<Duration>,
    /// Create FILE when connected, remove it when not
    #[arg(long, value_name = "FILE", help_heading = "Scripts and CI", hide_short_help = true)]
    pub(in crate::cli) ready_file: Option<PathBuf>,
    /// Stop with status 5 after being offline this long [default: never]
    #[arg(long, value_parser = duration::parse, value_name = "DURATION")]
    #[arg(help_heading = "Scripts and CI", hide_short_help = true)]
    pub(in crate::cli) max_offline: Option<Duration>,
}

/// What the dispatcher gets to know of the local answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ReportArg {
    /// That it is done with
    None,
    /// Status, time taken, and what went wrong
    Status,
    /// The beginning of the body as well
    Full,
}

/// What is printed below the line of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum PartArg {
    Headers,
    Body,
    Response,
    All,
}

/// A duration, or 0 for ever.
fn patience(text: &str) -> Result<Duration, String> {
    match text {
        "0" => Ok(Duration::ZERO),
        _ => duration::parse(text).map_err(|error| format!("{error}, or '0' for ever")),
    }
}
