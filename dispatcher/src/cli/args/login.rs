//! Arguments of `login`.

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bluum-hooks login                                     asks for key and secret
  bluum-hooks login apk_… --with-secret < secret.txt
  bluum-hooks login -p staging --base-url https://hooks.staging.example
  jq -r '.tenant | .api_key, .api_secret' keys.json | bluum-hooks login

Exit status: 0 kept, 2 nothing to read, 3 the daemon refuses the pair, 5 it does not answer.")]
pub(in crate::cli) struct LoginArgs {
    /// The key's id, apk_… [default: asked for, or the first line of stdin]
    pub(in crate::cli) key: Option<String>,
    /// Read the secret from stdin, also at a terminal
    #[arg(long)]
    pub(in crate::cli) with_secret: bool,
    /// Keep the secret in the file of the profile, not in the keyring
    #[arg(long)]
    pub(in crate::cli) file: bool,
}
