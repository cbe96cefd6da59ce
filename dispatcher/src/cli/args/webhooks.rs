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
    /// Delete a webhook; what it is owed is parked as it comes due
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
}
