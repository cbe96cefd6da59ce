//! The bodies of the targets, which the stable test `receiver/tests/fuzz.rs` runs, too.

pub mod targets;
