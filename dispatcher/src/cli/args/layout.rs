//! How help is laid out, and what shells are told of event types.

use bluum_hooks_shared::catalogue::CATALOGUE;
use clap::CommandFactory;
use clap_complete::{ArgValueCandidates, CompletionCandidate};

use super::Cli;

/// How the help of a command is laid out: examples above options, for these are read first.
const EXAMPLES_FIRST: &str =
    "{about-with-newline}\n{usage-heading} {usage}{after-help}\n\n{all-args}";

/// The whole command line.
pub(in crate::cli) fn definition() -> clap::Command {
    Cli::command().mut_subcommands(laid_out)
}

fn laid_out(command: clap::Command) -> clap::Command {
    // What `verify` calls an event is a request that was received.
    let takes_types = command.get_name() != "verify";
    let command = command.help_template(EXAMPLES_FIRST).mut_subcommands(laid_out);
    command.mut_args(|arg| match arg.get_id().as_str() {
        "event" | "events" if takes_types => arg.add(ArgValueCandidates::new(event_types)),
        _ => arg,
    })
}

fn event_types() -> Vec<CompletionCandidate> {
    let known = CATALOGUE.iter();
    known.map(|known| CompletionCandidate::new(known.name)).collect()
}
