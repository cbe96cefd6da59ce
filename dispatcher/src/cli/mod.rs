//! The command line. Everything but `serve`, `init`, `audit`, `secrets` and `demo` is a client of
//! the HTTP API.

mod args;
mod audit;
mod daemon;
mod deliveries;
mod demo;
mod events;
mod failure;
mod init;
mod journey;
mod keys;
mod print;
mod query;
mod secrets;
mod serve;
mod tenants;
mod webhooks;

use std::process::ExitCode;

use clap::Parser;

use self::args::{Cli, Command, SecretsCommand};
use self::failure::{Failure, Status};
use self::print::Printer;

/// Reads the arguments, runs the command, and turns what went wrong into a line and a status.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && asks_for_json() => {
            let message = error.to_string();
            let first = message.lines().next().unwrap_or_default();
            let first = first.strip_prefix("error: ").unwrap_or(first);
            let failure = Failure::new(Status::Usage, first).then("try '--help'");
            return Printer::new(true).failure(&failure);
        }
        Err(error) => error.exit(),
    };
    let printer = Printer::new(cli.global.json);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return printer.failure(&Failure::unexpected(&error)),
    };
    match runtime.block_on(run(cli, printer)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => printer.failure(&failure),
    }
}

/// Whether what cannot be parsed asks for JSON all the same.
fn asks_for_json() -> bool {
    std::env::args_os().any(|argument| argument == "--json")
}

async fn run(cli: Cli, printer: Printer) -> Result<(), Failure> {
    let Cli { global, command } = cli;
    match command {
        Command::Init(args) => init::run(&args, printer).await,
        Command::Serve(args) => serve::run(&args, printer).await,
        Command::Audit(args) => audit::run(&args, printer).await,
        Command::Secrets(SecretsCommand::Rekey(args)) => secrets::rekey(&args, printer).await,
        Command::Demo(args) => demo::run(&args, printer).await,
        Command::Webhooks(command) => webhooks::run(command, &global.client()?, printer).await,
        Command::Events(command) => events::run(command, &global.client()?, printer).await,
        Command::Deliveries(command) => deliveries::run(command, &global.client()?, printer).await,
        Command::Keys(command) => keys::run(command, &global.client()?, printer).await,
        Command::Tenants(command) => tenants::run(command, &global.client()?, printer).await,
    }
}
