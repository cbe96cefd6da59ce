//! What is going on, for whoever watches.

use std::io::IsTerminal;

/// Tells of one scenario on stderr: on a terminal in one line that changes, elsewhere in a line for
/// each step.
#[derive(Debug, Clone)]
pub struct Progress {
    scenario: &'static str,
    terminal: bool,
}

impl Progress {
    pub fn new(scenario: &'static str) -> Self {
        Self { scenario, terminal: std::io::stderr().is_terminal() }
    }

    /// A step begins.
    pub fn step(&self, text: &str) {
        if self.terminal {
            self.tell(text);
        } else {
            eprintln!("{}: {text}", self.scenario);
        }
    }

    /// How far a step is.
    pub fn tell(&self, text: &str) {
        if self.terminal {
            eprint!("\r{}: {text}\x1b[K", self.scenario);
        }
    }

    /// Makes room for something else.
    pub fn clear(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}
