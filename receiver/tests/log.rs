//! What is refused is told to the receiver's own log, once. A test alone in its process: what
//! others log, or nobody listens to, would get in its way.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::convert::Infallible;
use std::io::Write;
use std::sync::{Arc, Mutex};

use bluum_hooks_receiver::Verified;
use bluum_hooks_receiver::testing::{TestEvent, TestSender};
use bluum_hooks_receiver::tower::VerifyLayer;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_refusal_is_one_line_in_the_log_that_can_be_counted_and_gives_nothing_away() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing_subscriber::util::SubscriberInitExt::set_default(subscriber);

    let sender = TestSender::new();
    let clock = sender.clock().clone();
    let layer = VerifyLayer::new(sender.verifier()).clock(move || clock.now());
    let handler =
        async |_: Request<Verified<Bytes>>| Ok::<_, Infallible>(Response::new(String::from("ran")));
    let signed = sender.sign(&TestEvent::new("order.filled"));
    let signature = signed.header("webhook-signature").unwrap().to_owned();
    let request = signed.with_body("{\"account\":\"privat\"}").into_http::<Full<Bytes>>("/");
    let service = layer.layer(service_fn(handler));
    let answer = service.oneshot(request.unwrap()).await.unwrap();
    assert_eq!(answer.status(), 401);

    let line = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(line.lines().count(), 1, "{line}");
    for part in ["WARN", "webhook refused", "status=401", "reason=\"no_match\"", "20 bytes"] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    for secret in ["privat", "whsec_", &*signature] {
        assert!(!line.contains(secret), "{secret} is in {line}");
    }
}
