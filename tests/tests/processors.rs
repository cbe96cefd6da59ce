//! Of two processors, one serves and the other commits; of any other number, all are for everybody.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::fs;

use bluum_hooks_tests::daemon::Daemon;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

const SERVING: &str = "tokio-rt-worker";
/// As far as the kernel keeps the name. The first is the writer's.
const DATABASE: &str = "sqlx-sqlite-wor";

#[test]
fn of_two_processors_one_serves_and_the_other_commits() {
    let all = sched_getaffinity(None).unwrap();
    let all: Vec<_> = (0..CpuSet::MAX_CPU).filter(|&number| all.is_set(number)).collect();
    for count in 1..=all.len().min(3) {
        let some = &all[..count];
        // What this thread starts inherits it.
        let mut allowed = CpuSet::new();
        some.iter().for_each(|&number| allowed.set(number));
        sched_setaffinity(None, &allowed).unwrap();
        let (serving, committing) =
            if count == 2 { (&some[..1], &some[1..]) } else { (some, some) };
        let daemon = Daemon::start();
        for (name, expected) in [(SERVING, serving), ("loops", committing), (DATABASE, committing)]
        {
            let found = processors_of(&daemon, name);
            assert_eq!(found.first().map(Vec::as_slice), Some(expected), "{name} of {count}");
        }
    }
}

/// Where each thread of this name may run, in the order in which they were started.
fn processors_of(daemon: &Daemon, name: &str) -> Vec<Vec<usize>> {
    let threads = fs::read_dir(format!("/proc/{}/task", daemon.process_id())).unwrap();
    let threads = threads.map(|thread| thread.unwrap().path());
    let of_name = threads.filter(|thread| {
        fs::read_to_string(thread.join("comm")).is_ok_and(|found| found.trim() == name)
    });
    let allowed = of_name.map(|thread| {
        let status = fs::read_to_string(thread.join("status")).unwrap();
        let mut lines = status.lines();
        let list = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
        list.trim().split(',').flat_map(range).collect()
    });
    allowed.collect()
}

/// `3`, or `0-2`.
fn range(text: &str) -> std::ops::RangeInclusive<usize> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    first.parse().unwrap()..=last.parse().unwrap()
}
