//! Arguments of `replay`.

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Goes to this machine's listener, and to no production endpoint unless --to wh_… says so. Bodies stay
byte for byte; time and signature are new, unless --exact.

Examples:
  bluum-hooks replay last                               the newest event, to the listener
  bluum-hooks replay evt_… --to 3000/webhooks           to a local server, signed here
  bluum-hooks replay --failed --since 1h -y --wait      what failed within the last hour
  bluum-hooks replay @events.ndjson --to 3000 --exact   as `listen --save` kept them
  bluum-hooks replay -e 'order.*' --since 10m --to wh_… --dry-run

Exit status: 0 done, 2 usage, 3 credentials, 4 no such event, 5 the daemon does not answer,
  8 with --wait: not every answer was 2xx.")]
pub(in crate::cli) struct ReplayEventsArgs {
    /// evt_…, dlv_…, last, last-failed, or @FILE of saved events
    #[arg(required_unless_present_any = ["failed", "events", "since"])]
    pub(in crate::cli) what: Vec<String>,
    /// `listener`, wh_…, or a local PORT, PORT/PATH or URL [default: listener]
    #[arg(long, value_name = "WHERE")]
    pub(in crate::cli) to: Option<String>,
    /// Which listener [default: user@host] [env: BLUUM_HOOKS_LISTENER]
    #[arg(long, short, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
    /// Only those whose last attempt failed
    #[arg(long)]
    pub(in crate::cli) failed: bool,
    /// Only these event types; '!' excludes
    #[arg(long, short, value_name = "GLOB", value_delimiter = ',')]
    pub(in crate::cli) events: Vec<String>,
    /// Only those accepted from then on: 10m, or RFC 3339
    #[arg(long, value_name = "WHEN")]
    pub(in crate::cli) since: Option<String>,
    /// Only those accepted before then
    #[arg(long, value_name = "WHEN")]
    pub(in crate::cli) until: Option<String>,
    /// Bytes, headers and old signature as they were; from @FILE, to a local server
    #[arg(long)]
    pub(in crate::cli) exact: bool,
    /// Signs for a local server: env:VAR, file:PATH [default: env:WEBHOOK_SECRET, else
    /// env:BLUUM_WEBHOOK_SECRET]
    #[arg(long, value_name = "FROM")]
    pub(in crate::cli) secret: Option<String>,
    /// At most so many a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(in crate::cli) rate: Option<u32>,
    /// Wait for every answer; status 8 unless all are 2xx
    #[arg(long)]
    pub(in crate::cli) wait: bool,
    /// Say which, and replay none
    #[arg(long, conflicts_with = "wait")]
    pub(in crate::cli) dry_run: bool,
    /// Do not ask before more than one
    #[arg(long, short)]
    pub(in crate::cli) yes: bool,
}
