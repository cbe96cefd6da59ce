//! Sends what a story tells, event by event, in its pace, with what is to go wrong.

use std::time::Duration;

use bluum_hooks_shared::time::Timestamp;
use serde_json::json;
use serde_json::value::RawValue;

use super::fault::Fault;
use super::local::{Local, Reply};
use super::outcome::Outcomes;
use super::scenario::{EventStep, Expect, Scenario, Step};
use super::story::{Draft, Story, at};
use crate::cli::events;
use crate::cli::failure::{Failure, Status};
use crate::cli::print::{Printer, or_dash};
use crate::cli::spacing::pretty;
use crate::cli::target::Target;
use crate::client::Client;
use crate::clock::{Clock, SystemClock};
use crate::random::SystemRandom;
use crate::transport::SendError;

/// How long a step waits for what it expects, if nobody says how long.
const PATIENCE: Duration = Duration::from_mins(1);

/// Which way events go.
#[derive(Debug)]
pub(super) enum Way {
    Daemon {
        client: Box<Client>,
        tenant: Option<String>,
    },
    Local(Box<Local>),
    /// They are shown, and that is all.
    Nowhere,
}

/// An event on its way.
#[derive(Debug)]
struct Parcel {
    draft: Draft,
    faults: Vec<Fault>,
    expect: Option<Expect>,
}

impl Parcel {
    /// Whether a receiver that is right refuses it.
    fn is_to_be_refused(&self) -> bool {
        self.expect.is_none() && self.faults.iter().any(|fault| fault.is_to_be_refused())
    }

