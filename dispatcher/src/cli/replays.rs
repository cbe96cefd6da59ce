//! `webhooks replay|replays`

use std::time::Duration;

use bluum_hooks_shared::api::{List, Replay, ReplayStatus};
use bluum_hooks_shared::time::Timestamp;
use serde_json::json;

use super::args::{ListArgs, ReplayArgs};
use super::failure::{Failure, Status};
use super::print::{Printer, or_dash, table};
use super::query;
use crate::client::Client;

/// How often to look how far a replay is.
const INTERVAL: Duration = Duration::from_millis(500);

pub(super) async fn begin(
    args: ReplayArgs,
    client: &Client,
    printer: Printer,
) -> Result<(), Failure> {
    let ReplayArgs { id, status, reason, event, since, until, dry_run, wait } = args;
    let given = query::given([
        ("status", status),
        ("reason", reason),
        ("event", event),
        ("since", since),
        ("until", until),
    ]);
    let mut body = json!(given);
    body["dry_run"] = json!(dry_run);
    let path = format!("{}/replay", query::item("/v1/webhooks", &id));
    let answer = client.post(&path, &body).await?;
    let begun: Replay = client.read(&answer)?;
    match begun.id {
        Some(replay) if wait => follow(&replay.to_string(), client, printer).await,
        Some(replay) => {
            printer.answer(&answer, || format!("{replay} begun: {} to replay", begun.total));
            Ok(())
        }
        None => {
            printer.answer(&answer, || format!("{} would be replayed", begun.total));
            Ok(())
        }
    }
}

/// Tells how far the replay is until it has ended.
async fn follow(id: &str, client: &Client, printer: Printer) -> Result<(), Failure> {
    let path = query::item("/v1/replays", id);
    let mut told = None;
    loop {
        let answer = client.get(&path).await?;
        let replay: Replay = client.read(&answer)?;
        if told != Some(replay.replayed) {
            printer.progress(&format!("{} of {} replayed", replay.replayed, replay.total));
            told = Some(replay.replayed);
        }
        if replay.status == ReplayStatus::Running {
            tokio::time::sleep(INTERVAL).await;
            continue;
        }
        printer.progress_ends();
        let status = word(replay.status);
        if replay.status == ReplayStatus::Canceled {
            let message = format!("{id} was {status}; {} had been replayed", replay.replayed);
            return Err(Failure::new(Status::Failed, message));
        }
        printer.answer(&answer, || format!("{id} {status}: {} replayed", replay.replayed));
        return Ok(());
    }
}

pub(super) async fn list(
    webhook: &str,
    list: &ListArgs,
    client: &Client,
    printer: Printer,
) -> Result<(), Failure> {
    let collection = format!("{}/replays", query::item("/v1/webhooks", webhook));
    let answer = client.get(&query::path(&collection, list, &[])).await?;
    let list: List<Replay> = client.read(&answer)?;
    printer.answer(&answer, || rows(&list));
    Ok(())
}

fn rows(list: &List<Replay>) -> String {
    let rows = list.data.iter().map(|replay| {
        [
            or_dash(replay.id),
            Timestamp::from_unix_seconds(replay.created).to_string(),
            word(replay.status).into(),
            replay.replayed.to_string(),
            replay.total.to_string(),
            replay.delivery_status.as_str().into(),
            or_dash(replay.reason.as_ref()),
            or_dash(replay.event.as_ref()),
        ]
    });
    let headings = ["ID", "TIME", "STATUS", "REPLAYED", "TOTAL", "WHICH", "REASON", "EVENT"];
    query::with_more(list, table(headings, rows))
}

fn word(status: ReplayStatus) -> &'static str {
    match status {
        ReplayStatus::Running => "running",
        ReplayStatus::Finished => "finished",
        ReplayStatus::Canceled => "canceled",
    }
}
