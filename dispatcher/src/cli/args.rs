//! Every command and flag, and the help that goes with it.

use std::env;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::failure::Failure;
use crate::config::Sources;

mod database;
mod global;
mod layout;
mod limits;
mod listen;
mod login;
mod replay;
mod signatures;
mod tail;
mod trigger;
mod webhooks;

pub(super) use self::database::{AuditArgs, KeyedDatabaseArgs, RekeyArgs, SecretsCommand};
pub(super) use self::global::Global;
pub(super) use self::layout::definition;
use self::limits::LimitArgs;
pub(super) use self::listen::{ListenArgs, PartArg, ReportArg};
pub(super) use self::login::LoginArgs;
pub(super) use self::replay::ReplayEventsArgs;
pub(super) use self::signatures::{SignArgs, VerifyArgs};
pub(super) use self::tail::{DoctorArgs, TailArgs};
pub(super) use self::trigger::TriggerArgs;
pub(super) use self::webhooks::{ReplayArgs, WebhookSettings, WebhooksCommand};

const EXIT_STATUS: &str = "Exit status:
  0  done
  1  the environment does not let us (port in use, database cannot be opened), or a bug
  2  arguments, settings or input that cannot be used
  3  no credentials, or not the right ones
  4  no such event, webhook, delivery, scenario
  5  the daemon does not answer
  6  another process listens under this name
  7  the signature does not verify
  8  a delivery that was waited for was not answered with 2xx
  9  the audit found a promise that is not kept
  124, 126, 127, 130  see `bluum-hooks listen --help`

Start here:  bluum-hooks demo";

