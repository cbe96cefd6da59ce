//! Who may use whom: inside the dispatcher by a table, between the packages by a list.
//!
//! `api` and `engine` never see each other, because the table of deliveries is their interface.

use super::Violation;
use super::paths::{self, Named};
use super::source::{Source, is_test_file};

/// What a top-level module of the dispatcher may use besides itself.
struct Row<'a> {
    module: &'a str,
    may_use: &'a [&'a str],
}

/// Small modules that know nothing of the rest. They may use each other, and all may use them.
const LEAVES: [&str; 16] = [
    "bell",
    "clock",
    "config",
    "crash_point",
    "difference",
    "duration",
    "faults",
    "fields",
    "invalid",
    "metrics",
    "policy",
    "random",
    "shutdown",
    "slots",
    "telemetry",
    "vault",
];

const TABLE: [Row<'static>; 17] = [
    Row { module: "store", may_use: &[] },
    Row { module: "transport", may_use: &[] },
    Row { module: "listeners", may_use: &["store", "transport"] },
    Row { module: "context", may_use: &["listeners", "store"] },
    Row { module: "credentials", may_use: &["store"] },
    Row { module: "acceptor", may_use: &["store"] },
    Row { module: "publish", may_use: &["store"] },
    Row { module: "outbox", may_use: &["context", "publish", "store"] },
    Row { module: "notice", may_use: &["store"] },
    Row { module: "engine", may_use: &["acceptor", "context", "notice", "store", "transport"] },
    Row { module: "retention", may_use: &["context", "store"] },
    Row { module: "replayer", may_use: &["context", "store"] },
    Row { module: "upkeep", may_use: &["context", "store"] },
    Row { module: "write_back", may_use: &["context"] },
    Row { module: "api", may_use: API },
    Row { module: "client", may_use: &[] },
    Row { module: "cli", may_use: EVERYTHING },
];

/// Of the transport, `api` sees only which targets are allowed, never how a request is sent.
const API: &[&str] = &[
    "acceptor",
    "context",
    "credentials",
    "listeners",
    "notice",
    "publish",
    "store",
    "transport::guard",
    "transport::Targets",
    "upkeep",
];

/// `cli` puts the parts together, so it sees them all.
const EVERYTHING: &[&str] = &["*"];

/// Names that may not be used in a folder.
struct Boundary {
    folder: &'static str,
    except: &'static [&'static str],
    forbidden: &'static [&'static str],
    advice: &'static str,
}

const BOUNDARIES: [Boundary; 5] = [
    Boundary {
        folder: "shared/src/",
        except: &[],
        forbidden: &[
            "tokio",
            "getrandom",
            "std::env",
            "std::fs",
            "std::net",
            "std::process",
            "std::thread",
            "std::time::Instant",
            "std::time::SystemTime",
            "bluum_hooks_receiver",
            "bluum_hooks_dispatcher",
        ],
        advice: "shared does no I/O and reads no clock: take what is needed as an argument",
    },
    Boundary {
        folder: "receiver/src/",
        except: &[],
        forbidden: &["bluum_hooks_dispatcher"],
        advice: "the receiver depends on shared only: move what both need there",
    },
    Boundary {
        folder: "dispatcher/src/policy/",
        except: &[],
        forbidden: &[
            "tokio",
            "sqlx",
            "getrandom",
            "std::fs",
            "std::net",
            "std::process",
            "std::thread",
            "std::time::Instant",
            "std::time::SystemTime",
            "crate::clock",
            "crate::random",
        ],
        advice: "policy is pure: take `now` and the jitter as arguments",
    },
    Boundary {
        folder: "dispatcher/src/",
        except: &["dispatcher/src/cli/", "dispatcher/src/main.rs"],
        forbidden: &["bluum_hooks_receiver"],
        advice: "only the command line receives webhooks: move this to cli, or the type to shared",
    },
    Boundary {
        folder: "",
        except: &["dispatcher/src/cli/", "dispatcher/src/main.rs"],
        forbidden: &["anyhow"],
        advice: "libraries have an enum per operation (thiserror): anyhow is for cli",
    },
];

/// The modules above a file of the dispatcher, outermost first; nothing for `lib.rs`, `main.rs`
/// and files elsewhere.
fn modules(path: &str) -> Vec<&str> {
    let Some(inside) = path.strip_prefix("dispatcher/src/") else { return Vec::new() };
    let mut modules: Vec<&str> = inside.trim_end_matches(".rs").split('/').collect();
    if matches!(modules.last(), Some(&"mod" | &"lib" | &"main")) {
        modules.pop();
    }
    modules
}

/// Whether the row lets a module use this path.
fn allows(row: &Row<'_>, path: &Named) -> bool {
    let leaf = LEAVES.iter().any(|leaf| path.begins_with(&format!("crate::{leaf}")));
    let own = path.begins_with(&format!("crate::{}", row.module));
    let listed = |entry: &&str| *entry == "*" || path.begins_with(&format!("crate::{entry}"));
    leaf || own || row.may_use.iter().any(listed)
}

