//! What is printed, word for word, held against a file of `tests/snapshots`.

use std::fs;
use std::path::PathBuf;

use bluum_hooks_dispatcher::difference::{Change, changes};

use crate::binary::workspace;

/// Set, the files are written anew.
const UPDATE: &str = "BLUUM_UPDATE_GOLDEN";

/// The folder of all snapshots.
pub fn folder() -> PathBuf {
    workspace().join("tests/snapshots")
}

/// Holds a text against the file of this name.
///
/// # Panics
///
/// If they differ, with the lines that do, and the command that writes the file anew.
pub fn check(name: &str, text: &str) {
    let path = folder().join(name);
    let text = format!("{}\n", text.trim_end());
    if std::env::var_os(UPDATE).is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        return fs::write(&path, text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "tests/snapshots/{name} is not what is printed now (- the file, + now):\n{}\n\
         If that is meant: {UPDATE}=1 cargo test -p bluum-hooks-tests --test {}",
        difference(&kept, &text).join("\n"),
        test(),
    );
}

/// The name of the test file that runs.
fn test() -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let name = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    name.rsplit_once('-').map_or(name.clone(), |(test, _)| test.to_owned())
}

/// The lines that differ, each with what stands around it.
fn difference(old: &str, new: &str) -> Vec<String> {
    let changes = changes(old, new).into_iter().map(|change| match change {
        Change::Same(line) => format!("  {line}"),
        Change::Gone(line) => format!("- {line}"),
        Change::New(line) => format!("+ {line}"),
    });
    let lines: Vec<_> = changes.collect();
    let is_near = |at: usize| {
        let around = &lines[at.saturating_sub(2)..(at + 3).min(lines.len())];
        around.iter().any(|line| !line.starts_with(' '))
    };
    (0..lines.len()).filter(|&at| is_near(at)).map(|at| lines[at].clone()).collect()
}

/// The same text at another time, for other objects, on another port: ids lose their end, and
/// clocks, ports and durations their digits.
pub fn neutral(text: &str) -> String {
    const PREFIXES: [&str; 5] = ["evt_", "dlv_", "wh_", "apk_", "tnt_"];
    let mut kept = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let whole = |text: &str| text.bytes().take_while(u8::is_ascii_alphanumeric).count() >= 26;
        let is_id = |prefix: &str| rest.strip_prefix(prefix).is_some_and(whole);
        if let Some(prefix) = PREFIXES.into_iter().find(|prefix| is_id(prefix)) {
            kept.push_str(prefix);
            kept.push('…');
            rest = &rest[prefix.len() + 26..];
        } else if let Some(time) = [CLOCK, DATE].into_iter().find(|time| begins_like(rest, time)) {
            kept.push_str(time);
            rest = &rest[time.len()..];
        } else if letter.is_ascii_digit() {
            let (number, after) = rest.split_at(digits(rest));
            let is_port = kept.ends_with("127.0.0.1:") || kept.ends_with("localhost:");
            if after.starts_with(" ms") {
                kept.truncate(kept.trim_end().len());
                kept.push_str(" N");
            } else {
                kept.push_str(if is_port { "PORT" } else { number });
            }
            rest = after;
        } else {
            kept.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    kept
}

const CLOCK: &str = "00:00:00.000";
const DATE: &str = "0000-00-00T";

/// Whether a text begins with this, but for its digits.
fn begins_like(text: &str, zeros: &str) -> bool {
    let shape = |byte: u8| if byte.is_ascii_digit() { b'0' } else { byte };
    text.bytes().map(shape).take(zeros.len()).eq(zeros.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_with_what_stands_around_it() {
        let told = difference("a\nb\nc\nd\ne\nf\n", "a\nb\nc\nD\ne\nf\n");
        assert_eq!(told, ["  b", "  c", "- d", "+ D", "  e", "  f"]);
        assert_eq!(difference("a", "a\nb"), ["  a", "+ b"]);
        assert!(difference("a\nb", "a\nb").is_empty());
    }

    #[test]
    fn what_changes_with_each_run_is_taken_out() {
        let text = "14:02:11.118  200    38 ms  evt_01jxt21q000000000000000003 ü 127.0.0.1:8080 #2";
        assert_eq!(neutral(text), "00:00:00.000  200 N ms  evt_… ü 127.0.0.1:PORT #2");
        assert_eq!(neutral("2026-06-15T14:30:15.123Z"), "0000-00-00T00:00:00.000Z");
    }
}
