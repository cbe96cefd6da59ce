//! The transcript at the top of README.md, run as it stands there.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use bluum_hooks_tests::binary::{self, Ending};
use bluum_hooks_tests::{snapshot, wait};

/// What the README promises: so many commands, so much time.
const MOST_COMMANDS: usize = 4;
const MOST_TIME: Duration = Duration::from_secs(10);

/// A command of the transcript, and what it is said to print.
struct Step {
    command: String,
    says: Vec<String>,
}

fn transcript() -> Vec<Step> {
    let readme = fs::read_to_string(binary::workspace().join("README.md")).unwrap();
    let (_, block) = readme.split_once("```console\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines().filter(|line| !line.is_empty()) {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command: command.into(), says: Vec::new() }),
            (None, Some(step)) => step.says.push(line.to_owned()),
            (None, None) => {}
        }
    }
    steps
}

/// A new user's machine: no profile, no database, no variable; nothing in the PATH but us.
struct Machine {
    home: tempfile::TempDir,
    /// In the place of the app's, which may be in use here.
    port: String,
}

/// One of its terminals.
struct Terminal {
    process: Ending,
    screen: PathBuf,
}

impl Machine {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("target")).unwrap();
        symlink(binary::folder(), home.path().join("target/release")).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { home, port: free.local_addr().unwrap().port().to_string() }
    }

    fn run(&self, command: &str) -> Terminal {
        let name = command.replace(['/', ' '], "-");
        let screen = self.home.path().join(name);
        let output = File::create(&screen).unwrap();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("exec {}", command.replace("3000", &self.port))]);
        shell.env_clear().env("HOME", self.home.path()).current_dir(self.home.path());
        shell.env("PATH", binary::path().parent().unwrap());
        shell.env("BLUUM_HOOKS_LISTEN", "127.0.0.1:0").env("BLUUM_HOOKS_LISTENER", "ana@laptop");
        shell.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        Terminal { process: Ending(shell.spawn().unwrap()), screen }
    }
}

impl Terminal {
    fn lines(&self) -> Vec<String> {
        let shown = fs::read_to_string(&self.screen).unwrap();
        shown.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }
}

impl Drop for Terminal {
    /// Politely, so that what it has started ends as well.
    fn drop(&mut self) {
        if let Ok(None) = self.process.0.try_wait() {
            self.process.terminate();
            let _ = self.process.0.wait();
        }
    }
}

/// Whether this line was promised by that one: at whatever time, on whatever port, and with
/// whatever the README leaves out (`…`).
fn keeps(promised: &str, line: &str) -> bool {
    let (promised, line) = (snapshot::neutral(promised), snapshot::neutral(line));
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (promised, line) = (words(&promised), words(&line));
    let same = |(promised, word): (&String, &String)| match promised.split_once('…') {
        Some((begin, _)) => word.starts_with(begin),
        None => promised == word,
    };
    promised.len() == line.len() && promised.iter().zip(&line).all(same)
}

#[test]
fn from_nothing_to_a_verified_event_as_the_readme_says() {
    binary::path();
    binary::build_example("axum");
    let (machine, steps) = (Machine::new(), transcript());
    assert!((1..=MOST_COMMANDS).contains(&steps.len()), "{} commands", steps.len());
    let everything: Vec<_> = steps.iter().flat_map(|step| &step.says).collect();
    let event = everything.iter().filter(|line| line.contains("order.filled")).count();
    assert_eq!(event, 3, "published, verified, answered: {everything:?}");

    let begin = wait::now();
    let mut terminals = Vec::new();
    for step in &steps {
        let terminal = machine.run(&step.command);
        // Nobody goes on to the next terminal before this one says something.
        wait_for(&terminal, &step.says[..1]);
        terminals.push(terminal);
    }
    for (terminal, step) in terminals.iter().zip(&steps) {
        wait_for(terminal, &step.says);
        let shown = terminal.lines();
        assert_eq!(shown.len(), step.says.len(), "the README leaves out lines of {shown:#?}");
    }
    let time = wait::now() - begin;
    println!("from nothing to the first verified event: {time:.1?}");
    assert!(time < MOST_TIME, "it took {time:?}");
}

fn wait_for(terminal: &Terminal, says: &[String]) {
    wait::until_blocking(wait::DEADLINE, &format!("{says:#?}"), || {
        let shown = terminal.lines();
        let is_there = |promised: &String| shown.iter().any(|line| keeps(promised, line));
        if says.iter().all(is_there) { Ok(()) } else { Err(format!("{shown:#?}")) }
    });
}
