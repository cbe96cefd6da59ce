//! The binary as tests of crashes run it: it dies where it is told to.

use std::process::ExitCode;

use bluum_hooks_dispatcher::{cli, crash_point};

#[expect(clippy::print_stderr, reason = "there is no log yet")]
fn main() -> ExitCode {
    match crash_point::arm() {
        Ok(()) => cli::main(),
        Err(wrong) => {
            eprintln!("{wrong}");
            ExitCode::from(2)
        }
    }
}
