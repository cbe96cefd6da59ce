//! How long events are remembered.

use std::time::Duration;

use super::backend::{Backend, Value};
use super::{Inbox, InboxError, gaps};
use crate::Timestamp;

/// How long the sender keeps what it has given up, though you may have processed it, and so how
/// late it can be asked to replay that. What was delivered it keeps for 30 days.
const REPLAY_SPAN: Duration = Duration::from_hours(90 * 24);
/// How long a replay can go on: six attempts of its documented schedule, each answered with the
/// longest `Retry-After` there is, a day.
const RETRY_SPAN: Duration = Duration::from_hours(6 * 24);
/// How long the sender waits at most between two attempts, by any schedule: seven days, and a
/// fifth. What has not come for so long, it has given up.
const LONGEST_WAIT: Duration = Duration::from_hours(9 * 24);

/// The shortest time for which an inbox may remember an event: 97 days after its last copy.
///
/// What the sender has given up can be replayed for 90 days, and a replay is tried for up to six;
/// the tolerance of signatures adds minutes. What is forgotten sooner could come again, and would
/// be processed again.
pub const MIN_RETENTION: Duration = Duration::from_hours(97 * 24);
const _: () =
    assert!(MIN_RETENTION.as_secs() >= REPLAY_SPAN.as_secs() + RETRY_SPAN.as_secs() + 60 * 60);

/// For how long an inbox remembers an event, unless set otherwise: 100 days after its last copy.
pub const DEFAULT_RETENTION: Duration = Duration::from_hours(100 * 24);

/// Rows deleted in one commit, so that deliveries never wait for long.
const BATCH: u64 = 500;

/// What [`Inbox::forget`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forgotten {
    /// Events that were processed, or stale, and whose ids are deleted.
    pub events: u64,
    /// Objects about which there was no event for so long.
    pub objects: u64,
    /// Sequence numbers that are no longer needed to find gaps.
    pub sequences: u64,
    /// Events that had failed and were not sent again: put into quarantine, not deleted.
    pub quarantined: u64,
}

/// Failed, and not sent again since `$1`.
const QUARANTINE: &str = "
    UPDATE bluum_inbox_events SET state = 'quarantined', finished_at = $3
    WHERE event_id IN (SELECT event_id FROM bluum_inbox_events
        WHERE state = 'pending' AND body IS NOT NULL AND seen_at < $1 LIMIT $2)
      AND state = 'pending' AND seen_at < $1";

// The condition stands there twice because a copy can arrive between the two of them.
const EVENTS: &str = "
    DELETE FROM bluum_inbox_events
    WHERE event_id IN (SELECT event_id FROM bluum_inbox_events
        WHERE state <> 'quarantined' AND body IS NULL AND seen_at < $1 LIMIT $2)
      AND state <> 'quarantined' AND body IS NULL AND seen_at < $1";

const OBJECTS: &str = "
    DELETE FROM bluum_inbox_objects
    WHERE object IN (
        SELECT object FROM bluum_inbox_objects WHERE applied_at < $1 LIMIT $2)
      AND applied_at < $1";

const SEQUENCES: &str = "
    DELETE FROM bluum_inbox_sequences
    WHERE webhook = $1 AND sequence IN (SELECT sequence FROM bluum_inbox_sequences
        WHERE webhook = $1 AND sequence < $3 LIMIT $2)";

/// The last number of each webhook that was seen before `$1`.
const OLD_SEQUENCES: &str = "
    SELECT webhook, MAX(sequence), MAX(CASE WHEN seen_at < $1 THEN sequence ELSE 0 END)
    FROM bluum_inbox_sequences GROUP BY webhook";

impl<DB: Backend> Inbox<DB> {
    /// Remembers events for this long after their last copy, and no shorter than
    /// [`MIN_RETENTION`]; [`DEFAULT_RETENTION`] unless set.
    ///
    /// A webhook with a `retry_schedule` of its own that is longer than the default, or a sender
    /// with a longer `--retention`, needs as much more.
    pub fn retention(self, retention: Duration) -> Result<Self, InboxError> {
        if retention < MIN_RETENTION {
            let (asked, shortest) = (retention, MIN_RETENTION);
            return Err(InboxError::RetentionTooShort { asked, shortest });
        }
        Ok(Self { retention, ..self })
    }

    /// Deletes what is older than the retention, at the time `now`. Call it now and then, such as
    /// once a day; a few hundred rows go in a commit, so deliveries can arrive meanwhile.
    ///
    /// What is in quarantine stays, whatever its age. What has failed, and was not sent again for
    /// nine days, goes there: the sender has given it up. Gaps older than the retention are no
    /// longer told: what is missing there the sender has forgotten too.
    pub async fn forget(&self, now: Timestamp) -> Result<Forgotten, InboxError> {
        let before = Value::Int(now.minus(self.retention).as_micros());
        let limit = Value::Int(BATCH.cast_signed());
        let given_up = Value::Int(now.minus(LONGEST_WAIT).as_micros());
        let quarantine = [given_up, limit, Value::Int(now.as_micros())];
        Ok(Forgotten {
            quarantined: self.in_batches(QUARANTINE, &quarantine).await?,
            events: self.in_batches(EVENTS, &[before, limit]).await?,
            objects: self.in_batches(OBJECTS, &[before, limit]).await?,
            sequences: self.forget_sequences(before, limit).await?,
        })
    }

    /// Of each webhook all numbers below the first gap, and all that are old: the last of them
    /// stays, and says from where on gaps are looked for.
    async fn forget_sequences(
        &self,
        before: Value<'_>,
        limit: Value<'_>,
    ) -> Result<u64, InboxError> {
        let mut connection = self.pool.acquire().await?;
        let webhooks = DB::rows(&mut connection, OLD_SEQUENCES, &[before]).await?;
        drop(connection);
        let mut deleted = 0;
        for row in &webhooks {
            let webhook = DB::text(row, 0)?.unwrap_or_default();
            let [last, old] = [DB::int(row, 1)?.unwrap_or(0), DB::int(row, 2)?.unwrap_or(0)];
            let gap = self.gaps(&webhook).await?.into_iter().next();
            let gap = gap.and_then(|gap| i64::try_from(*gap.missing.start()).ok());
            let whole = gap.map_or(last, |first| first - 1);
            let settled = whole.max(old);
            let mut connection = self.pool.acquire().await?;
            gaps::settle::<DB>(&mut connection, &webhook, settled).await?;
            drop(connection);
            let values = [Value::Text(&webhook), limit, Value::Int(settled)];
            deleted += self.in_batches(SEQUENCES, &values).await?;
        }
        Ok(deleted)
    }

    /// Runs a statement, each time in a commit of its own, until it finds less than a batch.
    async fn in_batches(
        &self,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, InboxError> {
        let mut changed = 0;
        loop {
            let mut connection = self.pool.acquire().await?;
            let batch = DB::execute(&mut connection, statement, values).await?;
            changed += batch;
            if batch < BATCH {
                return Ok(changed);
            }
        }
    }
}
