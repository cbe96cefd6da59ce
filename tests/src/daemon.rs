//! The real daemon in a process of its own: started, killed, restarted, ended.

use std::fs::{File, OpenOptions};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::binary::{self, Ending, Run};
use crate::client::{Client, Credentials, text};
use crate::wait;

/// Where a daemon's stderr goes, beside its database.
const LOG: &str = "log";

const SERVE: &[&str] = &["serve", "--listen", "127.0.0.1:0"];

/// How many lines of the log a failing test prints.
const LOG_LINES: usize = 200;

/// A daemon on a database of its own. Killed when dropped; prints its log if the test has failed.
#[derive(Debug)]
pub struct Daemon {
    folder: TempDir,
    options: Vec<String>,
    variables: Vec<(String, String)>,
    process: Option<Ending>,
    base: String,
    operator: Credentials,
    tenant: Credentials,
    tenant_id: String,
}

impl Daemon {
    /// Makes a database and serves it on a free port, with loopback addresses as allowed targets
    /// and no limit on the rate of requests.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// [`start`](Self::start) with more options for `serve`.
    pub fn start_with(options: &[&str]) -> Self {
        Self::start_as(&[&["--allow-target", "127.0.0.0/8"], options].concat(), &[])
    }

    /// With these options for `serve` and these environment variables, and nothing else: only
    /// public addresses are allowed targets.
    pub fn start_as(options: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("hooks.db").display());
        let keys = binary::run(&["init", "--database", &url, "--json"]).must_exit(0).json();
        let mut daemon = Self {
            folder,
            options: options.iter().map(|&option| option.to_owned()).collect(),
            variables: Vec::new(),
            process: None,
            base: String::new(),
            operator: Credentials::from_json(&keys["operator"]),
            tenant: Credentials::from_json(&keys["tenant"]),
            tenant_id: text(&keys["tenant"], "id").to_owned(),
        };
        daemon.variables.extend(variables.iter().map(|&(name, value)| (name.into(), value.into())));
        daemon.restart();
        daemon
    }

    /// Serves the same database again, on a new port; kills what still runs.
    pub fn restart(&mut self) {
        let command = self.serving(binary::command(SERVE));
        let (process, line) = first_line(command, self.folder.path());
        self.runs(process, &line);
    }

    /// Serves the same database again as [`restart`](Self::restart) does, by the binary with crash
    /// points, and with these environment variables. The error says how it died before it served.
    pub fn restart_to_crash(&mut self, variables: &[(&str, &str)]) -> Result<(), String> {
        let mut command = self.serving(binary::crashing_command(SERVE));
        command.envs(variables.iter().copied());
        let (process, line) = first_line_or_end(command, self.folder.path())?;
        self.runs(process, &line);
        Ok(())
    }

    /// Waits until the process has ended by itself, for so long; `None` if it has not.
    pub async fn ended_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let process = self.process.as_mut().expect("a running daemon");
        let ended = wait::until("the daemon to end", async || {
            process.0.try_wait().unwrap().ok_or("it runs")
        });
        wait::within(limit, ended).await
    }

    /// Ends the process that runs, and gives the command for the next.
    fn serving(&mut self, mut command: Command) -> Command {
        self.kill();
        command.args(["--database", &self.url()]);
        command.args(&self.options);
        // Tests ask often what has become of something. Variables, so that options can say more.
        command
            .envs(["SANDBOX", "LIVE"].map(|mode| (format!("BLUUM_HOOKS_RATE_LIMIT_{mode}"), "0")));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    fn runs(&mut self, process: Ending, line: &str) {
        let address = line.strip_prefix("listening on ");
        self.base = address.unwrap_or_else(|| panic!("serve began with '{line}'")).to_owned();
        self.process = Some(process);
    }

    /// [`restart`](Self::restart) with the logs that this filter lets through.
    pub fn restart_logging(&mut self, filter: &str) {
        self.variables.push(("BLUUM_HOOKS_LOG".into(), filter.into()));
        self.restart();
    }

    /// [`restart`](Self::restart) with these options instead.
    pub fn restart_as(&mut self, options: &[&str]) {
        self.options = options.iter().map(|&option| option.to_owned()).collect();
        self.restart();
    }

    /// The number of its process.
    pub fn process_id(&self) -> u32 {
        self.process.as_ref().expect("a running daemon").0.id()
    }

    /// `kill -9`, if it runs.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// SIGTERM, then its exit status; panics if it does not end before the deadline.
    pub fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("a running daemon");
        process.terminate();
        process.wait(wait::DEADLINE, "the daemon to end after SIGTERM")
    }

    /// Ends the daemon and checks every invariant of its database with `bluum-hooks audit`.
    pub fn audit(&mut self) -> Run {
        self.kill();
        binary::run(&["audit", "--database", &self.url()]).must_exit(0)
    }

    /// The database, as `--database` takes it.
    pub fn url(&self) -> String {
        format!("sqlite:{}", self.database().display())
    }

    /// The file of the database.
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("hooks.db")
    }

    /// A folder for the test's own files, which goes when the daemon goes.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `http://host:port`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A client with the operator's key.
    pub fn operator(&self) -> Client {
        self.client(Some(&self.operator))
    }

    /// A client with the key of the tenant that `init` made.
    pub fn tenant(&self) -> Client {
        self.client(Some(&self.tenant))
    }

    /// A client with any key, or none.
    pub fn client(&self, credentials: Option<&Credentials>) -> Client {
        Client::new(&self.base, credentials)
    }

    /// The operator's key and secret.
    pub fn operator_key(&self) -> &Credentials {
        &self.operator
    }

    /// The id of the tenant that `init` made.
    pub fn tenant_id(&self) -> &str {
        &self.tenant_id
    }

    /// Everything the daemon wrote to stderr, over all restarts.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join(LOG)).unwrap_or_default()
    }

    fn print_log_if_failing(&self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
            eprintln!("--- the daemon's log, at most {LOG_LINES} lines\n{tail}\n---");
        }
    }

    /// Runs a client command, such as `webhooks`, against this daemon with the operator's key.
    pub fn run(&self, arguments: &[&str]) -> Run {
        binary::finish(self.command_as(&self.operator, arguments))
    }

    /// A client command against this daemon with any key.
    pub fn command_as(&self, key: &Credentials, arguments: &[&str]) -> Command {
        let mut command = binary::command(arguments);
        command.env("BLUUM_BASE_URL", &self.base);
        command.env("BLUUM_API_KEY", &key.key).env("BLUUM_API_SECRET", &key.secret);
        command
    }

    /// Creates an API key with these fields (`role`, `tenant`, …).
    pub async fn new_key(&self, fields: &Value) -> Credentials {
        let key = self.operator().post("/v1/keys", fields).await.must_be(201);
        Credentials::from_json(&key)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.print_log_if_failing();
    }
}

