//! The real `bluum-hooks` binary: built once per process, run with a deadline.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::wait;

/// How long any command but `serve` may take.
const DEADLINE: Duration = Duration::from_secs(120);

const DISPATCHER: [&str; 2] = ["--package", "bluum-hooks-dispatcher"];

/// The binary, up to date with the source, in the profile and target folder of the test itself.
pub fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| build(workspace(), "bluum-hooks", &DISPATCHER))
}

/// The binary that dies at the crash point it is told.
pub fn crashing() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let arguments = [&DISPATCHER[..], &["--features", "crash-points"]].concat();
    PATH.get_or_init(|| build(workspace(), "bluum-hooks-crashing", &arguments))
}

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The folder of the test itself, for its profile, in its target folder. A test runs as
/// `<target>/<profile>/deps/<name>`, a program without the third folder.
pub fn folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let mut folders = test.ancestors().skip(1);
    folders.find(|folder| !folder.ends_with("deps")).unwrap().to_owned()
}

/// Builds a binary of a workspace, in the profile and target folder of the test itself.
pub fn build(workspace: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    cargo_build(workspace, &[&["--bin", name], arguments].concat());
    folder().join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Builds an example of the receiver, in the folder `examples` of [`folder`].
pub fn build_example(name: &str) {
    // As ./check builds everything, so that nothing is built twice there.
    cargo_build(workspace(), &["--workspace", "--all-features", "--example", name]);
}

fn cargo_build(workspace: &Path, arguments: &[&str]) {
    let folder = folder();
    let profile = match folder.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        other => other,
    };
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo tells this test about itself would look to the build scripts like a change.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&*name);
        }
    }
    let built = cargo
        .args(["build", "--quiet"])
        .args(arguments)
        .args(["--profile", profile, "--target-dir"])
        .arg(folder.parent().unwrap())
        .current_dir(workspace)
        .status();
    assert!(built.unwrap().success(), "{arguments:?} does not build; see above");
}

/// The binary with these arguments, and none of the settings of the surrounding shell.
pub fn command(arguments: &[&str]) -> Command {
    command_of(path(), arguments)
}

/// [`command`] of the binary that dies at the crash point it is told.
pub fn crashing_command(arguments: &[&str]) -> Command {
    command_of(crashing(), arguments)
}

fn command_of(path: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(path);
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BLUUM_") {
            command.env_remove(name);
        }
    }
    // Nor the profiles of whoever runs the tests, and what they have saved stays theirs.
    command.env("XDG_CONFIG_HOME", folder().join("no-profiles"));
    command.env("XDG_STATE_HOME", folder().join("state"));
    command
}

/// A command that has ended.
pub struct Run {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    command: String,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, stdout, stderr, command } = self;
        write!(f, "{command}\n{status}\n--- stdout\n{stdout}--- stderr\n{stderr}")
    }
}

impl Run {
    /// Checks the exit status; panics with everything that was printed.
    pub fn must_exit(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "in {self:?}");
        self
    }

    /// Stdout, if it is one JSON value and nothing else.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// Runs `bluum-hooks` with these arguments to its end.
pub fn run(arguments: &[&str]) -> Run {
    finish(command(arguments))
}

/// [`finish`] of a command that finds this on its standard input.
pub fn finish_reading(mut command: Command, input: &str) -> Run {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input.as_bytes()).unwrap();
    file.rewind().unwrap();
    command.stdin(file);
    finish(command)
}

/// Runs a prepared command to its end; kills it and panics if it does not end in two minutes.
pub fn finish(mut command: Command) -> Run {
    // Files, not pipes: a pipe that nobody reads stops the writer.
    let (stdout, stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    command.stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
    let mut ending = Ending(command.spawn().unwrap());
    let status = ending.wait(DEADLINE, &format!("the end of {command:?}"));
    let (stdout, stderr) = (contents(stdout), contents(stderr));
    Run { status, stdout, stderr, command: format!("{command:?}") }
}

fn contents(mut file: File) -> String {
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

/// A process that does not outlive the test.
#[derive(Debug)]
pub struct Ending(pub Child);

impl Ending {
    /// Waits for the process to end; panics after the deadline.
    pub fn wait(&mut self, limit: Duration, what: &str) -> ExitStatus {
        wait::until_blocking(limit, what, || {
            self.0.try_wait().unwrap().ok_or("the process is running")
        })
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let id = self.0.id().to_string();
        // The shell's own `kill` is on every machine; the program is not.
        let sent = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status();
        assert!(sent.unwrap().success(), "SIGTERM could not be sent to {id}");
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.kill();
    }
}
