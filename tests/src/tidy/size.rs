//! How long files, functions and lines may be.

use super::source::{Source, end_of_item, is_name};
use super::{File, Violation};

/// Lines of a file that are not only for tests; all lines of a file that is.
pub const FILE: usize = 400;
/// Lines of a function, from `fn` to its last brace.
pub const FUNCTION: usize = 70;
/// Characters of a line.
pub const LINE: usize = 100;

/// A file too long to be read in one go.
pub fn files(source: &Source) -> Vec<Violation> {
    let lines = match source.lines_outside_tests() {
        0 => source.code.lines().count(),
        lines => lines,
    };
    let rule = format!("{lines} lines, and a file has at most {FILE}");
    let violation = source.file.violation(1, &rule, "split it by verb or noun");
    if lines > FILE { vec![violation] } else { Vec::new() }
}

/// Functions too long to be seen at once.
pub fn functions(source: &Source) -> Vec<Violation> {
    let code = &source.code;
    let mut violations = Vec::new();
    for (start, _) in code.match_indices("fn ") {
        let word = !code[..start].chars().next_back().is_some_and(is_name);
        let named = code[start + 3..].chars().next().is_some_and(is_name);
        let Some(end) = end_of_item(code, start).filter(|_| word && named) else { continue };
        let line = source.line_of(start);
        let lines = source.line_of(end) - line + 1;
        if lines > FUNCTION {
            let name: String = code[start + 3..].chars().take_while(|&c| is_name(c)).collect();
            let rule = format!("'{name}' has {lines} lines, and a function has at most {FUNCTION}");
            violations.push(source.file.violation(line, &rule, "give its parts names"));
        }
    }
    violations
}

/// Lines too wide for two files side by side, in Rust and SQL.
pub fn lines(file: &File) -> Vec<Violation> {
    if !(file.is(".rs") || file.is(".sql")) {
        return Vec::new();
    }
    let wide = |(index, line): (usize, &str)| {
        let columns = line.chars().count();
        let rule = format!("{columns} columns, and a line has at most {LINE}");
        (columns > LINE).then(|| file.violation(index + 1, &rule, "break it"))
    };
    file.text.lines().enumerate().filter_map(wide).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source::new(&File::new(path, text))
    }

    #[test]
    fn a_long_file_is_seen_and_its_tests_do_not_count() {
        let long = "const A: u8 = 1;\n".repeat(FILE);
        let with_tests = format!("{long}#[cfg(test)]\nmod tests {{\n{long}}}\n");
        assert_eq!(files(&source("shared/src/a.rs", &with_tests)), []);
        let found = files(&source("shared/src/a.rs", &format!("{long}const B: u8 = 1;\n")));
        assert_eq!(found[0].rule, "401 lines, and a file has at most 400");
        assert_eq!(files(&source("tests/tests/a.rs", &"\n".repeat(FILE + 1))).len(), 1);
    }

    #[test]
    fn a_long_function_is_seen_by_its_name() {
        let body = "    a();\n".repeat(FUNCTION - 2);
        let fits = format!("fn fits<T: Fn() -> u8>() where T: Send {{\n{body}}}\n");
        let long =
            format!("trait T {{ fn declared(); }}\nasync fn long() {{\n    b();\n{body}}}\n");
        assert_eq!(functions(&source("shared/src/a.rs", &fits)), []);
        let found = functions(&source("shared/src/a.rs", &format!("{fits}{long}")));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].line, FUNCTION + 2);
        assert_eq!(found[0].rule, "'long' has 71 lines, and a function has at most 70");
    }

    #[test]
    fn a_wide_line_is_seen_in_columns_not_bytes() {
        let wide = format!("-- {}\n-- {}\n", "é".repeat(LINE - 3), "x".repeat(LINE - 2));
        let found = lines(&File::new("migrations/sqlite/0001_a.sql", &wide));
        assert_eq!(found.iter().map(|one| one.line).collect::<Vec<_>>(), [2]);
        assert_eq!(lines(&File::new("README.md", &wide)), []);
    }
}
