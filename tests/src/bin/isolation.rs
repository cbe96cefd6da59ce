//! How much the healthy webhooks feel of those that hang, drip or refuse.
//!
//! `isolation [HEALTHY] [ROUNDS] [SECONDS]`: 97 healthy webhooks if not said otherwise, at two
//! daemons, one of which has a hanging, a dripping and a refusing webhook beside them. Every
//! webhook gets 20 events a second, for a window at one daemon and then at the other, in turns that
//! are reversed from round to round, so that what drifts cancels out. Prints a line for each
//! window, a table, and its numbers as one JSON object.
//!
//! Exit status 1, if the p99 of the healthy deliveries, from publishing to arrival, is more than
//! 5 % and more than 2 ms longer beside the bad ones. Both sides are taken at the median of their
//! windows: where the machine does something else for a moment, a window tells about that.
#![expect(clippy::print_stdout, reason = "it is there to print")]

use std::num::ParseIntError;
use std::process::ExitCode;
use std::time::Duration;

use bluum_hooks_tests::crowd::{Bad, Crowd, millis, quantile, summary};
use bluum_hooks_tests::daemon::memory;
use serde_json::json;

/// Twenty a second.
const PACE: Duration = Duration::from_millis(50);
/// Not measured: connections are opened, caches filled, the stuck get stuck.
const WARM_UP: Duration = Duration::from_secs(5);

/// What one of the daemons has shown so far.
struct Side {
    name: &'static str,
    crowd: Crowd,
    /// Of all healthy webhooks.
    all: Vec<Duration>,
    /// Of each.
    of_each: Vec<Vec<Duration>>,
    /// Of each window.
    p99s: Vec<Duration>,
    memory: Vec<u64>,
}

impl Side {
    async fn new(name: &'static str, healthy: usize, bad: &[Bad]) -> Self {
        let crowd = Crowd::gather(&[], healthy, bad).await;
        crowd.publish(PACE, WARM_UP).await;
        let of_each = vec![Vec::new(); healthy];
        Self { name, crowd, all: Vec::new(), of_each, p99s: Vec::new(), memory: Vec::new() }
    }

    async fn measure(&mut self, length: Duration) {
        let window = self.crowd.publish(PACE, length).await;
        let all: Vec<Duration> = window.iter().flatten().copied().collect();
        self.p99s.push(quantile(&all, 0.99));
        self.memory.push(memory(&self.crowd.daemon, "VmRSS") >> 20);
        println!("{:<8} {}  {} MB", self.name, summary(&all), self.memory.last().unwrap_or(&0));
        self.all.extend(all);
        self.of_each.iter_mut().zip(window).for_each(|(each, more)| each.extend(more));
    }

    /// Of the window in the middle.
    fn p99(&self) -> f64 {
        millis(quantile(&self.p99s, 0.5))
    }

    /// The p99 of the webhook that fared worst.
    fn worst(&self) -> f64 {
        self.of_each.iter().map(|each| millis(quantile(each, 0.99))).fold(0.0, f64::max)
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "all": summary(&self.all), "worst_webhook_p99": self.worst(),
            "p99_of_windows": summary(&self.p99s), "memory_mb": self.memory,
            "most_held": self.crowd.most_held(),
        })
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode, ParseIntError> {
    let mut arguments = std::env::args().skip(1);
    let mut or = |default: u32| arguments.next().map_or(Ok(default), |text| text.parse());
    let (healthy, rounds, length) = (or(97)? as usize, or(30)?, Duration::from_secs(1) * or(3)?);
    let mut alone = Side::new("alone", healthy, &[]).await;
    let mut beside = Side::new("beside", healthy, &Bad::ALL).await;
    for round in 0..rounds {
        let (first, second) =
            if round % 2 == 0 { (&mut alone, &mut beside) } else { (&mut beside, &mut alone) };
        first.measure(length).await;
        second.measure(length).await;
    }
    let more = beside.p99() - alone.p99();
    let within = more <= 2.0 || more <= 0.05 * alone.p99();
    println!("\n         p50 ms    p99 ms    of all    of the worst webhook");
    for side in [&alone, &beside] {
        let [p50, p99] = [0.5, 0.99].map(|share| millis(quantile(&side.all, share)));
        println!("{:<8} {p50:<9} {:<9} {p99:<9} {}", side.name, side.p99(), side.worst());
    }
    println!("p99 beside the bad ones: {more:+.3} ms, {:+.1} %", 100.0 * more / alone.p99());
    let json = json!({
        "healthy": healthy, "alone": alone.json(), "beside": beside.json(),
        "more_ms": more, "within": within,
    });
    println!("{json}");
    Ok(if within { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
