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
use super::{Shown, failed};
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

    /// Trusts the authorities that the platform does, where its users and administrators have their say; on Linux those of
    /// `SSL_CERT_FILE` or `SSL_CERT_DIR` if these variables are set. They are read once, and that blocks for a moment.
    ///
    /// # Errors
    /// [`TlsError::NoPlatformRoots`].
    #[cfg(all(feature = "tls-platform-roots", any(feature = "tls-ring", feature = "tls-aws-lc-rs")))]
    pub fn platform_roots() -> Result<ClientTls, TlsError> {
        static READY: std::sync::OnceLock<ClientTls> = std::sync::OnceLock::new();
        if let Some(ready) = READY.get() {
            return Ok(ready.clone());
        }
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        // Platforms keep a few that are beyond use.
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let why = found.errors.first().map_or_else(|| "there is none".into(), ToString::to_string);
            return Err(TlsError::NoPlatformRoots(why));
        }
        let ready = ClientTls::with_roots(roots).map_err(|error| TlsError::NoPlatformRoots(error.to_string()))?;
        Ok(READY.get_or_init(|| ready).clone())
    }

    #[cfg(any(feature = "tls-ring", feature = "tls-aws-lc-rs"))]
    fn with_roots(roots: RootCertStore) -> Result<ClientTls, futures_rustls::rustls::Error> {
        let config = ClientConfig::builder_with_provider(super::provider()).with_safe_default_protocol_versions()?;
        Ok(config.with_root_certificates(roots).with_no_client_auth().into())
    }

    /// For a client that was not told whom to trust.
    #[cfg(any(feature = "tls-ring", feature = "tls-aws-lc-rs"))]
    fn ready() -> Result<ClientTls, TlsError> {
        #[cfg(feature = "tls-platform-roots")]
        let ready = ClientTls::platform_roots();
        #[cfg(all(feature = "tls-webpki-roots", not(feature = "tls-platform-roots")))]
        let ready = Ok(ClientTls::webpki_roots());
        #[cfg(not(any(feature = "tls-platform-roots", feature = "tls-webpki-roots")))]
        let ready = Err(TlsError::NobodyToTrust);
        ready
    }

    /// There is no provider to make anything ready with.
    #[cfg(not(any(feature = "tls-ring", feature = "tls-aws-lc-rs")))]
    fn ready() -> Result<ClientTls, TlsError> {
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

    pub(in crate::transport) async fn connect<S>(self, stream: S, shown: &Shown) -> Result<TlsStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = self.tls.connect(self.name, stream).await.map_err(failed)?;
        shown.note(stream.get_ref().1);
        Ok(stream)
    }
}
