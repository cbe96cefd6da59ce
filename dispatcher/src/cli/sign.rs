//! `sign`: the three headers that the daemon would send with a body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bluum_hooks_shared::header::{WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use bluum_hooks_shared::id::EventId;
use bluum_hooks_shared::secret::Secret;
use bluum_hooks_shared::signature::SigningKey;
use serde_json::json;

use super::args::SignArgs;
use super::failure::{Failure, Status};
use super::print::Printer;
use super::profile;
use super::signed;
use crate::clock::{Clock, SystemClock};
use crate::random::{Random, SystemRandom};

pub(super) fn run(args: &SignArgs, printer: Printer) -> Result<(), Failure> {
    signed::one_reads_stdin(args.secret.iter().chain([&args.body]))?;
    let key = |from: &String| {
        let text = signed::key(from)?.text;
        let secret = Secret::parse(&text)
            .map_err(|error| Failure::new(Status::Usage, format!("{from}: {error}")))?;
        Ok(SigningKey::new(&secret))
    };
    let secrets = profile::secrets(&args.secret)?;
    let keys: Vec<_> = secrets.iter().map(key).collect::<Result<_, Failure>>()?;
    let body = signed::read(&args.body)?;
    let now = SystemClock::default().now();
    let timestamp = args.timestamp.unwrap_or_else(|| now.as_unix_seconds());
    let id = match &args.id {
        Some(id) => id.clone(),
        None => EventId::new(now, SystemRandom.bits()).to_string(),
    };
    let entries: Vec<_> = keys.iter().map(|key| key.sign(&id, timestamp, &body)).collect();
    let headers = [
        (WEBHOOK_ID, id),
        (WEBHOOK_TIMESTAMP, timestamp.to_string()),
        (WEBHOOK_SIGNATURE, entries.join(" ")),
    ];
    let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let request = match std::str::from_utf8(&body) {
        Ok(body) => json!({"headers": headers, "body": body}),
        Err(_) => json!({"headers": headers, "body_b64": STANDARD.encode(&body)}),
    };
    printer.line(&lines.join("\n"), &json!({ "request": request }));
    Ok(())
}