/// Delivers the events of a brokerage API to the partners who build on it
#[derive(Debug, Parser)]
#[command(name = "bluum-hooks", version, max_term_width = 100)]
#[command(arg_required_else_help = true, after_help = EXIT_STATUS)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create the database, a tenant, and its first keys
    Init(KeyedDatabaseArgs),
    /// Run the daemon
    Serve(Box<ServeArgs>),
    /// Check every promise that can be read off the database, live or stopped
    Audit(AuditArgs),
    /// Manage the key that webhook secrets are sealed with, while the daemon is stopped
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// See it all at once: daemon, receiver and a journey of events, on a temporary database
    Demo(DemoArgs),
    /// Stream events to this machine and forward them to a local server
    Listen(Box<ListenArgs>),
    /// Register and manage webhooks
    #[command(subcommand, visible_alias = "webhook")]
    Webhooks(WebhooksCommand),
    /// Publish events and look at them
    #[command(subcommand, visible_alias = "event")]
    Events(EventsCommand),
    /// See what became of deliveries, and replay them
    #[command(subcommand, visible_alias = "delivery")]
    Deliveries(DeliveriesCommand),
    /// Send a sample event, or a story of them, to the daemon or straight to a server
    Trigger(Box<TriggerArgs>),
    /// Deliver past events again, to this machine's listener, a webhook or a local server
    Replay(ReplayEventsArgs),
    /// Follow attempts and their outcome, of all webhooks
    Tail(TailArgs),
    /// Show an event or a delivery, and why it did not arrive
    #[command(after_help = "Examples:
  bluum-hooks show last             the newest event
  bluum-hooks show evt_…
  bluum-hooks show evt_… --why      each attempt, what is wrong, what happens next
  bluum-hooks show dlv_… --why")]
    Show {
        /// The event, evt_…, or one of its deliveries, dlv_…, or last
        id: String,
        /// Tell every attempt, why it stands where it stands, and what happens next
        #[arg(long)]
        why: bool,
    },
    /// Check a signature, and say why it does not match
    Verify(VerifyArgs),
    /// Sign a body: print the three headers that come with it
    Sign(SignArgs),
    /// Check settings, daemon, clock, stream, target and secret, and say what to do
    Doctor(DoctorArgs),
    /// Keep a key pair in a profile, once the daemon has accepted it
    Login(LoginArgs),
    /// Forget the key pair of a profile
    Logout,
    /// Show which key asks, whom it acts for, where it asks, and who said so
    Whoami,
    /// Manage API keys (operators)
    #[command(subcommand, visible_alias = "key")]
    Keys(KeysCommand),
    /// Manage tenants (operators)
    #[command(subcommand, visible_alias = "tenant")]
    Tenants(TenantsCommand),
    /// Print a completion script for a shell
    #[command(after_help = "Examples:
  bluum-hooks completions bash > ~/.local/share/bash-completion/completions/bluum-hooks
  bluum-hooks completions zsh > ~/.zfunc/_bluum-hooks
  bluum-hooks completions fish > ~/.config/fish/completions/bluum-hooks.fish")]
    Completions {
        /// Which
        shell: clap_complete::Shell,
    },
    /// Write a manual page for each command
    Man {
        /// The folder for them
        folder: PathBuf,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "Each setting can also be given as BLUUM_HOOKS_<NAME>, or in the file.
A database that does not exist is created as by `init`; its keys are printed on stderr, once.

Examples:
  bluum-hooks serve
  bluum-hooks serve --login          while developing: `listen`, `trigger` and all else just work
  bluum-hooks serve --listen 0.0.0.0:4100 --database sqlite:/var/lib/bluum/hooks.db
  bluum-hooks serve --allow-target 127.0.0.0/8      let webhooks point to this machine
  bluum-hooks serve --rate-limit-sandbox 0          sandbox keys without a rate limit")]
pub(super) struct ServeArgs {
    /// Where to listen; port 0 takes any [default: 127.0.0.1:4100]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The database [default: sqlite:bluum-hooks.db]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The key that webhook secrets are sealed with [default: the database's name and `.key`]
    #[arg(long, value_name = "FILE")]
    secrets_key_file: Option<String>,
    /// A TOML file with settings, keys as flags with underscores [env: BLUUM_HOOKS_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Let webhooks point into this range although it is not public; repeatable
    #[arg(long, value_name = "CIDR")]
    allow_target: Vec<String>,
    /// Waits between attempts [default: 1m,5m,30m,2h,8h]
    #[arg(long, value_name = "LIST")]
    retry_schedule: Option<String>,
    /// How long every attempt of a webhook may fail before it is disabled [default: 5d]
    #[arg(long, value_name = "DURATION")]
    disable_after: Option<String>,
    /// How long requests under way may take at shutdown [default: 10s]
    #[arg(long, value_name = "DURATION")]
    grace: Option<String>,
    /// Most deliveries under way at the same time [default: 4096]
    #[arg(long, value_name = "N")]
    max_in_flight: Option<String>,
    /// How long events and what was delivered are kept [default: 30d]
    #[arg(long, value_name = "DURATION")]
    retention: Option<String>,
    /// How long what was parked is kept [default: 90d]
    #[arg(long, value_name = "DURATION")]
    retention_parked: Option<String>,
    /// Keep a new database's sandbox key in the profile
    #[arg(long)]
    pub(super) login: bool,
    /// Logs as JSON
    #[arg(long)]
    pub(super) log_json: bool,
    #[command(flatten)]
    limits: LimitArgs,
}

impl ServeArgs {
    pub(super) fn sources(&self) -> Result<Sources, Failure> {
        let ranges = (!self.allow_target.is_empty()).then(|| self.allow_target.join(","));
        let flags = [
            ("listen", &self.listen),
            ("database", &self.database),
            ("secrets_key_file", &self.secrets_key_file),
            ("allow_target", &ranges),
            ("retry_schedule", &self.retry_schedule),
            ("disable_after", &self.disable_after),
            ("grace", &self.grace),
            ("max_in_flight", &self.max_in_flight),
            ("retention", &self.retention),
            ("retention_parked", &self.retention_parked),
        ];
        let flags = flags.into_iter().chain(self.limits.flags());
        let flags = flags.filter_map(|(name, text)| Some((name, text.clone()?)));
        let variable = env::var_os("BLUUM_HOOKS_CONFIG").filter(|path| !path.is_empty());
        let config = self.config.clone().or_else(|| variable.map(PathBuf::from));
        let file = Sources::file(config.as_deref())?;
        Ok(Sources::new(flags.collect(), |name| env::var(name).ok(), file))
    }
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Show the daemon's logs as well
    #[arg(long)]
    pub(super) logs: bool,
}

/// Which part of a list.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// How many at most, 1 to 200
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<u32>,
    /// Go on after this one
    #[arg(long, value_name = "ID")]
    pub(super) starting_after: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum EventsCommand {
    /// Publish an event
    #[command(after_help = "Examples:
  bluum-hooks events publish order.filled                       the catalogue's example
  bluum-hooks events publish order.filled --data @order.json
  jq .deposit data.json | bluum-hooks events publish deposit.completed --data -")]
    Publish {
        /// The event type
        event: String,
        /// The resource: JSON, @FILE, or - for stdin [default: the catalogue's example]
        #[arg(long, value_name = "JSON")]
        data: Option<String>,
        /// Whom it is for, with an operator's key; may be left out if there is only one tenant
        #[arg(long, value_name = "ID")]
        tenant: Option<String>,
        /// The investor concerned
        #[arg(long, value_name = "ID")]
        investor_id: Option<String>,
        /// What to wait in line by [default: the id in the data]
        #[arg(long, value_name = "KEY")]
        ordering_key: Option<String>,
        /// When it happened, RFC 3339 [default: now]
        #[arg(long, value_name = "TIME")]
        timestamp: Option<String>,
    },
    /// List events in the order in which they were accepted
    List {
        #[command(flatten)]
        list: ListArgs,
        /// Only this type
        #[arg(long, value_name = "NAME")]
        event: Option<String>,
        /// Whose, with an operator's key
        #[arg(long, value_name = "ID")]
        tenant: Option<String>,
    },
    /// Show one event, and what became of it
    Show {
        /// The event, evt_…
        id: String,
    },
    /// Print events as they are accepted, from the beginning; goes on by itself after a break
    #[command(after_help = "Examples:
  bluum-hooks events follow --starting-after evt_…
  bluum-hooks events follow --since 2026-06-15T00:00:00Z --event order.filled --json")]
    Follow {
        /// Go on after this one
        #[arg(long, value_name = "ID")]
        starting_after: Option<String>,
        /// Only those accepted from then on, RFC 3339
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Only this type
        #[arg(long, value_name = "NAME")]
        event: Option<String>,
        /// Whose, with an operator's key
        #[arg(long, value_name = "ID")]
        tenant: Option<String>,
    },
    /// List the event types there are
    Types,
}

#[derive(Debug, Subcommand)]
pub(super) enum DeliveriesCommand {
    /// List the deliveries of a webhook, newest first
    List {
        /// The webhook, wh_…
        webhook: String,
        #[command(flatten)]
        list: ListArgs,
        /// Only those that are queued, waiting, leased, delivered or parked
        #[arg(long)]
        status: Option<String>,
        /// Only this event type
        #[arg(long, value_name = "NAME")]
        event: Option<String>,
    },
    /// Show one delivery with every attempt
    Show {
        /// The delivery, dlv_…
        id: String,
    },
    /// Deliver again what is delivered or parked
    Replay {
        /// The delivery, dlv_…
        id: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum RoleArg {
    Operator,
    Tenant,
    Investor,
}

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Create a key; prints its secret, once
    #[command(after_help = "Examples:
  bluum-hooks keys create --role tenant --tenant tnt_…
  bluum-hooks keys create --role operator --live")]
    Create {
        /// What it may do
        #[arg(long)]
        role: RoleArg,
        /// Whose it is; may be left out if there is only one tenant
        #[arg(long, value_name = "ID")]
        tenant: Option<String>,
        /// Whose it is, for an investor's key
        #[arg(long, value_name = "ID")]
        investor_id: Option<String>,
        /// For production; otherwise of the same mode as the key that creates it
        #[arg(long)]
        live: bool,
        /// A name for people
        #[arg(long)]
        name: Option<String>,
    },
    /// List keys
    List(ListArgs),
    /// Make a key useless from now on
    Revoke {
        /// The key, apk_…
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum TenantsCommand {
    /// Create a tenant
    Create {
        /// A name for people
        name: String,
    },
    /// List tenants
    List(ListArgs),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        definition().debug_assert();
    }
}
