//! What is made of files, and what is said of those that are of no use.

use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::rustls::Error;
use futures_rustls::{client, server};

use super::{ClientTls, Connector, ServerTls, Shown, TlsError};
use crate::transport::mem::{Pipe, pair};

fn certificates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/certificates")
}

#[test]
fn names_the_file_and_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().expect("there is room for files");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("there is room for files");
        path
    };
    let (chain, key) = (certificates().join("server.pem"), certificates().join("server.key"));
    let missing = folder.path().join("missing.pem");
    let torn = file("torn.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    let garbage = file("garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let no_key = file("garbage.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    // Another's: an example of RFC 8410.
    let others = file(
        "others.key",
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n",
    );
    let check = |outcome: Result<(), TlsError>, wanted: fn(&TlsError, &Path) -> bool, path: &Path| {
        let error = outcome.expect_err("the file is of no use");
        assert!(wanted(&error, path), "{error:?}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    };
    let client = |path: &Path| ClientTls::trusting(path).map(drop);
    let server = |chain: &Path, key: &Path| ServerTls::showing(chain, key).map(drop);
    check(client(&missing), |e, p| matches!(e, TlsError::Unreadable(path, _) if path == p), &missing);
    check(client(&torn), |e, p| matches!(e, TlsError::NotPem(path, _) if path == p), &torn);
    check(client(&key), |e, p| matches!(e, TlsError::NoCertificate(path) if path == p), &key);
    check(client(&garbage), |e, p| matches!(e, TlsError::BadCertificate(path, _) if path == p), &garbage);
    check(server(&missing, &key), |e, p| matches!(e, TlsError::Unreadable(path, _) if path == p), &missing);
    check(server(&chain, &missing), |e, p| matches!(e, TlsError::Unreadable(path, _) if path == p), &missing);
    check(server(&chain, &chain), |e, p| matches!(e, TlsError::NoKey(path) if path == p), &chain);
    check(server(&garbage, &key), |e, p| matches!(e, TlsError::BadCertificate(path, _) if path == p), &garbage);
    check(server(&chain, &no_key), |e, p| matches!(e, TlsError::BadKey(path, _) if path == p), &no_key);
    let strange = |e: &TlsError, p: &Path| matches!(e, TlsError::BadKey(path, Error::InconsistentKeys(_)) if path == p);
    check(server(&chain, &others), strange, &others);
    server(&chain, &key).expect("they belong together");
    client(&certificates().join("authority.pem")).expect("it is one");
}

#[test]
fn a_certificate_is_for_a_name_or_an_ip_address_without_its_zone() {
    let tls = ClientTls::trusting(certificates().join("authority.pem")).expect("it is one");
    for host in ["localhost", "127.0.0.1", "::1", "fe80::1%eth0", "my_host-1"] {
        assert!(Connector::new(Some(&tls), host).is_ok(), "{host}");
    }
    for host in ["", "a..b", "-"] {
        match Connector::new(Some(&tls), host) {
            Err(TlsError::BadName(name)) => assert_eq!(name, host),
            other => panic!("{host}: {:?}", other.map(drop)),
        }
    }
}

#[test]
fn who_is_not_told_trusts_the_platform_or_the_list_or_nobody() {
    let ready = Connector::new(None, "localhost");
    if cfg!(feature = "tls-platform-roots") {
        // This machine may have none.
        assert!(matches!(ready, Ok(_) | Err(TlsError::NoPlatformRoots(_))));
    } else if cfg!(feature = "tls-webpki-roots") {
        assert!(ready.is_ok());
    } else {
        assert!(matches!(ready, Err(TlsError::NobodyToTrust)));
    }
}

/// What the platform is said to trust is a matter of the environment, so of a process: this test runs itself again.
#[cfg(all(feature = "tls-platform-roots", target_os = "linux"))]
#[test]
fn the_platform_is_asked_whom_it_trusts() {
    const INSIDE: &str = "ROPEWAY_TEST_INSIDE";
    const NAME: &str = "transport::tls::tests::the_platform_is_asked_whom_it_trusts";
    match std::env::var(INSIDE).as_deref() {
        Ok("trusted") => drop(shake(&ClientTls::platform_roots().expect("there is one"))),
        Ok(_) => {
            let error = ClientTls::platform_roots().expect_err("there is none");
            assert!(matches!(error, TlsError::NoPlatformRoots(_)), "{error:?}");
        }
        Err(_) => {
            let program = std::env::current_exe().expect("it runs");
            for (inside, file) in [("trusted", "authority.pem"), ("none", "server.key")] {
                let mut again = std::process::Command::new(&program);
                again.args(["--exact", NAME]).env(INSIDE, inside).env("SSL_CERT_FILE", certificates().join(file));
                let output = again.env_remove("SSL_CERT_DIR").output().expect("it runs again");
                let said = String::from_utf8_lossy(&output.stdout);
                assert!(output.status.success() && said.contains("1 passed"), "{inside}: {said}");
            }
        }
    }
}

/// By whichever provider is there; if both are, neither is in the other's way.
#[test]
fn hands_are_shaken_and_octets_pass() {
    let (mut client, mut server) =
        shake(&ClientTls::trusting(certificates().join("authority.pem")).expect("it is one"));
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(matches!(Pin::new(&mut client).poll_write(cx, b"octets"), Poll::Ready(Ok(6))));
    assert!(matches!(Pin::new(&mut client).poll_flush(cx), Poll::Ready(Ok(()))));
    let mut out = [0; 9];
    assert!(matches!(Pin::new(&mut server).poll_read(cx, &mut out), Poll::Ready(Ok(6))));
    assert_eq!(out[..6], *b"octets");
}

/// A client that trusts so, and a server that shows the tests' certificate.
fn shake(trusting: &ClientTls) -> (client::TlsStream<Pipe>, server::TlsStream<Pipe>) {
    let showing = ServerTls::showing(certificates().join("server.pem"), certificates().join("server.key"));
    let showing = showing.expect("they belong together");
    let (near, far) = pair();
    let connector = Connector::new(Some(trusting), "localhost").expect("there may be one");
    let (shown, unseen) = (Shown::default(), Shown::default());
    let (mut near, mut far) = (pin!(connector.connect(near, &shown)), pin!(showing.accept(far, &unseen)));
    let cx = &mut Context::from_waker(Waker::noop());
    let (mut client, mut server) = (None, None);
    for _ in 0..10 {
        if client.is_none()
            && let Poll::Ready(shaken) = near.as_mut().poll(cx)
        {
            client = Some(shaken.expect("the server is to be trusted"));
        }
        if server.is_none()
            && let Poll::Ready(shaken) = far.as_mut().poll(cx)
        {
            server = Some(shaken.expect("the client trusts it"));
        }
    }
    let own = super::pem::certificates(&certificates().join("server.pem")).expect("it is one");
    assert_eq!((shown.chain(), unseen.chain()), (&own[..], &[][..]), "the client was asked for none");
    (client.expect("it is through"), server.expect("it is through"))
}
