//! `listen`: events arrive on this machine, are forwarded to a local server, and none is lost.
//!
//! ```text
//! connection ──▶ relay ──▶ forward ─▶ local server      teller: lines, NDJSON, file, screen
//!                  ▲ └───▶ outbox ─▶ dispatcher
//! ```

mod backoff;
mod child;
mod condition;
mod connection;
mod dial;
mod env_file;
mod forward;
mod frames;
mod gate;
mod held;
mod hints;
mod identity;
mod ledger;
mod lines;
mod outbox;
mod output;
mod record;
mod relay;
mod remote;
mod resend;
mod routes;
mod screen;
mod settle;
mod signals;
mod start;
mod tally;
mod teller;
mod vigil;

use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::mpsc;

use self::child::Child;
pub(super) use self::dial::Dialer;
pub(super) use self::forward::{Attempt, Forwarder, Shape};
use self::record::Record;
use self::relay::{End, Relay};
use self::settle::Settled;
use self::signals::{Signal, Signals};
use super::args::{Global, ListenArgs};
use super::failure::{Failure, Status};
use super::print::Printer;

/// How long what is under way may take at the end.
const GRACE: Duration = Duration::from_secs(5);
/// How long what is left to say may take, to the dispatcher and to a reader.
const LAST_WORDS: Duration = Duration::from_secs(2);

pub(super) async fn run(
    args: ListenArgs,
    global: &Global,
    printer: Printer,
) -> Result<(), Failure> {
    // Before anything that takes time: whoever asks for the end is heard.
    let mut signals = Signals::new()?;
    let sources = global.sources()?;
    let settled = Settled::new(args, &sources)?;
    let started = tokio::select! {
        prepared = start::prepare(settled, &sources, printer) => prepared?,
        signal = signals.next() => return ending(match signal {
            Signal::Interrupt => End::Interrupted,
            Signal::Terminate => End::Terminated,
        }),
    };
    let Some(started) = started else { return Ok(()) };
    let start::Started { mut relay, connection, mut child, within, mut news, mut wishes, screen } =
        started;
    let stream = tokio::spawn(connection.run());
    let within = async {
        match within {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    let end = tokio::select! {
        biased;
        signal = signals.next() => match signal {
            Signal::Interrupt => End::Interrupted,
            Signal::Terminate => End::Terminated,
        },
        code = ended(&mut child) => End::Child(code),
        end = relay.turn(&mut news, &mut wishes) => end,
        () = within => End::WithinRanOut,
    };
    stream.abort();
    finish(relay, end, child, screen, signals).await
}

async fn ended(child: &mut Option<Child>) -> u8 {
    match child {
        Some(child) => child.ended().await,
        None => std::future::pending().await,
    }
}

/// Finishes what is under way, unless asked again, and says the last words.
async fn finish(
    mut relay: Relay,
    end: End,
    child: Option<Child>,
    screen: Option<OpenScreen>,
    mut signals: Signals,
) -> Result<(), Failure> {
    relay.not_ready();
    // Nothing is waited for any more once it has come.
    let hurry = async move {
        signals.next().await;
    };
    let hurry = hurry.shared();
    let grace = async {
        tokio::select! {
            () = tokio::time::sleep(GRACE) => {}
            () = hurry.clone() => {}
        }
    };
    relay.drain(grace).await;
    let Relay { outbox, mut teller, .. } = relay;
    tokio::select! {
        () = outbox.finish(LAST_WORDS) => {}
        () = hurry.clone() => {}
    }
    if let Some(child) = child {
        let signal =
            if matches!(end, End::Interrupted) { Signal::Interrupt } else { Signal::Terminate };
        child.stop(signal, hurry).await;
    }
    let mut saved = !teller.save_failed;
    if let Some(save) = teller.save.take() {
        saved = save.end(LAST_WORDS).await.is_ok();
    }
    let (reason, exit) = match told(&end) {
        (reason, 0) if !saved => (reason, Status::Failed as u8),
        told => told,
    };
    if let End::Failed(failure) = &end {
        teller.tell(Record::Error {
            code: failure.status.code().to_owned(),
            exit,
            message: failure.message.clone(),
            hint: failure.next().map(str::to_owned),
        });
    }
    let (delivered, failed) = (teller.tally.ok, teller.tally.failed);
    teller.tell(Record::End { reason: reason.to_owned(), exit, delivered, failed });
    let summary = teller.tally.to_string();
    let written = teller.out.end(LAST_WORDS).await;
    // It ends when nobody tells it anything any more, and says the summary itself.
    drop(teller.screen);
    if let Some(screen) = screen {
        let _ = tokio::time::timeout(LAST_WORDS, screen).await;
    } else if written.is_ok() && !teller.printer.json {
        teller.printer.talk(&summary);
    }
    ending(end)?;
    match saved {
        true => Ok(()),
        false => Err(Failure::new(Status::Failed, "--save: not every event could be written")
            .then("is the disk full?")),
    }
}

fn told(end: &End) -> (&'static str, u8) {
    match end {
        End::Interrupted => ("interrupted", Status::Interrupted as u8),
        End::Terminated => ("terminated", 0),
        End::Quit => ("quit", 0),
        End::ExitAfter => ("exit_after", 0),
        End::Expected => ("expect", 0),
        End::Unread => ("unread", 0),
        End::WithinRanOut => ("within", Status::Late as u8),
        End::Child(code) => ("command", *code),
        End::Failed(failure) => ("error", failure.status as u8),
    }
}

fn ending(end: End) -> Result<(), Failure> {
    match end {
        End::Terminated | End::Quit | End::ExitAfter | End::Expected | End::Unread => Ok(()),
        End::Interrupted => Err(Failure::silent(Status::Interrupted)),
        End::Child(0) => Ok(()),
        End::Child(code) => Err(Failure::of_command(code)),
        End::WithinRanOut => Err(Failure::new(Status::Late, "--within ran out")
            .then("the events above are all that came")),
        End::Failed(failure) => Err(failure),
    }
}

/// The window that is asked for: enough that the next ones are here while results travel.
fn window(concurrency: u16) -> u16 {
    concurrency.saturating_mul(8).clamp(32, 256)
}

/// The screen's own task.
type OpenScreen = tokio::task::JoinHandle<std::io::Result<tally::Tally>>;

type Wishes = mpsc::UnboundedReceiver<record::Wish>;
