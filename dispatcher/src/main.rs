//! The one binary: daemon and command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    bluum_hooks_dispatcher::cli::main()
}
