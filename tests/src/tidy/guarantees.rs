//! The table of guarantees: each row names the tests that fail without its mechanism.

use super::source::Source;
use super::{File, Violation};

/// The document with the table, and the heading above it.
const DOCUMENT: &str = "ARCHITECTURE.md";
const HEADING: &str = "## Guarantees";

/// Rows that name no test, and names of tests that there are not.
pub fn unproven(files: &[File]) -> Vec<Violation> {
    let Some(document) = files.iter().find(|file| file.path == DOCUMENT) else {
        return Vec::new();
    };
    let lines = document.text.lines().enumerate().skip_while(|(_, line)| *line != HEADING);
    let section = lines.skip(1).take_while(|(_, line)| !line.starts_with("## "));
    let rows = section.filter(|(_, line)| line.starts_with('|'));
    let mut violations = Vec::new();
    // The first two are the headings and the line below them.
    for (index, row) in rows.skip(2) {
        let wrong = |rule: String, advice: &str| document.violation(index + 1, &rule, advice);
        // No cell holds a `|`, so the last one is the third.
        let cell = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default();
        let names: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        if row.matches('|').count() != 4 || names.is_empty() {
            let advice = "write | guarantee | mechanism | `path::test`, … |";
            violations.push(wrong("a guarantee without a test".into(), advice));
        }
        for name in names {
            let problem = problem(name, files);
            violations.extend(problem.map(|(rule, advice)| wrong(rule, advice)));
        }
    }
    violations
}

/// What is wrong with the name of a test, and what to do.
fn problem(name: &str, files: &[File]) -> Option<(String, &'static str)> {
    let (path, function) = name.split_once("::").unwrap_or((name, ""));
    let Some(file) = files.iter().find(|file| file.path == path) else {
        return Some((format!("there is no file '{path}'"), "name the file of the test"));
    };
    if !file.is(".rs") || (!function.is_empty() && is_test(&Source::new(file), function)) {
        return None;
    }
    let rule = match function {
        "" => format!("'{path}' without the name of a test"),
        _ => format!("there is no test '{function}' in {path}"),
    };
    Some((rule, "write `path::test`, with the name of the test function"))
}

/// Whether the file has this function, as a test of its own, as a case of the conformance suite, or
/// as one of those that a macro lists, each on a line, to make several tests of each.
fn is_test(source: &Source, function: &str) -> bool {
    let suite = source.file.path.starts_with("tests/src/conformance/");
    let lines: Vec<&str> = source.code.lines().map(str::trim).collect();
    let listed = lines.contains(&function);
    lines.iter().enumerate().any(|(index, line)| {
        let called = line.split("fn ").nth(1).is_some_and(|rest| {
            rest.strip_prefix(function).is_some_and(|rest| rest.starts_with(['(', '<']))
        });
        let above = lines[..index].iter().rev();
        let attributes = above.take_while(|line| line.is_empty() || line.starts_with('#'));
        let is_test = attributes.into_iter().any(|line| line.contains("test"));
        called && (is_test || listed || suite && line.starts_with("pub async fn"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TESTS: &str = "#[test]\n#[should_panic]\nfn it_holds() {}\nfn helper() {}\n\
        proptest! {\n    /// Why.\n    #[test]\n    fn always(n in 0..9) {}\n}\n\
        #[tokio::test(flavor = \"multi_thread\")]\nasync fn over_sockets() {}\n";
    const LIST: &str = "on_both! {\n    it_holds\n}\nasync fn it_holds<D>(database: D) {}\n\
        async fn helper<D>() {}\n";
    const SUITE: &str = "pub async fn it_holds(mut world: World) {}\nasync fn helper() {}\n";

    /// What is found in a table with this row.
    fn found(row: &str) -> Vec<String> {
        let headings = "| guarantee | mechanism | test |\n| --- | --- | --- |";
        let table = format!(
            "# A\n| a | b | c |\n\n## Guarantees\n\n{headings}\n{row}\n\n## B\n\n| d | e | f |\n"
        );
        let files = [
            File::new("ARCHITECTURE.md", &table),
            File::new("tests/tests/a.rs", TESTS),
            File::new("tests/src/conformance/b.rs", SUITE),
            File::new("tests/tests/c.rs", LIST),
            File::new("tests/tool", ""),
        ];
        let violations = unproven(&files);
        assert!(violations.iter().all(|violation| violation.line == 8), "{violations:?}");
        violations.into_iter().map(|violation| violation.rule).collect()
    }

    #[test]
    fn a_row_that_names_its_tests_passes() {
        for names in [
            "`tests/tests/a.rs::it_holds`",
            "`tests/tests/a.rs::always`, `tests/tests/a.rs::over_sockets`, `tests/tool`",
            "`tests/src/conformance/b.rs::it_holds`, `tests/tests/c.rs::it_holds`",
        ] {
            assert_eq!(found(&format!("| a | `b` | {names} |")), [""; 0], "{names}");
        }
    }

    #[test]
    fn a_row_without_a_test_or_with_one_that_is_not_there_is_found() {
        for (row, rule) in [
            ("| a | `b` | trust us |", "a guarantee without a test"),
            ("| a | `tests/tests/a.rs::it_holds` |", "a guarantee without a test"),
            ("| a | b | `tests/tests/z.rs::it_holds` |", "there is no file 'tests/tests/z.rs'"),
            ("| a | b | `tests/tests/a.rs` |", "'tests/tests/a.rs' without the name of a test"),
            (
                "| a | b | `tests/tests/a.rs::it_hold` |",
                "there is no test 'it_hold' in tests/tests/a.rs",
            ),
            (
                "| a | b | `tests/tests/a.rs::helper` |",
                "there is no test 'helper' in tests/tests/a.rs",
            ),
            (
                "| a | b | `tests/tests/c.rs::helper` |",
                "there is no test 'helper' in tests/tests/c.rs",
            ),
            (
                "| a | b | `tests/src/conformance/b.rs::helper` |",
                "there is no test 'helper' in tests/src/conformance/b.rs",
            ),
        ] {
            assert_eq!(found(row), [rule], "{row}");
        }
    }
}
