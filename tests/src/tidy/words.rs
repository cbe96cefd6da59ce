//! Words that do not stand in this code: leftovers, shortcuts, names that say nothing.

use super::source::Source;
use super::{File, Violation};

/// Which part of a file a ban looks at.
#[derive(Clone, Copy)]
enum Part {
    /// Everything, comments and literals included.
    Text,
    /// Code outside tests.
    Code,
    /// Code, tests included.
    AllCode,
    /// What stands in literals outside tests.
    Literals,
}

/// A word that may not stand in the files of a folder.
struct Ban {
    words: &'static [&'static str],
    part: Part,
    folders: &'static [&'static str],
    except: &'static [&'static str],
    advice: &'static str,
}

const SOURCES: &[&str] = &["shared/src/", "receiver/src/", "dispatcher/src/"];

/// How SQL reads a clock. Time is an argument of every statement.
const SQL_CLOCKS: &[&str] =
    &["CURRENT_TIME", "current_time", "now()", "NOW()", "'now'", "unixepoch(", "strftime("];

// Written in two parts where the word itself may stand nowhere, not even here.
const BANS: [Ban; 6] = [
    Ban {
        words: &[concat!("FIX", "ME"), concat!("XX", "X")],
        part: Part::Text,
        folders: &[""],
        except: &[],
        advice: "do it now, or open an issue and name it",
    },
    Ban {
        words: &["dbg!", "todo!", "unimplemented!"],
        part: Part::AllCode,
        folders: &[""],
        except: &[],
        advice: "finish it before it is merged",
    },
    Ban {
        words: &["#[allow(", "#![allow("],
        part: Part::AllCode,
        folders: &[""],
        except: &[],
        advice: "use #[expect(lint, reason = \"…\")], which complains when it is no longer needed",
    },
    Ban {
        words: &["sleep("],
        part: Part::AllCode,
        folders: &["tests/"],
        except: &["tests/src/wait.rs"],
        advice: "wait for a fact, with wait::until or Sink::until",
    },
    Ban {
        words: &[".unwrap()", ".expect("],
        part: Part::Code,
        folders: SOURCES,
        // Without random bits no secret is safe, so that is where it stops.
        except: &["dispatcher/src/random.rs"],
        advice: "return an error, or make the impossible impossible in the type",
    },
    Ban {
        words: SQL_CLOCKS,
        part: Part::Literals,
        folders: &["dispatcher/src/"],
        except: &[],
        advice: "bind the time as an argument; only dispatcher/src/clock.rs reads the clock",
    },
];

/// Banned words of a Rust file.
pub fn banned(source: &Source) -> Vec<Violation> {
    let path = &source.file.path;
    let mut violations = Vec::new();
    for ban in &BANS {
        let inside = ban.folders.iter().any(|folder| path.starts_with(folder));
        if !inside || ban.except.contains(&path.as_str()) {
            continue;
        }
        let text = match ban.part {
            Part::Text => &source.file.text,
            Part::Code | Part::AllCode => &source.code,
            Part::Literals => &source.literals,
        };
        let tests_too = matches!(ban.part, Part::Text | Part::AllCode);
        for (index, line) in text.lines().enumerate() {
            let word = ban.words.iter().find(|word| line.contains(*word));
            let word = word.filter(|_| tests_too || !source.is_test(index + 1));
            violations.extend(word.map(|word| {
                source.file.violation(index + 1, &format!("'{word}' stands here"), ban.advice)
            }));
        }
    }
    violations
}

/// Clocks in the SQL of the migrations.
pub fn sql_clocks(file: &File) -> Vec<Violation> {
    if !file.is(".sql") {
        return Vec::new();
    }
    let clock = |(index, line): (usize, &str)| {
        let statement = line.split("--").next().unwrap_or_default();
        let word = SQL_CLOCKS.iter().find(|word| statement.contains(*word))?;
        let rule = format!("'{word}' reads the database's clock");
        Some(file.violation(index + 1, &rule, "let the writer say the time"))
    };
    file.text.lines().enumerate().filter_map(clock).collect()
}

const EMPTY_NAMES: [&str; 6] = ["util", "utils", "helper", "helpers", "manager", "managers"];

