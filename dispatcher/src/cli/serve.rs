//! `serve`: the daemon, until a signal ends it.

use serde_json::json;
use tracing::info;

use super::args::ServeArgs;
use super::daemon::Daemon;
use super::failure::{Failure, Status};
use super::print::Printer;
use crate::config::Config;
use crate::telemetry;

pub(super) async fn run(args: &ServeArgs, printer: Printer) -> Result<(), Failure> {
    let config = Config::read(&args.sources()?)?;
    telemetry::start(args.log_json, "info");
    let grace = config.grace;
    let mut signals = Signals::new()?;
    let mut daemon = Daemon::start(config).await?;
    let url = format!("http://{}", daemon.address);
    printer.line(&format!("listening on {url}"), &json!({ "listening": url }));
    if let Some(credentials) = daemon.credentials.take() {
        printer.talk(&credentials.to_text());
    }
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
