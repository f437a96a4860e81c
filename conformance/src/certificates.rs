//! The certificates of `certificates/`, which are for this machine's own addresses.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use ropeway_driver::rustls::crypto::CryptoProvider;
use ropeway_driver::rustls::pki_types::pem::PemObject;
use ropeway_driver::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ropeway_driver::rustls::server::WebPkiClientVerifier;
use ropeway_driver::rustls::{self, ClientConfig, RootCertStore, ServerConfig};
use ropeway_driver::{ClientTls, ServerTls};

/// What a client needs that trusts the tests' authority.
pub fn trusting() -> ClientTls {
    static READY: OnceLock<ClientTls> = OnceLock::new();
    READY.get_or_init(|| ClientTls::trusting(file("authority.pem")).expect("the file is there")).clone()
}

/// What a server needs to show the tests' certificate, which is for `localhost`, `127.0.0.1` and `::1`.
pub fn showing() -> ServerTls {
    static READY: OnceLock<ServerTls> = OnceLock::new();
    let made = READY.get_or_init(|| {
        ServerTls::showing(file("server.pem"), file("server.key")).expect("the files are there, and belong together")
    });
    made.clone()
}

/// The same for a client that shows the tests' certificate, if it is asked.
pub fn showing_as_client() -> ClientTls {
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let config = config.expect("ring has suites for them").with_root_certificates(authority());
    let config = config.with_client_auth_cert(chain("client.pem"), key("client.key"));
    config.expect("the files belong together").into()
}

/// The same for a server that asks for a certificate of the tests' authority.
pub fn asking() -> ServerTls {
    let asking = WebPkiClientVerifier::builder_with_provider(Arc::new(authority()), provider()).build();
    let config = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let config = config.expect("ring has suites for them");
    let config = config.with_client_cert_verifier(asking.expect("there is an authority"));
    config.with_single_cert(chain("server.pem"), key("server.key")).expect("the files belong together").into()
}

/// The certificates in one of the files.
pub fn chain(name: &str) -> Vec<CertificateDer<'static>> {
    let chain = CertificateDer::pem_file_iter(file(name)).expect("the file is there");
    chain.collect::<Result<_, _>>().expect("they are certificates")
}

fn key(name: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_file(file(name)).expect("it is a key")
}

fn authority() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(chain("authority.pem"));
    roots
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// One of the files.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("certificates").join(name)
}
