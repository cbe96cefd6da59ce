//! `verify`: whether a request is signed, and if not, what has gone wrong.

mod diagnose;
mod variants;

use std::time::Duration;

use bluum_hooks_shared::api::Listener;

use self::diagnose::{Case, NO_MATCH, diagnose};
use super::args::{Global, VerifyArgs};
use super::failure::{Failure, Status};
use super::print::Printer;
use super::signed::{self, NamedKey, Received};
use super::{profile, query, saved};
use crate::clock::{Clock, SystemClock};

/// How long the daemon may take, which is asked only where there is a key to ask it with.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) async fn run(
    args: &VerifyArgs,
    global: &Global,
    printer: Printer,
) -> Result<(), Failure> {
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
    let mut finding = diagnose(&case);
    if finding.reason == NO_MATCH
        && let Ok(Some((name, key))) = tokio::time::timeout(PATIENCE, listener(global)).await
        && case.is_signed_with(&key)
    {
        finding = case.of_another(&format!("listener '{name}'"));
    }
    let mark = if finding.valid { '✓' } else { '✗' };
    let advice = finding.advice.as_ref().map(|advice| format!("\n  {advice}"));
    let text = format!("{mark} {}{}", finding.message, advice.unwrap_or_default());
    printer.line(&text, &finding);
    match finding.valid {
        true => Ok(()),
        false => Err(Failure::silent(Status::Unverified)),
    }
}

/// The name of this machine's listener, and the secret that it has, if they can be found out.
async fn listener(global: &Global) -> Option<(String, NamedKey)> {
    let name = global.sources().ok()?.listener(None).value;
    let client = global.client().ok()?;
    let listener: Listener = query::one(&client, "/v1/listeners", &name).await.ok()?;
    Some((name, NamedKey { from: String::new(), text: listener.secret }))
}
