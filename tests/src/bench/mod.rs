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

use std::fmt::Write;
use std::thread;
use std::time::{Duration, Instant};

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

/// Adds an event about an order that nobody else is about, with `data` of [`PAYLOAD`] bytes.
/// `sent_at_us` is for whoever measures how long it takes.
fn add_event(body: &mut String, number: u64, sent_at_us: u64) {
    const AROUND_NOTE: &str =
        r#"{"id":"ord_000000000000","sent_at_us":"0000000000000000","note":""}"#;
    const NOTE: [u8; PAYLOAD - AROUND_NOTE.len()] = [b'x'; PAYLOAD - AROUND_NOTE.len()];
    body.push_str(r#"{"event":"order.filled","data":"#);
    write!(body, r#"{{"id":"ord_{number:012}","sent_at_us":"{sent_at_us:016}","note":""#)
        .expect("room for an order");
    body.push_str(str::from_utf8(&NOTE).expect("text"));
    body.push_str("\"}}");
}
