//! `completions` and `man`: what shells and `man` know of the commands, made from their definition.

use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Cli;
use super::failure::{Failure, Status};
use super::print::Printer;

/// The script that a shell reads at its start.
pub(super) fn script(shell: Shell, printer: Printer) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "bluum-hooks", &mut script);
    printer.flow(String::from_utf8_lossy(&script).trim_end());
    Ok(())
}

/// A page for each command.
pub(super) fn man(folder: &Path, printer: Printer) -> Result<(), Failure> {
    let refused = |error: io::Error| {
        let message = format!("cannot write pages to {}: {error}", folder.display());
        Failure::new(Status::Usage, message).then("name a folder that exists and may be written")
    };
    clap_mangen::generate_to(Cli::command(), folder).map_err(refused)?;
    printer.talk(&format!("read them with `man {}`", folder.join("bluum-hooks.1").display()));
    Ok(())
}
