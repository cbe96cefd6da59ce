//! `verify`: whether a request is signed, and if not, what has gone wrong.

mod diagnose;
mod variants;

use self::diagnose::{Case, diagnose};
use super::args::VerifyArgs;
use super::failure::{Failure, Status};
use super::print::Printer;
use super::profile;
use super::saved;
use super::signed::{self, NamedKey, Received};
use crate::clock::{Clock, SystemClock};

pub(super) fn run(args: &VerifyArgs, printer: Printer) -> Result<(), Failure> {
    signed::one_reads_stdin(args.event.iter().chain(&args.body).chain(&args.secret))?;
    let secrets = profile::secrets(&args.secret)?;
    let keys: Vec<NamedKey> =
        secrets.iter().map(|from| signed::key(from)).collect::<Result<_, _>>()?;
    let received = match (&args.event, &args.body) {
        (Some(event), _) if event == "last" => saved::last()?,
        (Some(event), _) => Received::parse(&signed::read(event)?)?,
        (None, Some(body)) => {
            Received { headers: signed::headers(&args.header)?, body: signed::read(body)? }
        }
        (None, None) => {
            return Err(Failure::new(Status::Usage, "nothing to verify").then(
                "hand in a request, @FILE or -, or its --body and each --header; see --help",
            ));
        }
    };
    let now = SystemClock::default().now();
    let case = Case { keys: &keys, received: &received, tolerance: args.tolerance, now };
    let finding = diagnose(&case);
    let mark = if finding.valid { '✓' } else { '✗' };
    let advice = finding.advice.as_ref().map(|advice| format!("\n  {advice}"));
    let text = format!("{mark} {}{}", finding.message, advice.unwrap_or_default());
    printer.line(&text, &finding);
    match finding.valid {
        true => Ok(()),
        false => Err(Failure::silent(Status::Unverified)),
    }
}
