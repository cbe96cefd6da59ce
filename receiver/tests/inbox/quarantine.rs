//! What fails is counted, kept, and can be run again.

use bluum_hooks_receiver::inbox::{HandlerError, InboxError, Outcome, QuarantinedEvent, Replayed};
use bluum_hooks_receiver::{Event, now};
use sqlx::{Database as _, Postgres};

use super::database::{Database, TestBackend, fill, on_both};
use super::events::{at, body, filled, id};

on_both! {
    a_failure_is_counted_and_leaves_nothing_else
    what_a_handler_passes_over_fails_where_the_database_does_not_let_it
    five_failures_are_enough_and_the_bytes_are_kept
    what_is_replayed_is_processed_once
    all_is_replayed_in_the_order_in_which_it_happened
    what_is_released_runs_again_with_its_next_copy
    the_quarantine_is_read_in_pages
    what_is_not_kept_cannot_be_replayed
    bytes_that_somebody_changed_are_told
    an_event_without_an_id_of_its_own_is_replayed_too
}

/// A handler that writes and then fails.
async fn broken<D: TestBackend>(tx: &mut D::Connection, _: &Event) -> Result<(), HandlerError> {
    fill::<D>(tx).await?;
    // Refused by the database: on PostgreSQL nothing works any more, until it is rolled back.
    D::run(tx, "INSERT INTO no_such_table VALUES (1)").await
}

async fn good<D: TestBackend>(tx: &mut D::Connection, _: &Event) -> Result<(), HandlerError> {
    fill::<D>(tx).await
}

/// Puts the event of this second into quarantine.
async fn quarantine<D: TestBackend>(database: &Database<D>, second: u32) {
    let inbox = database.inbox().await.max_failures(1);
    let outcome = inbox.handle(&filled(second), broken::<D>).await.unwrap();
    assert!(matches!(outcome, Outcome::Quarantined { failures: 1, .. }), "{outcome:?}");
}

/// PostgreSQL takes nothing more after a failed statement, and that is no fault of the inbox.
async fn what_a_handler_passes_over_fails_where_the_database_does_not_let_it<D: TestBackend>(
    database: Database<D>,
) {
    let inbox = database.inbox().await;
    let event = filled(1);
    let handled = inbox.handle(&event, async |tx, event| {
        let _ = broken::<D>(tx, event).await;
        Ok(())
    });
    let outcome = handled.await.unwrap();
    if D::NAME == Postgres::NAME {
        assert!(matches!(outcome, Outcome::Failed { failures: 1, .. }), "{outcome:?}");
    } else {
        assert!(matches!(outcome, Outcome::Processed(())), "{outcome:?}");
    }
}

async fn a_failure_is_counted_and_leaves_nothing_else<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    let mut tx = inbox.begin().await.unwrap();
    let outcome = inbox.process(&mut tx, &filled(1), broken::<D>).await.unwrap();
    assert_eq!(outcome.status(), 500);
    let Outcome::Failed { failures: 1, error } = outcome else { panic!("{outcome:?}") };
    assert!(error.to_string().contains("no_such_table"), "{error}");
    // What the caller writes beside it stays, as does the count.
    fill::<D>(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(database.fills().await, 1);

    let outcome = inbox.handle(&filled(1), broken::<D>).await.unwrap();
    assert!(matches!(outcome, Outcome::Failed { failures: 2, .. }), "{outcome:?}");
    let outcome = inbox.handle(&filled(1), good::<D>).await.unwrap();
    assert!(matches!(outcome, Outcome::Processed(())), "{outcome:?}");
    assert_eq!(database.fills().await, 2);
    assert_eq!(database.number("SELECT COUNT(body) FROM bluum_inbox_events").await, 0);
}

async fn five_failures_are_enough_and_the_bytes_are_kept<D: TestBackend>(database: Database<D>) {
    let began = now();
    for time in 1..=5 {
        // Each time as a process of its own.
        let inbox = database.inbox().await;
        let outcome = inbox.handle(&filled(1), broken::<D>).await.unwrap();
        assert_eq!(outcome.status(), if time < 5 { 500 } else { 204 }, "{outcome:?}");
    }
    let inbox = database.inbox().await;
    let outcome = inbox.handle(&filled(1), good::<D>).await.unwrap();
    assert_eq!(outcome.status(), 204);
    let Outcome::Quarantined { failures: 5, error } = outcome else { panic!("{outcome:?}") };
    assert!(error.contains("no_such_table"), "{error}");
    assert_eq!(database.fills().await, 0);

    let kept = inbox.quarantined(None).await.unwrap();
    let [QuarantinedEvent { id, name, timestamp, received_at, quarantined_at, body: kept, .. }] =
        &*kept
    else {
        panic!("{kept:?}")
    };
    assert_eq!((&**id, &**name, *timestamp), (&*filled(1).id, "order.filled", at(1)));
    assert!(began <= *received_at && received_at <= quarantined_at);
    assert_eq!(*kept, body(1, "order.filled", "ord_1").into_bytes());
}

