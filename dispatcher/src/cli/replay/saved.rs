//! Events as `listen --save` keeps them: one JSON object a line, unknown ones passed over.

use bluum_hooks_shared::time::Timestamp;
use serde::Deserialize;

use super::Wanted;
use crate::cli::failure::{Failure, Status};
use crate::cli::signed::{self, Received};

/// What was forwarded once.
pub(super) struct Saved {
    pub(super) event: String,
    pub(super) event_type: String,
    pub(super) request: Received,
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    event: String,
    #[serde(default)]
    event_type: String,
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    created: Option<Timestamp>,
}

/// The wanted events of a file, each once, as it was forwarded last, in the order of the file.
pub(super) fn read(file: &str, wanted: &Wanted) -> Result<Vec<Saved>, Failure> {
    let bytes = signed::read(file)?;
    let mut all: Vec<Saved> = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let unusable = |why: &str| {
            Failure::new(Status::Usage, format!("{file} at line {number}: {why}"))
                .then("it takes what `bluum-hooks listen --save FILE` writes")
        };
        let record: Record =
            serde_json::from_slice(line).map_err(|error| unusable(&error.to_string()))?;
        if record.kind != "delivery" {
            continue;
        }
        let request = Received::parse(line).map_err(|failure| unusable(&failure.message))?;
        // A later attempt takes the place of an earlier one, and its failure that one's.
        all.retain(|saved| saved.event != record.event);
        if wanted.has_record(&record) {
            let Record { event, event_type, .. } = record;
            all.push(Saved { event, event_type, request });
        }
    }
    Ok(all)
}

impl Wanted {
    fn has_record(&self, record: &Record) -> bool {
        let failed = !record.status.is_some_and(|status| (200..300).contains(&status));
        let in_time = record.created.is_none_or(|at| {
            self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
        });
        self.types.has(&record.event_type) && in_time && (failed || !self.failed)
    }
}
