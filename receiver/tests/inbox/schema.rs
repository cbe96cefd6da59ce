//! The inbox's tables, and what happens without them.

use bluum_hooks_receiver::inbox::{Inbox, InboxError};

use super::database::{Database, TestBackend, fill, on_both};
use super::events::filled;

on_both! {
    many_may_migrate_at_once_and_again
    tables_of_a_later_version_are_left_alone
    without_tables_it_says_what_to_do
    a_database_that_is_closed_is_an_error
}

async fn many_may_migrate_at_once_and_again<D: TestBackend>(database: Database<D>) {
    let migrate = |_| {
        let inbox = Inbox::new(database.pool.clone());
        tokio::spawn(async move { inbox.migrate().await })
    };
    for migrated in (0..5).map(migrate).collect::<Vec<_>>() {
        migrated.await.unwrap().unwrap();
    }
    let inbox = database.inbox().await;
    let _ = inbox.handle(&filled(1), async |tx, _| fill::<D>(tx).await).await.unwrap();
    inbox.migrate().await.unwrap();
    assert_eq!(database.number("SELECT COUNT(*) FROM bluum_inbox_events").await, 1);
}

async fn tables_of_a_later_version_are_left_alone<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    database.run("UPDATE bluum_inbox_schema SET version = 4711").await;
    let error = inbox.migrate().await.unwrap_err();
    assert!(matches!(error, InboxError::MadeByLaterVersion { found: 4711, known: 1 }), "{error}");
}

async fn without_tables_it_says_what_to_do<D: TestBackend>(database: Database<D>) {
    let inbox = Inbox::new(database.pool.clone());
    let error = inbox.handle(&filled(1), async |tx, _| fill::<D>(tx).await).await.unwrap_err();
    assert!(matches!(error, InboxError::NotMigrated), "{error}");
    assert!(error.to_string().contains("Inbox::migrate"), "{error}");
    assert!(matches!(inbox.gaps("orders").await, Err(InboxError::NotMigrated)));
}

async fn a_database_that_is_closed_is_an_error<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    database.pool.close().await;
    let error = inbox.handle(&filled(1), async |tx, _| fill::<D>(tx).await).await.unwrap_err();
    assert!(matches!(error, InboxError::Database(_)), "{error}");
    assert_eq!(error.status(), 503);
}