/// Imports inside the dispatcher that the table does not allow.
pub fn inside_the_dispatcher(source: &Source) -> Vec<Violation> {
    let modules = modules(&source.file.path);
    let Some(&top) = modules.first() else { return Vec::new() };
    if is_test_file(&source.file.path) {
        return Vec::new();
    }
    let leaf = Row { module: top, may_use: &[] };
    let row = match TABLE.iter().find(|row| row.module == top) {
        Some(row) => row,
        None if LEAVES.contains(&top) => &leaf,
        None => {
            let rule = format!("module '{top}' has no row in the import table");
            let advice = "say in tests/src/tidy/imports.rs and ARCHITECTURE.md what it may use";
            return vec![source.file.violation(1, &rule, advice)];
        }
    };
    let wrong = |path: &Named| -> Option<Violation> {
        let supers = path.segments.iter().take_while(|segment| *segment == "super").count();
        if supers >= modules.len() {
            let rule = format!("'{}' leaves the module '{top}'", path.text());
            let advice = "begin with crate::, so that the import can be seen";
            return Some(source.file.violation(path.line, &rule, advice));
        }
        let wrong = path.segments[0] == "crate" && !allows(row, path);
        wrong.then(|| {
            let rule = format!("'{top}' may not use '{}'", path.text());
            let advice = "the import table is in tests/src/tidy/imports.rs: turn the dependency \
                          round, or move the code";
            source.file.violation(path.line, &rule, advice)
        })
    };
    paths::outside_tests(source).iter().filter_map(wrong).collect()
}

/// Names used where a boundary forbids them.
pub fn across_boundaries(source: &Source) -> Vec<Violation> {
    let path = &source.file.path;
    let here = |boundary: &&Boundary| {
        path.starts_with(boundary.folder)
            && !boundary.except.iter().any(|except| path.starts_with(except))
    };
    let named = paths::outside_tests(source);
    let mut violations = Vec::new();
    for boundary in BOUNDARIES.iter().filter(here) {
        for name in &named {
            let forbidden = boundary.forbidden.iter().find(|path| name.begins_with(path));
            violations.extend(forbidden.map(|forbidden| {
                let rule = format!("'{forbidden}' may not be used here");
                source.file.violation(name.line, &rule, boundary.advice)
            }));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::File;
    use super::*;

    fn inside(path: &str, text: &str) -> Vec<String> {
        let source = Source::new(&File::new(path, text));
        inside_the_dispatcher(&source).into_iter().map(|violation| violation.rule).collect()
    }

    #[test]
    fn the_table_holds_for_each_module() {
        let cases = [
            ("dispatcher/src/api/events.rs", "use crate::engine::run;"),
            (
                "dispatcher/src/api/events.rs",
                "use crate::{store::Store, transport::{http, guard}};",
            ),
            ("dispatcher/src/engine/mod.rs", "fn a(b: crate::api::State) {}"),
            ("dispatcher/src/store/sqlite/mod.rs", "use crate::engine::Outcome;"),
            ("dispatcher/src/clock.rs", "use crate::store::Store;"),
        ];
        for (path, text) in cases {
            let found = inside(path, text);
            assert_eq!(found.len(), 1, "{path}: {text} gave {found:?}");
            assert!(found[0].contains("may not use"), "{found:?}");
        }
    }

    #[test]
    fn what_the_table_allows_passes() {
        let cases = [
            ("dispatcher/src/api/events.rs", "use crate::transport::guard::Guard;"),
            ("dispatcher/src/api/events.rs", "use crate::{policy::judge, publish, store};"),
            ("dispatcher/src/engine/mod.rs", "use crate::{engine::x, transport, clock::Clock};"),
            ("dispatcher/src/cli/serve.rs", "use crate::{api, engine, transport::http};"),
            ("dispatcher/src/engine/mod.rs", "#[cfg(test)]\nmod tests { use crate::api; }"),
            ("dispatcher/src/store/mod.rs", "pub(crate) mod x; // crate::api"),
            ("shared/src/id.rs", "use crate::time::Timestamp;"),
        ];
        for (path, text) in cases {
            assert_eq!(inside(path, text), [] as [&str; 0], "{path}: {text}");
        }
    }

    #[test]
    fn the_back_door_and_the_unknown_module_are_seen() {
        let found = inside("dispatcher/src/clock.rs", "use super::store::Store;");
        assert_eq!(found, ["'super::store::Store' leaves the module 'clock'"]);
        let found = inside("dispatcher/src/engine/a.rs", "use super::super::api::State;");
        assert_eq!(found, ["'super::super::api::State' leaves the module 'engine'"]);
        assert!(inside("dispatcher/src/engine/a.rs", "use super::claim::Claim;").is_empty());
        let found = inside("dispatcher/src/novelty/mod.rs", "");
        assert_eq!(found, ["module 'novelty' has no row in the import table"]);
    }

    #[test]
    fn boundaries_between_packages_hold() {
        let cases = [
            ("shared/src/id.rs", "use std::{fmt, time::{Duration, SystemTime}};"),
            ("shared/src/id.rs", "fn a() { std::fs::read(\"x\"); }"),
            ("receiver/src/verify.rs", "use bluum_hooks_dispatcher::policy;"),
            ("dispatcher/src/policy/judge.rs", "use crate::clock::Clock;"),
            ("dispatcher/src/engine/mod.rs", "use bluum_hooks_receiver::Verifier;"),
            ("dispatcher/src/store/mod.rs", "fn a() -> anyhow::Result<()> { Ok(()) }"),
        ];
        for (path, text) in cases {
            let found = across_boundaries(&Source::new(&File::new(path, text)));
            assert_eq!(found.len(), 1, "{path}: {text} gave {found:?}");
        }
        let fine = Source::new(&File::new("dispatcher/src/cli/mod.rs", "use anyhow::Context;"));
        assert_eq!(across_boundaries(&fine), []);
    }
}
