//! How fast it is, beside the limit of the machine in the same minute; `--help` says the rest.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is there to print")]

use std::process::ExitCode;

use bluum_hooks_tests::bench::bars::{self, judge};
use bluum_hooks_tests::bench::document::document;
use bluum_hooks_tests::bench::figures::{self, Figures};
use bluum_hooks_tests::bench::machine::Circumstances;
use bluum_hooks_tests::bench::scenario::{ALL, Scenario, Size, play};
use bluum_hooks_tests::binary::{self, workspace};
use serde::Serialize;

const EXAMPLES: &str = "\
How fast Bluum Hooks is on this machine, as shares of what plain HTTP does in the same minute.

  cargo run --release -p bluum-hooks-tests --bin bench -- --quick      to see it work: 2 minutes
  cargo run --release -p bluum-hooks-tests --bin bench -- single light
  cargo run --release -p bluum-hooks-tests --bin bench -- --json > figures.ndjson
  cargo run --release -p bluum-hooks-tests --bin bench -- --write      before a release: 25 minutes

Usage: bench [OPTIONS] [SCENARIO]...

Scenarios (all if none is named), and how long each takes on two cores:";

const OPTIONS: &str = "\
Options:
  --quick     a little of everything; the figures are good for nothing
  --json      one JSON object per line: the machine, each measurement, each bar
  --write     write BENCHMARKS.md; needs all scenarios in full size, and a release build
  -h, --help  this

Progress goes to stderr. In full size all scenarios are held against the bars they are to reach; the
exit status does not say whether they do: 0 done, 1 something failed, 2 unusable arguments.
Needs Linux and, in full size, 12 GB where temporary files go (TMPDIR), which must be on a disk.";

/// What was asked for.
struct Wish {
    scenarios: Vec<&'static Scenario>,
    quick: bool,
    json: bool,
    write: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{}", help());
        return ExitCode::SUCCESS;
    }
    let wish = match read(&arguments) {
        Ok(wish) => wish,
        Err(why) => {
            eprintln!("bench: {why}\nSee: bench --help");
            return ExitCode::from(2);
        }
    };
    match run(&wish).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}

fn help() -> String {
    let scenario = |scenario: &Scenario| {
        format!("  {:<12} {:>7}  {}\n", scenario.name, scenario.takes, scenario.measures)
    };
    format!("{EXAMPLES}\n{}\n{OPTIONS}", ALL.iter().map(scenario).collect::<String>())
}

fn read(arguments: &[String]) -> Result<Wish, String> {
    let mut wish = Wish { scenarios: Vec::new(), quick: false, json: false, write: false };
    for argument in arguments {
        match argument.as_str() {
            "--quick" => wish.quick = true,
            "--json" => wish.json = true,
            "--write" => wish.write = true,
            option if option.starts_with('-') => {
                return Err(format!(
                    "unknown option '{option}'; there are --quick, --json and --write"
                ));
            }
            name => wish.scenarios.push(ALL.iter().find(|known| known.name == name).ok_or_else(
                || {
                    let all = ALL.map(|known| known.name).join(", ");
                    format!("there is no scenario '{name}'; they are {all}")
                },
            )?),
        }
    }
    let (named, quick) = (!wish.scenarios.is_empty(), wish.quick);
    if !named {
        wish.scenarios = ALL.iter().collect();
    }
    let reason = match (wish.write, named, quick, cfg!(debug_assertions)) {
        (true, true, _, _) => "name no scenario: it is written of all",
        (true, _, true, _) => "leave out --quick: it is written in full size",
        (true, _, _, true) => "this is a debug build: run it with cargo run --release",
        _ => return Ok(wish),
    };
    Err(format!("cannot --write BENCHMARKS.md; {reason}"))
}

async fn run(wish: &Wish) -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Err("what the daemon uses is read from /proc, which only Linux has".to_owned());
    }
    if cfg!(debug_assertions) {
        eprintln!("bench: this is a debug build, so the figures are good for nothing");
    }
    eprintln!("bench: building the daemon");
    binary::path();
    let circumstances = Circumstances::look();
    let full =
        !wish.quick && ALL.iter().all(|one| wish.scenarios.iter().any(|it| it.name == one.name));
    if wish.json {
        line(&circumstances);
    }
    let mut all: Vec<Figures> = Vec::new();
    for scenario in &wish.scenarios {
        let size = if wish.quick { Size::QUICK } else { Size::FULL };
        let played = play(scenario, size).await;
        for figures in played.map_err(|why| format!("{}: {why}", scenario.name))? {
            let Figures { title, deliveries_per_second, share, .. } = &figures;
            eprintln!("{title}: {deliveries_per_second:.0} deliveries/s, {share:.3} of the limit");
            if wish.json {
                line(&figures);
            }
            all.push(figures);
        }
    }
    let verdicts = if full { judge(&all) } else { Vec::new() };
    if wish.json {
        verdicts.iter().for_each(line);
    } else {
        println!("{}\n\n{}", circumstances.to_text(), figures::to_text(&all));
        if full {
            println!("\n{}", bars::to_text(&verdicts));
        }
    }
    if wish.write {
        let text = document(&circumstances, &all, &verdicts);
        let written = std::fs::write(workspace().join("BENCHMARKS.md"), text);
        written.map_err(|error| format!("cannot write BENCHMARKS.md: {error}"))?;
        eprintln!("bench: wrote BENCHMARKS.md");
    }
    Ok(())
}

fn line(value: &impl Serialize) {
    println!("{}", serde_json::to_string(value).unwrap_or_default());
}
