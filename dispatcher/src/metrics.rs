//! What the daemon counts and measures, for `GET /metrics`.
//!
//! Every label has a handful of values, known here or in an enum. Never an id: a series for each
//! webhook or tenant would grow without bound.

use std::sync::Arc;
use std::time::Duration;

use bluum_hooks_shared::api::AttemptOutcome;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::faults::Fault;
use crate::policy::state::{Progress, State};
use crate::slots::Slots;

/// What scrapers are told that it is.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds: from a receiver on this machine to the longest timeout.
const ATTEMPT_BUCKETS: [f64; 11] = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Seconds: from a fast disk to one that is about to fail.
const COMMIT_BUCKETS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

type By<T> = Family<[(&'static str, &'static str); 1], T>;

/// What was counted since the daemon started. Clones count together.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    registry: Registry,
    accepted: Counter,
    claims: Counter,
    attempts: By<Counter>,
    attempt_time: Histogram,
    deliveries: By<Counter>,
    parked: By<Counter>,
    stale: Counter,
    faults: By<Counter>,
    commit_time: Histogram,
    in_flight: Gauge,
    slots: Gauge,
    backlogs: Gauge,
    outbox_rejected: Gauge,
}

impl Metrics {
    /// Events were accepted.
    pub fn accepted(&self, events: usize) {
        self.0.accepted.inc_by(events as u64);
    }

    /// A delivery was claimed, to be attempted now.
    pub fn claimed(&self) {
        self.0.claims.inc();
    }

    /// A request was made.
    pub fn attempted(&self, outcome: AttemptOutcome, duration: Duration) {
        self.0.attempts.get_or_create(&[("outcome", outcome.as_str())]).inc();
        self.0.attempt_time.observe(duration.as_secs_f64());
    }

    /// A claimed delivery was recorded as it stands now.
    pub fn recorded(&self, after: &Progress) {
        let outcome = match after.state {
            State::Delivered { .. } => "delivered",
            State::Parked { .. } => "parked",
            State::Waiting { .. } | State::Queued | State::Leased { .. } => "waiting",
        };
        self.0.deliveries.get_or_create(&[("outcome", outcome)]).inc();
        if let Some(reason) = after.state.reason() {
            self.0.parked.get_or_create(&[("reason", reason.as_str())]).inc();
        }
    }

    /// A record came after its claim had been taken over.
    pub fn stale(&self) {
        self.0.stale.inc();
    }

    /// A fault of our own was met.
    pub fn fault(&self, fault: Fault) {
        self.0.faults.get_or_create(&[("fault", fault.as_str())]).inc();
    }

    /// A commit took so long, whatever came of it.
    pub fn committed(&self, duration: Duration) {
        self.0.commit_time.observe(duration.as_secs_f64());
    }

    /// So many rows of the outbox wait for a person.
    pub fn outbox_rejected(&self, rows: i64) {
        self.0.outbox_rejected.set(rows);
    }

    /// Everything, as scrapers read it.
    pub fn to_text(&self, slots: &Slots) -> String {
        let set = |gauge: &Gauge, count: usize| gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        set(&self.0.in_flight, slots.in_flight());
        set(&self.0.slots, slots.total());
        set(&self.0.backlogs, slots.backlogged().len());
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.0.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut counts = Counts {
            registry: Registry::with_prefix("bluum_hooks"),
            accepted: Counter::default(),
            claims: Counter::default(),
            attempts: By::default(),
            attempt_time: Histogram::new(ATTEMPT_BUCKETS),
            deliveries: By::default(),
            parked: By::default(),
            stale: Counter::default(),
            faults: By::default(),
            commit_time: Histogram::new(COMMIT_BUCKETS),
            in_flight: Gauge::default(),
            slots: Gauge::default(),
            backlogs: Gauge::default(),
            outbox_rejected: Gauge::default(),
        };
        counts.register();
        Self(Arc::new(counts))
    }
}

impl Counts {
    /// Gives each its name, and its help.
    fn register(&mut self) {
        let Self { registry, .. } = self;
        let help = "Events accepted, by a request or from the outbox";
        registry.register("events_accepted", help, self.accepted.clone());
        registry.register("claims", "Deliveries claimed to be attempted", self.claims.clone());
        registry.register("attempts", "Requests made, by what came of them", self.attempts.clone());
        let help = "How long requests took";
        let time = self.attempt_time.clone();
        registry.register_with_unit("attempt_duration", help, Unit::Seconds, time);
        let help = "Claimed deliveries, by what they became";
        registry.register("deliveries", help, self.deliveries.clone());
        let help = "Deliveries parked after an attempt, by the reason";
        registry.register("deliveries_parked", help, self.parked.clone());
        let help = "Answers that came after the lease had run out";
        registry.register("records_stale", help, self.stale.clone());
        let help = "Faults of our own met, none of them counted as a receiver's failure";
        registry.register("own_faults", help, self.faults.clone());
        let help = "How long commits took";
        let time = self.commit_time.clone();
        registry.register_with_unit("commit_duration", help, Unit::Seconds, time);
        let help = "Deliveries claimed and not yet recorded";
        registry.register("in_flight", help, self.in_flight.clone());
        registry.register("slots", "Most deliveries in flight", self.slots.clone());
        let help = "Webhooks with deliveries that wait for a slot";
        registry.register("webhooks_backlogged", help, self.backlogs.clone());
        let help = "Rows of the outbox that nobody could accept, for a person to look at";
        registry.register("outbox_rejected", help, self.outbox_rejected.clone());
    }
}

#[cfg(test)]
mod tests {
    use bluum_hooks_shared::time::Timestamp;

    use super::*;
    use crate::bell::Bell;
    use crate::policy::state::ParkReason;

    #[test]
    fn what_happens_is_counted_by_its_kind() {
        let metrics = Metrics::default();
        let slots = Slots::new(7, Bell::default());
        let _slot = slots.take_now(1, 4);
        metrics.accepted(3);
        metrics.claimed();
        metrics.attempted(AttemptOutcome::Delivered, Duration::from_millis(30));
        let (finished_at, reason) = (Timestamp::from_micros(0), ParkReason::Exhausted);
        metrics.recorded(&Progress::new(State::Parked { finished_at, reason }));
        metrics.stale();
        metrics.fault(Fault::Resolver);
        metrics.committed(Duration::from_millis(2));
        let text = metrics.to_text(&slots);
        for line in [
            "bluum_hooks_events_accepted_total 3",
            "bluum_hooks_claims_total 1",
            "bluum_hooks_attempts_total{outcome=\"delivered\"} 1",
            "bluum_hooks_attempt_duration_seconds_bucket{le=\"0.02\"} 0",
            "bluum_hooks_attempt_duration_seconds_bucket{le=\"0.05\"} 1",
            "bluum_hooks_deliveries_total{outcome=\"parked\"} 1",
            "bluum_hooks_deliveries_parked_total{reason=\"exhausted\"} 1",
            "bluum_hooks_records_stale_total 1",
            "bluum_hooks_own_faults_total{fault=\"resolver\"} 1",
            "bluum_hooks_commit_duration_seconds_count 1",
            "bluum_hooks_in_flight 1",
            "bluum_hooks_slots 7",
            "bluum_hooks_webhooks_backlogged 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
