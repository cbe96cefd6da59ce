//! Exactly once: the event's id and the handler's writes are one commit.

use bluum_hooks_receiver::Event;
use bluum_hooks_receiver::inbox::Outcome;
use tokio::sync::oneshot;

use super::database::{Database, TestBackend, fill, on_both};
use super::events::{event, filled};

on_both! {
    a_duplicate_does_not_run
    events_about_one_object_are_no_duplicates
    what_the_caller_rolls_back_has_not_happened
    a_copy_waits_for_the_first_and_is_a_duplicate
    a_copy_runs_when_the_first_rolls_back
    many_copies_at_once_run_one
    a_handler_that_is_dropped_has_not_run
    a_commit_after_a_dropped_handler_takes_nothing_for_processed
    a_constraint_checked_at_the_commit_is_a_failure
}

async fn a_duplicate_does_not_run<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    let handler = async |tx: &mut D::Connection, event: &Event| {
        assert_eq!(event.id, filled(1).id);
        fill::<D>(tx).await?;
        Ok("done")
    };
    let first = inbox.handle(&filled(1), handler).await.unwrap();
    assert!(matches!(first, Outcome::Processed("done")), "{first:?}");
    // As another process, some time later.
    let inbox = database.inbox().await;
    for _ in 0..2 {
        let copy = inbox.handle(&filled(1), async |tx, _| fill::<D>(tx).await).await.unwrap();
        assert!(matches!(copy, Outcome::Duplicate), "{copy:?}");
        assert_eq!(copy.status(), 204);
    }
    assert_eq!(database.fills().await, 1);
    assert_eq!(database.number("SELECT deliveries FROM bluum_inbox_events").await, 3);
}

async fn events_about_one_object_are_no_duplicates<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    for second in [1, 2] {
        let event = event(second, "order.partially_filled", "ord_1");
        let outcome = inbox.handle(&event, async |tx, _| fill::<D>(tx).await).await.unwrap();
        assert!(matches!(outcome, Outcome::Processed(())), "{outcome:?}");
    }
    assert_eq!(database.fills().await, 2);
}

async fn what_the_caller_rolls_back_has_not_happened<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    for commit in [false, true] {
        let mut tx = inbox.begin().await.unwrap();
        let handler = async |tx: &mut D::Connection, _: &_| fill::<D>(tx).await;
        let outcome = inbox.process(&mut tx, &filled(1), handler).await.unwrap();
        assert!(matches!(outcome, Outcome::Processed(())), "{outcome:?}");
        if commit {
            tx.commit().await.unwrap()
        } else {
            tx.rollback().await.unwrap()
        }
        assert_eq!(database.fills().await, i64::from(commit));
    }
}

/// Handles an event twice at the same time; gives what came of the second. The first has written
/// before the second begins, and commits, or not, when the second waits for it.
async fn two_at_once<D: TestBackend>(database: &Database<D>, commit: bool) -> Outcome<()> {
    let inbox = database.inbox().await;
    let mut first = inbox.begin().await.unwrap();
    let handler = async |tx: &mut D::Connection, _: &_| fill::<D>(tx).await;
    let outcome = inbox.process(&mut first, &filled(1), handler).await.unwrap();
    assert!(matches!(outcome, Outcome::Processed(())), "{outcome:?}");

    let (begun, begins) = oneshot::channel();
    let second = tokio::spawn(async move {
        let _ = begun.send(());
        inbox.handle(&filled(1), async |tx, _| fill::<D>(tx).await).await.unwrap()
    });
    begins.await.unwrap();
    database.until_somebody_waits().await;
    if commit {
        first.commit().await.unwrap()
    } else {
        first.rollback().await.unwrap()
    }
    second.await.unwrap()
}

async fn a_copy_waits_for_the_first_and_is_a_duplicate<D: TestBackend>(database: Database<D>) {
    let second = two_at_once(&database, true).await;
    assert!(matches!(second, Outcome::Duplicate), "{second:?}");
    assert_eq!(database.fills().await, 1);
}

