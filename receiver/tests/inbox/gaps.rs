//! What is missing is told, fetched and closed.

use std::ops::RangeInclusive;
use std::time::Duration;

use bluum_hooks_receiver::id::EventId;
use bluum_hooks_receiver::inbox::{
    Backfilled, DEFAULT_RETENTION, Delivery, HandlerError, Inbox, InboxError, Outcome,
};
use bluum_hooks_receiver::{Event, now};

use super::database::{Database, TestBackend, fill, on_both};
use super::events::{body, filled, id};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

on_both! {
    what_is_missing_between_others_is_told
    each_webhook_has_numbers_of_its_own
    a_failure_and_a_duplicate_have_arrived
    without_a_number_nothing_is_missing
    what_is_missing_is_fetched_and_the_gaps_are_closed
    what_fails_keeps_the_gaps_open
    a_list_that_cannot_be_fetched_or_read_closes_nothing
    without_gaps_nothing_is_fetched
    all_can_be_held_against_the_list
    what_is_older_than_the_retention_is_left_out
    a_list_that_lacks_what_has_arrived_closes_nothing
    a_number_far_ahead_is_passed_over
    gaps_can_be_closed_as_they_are
    a_list_that_does_not_go_on_ends
}

async fn good<D: TestBackend>(tx: &mut D::Connection, _: &Event) -> Result<(), HandlerError> {
    fill::<D>(tx).await
}

/// Number n of the webhook `orders` brings the event of the second n.
async fn arrive<D: TestBackend>(inbox: &Inbox<D>, numbers: impl IntoIterator<Item = u32>) {
    for number in numbers {
        let event = filled(number);
        let delivery = Delivery::numbered(&event, "orders", Some(number.into()));
        let outcome = inbox.handle(delivery, good::<D>).await.unwrap();
        assert!(matches!(outcome, Outcome::Processed(())), "{outcome:?}");
    }
}

async fn missing<D: TestBackend>(inbox: &Inbox<D>) -> Vec<RangeInclusive<u64>> {
    inbox.gaps("orders").await.unwrap().into_iter().map(|gap| gap.missing).collect()
}

/// The page of `GET /v1/events` after this one: events of the seconds 1 to `count`, three a page.
fn page(after: Option<&str>, count: u32) -> String {
    let first = after.map_or(1, |after| (1..=count).find(|&n| id(n) == after).unwrap() + 1);
    let last = count.min(first + 2);
    let events: Vec<_> =
        (first..=last).map(|n| body(n, "order.filled", &format!("ord_{n}"))).collect();
    let (has_more, events) = (last < count, events.join(","));
    format!(r#"{{"object":"list","url":"/v1/events","has_more":{has_more},"data":[{events}]}}"#)
}

async fn what_is_missing_between_others_is_told<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    assert_eq!(missing(&inbox).await, []);
    arrive(&inbox, [12]).await;
    assert_eq!(missing(&inbox).await, []);
    let before = now();
    arrive(&inbox, [20, 15]).await;
    let after = now();
    arrive(&inbox, [21, 14]).await;
    assert_eq!(missing(&inbox).await, [13..=13, 16..=19]);
    for gap in inbox.gaps("orders").await.unwrap() {
        assert!(before <= gap.since && gap.since <= after, "{gap:?}");
    }
    arrive(&inbox, [13, 16, 17, 18, 19]).await;
    assert_eq!(missing(&inbox).await, []);
    // Deliveries overtake each other from the first one on.
    arrive(&inbox, [10]).await;
    assert_eq!(missing(&inbox).await, [11..=11]);
}

async fn each_webhook_has_numbers_of_its_own<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    arrive(&inbox, [1, 3]).await;
    for (second, number) in [(1, 7), (3, 8)] {
        let event = filled(second);
        let delivery = Delivery::numbered(&event, "deposits", Some(number));
        let outcome = inbox.handle(delivery, good::<D>).await.unwrap();
        assert!(matches!(outcome, Outcome::Duplicate), "{outcome:?}");
    }
    assert_eq!(missing(&inbox).await, [2..=2]);
    assert_eq!(inbox.gaps("deposits").await.unwrap(), []);
}

