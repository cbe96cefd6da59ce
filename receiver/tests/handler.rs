//! The handler of README.md, tested as a partner would: without a socket, with the test kit.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use axum::Router;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::routing::post;
use axum_test::{TestRequest, TestServer};
use bluum_hooks_receiver::axum::Webhook;
use bluum_hooks_receiver::inbox::{Inbox, InboxError, Outcome};
use bluum_hooks_receiver::testing::{Clock, Signed, TestEvent, TestSender};
use bluum_hooks_receiver::{Data, Event, now};
use futures_util::future::join_all;
use sqlx::{Sqlite, SqlitePool};
use tempfile::TempDir;

async fn receive(
    State(inbox): State<Inbox<Sqlite>>,
    Webhook(event): Webhook<Event>,
) -> Result<Outcome<()>, InboxError> {
    let handled = inbox.handle(&event, async |tx, event| {
        let Data::Order(order) = &event.data else { return Ok(()) };
        if event.name != "order.filled" {
            return Ok(());
        }
        let insert = sqlx::query("INSERT INTO fills (order_id) VALUES (?)");
        insert.bind(order.id.as_str()).execute(tx).await?;
        Ok(())
    });
    handled.await
}

/// The handler on a database of its own, and a sender of the present.
async fn app() -> (TempDir, SqlitePool, TestServer, TestSender) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("partner.db").display());
    let pool = SqlitePool::connect(&url).await.unwrap();
    sqlx::query("CREATE TABLE fills (order_id TEXT)").execute(&pool).await.unwrap();
    let inbox = Inbox::new(pool.clone());
    inbox.migrate().await.unwrap();
    let sender = TestSender::new().with_clock(Clock::at(now()));
    let router = Router::new().route("/webhooks", post(receive));
    let server = TestServer::new(router.with_state((sender.verifier(), inbox)));
    (folder, pool, server, sender)
}

/// `None` for what is no header of HTTP, which no server would let through.
fn request(server: &TestServer, signed: Signed) -> Option<TestRequest> {
    let mut request = server.post("/webhooks").bytes(signed.body.into());
    for (name, value) in signed.headers {
        request = request.add_header(name, HeaderValue::try_from(value).ok()?);
    }
    Some(request)
}

async fn fills(pool: &SqlitePool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM fills").fetch_one(pool).await.unwrap()
}

#[test]
fn it_is_the_handler_of_the_readme() {
    let plain = |text: &str| text.split_whitespace().collect::<String>();
    let here = include_str!("handler.rs");
    let handler = &here[here.find("async fn receive").unwrap()..here.find("/// The").unwrap()];
    assert!(plain(include_str!("../README.md")).contains(&plain(handler)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_copies_at_once_count_once() {
    let (_folder, pool, server, sender) = app().await;
    let signed = sender.sign(&TestEvent::new("order.filled"));
    let copies = (0..100).map(|_| request(&server, sender.resend(&signed)).unwrap());
    for answer in join_all(copies.map(IntoFuture::into_future)).await {
        assert_eq!(answer.status_code(), 204);
    }
    assert_eq!(fills(&pool).await, 1);
}

#[tokio::test]
async fn what_nobody_signed_leaves_no_trace() {
    let (_folder, pool, server, sender) = app().await;
    for case in sender.hostile(&TestEvent::new("order.filled")) {
        let Some(request) = request(&server, case.request) else { continue };
        let status = request.await.status_code().as_u16();
        assert!(case.expected.is_met_by(status), "{}: {status}", case.name);
    }
    assert!(fills(&pool).await <= 1, "some of them are signed, and they are one event");
}

#[tokio::test]
async fn every_type_of_event_is_answered() {
    let (_folder, pool, server, sender) = app().await;
    for event in TestEvent::catalogue() {
        let answer = request(&server, sender.sign(&event)).unwrap().await;
        assert_eq!(answer.status_code(), 204, "{}", event.name());
    }
    assert_eq!(fills(&pool).await, 1, "one of them is order.filled");
}
