//! Bugs planted in a copy of the source are found by the simulated world, every one.
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::path::Path;
use std::process::Command;

use bluum_hooks_tests::binary::{self, workspace};
use bluum_hooks_tests::sim::planted::{BUGS, VARIABLE, plant_all};

/// A bug that is not found in so many worlds is not found.
const WORLDS: u32 = 2_000;

/// What the simulator says first when one of so many worlds has broken.
fn found(sim: &Path, bug: usize, worlds: u32) -> Option<String> {
    let run = Command::new(sim)
        .args(["--seeds", &worlds.to_string()])
        .env(VARIABLE, bug.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    let broken = said.lines().find(|line| line.starts_with("seed "));
    broken.filter(|_| !run.status.success()).map(str::to_owned)
}

#[test]
fn every_planted_bug_is_found() {
    let copy = binary::folder().join("planted-bugs");
    plant_all(&copy).unwrap();
    let sim = binary::build(&copy, "sim", &["--package", "bluum-hooks-tests"]);
    let mut missed = Vec::new();
    for (number, bug) in BUGS.iter().enumerate() {
        let found = found(&sim, number, WORLDS);
        let shown: String = found.as_deref().unwrap_or("NOT FOUND").chars().take(90).collect();
        println!("{:40} {shown}", bug.name);
        missed.extend(found.is_none().then_some(bug.name));
    }
    assert!(missed.is_empty(), "not found in {WORLDS} worlds: {missed:?}");
    assert_eq!(found(&sim, BUGS.len(), 200), None, "and without a bug, nothing is found");
}

#[test]
fn every_bug_has_its_place() {
    for bug in BUGS {
        let source = std::fs::read_to_string(workspace().join(bug.file)).unwrap();
        let places = source.matches(bug.sound).count();
        assert_eq!(places, 1, "'{}' is to be planted at: {}", bug.name, bug.sound);
        assert_ne!(bug.sound, bug.broken);
    }
}
