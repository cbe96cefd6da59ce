//! A receiver that is killed with SIGKILL at the two moments that matter.
//!
//! It is this very program, which runs the test `receiver` as the receiver when it is told to.

use std::future::{pending, ready};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use bluum_hooks_receiver::inbox::{HandlerError, Inbox};
use sqlx::{Database as _, Postgres, Sqlite};

use super::database::{Database, TestBackend, on_both};
use super::{postgres, web};

/// Which database, where it is, and when to hang.
const BACKEND: &str = "INBOX_TEST_BACKEND";
const PLACE: &str = "INBOX_TEST_PLACE";
const HANG: &str = "INBOX_TEST_HANG";
/// Where the server is that the parent has started.
const SOCKET: &str = "INBOX_TEST_SOCKET";

on_both! {
    killed_after_the_commit_and_before_the_answer_it_does_not_run_again
    killed_before_the_commit_it_runs_again
}

/// A receiver in a process of its own.
struct Receiver {
    process: Child,
    output: BufReader<std::process::ChildStdout>,
    port: u16,
}

impl Receiver {
    fn start<D: TestBackend>(database: &Database<D>, hang: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "killed::receiver", "--ignored", "--nocapture"]);
        command.env(BACKEND, D::NAME).env(PLACE, &database.place).env(HANG, hang);
        if D::NAME == Postgres::NAME {
            command.env(SOCKET, postgres::socket());
        }
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut receiver = Self { process, output, port: 0 };
        receiver.port = receiver.says("port ").parse().unwrap();
        receiver
    }

    /// Waits for a line that begins like this, and gives the rest of it.
    fn says(&mut self, beginning: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "it ended before {beginning}");
            // The test runner writes the test's name before what the test writes.
            if let Some((_, rest)) = line.split_once(beginning) {
                return rest.trim_end().to_owned();
            }
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends an event to a receiver that hangs there, kills it, and sends a copy to the next.
async fn killed_at<D: TestBackend>(database: &Database<D>, hang: &str, rows_left: i64) {
    database.inbox().await;
    let mut receiver = Receiver::start(database, hang);
    let unanswered = tokio::spawn(web::send(receiver.port, 1));
    receiver.says("hangs");
    drop(receiver);
    assert_eq!(unanswered.await.unwrap(), "");
    assert_eq!(database.fills().await, rows_left);

    let receiver = Receiver::start(database, "never");
    for _ in 0..2 {
        let answer = web::send(receiver.port, 1).await;
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    }
    assert_eq!(database.fills().await, 1);
}

async fn killed_after_the_commit_and_before_the_answer_it_does_not_run_again<D: TestBackend>(
    database: Database<D>,
) {
    killed_at(&database, "after the commit", 1).await;
}

async fn killed_before_the_commit_it_runs_again<D: TestBackend>(database: Database<D>) {
    killed_at(&database, "before the commit", 0).await;
}

/// Hangs if that is the moment to.
async fn here(moment: &str) {
    if std::env::var(HANG).is_ok_and(|hang| hang == moment) {
        println!("hangs");
        pending::<()>().await;
    }
}

async fn serve<D: TestBackend>() {
    let pool = D::open(&std::env::var(PLACE).unwrap()).await;
    let before = || async {
        here("before the commit").await;
        Ok::<(), HandlerError>(())
    };
    let port = web::listen(web::router(Inbox::new(pool), before, || here("after the commit")));
    println!("port {}", port.await);
    // Until its parent is gone, should that die without killing it.
    let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
}

#[tokio::test]
#[ignore = "the receiver that the other tests kill"]
async fn receiver() {
    match &*std::env::var(BACKEND).unwrap_or_default() {
        Sqlite::NAME => serve::<Sqlite>().await,
        Postgres::NAME => serve::<Postgres>().await,
        _ => ready(()).await,
    }
}
