//! Bugs, one line each, that the simulated world must find: what proves that it looks.
//!
//! All are planted in one copy of the workspace, asleep; the number in [`VARIABLE`] wakes one.

use std::fs;
use std::path::Path;

use crate::binary::workspace;
use crate::tidy::{self, File};

/// An expression of the source, and what a bad day would make of it.
#[derive(Debug, Clone, Copy)]
pub struct Bug {
    pub name: &'static str,
    /// From the root of the workspace.
    pub file: &'static str,
    /// Stands there once.
    pub sound: &'static str,
    pub broken: &'static str,
}

/// The place in [`BUGS`] of the bug that is awake.
pub const VARIABLE: &str = "BLUUM_PLANTED_BUG";

/// The copy is another version, so that cargo never takes what it built of the one for the other.
const VERSION: &str = concat!("\nversion = \"", env!("CARGO_PKG_VERSION"), "\"");
const PLANTED: &str = concat!("\nversion = \"", env!("CARGO_PKG_VERSION"), "+planted\"");

/// Whether a bug is awake, as the copy asks it.
const AWAKE: &str = r#"
/// Whether this bug is awake.
pub fn is_planted(bug: usize) -> bool {
    static AWAKE: std::sync::OnceLock<Option<usize>> = std::sync::OnceLock::new();
    let read = || std::env::var("BLUUM_PLANTED_BUG").ok()?.parse().ok();
    *AWAKE.get_or_init(read) == Some(bug)
}
"#;

/// All of them.
pub const BUGS: [Bug; 18] = [
    Bug {
        name: "drop the claim fence",
        file: "dispatcher/src/store/memory/record.rs",
        sound: "current.claim == claimed.progress.claim",
        broken: "true",
    },
    Bug {
        name: "record before send",
        file: "dispatcher/src/engine/attempt.rs",
        sound: "engine.transport.send(request)",
        broken: "{
            let transport = Arc::clone(&engine.transport);
            tokio::spawn(async move { transport.send(request).await });
            let answer = Answer { status: 200, retry_after: None, body: Default::default() };
            Box::pin(std::future::ready(Ok(answer)))
                as std::pin::Pin<Box<dyn Future<Output = Result<Answer, SendError>> + Send>>
        }",
    },
    Bug {
        name: "claim while outcomes are not recorded",
        file: "dispatcher/src/engine/claim.rs",
        sound: "attempts.unrecorded.load(Ordering::Acquire)",
        broken: "false",
    },
    Bug {
        name: "forget the successor",
        file: "dispatcher/src/store/memory/record.rs",
        sound: "freed.and_then(|line| release(books, &line, *hand_on, now))",
        broken: "None",
    },
    Bug {
        name: "release the last in line",
        file: "dispatcher/src/store/memory/record.rs",
        sound: "queued.next()",
        broken: "queued.by_ref().last()",
    },
    Bug {
        name: "reuse a sequence number",
        file: "dispatcher/src/store/memory/books.rs",
        sound: "self.sequences.insert(webhook, planned.sequence)",
        broken: "Some(*self.sequences.entry(webhook).or_insert(planned.sequence))",
    },
    Bug {
        name: "count our own fault",
        file: "dispatcher/src/policy/state.rs",
        sound: "matches!(verdict, Verdict::Failed { .. } | Verdict::Gone)",
        broken: "verdict != Verdict::Delivered",
    },
    Bug {
        name: "retry before Retry-After",
        file: "dispatcher/src/policy/retry.rs",
        sound: "jittered(*wait, jitter).max(not_before)",
        broken: "jittered(*wait, jitter)",
    },
    Bug {
        name: "do not ring for what waits",
        file: "dispatcher/src/engine/record.rs",
        sound: "engine.context.bell.ring()",
        broken: "()",
    },
    Bug {
        name: "do not look for the next without a slot",
        file: "dispatcher/src/slots/mod.rs",
        sound: "awaited |= lane.backlog && lane.taken <= lane.low",
        broken: "awaited |= false",
    },
    Bug {
        name: "send out of turn",
        file: "dispatcher/src/slots/turn.rs",
        sound: "lane.turns.under_way < requests && lane.turns.waiting.is_empty()",
        broken: "true",
    },
    Bug {
        name: "never look again",
        file: "dispatcher/src/engine/claim.rs",
        sound: "context.clock.sleep_until(wake_at)",
        broken: "Box::pin(std::future::pending())
            as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>",
    },
    Bug {
        name: "a restart ends no leases",
        file: "dispatcher/src/store/memory/mod.rs",
        sound: "claim::abandon(&mut self.lock(), now)",
        broken: "()",
    },
    Bug {
        name: "leak a slot",
        file: "dispatcher/src/slots/mod.rs",
        sound: "taken.total -= 1",
        broken: "()",
    },
    Bug {
        name: "answer before the commit",
        file: "dispatcher/src/acceptor.rs",
        sound: "outcome.await.map_err(|_| AcceptFailed::NotStored)?",
        broken: "Ok(drop(outcome))",
    },
    Bug {
        name: "a replay forgets how far it was",
        file: "dispatcher/src/store/replay.rs",
        sound: "Self { cursor, replayed, ..self.clone() }",
        broken: "Self { replayed, ..self.clone() }",
    },
    Bug {
        name: "send to a stopped webhook",
        file: "dispatcher/src/engine/attempt.rs",
        sound: "claimed.webhook.stopped().is_some()",
        broken: "false",
    },
    Bug {
        name: "overtake a release",
        file: "dispatcher/src/store/registry.rs",
        sound: "webhook.stopped().or(releasing.then_some(ParkReason::Disabled))",
        broken: "webhook.stopped()",
    },
];

/// Writes the workspace, with all bugs in it, into this folder. What is there already is left, so
/// that it need not be compiled again; what the workspace does not have any more is removed.
pub fn plant_all(copy: &Path) -> std::io::Result<()> {
    fs::create_dir_all(copy)?;
    let lock = File::new("Cargo.lock", &fs::read_to_string(workspace().join("Cargo.lock"))?);
    let files = tidy::read(workspace());
    for old in tidy::read(copy) {
        if files.binary_search_by(|file| file.path.cmp(&old.path)).is_err() {
            fs::remove_file(copy.join(old.path))?;
        }
    }
    for File { path, text } in files.into_iter().chain([lock]) {
        let (place, text) = (copy.join(&path), with_bugs(&path, text));
        if fs::read_to_string(&place).is_ok_and(|there| there == text) {
            continue;
        }
        fs::create_dir_all(place.parent().unwrap())?;
        fs::write(place, text)?;
    }
    Ok(())
}

fn with_bugs(path: &str, mut text: String) -> String {
    for (number, bug) in BUGS.iter().enumerate().filter(|(_, bug)| bug.file == path) {
        let Bug { sound, broken, .. } = bug;
        let either = format!(
            "(if !bluum_hooks_shared::is_planted({number}) {{ {sound} }} else {{ {broken} }})"
        );
        text = text.replacen(sound, &either, 1);
    }
    match path {
        "shared/src/lib.rs" => text + AWAKE,
        "Cargo.toml" => text.replacen(VERSION, PLANTED, 1),
        "Cargo.lock" => {
            let ours = |package: &str| {
                let ours = package.starts_with("\nname = \"bluum-hooks-");
                if ours { package.replacen(VERSION, PLANTED, 1) } else { package.to_owned() }
            };
            text.split("[[package]]").map(ours).collect::<Vec<_>>().join("[[package]]")
        }
        "dispatcher/src/lib.rs" => format!("#![allow(warnings)]\n{text}"),
        _ => text,
    }
}
