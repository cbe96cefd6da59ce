//! From the stream to the local server and back: the loop that all of `listen` turns in.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::condition::Condition;
use super::connection::News;
use super::forward::{Attempt, Forwarder};
use super::frames::{Arrival, Hello};
use super::gate::Gates;
use super::held::{self, Held, Sent, Shared};
use super::ledger::{Ledger, Offer};
use super::outbox::Outbox;
use super::record::{Happening, Outcome, Ready, Record, Wish};
use super::remote::{Remote, Report};
use super::resend::Recent;
use super::routes::Routes;
use super::tally::{millis, were_waiting};
use super::teller::Teller;
use super::vigil::Moment;
use crate::cli::args::ReportArg;
use crate::cli::failure::Failure;
use crate::clock::{Clock, SystemClock};

/// What has waited so long here is asked for again: its signature grows old.
const STALE: Duration = Duration::from_secs(150);
/// How long the dispatcher waits for a word about a delivery, if it does not say.
const LEASE: Duration = Duration::from_secs(45);
/// So often within that time it hears of what takes long.
const WORDS: u32 = 5;

/// What is wished of a run.
pub(super) struct Plan {
    pub(super) routes: Routes,
    pub(super) conditions: Vec<Condition>,
    pub(super) concurrency: usize,
    pub(super) report: ReportArg,
    pub(super) exit_after: Option<u64>,
    pub(super) expect: Vec<Condition>,
    /// Whether `expect` held anything at first.
    pub(super) expects: bool,
    pub(super) ready_file: Option<PathBuf>,
    pub(super) ready: Ready,
}

/// Why a run ends.
#[derive(Debug)]
pub(super) enum End {
    Interrupted,
    Terminated,
    Quit,
    ExitAfter,
    Expected,
    WithinRanOut,
    /// Nobody reads stdout any more.
    Unread,
    Child(u8),
    Failed(Failure),
}

pub(super) struct Relay {
    pub(super) plan: Plan,
    pub(super) clock: SystemClock,
    pub(super) remote: Remote,
    pub(super) forwarders: Vec<Arc<Forwarder>>,
    pub(super) teller: Teller,
    pub(super) outbox: Outbox,
    pub(super) recent: Recent,
    ledger: Ledger,
    gates: Gates,
    queue: VecDeque<Shared>,
    under_way: HashMap<Arc<str>, Shared>,
    jobs: JoinSet<(Shared, Vec<Sent>)>,
    paused: bool,
    was_ready: bool,
    lease: Duration,
    /// When the dispatcher last heard of what takes long.
    worked: Duration,
}

impl Relay {
    pub(super) fn new(
        plan: Plan,
        remote: Remote,
        forwarders: Vec<Arc<Forwarder>>,
        teller: Teller,
    ) -> Self {
        let gates = Gates::new(forwarders.len());
        let recent = Recent::new(teller.screen.is_some());
        let outbox = Outbox::new(remote.clone());
        Self {
            plan,
            clock: SystemClock::new(),
            remote,
            forwarders,
            teller,
            outbox,
            recent,
            ledger: Ledger::default(),
            gates,
            queue: VecDeque::new(),
            under_way: HashMap::new(),
            jobs: JoinSet::new(),
            paused: false,
            was_ready: false,
            lease: LEASE,
            worked: Duration::ZERO,
        }
    }

