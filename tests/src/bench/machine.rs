//! Where, when and of what: the machine, the day, the commit.

use std::path::Path;
use std::process::Command;

use bluum_hooks_dispatcher::clock::{Clock, SystemClock};
use serde::Serialize;

use crate::binary::workspace;

/// What cannot be found out is "unknown".
#[derive(Debug, Clone, Serialize)]
pub struct Circumstances {
    pub machine: String,
    pub system: String,
    /// UTC.
    pub date: String,
    pub commit: String,
}

impl Circumstances {
    /// As they are now. An hour later somebody may have changed the commit.
    pub fn look() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = field(&memory, "MemTotal").and_then(|size| gibibytes(&size));
        let kernel = read("/proc/sys/kernel/osrelease");
        let folder = std::env::temp_dir().canonicalize().unwrap_or_default();
        let stored = file_system(&read("/proc/self/mounts"), &folder);
        Self {
            machine: format!(
                "{cores} cores, {}, {} of memory",
                or_unknown(field(&cpu, "model name")),
                or_unknown(memory)
            ),
            system: format!(
                "Linux {}, the database on {}",
                or_unknown(Some(kernel.trim().to_owned())),
                or_unknown(stored)
            ),
            date: SystemClock::new().now().to_string(),
            commit: commit(),
        }
    }

    /// As a list in Markdown.
    pub fn to_text(&self) -> String {
        let Self { machine, system, date, commit } = self;
        format!("- machine: {machine}\n- system: {system}\n- date: {date}\n- commit: {commit}")
    }
}

fn or_unknown(text: Option<String>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

/// The first of these fields in a file of `/proc`.
fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn gibibytes(size: &str) -> Option<String> {
    let kilobytes: u64 = size.trim_end_matches(" kB").parse().ok()?;
    Some(format!("{} GiB", kilobytes >> 20))
}

/// The kind of file system that a folder lies on. One in memory would sync for nothing.
fn file_system(mounts: &str, folder: &Path) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let mounts = mounts.filter(|(place, _)| folder.starts_with(place));
    // The last of the longest: what was mounted later hides what is below it.
    mounts.max_by_key(|(place, _)| place.len()).map(|(_, kind)| kind.to_owned())
}

fn commit() -> String {
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    // What a run before this one has written is no change.
    let changes = ["status", "--porcelain", "--untracked-files=no", "--", ".", ":!BENCHMARKS.md"];
    let changed = git(&changes).is_none_or(|changes| !changes.is_empty());
    if changed { format!("{commit}, with local changes") } else { commit }
}

/// What git says, if there is one and it succeeds.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).current_dir(workspace()).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_lies_on_the_nearest_mount() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\nproc /proc proc rw 0 0\n";
        for (folder, kind) in [("/tmp/a", "tmpfs"), ("/tmpfiles", "ext4"), ("/", "ext4")] {
            assert_eq!(file_system(mounts, Path::new(folder)).as_deref(), Some(kind), "{folder}");
        }
        assert_eq!(file_system("", Path::new("/tmp")), None);
        assert_eq!(
            file_system(&format!("{mounts}/dev/vdb / xfs rw 0 0"), Path::new("/x")),
            Some("xfs".to_owned())
        );
    }

    #[test]
    fn the_books_of_the_system_are_read() {
        let cpu = "processor\t: 0\nmodel name\t: A Processor @ 2.00GHz\n";
        assert_eq!(field(cpu, "model name").as_deref(), Some("A Processor @ 2.00GHz"));
        assert_eq!(gibibytes("24609132 kB").as_deref(), Some("23 GiB"));
        assert_eq!(or_unknown(field("", "model name")), "unknown");
    }
}
