//! Which targets are down: nothing is sent there until their port answers again.

use std::time::Duration;

use tokio::task::JoinSet;

use super::dial::Dialer;
use super::record::Outcome;

/// So many connections in a row that could not be made: the target is down.
const IN_A_ROW: u32 = 3;
const PROBE: Duration = Duration::from_secs(1);

#[derive(Debug, Default, Clone)]
struct Gate {
    failures: u32,
    closed: bool,
}

#[derive(Debug)]
pub(super) struct Gates {
    gates: Vec<Gate>,
    probes: JoinSet<usize>,
}

impl Gates {
    pub(super) fn new(targets: usize) -> Self {
        Self { gates: vec![Gate::default(); targets], probes: JoinSet::new() }
    }

    pub(super) fn are_open(&self, routes: &[usize]) -> bool {
        routes.iter().all(|route| !self.gates[*route].closed)
    }

    /// Looks at what came of an attempt; whether that closes the gate.
    pub(super) fn saw(&mut self, route: usize, outcome: Outcome, dialer: &Dialer) -> bool {
        let gate = &mut self.gates[route];
        if outcome != Outcome::ConnectError {
            gate.failures = 0;
            return false;
        }
        gate.failures += 1;
        if gate.closed || gate.failures < IN_A_ROW {
            return false;
        }
        gate.closed = true;
        let dialer = dialer.clone();
        self.probes.spawn(async move {
            while !dialer.answers().await {
                tokio::time::sleep(PROBE).await;
            }
            route
        });
        true
    }

    /// Resolves with the next target that answers again, whose gate is open then.
    pub(super) async fn opened(&mut self) -> usize {
        match self.probes.join_next().await {
            Some(Ok(route)) => {
                self.gates[route] = Gate::default();
                route
            }
            Some(Err(_)) | None => std::future::pending().await,
        }
    }
}
