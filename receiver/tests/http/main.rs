//! Receivers on real sockets: what reaches a handler, and what the sender learns.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod axum;
mod body;
mod client;
mod contract;
mod examples;
mod tower;
