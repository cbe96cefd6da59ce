//! The command line. Everything but `serve`, `init`, `audit`, `secrets`, `demo`, `verify`,
//! `sign`, `completions`, `man` and `trigger --to` is a client of the HTTP API.

mod args;
mod audit;
mod completions;
mod daemon;
mod deliveries;
mod demo;
mod doctor;
mod editor;
mod events;
mod failure;
mod follow;
mod init;
mod journey;
mod keys;
mod line;
mod listen;
mod login;
mod newest;
mod print;
mod processors;
mod profile;
mod query;
mod replay;
mod replays;
mod saved;
mod secrets;
mod serve;
mod show;
mod sign;
mod signed;
mod spacing;
mod tail;
mod target;
mod tenants;
mod trigger;
mod verify;
mod webhooks;
mod which;
mod whoami;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;
use std::thread::available_parallelism;

use clap::builder::{FalseyValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};
use tokio::runtime::Builder;

use self::args::{Cli, Command, SecretsCommand};
use self::failure::{Failure, Status};
use self::print::Printer;

/// Reads the arguments, runs the command, and turns what went wrong into a line and a status.
pub fn main() -> ExitCode {
    if completions::asked_for() {
        return ExitCode::SUCCESS;
    }
    let cli = match parsed(env::args_os()) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && asks_for_json() => {
            return Printer::new(true).failure(&misused(&error));
        }
        Err(error) => error.exit(),
    };
    let printer = Printer::new(cli.global.json);
    let runtime = match cli.command {
        // One thread does it all: threads that wake each other for every event cost more than they
        // bring, and the app and the daemon on this machine need the other processors.
        Command::Listen(_) => Builder::new_current_thread().enable_all().build(),
        _ => {
            // One processor is for the database and those who wait for it (`daemon::Loops`).
            let others = available_parallelism().map_or(1, |all| all.get().saturating_sub(1));
            let mut builder = Builder::new_multi_thread();
            if matches!(cli.command, Command::Serve(_)) {
                builder.on_thread_start(processors::serving);
                // What the daemon starts from here: the database's threads and the loops.
                processors::committing();
            }
            builder.worker_threads(others.max(1)).enable_all().build()
        }
    };
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return printer.failure(&Failure::unexpected(&error)),
    };
    match runtime.block_on(run(cli, printer)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => printer.failure(&failure),
    }
}

fn parsed(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut definition = args::definition();
    let mut matches = definition.try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut definition))
}

/// Whether arguments that cannot be parsed ask for JSON all the same.
fn asks_for_json() -> bool {
    let mut arguments = env::args_os().skip(1).take_while(|argument| argument != "--");
    let variable = || env::var_os("BLUUM_HOOKS_JSON").unwrap_or_default();
    let parser = FalseyValueParser::new();
    arguments.any(|argument| argument == "--json")
        || parser.parse_ref(&Cli::command(), None, &variable()).unwrap_or(false)
}

/// What clap has to say about the arguments, on one line, without the usage.
fn misused(error: &clap::Error) -> Failure {
    let message = if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        "a command is missing".to_owned()
    } else {
        let text = error.to_string();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let is_end = |line: &&str| line.starts_with("Usage:") || line.starts_with("For more");
        let lines: Vec<_> = lines.take_while(|line| !is_end(line)).collect();
        let message = lines.join(" ").replace(" tip: ", "; ");
        message.strip_prefix("error: ").unwrap_or(&message).to_owned()
    };
    Failure::new(Status::Usage, message).then("try '--help'")
}

async fn run(cli: Cli, printer: Printer) -> Result<(), Failure> {
    let Cli { global, command } = cli;
    match command {
        Command::Init(args) => init::run(&args, printer).await,
        Command::Serve(args) => serve::run(&args, &global, printer).await,
        Command::Audit(args) => audit::run(&args, printer).await,
        Command::Secrets(SecretsCommand::Rekey(args)) => secrets::rekey(&args, printer).await,
        Command::Demo(args) => demo::run(&args, printer).await,
        Command::Listen(args) => listen::run(*args, &global, printer).await,
        Command::Webhooks(command) => webhooks::run(command, &global.client()?, printer).await,
        Command::Events(command) => events::run(command, &global.client()?, printer).await,
        Command::Deliveries(command) => deliveries::run(command, &global.client()?, printer).await,
        Command::Trigger(args) => trigger::run(&args, &global, printer).await,
        Command::Replay(args) => replay::run(args, &global, printer).await,
        Command::Tail(args) => tail::run(args, &global.client()?, printer).await,
        Command::Doctor(args) => doctor::run(args, &global, printer).await,
        Command::Show { id, why } => show::run(&id, why, &global.client()?, printer).await,
        Command::Login(args) => login::run(args, &global, printer).await,
        Command::Logout => login::out(&global, printer),
        Command::Whoami => whoami::run(&global, printer).await,
        Command::Completions { shell } => completions::script(shell, printer),
        Command::Man { folder } => completions::man(&folder, printer),
        Command::Verify(args) => verify::run(&args, &global, printer).await,
        Command::Sign(args) => sign::run(&args, printer),
        Command::Keys(command) => keys::run(command, &global.client()?, printer).await,
        Command::Tenants(command) => tenants::run(command, &global.client()?, printer).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_arguments_are_told_on_one_line() {
        for (arguments, words) in [
            (vec!["srve"], "unrecognized subcommand 'srve'; a similar subcommand exists: 'serve'"),
            (vec!["keys", "create"], "required arguments were not provided: --role <ROLE>; try"),
            (vec!["webhooks"], "a command is missing; try '--help'"),
        ] {
            let arguments = [vec!["bluum-hooks"], arguments].concat();
            let error = parsed(arguments.into_iter().map(OsString::from)).unwrap_err();
            let line = misused(&error).to_string();
            assert!(line.contains(words) && !line.contains('\n'), "{line}");
        }
    }
}
