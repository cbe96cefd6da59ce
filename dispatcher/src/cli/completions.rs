//! `completions` and `man`: what shells and `man` know of the commands, made from their definition.

use std::path::Path;
use std::{env, io};

use clap_complete::Shell;
use clap_complete::env::{CompleteEnv, Shells};

use super::args;
use super::failure::{Failure, Status};
use super::print::Printer;

/// By this the script asks this program what can come next, event types included.
const VARIABLE: &str = "BLUUM_HOOKS_COMPLETE";
const NAME: &str = "bluum-hooks";

/// Whether a shell has asked what can come next; then it was answered.
pub(super) fn asked_for() -> bool {
    let folder = env::current_dir().ok();
    let shell = CompleteEnv::with_factory(args::definition).var(VARIABLE);
    shell.try_complete(env::args_os(), folder.as_deref()).unwrap_or(true)
}

/// The script that a shell reads at its start.
pub(super) fn script(shell: Shell, printer: Printer) -> Result<(), Failure> {
    let (shells, mut script) = (Shells::builtins(), Vec::new());
    if let Some(completer) = shells.completer(&shell.to_string()) {
        let written = completer.write_registration(VARIABLE, NAME, NAME, NAME, &mut script);
        written.map_err(|error| Failure::unexpected(&error))?;
    }
    printer.flow(String::from_utf8_lossy(&script).trim_end());
    Ok(())
}

/// A page for each command.
pub(super) fn man(folder: &Path, printer: Printer) -> Result<(), Failure> {
    let refused = |error: io::Error| {
        let message = format!("cannot write pages to {}: {error}", folder.display());
        Failure::new(Status::Usage, message).then("name a folder that exists and may be written")
    };
    clap_mangen::generate_to(args::definition(), folder).map_err(refused)?;
    printer.talk(&format!("read them with `man {}`", folder.join("bluum-hooks.1").display()));
    Ok(())
}
