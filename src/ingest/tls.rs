//! TLS to an external broker: files in, a rustls configuration out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, ClientConfig, DigitallySignedStruct, Error as RustlsError, RootCertStore, SignatureScheme,
};

/// Files for TLS to the broker. TLS 1.2 and 1.3; the system's certificate authorities are not used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsConfig {
    /// PEM file with the certificate authorities that may have signed the broker's certificate.
    pub ca: PathBuf,
    /// Our own certificate, where the broker asks for one.
    pub identity: Option<TlsIdentity>,
    /// Name that the broker's certificate must carry, when it is not the host that is connected to.
    pub server_name: Option<String>,
}

/// A client certificate and its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsIdentity {
    /// PEM file with the certificate, followed by its intermediates.
    pub certificate: PathBuf,
    /// PEM file with the private key (PKCS#8, PKCS#1 or SEC1).
    pub key: PathBuf,
}

/// Why TLS cannot be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read or is not PEM.
    #[error("cannot read the {what} in {path}: {reason}")]
    File { what: &'static str, path: PathBuf, reason: String },
    /// A file has nothing of the wanted kind in it.
    #[error("there is no {what} in {path}")]
    Empty { what: &'static str, path: PathBuf },
    /// The pieces do not fit together.
    #[error("TLS cannot be set up with these files: {0}")]
    Rustls(#[from] RustlsError),
    /// Certificate authorities that cannot be used to verify.
    #[error("the certificate authorities in {path} cannot be used: {reason}")]
    Authorities { path: PathBuf, reason: String },
    /// Not a host name or address.
    #[error("{0:?} is neither a host name nor an address")]
    ServerName(String),
}

impl TlsConfig {
    /// Reads the files.
    ///
    /// # Errors
    /// When a file cannot be read, is empty of what it should hold, or certificate and key do not fit.
    pub(super) fn load(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let verifier = self.verifier(&provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = certificates("client certificate", &identity.certificate)?;
                builder.with_client_auth_cert(chain, key(&identity.key)?)?
            }
        };
        Ok(Arc::new(config))
    }

    /// The usual verification by web PKI rules; only the expected name may be another than the host's.
    fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates("certificate authority", &self.ca)? {
            roots.add(certificate)?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map_err(|error| TlsError::Authorities { path: self.ca.clone(), reason: error.to_string() })?;
        let Some(name) = &self.server_name else { return Ok(verifier) };
        let name = ServerName::try_from(name.clone()).map_err(|_| TlsError::ServerName(name.clone()))?;
        Ok(Arc::new(Renamed { verifier, name }))
    }
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let file = |reason: String| TlsError::File { what, path: path.to_owned(), reason };
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<_, _>>)
        .map_err(|error| file(error.to_string()))?;
    if found.is_empty() { Err(TlsError::Empty { what, path: path.to_owned() }) } else { Ok(found) }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| TlsError::File {
        what: "private key",
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// Verifies against a fixed name in place of the host that was connected to (an address, a tunnel).
#[derive(Debug)]
struct Renamed {
    verifier: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for Renamed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _connected_to: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, RustlsError> {
        self.verifier.verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
