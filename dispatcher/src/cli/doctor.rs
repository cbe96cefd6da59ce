//! `doctor`: what has to be right for an event to arrive here, checked one by one.

mod checks;

use serde_json::json;

use self::checks::Findings;
use super::args::{DoctorArgs, Global};
use super::failure::{Failure, Status};
use super::print::Printer;

/// What came of a check.
struct Finding {
    check: &'static str,
    /// None: it could not be checked, and need not be.
    well: Option<bool>,
    message: String,
    next: Option<String>,
}

pub(super) async fn run(
    args: DoctorArgs,
    global: &Global,
    printer: Printer,
) -> Result<(), Failure> {
    let mut findings = Findings::new(printer);
    checks::all(&args, global, &mut findings).await;
    match findings.worst {
        None => Ok(()),
        Some(status) => Err(Failure::silent(status)),
    }
}

impl Findings {
    fn tell(&mut self, finding: &Finding, status: Status) {
        let Finding { check, well, message, next } = finding;
        let mark = match well {
            Some(true) => "✓",
            Some(false) => "✗",
            None => "–",
        };
        let advice = next.as_ref().map(|next| format!("\n                {next}"));
        let text = format!("{mark} {check:<12}  {message}{}", advice.unwrap_or_default());
        let told = json!({"check": check, "well": well, "message": message, "next": next});
        self.printer.line(&text, &told);
        if *well == Some(false) {
            self.worst = self.worst.or(Some(status));
        }
    }
}
