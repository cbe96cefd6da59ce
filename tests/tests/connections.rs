//! Connections to receivers: kept for the next request, closed before the receiver would, and what
//! was closed meanwhile is nobody's failure.
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bluum_hooks_dispatcher::transport::http::HttpTransport;
use bluum_hooks_dispatcher::transport::{Answer, KEPT_BYTES, Request, Targets, Transport};
use bluum_hooks_tests::wait;
use bytes::Bytes;
use http::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, mpsc};

const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

fn transport() -> HttpTransport {
    HttpTransport::new(Targets::new(vec!["127.0.0.0/8".parse().unwrap()])).unwrap()
}

/// What serves each connection, and where.
async fn receiver<S: Future<Output = ()> + Send + 'static>(
    mut serve: impl FnMut(TcpStream) -> S + Send + 'static,
) -> Request {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    let (headers, body) = (HeaderMap::new(), Bytes::from_static(b"{}"));
    Request { url, headers, body, timeout: Duration::from_secs(20) }
}

/// Reads a request to its end. `false`: there is none any more.
async fn read(stream: &mut TcpStream) -> bool {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n{}") {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return false;
        }
    }
    true
}

async fn send(transport: &HttpTransport, request: &Request) -> Answer {
    transport.send(request.clone()).await.unwrap()
}

#[tokio::test]
async fn what_is_sent_in_turn_shares_one_and_what_is_sent_at_once_has_its_own() {
    let connections = Arc::new(AtomicUsize::new(0));
    // Behind the third request of all, nobody is answered before there is another.
    let (counted, requests) = (Arc::clone(&connections), Arc::new(AtomicUsize::new(0)));
    let both = Arc::new(Barrier::new(2));
    let request = receiver(move |mut stream| {
        counted.fetch_add(1, Ordering::Relaxed);
        let (requests, both) = (Arc::clone(&requests), Arc::clone(&both));
        async move {
            while read(&mut stream).await {
                if requests.fetch_add(1, Ordering::Relaxed) >= 3 {
                    both.wait().await;
                }
                stream.write_all(EMPTY.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let transport = transport();
    for _ in 0..3 {
        assert_eq!(send(&transport, &request).await.status, 200);
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
    for _ in 0..2 {
        tokio::join!(send(&transport, &request), send(&transport, &request));
    }
    assert_eq!(connections.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn one_that_was_closed_while_it_was_idle_is_replaced() {
    let both = Arc::new(Barrier::new(2));
    let theirs = Arc::clone(&both);
    let request = receiver(move |mut stream| {
        let both = Arc::clone(&theirs);
        async move {
            assert!(read(&mut stream).await);
            stream.write_all(EMPTY.as_bytes()).await.unwrap();
            both.wait().await;
            drop(stream);
            both.wait().await;
        }
    })
    .await;
    let transport = transport();
    for _ in 0..5 {
        assert_eq!(send(&transport, &request).await.status, 200);
        // It is kept by now, and then it is closed.
        both.wait().await;
        both.wait().await;
    }
}

#[tokio::test]
async fn one_that_is_idle_is_closed_before_the_receiver_would() {
    let (closed, mut closings) = mpsc::unbounded_channel();
    let request = receiver(move |mut stream| {
        let closed = closed.clone();
        async move {
            assert!(read(&mut stream).await);
            stream.write_all(EMPTY.as_bytes()).await.unwrap();
            assert!(!read(&mut stream).await, "another request");
            closed.send(()).unwrap();
        }
    })
    .await;
    let transport = transport();
    for _ in 0..2 {
        assert_eq!(send(&transport, &request).await.status, 200);
        wait::within(Duration::from_secs(5), closings.recv()).await.unwrap().unwrap();
    }
}

/// A receiver that answers every request with these pieces, and how many connections it has had.
async fn answering(pieces: Vec<Vec<u8>>) -> (Request, Arc<AtomicUsize>) {
    let (connections, pieces) = (Arc::new(AtomicUsize::new(0)), Arc::new(pieces));
    let counted = Arc::clone(&connections);
    let request = receiver(move |mut stream| {
        counted.fetch_add(1, Ordering::Relaxed);
        let pieces = Arc::clone(&pieces);
        async move {
            while read(&mut stream).await {
                for piece in pieces.iter() {
                    // Somebody may not read it to its end.
                    let _ = stream.write_all(piece).await;
                    tokio::task::yield_now().await;
                }
            }
        }
    });
    (request.await, connections)
}

#[tokio::test]
async fn one_with_more_on_it_than_is_read_is_not_used_again() {
    const LENGTH: usize = 1 << 20;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
    let (request, connections) = answering(vec![head.into_bytes(), vec![b'x'; LENGTH]]).await;
    let transport = transport();
    for sent in 1..=3 {
        let answer = send(&transport, &request).await;
        assert_eq!((answer.status, answer.body.len()), (200, KEPT_BYTES));
        assert_eq!(connections.load(Ordering::Relaxed), sent);
    }
}

#[tokio::test]
async fn a_body_that_is_read_to_its_end_leaves_it_for_the_next() {
    let begun = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let ended = b"6\r\n world\r\n0\r\n\r\n";
    let (request, connections) = answering(vec![begun.to_vec(), ended.to_vec()]).await;
    let transport = transport();
    for _ in 0..3 {
        assert_eq!(&*send(&transport, &request).await.body, b"hello world");
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}
