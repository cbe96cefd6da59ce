//! The order guard: what is older than what was applied last for its object is left out.

use bluum_hooks_receiver::Event;
use bluum_hooks_receiver::id::EventId;
use bluum_hooks_receiver::inbox::{HandlerError, Inbox, Outcome};

use super::database::{Database, TestBackend, fill, on_both};
use super::events::{at, body, event, filled, id};

on_both! {
    what_is_older_is_stale_for_its_object_alone
    without_the_guard_nothing_is_stale
    at_the_same_time_the_id_decides_and_else_what_comes_later
    what_was_accepted_later_is_later_whatever_the_publishers_clock_said
    what_fails_makes_nothing_stale
    what_was_overtaken_in_quarantine_is_stale
    one_object_has_several_names_of_events
    two_events_about_one_object_wait_for_each_other
}

async fn good<D: TestBackend>(tx: &mut D::Connection, _: &Event) -> Result<(), HandlerError> {
    fill::<D>(tx).await
}

/// What came of an event: `true` if it was processed, `false` if it was stale.
async fn runs<D: TestBackend>(inbox: &Inbox<D>, event: &Event) -> bool {
    match inbox.handle(event, good::<D>).await.unwrap() {
        Outcome::Processed(()) => true,
        Outcome::Stale => false,
        other => panic!("{other:?}"),
    }
}

async fn what_is_older_is_stale_for_its_object_alone<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await.drop_stale();
    assert!(runs(&inbox, &event(5, "order.filled", "ord_1")).await);
    assert!(!runs(&inbox, &event(4, "order.accepted", "ord_1")).await);
    assert!(runs(&inbox, &event(3, "order.accepted", "ord_2")).await);
    assert!(runs(&inbox, &event(2, "deposit.completed", "ord_1")).await);
    assert!(runs(&inbox, &event(6, "order.canceled", "ord_1")).await);
    assert_eq!(database.fills().await, 4);

    let copy = inbox.handle(&event(4, "order.accepted", "ord_1"), good::<D>).await.unwrap();
    assert!(matches!(copy, Outcome::Duplicate), "{copy:?}");
    let stale = "SELECT COUNT(*) FROM bluum_inbox_events WHERE state = 'stale'";
    assert_eq!(database.number(stale).await, 1);
}

async fn without_the_guard_nothing_is_stale<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    assert!(runs(&inbox, &event(5, "order.filled", "ord_1")).await);
    assert!(runs(&inbox, &event(4, "order.accepted", "ord_1")).await);
}

async fn at_the_same_time_the_id_decides_and_else_what_comes_later<D: TestBackend>(
    database: Database<D>,
) {
    // Accepted in the second `second`, of something that happened in the second 0.
    let late = |second, new_id: &str| {
        let body = body(second, "order.filled", "ord_1").replace(&at(second).to_string(), "TIME");
        let body = body.replace("TIME", &at(0).to_string());
        Event::parse(body.replace(&id(second), new_id).as_bytes()).unwrap()
    };
    let inbox = database.inbox().await.drop_stale();
    assert!(runs(&inbox, &late(5, &id(5))).await);
    assert!(!runs(&inbox, &late(4, &id(4))).await);
    // Made in the same millisecond, with a smaller random part.
    let twin = EventId::new(at(5), 6).to_string();
    assert!(runs(&inbox, &late(5, &twin)).await);
}

async fn what_was_accepted_later_is_later_whatever_the_publishers_clock_said<D: TestBackend>(
    database: Database<D>,
) {
    let inbox = database.inbox().await.drop_stale();
    let fast =
        body(4, "order.accepted", "ord_1").replace(&at(4).to_string(), "2099-01-01T00:00:00Z");
    assert!(runs(&inbox, &Event::parse(fast.as_bytes()).unwrap()).await);
    assert!(runs(&inbox, &event(5, "order.filled", "ord_1")).await);
}

async fn what_fails_makes_nothing_stale<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await.drop_stale();
    let later = event(5, "order.filled", "ord_1");
    let failed = inbox.handle(&later, async |_, _| -> Result<(), _> { Err("no".into()) });
    assert!(matches!(failed.await.unwrap(), Outcome::Failed { failures: 1, .. }));
    assert!(runs(&inbox, &event(4, "order.accepted", "ord_1")).await);
    assert!(runs(&inbox, &later).await);
}

async fn what_was_overtaken_in_quarantine_is_stale<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await.drop_stale().max_failures(1);
    for second in [4, 6] {
        let event = event(second, "order.filled", "ord_1");
        let failed = inbox.handle(&event, async |_, _| -> Result<(), _> { Err("no".into()) });
        assert!(matches!(failed.await.unwrap(), Outcome::Quarantined { .. }));
    }
    assert!(runs(&inbox, &event(5, "order.accepted", "ord_1")).await);
    let replayed = inbox.replay_since(at(0), good::<D>).await.unwrap();
    assert_eq!((replayed.processed, replayed.stale, replayed.failed), (1, 1, 0));
    assert_eq!(inbox.quarantined(None).await.unwrap(), []);
}

async fn one_object_has_several_names_of_events<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await.drop_stale();
    assert!(runs(&inbox, &event(5, "deposit.completed", "dep_1")).await);
    assert!(!runs(&inbox, &event(4, "transfer.deposit.initiated", "dep_1")).await);
    let nameless = body(3, "order.filled", "ord_1").replace(r#""id":"ord_1","#, "");
    assert!(runs(&inbox, &Event::parse(nameless.as_bytes()).unwrap()).await);
    assert!(runs(&inbox, &filled(1)).await);
}

async fn two_events_about_one_object_wait_for_each_other<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await.drop_stale();
    let mut first = inbox.begin().await.unwrap();
    let later = event(5, "order.filled", "ord_1");
    let outcome = inbox.process(&mut first, &later, good::<D>).await.unwrap();
    assert!(matches!(outcome, Outcome::Processed(())), "{outcome:?}");
    let second = {
        let inbox = inbox.clone();
        tokio::spawn(async move { runs(&inbox, &event(4, "order.accepted", "ord_1")).await })
    };
    database.until_somebody_waits().await;
    first.commit().await.unwrap();
    assert!(!second.await.unwrap());
}