/// Files, folders and modules whose name does not say what is in them.
pub fn empty_names(source: &Source) -> Vec<Violation> {
    let advice = "name it after what is in it";
    let is_empty = |name: &str| name.split('_').any(|word| EMPTY_NAMES.contains(&word));
    let mut violations = Vec::new();
    let path = source.file.path.trim_end_matches(".rs");
    if let Some(name) = path.split('/').find(|name| is_empty(name)) {
        violations.push(source.file.violation(1, &format!("'{name}' names nothing"), advice));
    }
    for (index, line) in source.code.lines().enumerate() {
        let name = line.split_once("mod ").map(|(_, rest)| rest);
        let name = name.and_then(|rest| rest.split([';', ' ', '{']).next());
        if let Some(name) = name.filter(|name| is_empty(name)) {
            let rule = format!("module '{name}' names nothing");
            violations.push(source.file.violation(index + 1, &rule, advice));
        }
    }
    violations
}

/// Places that exist on one machine only.
const MACHINE_PATHS: [&str; 3] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// Paths of somebody's machine, in any file.
pub fn machine_paths(file: &File) -> Vec<Violation> {
    let found = |(index, line): (usize, &str)| {
        let path = MACHINE_PATHS.iter().find(|path| line.contains(*path))?;
        let rule = format!("'{path}' is a place on one machine");
        Some(file.violation(index + 1, &rule, "name it from the root of the repository"))
    };
    file.text.lines().enumerate().filter_map(found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(path: &str, text: &str) -> Vec<String> {
        let source = Source::new(&File::new(path, text));
        banned(&source).into_iter().map(|violation| violation.rule).collect()
    }

    #[test]
    fn each_planted_word_is_found() {
        let cases = [
            ("shared/src/a.rs", concat!("// FIX", "ME: later"), concat!("FIX", "ME")),
            ("tests/tests/a.rs", "fn a() { dbg!(1); }", "dbg!"),
            ("dispatcher/src/a.rs", "#[allow(dead_code)]", "#[allow("),
            ("tests/tests/a.rs", "tokio::time::sleep(x).await;", "sleep("),
            ("receiver/src/a.rs", "let a = b.unwrap();", ".unwrap()"),
            ("receiver/src/a.rs", "let a = b.expect(\"c\");", ".expect("),
            ("dispatcher/src/a.rs", "const A: &str = \"SELECT unixepoch()\";", "unixepoch("),
        ];
        for (path, text, word) in cases {
            assert_eq!(words(path, text), [format!("'{word}' stands here")], "{path}: {text}");
        }
    }

    #[test]
    fn what_is_meant_otherwise_passes() {
        let cases = [
            ("shared/src/a.rs", "/// let a = b.unwrap();\n#[expect(unused, reason = \"c\")]"),
            ("shared/src/a.rs", "#[cfg(test)]\nmod tests { fn a() { b.unwrap(); } }"),
            ("tests/src/wait.rs", "tokio::time::sleep(x).await;"),
            ("dispatcher/src/engine/a.rs", "clock.sleep(until).await; self.clock.now()"),
        ];
        for (path, text) in cases {
            assert_eq!(words(path, text), [] as [&str; 0], "{path}: {text}");
        }
    }

    #[test]
    fn clocks_names_and_machines_are_found() {
        let sql = "-- now() is told\nCREATE TABLE a (b INTEGER DEFAULT (unixepoch()));\n";
        let found = sql_clocks(&File::new("migrations/sqlite/0002_a.sql", sql));
        assert_eq!(found.iter().map(|one| one.line).collect::<Vec<_>>(), [2]);

        let names = |path, text| empty_names(&Source::new(&File::new(path, text))).len();
        assert_eq!(names("dispatcher/src/string_utils.rs", ""), 1);
        assert_eq!(names("dispatcher/src/helpers/a.rs", ""), 1);
        assert_eq!(names("dispatcher/src/a.rs", "pub mod lease_manager;"), 1);
        assert_eq!(names("dispatcher/src/a.rs", "mod utility; use hyper_util::rt;"), 0);

        let script = format!("cd {}here\n", MACHINE_PATHS[2]);
        assert_eq!(machine_paths(&File::new("check", &script)).len(), 1);
    }
}
