//! What is decided, apart from everything that is done: no I/O, no clock, no randomness.
//!
//! [`judge`] turns an answer into a verdict, [`retry`] a failure into a delay, [`pace`] silence
//! into patience, and [`state::step`] is the one function that changes a delivery's state.

pub mod judge;
pub mod pace;
pub mod retention;
pub mod retry;
pub mod state;
