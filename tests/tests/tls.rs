//! Deliveries over TLS: only to who proves with a certificate to be who the URL says.
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bluum_hooks_tests::client::text;
use bluum_hooks_tests::daemon::Daemon;
use bluum_hooks_tests::partner::Partner;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server with a certificate for this name, that speaks whatever the client offers.
async fn receiver(
    tasks: &mut JoinSet<()>,
    issuer: &Authority,
    name: &str,
    change: impl FnOnce(&mut CertificateParams),
) -> String {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    change(&mut params);
    let certificate: CertificateDer<'static> =
        params.signed_by(&key, issuer).unwrap().der().clone();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = config.with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tasks.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(acceptor.clone(), stream));
        }
    });
    format!("https://localhost:{port}/")
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream) {
    // Who does not trust us goes away in the middle.
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let peer = stream.get_ref().0.peer_addr().unwrap().to_string();
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let is_asked_for = request.uri().path() == "/peer";
        let answer = if is_asked_for { peer.clone() } else { format!("{:?}", request.version()) };
        async {
            request.into_body().collect().await?;
            Ok::<_, hyper::Error>(hyper::Response::new(Full::new(Bytes::from(answer))))
        }
    });
    let builder = Builder::new(TokioExecutor::new());
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// A daemon that trusts this authority and no other.
fn daemon_that_trusts(authority: &Authority, folder: &Path) -> Daemon {
    let file = folder.join("authority.pem");
    let lines = BASE64_STANDARD.encode(authority.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n");
    std::fs::write(&file, pem).unwrap();
    let options = ["--allow-target", "127.0.0.0/8", "--allow-target", "::1/128"];
    Daemon::start_as(&options, &[("SSL_CERT_FILE", file.to_str().unwrap()), ("SSL_CERT_DIR", "")])
}

#[tokio::test]
async fn only_a_certificate_that_is_trusted_valid_and_for_the_name_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (trusted, stranger) = (authority("trusted"), authority("stranger"));
    let mut tasks = JoinSet::new();
    let as_is = |_: &mut CertificateParams| {};
    let expired = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
    };
    let cases = [
        (receiver(&mut tasks, &trusted, "localhost", as_is).await, "delivered", ""),
        (receiver(&mut tasks, &stranger, "localhost", as_is).await, "parked", "trusted here"),
        (receiver(&mut tasks, &trusted, "localhost", expired).await, "parked", "expired"),
        (receiver(&mut tasks, &trusted, "other.example", as_is).await, "parked", "not valid for"),
    ];
    let daemon = daemon_that_trusts(&trusted, folder.path());
    let partner = Partner::join(&daemon).await;
    for (url, status, word) in cases {
        let webhook = json!({"url": url, "eventTypeNames": ["order.*"], "retry_schedule": []});
        let webhook = partner.subscribe_as(&webhook).await;
        let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
        let delivery = partner.until_delivery(&webhook, &event, status).await;
        assert_eq!(delivery["attempt_count"], 1, "{delivery}");
        let attempt = &delivery["attempts"][0];
        if status == "delivered" {
            assert_eq!(text(attempt, "response_body"), "HTTP/2.0");
        } else {
            assert_eq!(attempt["outcome"], "tls", "{attempt}");
            let error = text(attempt, "error");
            assert!(error.starts_with("TLS failed: ") && error.contains(word), "{word}: {error}");
        }
    }
}

#[tokio::test]
async fn deliveries_over_http_2_share_a_connection() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = authority("trusted");
    let mut tasks = JoinSet::new();
    let url = receiver(&mut tasks, &trusted, "localhost", |_| {}).await + "peer";
    let daemon = daemon_that_trusts(&trusted, folder.path());
    let partner = Partner::join(&daemon).await;
    let webhook = partner.subscribe(&url, &["order.*"]).await;
    let mut peers = Vec::new();
    for id in ["ord_1", "ord_2", "ord_3"] {
        let event = partner.publish("order.filled", &json!({"id": id})).await;
        let delivery = partner.until_delivery(&webhook, &event, "delivered").await;
        peers.push(text(&delivery["attempts"][0], "response_body").to_owned());
    }
    assert!(peers.iter().all(|peer| *peer == peers[0]), "{peers:?}");
}
