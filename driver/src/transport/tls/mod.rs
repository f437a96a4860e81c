//! TLS over any stream: `tls://host:port`.
//!
//! Settings are rustls' own, or made here of files. What is made here names its crypto provider: the process' default is
//! neither used nor set, so both providers may be there at once.

mod client;
mod error;
#[cfg(any(feature = "tls-ring", feature = "tls-aws-lc-rs"))]
mod pem;
mod server;
mod shown;
#[cfg(all(test, any(feature = "tls-ring", feature = "tls-aws-lc-rs")))]
mod tests;

use std::io;

use futures_rustls::rustls;

pub use self::client::ClientTls;
pub(super) use self::client::Connector;
pub use self::error::TlsError;
pub use self::server::ServerTls;
pub(crate) use self::shown::Shown;
use crate::error::Error;

/// The provider of what is made here. Ring where both are: it has less to build, and both are fast enough.
#[cfg(any(feature = "tls-ring", feature = "tls-aws-lc-rs"))]
fn provider() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    #[cfg(feature = "tls-ring")]
    let provider = rustls::crypto::ring::default_provider();
    #[cfg(not(feature = "tls-ring"))]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.into()
}

/// What a handshake failed with.
fn failed(error: io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(error) => TlsError::Handshake(error.clone()).into(),
        None => error.into(),
    }
}