async fn what_is_replayed_is_processed_once<D: TestBackend>(database: Database<D>) {
    quarantine(&database, 1).await;
    let inbox = database.inbox().await;
    let outcome = inbox.replay(&id(1), broken::<D>).await.unwrap();
    assert!(matches!(outcome, Outcome::Quarantined { failures: 2, .. }), "{outcome:?}");
    assert_eq!(inbox.quarantined(None).await.unwrap()[0].failures, 2);

    let handler = async |tx: &mut D::Connection, event: &Event| {
        assert_eq!(event.body(), body(1, "order.filled", "ord_1"));
        fill::<D>(tx).await?;
        Ok(7)
    };
    let outcome = inbox.replay(&id(1), handler).await.unwrap();
    assert!(matches!(outcome, Outcome::Processed(7)), "{outcome:?}");
    let outcome = inbox.replay(&id(1), good::<D>).await.unwrap();
    assert!(matches!(outcome, Outcome::Duplicate), "{outcome:?}");
    let outcome = inbox.handle(&filled(1), good::<D>).await.unwrap();
    assert!(matches!(outcome, Outcome::Duplicate), "{outcome:?}");
    assert_eq!(database.fills().await, 1);
    assert_eq!(inbox.quarantined(None).await.unwrap(), []);
}

async fn all_is_replayed_in_the_order_in_which_it_happened<D: TestBackend>(database: Database<D>) {
    for second in [3, 1, 4, 2] {
        quarantine(&database, second).await;
    }
    let inbox = database.inbox().await;
    let later = inbox.replay_since(now().plus(std::time::Duration::from_secs(1)), good::<D>);
    assert_eq!(later.await.unwrap(), Replayed::default());

    let mut seen = Vec::new();
    let replayed = inbox.replay_since(at(0), async |tx, event| {
        seen.push(event.id.clone());
        if event.id == id(2) {
            return broken::<D>(tx, event).await;
        }
        fill::<D>(tx).await
    });
    let replayed = replayed.await.unwrap();
    assert_eq!((replayed.processed, replayed.stale, replayed.failed), (3, 0, 1));
    assert_eq!(seen, [1, 2, 3, 4].map(id));
    assert_eq!(database.fills().await, 3);
    assert_eq!(inbox.quarantined(None).await.unwrap()[0].id, id(2));
}

async fn what_is_released_runs_again_with_its_next_copy<D: TestBackend>(database: Database<D>) {
    quarantine(&database, 1).await;
    let inbox = database.inbox().await;
    assert!(inbox.release(&id(1)).await.unwrap());
    assert!(!inbox.release(&id(1)).await.unwrap());
    let outcome = inbox.handle(&filled(1), broken::<D>).await.unwrap();
    assert!(matches!(outcome, Outcome::Failed { failures: 1, .. }), "{outcome:?}");
    let outcome = inbox.handle(&filled(1), good::<D>).await.unwrap();
    assert!(matches!(outcome, Outcome::Processed(())), "{outcome:?}");
}

async fn the_quarantine_is_read_in_pages<D: TestBackend>(database: Database<D>) {
    for second in 0..53 {
        quarantine(&database, second).await;
    }
    let inbox = database.inbox().await;
    let first = inbox.quarantined(None).await.unwrap();
    let rest = inbox.quarantined(first.last()).await.unwrap();
    assert_eq!((first.len(), rest.len()), (50, 3));
    let ids: Vec<_> = first.into_iter().chain(rest).map(|event| event.id).collect();
    assert_eq!(ids, (0..53).map(id).collect::<Vec<_>>());
}

async fn what_is_not_kept_cannot_be_replayed<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    let error = inbox.replay("evt_1", good::<D>).await.unwrap_err();
    assert!(matches!(&error, InboxError::NotKept { event_id } if event_id == "evt_1"), "{error}");
}

async fn bytes_that_somebody_changed_are_told<D: TestBackend>(database: Database<D>) {
    quarantine(&database, 1).await;
    database.run("UPDATE bluum_inbox_events SET body = substr(body, 2)").await;
    let error = database.inbox().await.replay(&id(1), good::<D>).await.unwrap_err();
    assert!(error.to_string().contains("somebody has changed bluum_inbox_events"), "{error}");
    assert_eq!(database.inbox().await.quarantined(None).await.unwrap().len(), 1);
}

async fn an_event_without_an_id_of_its_own_is_replayed_too<D: TestBackend>(database: Database<D>) {
    let older = r#"{"event":"order.filled","timestamp":"2026-06-15T14:30:15Z","data":{}}"#;
    let event = Event::parse_with_id(older.as_bytes(), "msg_1").unwrap();
    let inbox = database.inbox().await.max_failures(1);
    let outcome = inbox.handle(&event, broken::<D>).await.unwrap();
    assert!(matches!(outcome, Outcome::Quarantined { .. }), "{outcome:?}");
    let outcome = inbox.replay("msg_1", good::<D>).await.unwrap();
    assert!(matches!(outcome, Outcome::Processed(())), "{outcome:?}");
}
