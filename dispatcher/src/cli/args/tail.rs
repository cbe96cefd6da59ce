//! Arguments of `tail` and `doctor`.

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Times are of this machine, UTC with --json. It asks once a second. Of what is replayed, it sees
the newest 200 of each webhook.

Examples:
  bluum-hooks tail                        the last 10 attempts, and those to come
  bluum-hooks tail -s failed              only what was not 2xx
  bluum-hooks tail -e 'order.*' -s 5xx,timeout --webhook wh_…
  bluum-hooks tail --since 1h --no-follow --json | jq .latency_ms

Exit status: 0 done, 2 usage, 3 credentials, 4 no such webhook, 5 the daemon does not answer.")]
pub(in crate::cli) struct TailArgs {
    /// Only these event types; '!' excludes
    #[arg(long, short, value_name = "GLOB", value_delimiter = ',')]
    pub(in crate::cli) events: Vec<String>,
    /// Only these: 2xx, 3xx, 4xx, 5xx, timeout, failed, ok, or a number
    #[arg(long, short, value_name = "STATUS", value_delimiter = ',')]
    pub(in crate::cli) status: Vec<String>,
    /// Only this webhook, wh_…; repeatable
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) webhook: Vec<String>,
    /// How many past attempts to begin with
    #[arg(long, short = 'N', value_name = "N", default_value_t = 10)]
    pub(in crate::cli) lines: usize,
    /// Begin with all since then: 10m, or RFC 3339
    #[arg(long, value_name = "WHEN", conflicts_with = "lines")]
    pub(in crate::cli) since: Option<String>,
    /// Print what there is, and stop
    #[arg(long)]
    pub(in crate::cli) no_follow: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bluum-hooks doctor                      what can be checked from here
  bluum-hooks doctor 3000/webhooks        and whether the app answers there

Secrets are told by their fingerprint, as `listen` does: the first eight hex digits of the SHA-256
of the key.

Exit status: 0 all is well, 2 settings, 3 credentials, 5 the daemon does not answer,
  1 anything else.")]
pub(in crate::cli) struct DoctorArgs {
    /// Where the app listens: PORT, PORT/PATH or URL [default: the project's targets]
    pub(in crate::cli) target: Vec<String>,
    /// Which listener [default: user@host] [env: BLUUM_HOOKS_LISTENER]
    #[arg(long, short, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
}