async fn a_failure_and_a_duplicate_have_arrived<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    arrive(&inbox, [1, 3]).await;
    arrive_failing(&inbox, 2).await;
    assert_eq!(missing(&inbox).await, []);
}

async fn arrive_failing<D: TestBackend>(inbox: &Inbox<D>, number: u32) {
    let event = filled(number);
    let delivery = Delivery::numbered(&event, "orders", Some(number.into()));
    let outcome = inbox.handle(delivery, async |_, _| -> Result<(), _> { Err("no".into()) }).await;
    assert!(matches!(outcome.unwrap(), Outcome::Failed { .. }));
}

async fn without_a_number_nothing_is_missing<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    for (second, number) in [(1, None), (2, Some(0)), (3, Some(u64::MAX))] {
        let event = filled(second);
        let delivery = Delivery::numbered(&event, "orders", number);
        let outcome = inbox.handle(delivery, good::<D>).await.unwrap();
        assert!(matches!(outcome, Outcome::Processed(())), "{outcome:?}");
    }
    assert_eq!(database.number("SELECT COUNT(*) FROM bluum_inbox_sequences").await, 0);
}

async fn what_is_missing_is_fetched_and_the_gaps_are_closed<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    arrive(&inbox, [1, 2, 3, 6, 9, 10]).await;
    let mut asked = Vec::new();
    let mut handled = Vec::new();
    let filled = inbox.backfill(
        "orders",
        async |after| {
            asked.push(after.map(str::to_owned));
            Ok(page(after, 30))
        },
        async |tx, event| {
            handled.push(event.id.clone());
            fill::<D>(tx).await
        },
    );
    let filled = filled.await.unwrap();
    assert_eq!(handled, [4, 5, 7, 8].map(id));
    // From the last one before the first gap to the last one that had arrived, and no further.
    assert_eq!(asked, [3, 6, 9].map(|number| Some(id(number))));
    assert_eq!((filled.known, filled.processed, filled.complete), (3, 4, true));
    assert_eq!(missing(&inbox).await, []);
    assert_eq!(database.fills().await, 10);
    // What comes later after all is a duplicate, and opens no gap.
    let late = super::events::filled(7);
    let outcome = inbox.handle(Delivery::numbered(&late, "orders", Some(7)), good::<D>).await;
    assert!(matches!(outcome.unwrap(), Outcome::Duplicate));
    assert_eq!(missing(&inbox).await, []);
    arrive(&inbox, [12]).await;
    assert_eq!(missing(&inbox).await, [11..=11]);
}

async fn what_fails_keeps_the_gaps_open<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await.max_failures(2);
    arrive(&inbox, [1, 4]).await;
    for (failed, quarantined, open) in [(1, 0, true), (0, 1, false)] {
        let filled = inbox.backfill(
            "orders",
            async |after| Ok(page(after, 4)),
            async |tx, event| {
                if event.id == id(2) { Err("no".into()) } else { fill::<D>(tx).await }
            },
        );
        let filled = filled.await.unwrap();
        assert_eq!(
            (filled.failed, filled.quarantined, filled.complete),
            (failed, quarantined, !open)
        );
        assert_eq!(missing(&inbox).await.is_empty(), !open);
    }
    assert_eq!(inbox.quarantined(None).await.unwrap().len(), 1);
    assert_eq!(database.fills().await, 3);
}

async fn a_list_that_cannot_be_fetched_or_read_closes_nothing<D: TestBackend>(
    database: Database<D>,
) {
    let inbox = database.inbox().await;
    arrive(&inbox, [1, 9]).await;
    let broken = async |after: Option<&str>| -> Result<String, HandlerError> {
        if after == Some(&*id(1)) { Ok(page(after, 9)) } else { Err("no route".into()) }
    };
    let error = inbox.backfill("orders", broken, good::<D>).await.unwrap_err();
    assert!(matches!(&error, InboxError::Fetch { after: Some(last), .. } if *last == id(4)));
    let error = inbox.backfill("orders", async |_| Ok("{}"), good::<D>).await.unwrap_err();
    assert!(matches!(&error, InboxError::Page { .. }), "{error}");
    assert_eq!(missing(&inbox).await, [2..=8]);
    // What was fetched before is processed.
    assert_eq!(database.fills().await, 5);
}

