//! The end that accepts.

use std::fmt;
use std::sync::Arc;

use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::TlsAcceptor;
use futures_rustls::rustls::ServerConfig;
use futures_rustls::server::TlsStream;

use super::{Shown, failed};
use crate::error::Error;

/// What a server shows, and how it speaks TLS. Cheap to clone.
///
/// Any of rustls' configurations is one: `ServerTls::from(config)`.
#[derive(Clone)]
pub struct ServerTls(Arc<ServerConfig>);

impl ServerTls {
    /// Shows the chain of certificates in one file, its own first, by the private key in another, both in PEM format and
    /// read at once. Asks clients for none.
    ///
    /// # Errors
    /// One that names the file, and what is wrong with it.
    #[cfg(any(feature = "tls-ring", feature = "tls-aws-lc-rs"))]
    pub fn showing(
        chain: impl AsRef<std::path::Path>,
        key: impl AsRef<std::path::Path>,
    ) -> Result<ServerTls, super::TlsError> {
        use futures_rustls::rustls::Error;

        use super::TlsError;

        let (chain, key) = (chain.as_ref(), key.as_ref());
        let (certificates, private) = (super::pem::certificates(chain)?, super::pem::key(key)?);
        let config = ServerConfig::builder_with_provider(super::provider()).with_safe_default_protocol_versions();
        let config = config.and_then(|config| config.with_no_client_auth().with_single_cert(certificates, private));
        match config {
            Ok(config) => Ok(config.into()),
            Err(error @ Error::InvalidCertificate(_)) => Err(TlsError::BadCertificate(chain.into(), error)),
            Err(error) => Err(TlsError::BadKey(key.into(), error)),
        }
    }

    pub(in crate::transport) async fn accept<S>(self, stream: S, shown: &Shown) -> Result<TlsStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = TlsAcceptor::from(self.0).accept(stream).await.map_err(failed)?;
        shown.note(stream.get_ref().1);
        Ok(stream)
    }
}

impl From<ServerConfig> for ServerTls {
    fn from(config: ServerConfig) -> ServerTls {
        ServerTls(Arc::new(config))
    }
}

impl From<Arc<ServerConfig>> for ServerTls {
    fn from(config: Arc<ServerConfig>) -> ServerTls {
        ServerTls(config)
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}
