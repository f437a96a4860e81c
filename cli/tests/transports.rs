//! Addresses of further transports.

#![cfg(all(feature = "tls", feature = "websocket"))]

mod support;

use std::path::{Path, PathBuf};

use support::{Running, ropeway};

fn certificates(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../conformance/certificates");
    folder.join(name).display().to_string()
}

#[test]
fn each_is_served_and_reached() {
    let (chain, key, ca) = (certificates("server.pem"), certificates("server.key"), certificates("authority.pem"));
    let showing = ["--tls-cert", &chain, "--tls-key", &key];
    let trusting = ["--tls-ca", &ca];
    let rows: [(&str, &[&str], &[&str]); 3] = [
        ("tls://localhost:0", &showing, &trusting),
        ("ws://localhost:0/line", &[], &[]),
        ("wss://localhost:0/line", &showing, &trusting),
    ];
    for (address, showing, trusting) in rows {
        let served = Running::start([&["serve", address], showing].concat(), Path::new("."), b"");
        let listening = served.line_with("listening on");
        let address = listening.trim_start_matches("listening on ");
        let answer = ropeway([&["request", address, "echo", "Atreyuuuu!"], trusting].concat());
        assert_eq!(answer.fine(), "Atreyuuuu!\n", "{address}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let nowhere = certificates("nowhere.pem");
    let refused = ropeway(["request", "tls://localhost:1", "echo", "x", "--tls-ca", &nowhere]);
    assert!(refused.failed(5).starts_with(&format!("{nowhere} can't be read: ")), "{refused:?}");
    let refused = ropeway(["serve", "tls://localhost:0"]);
    assert!(refused.failed(2).contains("--tls-cert and --tls-key"), "{refused:?}");
    let refused = ropeway(["serve", "tls://localhost:0", "--tls-cert", &nowhere]);
    assert!(refused.failed(2).contains("--tls-key"), "{refused:?}");
}
