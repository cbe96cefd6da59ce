//! The help of every command, word for word; and how output behaves where it is read.
//!
//! `BLUUM_UPDATE_GOLDEN=1 cargo test -p bluum-hooks-tests --test help` writes it anew into
//! `tests/snapshots/help`; then read the diff.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use bluum_hooks_tests::binary::{self, Ending};
use bluum_hooks_tests::{snapshot, wait};

/// Columns of the widest line, and lines of the longest help that still fit on a screen.
const SCREEN: (usize, usize) = (100, 60);

fn help(command: &[&str]) -> String {
    let mut arguments = command.to_vec();
    arguments.push("-h");
    binary::run(&arguments).must_exit(0).stdout
}

/// The commands that a help lists.
fn listed(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let list = list.take_while(|line| !line.is_empty());
    let names = list.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_help_fits_a_screen_and_is_as_it_was() {
    let mut waiting = vec![Vec::<String>::new()];
    let mut seen = BTreeSet::new();
    while let Some(command) = waiting.pop() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let text = help(&words);
        let name = format!("{}.txt", [&["bluum-hooks"], &words[..]].concat().join("-"));
        for line in text.lines() {
            assert!(line.chars().count() <= SCREEN.0, "{name} is too wide: {line}");
        }
        assert!(text.lines().count() <= SCREEN.1, "{name} is longer than a screen");
        let place = |heading: &str| text.lines().position(|line| line == heading);
        if let (Some(examples), Some(options)) = (place("Examples:"), place("Options:")) {
            assert!(words.is_empty() || examples < options, "{name}: examples come first");
        }
        snapshot::check(&format!("help/{name}"), &text);
        waiting.extend(listed(&text).into_iter().map(|sub| [command.clone(), vec![sub]].concat()));
        seen.insert(name);
    }
    assert!(seen.len() > 30, "only {seen:?}");
    let kept = fs::read_dir(snapshot::folder().join("help")).unwrap();
    let kept = kept.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let stale: Vec<String> = kept.filter(|name| !seen.contains(name)).collect();
    assert!(stale.is_empty(), "these commands are gone, delete their snapshots: {stale:?}");
}

/// Colours are for a terminal; an empty `NO_COLOR` says nothing.
#[test]
fn no_escape_code_goes_where_no_terminal_is() {
    for no_color in ["", "1"] {
        for arguments in [&["-h"][..], &["tail", "-h"], &["srve"], &["demo"]] {
            let mut command = binary::command(arguments);
            command.env("NO_COLOR", no_color);
            let run = binary::finish(command);
            assert!(!format!("{}{}", run.stdout, run.stderr).contains('\x1b'), "{run:?}");
        }
    }
}

/// As with `| head`: whoever stops reading is no error.
#[test]
fn a_reader_that_goes_away_is_no_error() {
    for arguments in [&["completions", "bash"][..], &["-h"], &["serve", "-h"]] {
        let mut command = binary::command(arguments);
        let stderr = tempfile::NamedTempFile::new().unwrap();
        command.stdout(Stdio::piped()).stderr(stderr.reopen().unwrap());
        let mut process = Ending(command.spawn().unwrap());
        drop(process.0.stdout.take());
        let status = process.wait(wait::DEADLINE, "the command to end");
        let said = fs::read_to_string(stderr.path()).unwrap();
        assert!(status.success() && said.is_empty(), "{arguments:?}: {status} {said}");
    }
}

/// Shells ask this program, so they know the event types.
#[test]
fn shells_complete_event_types() {
    for words in [
        &["bluum-hooks", "events", "publish", "order.f"][..],
        &["bluum-hooks", "tail", "-e", "order.f"],
        &["bluum-hooks", "webhooks", "create", "--events", "order.f"],
    ] {
        let mut command = binary::command(&["--"]);
        let last = (words.len() - 1).to_string();
        command.args(words).env("BLUUM_HOOKS_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", last);
        let run = binary::finish(command).must_exit(0);
        assert!(run.stdout.contains("order.filled"), "{run:?}");
        assert!(!run.stdout.contains("kyc."), "{run:?}");
    }
}
