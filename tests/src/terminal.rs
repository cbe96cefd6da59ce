//! `bluum-hooks listen` in a process of its own.

use std::fs::File;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{self, Ending};
use crate::client::Credentials;
use crate::daemon::Daemon;
use crate::partner::Partner;
use crate::wait;

/// A partner's developer, with a key of the partner's.
#[derive(Debug)]
pub struct Developer {
    pub partner: Partner,
    pub key: Credentials,
    base: String,
}

impl Developer {
    /// Of a new partner of this daemon.
    pub async fn join(daemon: &Daemon) -> Self {
        let partner = Partner::join(daemon).await;
        let key = daemon.new_key(&json!({"role": "tenant", "tenant": partner.tenant})).await;
        Self { partner, key, base: daemon.base().to_owned() }
    }

    /// `listen` with these arguments, as `dev` unless they say otherwise.
    pub fn listen(&self, arguments: &[&str]) -> Listen {
        Listen::new(&self.base, &self.key, arguments)
    }

    /// The same, by way of something in between.
    pub fn listen_through(&self, base: &str, arguments: &[&str]) -> Listen {
        Listen::new(base, &self.key, arguments)
    }

    /// Publishes an order with this id; gives the event's id.
    pub async fn publish(&self, order: &str) -> String {
        self.partner.publish("order.filled", &json!({ "id": order })).await
    }

    /// Publishes so many orders, numbered from 1, a thousand at a time.
    pub async fn publish_many(&self, count: usize) {
        let event = |number: usize| {
            let data = json!({"id": format!("ord_{number}")});
            json!({"event": "order.filled", "tenant": self.partner.tenant, "data": data})
        };
        for from in (0..count).step_by(1_000) {
            let batch: Vec<Value> =
                (from..count.min(from + 1_000)).map(|number| event(number + 1)).collect();
            self.partner.operator.post("/v1/events/batch", &json!(batch)).await.must_be(202);
        }
    }
}

/// Waits until the process of this number has ended.
pub async fn until_ended(pid: &str) {
    wait::until(&format!("process {pid} to end"), async || {
        let mut alive = Command::new("sh");
        alive.args(["-c", "kill -0 $0", pid]).stderr(Stdio::null());
        // A process that has ended stays in the table until somebody looks.
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let ended = !alive.status().unwrap().success() || state.contains(") Z ");
        if ended { Ok(()) } else { Err(state) }
    })
    .await;
}

/// A running `listen`. Killed when dropped.
#[derive(Debug)]
pub struct Listening {
    folder: TempDir,
    process: Ending,
}

/// A command line of `listen` as it is put together.
#[derive(Debug)]
pub struct Listen {
    pub command: Command,
    folder: TempDir,
}

impl Listen {
    /// `listen` with these arguments, at this daemon and with this key.
    pub fn new(base: &str, key: &Credentials, arguments: &[&str]) -> Self {
        let mut command = binary::command(&[&["listen"], arguments].concat());
        command.env("BLUUM_BASE_URL", base).env("BLUUM_HOOKS_LISTENER", "dev");
        command.env("BLUUM_API_KEY", &key.key).env("BLUUM_API_SECRET", &key.secret);
        Self { command, folder: tempfile::tempdir().unwrap() }
    }

    /// On a terminal of 24 rows and 100 columns, but for what is redirected. What the terminal gets
    /// is on stdout.
    pub fn on_a_terminal(mut self, redirection: &str) -> Self {
        const PYTHON: &str = "import os, pty, sys; status = pty.spawn(sys.argv[1:]); \
                              sys.exit(os.waitstatus_to_exitcode(status))";
        let shell = format!("stty rows 24 cols 100; exec \"$0\" \"$@\" {redirection}");
        let mut command = Command::new("python3");
        command.args(["-c", PYTHON, "sh", "-c", &shell]).arg(self.command.get_program());
        command.args(self.command.get_args());
        let variables = self.command.get_envs();
        command.envs(variables.filter_map(|(name, value)| Some((name, value?))));
        command.env("NO_COLOR", "1").env("TERM", "xterm-256color");
        self.command = command;
        self
    }

    /// Starts it, without waiting for anything.
    pub fn start(mut self) -> Listening {
        let file = |name| File::create(self.folder.path().join(name)).unwrap();
        self.command.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        let process = Ending(self.command.spawn().unwrap());
        Listening { folder: self.folder, process }
    }

    /// Starts it, and waits until it is connected.
    pub async fn ready(mut self) -> Listening {
        let ready = self.folder.path().join("ready");
        // In front of a command of the user's own.
        let arguments: Vec<_> = self.command.get_args().map(ToOwned::to_owned).collect();
        let mut command = Command::new(self.command.get_program());
        command.arg("listen").arg("--ready-file").arg(&ready).args(&arguments[1..]);
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = self.command.get_current_dir() {
            command.current_dir(folder);
        }
        self.command = command;
        let mut listening = self.start();
        wait::until("listen to be connected", async || {
            let ended = listening.process.0.try_wait().unwrap();
            assert!(ended.is_none(), "listen ended, {ended:?}: {}", listening.stderr());
            if ready.exists() { Ok(()) } else { Err(listening.stderr()) }
        })
        .await;
        listening
    }

    /// Runs it to its end.
    pub fn run(self) -> binary::Run {
        binary::finish(self.command)
    }
}

impl Listening {
    pub fn stdout(&self) -> String {
        self.read("stdout")
    }

    pub fn stderr(&self) -> String {
        self.read("stderr")
    }

    /// Whether it says that it is connected.
    pub fn is_ready(&self) -> bool {
        self.folder.path().join("ready").exists()
    }

    /// Stdout, if every line of it is one JSON object.
    pub fn records(&self) -> Vec<Value> {
        let stdout = self.stdout();
        // The last line may be half there.
        let whole = stdout.rfind('\n').map_or("", |end| &stdout[..end]);
        let record = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in '{line}'"))
        };
        whole.lines().map(record).collect()
    }

    /// Waits for a record of this type that satisfies `fact`.
    pub async fn record(&self, kind: &str, fact: impl Fn(&Value) -> bool) -> Value {
        wait::until(&format!("a record '{kind}'"), async || {
            let records = self.records();
            let found = records.iter().find(|record| record["type"] == kind && fact(record));
            found.cloned().ok_or_else(|| format!("{records:?}\n{}", self.stderr()))
        })
        .await
    }

    /// Waits until stdout or stderr holds these words.
    pub async fn says(&self, words: &str) {
        wait::until(&format!("'{words}'"), async || {
            let said = format!("{}\n{}", self.stdout(), self.stderr());
            if said.contains(words) { Ok(()) } else { Err(said) }
        })
        .await;
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    pub fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        // The shell's own `kill` is on every machine; the program is not.
        let sent = Command::new("sh").args(["-c", "kill -$0 $1", name, &id]).status();
        assert!(sent.unwrap().success(), "SIG{name} could not be sent");
    }

    /// Waits for the end; the exit status.
    pub async fn end(&mut self) -> Option<i32> {
        let process = &mut self.process;
        let status =
            wait::until("listen to end", async || process.0.try_wait().unwrap().ok_or("it runs"));
        status.await.code()
    }

    /// Waits for the end, which must come with this exit status.
    pub async fn must_exit(&mut self, code: i32) {
        let status = self.end().await;
        assert_eq!(status, Some(code), "{}\n{}", self.stdout(), self.stderr());
    }

    /// Most memory it ever had, in bytes.
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }
}