async fn without_gaps_nothing_is_fetched<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    arrive(&inbox, [1, 2]).await;
    for webhook in ["orders", "unheard-of"] {
        let nobody = async |_: Option<&str>| -> Result<String, HandlerError> { panic!("asked") };
        let filled = inbox.backfill(webhook, nobody, good::<D>).await.unwrap();
        assert_eq!((filled.known, filled.processed, filled.complete), (0, 0, true));
    }
}

async fn all_can_be_held_against_the_list<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    arrive(&inbox, [2]).await;
    let reconcile = async || -> Backfilled {
        inbox.reconcile(None, async |after| Ok(page(after, 7)), good::<D>).await.unwrap()
    };
    let filled = reconcile().await;
    assert_eq!((filled.known, filled.processed, filled.complete), (1, 6, true));
    let filled = reconcile().await;
    assert_eq!((filled.known, filled.processed, filled.complete), (7, 0, true));
    assert_eq!(database.fills().await, 7);
}

/// It may have been processed, and forgotten since.
async fn what_is_older_than_the_retention_is_left_out<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    let old = EventId::new(now().minus(DEFAULT_RETENTION + DAY), 1).to_string();
    let list = |_: Option<&str>| page(None, 3).replace(&id(2), &old);
    let filled = inbox.reconcile(None, async |after| Ok(list(after)), good::<D>).await.unwrap();
    assert_eq!((filled.processed, filled.too_old, filled.complete), (2, 1, true));
    assert_eq!(database.fills().await, 2);
}

async fn a_list_that_lacks_what_has_arrived_closes_nothing<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    arrive(&inbox, [1, 4]).await;
    let empty = r#"{"object":"list","url":"/v1/events","has_more":false,"data":[]}"#;
    for list in [empty.to_owned(), page(Some(&id(1)), 3)] {
        let filled = inbox.backfill("orders", async |_| Ok(list.clone()), good::<D>).await.unwrap();
        assert!(!filled.complete, "{filled:?}");
        assert_eq!(missing(&inbox).await, [2..=3]);
    }
}

/// The header is not signed.
async fn a_number_far_ahead_is_passed_over<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    arrive(&inbox, [1, 2]).await;
    let event = super::events::filled(3);
    for forged in [1_000_003, i64::MAX as u64] {
        let forged = Delivery::numbered(&event, "orders", Some(forged));
        let _ = inbox.handle(forged, good::<D>).await.unwrap();
        assert_eq!(missing(&inbox).await, []);
    }
    arrive(&inbox, [4]).await;
    assert_eq!(missing(&inbox).await, [3..=3]);
    inbox.reset_gaps("orders").await.unwrap();
    arrive(&inbox, [7]).await;
    assert_eq!(missing(&inbox).await, []);
}

async fn gaps_can_be_closed_as_they_are<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    inbox.close_gaps("orders").await.unwrap();
    arrive(&inbox, [1, 3, 5]).await;
    inbox.close_gaps("orders").await.unwrap();
    assert_eq!(missing(&inbox).await, []);
    arrive(&inbox, [7, 2]).await;
    assert_eq!(missing(&inbox).await, [6..=6]);
}

async fn a_list_that_does_not_go_on_ends<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    let again = format!(r#"{{"has_more":true,"data":[{}]}}"#, body(1, "order.filled", "ord_1"));
    let filled = inbox.reconcile(None, async |_| Ok(&again), good::<D>).await.unwrap();
    assert_eq!((filled.known, filled.processed), (1, 1));
    let empty = r#"{"has_more":true,"data":[]}"#;
    let filled = inbox.reconcile(None, async |_| Ok(empty), good::<D>).await.unwrap();
    assert_eq!((filled.known, filled.processed), (0, 0));
}
