//! What went wrong, what to try, and the exit status that says so to a script.

use std::error::Error;
use std::fmt;

use crate::client::ClientError;
use crate::config::ConfigError;
use crate::store::StoreError;
use crate::store::sqlite::OpenError;
use crate::telemetry::Chain;
use crate::vault::KeyError;

/// Exit statuses; `--help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// The environment does not let us: a port in use, a database that cannot be opened. Or a bug.
    Failed = 1,
    /// Arguments, settings or input that cannot be used.
    Usage = 2,
    /// No credentials, or not the right ones.
    Credentials = 3,
    /// No such event, webhook, delivery.
    NotFound = 4,
    /// The daemon does not answer, or cannot answer now.
    Unreachable = 5,
    /// Somebody else has the listener's name.
    Busy = 6,
    /// A signature that does not verify.
    Unverified = 7,
    /// A delivery that was waited for was not answered with 2xx.
    Undelivered = 8,
    /// The audit found a promise that is not kept.
    Violated = 9,
    /// What was waited for did not come in time.
    Late = 124,
    /// The command after `--` cannot be run.
    CommandNotRunnable = 126,
    /// There is no such command.
    CommandNotFound = 127,
    /// Ctrl-C.
    Interrupted = 130,
}

impl Status {
    /// For scripts, beside the number.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Credentials => "credentials",
            Self::NotFound => "not_found",
            Self::Unreachable => "unreachable",
            Self::Busy => "listener_busy",
            Self::Unverified => "unverified",
            Self::Undelivered => "undelivered",
            Self::Violated => "violated",
            Self::Late => "late",
            Self::CommandNotRunnable => "command_not_runnable",
            Self::CommandNotFound => "command_not_found",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One line for a person, one number for a script.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: Status,
    pub(super) message: String,
    next: Option<String>,
    /// Of a command that we ran: its own exit status, in the place of ours.
    exit: Option<u8>,
}

impl Failure {
    pub(super) fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), next: None, exit: None }
    }

    /// For what the product has told already.
    pub(super) fn silent(status: Status) -> Self {
        Self::new(status, "")
    }

    /// A command that we ran ended so, and has said why.
    pub(super) fn of_command(exit: u8) -> Self {
        Self { exit: Some(exit), ..Self::silent(Status::Failed) }
    }

    /// The number for a script.
    pub(super) fn exit(&self) -> u8 {
        self.exit.unwrap_or(self.status as u8)
    }

    /// What to try next.
    #[must_use]
    pub(super) fn then(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }

    /// What was said to try next.
    pub(super) fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }

    pub(super) fn unexpected(error: &(dyn Error + 'static)) -> Self {
        Self::new(Status::Failed, Chain(error).to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message.trim_end_matches('.'))?;
        match &self.next {
            Some(next) => write!(f, "; {next}"),
            None => Ok(()),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Status::Usage, error.to_string())
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let next = match &error {
            OpenError::InUse { .. } => "stop the other one, or choose another --database",
            OpenError::Unusable { cause, .. } => match cause.downcast_ref() {
                Some(StoreError::Corrupt(_) | StoreError::Vault(_)) => {
                    "keep a copy of the database, and restore it from its backup"
                }
                _ if Chain(cause.as_ref()).to_string().contains("not a database") => {
                    "this file is something else: choose another --database"
                }
                _ => {
                    "check that the folder exists, and that it and the files of the database may \
                     be written, or choose another --database"
                }
            },
            OpenError::NoKey { sealed_with, .. } if sealed_with.is_empty() => {
                "make one with `head -c 32 /dev/urandom | base64 > FILE` and name the file with \
                 --secrets-key-file"
            }
            OpenError::NoKey { .. } | OpenError::OtherKey { .. } => {
                "restore the right key from its backup, or name its file with --secrets-key-file"
            }
        };
        let status = match &error {
            OpenError::NoKey { cause: KeyError::Malformed { .. }, .. } => Status::Usage,
            _ => Status::Failed,
        };
        Self::new(status, Chain(&error).to_string()).then(next)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        match error {
            ClientError::Unreachable { .. } => Self::new(Status::Unreachable, message)
                .then("is `bluum-hooks serve` running? see BLUUM_BASE_URL"),
            ClientError::Strange { .. } | ClientError::TooFast { .. } => {
                Self::new(Status::Unreachable, message)
            }
            ClientError::BadBase(_) => Self::new(Status::Usage, message),
            ClientError::Refused { status, detail } => {
                let message = format!("{} ({})", message.trim_end_matches('.'), detail.code);
                let failure = Self::new(refusal(status), message);
                match status {
                    401 => failure.then(
                        "check BLUUM_API_KEY and BLUUM_API_SECRET, or `bluum-hooks login` again",
                    ),
                    _ => failure,
                }
            }
        }
    }
}

fn refusal(status: u16) -> Status {
    match status {
        401 | 403 => Status::Credentials,
        404 => Status::NotFound,
        429 | 500.. => Status::Unreachable,
        _ => Status::Usage,
    }
}
