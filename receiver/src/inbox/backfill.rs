//! Fetching what did not arrive.

use bluum_hooks_shared::event::EventPage;

use super::backend::{Backend, Value};
use super::{HandlerError, Inbox, InboxError, Outcome, gaps};
use crate::id::EventId;
use crate::{Event, now};

/// What came of a back-fill.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backfilled {
    /// Events that had arrived before.
    pub known: u64,
    /// Missing events, processed now.
    pub processed: u64,
    /// Missing events, left out: a later one about the same object was processed before.
    pub stale: u64,
    /// Missing events whose handler failed: kept, and tried again by the next back-fill until they
    /// are in quarantine.
    pub failed: u64,
    /// Missing events whose handler has now failed too often: in quarantine.
    pub quarantined: u64,
    /// Events that were accepted longer ago than the [retention](Inbox::retention), left out: they
    /// may have been processed and forgotten.
    pub too_old: u64,
    /// Whether what was asked for is complete, and so the gaps are closed: all but `failed` is
    /// settled.
    pub complete: bool,
}

const FINISHED: &str =
    "SELECT 1 FROM bluum_inbox_events WHERE event_id = $1 AND state <> 'pending'";

impl<DB: Backend> Inbox<DB> {
    /// Fetches what is missing in the [gaps](Self::gaps) of `webhook`, runs `handler` for each
    /// event that has not been processed, in the order in which they were accepted and in a
    /// transaction each, and closes the gaps. Without gaps it fetches nothing.
    ///
    /// `fetch` gets the event to go on after, and gives the body of the answer to
    /// `GET /v1/events?starting_after=…` (without the parameter, if there is none): the HTTP client
    /// and the API key are yours. Ask for the events that the webhook subscribes to (`event=…`), or
    /// let the handler pass over the others: this list has all events of your account.
    ///
    /// It begins at the last event before the first gap and ends at the last one that has arrived,
    /// so it costs what lies in between. If the list ends before that one, it is not complete, and
    /// no gap is closed: the parameters of `fetch` leave something out. Where the sender no longer
    /// has that event (after 30 days; the answer is 404), [`reconcile`](Self::reconcile) and
    /// [`close_gaps`](Self::close_gaps) instead. A gap that is a moment old is nothing: deliveries
    /// overtake each other. Look at [`Gap::since`](super::Gap) first.
    pub async fn backfill<R, G, F>(
        &self,
        webhook: &str,
        fetch: G,
        handler: F,
    ) -> Result<Backfilled, InboxError>
    where
        R: AsRef<[u8]>,
        G: AsyncFnMut(Option<&str>) -> Result<R, HandlerError>,
        F: AsyncFnMut(&mut DB::Connection, &Event) -> Result<(), HandlerError>,
    {
        // First the last number, then the gaps: what arrives in between is not settled.
        let mut connection = self.pool.acquire().await?;
        let last = gaps::last::<DB>(&mut connection, webhook).await?;
        drop(connection);
        let gap = self.gaps(webhook).await?.into_iter().next();
        let (Some((sequence, until)), Some(gap)) = (last, gap) else {
            return Ok(Backfilled { complete: true, ..Backfilled::default() });
        };
        let filled = self.walk(Some(gap.after), Some(&until), fetch, handler).await?;
        if filled.complete {
            let mut connection = self.pool.acquire().await?;
            gaps::settle::<DB>(&mut connection, webhook, sequence).await?;
        }
        tracing::debug!(webhook, ?filled, "gaps filled");
        Ok(filled)
    }

    /// As [`backfill`](Self::backfill), without regard to sequence numbers: runs `handler` for each
    /// event after `after` (from the oldest that the sender keeps, if `None`) that has not been
    /// processed. What a nightly comparison with the sender's own list needs.
    pub async fn reconcile<R, G, F>(
        &self,
        after: Option<&str>,
        fetch: G,
        handler: F,
    ) -> Result<Backfilled, InboxError>
    where
        R: AsRef<[u8]>,
        G: AsyncFnMut(Option<&str>) -> Result<R, HandlerError>,
        F: AsyncFnMut(&mut DB::Connection, &Event) -> Result<(), HandlerError>,
    {
        self.walk(after.map(str::to_owned), None, fetch, handler).await
    }

    async fn walk<R, G, F>(
        &self,
        mut after: Option<String>,
        until: Option<&str>,
        mut fetch: G,
        mut handler: F,
    ) -> Result<Backfilled, InboxError>
    where
        R: AsRef<[u8]>,
        G: AsyncFnMut(Option<&str>) -> Result<R, HandlerError>,
        F: AsyncFnMut(&mut DB::Connection, &Event) -> Result<(), HandlerError>,
    {
        let mut filled = Backfilled::default();
        loop {
            let body = match fetch(after.as_deref()).await {
                Ok(body) => body,
                Err(reason) => return Err(InboxError::Fetch { after, reason }),
            };
            let page = match EventPage::parse(body.as_ref()) {
                Ok(page) => page,
                Err(reason) => return Err(InboxError::Page { after, reason }),
            };
            for event in &page.events {
                self.fill(event, &mut handler, &mut filled).await?;
                if until == Some(&*event.id) {
                    return Ok(Backfilled { complete: filled.failed == 0, ..filled });
                }
            }
            let next = page.events.last().map(|event| event.id.clone());
            // A list that does not go on would be asked for ever.
            if !page.has_more || next.is_none() || next == after {
                // Who looks for one event and does not find it has not seen all.
                let complete = filled.failed == 0 && until.is_none();
                return Ok(Backfilled { complete, ..filled });
            }
            after = next;
        }
    }

    async fn fill<F>(
        &self,
        event: &Event,
        handler: &mut F,
        filled: &mut Backfilled,
    ) -> Result<(), InboxError>
    where
        F: AsyncFnMut(&mut DB::Connection, &Event) -> Result<(), HandlerError>,
    {
        let accepted = event.id.parse().map(EventId::made_at);
        if accepted.is_ok_and(|accepted| accepted < now().minus(self.retention)) {
            filled.too_old += 1;
            return Ok(());
        }
        // Most have arrived: reading costs less than a transaction that writes.
        let mut connection = self.pool.acquire().await?;
        let id = [Value::Text(&event.id)];
        let known = !DB::rows(&mut connection, FINISHED, &id).await?.is_empty();
        drop(connection);
        if known {
            filled.known += 1;
            return Ok(());
        }
        match self.handle(event, handler).await? {
            Outcome::Processed(()) => filled.processed += 1,
            Outcome::Stale => filled.stale += 1,
            Outcome::Failed { .. } => filled.failed += 1,
            Outcome::Quarantined { .. } => filled.quarantined += 1,
            Outcome::Duplicate => filled.known += 1,
        }
        Ok(())
    }
}
