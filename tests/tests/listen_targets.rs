//! `listen` and local servers as developers have them: with certificates of their own, restarting,
//! gone, or failing in the middle.
#![expect(clippy::unwrap_used, reason = "a helper of tests may stop the test")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bluum_hooks_tests::client::text;
use bluum_hooks_tests::daemon::{self, Daemon, Shared};
use bluum_hooks_tests::sink::{Answer, Request, Sink, refusing_port};
use bluum_hooks_tests::terminal::{Developer, Listening};
use bluum_hooks_tests::wait;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// The most of an event that the daemon takes, less what is around its data.
const NEARLY_ALL: usize = 255 * 1024;

fn daemon() -> Shared {
    daemon::shared(&[])
}

/// What one event comes to.
async fn outcome(listening: &Listening, event: &str) -> Value {
    listening.record("delivery", |record| record["event"] == event).await
}

type Authority = CertifiedIssuer<'static, KeyPair>;

/// Somebody who signs certificates, and a file for whoever trusts him.
fn authority(folder: &Path, name: &str) -> (Authority, PathBuf) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let lines = BASE64_STANDARD.encode(authority.der());
    let file = folder.join(name);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n");
    std::fs::write(&file, pem).unwrap();
    (authority, file)
}

/// The same server by way of TLS, with a certificate for localhost; its URL.
async fn secured(app: &Sink, issuer: &Authority) -> String {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap().der().clone();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let there = app.url("").replace("http://", "");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, there) = (TlsAcceptor::from(config.clone()), there.clone());
            tokio::spawn(async move {
                // Who does not trust us goes away in the middle.
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut there = TcpStream::connect(there).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut there).await;
            });
        }
    });
    format!("https://localhost:{port}/")
}

#[tokio::test]
async fn a_certificate_is_taken_if_it_is_trusted_or_all_are() {
    let daemon = daemon();
    let folder = tempfile::tempdir().unwrap();
    let (ours, known) = authority(folder.path(), "ours.pem");
    let (_, unknown) = authority(folder.path(), "strangers.pem");
    let (developer, app) = (Developer::join(&daemon).await, Sink::always(200).await);
    let target = secured(&app, &ours).await;
    let (known, unknown) = (known.display().to_string(), unknown.display().to_string());
    let cases: [(&[&str], bool); 4] = [
        (&[], false),
        (&["--ca-cert", &unknown], false),
        (&["-k"], true),
        (&["--ca-cert", &known], true),
    ];
    for (number, (options, taken)) in cases.into_iter().enumerate() {
        let name = format!("dev-{number}");
        let arguments = [&[&*target, "--json", "-n", &name], options].concat();
        let listening = developer.listen(&arguments).ready().await;
        let event = developer.publish("ord_1").await;
        let record = outcome(&listening, &event).await;
        if taken {
            assert_eq!(record["status"], 200, "{options:?}: {record}");
        } else {
            assert_eq!(record["outcome"], "tls_error", "{options:?}: {record}");
            listening.says("hint  self-signed? -k takes any certificate").await;
        }
    }
    app.until_count(2).await;
}

#[tokio::test]
async fn a_body_is_the_same_byte_for_byte_as_at_a_url() {
    let daemon = daemon();
    let (developer, app) = (Developer::join(&daemon).await, Sink::always(200).await);
    let url = Sink::always(200).await;
    developer.partner.subscribe(&url.url("/"), &["*"]).await;
    let listening = developer.listen(&[&app.url("/"), "-j", "1", "--json"]).ready().await;
    let filling = "é/".repeat(NEARLY_ALL / 3);
    for data in [
        r#"{"id":"x","z":1,"a":2,"n":98765432109876543210,"e":1.50E+2,"m":-0.0}"#.to_owned(),
        r#"{"id":"x","s":"\/ \r\n \u00e9 \ud83d\ude00 é 😀 \u0000 \"\\"}"#.to_owned(),
        "{\r\n  \"id\" : \"x\",\t\"list\" : [ 1 , {} , [] ]\r\n}".to_owned(),
        format!(r#"{{"id":"x","long":"{filling}"}}"#),
    ] {
        let event = developer.partner.publish_text("order.filled", &data).await.must_be(202);
        let record = outcome(&listening, text(&event, "id")).await;
        let is_it = |request: &Request| request.event_id() == event["id"];
        let here = app.requests().into_iter().find(is_it).unwrap();
        let there = url.until("the webhook to have it", |all| all.iter().any(is_it)).await;
        let there = there.into_iter().find(is_it).unwrap();
        assert!(here.body == there.body, "{:.300?}", here.body);
        assert_eq!(text(&record["request"], "body").as_bytes(), here.body);
        let sent = std::str::from_utf8(&here.body).unwrap();
        assert!(sent.contains(data.trim()), "{sent:.300} has not {data:.300}");
    }
}

/// As while a dev server restarts: what is refused is tried again, and comes once.
#[tokio::test]
async fn what_was_refused_is_delivered_once_the_port_is_open() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let (held, address) = refusing_port();
    let listening = developer.listen(&[&address.port().to_string(), "--json"]).ready().await;
    let event = developer.publish("ord_1").await;
    wait::pause(Duration::from_secs(5)).await;
    let app = Sink::on(held.listen(8).unwrap(), |_| Answer::status(200));
    let record = outcome(&listening, &event).await;
    assert_eq!((&record["status"], &record["attempt"]), (&json!(200), &json!(1)));
    let latency = record["latency_ms"].as_u64().unwrap();
    assert!(latency < 5_000, "only the connection that counts is counted: {latency} ms");
    app.until_count(1).await;
}

