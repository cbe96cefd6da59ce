//! `webhooks` and its flags.

use clap::{Args, Subcommand};

use super::ListArgs;

/// The settings of a webhook.
#[derive(Debug, Args)]
pub(in crate::cli) struct WebhookSettings {
    /// A name for people
    #[arg(long)]
    pub(in crate::cli) name: Option<String>,
    /// More words for people
    #[arg(long)]
    pub(in crate::cli) description: Option<String>,
    /// `object`: events about the same object wait for each other; `none`: nothing waits
    #[arg(long, value_name = "ORDERING")]
    pub(in crate::cli) ordering: Option<String>,
    /// How long one attempt may take, in seconds
    #[arg(long, value_name = "N")]
    pub(in crate::cli) timeout_seconds: Option<u32>,
    /// Waits between attempts, such as 1m,5m,30m
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(in crate::cli) retry_schedule: Option<Vec<String>>,
    /// Most requests at the same time
    #[arg(long, value_name = "N")]
    pub(in crate::cli) max_in_flight: Option<u32>,
}

/// Which deliveries to replay.
#[derive(Debug, Args)]
#[command(
    after_help = "What is replayed is delivered in its old order, as fast as the webhook takes it.

Examples:
  bluum-hooks webhooks replay wh_… --dry-run                   how many are parked?
  bluum-hooks webhooks replay wh_… --reason exhausted --wait
  bluum-hooks webhooks replay wh_… --status delivered --since 2026-06-15T00:00:00Z"
)]
pub(in crate::cli) struct ReplayArgs {
    /// The webhook, wh_…
    pub(in crate::cli) id: String,
    /// Those that are `parked`, or those that were `delivered` [default: parked]
    #[arg(long)]
    pub(in crate::cli) status: Option<String>,
    /// Only those parked for this: exhausted, gone, disabled …
    #[arg(long)]
    pub(in crate::cli) reason: Option<String>,
    /// Only this event type
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) event: Option<String>,
    /// Only those accepted from then on, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) since: Option<String>,
    /// Only those accepted before then, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) until: Option<String>,
    /// Say how many there are, and replay none
    #[arg(long, conflicts_with = "wait")]
    pub(in crate::cli) dry_run: bool,
    /// Follow the progress on stderr, to its end
    #[arg(long)]
    pub(in crate::cli) wait: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum WebhooksCommand {
    /// Register a URL; prints the signing secret, once
    #[command(after_help = "Examples:
  bluum-hooks webhooks create --url https://partner.example/hooks --events 'order.*'
  bluum-hooks webhooks create --url http://127.0.0.1:3000/webhooks --events '*' --name laptop")]
    Create {
        /// Where deliveries go
        #[arg(long)]
        url: String,
        /// What to subscribe to: names, 'order.*', '*'
        #[arg(long, value_name = "LIST", value_delimiter = ',', required = true)]
        events: Vec<String>,
        /// Sign with a key pair too: its public key is all that a receiver needs
        #[arg(long)]
        ed25519: bool,
        #[command(flatten)]
        settings: WebhookSettings,
        /// Whose it is, with an operator's key
        #[arg(long, value_name = "ID")]
        tenant: Option<String>,
    },
    /// List webhooks
    List(ListArgs),
    /// Show one webhook
    Show {
        /// The webhook, wh_…
        id: String,
    },
    /// Change a webhook; what is not named stays
    #[command(after_help = "Examples:
  bluum-hooks webhooks update wh_… --status inactive      pause it: what arrives is parked
  bluum-hooks webhooks update wh_… --status active        and released, in its order
  bluum-hooks webhooks update wh_… --events 'order.*,deposit.completed'")]
    Update {
        /// The webhook, wh_…
        id: String,
        /// Where deliveries go
        #[arg(long)]
        url: Option<String>,
        /// What to subscribe to
        #[arg(long, value_name = "LIST", value_delimiter = ',')]
        events: Option<Vec<String>>,
        /// `active`, or `inactive` to pause it
        #[arg(long)]
        status: Option<String>,
        /// Whether a key pair signs too; off, its keys are dropped
        #[arg(long, value_name = "BOOL")]
        ed25519: Option<bool>,
        #[command(flatten)]
        settings: WebhookSettings,
    },
    /// Delete a webhook; what it is owed is parked
    Delete {
        /// The webhook, wh_…
        id: String,
    },
    /// Give a webhook a new signing secret; prints it, once
    #[command(after_help = "Both secrets sign until the overlap ends, the new one first.

Examples:
  bluum-hooks webhooks rotate-secret wh_…                   the old one signs for another day
  bluum-hooks webhooks rotate-secret wh_… --overlap 0s      it has leaked: it stops at once")]
    RotateSecret {
        /// The webhook, wh_…
        id: String,
        /// How long the old secrets go on signing, up to 7d [default: 24h]
        #[arg(long, value_name = "DURATION")]
        overlap: Option<String>,
    },
    /// Deliver again what is parked, or was delivered
    Replay(ReplayArgs),
    /// List a webhook's replays, newest first
    Replays {
        /// The webhook, wh_…
        id: String,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Send an example event to a webhook, and to no other
    Test {
        /// The webhook, wh_…
        id: String,
        /// The event type [default: one that it subscribes to]
        #[arg(long, value_name = "NAME")]
        event: Option<String>,
    },
}
