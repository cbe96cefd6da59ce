//! Connections to local servers: each for one request, because a dev server that is restarted
//! turns those it keeps open into resets.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Host;

use crate::cli::failure::{Failure, Status};
use crate::cli::target::Target;

/// How long one address may take to answer.
const CONNECT: Duration = Duration::from_secs(5);

/// Why there is no connection. Nothing was sent.
#[derive(Debug)]
pub(super) enum DialError {
    /// Nobody listens, as while a dev server restarts: it may soon.
    Refused,
    Connect(String),
    Tls(String),
}

#[expect(clippy::large_enum_variant, reason = "one at a time, on its way into a box")]
pub(super) enum Line {
    Plain(TcpStream),
    Tls(TlsStream<TcpStream>),
}

/// How to reach one target.
#[derive(Clone)]
pub(in crate::cli) struct Dialer {
    target: Target,
    tls: Option<TlsConnector>,
    /// Which family of localhost answered last.
    six: Arc<AtomicBool>,
}

impl Dialer {
    pub(in crate::cli) fn new(
        target: &Target,
        insecure: bool,
        ca_cert: Option<&Path>,
    ) -> Result<Self, Failure> {
        let tls = target.https.then(|| config(insecure, ca_cert)).transpose()?;
        let tls = tls.map(|config| TlsConnector::from(Arc::new(config)));
        Ok(Self { target: target.clone(), tls, six: Arc::default() })
    }

    /// Connects to the first address that answers.
    pub(super) async fn dial(&self) -> Result<Line, DialError> {
        let mut refused = DialError::Connect("the name stands for no address".into());
        for address in self.addresses().await? {
            if self.target.allows(address.ip()).is_err() {
                let why = format!("{} is not on this machine; see --allow-remote", address.ip());
                return Err(DialError::Connect(why));
            }
            match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    self.six.store(address.is_ipv6(), Ordering::Relaxed);
                    return self.secure(stream).await;
                }
                // One address that refuses says more than one that is not there.
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    refused = DialError::Refused;
                }
                Ok(Err(_)) | Err(_) if matches!(refused, DialError::Refused) => {}
                Ok(Err(error)) => refused = DialError::Connect(plain(&error)),
                Err(_) => refused = DialError::Connect("timed out connecting".into()),
            }
        }
        Err(refused)
    }

    /// Whether somebody listens there.
    pub(super) async fn answers(&self) -> bool {
        !matches!(self.dial().await, Err(DialError::Refused | DialError::Connect(_)))
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, DialError> {
        let port = self.target.port;
        let at = |address: IpAddr| SocketAddr::new(address, port);
        Ok(match &self.target.host {
            Host::Ipv4(address) => vec![at((*address).into())],
            Host::Ipv6(address) => vec![at((*address).into())],
            Host::Domain(_) if self.target.is_localhost() => {
                let (four, six) = (at(Ipv4Addr::LOCALHOST.into()), at(Ipv6Addr::LOCALHOST.into()));
                if self.six.load(Ordering::Relaxed) { vec![six, four] } else { vec![four, six] }
            }
            Host::Domain(name) => {
                let found = tokio::net::lookup_host((name.as_str(), port)).await;
                found.map_err(|error| DialError::Connect(plain(&error)))?.collect()
            }
        })
    }

    async fn secure(&self, stream: TcpStream) -> Result<Line, DialError> {
        // A failure to say so costs time, and nothing else.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else { return Ok(Line::Plain(stream)) };
        let name = match &self.target.host {
            Host::Domain(name) => ServerName::try_from(name.clone())
                .map_err(|error| DialError::Tls(error.to_string()))?,
            Host::Ipv4(address) => ServerName::IpAddress(IpAddr::from(*address).into()),
            Host::Ipv6(address) => ServerName::IpAddress(IpAddr::from(*address).into()),
        };
        match tokio::time::timeout(CONNECT, tls.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(Line::Tls(stream)),
            Ok(Err(error)) => Err(DialError::Tls(plain(&error))),
            Err(_) => Err(DialError::Tls("the handshake timed out".into())),
        }
    }
}

/// Without the number of the operating system.
pub(super) fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "connection reset".into(),
        io::ErrorKind::BrokenPipe => "connection closed".into(),
        _ => error.to_string(),
    }
}

fn config(insecure: bool, ca_cert: Option<&Path>) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::unexpected(&error))?;
    if insecure {
        let anybody = Arc::new(Anybody(provider));
        return Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(anybody)
            .with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_cert {
        let unusable = |error: &dyn std::fmt::Display| {
            let message = format!("--ca-cert {}: {error}", path.display());
            Failure::new(Status::Usage, message).then("it takes a file of certificates in PEM")
        };
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unusable(&error))?;
        let before = roots.len();
        for certificate in certificates {
            let certificate = certificate.map_err(|error| unusable(&error))?;
            roots.add(certificate).map_err(|error| unusable(&error))?;
        }
        if roots.len() == before {
            return Err(unusable(&"it holds no certificate"));
        }
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// `--insecure`: whoever answers on a port of this machine is taken for the app.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