    /// Whether it was answered as it should be.
    fn is_right(&self, reply: &Reply) -> bool {
        let expect = self.expect.unwrap_or(Expect::SUCCESS);
        match reply.status {
            Some(status) => expect.is_met(status) != self.is_to_be_refused(),
            // Whose body is cut off need not answer.
            None => {
                let cut_off = self.faults.contains(&Fault::DropMidBody);
                cut_off && matches!(reply.error, Some(SendError::Broken(_)))
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Player<'a> {
    way: &'a Way,
    printer: Printer,
    /// For every event.
    pub(super) faults: Vec<Fault>,
    /// Between two events.
    pub(super) spacing: Duration,
    /// How long to wait for the outcome of all.
    pub(super) wait: Option<Duration>,
    /// Columns for the type.
    width: usize,
    clock: SystemClock,
    /// When the next event may go.
    next: Timestamp,
    /// Waits for the one that is to overtake it.
    held: Option<Parcel>,
    /// The ids that the daemon gave.
    published: Vec<String>,
    sent: usize,
    wrong: usize,
}

impl<'a> Player<'a> {
    pub(super) fn new(way: &'a Way, width: usize, printer: Printer) -> Self {
        Self {
            way,
            printer,
            faults: Vec::new(),
            spacing: Duration::ZERO,
            wait: None,
            width,
            clock: SystemClock::new(),
            next: Timestamp::from_micros(0),
            held: None,
            published: Vec::new(),
            sent: 0,
            wrong: 0,
        }
    }

    /// Tells the scenario so many times.
    pub(super) async fn play(mut self, scenario: &Scenario, count: u32) -> Result<(), Failure> {
        for _ in 0..count {
            let mut story = Story::begin(scenario, self.clock.now(), &SystemRandom)?;
            for (place, step) in scenario.steps.iter().enumerate() {
                match step {
                    Step::Wait(pause) => self.pause(*pause).await,
                    Step::Event(step) => {
                        let draft = story.tell(step, self.clock.now());
                        let draft = draft.map_err(|message| at(scenario, place, &message))?;
                        self.take(draft, step).await?;
                    }
                }
            }
        }
        if let Some(held) = self.held.take() {
            self.send(held).await?;
        }
        self.end().await
    }

    /// What is only shown need not be waited for.
    async fn pause(&self, pause: Duration) {
        if let Way::Nowhere = self.way {
            return;
        }
        self.clock.sleep_until(self.clock.now().plus(pause)).await;
    }

    /// Sends an event at once, or behind the next.
    async fn take(&mut self, draft: Draft, step: &EventStep) -> Result<(), Failure> {
        let faults = self.faults.iter().chain(&step.faults).copied().collect();
        let parcel = Parcel { draft, faults, expect: step.expect };
        match (self.held.take(), self.faults.contains(&Fault::Reorder)) {
            (None, true) => self.held = Some(parcel),
            (held, _) => {
                self.send(parcel).await?;
                if let Some(held) = held {
                    self.send(held).await?;
                }
            }
        }
        Ok(())
    }

    async fn send(&mut self, parcel: Parcel) -> Result<(), Failure> {
        self.clock.sleep_until(self.next).await;
        self.next = self.clock.now().plus(self.spacing);
        for fault in &parcel.faults {
            if let Fault::Delay(late) = fault {
                self.pause(*late).await;
            }
        }
        match self.way {
            Way::Daemon { client, tenant } => self.publish(parcel, client, tenant.clone()).await,
            Way::Local(local) => self.post(parcel, local).await,
            Way::Nowhere => self.show(&parcel.draft),
        }
    }

    fn show(&self, draft: &Draft) -> Result<(), Failure> {
        let body = draft.body();
        let json: &RawValue =
            serde_json::from_str(&body).map_err(|error| Failure::unexpected(&error))?;
        self.printer.line(&pretty(&body), &json);
        Ok(())
    }

    async fn publish(
        &mut self,
        parcel: Parcel,
        client: &Client,
        tenant: Option<String>,
    ) -> Result<(), Failure> {
        let body = parcel.draft.publication(tenant);
        let event = events::read(&client.post("/v1/events", &body).await?)?;
        self.printer.line(
            &format!("{}  {}", event.id, event.name),
            &json!({
                "type": "sent", "event": event.id, "event_type": event.name,
                "timestamp": event.timestamp, "livemode": event.livemode,
            }),
        );
        if parcel.expect.is_some() {
            let limit = self.wait.unwrap_or(PATIENCE);
            let mut outcomes = Outcomes::default();
            outcomes.wait(&event.id, limit, client, self.printer).await?;
            if outcomes.delivered == 0 || !outcomes.failed.is_empty() {
                let message = format!("{} was expected to be delivered, and was not", event.id);
                return Err(undelivered(message).then(why(&event.id)));
            }
        } else if self.wait.is_some() {
            self.published.push(event.id);
        }
        Ok(())
    }

    async fn post(&mut self, parcel: Parcel, local: &Local) -> Result<(), Failure> {
        let first = 1 + u32::from(parcel.draft.again);
        let twice = parcel.faults.contains(&Fault::Duplicate) && !parcel.draft.again;
        for attempt in first..=first + u32::from(twice) {
            let reply = local.send(&parcel.draft, attempt, &parcel.faults).await;
            let is_right = parcel.is_right(&reply);
            self.tell(&parcel, &reply, is_right, &local.target);
            self.sent += 1;
            self.wrong += usize::from(!is_right);
            if let Some(SendError::Connect(_) | SendError::Dns(_)) = reply.error {
                let message = format!("nobody answers at {}", local.target);
                return Err(undelivered(message).then("start the server, or name another --to"));
            }
            if let (Some(expect), false) = (parcel.expect, is_right) {
                let answered = or_dash(reply.status);
                let name = &parcel.draft.name;
                let message = format!("{name} expects {expect}, and was answered {answered}");
                return Err(undelivered(message).then("the story ends here"));
            }
        }
        Ok(())
    }

    fn tell(&self, parcel: &Parcel, reply: &Reply, is_right: bool, target: &Target) {
        let Draft { id, name, timestamp, .. } = &parcel.draft;
        let code = reply.status.map_or_else(|| "---".to_owned(), |status| status.to_string());
        let millis = reply.latency.as_millis();
        let error = reply.error.as_ref().map(ToString::to_string);
        let note = match (&error, parcel.is_to_be_refused(), is_right) {
            (Some(error), ..) => format!("  {error}"),
            (None, true, true) => "  refused, as it should be".to_owned(),
            (None, true, false) => "  taken, and should have been refused".to_owned(),
            (None, false, _) => String::new(),
        };
        let width = self.width;
        self.printer.line(
            &format!("{id}  {name:<width$}  {code}  {millis:>5} ms{note}"),
            &json!({
                "type": "sent", "event": id, "event_type": name, "timestamp": timestamp,
                "target": target.to_string(), "status": reply.status, "error": error,
                "latency_ms": u64::try_from(millis).unwrap_or(u64::MAX), "right": is_right,
                "faults": parcel.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
            }),
        );
    }

    /// Waits for what was asked to be waited for, and says whether all is well.
    async fn end(self) -> Result<(), Failure> {
        if self.wrong > 0 {
            let message =
                format!("{} of {} were not answered as they should be", self.wrong, self.sent);
            return Err(undelivered(message).then("see the lines above"));
        }
        let (Way::Daemon { client, .. }, Some(limit)) = (self.way, self.wait) else {
            return Ok(());
        };
        let give_up_at = self.clock.now().plus(limit);
        let mut outcomes = Outcomes::default();
        let mut failed = None;
        for event in &self.published {
            let limit = give_up_at.since(self.clock.now());
            outcomes.wait(event, limit, client, self.printer).await?;
            failed = failed.or_else(|| (!outcomes.failed.is_empty()).then_some(event));
        }
        match failed {
            Some(event) => {
                Err(undelivered("not everything was delivered".to_owned()).then(why(event)))
            }
            None if outcomes.delivered == 0 && !self.published.is_empty() => {
                let message = "no webhook subscribes to any of it".to_owned();
                Err(undelivered(message).then("make one with `bluum-hooks webhooks create`"))
            }
            None => Ok(()),
        }
    }
}

fn undelivered(message: String) -> Failure {
    Failure::new(Status::Undelivered, message)
}

fn why(event: &str) -> String {
    format!("`bluum-hooks show {event} --why` tells each attempt")
}
