//! Arguments of `verify` and `sign`.

use std::time::Duration;

use clap::Args;

use crate::duration;

#[derive(Debug, Args)]
#[command(after_help = "\
EVENT holds headers and body: a request as it went over the wire, or JSON as `sign --json` prints
it. Without EVENT, the body comes from --body and the headers from --header.

Examples:
  bluum-hooks verify @request.txt
  bluum-hooks verify last
  bluum-hooks verify --body @body.json -H 'webhook-id: evt_…' -H 'webhook-timestamp: …' \\
      -H 'webhook-signature: v1,…' --secret file:secret.txt
  bluum-hooks sign --body @body.json --json | bluum-hooks verify -

Where nothing matches and there is a profile or a key, it tries the secret of your listener as well.

Exit status: 0 valid, 7 not valid, 2 nothing that could be verified.")]
pub(in crate::cli) struct VerifyArgs {
    /// What was received: @FILE, - for stdin, or last: what `listen --save` saved last
    pub(in crate::cli) event: Option<String>,
    /// The body alone, byte for byte: @FILE, or - for stdin
    #[arg(long, short, value_name = "FROM", conflicts_with = "event")]
    pub(in crate::cli) body: Option<String>,
    /// A header that came with --body; repeatable
    #[arg(long, short = 'H', value_name = "NAME: VALUE", requires = "body")]
    pub(in crate::cli) header: Vec<String>,
    /// Where the secret or public key is: env:VAR, file:PATH, or - for stdin; repeatable [default:
    /// env:WEBHOOK_SECRET, else env:BLUUM_WEBHOOK_SECRET]
    #[arg(long, value_name = "FROM")]
    pub(in crate::cli) secret: Vec<String>,
    /// How old it may be
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    pub(in crate::cli) tolerance: Duration,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bluum-hooks sign --body @order.json
  bluum-hooks sign --body @order.json --json | bluum-hooks verify -")]
pub(in crate::cli) struct SignArgs {
    /// The body, byte for byte: @FILE, or - for stdin
    #[arg(long, short, value_name = "FROM")]
    pub(in crate::cli) body: String,
    /// The event's id [default: a new one]
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) id: Option<String>,
    /// When it is signed, in Unix seconds [default: now]
    #[arg(long, value_name = "SECONDS")]
    pub(in crate::cli) timestamp: Option<i64>,
    /// Where the secret is: env:VAR, file:PATH, or - for stdin; repeatable, for a rotation
    /// [default: env:WEBHOOK_SECRET, else env:BLUUM_WEBHOOK_SECRET]
    #[arg(long, value_name = "FROM")]
    pub(in crate::cli) secret: Vec<String>,
}
