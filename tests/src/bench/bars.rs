//! The bar that each figure is to reach, and whether it does.

use serde::Serialize;

use super::figures::Figures;
use super::table::table;

/// On which side of the bar a figure is to be. The bar itself is good enough.
#[derive(Debug, Clone, Copy)]
enum Side {
    AtLeast(f64),
    AtMost(f64),
}

use Side::{AtLeast, AtMost};

struct Bar {
    what: &'static str,
    scenario: &'static str,
    figure: fn(&Figures) -> Option<f64>,
    side: Side,
    unit: &'static str,
    /// Behind the point, of what was measured.
    digits: usize,
}

/// A figure beside its bar.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    pub figure: &'static str,
    pub bar: String,
    pub measured: Option<f64>,
    /// What was not measured has not reached anything.
    pub reached: bool,
    #[serde(skip)]
    shown: String,
}

const fn share(what: &'static str, scenario: &'static str, least: f64) -> Bar {
    let figure = |figures: &Figures| Some(figures.share);
    Bar { what, scenario, figure, side: AtLeast(least), unit: "", digits: 3 }
}

const fn at_most(
    what: &'static str,
    scenario: &'static str,
    figure: fn(&Figures) -> Option<f64>,
    (most, unit, digits): (f64, &'static str, usize),
) -> Bar {
    Bar { what, scenario, figure, side: AtMost(most), unit, digits }
}

const BARS: [Bar; 12] = [
    share("single publish, share of the limit", "single", 0.10),
    at_most("single publish, CPU of a delivery", "single", |f| f.cpu_us_per_delivery, MICROS),
    share("batches of 100, share of the limit", "batch", 0.16),
    share("fan-out to 10, share of the limit", "fan-out-10", 0.22),
    at_most("light load, p50", "light", |f| f.p50_ms, (2.5, " ms", 2)),
    at_most("light load, p99", "light", |f| f.p99_ms, (8.0, " ms", 2)),
    at_most("memory, idle", "backlog", |f| f.idle_mib, (40.0, " MiB", 1)),
    at_most("memory, while the backlog comes in", "backlog", |f| f.filling_mib, BACKLOG),
    at_most("memory, while the backlog drains", "backlog", |f| f.peak_mib, BACKLOG),
    at_most("first delivery after a restart", "backlog", |f| f.first_delivery_ms, SECOND),
    share("drain of the backlog, share of the limit", "backlog", 0.15),
    at_most("slowdown when the database is full", "steady", |f| f.slowdown_percent, TENTH),
];

const MICROS: (f64, &str, usize) = (120.0, " µs", 0);
const BACKLOG: (f64, &str, usize) = (150.0, " MiB", 1);
const SECOND: (f64, &str, usize) = (1000.0, " ms", 0);
const TENTH: (f64, &str, usize) = (10.0, " %", 1);

impl Bar {
    fn judge(&self, all: &[Figures]) -> Verdict {
        let mut figures = all.iter().filter(|figures| figures.scenario == self.scenario);
        let measured = figures.find_map(|figures| (self.figure)(figures));
        let (unit, digits) = (self.unit, self.digits);
        let (bar, reached) = match self.side {
            // A share of 0.10 is written as it is asked for.
            AtLeast(least) => (format!(">= {least:.2}{unit}"), measured.map(|it| it >= least)),
            AtMost(most) => (format!("<= {most}{unit}"), measured.map(|it| it <= most)),
        };
        let shown = measured.map(|measured| format!("{measured:.digits$}{unit}"));
        Verdict {
            figure: self.what,
            bar,
            measured,
            reached: reached.unwrap_or(false),
            shown: shown.unwrap_or_else(|| "not measured".to_owned()),
        }
    }
}

/// Holds the figures of all scenarios in full size against their bars.
pub fn judge(all: &[Figures]) -> Vec<Verdict> {
    BARS.iter().map(|bar| bar.judge(all)).collect()
}

/// All of them in a table.
pub fn to_text(verdicts: &[Verdict]) -> String {
    let row = |verdict: &Verdict| {
        let reached = if verdict.reached { "yes" } else { "no" };
        [verdict.figure, &verdict.bar, &verdict.shown, reached].map(str::to_owned)
    };
    let rows: Vec<_> = verdicts.iter().map(row).collect();
    table(["figure", "bar", "measured", "reached"], &rows).trim_end().to_owned()
}