async fn a_copy_runs_when_the_first_rolls_back<D: TestBackend>(database: Database<D>) {
    let second = two_at_once(&database, false).await;
    assert!(matches!(second, Outcome::Processed(())), "{second:?}");
    assert_eq!(database.fills().await, 1);
}

async fn many_copies_at_once_run_one<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    let copy = |_| {
        let inbox = inbox.clone();
        tokio::spawn(async move {
            inbox.handle(&filled(1), async |tx, _| fill::<D>(tx).await).await.unwrap()
        })
    };
    let copies: Vec<_> = (0..50).map(copy).collect();
    let mut processed = 0;
    for copy in copies {
        processed += u32::from(matches!(copy.await.unwrap(), Outcome::Processed(())));
    }
    assert_eq!((processed, database.fills().await), (1, 1));
}

async fn a_handler_that_is_dropped_has_not_run<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    let (wrote, written) = oneshot::channel();
    let event = filled(1);
    let endless = inbox.handle(&event, async |tx, _| {
        fill::<D>(tx).await?;
        let _ = wrote.send(());
        std::future::pending::<()>().await;
        Ok(())
    });
    tokio::select! {
        outcome = endless => panic!("{outcome:?}"),
        _ = written => {}
    }
    let outcome = inbox.handle(&event, async |tx, _| fill::<D>(tx).await).await.unwrap();
    assert!(matches!(outcome, Outcome::Processed(())), "{outcome:?}");
    assert_eq!(database.fills().await, 1);
}

async fn a_commit_after_a_dropped_handler_takes_nothing_for_processed<D: TestBackend>(
    database: Database<D>,
) {
    let inbox = database.inbox().await;
    let (wrote, written) = oneshot::channel();
    let event = filled(1);
    let mut tx = inbox.begin().await.unwrap();
    {
        let endless = inbox.process(&mut tx, &event, async |tx, _| {
            fill::<D>(tx).await?;
            let _ = wrote.send(());
            std::future::pending::<()>().await;
            Ok(())
        });
        tokio::select! {
            outcome = endless => panic!("{outcome:?}"),
            _ = written => {}
        }
    }
    tx.commit().await.unwrap();
    assert_eq!(database.fills().await, 0);
    let outcome = inbox.handle(&event, async |tx, _| fill::<D>(tx).await).await.unwrap();
    assert!(matches!(outcome, Outcome::Processed(())), "{outcome:?}");
    assert_eq!(database.fills().await, 1);
}

async fn a_constraint_checked_at_the_commit_is_a_failure<D: TestBackend>(database: Database<D>) {
    database
        .run(
            "CREATE TABLE orders (id TEXT NOT NULL PRIMARY KEY);
             CREATE TABLE notes (order_id TEXT NOT NULL
               REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED)",
        )
        .await;
    let inbox = database.inbox().await;
    let note = async |tx: &mut D::Connection, _: &_| {
        fill::<D>(tx).await?;
        D::run(tx, "INSERT INTO notes (order_id) VALUES ('ord_1')").await
    };
    for time in 1..5 {
        let outcome = inbox.handle(&filled(1), note).await.unwrap();
        let Outcome::Failed { failures, error } = outcome else { panic!("{outcome:?}") };
        assert_eq!(failures, time);
        assert!(error.to_string().to_lowercase().contains("foreign key"), "{error}");
    }
    let outcome = inbox.handle(&filled(1), note).await.unwrap();
    assert!(matches!(outcome, Outcome::Quarantined { failures: 5, .. }), "{outcome:?}");
    let outcome = inbox.replay(&filled(1).id, note).await.unwrap();
    assert!(matches!(outcome, Outcome::Quarantined { failures: 6, .. }), "{outcome:?}");
    assert_eq!(database.fills().await, 0);

    database.run("INSERT INTO orders (id) VALUES ('ord_1')").await;
    let outcome = inbox.replay(&filled(1).id, note).await.unwrap();
    assert!(matches!(outcome, Outcome::Processed(())), "{outcome:?}");
    assert_eq!(database.fills().await, 1);
}
