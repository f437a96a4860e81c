//! The end that connects.

use std::fmt;
use std::sync::Arc;

use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use futures_rustls::rustls::ClientConfig;
#[cfg(any(feature = "tls-ring", feature = "tls-aws-lc-rs"))]
use futures_rustls::rustls::RootCertStore;
use futures_rustls::rustls::pki_types::ServerName;

use super::error::TlsError;
use super::failed;
use crate::error::Error;

/// Whom a client trusts, and how it speaks TLS. Cheap to clone; clones resume each other's sessions.
///
/// Any of rustls' configurations is one: `ClientTls::from(config)`.
#[derive(Clone)]
pub struct ClientTls(Arc<ClientConfig>);

impl ClientTls {
    /// Trusts the authorities whose certificates are in a file in PEM format, and no others. Reads it at once.
    ///
    /// # Errors
    /// One that names the file, and what is wrong with it.
    #[cfg(any(feature = "tls-ring", feature = "tls-aws-lc-rs"))]
    pub fn trusting(path: impl AsRef<std::path::Path>) -> Result<ClientTls, TlsError> {
        let path = path.as_ref();
        let bad = |error| TlsError::BadCertificate(path.into(), error);
        let mut roots = RootCertStore::empty();
        for certificate in super::pem::certificates(path)? {
            roots.add(certificate).map_err(bad)?;
        }
        ClientTls::with_roots(roots).map_err(bad)
    }

    /// Trusts Mozilla's list of authorities, as it was when `webpki-roots` was published.
    #[cfg(all(feature = "tls-webpki-roots", any(feature = "tls-ring", feature = "tls-aws-lc-rs")))]
    pub fn webpki_roots() -> ClientTls {
        static READY: std::sync::OnceLock<ClientTls> = std::sync::OnceLock::new();
        let ready = READY.get_or_init(|| {
            let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            ClientTls::with_roots(roots).expect("both providers have suites for the versions that are safe")
        });
        ready.clone()
    }

    #[cfg(any(feature = "tls-ring", feature = "tls-aws-lc-rs"))]
    fn with_roots(roots: RootCertStore) -> Result<ClientTls, futures_rustls::rustls::Error> {
        let config = ClientConfig::builder_with_provider(super::provider()).with_safe_default_protocol_versions()?;
        Ok(config.with_root_certificates(roots).with_no_client_auth().into())
    }

    /// For a client that was not told whom to trust.
    fn ready() -> Result<ClientTls, TlsError> {
        #[cfg(all(feature = "tls-webpki-roots", any(feature = "tls-ring", feature = "tls-aws-lc-rs")))]
        return Ok(ClientTls::webpki_roots());
        #[cfg(not(all(feature = "tls-webpki-roots", any(feature = "tls-ring", feature = "tls-aws-lc-rs"))))]
        Err(TlsError::NobodyToTrust)
    }
}

impl From<ClientConfig> for ClientTls {
    fn from(config: ClientConfig) -> ClientTls {
        ClientTls(Arc::new(config))
    }
}

impl From<Arc<ClientConfig>> for ClientTls {
    fn from(config: Arc<ClientConfig>) -> ClientTls {
        ClientTls(config)
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}

/// What a handshake with a host needs.
pub(in crate::transport) struct Connector {
    tls: TlsConnector,
    name: ServerName<'static>,
}

impl Connector {
    pub(in crate::transport) fn new(tls: Option<&ClientTls>, host: &str) -> Result<Connector, TlsError> {
        let ClientTls(config) = tls.map_or_else(ClientTls::ready, |tls| Ok(tls.clone()))?;
        // A zone is this system's matter, and in no certificate.
        let name = host.split_once('%').map_or(host, |(ip, _)| ip).to_owned();
        let name = ServerName::try_from(name).map_err(|_| TlsError::BadName(host.into()))?;
        Ok(Connector { tls: config.into(), name })
    }

    pub(in crate::transport) async fn connect<S>(self, stream: S) -> Result<TlsStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.tls.connect(self.name, stream).await.map_err(failed)
    }
}
