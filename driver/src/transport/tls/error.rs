//! What can go wrong with TLS.

use std::fmt;
use std::io;
use std::path::PathBuf;

use futures_rustls::rustls;

/// Why there is no TLS.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A file that can't be read.
    Unreadable(PathBuf, io::Error),
    /// A file that is not in PEM format, and why.
    NotPem(PathBuf, String),
    /// No certificate in a file.
    NoCertificate(PathBuf),
    /// No private key in a file.
    NoKey(PathBuf),
    /// A certificate in a file that can't be used.
    BadCertificate(PathBuf, rustls::Error),
    /// The private key in a file can't be used, or is not the certificate's.
    BadKey(PathBuf, rustls::Error),
    /// A host that no certificate can be for.
    BadName(String),
    /// A server without a certificate.
    NothingToShow,
    /// A client that trusts nobody.
    NobodyToTrust,
    /// The platform names no authority that can be used, and why.
    NoPlatformRoots(String),
    /// The handshake failed: whose fault it was, and why.
    Handshake(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::Unreadable(path, error) => write!(f, "{} can't be read: {error}", path.display()),
            TlsError::NotPem(path, why) => write!(f, "{} is not in pem format: {why}", path.display()),
            TlsError::NoCertificate(path) => write!(f, "there is no certificate in {}", path.display()),
            TlsError::NoKey(path) => write!(f, "there is no private key in {}", path.display()),
            TlsError::BadCertificate(path, error) => {
                write!(f, "a certificate in {} can't be used: {error}", path.display())
            }
            TlsError::BadKey(path, error) => {
                write!(f, "the private key in {} can't be used with the certificate: {error}", path.display())
            }
            TlsError::BadName(host) => write!(f, "no certificate can be for the host {host:?}"),
            TlsError::NothingToShow => f.write_str("the server has no certificate: give it one by tls()"),
            TlsError::NobodyToTrust => f.write_str("the client trusts no authority: name some by tls()"),
            TlsError::NoPlatformRoots(why) => write!(f, "the platform names no authority that can be used: {why}"),
            TlsError::Handshake(error) => write!(f, "the tls handshake failed: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}
