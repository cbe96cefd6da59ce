//! `events follow`: the stream of events, resumed by itself when it breaks.

use std::time::Duration;

use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::args::ListArgs;
use super::events;
use super::failure::Failure;
use super::print::{Printer, or_dash};
use super::query;
use crate::client::{Client, ClientError};

/// How long to wait before the stream is opened again.
const PAUSE: Duration = Duration::from_secs(1);
/// The daemon says something every five seconds. After this long a stream is dead.
const SILENCE: Duration = Duration::from_secs(20);

/// Prints until nobody reads, or the daemon refuses. It must be there at the beginning, and may
/// come and go after that.
pub(super) async fn run(
    filters: &[(&str, Option<&str>)],
    mut after: Option<String>,
    client: &Client,
    printer: Printer,
) -> Result<(), Failure> {
    let mut connected = false;
    let mut lost = false;
    loop {
        let from_here = ListArgs { limit: None, starting_after: after.clone() };
        let path = query::path("/v1/events/stream", &from_here, filters);
        match client.stream(&path).await {
            Ok(stream) => {
                (connected, lost) = (true, false);
                if !print(stream, &mut after, printer).await? {
                    return Ok(());
                }
            }
            Err(ClientError::Unreachable { .. } | ClientError::TooFast { .. }) if connected => {}
            Err(failure) => return Err(failure.into()),
        }
        if !lost {
            printer.talk("the connection was lost; trying again");
            lost = true;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Prints what comes until the stream breaks; false if nobody reads any more.
async fn print(
    mut stream: Incoming,
    after: &mut Option<String>,
    printer: Printer,
) -> Result<bool, Failure> {
    let mut read = BytesMut::new();
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(SILENCE, stream.frame()).await {
        read.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
        while let Some(end) = read.windows(2).position(|window| window == b"\n\n") {
            let frame = read.split_to(end + 2);
            let frame = String::from_utf8_lossy(&frame);
            // JSON on several lines is the same on one.
            let data: String =
                frame.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
            if data.is_empty() {
                continue;
            }
            let event = events::read(data.as_bytes())?;
            let line = if printer.json {
                data
            } else {
                let investor = or_dash(event.investor_id);
                let (id, at, name) = (&event.id, event.timestamp, &event.name);
                printer.fit(&format!("{id}  {at}  {name:<30}  {investor}"))
            };
            if !printer.flow(&line) {
                return Ok(false);
            }
            *after = Some(event.id);
        }
    }
    Ok(true)
}
