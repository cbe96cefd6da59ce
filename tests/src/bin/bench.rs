//! How fast it is, beside the limit of the machine in the same minute.
//!
//! `bench [--quick] [--json] [--write] [SCENARIO…]`: all scenarios if none is named. Prints a
//! table, or a JSON object a line; `--write` writes BENCHMARKS.md. `--quick` takes a minute and is
//! only good for seeing that it works.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is there to print")]

use std::process::ExitCode;

use bluum_hooks_tests::bench::report::{self, Progress};
use bluum_hooks_tests::bench::scenario::{ALL, Size, play};
use bluum_hooks_tests::binary::workspace;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (flags, mut names): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let unknown = |flag: &&String| !["--quick", "--json", "--write"].contains(&flag.as_str());
    if let Some(unknown) = flags.iter().find(unknown) {
        eprintln!("bench: unknown option '{unknown}'; there are --quick, --json and --write");
        return ExitCode::from(2);
    }
    if let Some(unknown) = names.iter().find(|name| !ALL.contains(&name.as_str())) {
        eprintln!("bench: there is no scenario '{unknown}'; they are {}", ALL.join(", "));
        return ExitCode::from(2);
    }
    if names.is_empty() {
        names = ALL.map(str::to_owned).to_vec();
    }
    let has = |name: &str| flags.iter().any(|flag| flag == name);
    let size = if has("--quick") { Size::QUICK } else { Size::FULL };
    let mut all = Vec::new();
    for scenario in names {
        let progress = Progress { scenario: scenario.clone() };
        progress.tell("begins");
        for figures in play(&scenario, size, progress.clone()).await {
            progress.tell("");
            if has("--json") {
                println!("{}", serde_json::to_string(&figures).unwrap_or_default());
            } else {
                println!("{}", report::table(std::slice::from_ref(&figures)));
            }
            all.push(figures);
        }
    }
    if !has("--json") {
        println!("\n{}\n\n{}", report::circumstances(), report::table(&all));
    }
    if has("--write")
        && let Err(error) =
            std::fs::write(workspace().join("BENCHMARKS.md"), report::document(&all))
    {
        eprintln!("bench: cannot write BENCHMARKS.md: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
