//! The layer in front of a hyper server.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bluum_hooks_receiver::header::MAX_DELIVERY_BYTES;
use bluum_hooks_receiver::tower::VerifyLayer;
use bluum_hooks_receiver::{Key, Secret, Verified, Verifier};
use bluum_hooks_shared::asymmetric::{self, PrivateKey};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower::ServiceBuilder;

use super::client::{
    CHUNKED, Client, Headers, ID, PATIENCE, bare, chunk, forged, head, length, post, secret,
    signed, signed_by,
};

/// The bodies that reached the handler.
type Seen = Arc<Mutex<Vec<Vec<u8>>>>;

/// A partner whose handler answers with the body that it was given.
struct Partner {
    address: SocketAddr,
    seen: Seen,
    /// Hears of each connection that has ended, and of how.
    ended: mpsc::UnboundedReceiver<hyper::Result<()>>,
}

impl Partner {
    async fn with(layer: VerifyLayer) -> Self {
        let seen = Seen::default();
        let recorder = Arc::clone(&seen);
        let handler = tower::service_fn(move |request: Request<Verified<Bytes>>| {
            let body = request.into_body().into_body();
            recorder.lock().unwrap().push(body.to_vec());
            async move { Ok::<_, hyper::Error>(Response::new(Full::new(body))) }
        });
        let service = TowerToHyperService::new(ServiceBuilder::new().layer(layer).service(handler));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
                let end = end.clone();
                tokio::spawn(async move { end.send(connection.await) });
            }
        });
        Self { address, seen, ended }
    }

    async fn verifying(verifier: Verifier) -> Self {
        Self::with(VerifyLayer::new(verifier)).await
    }

    async fn new() -> Self {
        Self::verifying(Verifier::new([secret()])).await
    }

    async fn post(&self, headers: &Headers, body: &[u8]) -> u16 {
        let answer = post(self.address, "/", headers, body).await;
        match answer.status {
            200 => assert_eq!(answer.body, body, "what was signed is what the handler got"),
            _ => assert_eq!(answer.body, b"", "a refusal says nothing but its status"),
        }
        answer.status
    }

    fn seen(&self) -> Vec<Vec<u8>> {
        self.seen.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_delivery_reaches_the_handler_byte_for_byte() {
    let partner = Partner::new().await;
    let bodies: [&[u8]; 3] = [br#"{"event":"order.filled"}"#, b"", b"\xff\x00 no UTF-8 \r\n"];
    for body in bodies {
        assert_eq!(partner.post(&signed(body), body).await, 200);
    }
    assert_eq!(partner.seen(), bodies);
}

#[tokio::test]
async fn what_was_not_signed_never_reaches_the_handler() {
    let partner = Partner::new().await;
    let other = Secret::from_bytes(&[8; 32]).unwrap();
    for (headers, body) in [
        (signed("{}"), "{ }"),
        (signed("{}"), ""),
        (signed_by(&other, b"{}", 0), "{}"),
        (signed_by(&secret(), b"{}", 3600), "{}"),
        (signed_by(&secret(), b"{}", -3600), "{}"),
    ] {
        assert_eq!(partner.post(&headers, body.as_bytes()).await, 401, "{headers:?}");
    }
    for at in 0..3 {
        let mut missing = signed("{}");
        missing.remove(at);
        assert_eq!(partner.post(&missing, b"{}").await, 400, "{missing:?}");
        let mut doubled = signed("{}");
        doubled.push(doubled[at].clone());
        assert_eq!(partner.post(&doubled, b"{}").await, 400, "{doubled:?}");
        let mut empty = signed("{}");
        empty[at].1.clear();
        assert_eq!(partner.post(&empty, b"{}").await, 400, "{empty:?}");
    }
    assert_eq!(partner.seen().len(), 0);
}

/// A client that says `expect: 100-continue` is asked for the body when somebody wants it.
#[tokio::test]
async fn a_body_is_asked_for_when_the_headers_are_in_order() {
    let partner = Partner::new().await;
    let expecting = |bytes| format!("{}\r\nexpect: 100-continue", length(bytes));
    let ask = async |headers: &Headers, bytes| {
        let mut client = Client::connect(partner.address).await;
        client.send(head("/", headers, &expecting(bytes))).await;
        (client.answer().await, client)
    };
    let (refused, _) = ask(&Vec::new(), 2).await;
    assert_eq!(refused, bare(400));
    let (refused, _) = ask(&signed_by(&secret(), b"{}", 3600), 2).await;
    assert_eq!(refused, bare(401));
    let (refused, _) = ask(&forged(), MAX_DELIVERY_BYTES + 1).await;
    assert_eq!(refused, bare(413));

    let (interim, mut client) = ask(&signed("{}"), 2).await;
    assert_eq!(interim, bare(100));
    client.send("{}").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn the_largest_body_passes_and_one_byte_more_is_413() {
    let partner = Partner::new().await;
    let largest = vec![b'x'; MAX_DELIVERY_BYTES];
    assert_eq!(partner.post(&signed(&largest), &largest).await, 200);

    // In chunks, where nobody knows the length before.
    let mut client = Client::connect(partner.address).await;
    client.send(head("/", &signed(&largest), CHUNKED)).await;
    client.send(chunk(&largest)).await;
    client.send(chunk(b"")).await;
    assert_eq!(client.answer().await.body, largest);
    client.send(head("/", &signed(&largest), CHUNKED)).await;
    client.send(chunk(&largest)).await;
    // No end: it is refused as soon as it has grown too large.
    client.send(chunk(b"x")).await;
    assert_eq!(client.answer().await, bare(413));
    assert_eq!(partner.seen().len(), 2);
}

/// axum-standardwebhooks 1.0.0 unwrapped the error of a body over 2 MiB; tower-github-webhook
/// 0.2.0 and webhook-verify 0.1.0 read on without end.
#[tokio::test]
async fn far_too_large_is_413_before_it_is_there_and_no_panic() {
    let partner = Partner::new().await;
    for bytes in [3 << 20, 1 << 40] {
        let mut client = Client::connect(partner.address).await;
        client.send(head("/", &forged(), &length(bytes))).await;
        assert_eq!(client.answer().await, bare(413), "{bytes}");
    }
    assert_eq!(partner.seen().len(), 0);
}

#[tokio::test]
async fn the_cap_is_the_verifiers() {
    let partner = Partner::verifying(Verifier::new([secret()]).max_body_bytes(4)).await;
    assert_eq!(partner.post(&signed("1234"), b"1234").await, 200);
    assert_eq!(partner.post(&signed("12345"), b"12345").await, 413);
    let partner = Partner::verifying(Verifier::new([secret()]).max_body_bytes(0)).await;
    assert_eq!(partner.post(&signed(""), b"").await, 200);
    assert_eq!(partner.post(&signed("1"), b"1").await, 413);
}

#[tokio::test]
async fn chunks_and_trailers_are_one_body() {
    let partner = Partner::new().await;
    let mut client = Client::connect(partner.address).await;
    // Twice on one connection: nothing of the first is left over.
    for _ in 0..2 {
        client.send(head("/", &signed("{\"a\":1}"), CHUNKED)).await;
        for piece in ["{", "\"a", "\":1", "}"] {
            client.send(chunk(piece.as_bytes())).await;
        }
        client.send("0\r\nwebhook-id: another\r\n\r\n").await;
        assert_eq!(client.answer().await.body, b"{\"a\":1}");
    }
}

/// tower-github-webhook 0.2.0 polled a broken body again and again: 189,000 times in half a second.
#[tokio::test]
async fn a_client_that_goes_away_ends_its_request() {
    let mut partner = Partner::new().await;
    for framing in [length(100), CHUNKED.to_owned()] {
        let mut client = Client::connect(partner.address).await;
        client.send(head("/", &signed("{}"), &framing)).await;
        client.send("2\r\n{}\r\n").await;
        drop(client);
        tokio::time::timeout(PATIENCE, partner.ended.recv()).await.unwrap();
    }
    assert_eq!(partner.seen().len(), 0);
}

#[tokio::test]
async fn a_chunk_that_is_none_is_400() {
    let partner = Partner::new().await;
    let mut client = Client::connect(partner.address).await;
    client.send(head("/", &signed("{}"), CHUNKED)).await;
    client.send("2\r\n{}\r\nnonsense\r\n").await;
    assert_eq!(client.answer().await, bare(400));
    assert_eq!(partner.seen().len(), 0);
}

#[tokio::test]
async fn a_body_that_is_not_there_in_time_is_408() {
    let layer = VerifyLayer::new(Verifier::new([secret()]));
    let mut partner = Partner::with(layer.read_deadline(Duration::from_millis(50))).await;
    for framing in [length(2), CHUNKED.to_owned()] {
        let mut client = Client::connect(partner.address).await;
        client.send(head("/", &signed("{}"), &framing)).await;
        assert_eq!(client.answer().await, bare(408));
        tokio::time::timeout(PATIENCE, partner.ended.recv()).await.unwrap();
    }
    assert_eq!(partner.seen().len(), 0);
}

#[tokio::test]
async fn any_of_the_keys_will_do() {
    let private = PrivateKey::from_seed(&[9; 32]);
    let old = Secret::from_bytes(&[6; 32]).unwrap();
    let keys: [Key; 3] = [secret().into(), old.clone().into(), private.public_key().into()];
    let ring = Partner::verifying(Verifier::new(keys)).await;
    let public = Partner::verifying(Verifier::new([private.public_key()])).await;

    let (v1, mut v1a, mut both) = (signed("{}"), signed("{}"), signed("{}"));
    v1a[2].1 = private.sign(&asymmetric::content(ID, &v1a[1].1, b"{}"));
    both[2].1 = format!("{} {}", v1[2].1, v1a[2].1);
    for headers in [&v1, &signed_by(&old, b"{}", 0), &v1a, &both] {
        assert_eq!(ring.post(headers, b"{}").await, 200, "{headers:?}");
        assert_eq!(ring.post(headers, b"{ }").await, 401, "{headers:?}");
    }
    assert_eq!(public.post(&v1a, b"{}").await, 200);
    assert_eq!(public.post(&both, b"{}").await, 200);
    assert_eq!(public.post(&both, b"{ }").await, 401);
    assert_eq!(public.post(&v1, b"{}").await, 400);
    assert_eq!((ring.seen().len(), public.seen().len()), (4, 2));
}
