//! `replay`: past events again, to this machine's listener, to a webhook, or straight to a local
//! server.
//!
//! What goes to a webhook is a delivery that is owed again: the daemon signs and sends it. What
//! goes to a local server is sent from here, and the daemon hears nothing of it.

mod local;
mod saved;
mod select;
mod webhook;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use bluum_hooks_shared::time::Timestamp;

use super::args::{Global, ReplayEventsArgs};
use super::failure::{Failure, Status};
use super::print::Printer;
use super::which::{self, Types};
use crate::clock::{Clock, SystemClock};

/// Which of the events that were asked for.
struct Wanted {
    types: Types,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    failed: bool,
}

/// How to go about it.
struct Manner {
    pause: Duration,
    wait: bool,
    dry_run: bool,
    yes: bool,
    may_ask: bool,
}

pub(super) async fn run(
    args: ReplayEventsArgs,
    global: &Global,
    printer: Printer,
) -> Result<(), Failure> {
    let now = SystemClock::new().now();
    let time = |flag, text: &Option<String>| {
        text.as_deref().map(|text| which::time(flag, text, now)).transpose()
    };
    let wanted = Wanted {
        types: Types::parse(&args.events)?,
        since: time("--since", &args.since)?,
        until: time("--until", &args.until)?,
        failed: args.failed,
    };
    let manner = Manner {
        pause: args.rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate),
        wait: args.wait,
        dry_run: args.dry_run,
        yes: args.yes,
        may_ask: !global.no_input && !printer.json && io::stdin().is_terminal(),
    };
    match args.to.as_deref() {
        None | Some("listener") => {
            refuse_exact(args.exact)?;
            let name = global.sources()?.listener(args.name.as_deref()).value;
            let client = global.client()?;
            let to = webhook::of_listener(&name, &client).await?;
            webhook::replay(&args.what, &wanted, &manner, &to, &client, printer).await
        }
        Some(id) if id.starts_with("wh_") => {
            refuse_exact(args.exact)?;
            let client = global.client()?;
            let to = webhook::find(id, &client).await?;
            webhook::replay(&args.what, &wanted, &manner, &to, &client, printer).await
        }
        Some(target) => {
            let server = local::server(target)?;
            local::replay(&args, &wanted, &manner, &server, global, printer).await
        }
    }
}

fn refuse_exact(exact: bool) -> Result<(), Failure> {
    if !exact {
        return Ok(());
    }
    let message = "--exact is for a local server: the daemon signs what it sends with the time";
    Err(Failure::new(Status::Usage, message).then("say which, with --to PORT/PATH"))
}

impl Manner {
    /// Goes on with one; with more, if that was meant.
    fn confirm(&self, count: usize, to: &str) -> Result<(), Failure> {
        if count <= 1 || self.yes || self.dry_run {
            return Ok(());
        }
        let refused = |next| {
            let message = format!("{count} events would be replayed to {to}");
            Err(Failure::new(Status::Usage, message).then(next))
        };
        if !self.may_ask {
            return refused("add -y for all of them, or --dry-run to see them");
        }
        let mut answer = String::new();
        // Where the question cannot be read, there is no yes.
        let _ = write!(io::stderr(), "replay {count} events to {to}? [y/N] ")
            .and_then(|()| io::stderr().flush());
        let read = io::stdin().read_line(&mut answer);
        match answer.trim() {
            "y" | "Y" | "yes" if read.is_ok() => Ok(()),
            _ => refused("nothing was done"),
        }
    }

    /// Between one and the next.
    async fn pace(&self) {
        if !self.pause.is_zero() {
            tokio::time::sleep(self.pause).await;
        }
    }
}

/// What is said when there is nothing to replay.
fn nothing(where_looked: &str) -> Failure {
    Failure::new(Status::NotFound, format!("nothing to replay {where_looked}"))
        .then("widen --events, --since or --until, or name events by their ids")
}

/// The status that says how many were not taken.
fn all_taken(refused: usize, of: usize) -> Result<(), Failure> {
    if refused == 0 {
        return Ok(());
    }
    let message = format!("{refused} of {of} were not answered with 2xx");
    Err(Failure::new(Status::Undelivered, message).then("the lines above say what was answered"))
}
