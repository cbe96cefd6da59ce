//! Processors: of two, one is for requests, the other for the database and those who wait for it.
//!
//! The kernel wakes a thread where it slept, or where the disk answers, and seldom finds a better
//! place for it: the threads that serve and that commit shared one processor for much of the time,
//! with the other idle. On more than two, nothing was measured, and nothing is changed.

/// Keeps this thread, and those that it starts, where requests are served.
pub(super) fn serving() {
    keep(0);
}

/// Keeps this thread, and those that it starts, where commits are made.
pub(super) fn committing() {
    keep(1);
}

#[cfg(target_os = "linux")]
fn keep(index: usize) {
    use std::sync::LazyLock;

    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    /// Those that the process may use when it begins, if they are two.
    static TWO: LazyLock<Option<[usize; 2]>> = LazyLock::new(|| {
        let allowed = sched_getaffinity(None).ok()?;
        let numbers: Vec<_> =
            (0..CpuSet::MAX_CPU).filter(|&number| allowed.is_set(number)).collect();
        numbers.try_into().ok()
    });
    if let Some(two) = *TWO {
        let mut only = CpuSet::new();
        only.set(two[index]);
        // If it is not allowed, all is as it was.
        let _ = sched_setaffinity(None, &only);
    }
}

#[cfg(not(target_os = "linux"))]
fn keep(_index: usize) {}
