//! What happened, line by line, for whoever wants to read it.

use std::fmt::Display;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bluum_hooks_dispatcher::clock::Clock as _;

use super::clock::SimClock;

/// Writes lines down, if anybody wants them; clones write into the same.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    clock: SimClock,
    lines: Option<Arc<Mutex<Vec<String>>>>,
}

impl Trace {
    pub(super) fn new(clock: SimClock, wanted: bool) -> Self {
        Self { clock, lines: wanted.then(Arc::default) }
    }

    /// Writes a line, which is made only if it is wanted.
    pub(super) fn note<T: Display>(&self, line: impl FnOnce() -> T) {
        if let Some(lines) = &self.lines {
            let at = seconds(self.clock.monotonic());
            lines.lock().unwrap().push(format!("{at} {}", line()));
        }
    }

    /// What was written until now.
    pub(super) fn take(&self) -> Vec<String> {
        self.lines.as_ref().map(|lines| lines.lock().unwrap().split_off(0)).unwrap_or_default()
    }
}

fn seconds(time: Duration) -> String {
    format!("{:6}.{:06}", time.as_secs(), time.subsec_micros())
}