/// A field of the daemon's `/proc/<id>/status`, in bytes.
#[cfg(target_os = "linux")]
pub fn memory(daemon: &Daemon, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.process_id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect(field);
    let kilobytes = line.trim_matches([':', ' ', '\t']).trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() * 1024
}

/// How many files and sockets the daemon has open.
#[cfg(target_os = "linux")]
pub fn open_files(daemon: &Daemon) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", daemon.process_id())).unwrap().count()
}

#[cfg(not(target_os = "linux"))]
pub fn memory(_: &Daemon, _: &str) -> u64 {
    0
}

#[cfg(not(target_os = "linux"))]
pub fn open_files(_: &Daemon) -> usize {
    0
}

/// Starts a command that keeps running, and waits for the first line on its stdout. Its stderr is
/// appended to a file of the folder.
pub fn first_line(command: Command, folder: &Path) -> (Ending, String) {
    first_line_or_end(command, folder).unwrap_or_else(|why| panic!("{why}"))
}

/// [`first_line`] of a command that may end before; then the error says how.
fn first_line_or_end(mut command: Command, folder: &Path) -> Result<(Ending, String), String> {
    let (stdout, log) = (folder.join("stdout"), folder.join(LOG));
    let stderr = OpenOptions::new().create(true).append(true).open(&log).unwrap();
    command.stdout(File::create(&stdout).unwrap()).stderr(stderr);
    let mut process = Ending(command.spawn().unwrap());
    let line = wait::until_blocking(wait::DEADLINE, &format!("a line from {command:?}"), || {
        let ended = process.0.try_wait().unwrap();
        let text = std::fs::read_to_string(&stdout).unwrap();
        if let Some((line, _)) = text.split_once('\n') {
            return Ok(Ok(line.to_owned()));
        }
        let log = std::fs::read_to_string(&log).unwrap();
        if let Some(ended) = ended {
            return Ok(Err(format!("{command:?} ended, {ended}:\n{text}\n{log}")));
        }
        Err(format!("'{text}' on stdout, on stderr:\n{log}"))
    });
    line.map(|line| (process, line))
}

/// A daemon that the tests of one file share; it ends with the last test that holds it.
#[derive(Debug)]
pub struct Shared(Arc<Daemon>);

static SHARED: Mutex<Weak<Daemon>> = Mutex::new(Weak::new());

/// The daemon of this test file, started with `options` if no test holds one now.
pub fn shared(options: &[&str]) -> Shared {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let daemon = shared.upgrade().unwrap_or_else(|| Arc::new(Daemon::start_with(options)));
    *shared = Arc::downgrade(&daemon);
    Shared(daemon)
}

impl Deref for Shared {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.0
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if Arc::strong_count(&self.0) > 1 {
            self.0.print_log_if_failing();
        }
    }
}
