//! The rules of the house, held against the source tree. What each rule is, and the proof that it
//! finds what it looks for, is in `src/tidy`.

use bluum_hooks_tests::binary::workspace;
use bluum_hooks_tests::tidy::source::Source;
use bluum_hooks_tests::tidy::{self, File, Violation, docs, guarantees, imports, size, words};

fn files() -> Vec<File> {
    let files = tidy::read(workspace());
    assert!(files.iter().any(|file| file.path == "Cargo.toml"), "the tree was not found");
    files
}

/// Holds a rule against every file.
fn every_file(rule: impl Fn(&File) -> Vec<Violation>) {
    report(files().iter().flat_map(rule).collect());
}

/// Holds a rule against every Rust file.
fn every_source(rule: impl Fn(&Source) -> Vec<Violation>) {
    report(tidy::rust(&files()).iter().flat_map(rule).collect());
}

fn report(violations: Vec<Violation>) {
    let lines: Vec<String> = violations.iter().map(Violation::to_string).collect();
    assert!(lines.is_empty(), "{} violations:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn imports_of_the_dispatcher_follow_the_table() {
    every_source(imports::inside_the_dispatcher);
}

#[test]
fn packages_keep_their_boundaries() {
    every_source(imports::across_boundaries);
}

#[test]
fn files_are_small() {
    every_source(size::files);
}

#[test]
fn functions_are_short() {
    every_source(size::functions);
}

#[test]
fn lines_are_narrow() {
    every_file(size::lines);
}

#[test]
fn no_banned_word_stands_anywhere() {
    every_source(words::banned);
}

#[test]
fn names_say_something() {
    every_source(words::empty_names);
}

#[test]
fn sql_reads_no_clock() {
    every_file(words::sql_clocks);
}

#[test]
fn nothing_is_tied_to_a_machine() {
    every_file(words::machine_paths);
}

#[test]
fn documents_refer_to_no_line() {
    every_file(docs::line_references);
}

#[test]
fn architecture_names_every_module() {
    let files = files();
    let find = |path: &str| files.iter().find(|file| file.path == path).expect(path);
    let lib = Source::new(find("dispatcher/src/lib.rs"));
    report(docs::unnamed_modules(&lib, &find("ARCHITECTURE.md").text));
}

#[test]
fn every_guarantee_names_a_test_that_exists() {
    report(guarantees::unproven(&files()));
}
