//! The benchmark: what it asks for, what it writes, and that it measures. Not how fast anything is.
//!
//! `BLUUM_UPDATE_GOLDEN=1 cargo test -p bluum-hooks-tests --test bench` writes its help and a
//! made-up BENCHMARKS.md anew into `tests/snapshots/bench`; then read the diff.

use std::process::{Command, Stdio};
use std::time::Duration;

use bluum_hooks_tests::bench::bars::judge;
use bluum_hooks_tests::bench::document::document;
use bluum_hooks_tests::bench::figures::Figures;
use bluum_hooks_tests::bench::machine::Circumstances;
use bluum_hooks_tests::bench::scenario::{ALL, Size, play};
use bluum_hooks_tests::binary::{self, Run, workspace};
use bluum_hooks_tests::snapshot;

/// What fits on a screen.
const SCREEN: (usize, usize) = (100, 40);

fn bench(arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.args(arguments).stdin(Stdio::null());
    binary::finish(command)
}

#[test]
fn help_fits_a_screen_and_is_as_it_was() {
    let help = bench(&["--help"]).must_exit(0).stdout;
    assert!(help.lines().count() <= SCREEN.1, "{help}");
    let wide = help.lines().find(|line| line.chars().count() > SCREEN.0);
    assert_eq!(wide, None);
    snapshot::check("bench/help.txt", &help);
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_measured() {
    let before = std::fs::read(workspace().join("BENCHMARKS.md")).ok();
    let cases: [(&[&str], &str); 5] = [
        (&["--fast"], "unknown option '--fast'; there are --quick, --json and --write"),
        (&["double"], "there is no scenario 'double'; they are single, batch, light, fan-out-10"),
        (&["--write", "single"], "cannot --write BENCHMARKS.md; name no scenario"),
        (&["--write", "--quick"], "cannot --write BENCHMARKS.md; leave out --quick"),
        (&["--write"], "cannot --write BENCHMARKS.md; this is a debug build"),
    ];
    for (arguments, why) in cases {
        let run = bench(arguments).must_exit(2);
        assert!(run.stderr.starts_with(&format!("bench: {why}")), "{run:?}");
        assert!(run.stderr.ends_with("See: bench --help\n"), "{run:?}");
        assert_eq!(run.stdout, "");
    }
    assert_eq!(std::fs::read(workspace().join("BENCHMARKS.md")).ok(), before);
}

/// A result that reaches every bar, and none by much.
fn made_up() -> Vec<Figures> {
    let figures = |scenario, title: &str, share| {
        let mut figures = Figures::new(scenario, title, 100_000.0);
        let delivered = 1e5 * share;
        (figures.deliveries_per_second, figures.share) = (delivered, share);
        figures.cpu_us_per_delivery = Some(120.0);
        figures.commits_per_second = Some(812.4);
        figures.peak_mib = Some(150.0);
        figures.bytes_per_event = Some(1866.3);
        figures
    };
    let mut light = figures("light", "light load, 100/s", 0.001);
    (light.p50_ms, light.p99_ms) = (Some(2.5), Some(8.0));
    let mut backlog = figures("backlog", "drain of 1000000 waiting deliveries", 0.15);
    (backlog.idle_mib, backlog.filling_mib) = (Some(40.0), Some(150.0));
    backlog.first_delivery_ms = Some(1000.0);
    backlog.note = Some("40 MiB idle".to_owned());
    let mut steady = figures("steady", "single publish after 5000000 events", 0.09);
    steady.slowdown_percent = Some(10.0);
    vec![
        figures("single", "single publish, 64 connections", 0.10),
        figures("batch", "batches of 100", 0.16),
        light,
        figures("fan-out-10", "fan-out to 10 webhooks", 0.22),
        backlog,
        figures("steady", "single publish, empty database", 0.10),
        steady,
    ]
}

/// Where one of them stands.
type Figure = fn(&mut Figures) -> &mut Option<f64>;

/// The names of the bars that are missed.
fn missed(all: &[Figures]) -> Vec<&'static str> {
    let verdicts = judge(all).into_iter().filter(|verdict| !verdict.reached);
    verdicts.map(|verdict| verdict.figure).collect()
}

