//! What every command takes, and what follows from it: whom to ask, and as whom.

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::cli::failure::Failure;
use crate::cli::login;
use crate::cli::profile::{self, Login};
use crate::client::Client;

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(in crate::cli) struct Global {
    /// JSON on stdout, an object a line, and nothing else
    #[arg(long, global = true, env = "BLUUM_HOOKS_JSON", value_parser = FalseyValueParser::new())]
    #[arg(hide_env_values = true)]
    pub(in crate::cli) json: bool,
    /// Where the daemon is, for commands that talk to one [env: BLUUM_BASE_URL]
    #[arg(long, global = true, value_name = "URL")]
    base_url: Option<String>,
    /// Which profile of the user's file [env: BLUUM_HOOKS_PROFILE]
    #[arg(long, short, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// Never ask; fail instead
    #[arg(long, global = true, env = "BLUUM_HOOKS_NO_INPUT", hide_env_values = true)]
    #[arg(value_parser = FalseyValueParser::new())]
    pub(in crate::cli) no_input: bool,
}

impl Global {
    /// A client with the key pair of the environment, or of the profile. Never from an argument:
    /// others can read these.
    pub(in crate::cli) fn client(&self) -> Result<Client, Failure> {
        let Login { key, secret, base, .. } = self.sources()?.login()?;
        login::connect(&base.value, &key.value, &secret)
    }

    /// What says whom to ask, and as whom.
    pub(in crate::cli) fn sources(&self) -> Result<profile::Sources, Failure> {
        profile::Sources::read(self.base_url.as_deref(), self.profile.as_deref())
    }

    /// The same with a profile that need not be there yet.
    pub(in crate::cli) fn sources_for_login(&self) -> Result<profile::Sources, Failure> {
        profile::Sources::for_login(self.base_url.as_deref(), self.profile.as_deref())
    }
}
