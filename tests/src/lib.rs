//! What the tests of the whole are made of: the real daemon, a partner's server, a client, waiting.
//!
//! A test reads as a story: start a [`daemon`], let a [`partner`] join and register its [`sink`],
//! publish, wait for a fact ([`wait`]), compare. When a test fails, the daemon's log is printed.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on should stop where it stands"
)]

pub mod bench;
pub mod binary;
pub mod breakage;
pub mod client;
pub mod clockwork;
pub mod compare;
pub mod conformance;
pub mod crash;
pub mod crowd;
pub mod daemon;
pub mod hostile;
pub mod listening;
pub mod partner;
pub mod seed;
pub mod severable;
pub mod sim;
pub mod sink;
pub mod snapshot;
pub mod socket;
pub mod sse;
pub mod terminal;
pub mod tidy;
pub mod trap;
pub mod wait;
pub mod walk;
