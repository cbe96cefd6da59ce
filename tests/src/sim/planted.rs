//! Bugs, one line each, that the simulated world must find: what proves that it looks.
//!
//! `cargo run -p bluum-hooks-tests --bin planted` plants each in a copy of the workspace.

/// A line of the source, and what a bad day would make of it.
#[derive(Debug, Clone, Copy)]
pub struct Bug {
    pub name: &'static str,
    /// From the root of the workspace.
    pub file: &'static str,
    /// Stands there once.
    pub sound: &'static str,
    pub broken: &'static str,
}

/// All of them.
pub const BUGS: [Bug; 16] = [
    Bug {
        name: "drop the claim fence",
        file: "dispatcher/src/store/memory/record.rs",
        sound: "current.claim == claimed.progress.claim",
        broken: "true",
    },
    Bug {
        name: "record before send",
        file: "dispatcher/src/engine/attempt.rs",
        sound: "outcome = engine.transport.send(request) => Some(outcome),",
        broken: "() = std::future::ready(()) => {
            let transport = Arc::clone(&engine.transport);
            tokio::spawn(async move { transport.send(request).await });
            Some(Ok(Answer { status: 200, retry_after: None, body: Default::default() }))
        }",
    },
    Bug {
        name: "forget the successor",
        file: "dispatcher/src/store/memory/record.rs",
        sound: "freed.and_then(|line| release(books, &line, *hand_on, now))",
        broken: "freed.and_then(|_| None)",
    },
    Bug {
        name: "release the last in line",
        file: "dispatcher/src/store/memory/record.rs",
        sound: "queued.next()?",
        broken: "queued.by_ref().last()?",
    },
    Bug {
        name: "reuse a sequence number",
        file: "dispatcher/src/store/memory/books.rs",
        sound: "self.sequences.insert(webhook, planned.sequence);",
        broken: "self.sequences.entry(webhook).or_insert(planned.sequence);",
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
        sound: "Some(jittered(*wait, jitter).max(not_before))",
        broken: "Some(jittered(*wait, jitter))",
    },
    Bug {
        name: "do not ring for what waits",
        file: "dispatcher/src/engine/record.rs",
        sound: "engine.context.bell.ring();",
        broken: "",
    },
    Bug {
        name: "do not look for the next without a slot",
        file: "dispatcher/src/engine/record.rs",
        sound: "delivered(report) && report.hand_on",
        broken: "delivered(report)",
    },
    Bug {
        name: "never look again",
        file: "dispatcher/src/engine/claim.rs",
        sound: "context.clock.sleep_until(wake_at)",
        broken: "std::future::pending()",
    },
    Bug {
        name: "a restart ends no leases",
        file: "dispatcher/src/store/memory/mod.rs",
        sound: "claim::abandon(&mut self.lock(), now);",
        broken: "",
    },
    Bug {
        name: "leak a slot",
        file: "dispatcher/src/engine/record.rs",
        sound: "Recorded::Applied { successor: None } => {}",
        broken: "Recorded::Applied { successor: None } => std::mem::forget(slot),",
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
        broken: "webhook.stopped().or(releasing.then_some(ParkReason::Disabled).filter(|_| false))",
    },
];
