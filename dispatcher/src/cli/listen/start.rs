//! From checked arguments to an open stream: the listener, its secret, its place, the app.

use std::io::IsTerminal;
use std::time::Duration;

use bluum_hooks_shared::api::{ApiKey, Listener};
use bluum_hooks_shared::secret::Secret;
use bluum_hooks_shared::signature::SigningKey;
use bluum_hooks_shared::time::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use tokio::sync::mpsc;

use super::backoff::Backoff;
use super::child::Child;
use super::connection::{Connection, News};
use super::hints::Hints;
use super::identity::Identity;
use super::lines::Lines;
use super::output::Output;
use super::record::{Happening, Ready, Wish};
use super::relay::{Plan, Relay};
use super::remote::{Manner, Place, Remote, may_pass};
use super::settle::{Settled, Since};
use super::tally::Tally;
use super::teller::Teller;
use super::{OpenScreen, Wishes, screen, window};
use crate::cli::failure::{Failure, Status};
use crate::cli::line::{self, Columns};
use crate::cli::print::{Flow, Printer};
use crate::cli::profile::Sources;
use crate::cli::{login, query, saved};
use crate::clock::{Clock, SystemClock};
use crate::random::SystemRandom;

/// Beyond it, `--since auto` begins anew.
const FAR_IN_TIME: Duration = Duration::from_mins(15);
const FAR_IN_EVENTS: u64 = 100;
/// News that may be ahead of the relay.
const NEWS: usize = 256;

/// All parts of a run.
pub(super) struct Started {
    pub(super) relay: Relay,
    pub(super) connection: Connection,
    pub(super) child: Option<Child>,
    pub(super) within: Option<Duration>,
    pub(super) news: mpsc::Receiver<News>,
    pub(super) wishes: Wishes,
    pub(super) screen: Option<OpenScreen>,
}

/// None if all that was asked for is done.
pub(super) async fn prepare(
    settled: Settled,
    sources: &Sources,
    printer: Printer,
) -> Result<Option<Started>, Failure> {
    for forwarder in &settled.forwarders {
        forwarder.target.check().await?;
    }
    let login = sources.login()?;
    let client = login::connect(&login.base.value, &login.key.value, &login.secret)?;
    let (base, tenant) = (&login.base.value, settled.args.tenant.clone());
    let remote = Remote::new(client.clone(), base, &settled.name, tenant);
    let wanted = settled.wanted();
    let limit = settled.args.max_offline;
    let asked =
        patiently(limit, async || client.get(&query::item("/v1/keys", &login.key.value)).await);
    let key: ApiKey = client.read(&asked.await?)?;
    check_mode(&key, settled.args.live)?;
    let identity = Identity::new(&SystemRandom);
    let found = patiently(limit, async || remote.find().await).await?;
    if settled.manner == Manner::Alone
        && !settled.args.print_secret
        && let Some(holder) = found.as_ref().and_then(|listener| listener.holder.as_ref())
        && let Some(busy) = identity.busy(&settled.name, holder)
    {
        return Err(busy);
    }
    let listener = match found {
        // Whoever listens goes on as before.
        Some(listener) if settled.args.print_secret => listener,
        _ => patiently(limit, async || remote.put(&wanted).await).await?,
    };
    let secret = Secret::parse(&listener.secret).map_err(|error| Failure::unexpected(&error))?;
    if let Some(file) = &settled.env_file {
        let changed = file.write(&listener.secret)?;
        let (path, name) = (file.path.display(), &file.variable);
        let words = if changed { "is set in" } else { "is already in" };
        printer.talk(&format!("✓ {name} {words} {path}"));
        if file.is_tracked() {
            printer.talk(&format!(
                "! {path} is tracked by git: whoever has the repository has the secret"
            ));
        }
    }
    if settled.args.print_secret {
        printer.line(&listener.secret, &json!({ "secret": listener.secret }));
        return Ok(None);
    }
    seek(&settled.since, &listener, &remote, printer).await?;
    if let Some(path) = &settled.args.save
        && let Err(error) = saved::remember(path)
    {
        printer.talk(&format!("! `verify last` will not find {}: {error}", path.display()));
    }
    // What goes to a file goes on to do so.
    let is_beside = has_screen(printer) && std::io::stderr().is_terminal();
    let size = is_beside.then(screen::size);
    let child = Child::start(&settled.args.command, &settled.variables, &listener.secret, size)?;
    greet(&settled, &listener, &secret, printer);
    Ok(Some(assemble(settled, listener, &secret, remote, identity, child, printer)))
}

