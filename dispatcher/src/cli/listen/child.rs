//! `-- CMD`: the app, started with the secret and stopped with us.

use std::io::{self, ErrorKind};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use ratatui_core::layout::Size;
use tokio::process::{Child as Process, Command};

use super::output::Output;
use super::signals::Signal;
use crate::cli::failure::{Failure, Status};

/// How long it may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Child {
    process: Process,
    /// The number of its process group, which may live on when it has ended.
    group: Option<u32>,
    status: Option<ExitStatus>,
    /// What it prints, for the screen to take.
    pub(super) output: Option<Output>,
}

impl Child {
    /// With a process group of its own, so that what it starts ends with it; without our input,
    /// which is for keys; and with its output on our stderr, because stdout is for events, or if
    /// that is a screen of this size, for it to show.
    pub(super) fn start(
        command: &[String],
        variables: &[String],
        secret: &str,
        screen: Option<Size>,
    ) -> Result<Option<Self>, Failure> {
        let Some((program, arguments)) = command.split_first() else { return Ok(None) };
        let opened = screen.map(Output::open).transpose();
        let (output, ends) = opened.map_err(|error| Failure::unexpected(&error))?.unzip();
        let [stdout, stderr] = ends.unwrap_or_else(|| [io::stderr().into(), Stdio::inherit()]);
        let mut command = Command::new(program);
        command.args(arguments).envs(variables.iter().map(|name| (name, secret)));
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let process = command.spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                let message = format!("'{program}' was not found");
                Failure::new(Status::CommandNotFound, message).then("is it in PATH?")
            }
            _ => {
                let message = format!("'{program}' cannot be run: {error}");
                Failure::new(Status::CommandNotRunnable, message).then("may it be executed?")
            }
        })?;
        Ok(Some(Self { group: process.id(), process, status: None, output }))
    }

    /// Resolves with the status to exit with, once it has ended; again and again after that.
    pub(super) async fn ended(&mut self) -> u8 {
        if self.status.is_none() {
            self.status = self.process.wait().await.ok();
        }
        self.status.map_or(1, code)
    }

    /// Passes on how we were asked to end, waits unless there is a hurry, and then ends what is
    /// left of it and of what it has started.
    pub(super) async fn stop(mut self, signal: Signal, hurry: impl Future<Output = ()>) {
        send(self.group, signal);
        let ended = tokio::select! {
            _ = self.ended() => true,
            () = tokio::time::sleep(GRACE) => false,
            () = hurry => false,
        };
        kill(self.group);
        if !ended {
            let _ = self.process.kill().await;
        }
    }
}

#[cfg(unix)]
fn send(group: Option<u32>, signal: Signal) {
    let signal = match signal {
        Signal::Interrupt => rustix::process::Signal::INT,
        Signal::Terminate => rustix::process::Signal::TERM,
    };
    signal_group(group, signal);
}

#[cfg(unix)]
fn kill(group: Option<u32>) {
    signal_group(group, rustix::process::Signal::KILL);
}

/// Nobody there is fine.
#[cfg(unix)]
fn signal_group(group: Option<u32>, signal: rustix::process::Signal) {
    let group = group.and_then(|group| i32::try_from(group).ok());
    if let Some(group) = group.and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

/// Windows has no signals for others: the process is ended at once, below.
#[cfg(not(unix))]
fn send(_: Option<u32>, _: Signal) {}

#[cfg(not(unix))]
fn kill(_: Option<u32>) {}

/// As a shell has it: of a signal, 128 and its number.
fn code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(u8::MAX);
    }
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
