//! Which database, and the key of its secrets.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::config::Sources;

#[derive(Debug, Args)]
pub(in crate::cli) struct DatabaseArgs {
    /// The database [default: sqlite:bluum-hooks.db] [env: BLUUM_HOOKS_DATABASE]
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) database: Option<String>,
}

const AUDIT: &str = "Reads one snapshot, beside a running daemon or without one. Needs no key.

--repair sets right what follows from the rest of the database (what nobody would ever look
at becomes due, counters go on after the last number there is), says each thing it did, and
audits again. It never deletes a row. What it leaves, it says what to do about.

Exit status 0: every promise is kept. 9: one is not (after --repair: is still not).

Examples:
  bluum-hooks audit
  bluum-hooks audit --json | jq -r '.violations[] | [.code, .place] | @tsv'
  bluum-hooks audit --repair --dry-run    what --repair would do";

#[derive(Debug, Args)]
#[command(after_help = AUDIT)]
pub(in crate::cli) struct AuditArgs {
    #[command(flatten)]
    pub(in crate::cli) database: DatabaseArgs,
    /// Set right what can be, with the daemon stopped, and audit again
    #[arg(long)]
    pub(in crate::cli) repair: bool,
    /// With --repair: say what would be done, and change nothing
    #[arg(long, requires = "repair")]
    pub(in crate::cli) dry_run: bool,
}

/// For commands that seal or open secrets.
#[derive(Debug, Args)]
pub(in crate::cli) struct KeyedDatabaseArgs {
    /// The database [default: sqlite:bluum-hooks.db] [env: BLUUM_HOOKS_DATABASE]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The key that webhook secrets are sealed with [default: the database's name and `.key`]
    /// [env: BLUUM_HOOKS_SECRETS_KEY_FILE, or the key itself: BLUUM_HOOKS_SECRETS_KEY]
    #[arg(long, value_name = "FILE")]
    secrets_key_file: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SecretsCommand {
    /// Seal every webhook secret anew, with another key
    #[command(after_help = "The daemon must be stopped. All or nothing. The old key stays where it
is: keep it as long as there are backups of the database from its time.

Example:
  bluum-hooks secrets rekey --new-key-file new.key
  mv bluum-hooks.db.key old.key && mv new.key bluum-hooks.db.key")]
    Rekey(RekeyArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RekeyArgs {
    #[command(flatten)]
    pub(in crate::cli) database: KeyedDatabaseArgs,
    /// The new key; made if there is no such file
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) new_key_file: PathBuf,
}

impl DatabaseArgs {
    pub(in crate::cli) fn sources(&self) -> Sources {
        let flags = self.database.iter().map(|text| ("database", text.clone())).collect();
        Sources::new(flags, |name| env::var(name).ok(), BTreeMap::new())
    }
}

impl KeyedDatabaseArgs {
    pub(in crate::cli) fn sources(&self) -> Sources {
        let flags = [("database", &self.database), ("secrets_key_file", &self.secrets_key_file)];
        let flags = flags.into_iter().filter_map(|(name, text)| Some((name, text.clone()?)));
        Sources::new(flags.collect(), |name| env::var(name).ok(), BTreeMap::new())
    }
}
