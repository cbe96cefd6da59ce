//! The daemon dies again and again, at places and moments drawn from a seed, while publishers
//! publish, receivers receive, and webhooks are stopped, started and replayed. Each death is
//! followed by an audit, and at the end everybody's own books must agree.

pub mod books;
pub mod meddler;
pub mod publisher;

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bluum_hooks_dispatcher::clock::{Clock, SystemClock};
use bluum_hooks_dispatcher::crash_point;
use bluum_hooks_dispatcher::store::sqlite::{Audit, Books, Stage, audit};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::binary;
use crate::daemon::Daemon;
use crate::partner::{Partner, Webhook};
use crate::seed::Chance;
use crate::sink::{Answer, Request, Sink};
use crate::wait;
use publisher::Ledger;

/// Publishers over HTTP; one more uses the outbox.
const PUBLISHERS: u64 = 3;
/// How long everything may take to arrive once the deaths are over.
const CATCH_UP: Duration = Duration::from_secs(60);
/// How long what was replayed gets before the next look.
const POLL: Duration = Duration::from_millis(50);
/// SIGKILL.
const KILLED: i32 = 9;

/// Where others find the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    Open(String),
    Shut,
    Ended,
}

/// How often the daemon died, and where.
#[derive(Debug, Default)]
pub struct Tally {
    at: BTreeMap<&'static str, u64>,
    /// Killed from outside, because the point was not reached.
    outside: u64,
    pub events: usize,
    pub requests: usize,
}

impl Tally {
    pub fn kills(&self) -> u64 {
        self.at.values().sum::<u64>() + self.outside
    }

    /// Points at which nothing has died yet.
    pub fn untouched(&self) -> Vec<&'static str> {
        let points = crash_point::ALL.iter();
        points.copied().filter(|point| !self.at.contains_key(point)).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (point, kills) in &self.at {
            writeln!(f, "{kills:>7} {point}")?;
        }
        let (kills, outside) = (self.kills(), self.outside);
        writeln!(f, "{outside:>7} from outside, at any moment\n{kills:>7} in all")?;
        write!(f, "{} events accepted, {} requests received", self.events, self.requests)
    }
}

/// One death: at the n-th pass of a point, or from outside if that takes too long.
#[derive(Debug, Clone, Copy)]
pub struct Death {
    pub point: &'static str,
    pub pass: u64,
    pub patience: Duration,
}

impl Death {
    /// Any point, mostly at an early pass.
    pub fn drawn(chance: &mut Chance) -> Self {
        let points = crash_point::ALL;
        let point = points[usize::try_from(chance.number(0..points.len() as u64)).unwrap()];
        let most = if point.starts_with("open.") { 1 } else { 1 << chance.number(0..5) };
        let pass = chance.number(1..most + 1);
        Self { point, pass, patience: Duration::from_millis(300) }
    }

    /// This point, the first time.
    pub fn first(point: &'static str) -> Self {
        Self { point, pass: 1, patience: wait::DEADLINE / 2 }
    }
}

/// One database and all who use it.
pub struct Story {
    daemon: Daemon,
    sink: Sink,
    webhooks: Vec<(&'static str, Webhook)>,
    /// Set for the end: receivers take everything.
    calm: Arc<AtomicBool>,
    door: watch::Sender<Door>,
    ledger: Ledger,
    others: JoinSet<()>,
    chance: Chance,
}

/// What receivers answer: one takes everything, one is slow, one fails now and then.
fn script(calm: &AtomicBool, request: &Request) -> Answer {
    if calm.load(Ordering::Relaxed) {
        return Answer::status(200);
    }
    match (request.path.as_str(), request.number % 40) {
        ("/slow", _) => Answer::status(200).after(Duration::from_millis(15)),
        ("/failing", 0) => Answer::status(410),
        ("/failing", place) if place % 6 == 1 => Answer::status(500),
        _ => Answer::status(200),
    }
}

impl Story {
    /// Everybody starts.
    pub async fn begin(seed: u64) -> Self {
        // Built before the outbox begins to fill.
        binary::crashing();
        let calm = Arc::new(AtomicBool::new(false));
        let receivers = Arc::clone(&calm);
        let sink = Sink::start(move |request| script(&receivers, request)).await;
        let daemon = Daemon::start_with(&["--retry-schedule", "1s", "--retention-parked", "1d"]);
        let partner = Partner::join(&daemon).await;
        let mut webhooks = Vec::new();
        for (path, events, most) in
            [("/steady", "*", 16), ("/slow", "order.*", 3), ("/failing", "order.*", 16)]
        {
            let types = [events];
            let body =
                json!({"url": sink.url(path), "eventTypeNames": types, "max_in_flight": most});
            webhooks.push((path, partner.subscribe_as(&body).await));
        }
        let (door, ledger) = (watch::Sender::new(Door::Shut), Ledger::default());
        let mut chance = Chance::new(seed);
        let mut others = JoinSet::new();
        for number in 0..PUBLISHERS {
            let publisher = publisher::Publisher::new(number, &daemon, &partner, &ledger);
            others.spawn(publisher.over_http(door.subscribe(), Chance::new(chance.bits())));
        }
        let publisher = publisher::Publisher::new(PUBLISHERS, &daemon, &partner, &ledger);
        others.spawn(publisher.through_the_outbox(
            daemon.database(),
            door.subscribe(),
            Chance::new(chance.bits()),
        ));
        let stopped = webhooks[1..].iter().map(|(_, webhook)| webhook.id.clone()).collect();
        let key = daemon.operator_key().clone();
        others.spawn(meddler::run(stopped, key, door.subscribe(), Chance::new(chance.bits())));
        Self { daemon, sink, webhooks, calm, door, ledger, others, chance }
    }

