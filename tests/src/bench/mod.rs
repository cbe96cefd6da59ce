//! The parts of the benchmark: what loads, what receives, what is measured, what is reported.
//!
//! Load generator and receiver are as lean as hyper allows, each on a thread of its own, because
//! they share the machine with what they measure. Beside every scenario runs plain HTTP between the
//! same two: the physical limit of that machine in that minute.

pub mod bars;
pub mod document;
pub mod figures;
pub mod limit;
pub mod load;
pub mod machine;
pub mod process;
pub mod progress;
pub mod receiver;
pub mod scenario;
mod stage;
mod table;

use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::wait;

/// How many bytes of `data` an event carries.
pub const PAYLOAD: usize = 1024;
/// Connections that publish, or post in the run of plain HTTP.
pub const CONNECTIONS: usize = 64;

/// What a step came to, or what failed and why, for whoever runs the benchmark.
pub type Outcome<T> = Result<T, String>;

/// Runs a future on a thread of its own, with a runtime of its own.
pub fn on_a_thread<F>(future: impl FnOnce() -> F + Send + 'static) -> thread::JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static>,
{
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(future())
    })
}

/// How much time has passed.
fn since(began: Instant) -> Duration {
    wait::now().duration_since(began)
}

/// The `data` of an order that nobody else is about, of [`PAYLOAD`] bytes. `sent_at` is for whoever
/// measures how long it takes.
pub fn order(number: u64, sent_at_us: u64) -> String {
    let head = format!(r#"{{"id":"ord_{number:012}","sent_at_us":"{sent_at_us:016}","note":""#);
    let note = PAYLOAD.saturating_sub(head.len() + 2);
    format!(r#"{head}{:x<note$}"}}"#, "")
}

/// A request body that publishes this order.
pub fn event(number: u64, sent_at_us: u64) -> Bytes {
    format!(r#"{{"event":"order.filled","data":{}}}"#, order(number, sent_at_us)).into()
}
