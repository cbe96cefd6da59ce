//! Backfill: what was accepted before a listener existed, owed to it all the same.

use bluum_hooks_shared::id::DeliveryId;
use bluum_hooks_shared::time::Timestamp;
use sqlx::Connection;

use super::accept::{self, Numbers};
use super::{Writer, row, statement};
use crate::policy::state::{Progress, State};
use crate::store::plan::ODD;
use crate::store::{StoreError, Webhook};

pub(super) async fn backfill(
    writer: &mut Writer,
    webhook: &Webhook,
    since: Timestamp,
    at_most: u32,
    seed: u128,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let Writer { connection, numbers, .. } = writer;
    let Numbers { last_delivery, sequences, .. } = numbers;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let settings = &webhook.settings;
    let mut missed: Vec<(i64, String)> = sqlx::query_as(statement::MISSED)
        .bind(settings.tenant.to_string())
        .bind(settings.livemode)
        .bind(since.as_micros())
        .bind(webhook.number)
        .bind(at_most)
        .fetch_all(&mut *transaction)
        .await?;
    missed.sort_unstable();
    let last_sequence = sequences.get(&webhook.number).copied().unwrap_or(0);
    let progress = Progress::new(State::Waiting { due_at: now });
    let wanted = missed.iter().filter(|(_, name)| webhook.wants(name));
    let (no_key, not_finished, no_reason) = (None::<&str>, None::<i64>, None::<&str>);
    let rows: Vec<_> = (1..)
        .zip(1_u128..)
        .zip(wanted)
        .map(|((place, index), (event, _))| {
            (
                *last_delivery + place,
                DeliveryId::new(now, seed ^ index.wrapping_mul(ODD)),
                event,
                webhook.number,
                last_sequence + place,
                no_key,
                progress.state.status().as_str(),
                now.as_micros(),
                not_finished,
                no_reason,
                progress.claim,
            )
        })
        .collect();
    let (count, numbered) = (rows.len(), accept::number(rows.len()));
    let insert = sqlx::query(statement::INSERT_DELIVERIES).bind(row::batch(&rows)?);
    insert.bind(now.as_micros()).execute(&mut *transaction).await?;
    let last = [(webhook.number, last_sequence + numbered)];
    let advance = sqlx::query(statement::ADVANCE_SEQUENCES).bind(row::batch(&last)?);
    advance.execute(&mut *transaction).await?;
    transaction.commit().await?;
    *last_delivery += numbered;
    sequences.insert(webhook.number, last_sequence + numbered);
    Ok(count)
}
