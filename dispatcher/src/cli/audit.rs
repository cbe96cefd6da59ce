//! `audit`: the books of a database, and whether they balance; `--repair` sets right what it can.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use super::args::AuditArgs;
use super::failure::{Failure, Status};
use super::print::{Printer, table};
use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::store::sqlite::{Audit, OpenError, Repaired, Stage, Violation, audit, repair};

/// How often to say what is being looked at.
const INTERVAL: Duration = Duration::from_secs(1);

pub(super) async fn run(args: &AuditArgs, printer: Printer) -> Result<(), Failure> {
    let path = config::database(&args.database.sources())?.path;
    if !path.exists() {
        let message = format!("cannot open {}", path.display());
        return Err(
            Failure::new(Status::Failed, message).then("there is no such database; see --database")
        );
    }
    let (now, stage) = (SystemClock::new().now(), Stage::new("opening the file"));
    if !args.repair {
        let audit = telling(&stage, printer, audit(&path, now, &stage)).await?;
        printer.line(&to_text(&audit), &audit);
        return verdict(audit.violations.len(), "see what to do beside each");
    }
    let repaired = telling(&stage, printer, repair(&path, args.dry_run, now, &stage)).await;
    let repaired = repaired.map_err(in_use)?;
    printer.line(&repaired_to_text(&repaired), &repaired);
    let left = repaired.audit.violations.len();
    match repaired.dry_run {
        true => verdict(left + repaired.repaired.len(), "nothing was changed: leave out --dry-run"),
        false => verdict(left, "see what to do beside each"),
    }
}

/// Exit status 9, if there is something wrong.
fn verdict(broken: usize, next: &str) -> Result<(), Failure> {
    let message = match broken {
        0 => return Ok(()),
        1 => "one promise is not kept".to_owned(),
        _ => format!("{broken} promises are not kept"),
    };
    Err(Failure::new(Status::Violated, message).then(next))
}

fn in_use(error: OpenError) -> Failure {
    match &error {
        OpenError::InUse { path } => {
            let message = format!("a dispatcher uses {}", path.display());
            Failure::new(Status::Failed, message)
                .then("stop it first; without --repair, `audit` works beside it")
        }
        _ => error.into(),
    }
}

/// Says on a terminal what is being looked at, if that takes long.
async fn telling<T>(stage: &Stage, printer: Printer, work: impl Future<Output = T>) -> T {
    let (mut work, mut told) = (Box::pin(work), false);
    loop {
        tokio::select! {
            done = &mut work => {
                if told {
                    printer.progress_ends();
                }
                return done;
            }
            () = tokio::time::sleep(INTERVAL), if stderr().is_terminal() => {
                printer.progress(&format!("audit: {}", *stage.borrow()));
                told = true;
            }
        }
    }
}

fn to_text(audit: &Audit) -> String {
    let rows = audit.webhooks.iter().map(|books| {
        [
            books.webhook.clone(),
            books.accepted.to_string(),
            books.delivered.to_string(),
            books.waiting.to_string(),
            books.queued.to_string(),
            books.leased.to_string(),
            books.parked.to_string(),
            books.forgotten.to_string(),
        ]
    });
    let headings = [
        "WEBHOOK",
        "ACCEPTED",
        "= DELIVERED",
        "+ WAITING",
        "+ QUEUED",
        "+ LEASED",
        "+ PARKED",
        "+ FORGOTTEN",
    ];
    let person = match audit.outbox_rejected {
        0 => "",
        _ => ", for a person to look at: table outbox_rejected has the reasons",
    };
    let outbox = format!(
        "outbox: {} waiting, {} rejected{person}",
        audit.outbox_waiting, audit.outbox_rejected
    );
    let verdict = match audit.violations.as_slice() {
        [] => "every promise is kept".to_owned(),
        violations => violations_to_text(violations),
    };
    format!("{}\n\n{outbox}\n\n{verdict}", table(headings, rows))
}

/// A paragraph for each rule: the rule, each place that breaks it, what to do.
fn violations_to_text(violations: &[Violation]) -> String {
    let paragraphs = violations.chunk_by(|one, next| one.code == next.code).map(|broken| {
        let places = broken.iter().map(|violation| format!("  {}\n", violation.place));
        let Violation { code, rule, advice, .. } = &broken[0];
        format!("broken: {rule} ({code})\n{}  → {advice}", places.collect::<String>())
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

fn repaired_to_text(repaired: &Repaired) -> String {
    let done = repaired.repaired.iter().map(|one| format!("  {} ({})\n", one.done, one.code));
    let done = done.collect::<String>();
    let heading = match (repaired.dry_run, done.is_empty()) {
        (_, true) => "repaired: nothing",
        (true, false) => "would be repaired:",
        (false, false) => "repaired:",
    };
    format!("{heading}\n{done}\n{}", to_text(&repaired.audit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::{Books, Repair};

    fn audit_of(violations: Vec<Violation>) -> Audit {
        let books = Books {
            webhook: "wh_1".into(),
            accepted: 1_007,
            delivered: 1_000,
            waiting: 1,
            queued: 2,
            leased: 0,
            parked: 3,
            forgotten: 1,
        };
        Audit { webhooks: vec![books], outbox_waiting: 0, outbox_rejected: 2, violations }
    }

    const HEALTHY: &str = "\
WEBHOOK  ACCEPTED  = DELIVERED  + WAITING  + QUEUED  + LEASED  + PARKED  + FORGOTTEN
wh_1     1007      1000         1          2         0         3         1

outbox: 0 waiting, 2 rejected, for a person to look at: table outbox_rejected has the reasons

every promise is kept";

    const REPAIRED: &str = "\
would be repaired:
  dlv_3 is due now (due)

WEBHOOK  ACCEPTED  = DELIVERED  + WAITING  + QUEUED  + LEASED  + PARKED  + FORGOTTEN
wh_1     1007      1000         1          2         0         3         1

outbox: 0 waiting, 2 rejected, for a person to look at: table outbox_rejected has the reasons

broken: lines move (queued_behind_nobody)
  dlv_1 of wh_1 waits for nothing
  dlv_2 of wh_1 waits for nothing
  → repair it

broken: bodies are JSON (event_body)
  evt_1 has a body that is not JSON
  → look at it";

    #[test]
    fn the_audit_is_a_table_and_a_verdict() {
        assert_eq!(to_text(&audit_of(Vec::new())), HEALTHY);
    }

    #[test]
    fn what_is_broken_stands_below_its_rule_with_what_to_do() {
        let violation = |code, rule, place: &str, advice| Violation {
            code,
            rule,
            place: place.to_owned(),
            advice,
        };
        let queued = |place| violation("queued_behind_nobody", "lines move", place, "repair it");
        let audit = audit_of(vec![
            queued("dlv_1 of wh_1 waits for nothing"),
            queued("dlv_2 of wh_1 waits for nothing"),
            violation(
                "event_body",
                "bodies are JSON",
                "evt_1 has a body that is not JSON",
                "look at it",
            ),
        ]);
        let repaired = vec![Repair { code: "due", done: "dlv_3 is due now".into() }];
        let repaired = Repaired { dry_run: true, repaired, audit };
        assert_eq!(repaired_to_text(&repaired), REPAIRED);
    }
}
