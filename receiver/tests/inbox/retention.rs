//! What is old enough is forgotten, and nothing that may be needed.

use std::time::Duration;

use bluum_hooks_receiver::inbox::{
    DEFAULT_RETENTION, Delivery, HandlerError, InboxError, MIN_RETENTION, Outcome,
};
use bluum_hooks_receiver::{Event, now};

use super::database::{Database, TestBackend, fill, on_both};
use super::events::{filled, id};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

on_both! {
    ids_are_forgotten_after_the_retention_and_not_before
    what_is_in_quarantine_stays_and_what_has_failed_goes_there
    many_are_forgotten_in_batches
    old_numbers_are_forgotten_and_gaps_still_told
    what_the_order_guard_needs_is_kept_as_long
    too_short_a_retention_is_refused
}

async fn good<D: TestBackend>(tx: &mut D::Connection, _: &Event) -> Result<(), HandlerError> {
    fill::<D>(tx).await
}

async fn ids_are_forgotten_after_the_retention_and_not_before<D: TestBackend>(
    database: Database<D>,
) {
    let inbox = database.inbox().await.retention(98 * DAY).unwrap();
    let _ = inbox.handle(&filled(1), good::<D>).await.unwrap();
    assert_eq!(inbox.forget(now().plus(97 * DAY)).await.unwrap().events, 0);
    let copy = inbox.handle(&filled(1), good::<D>).await.unwrap();
    assert!(matches!(copy, Outcome::Duplicate), "{copy:?}");
    assert_eq!(inbox.forget(now().plus(99 * DAY)).await.unwrap().events, 1);
    assert_eq!(database.number("SELECT COUNT(*) FROM bluum_inbox_events").await, 0);
}

async fn what_is_in_quarantine_stays_and_what_has_failed_goes_there<D: TestBackend>(
    database: Database<D>,
) {
    let inbox = database.inbox().await.max_failures(2);
    for (second, times) in [(1, 1), (2, 2)] {
        for _ in 0..times {
            let event = filled(second);
            let failed = inbox.handle(&event, async |_, _| -> Result<(), _> { Err("no".into()) });
            let _ = failed.await.unwrap();
        }
    }
    let early = inbox.forget(now().plus(8 * DAY)).await.unwrap();
    assert_eq!(early, Default::default(), "the sender may still be waiting to try again");
    let forgotten = inbox.forget(now().plus(10 * DAY)).await.unwrap();
    assert_eq!((forgotten.events, forgotten.quarantined), (0, 1));
    let kept = inbox.quarantined(None).await.unwrap();
    let kept: Vec<_> = kept.into_iter().map(|event| (event.id, event.failures)).collect();
    assert_eq!(kept, [(id(1), 1), (id(2), 2)]);
    assert_eq!(inbox.forget(now().plus(2000 * DAY)).await.unwrap(), Default::default());
}

async fn many_are_forgotten_in_batches<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    let mut tx = inbox.begin().await.unwrap();
    for second in 0..1201 {
        let _ = inbox.process(&mut tx, &filled(second), good::<D>).await.unwrap();
    }
    tx.commit().await.unwrap();
    let forgotten = inbox.forget(now().plus(DEFAULT_RETENTION + DAY)).await.unwrap();
    assert_eq!(forgotten.events, 1201);
}

async fn old_numbers_are_forgotten_and_gaps_still_told<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    for number in [1, 2, 3, 5, 6] {
        let event = filled(number);
        let delivery = Delivery::numbered(&event, "orders", Some(number.into()));
        let _ = inbox.handle(delivery, good::<D>).await.unwrap();
    }
    // Below the first gap only the last number is needed.
    assert_eq!(inbox.forget(now()).await.unwrap().sequences, 2);
    let gaps = inbox.gaps("orders").await.unwrap();
    assert_eq!(gaps.iter().map(|gap| gap.missing.clone()).collect::<Vec<_>>(), [4..=4]);
    // What comes again from there opens no gap.
    let event = filled(1);
    let copy = inbox.handle(Delivery::numbered(&event, "orders", Some(1)), good::<D>).await;
    assert!(matches!(copy.unwrap(), Outcome::Duplicate));
    assert_eq!(inbox.gaps("orders").await.unwrap(), gaps);
    // What the sender has forgotten is not missed any more.
    let forgotten = inbox.forget(now().plus(DEFAULT_RETENTION + DAY)).await.unwrap();
    assert_eq!((forgotten.events, forgotten.sequences), (5, 3));
    assert_eq!(inbox.gaps("orders").await.unwrap(), []);
    let event = filled(8);
    let late = Delivery::numbered(&event, "orders", Some(8));
    let _ = inbox.handle(late, good::<D>).await.unwrap();
    let gaps = inbox.gaps("orders").await.unwrap();
    assert_eq!(gaps.iter().map(|gap| gap.missing.clone()).collect::<Vec<_>>(), [7..=7]);
}

async fn what_the_order_guard_needs_is_kept_as_long<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await.drop_stale();
    let _ = inbox.handle(&filled(1), good::<D>).await.unwrap();
    assert_eq!(inbox.forget(now().plus(DEFAULT_RETENTION - DAY)).await.unwrap().objects, 0);
    assert_eq!(inbox.forget(now().plus(DEFAULT_RETENTION + DAY)).await.unwrap().objects, 1);
}

async fn too_short_a_retention_is_refused<D: TestBackend>(database: Database<D>) {
    let error = database.inbox().await.retention(90 * DAY).unwrap_err();
    assert!(matches!(error, InboxError::RetentionTooShort { shortest: MIN_RETENTION, .. }));
    assert_eq!(
        error.to_string(),
        "a retention of 90.0 days is too short: the sender may send a copy for 97.0 days, and a \
         copy whose first is forgotten is processed again"
    );
    assert!(database.inbox().await.retention(MIN_RETENTION).is_ok());
}
