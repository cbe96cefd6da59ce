//! `audit`: the books of a database, and whether they balance.

use super::args::DatabaseArgs;
use super::failure::{Failure, Status};
use super::print::{Printer, table};
use crate::config;
use crate::store::sqlite::{Audit, audit};

pub(super) async fn run(args: &DatabaseArgs, printer: Printer) -> Result<(), Failure> {
    let database = config::database(&args.sources())?;
    if !database.path.exists() {
        let message = format!("cannot open {}", database.path.display());
        return Err(
            Failure::new(Status::Failed, message).then("there is no such database; see --database")
        );
    }
    let audit = audit(&database.path).await?;
    printer.line(&to_text(&audit), &audit);
    match audit.violations.len() {
        0 => Ok(()),
        count => Err(Failure::new(Status::Violated, format!("{count} promises are not kept"))
            .then("keep a copy of the database and report this")),
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
    let outbox =
        format!("outbox: {} waiting, {} rejected", audit.outbox_waiting, audit.outbox_rejected);
    let verdict = match audit.violations.as_slice() {
        [] => "every promise is kept".to_owned(),
        violations => {
            let lines =
                violations.iter().map(|one| format!("broken: {} ({})", one.rule, one.place));
            lines.collect::<Vec<_>>().join("\n")
        }
    };
    format!("{}\n\n{outbox}\n{verdict}", table(headings, rows))
}