    /// Takes in, sends and tells, until something ends it.
    pub(super) async fn turn(
        &mut self,
        news: &mut mpsc::Receiver<News>,
        wishes: &mut mpsc::UnboundedReceiver<Wish>,
    ) -> End {
        let unread = self.teller.out.broken();
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            self.start();
            if let Some(end) = self.is_done() {
                return end;
            }
            if self.teller.is_full() && self.teller.flush().await.is_err() {
                return End::Unread;
            }
            tokio::select! {
                biased;
                () = unread.cancelled() => return End::Unread,
                _ = tick.tick() => self.say_working(),
                Some(done) = self.jobs.join_next(), if !self.jobs.is_empty() => {
                    if let Ok((held, sent)) = done {
                        self.finished(&held, &sent);
                    }
                }
                Some(news) = news.recv() => {
                    if let Some(end) = self.heard(news) {
                        return end;
                    }
                }
                route = self.gates.opened() => {
                    let target = &self.forwarders[route].target;
                    self.teller.notice(format!("✓ {} answers again", target.authority()));
                }
                Some(wish) = wishes.recv() => {
                    if let Some(end) = self.wished(wish) {
                        return end;
                    }
                }
                redone = self.recent.next() => redone.tell(&self.teller),
                () = self.outbox.posted() => {}
                // Only when there is nothing else to do.
                flushed = self.teller.flush(), if self.teller.is_dirty() => {
                    if flushed.is_err() {
                        return End::Unread;
                    }
                }
            }
        }
    }

    fn heard(&mut self, news: News) -> Option<End> {
        match news {
            News::Arrival(arrival) => self.arrived(arrival),
            News::Up { hello, offline } => self.up(&hello, offline),
            News::Waiting(waiting) => self.teller.screen(|| Happening::Waiting(waiting)),
            News::Gap(gap) => {
                let words = format!(
                    "! {} events are missing, {} to {}: {}",
                    gap.count, gap.from, gap.to, gap.reason
                );
                self.teller.talk(&words);
                let (from, to, count, reason) = (gap.from, gap.to, gap.count, gap.reason);
                self.teller.tell(Record::Gap { from, to, count, reason });
            }
            News::Down { reason, retry } => {
                self.not_ready();
                let words =
                    format!("! disconnected ({reason}); retry in {:.1} s", retry.as_secs_f64());
                self.teller.talk(&words);
                self.teller.tell(Record::Disconnected { reason, retry_ms: millis(retry) });
            }
            News::Over(failure) => return Some(End::Failed(failure)),
        }
        None
    }

    fn up(&mut self, hello: &Hello, offline: Option<Duration>) {
        self.outbox.online();
        self.lease = hello.lease_ms.map_or(LEASE, Duration::from_millis);
        if self.was_ready {
            let offline = offline.unwrap_or_default();
            let waiting = hello.waiting;
            let were = were_waiting(waiting);
            self.teller.talk(&format!("✓ back after {} s{were}", offline.as_secs()));
            let transport = "sse".to_owned();
            self.teller.tell(Record::Resumed { offline_ms: millis(offline), waiting, transport });
        } else {
            let ready = Ready { waiting: hello.waiting, ..self.plan.ready.clone() };
            self.teller.tell(Record::Ready(ready));
        }
        self.was_ready = true;
        self.teller.screen(|| Happening::Waiting(hello.waiting));
        let there = hello.server_time.as_ref().and_then(|time| time.parse().ok());
        let hint = there.and_then(|there| self.teller.hints.of_clock(self.clock.now(), there));
        if let Some(hint) = hint {
            self.teller.hint(hint);
        }
        if let Some(file) = &self.plan.ready_file
            && let Err(error) = fs::write(file, format!("{}\n", std::process::id()))
        {
            let words = format!("error: --ready-file {}: {error}", file.display());
            self.teller.notice(words);
        }
    }

    /// Removes the file that says that we are connected.
    pub(super) fn not_ready(&self) {
        if let Some(file) = &self.plan.ready_file {
            // It may be gone already.
            let _ = fs::remove_file(file);
        }
    }

    fn arrived(&mut self, arrival: Box<Arrival>) {
        match self.ledger.offer(&arrival.delivery, arrival.attempt) {
            Offer::UnderWay => return,
            Offer::Done(report) => return self.outbox.push(report),
            Offer::New => {}
        }
        let mut held = Held::new(arrival, Moment::now(&self.clock));
        if !self.plan.conditions.iter().all(|condition| condition.holds(&held.arrival.body)) {
            return self.settle(&held, &[]);
        }
        held.routes = self.plan.routes.of(&held.event_type);
        if held.routes.is_empty() {
            let (outcome, error) = match self.plan.routes.is_empty() {
                true => (Outcome::Printed, None),
                false => (Outcome::Filtered, Some("no target for it".to_owned())),
            };
            let latency = Duration::ZERO;
            let attempt = Attempt { outcome, status: None, latency, error, answer: None };
            let sent = Sent { route: None, at: self.clock.now(), attempt };
            return self.finished(&Arc::new(held), &[sent]);
        }
        self.queue.push_back(Arc::new(held));
    }

    /// Sends what may be sent now.
    fn start(&mut self) {
        while !self.paused && self.jobs.len() < self.plan.concurrency && !self.outbox.is_full() {
            let may = |held: &Shared| self.gates.are_open(&held.routes);
            let next = match self.plan.concurrency {
                // In the order of the stream.
                1 => self.queue.front().is_some_and(may).then_some(0),
                _ => self.queue.iter().position(may),
            };
            let Some(held) = next.and_then(|next| self.queue.remove(next)) else { return };
            if held.came.age(&self.clock) > STALE {
                self.give_back(&held);
                continue;
            }
            self.teller.screen(|| Happening::Began {
                delivery: held.arrival.delivery.as_ref().to_owned(),
                event: held.arrival.event.clone(),
                event_type: held.event_type.clone(),
                attempt: held.arrival.attempt,
                target: held.routes.first().map(|to| self.forwarders[*to].target.to_string()),
                at: self.clock.now().to_string(),
            });
            self.under_way.insert(held.arrival.delivery.clone(), held.clone());
            let to: Vec<_> =
                held.routes.iter().map(|to| (*to, self.forwarders[*to].clone())).collect();
            self.jobs.spawn(held::send(held, to, self.clock));
        }
    }

    fn finished(&mut self, held: &Shared, sent: &[Sent]) {
        self.under_way.remove(&held.arrival.delivery);
        self.settle(held, sent);
        for one in sent {
            let target = one.route.map(|route| &self.forwarders[route].target);
            self.teller.delivery(held, one, target);
            if let Some(route) = one.route {
                self.look(route, one.attempt.outcome);
            }
        }
        if sent.iter().all(|sent| sent.attempt.is_success()) {
            self.plan.expect.retain(|condition| !condition.holds(&held.arrival.body));
        }
        self.recent.keep(held);
    }

    /// Tells the dispatcher what came of it.
    fn settle(&mut self, held: &Held, sent: &[Sent]) {
        let report = match self.plan.report {
            ReportArg::None => held.report(&[], false),
            ReportArg::Status => held.report(sent, false),
            ReportArg::Full => held.report(sent, true),
        };
        self.ledger.done(report.clone());
        self.outbox.push(report);
    }

    fn look(&mut self, route: usize, outcome: Outcome) {
        let Forwarder { dialer, target, .. } = &*self.forwarders[route];
        if self.gates.saw(route, outcome, dialer) {
            let at = target.authority();
            self.teller.talk(&format!("! {at} does not answer; events wait until it does"));
            self.teller.tell(Record::Paused { reason: format!("{at} does not answer") });
        }
    }

    fn give_back(&mut self, held: &Held) {
        let Arrival { delivery, attempt, .. } = &*held.arrival;
        self.ledger.forget(delivery, *attempt);
        self.outbox.push(Report::bare(delivery.clone(), *attempt, "cancelled"));
    }

    fn wished(&mut self, wish: Wish) -> Option<End> {
        match wish {
            Wish::Quit => return Some(End::Quit),
            Wish::Pause(paused) => {
                self.paused = paused;
                if paused {
                    self.teller.tell(Record::Paused { reason: "by key".into() });
                }
            }
            Wish::Replay { delivery } => self.recent.replay(delivery, self.remote.clone()),
            Wish::Resend { delivery } => {
                self.recent.resend(&delivery, &self.forwarders, self.clock);
            }
            Wish::SendEdited { delivery, body } => {
                let key = self.teller.hints.key();
                self.recent.send_edited(&delivery, body, &self.forwarders, self.clock, key);
            }
        }
        None
    }

    /// Extends the lease of what is here for long.
    fn say_working(&mut self) {
        let (now, often) = (self.clock.monotonic(), self.lease / WORDS);
        if now.saturating_sub(self.worked) < often {
            return;
        }
        self.worked = now;
        for held in self.under_way.values().chain(&self.queue) {
            if held.came.age(&self.clock) >= often {
                let Arrival { delivery, attempt, .. } = &*held.arrival;
                self.outbox.push(Report::bare(delivery.clone(), *attempt, "working"));
            }
        }
    }

    fn is_done(&self) -> Option<End> {
        match self.plan.exit_after {
            Some(wanted) if self.teller.tally.ok >= wanted => return Some(End::ExitAfter),
            _ => {}
        }
        (self.plan.expects && self.plan.expect.is_empty()).then_some(End::Expected)
    }

    /// Gives back what was not begun, and waits for what is under way as long as it may take.
    pub(super) async fn drain(&mut self, limit: impl Future<Output = ()>) {
        for held in std::mem::take(&mut self.queue) {
            self.give_back(&held);
        }
        tokio::pin!(limit);
        while !self.jobs.is_empty() {
            tokio::select! {
                Some(Ok((held, sent))) = self.jobs.join_next() => self.finished(&held, &sent),
                () = &mut limit => break,
            }
        }
        self.jobs.abort_all();
        for (_, held) in std::mem::take(&mut self.under_way) {
            self.give_back(&held);
        }
    }
}
