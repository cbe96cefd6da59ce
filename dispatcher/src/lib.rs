//! The Bluum Hooks daemon.
//!
//! ```text
//! publisher ─▶ api ─▶ store.accept ─▶ engine ─▶ transport ─▶ partner
//!                                        └─▶ store.record
//! ```

pub mod acceptor;
pub mod api;
pub mod bell;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod context;
pub mod crash_point;
pub mod credentials;
pub mod difference;
pub mod duration;
pub mod engine;
pub mod faults;
pub mod fields;
pub mod invalid;
pub mod listeners;
pub mod metrics;
pub mod notice;
pub mod outbox;
pub mod policy;
pub mod publish;
pub mod random;
pub mod replayer;
pub mod retention;
pub mod shutdown;
pub mod slots;
pub mod store;
pub mod telemetry;
pub mod transport;
pub mod upkeep;
pub mod vault;
pub mod write_back;
