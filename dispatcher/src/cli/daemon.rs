//! A running daemon: the one place that puts the concrete parts together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::warn;

use super::failure::{Failure, Status};
use super::init::{self, Credentials};
use crate::acceptor::Acceptor;
use crate::api::limit::Limiter;
use crate::api::server::MAX_REFUSALS;
use crate::api::stream::Streams;
use crate::api::{self, Api};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::context::Context;
use crate::engine::Engine;
use crate::outbox::Outbox;
use crate::random::{Random, SystemRandom};
use crate::replayer::Replayer;
use crate::retention::Retention;
use crate::store::Store;
use crate::store::sqlite::SqliteStore;
use crate::transport::Targets;
use crate::transport::http::HttpTransport;
use crate::{upkeep, write_back};

/// The limit of open files where it cannot be asked for.
const USUAL_OPEN_FILES: u64 = 1_024;
/// Files that are neither a delivery nor a client with a place: the database, clients that are
/// refused, what the runtime needs.
const OTHER_FILES: usize = MAX_REFUSALS + 64;

/// The tasks of a daemon, and how to end them.
pub(super) struct Daemon {
    pub(super) address: SocketAddr,
    /// If the database was new: its keys, to be shown once.
    pub(super) credentials: Option<Credentials>,
    context: Context,
    store: Arc<SqliteStore>,
    tasks: JoinSet<()>,
    _loops: Loops,
}

/// A thread for what claims and commits. Between the statements of a transaction it would else wait
/// its turn behind requests, and all that are to be accepted would wait with it.
struct Loops(Option<Runtime>);

impl Loops {
    fn start() -> std::io::Result<(Self, Handle)> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name("loops").enable_time().build()?;
        let handle = runtime.handle().clone();
        Ok((Self(Some(runtime)), handle))
    }
}

impl Drop for Loops {
    /// A runtime that is just dropped waits for its thread, which no task may do.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Daemon {
    /// Opens the database, binds, and starts. Nothing is bound before the database is open.
    pub(super) async fn start(config: Config) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let targets = Targets::new(config.allow_target);
        let transport = HttpTransport::new(targets.clone())
            .map_err(|error| Failure::new(Status::Failed, error.to_string()))?;
        let (path, keys) = (&config.database.path, &config.secrets_key);
        let store = SqliteStore::open(path, keys, Arc::clone(&random), clock.now()).await?;
        let mut limits = config.limits;
        limits.connections = connections(limits.connections, config.max_in_flight, open_files());
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|error| cannot_listen(config.listen, &error))?;
        let address = listener.local_addr().map_err(|error| Failure::unexpected(&error))?;
        // Last, because the keys are shown once and only if all goes well.
        let credentials = init::if_new(&store, clock.now(), &*random).await?;

        let store = Arc::new(store);
        let context = Context::new(store.clone(), clock, random, config.max_in_flight);
        let mut tasks = JoinSet::new();
        let (loops, on_loops) = Loops::start().map_err(|error| Failure::unexpected(&error))?;
        let (work, handed_over) = mpsc::unbounded_channel();
        let engine = Engine {
            context: context.clone(),
            transport: Arc::new(transport),
            schedule: config.retry_schedule.clone(),
            disable_after: config.disable_after,
            attempts_on: Handle::current(),
        };
        let (acceptor, requests) = Acceptor::new();
        tasks.spawn_on(engine.run(handed_over, requests), &on_loops);
        tasks.spawn(Outbox { context: context.clone(), work }.run());
        tasks.spawn(Replayer { context: context.clone() }.run());
        tasks.spawn(upkeep::run(context.clone()));
        tasks.spawn(write_back::run(context.clone()));
        tasks.spawn(Retention { context: context.clone(), ages: config.retention }.run());
        let limiter = Limiter::new(limits.rates, &context.clock);
        let shared = context.clone();
        let api = Api {
            context: shared,
            acceptor,
            targets,
            limiter,
            limits,
            schedule: config.retry_schedule,
            streams: Streams::default(),
        };
        tasks.spawn(api::server::serve(listener, Arc::new(api)));
        Ok(Self { address, credentials, context, store, tasks, _loops: loops })
    }

    /// Whether this is the id of a key that is of use here.
    pub(super) fn knows(&self, key: &str) -> bool {
        let registry = self.store.registry();
        let key = key.parse().ok().and_then(|id| registry.key(id));
        key.is_some_and(|key| key.revoked_at.is_none())
    }

    /// Stops in three stages: intake at once, the rest after `grace` or when `hurry` resolves. Then
    /// everything is in the one file.
    pub(super) async fn stop(mut self, grace: Duration, hurry: impl Future<Output = ()>) {
        self.finish(grace, hurry).await;
        let Self { context, store, .. } = self;
        drop(context);
        // Who else still held it would be a task that has not heard of the end yet.
        if let Some(store) = Arc::into_inner(store) {
            store.close().await;
        }
    }

    async fn finish(&mut self, grace: Duration, hurry: impl Future<Output = ()>) {
        let Context { clock, shutdown, .. } = &self.context;
        shutdown.stop_intake();
        let finished = async {
            while let Some(task) = self.tasks.join_next().await {
                report(task);
            }
        };
        tokio::pin!(finished);
        tokio::select! {
            () = &mut finished => return,
            () = clock.sleep_until(clock.now().plus(grace)) => {
                warn!("the grace period is over; giving back what is still in flight");
            }
            () = hurry => warn!("asked again; giving back what is still in flight"),
        }
        shutdown.abandon();
        finished.await;
    }

    /// Resolves when a task ends that should not: something is broken beyond repair.
    pub(super) async fn broken(&mut self) {
        if let Some(task) = self.tasks.join_next().await {
            report(task);
        }
    }
}

/// Raises the limit of open files as far as it goes, and says how far that is. Each delivery under
/// way and each client is one, and the usual limit is low.
fn open_files() -> usize {
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
        warn!(%error, "cannot raise the limit of open files; see `ulimit -n`");
        USUAL_OPEN_FILES
    });
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// How many clients may be connected: what is wanted, or what is left beside deliveries and the
/// rest, though a quarter of all in any case.
fn connections(wanted: usize, in_flight: usize, open_files: usize) -> usize {
    let left = open_files.saturating_sub(in_flight + OTHER_FILES).max(open_files / 4);
    if left < wanted {
        warn!(wanted, left, "fewer connections than max_connections; see `ulimit -n`");
    }
    wanted.min(left)
}

fn report(task: Result<(), tokio::task::JoinError>) {
    if let Err(error) = task {
        tracing::error!(%error, "a part of the daemon died; please report this");
    }
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Failure {
    let next = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "another process has this port: stop it, or choose another with --listen"
        }
        std::io::ErrorKind::PermissionDenied => {
            "ports below 1024 need privileges: choose another with --listen"
        }
        _ => "choose another address with --listen",
    };
    Failure::new(Status::Failed, format!("cannot listen on {address}: {error}")).then(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_what_open_files_leave() {
        assert_eq!(connections(1_024, 1_024, 1_048_576), 1_024);
        assert_eq!(connections(1_024, 1_024, 2_000), 2_000 - 1_024 - OTHER_FILES);
        assert_eq!(connections(1_024, 1_024, 1_024), 256, "deliveries do not shut clients out");
        assert_eq!(connections(10, 1_024, 1_024), 10);
    }
}
