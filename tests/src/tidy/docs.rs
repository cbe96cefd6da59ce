//! What documents must say, and must not.

use super::source::Source;
use super::{File, Violation};

/// What stands before the number when a document refers to a line of a file.
const MARKS: [&str; 6] = [".rs:", ".sql:", ".toml:", ".md:", ".sh:", ".py:"];

/// References to a line of a file, which are wrong a week later, in documents and comments.
pub fn line_references(file: &File) -> Vec<Violation> {
    if !(file.is(".md") || file.is(".rs")) {
        return Vec::new();
    }
    let mut violations = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let number = |end: usize| line[end..].starts_with(|c: char| c.is_ascii_digit());
        let refers = MARKS
            .iter()
            .any(|mark| line.match_indices(mark).any(|(start, mark)| number(start + mark.len())));
        if refers {
            let advice = "name the function or the section: lines move";
            violations.push(file.violation(index + 1, "a reference to a line number", advice));
        }
    }
    violations
}

/// Top-level modules of the dispatcher that ARCHITECTURE.md does not name.
pub fn unnamed_modules(lib: &Source, architecture: &str) -> Vec<Violation> {
    let words: Vec<&str> = architecture.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let mut violations = Vec::new();
    for (index, line) in lib.code.lines().enumerate() {
        let declared = line.trim_start_matches("pub ").strip_prefix("mod ");
        let Some(module) = declared.and_then(|rest| rest.strip_suffix(';')) else { continue };
        if !words.contains(&module) && !lib.is_test(index + 1) {
            let rule = format!("ARCHITECTURE.md does not name the module '{module}'");
            let advice = "say there what lives in it";
            violations.push(lib.file.violation(index + 1, &rule, advice));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_number_is_found_and_a_port_is_not() {
        let text = format!("see `engine/mod.rs:{}`\nhttp://127.0.0.1:8080\n`a.rs`: 7 lines\n", 12);
        let found = line_references(&File::new("ARCHITECTURE.md", &text));
        assert_eq!(found.iter().map(|one| one.line).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_module_without_a_word_is_found() {
        let text = "pub mod bell;\nmod clock;\n#[cfg(test)]\nmod tests;\npub mod slots;\n";
        let lib = Source::new(&File::new("dispatcher/src/lib.rs", text));
        let found = unnamed_modules(&lib, "The `bell` rings; timeslots are no `clocks`.");
        let found: Vec<(usize, &str)> = found.iter().map(|one| (one.line, &*one.rule)).collect();
        let rule = |module| format!("ARCHITECTURE.md does not name the module '{module}'");
        assert_eq!(found, [(2, &*rule("clock")), (5, &*rule("slots"))]);
    }
}