    /// Lives until this death, and audits the remains.
    pub async fn live(&mut self, death: Death, tally: &mut Tally) {
        let at = format!("{}:{}", death.point, death.pass);
        let mut variables =
            vec![(crash_point::VARIABLE, at.as_str()), ("BLUUM_HOOKS_LOG", "error")];
        if death.point.starts_with("forget") || self.chance.number(0..4) == 0 {
            variables.push(("BLUUM_HOOKS_RETENTION", "1s"));
        }
        let ended = match self.daemon.restart_to_crash(&variables) {
            Err(why) => {
                assert!(why.contains("signal: 9"), "{why}");
                true
            }
            Ok(()) => {
                self.door.send_replace(Door::Open(self.daemon.base().to_owned()));
                let ended = self.daemon.ended_within(death.patience).await;
                ended.inspect(|how| assert_eq!(how.signal(), Some(KILLED), "{how}"));
                ended.is_some()
            }
        };
        self.daemon.kill();
        self.door.send_replace(Door::Shut);
        if ended {
            *tally.at.entry(death.point).or_default() += 1;
        } else {
            tally.outside += 1;
        }
        self.audit().await;
    }

    async fn audit(&self) -> Audit {
        let now = SystemClock::new().now();
        let audit = audit(&self.daemon.database(), now, &Stage::default()).await.unwrap();
        assert!(audit.violations.is_empty(), "{:#?}", audit.violations);
        audit
    }

    /// No more deaths: everything that is owed arrives, and all books agree.
    pub async fn end(mut self, tally: &mut Tally) {
        self.calm.store(true, Ordering::Relaxed);
        self.daemon.restart();
        self.door.send_replace(Door::Open(self.daemon.base().to_owned()));
        self.door.send_replace(Door::Ended);
        while let Some(other) = self.others.join_next().await {
            other.unwrap();
        }
        let client = self.daemon.operator();
        for (_, webhook) in &self.webhooks {
            let path = format!("/v1/webhooks/{}", webhook.id);
            client.patch(&path, &json!({"status": "active"})).await.must_be(200);
        }
        let accounts = wait::until_within(CATCH_UP, "all that is owed to arrive", async || {
            let audit = self.audit().await;
            for books in audit.webhooks.iter().filter(|books| books.parked > 0) {
                // Declined while four replays run.
                let path = format!("/v1/webhooks/{}/replay", books.webhook);
                client.post(&path, &json!({})).await;
            }
            wait::pause(POLL).await;
            if audit.outbox_waiting == 0 && audit.webhooks.iter().all(is_done) {
                Ok(audit.webhooks)
            } else {
                Err(format!("{audit:#?}"))
            }
        })
        .await;
        let requests = self.sink.requests();
        for (path, webhook) in &self.webhooks {
            let received: Vec<&Request> =
                requests.iter().filter(|request| request.path == *path).collect();
            let account = accounts.iter().find(|account| account.webhook == webhook.id).unwrap();
            books::all_verified(&received, &webhook.secret);
            let last = usize::try_from(account.accepted).unwrap();
            books::numbered_without_a_hole(&received, last);
            books::in_order(&received);
            books::as_published(&received, &self.ledger);
        }
        tally.events += self.ledger.accepted();
        tally.requests += requests.len();
    }
}

fn is_done(books: &Books) -> bool {
    books.delivered + books.forgotten == books.accepted
}

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Story").field("webhooks", &self.webhooks).finish_non_exhaustive()
    }
}
