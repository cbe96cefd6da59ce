//! `secrets rekey`: another key for the secrets of a database.

use std::sync::Arc;

use super::args::RekeyArgs;
use super::failure::{Failure, Status};
use super::print::Printer;
use crate::config;
use crate::random::SystemRandom;
use crate::store::sqlite::{RekeyError, rekey as rekey_database};
use crate::telemetry::Chain;
use crate::vault::{KeyError, KeySource};

pub(super) async fn rekey(args: &RekeyArgs, printer: Printer) -> Result<(), Failure> {
    let sources = args.database.sources();
    let database = config::database(&sources)?;
    let old = config::secrets_key(&sources, &database)?;
    let new = KeySource::Ours(args.new_key_file.clone());
    let done = rekey_database(&database.path, &old, &new, Arc::new(SystemRandom)).await?;
    let text = format!(
        "{} webhooks with {} secrets are sealed with key {} now, and no longer with {};\n\
         start the daemon with --secrets-key-file {new}, or put that in the place of the old key",
        done.webhooks, done.secrets, done.new_key_id, done.old_key_id
    );
    printer.line(&text, &done);
    Ok(())
}

impl From<RekeyError> for Failure {
    fn from(error: RekeyError) -> Self {
        let message = Chain(&error).to_string();
        match error {
            RekeyError::Open(error) => error.into(),
            RekeyError::NoNewKey(KeyError::Malformed { .. }) => Self::new(Status::Usage, message)
                .then("name another --new-key-file; one that does not exist is made"),
            RekeyError::NoNewKey(_) => Self::new(Status::Failed, message)
                .then("check that its folder exists and may be written"),
            RekeyError::SameKey { .. } => Self::new(Status::Usage, message)
                .then("name another --new-key-file; one that does not exist is made"),
        }
    }
}
