//! Over HTTP: a hundred copies, one row.

use std::future::Ready;
use std::future::ready;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::post;
use bluum_hooks_receiver::axum::Webhook;
use bluum_hooks_receiver::inbox::{Delivery, HandlerError, Inbox, InboxError, Outcome, sequence};
use bluum_hooks_receiver::{Event, Secret, SigningKey, Verifier, now};
use sqlx::Sqlite;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::database::{Database, TestBackend, fill, on_both};
use super::events::{body, id};

#[expect(dead_code, unreachable_pub, reason = "the example is a program, and here a module")]
#[path = "../../examples/axum_inbox.rs"]
mod example;

const SECRET: &str = "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";

/// Sends the event of this second, signed now; gives the head of the answer.
pub(crate) async fn send(port: u16, second: u32) -> String {
    let body = body(second, "order.filled", "ord_1");
    let (id, time) = (id(second), now().as_unix_seconds());
    let key = SigningKey::new(&Secret::parse(SECRET).unwrap());
    let signature = key.sign(&id, time, body.as_bytes());
    let request = format!(
        "POST /webhooks HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\
         content-length: {}\r\nwebhook-id: {id}\r\nwebhook-timestamp: {time}\r\n\
         webhook-signature: {signature}\r\nwebhook-sequence: {second}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // Nothing, if the process dies first.
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

/// Answers on this port.
pub(crate) async fn listen(app: Router) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    port
}

fn verifier() -> Verifier {
    Verifier::parse(SECRET).unwrap()
}

/// A receiver whose handler fills an order and then does `step`; `committed` comes before the
/// answer.
pub(crate) fn router<D, S, C>(inbox: Inbox<D>, step: fn() -> S, committed: fn() -> C) -> Router
where
    D: TestBackend,
    S: Future<Output = Result<(), HandlerError>> + Send + 'static,
    C: Future<Output = ()> + Send + 'static,
{
    let receive = move |headers: HeaderMap, Webhook(event): Webhook<Event>| {
        let inbox = inbox.clone();
        async move {
            let delivery = Delivery::numbered(&event, "orders", sequence(&headers));
            let handled = inbox.handle(delivery, async |tx, _| {
                fill::<D>(tx).await?;
                step().await
            });
            let outcome = handled.await?;
            committed().await;
            Ok::<Outcome<()>, InboxError>(outcome)
        }
    };
    Router::new().route("/webhooks", post(receive)).with_state(verifier())
}

on_both! {
    a_hundred_copies_make_one_row
    each_outcome_has_its_answer
}

fn fine() -> Ready<Result<(), HandlerError>> {
    ready(Ok(()))
}

fn at_once() -> Ready<()> {
    ready(())
}

async fn a_hundred_answers(port: u16) {
    let copies: Vec<_> = (0..100).map(|_| tokio::spawn(send(port, 1))).collect();
    for copy in copies {
        let answer = copy.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 204 No Content\r\n"), "{answer}");
    }
}

async fn a_hundred_copies_make_one_row<D: TestBackend>(database: Database<D>) {
    let inbox = database.inbox().await;
    a_hundred_answers(listen(router(inbox.clone(), fine, at_once)).await).await;
    assert_eq!(database.fills().await, 1);
    // The number came in the header.
    assert_eq!(database.number("SELECT MAX(sequence) FROM bluum_inbox_sequences").await, 1);
}

async fn each_outcome_has_its_answer<D: TestBackend>(database: Database<D>) {
    let no = || ready(Err("no".into()));
    let inbox = database.inbox().await.max_failures(2);
    let failing = listen(router(inbox.clone(), no, at_once)).await;
    for status in ["500", "204", "204"] {
        let answer = send(failing, 1).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    database.run("DROP TABLE bluum_inbox_events").await;
    let answer = send(failing, 1).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\r\nretry-after: 60\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_copies_to_the_example_make_one_row() {
    let folder = tempfile::tempdir().unwrap();
    let pool = Sqlite::open(folder.path().join("fills.db").to_str().unwrap()).await;
    let app = example::app(verifier(), pool.clone()).await.unwrap();
    a_hundred_answers(listen(app).await).await;
    let booked = "SELECT COUNT(*) FROM fills WHERE order_id = 'ord_1' AND quantity = '10'";
    assert_eq!(Sqlite::number(&mut pool.acquire().await.unwrap(), booked).await, 1);
    assert_eq!(
        Sqlite::number(&mut pool.acquire().await.unwrap(), "SELECT COUNT(*) FROM fills").await,
        1
    );
}