#[tokio::test]
async fn events_wait_for_a_port_that_is_closed_for_long() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let (held, address) = refusing_port();
    let listening = developer.listen(&[&address.port().to_string(), "--json"]).ready().await;
    let mut refused = Vec::new();
    for order in ["ord_1", "ord_2", "ord_3"] {
        refused.push(developer.publish(order).await);
    }
    for event in &refused {
        let record = outcome(&listening, event).await;
        assert_eq!(record["outcome"], "connect_error", "{record}");
        assert_eq!(record["error"], "connection refused");
    }
    let paused = listening.record("paused", |_| true).await;
    assert!(text(&paused, "reason").ends_with("does not answer"), "{paused}");
    let stderr = listening.stderr();
    assert_eq!(stderr.matches("hint  nothing listens on localhost:").count(), 1, "{stderr}");
    let event = developer.publish("ord_4").await;
    let app = Sink::on(held.listen(8).unwrap(), |_| Answer::status(200));
    listening.says("answers again").await;
    assert_eq!(outcome(&listening, &event).await["status"], 200);
    // What failed has failed, without --retry, and whether somebody listens is asked in silence.
    assert_eq!(app.until_count(1).await[0].event_id(), event);
}

/// The server may have acted on what it has read.
#[tokio::test]
async fn a_request_that_was_cut_in_the_middle_is_not_sent_again() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            stream.read_exact(&mut [0; 1_000]).await.unwrap();
            stream.set_zero_linger().unwrap();
        }
    });
    let listening = developer.listen(&[&target, "-j", "1", "--json"]).ready().await;
    let data = format!(r#"{{"id":"ord_1","long":"{}"}}"#, "x".repeat(NEARLY_ALL));
    for _ in 0..2 {
        let event = developer.partner.publish_text("order.filled", &data).await.must_be(202);
        let record = outcome(&listening, text(&event, "id")).await;
        assert_eq!((&record["outcome"], &record["status"]), (&json!("reset"), &Value::Null));
        assert_eq!(record["attempt"], 1);
    }
    assert_eq!(connections.load(Ordering::Relaxed), 2, "each was tried once");
}

#[tokio::test]
async fn a_failure_is_tried_again_if_that_is_wanted_and_says_how_often() {
    let daemon = Daemon::start_with(&["--retry-schedule", "1s"]);
    let developer = Developer::join(&daemon).await;
    let app = Sink::in_turn(&[500, 200]).await;
    let listening = developer.listen(&[&app.url("/"), "--retry"]).ready().await;
    let event = developer.publish("ord_1").await;
    let requests = app.until_count(2).await;
    let attempts: Vec<u64> = requests.iter().map(|request| request.attempt()).collect();
    assert_eq!(attempts, [1, 2]);
    listening.says("#2").await;
    let stdout = listening.stdout();
    let lines: Vec<&str> = stdout.lines().filter(|line| line.contains(&event)).collect();
    assert_eq!(lines.len(), 2, "{stdout}");
    assert!(lines[0].contains("  500  ") && !lines[0].contains('#'), "{stdout}");
    assert!(lines[1].contains("  200  ") && lines[1].ends_with("  #2"), "{stdout}");
}
