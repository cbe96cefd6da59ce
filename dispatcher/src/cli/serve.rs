//! `serve`: the daemon, until a signal ends it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use serde_json::json;
use tracing::info;

use super::args::{Global, ServeArgs};
use super::daemon::Daemon;
use super::failure::{Failure, Status};
use super::login;
use super::print::Printer;
use super::profile::Sources;
use crate::config::Config;
use crate::telemetry;

pub(super) async fn run(
    args: &ServeArgs,
    global: &Global,
    printer: Printer,
) -> Result<(), Failure> {
    let config = Config::read(&args.sources()?)?;
    let profile = args.login.then(|| global.sources_for_login()).transpose()?;
    if let Some(profile) = profile.as_ref().filter(|_| !config.database.path.exists()) {
        login::is_free(profile)?;
    }
    telemetry::start(args.log_json, "info");
    let grace = config.grace;
    let mut signals = Signals::new()?;
    let mut daemon = Daemon::start(config).await?;
    if let Err(failure) = hand_out_keys(&mut daemon, profile.as_ref(), printer) {
        daemon.stop(grace, signals.next()).await;
        return Err(failure);
    }
    let url = format!("http://{}", daemon.address);
    printer.line(&format!("listening on {url}"), &json!({ "listening": url }));
    tokio::select! {
        () = signals.next() => {}
        () = daemon.broken() => {
            return Err(Failure::new(Status::Failed, "the daemon broke; see the log above"));
        }
    }
    info!("stopping: taking nothing in, finishing what is in flight; once more to hurry");
    daemon.stop(grace, signals.next()).await;
    info!("stopped");
    Ok(())
}

/// The keys of a new database: shown, for they can be shown only now; the tenant's kept in the
/// profile instead, with `--login`.
fn hand_out_keys(
    daemon: &mut Daemon,
    profile: Option<&Sources>,
    printer: Printer,
) -> Result<(), Failure> {
    let base = base(daemon.address);
    match (daemon.credentials.take(), profile) {
        (None, None) => Ok(()),
        (Some(made), None) => {
            printer.talk(&format!("{}\n", made.to_text()));
            Ok(())
        }
        (Some(made), Some(profile)) => {
            let kept = login::first(profile, &base, &made.tenant.key, printer);
            printer.talk(&match kept {
                Ok(()) => format!("\nShown only now:\n\n{}\n", made.operator_to_text()),
                Err(_) => made.to_text(),
            });
            kept
        }
        (None, Some(profile)) if profile.stored_key().is_some_and(|key| daemon.knows(key)) => {
            login::again(profile, &base, printer)
        }
        (None, Some(_)) => {
            let message = "--login is for the keys of a new database, and this one has had its own";
            Err(Failure::new(Status::Usage, message)
                .then("keep one that you have with `bluum-hooks login`; `keys create` makes more"))
        }
    }
}

/// Where this machine finds a daemon that listens there.
fn base(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}")
}

/// The ways to ask a process to end: Ctrl-C, and SIGTERM where there is one.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    /// Held: a file that may not grow is then an error like a full disk, and not the end.
    #[cfg(unix)]
    _file_size: tokio::signal::unix::Signal,
}

/// SIGXFSZ, the same wherever it exists.
#[cfg(unix)]
const FILE_SIZE: i32 = 25;

impl Signals {
    fn new() -> Result<Self, Failure> {
        #[cfg(unix)]
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())
                .map_err(|error| Failure::unexpected(&error))?,
            #[cfg(unix)]
            _file_size: signal(SignalKind::from_raw(FILE_SIZE))
                .map_err(|error| Failure::unexpected(&error))?,
        })
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}