/// Asks; while the daemon is not there, as long as `--max-offline` says.
async fn patiently<T>(
    limit: Option<Duration>,
    mut ask: impl AsyncFnMut() -> Result<T, crate::client::ClientError>,
) -> Result<T, Failure> {
    let clock = SystemClock::new();
    let mut backoff = Backoff::default();
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => {
                let wait = backoff.next(&SystemRandom);
                if !may_pass(&error) || limit.is_none_or(|limit| clock.monotonic() + wait > limit) {
                    return Err(error.into());
                }
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// Nobody listens to live data by mistake.
fn check_mode(key: &ApiKey, live: bool) -> Result<(), Failure> {
    match (key.livemode, live) {
        (true, false) => Err(Failure::new(Status::Usage, "this key is for live data")
            .then("--live says that you mean it; or use a sandbox key")),
        (false, true) => Err(Failure::new(Status::Usage, "this key is for the sandbox")
            .then("leave out --live, or use a live key")),
        _ => Ok(()),
    }
}

async fn seek(
    since: &Since,
    listener: &Listener,
    remote: &Remote,
    printer: Printer,
) -> Result<(), Failure> {
    let place = match since {
        Since::Place(place) => place.clone(),
        Since::Auto => {
            let now = SystemClock::new().now();
            let old =
                listener.oldest.is_some_and(|oldest: Timestamp| now.since(oldest) > FAR_IN_TIME);
            if listener.created || !(old || listener.waiting > FAR_IN_EVENTS) {
                return Ok(());
            }
            Place::Text("now".into())
        }
    };
    let sought = remote.seek(&place).await?;
    if *since == Since::Auto && sought.skipped > 0 {
        let skipped = sought.skipped;
        printer.talk(&format!("! {skipped} older events skipped; --since last brings them"));
    }
    if *since != Since::Auto && sought.owed > 0 {
        printer.talk(&format!("✓ {} events to come from there", sought.owed));
    }
    Ok(())
}

/// Who listens to what, and with which secret; the secret itself the first time, to a person.
fn greet(settled: &Settled, listener: &Listener, secret: &Secret, printer: Printer) {
    if printer.json {
        return;
    }
    let mode = if listener.livemode { "LIVE" } else { "sandbox" };
    let new = if listener.created { " (new)" } else { "" };
    let events = match listener.event_type_names.as_slice() {
        [all] if all == "*" => "all event types".to_owned(),
        names => names.join(", "),
    };
    printer.talk(&format!("✓ {mode} · listener {}{new} · {events}", listener.name));
    let person = std::io::stderr().is_terminal() && listener.created;
    let shown = if person {
        listener.secret.clone()
    } else {
        format!("{} (--print-secret shows it)", secret.fingerprint())
    };
    let whose = match settled.args.command.first() {
        Some(command) => format!("  → {} of '{command}'", settled.variables.join(", ")),
        None => String::new(),
    };
    match &settled.key {
        Some(key) => printer.talk(&format!("  signed here with {}", key.fingerprint())),
        None => printer.talk(&format!("  secret {shown}{whose}")),
    }
    for target in settled.routes.targets() {
        printer.talk(&format!("  {target}"));
    }
}

fn has_screen(printer: Printer) -> bool {
    !printer.json && screen::is_possible()
}

/// The screen, if there can be one, and the way to tell it what happens.
fn open_screen(
    settled: &Settled,
    listener: &Listener,
    wish: mpsc::UnboundedSender<Wish>,
    output: Option<Output>,
    printer: Printer,
) -> (Option<mpsc::UnboundedSender<Happening>>, Option<OpenScreen>) {
    if !has_screen(printer) {
        return (None, None);
    }
    let (happening, happenings) = mpsc::unbounded_channel();
    let options = screen::Options {
        listener: listener.name.clone(),
        livemode: listener.livemode,
        secret: listener.secret.clone(),
        timeout: settled.timeout,
        zone: TimeZone::system(),
        colour: printer.colour(),
        full: settled.args.tui,
    };
    (Some(happening), Some(tokio::spawn(screen::run(happenings, wish, output, options))))
}

fn assemble(
    settled: Settled,
    listener: Listener,
    secret: &Secret,
    remote: Remote,
    identity: Identity,
    mut child: Option<Child>,
    printer: Printer,
) -> Started {
    let (sender, news) = mpsc::channel(NEWS);
    let (wish, wishes) = mpsc::unbounded_channel();
    let output = child.as_mut().and_then(|child| child.output.take());
    let (screen, opened) = open_screen(&settled, &listener, wish, output, printer);
    let args = settled.args;
    let connection = Connection {
        remote: remote.clone(),
        identity,
        name: listener.name.clone(),
        window: window(args.concurrency),
        manner: settled.manner,
        max_offline: args.max_offline,
        after: None,
        news: sender,
    };
    let targets: Vec<String> = settled.routes.targets().map(ToString::to_string).collect();
    let key = settled.key.unwrap_or_else(|| SigningKey::new(secret));
    let columns = Columns::new(targets.len() > 1, settled.timeout, TimeZone::system());
    let teller = Teller {
        printer,
        out: Flow::stdout(),
        save: settled.save,
        save_failed: false,
        screen,
        lines: Lines { lines: line::Lines { colour: printer.colour(), columns }, parts: args.show },
        hints: Hints::new(key.clone(), settled.timeout, args.save.is_some()),
        tally: Tally::default(),
    };
    let ready = Ready {
        listener: listener.name,
        webhook: listener.webhook_id.to_string(),
        livemode: listener.livemode,
        targets,
        cursor: listener.cursor,
        waiting: listener.waiting,
        secret_fingerprint: key.fingerprint(),
    };
    let plan = Plan {
        routes: settled.routes,
        conditions: settled.conditions,
        concurrency: args.concurrency.into(),
        report: args.report,
        exit_after: args.exit_after,
        expects: !settled.expect.is_empty(),
        expect: settled.expect,
        ready_file: args.ready_file,
        ready,
    };
    let relay = Relay::new(plan, remote, settled.forwarders, teller);
    Started { relay, connection, child, within: args.within, news, wishes, screen: opened }
}