#[test]
fn each_bar_is_reached_at_the_bar_and_missed_beyond_it() {
    const NONE: [&str; 0] = [];
    assert_eq!(missed(&made_up()), NONE);
    // Little enough that a bar is missed by it, and shown as it is.
    let worse = |change: fn(&mut Figures)| {
        let mut all = made_up();
        all.iter_mut().for_each(change);
        missed(&all)
    };
    assert_eq!(
        worse(|figures| figures.share -= 0.0001),
        [
            "single publish, share of the limit",
            "batches of 100, share of the limit",
            "fan-out to 10, share of the limit",
            "drain of the backlog, share of the limit",
        ]
    );
    let more = |value: &mut Option<f64>| *value = value.map(|value| value * 1.001);
    let cases: [(Figure, &[&str]); 8] = [
        (|it| &mut it.cpu_us_per_delivery, &["single publish, CPU of a delivery"]),
        (|it| &mut it.p50_ms, &["light load, p50"]),
        (|it| &mut it.p99_ms, &["light load, p99"]),
        (|it| &mut it.idle_mib, &["memory, idle"]),
        (|it| &mut it.filling_mib, &["memory, while the backlog comes in"]),
        (|it| &mut it.peak_mib, &["memory, while the backlog drains"]),
        (|it| &mut it.first_delivery_ms, &["first delivery after a restart"]),
        (|it| &mut it.slowdown_percent, &["slowdown when the database is full"]),
    ];
    for (figure, expected) in cases {
        let mut all = made_up();
        all.iter_mut().for_each(|figures| more(figure(figures)));
        assert_eq!(missed(&all), expected);
    }
    assert_eq!(missed(&[]).len(), 12, "what was not measured is not reached");
}

#[test]
fn the_document_shows_what_was_missed_plainly() {
    let mut all = made_up();
    all[0].share = 0.0987;
    all[4].first_delivery_ms = None;
    let circumstances = Circumstances {
        machine: "2 cores, A Processor @ 2.00GHz, 23 GiB of memory".to_owned(),
        system: "Linux 6.18.0, the database on ext4".to_owned(),
        date: "2026-11-21T14:02:11.093Z".to_owned(),
        commit: "0123456789ab, with local changes".to_owned(),
    };
    let text = document(&circumstances, &all, &judge(&all));
    let method = text.split("\n\n").nth(2).unwrap_or_default();
    assert!(method.len() <= 2048, "{} bytes of '{method}'", method.len());
    snapshot::check("bench/document.txt", &text);
}

/// The smallest of everything. It is the real thing: a daemon, a load, a receiver, the limit.
#[tokio::test]
async fn it_measures() {
    const TINY: Size = Size {
        seconds: 1,
        limit: Duration::from_millis(100),
        warm_up: 10,
        backlog: 3_000,
        steady: 1_000,
    };
    let mut all = Vec::new();
    for scenario in ALL.iter().filter(|one| ["light", "backlog"].contains(&one.name)) {
        all.extend(play(scenario, TINY).await.expect(scenario.name));
    }
    for figures in &all {
        let measured = [
            Some(figures.limit),
            Some(figures.share),
            figures.cpu_us_per_delivery,
            figures.commits_per_second,
            figures.peak_mib,
            figures.bytes_per_event.filter(|&bytes| bytes > 1024.0),
        ];
        assert!(measured.iter().all(|it| it.is_some_and(|it| it > 0.0)), "{figures:?}");
    }
    let measured = judge(&all).iter().filter(|verdict| verdict.measured.is_some()).count();
    assert_eq!(measured, 7, "all bars of the two are judged: {all:?}");
}
