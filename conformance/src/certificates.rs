//! The certificates of `certificates/`, which are for this machine's own addresses.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

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

/// One of the files.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("certificates").join(name)
}
