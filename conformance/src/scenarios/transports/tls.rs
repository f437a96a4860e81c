//! TLS: who is trusted, and what is said where there is none.

use std::io::ErrorKind;

use ropeway_driver::rustls::{self, CertificateError};
use ropeway_driver::{Address, ClientTls, Error, TlsError};

use super::{beneath, carries_all_there_is, in_all_weathers, once};
use crate::certificates;
use crate::scenarios::by_hand::{echo, hello, queue, read_to_end, still_works, write_all};
use crate::scenarios::{Scenario, scenarios};
use crate::world::World;

pub(in crate::scenarios) const LIST: &[Scenario] = scenarios![
    tls_carries_all_there_is_in_any_weather if in_all_weathers,
    who_is_not_to_be_trusted_is_named if once,
    tls_without_its_settings_is_refused if once,
    who_speaks_no_tls_is_turned_away if once,
    each_end_sees_what_the_other_shows if once,
    who_is_asked_and_shows_nothing_is_turned_away if once,
];

async fn tls_carries_all_there_is_in_any_weather(world: World) {
    carries_all_there_is(&world, "tls://localhost:0", |address| {
        let Address::Tls { host, port } = address else { panic!("it is of another transport") };
        assert!(host == "localhost" && *port > 0, "the name stays, the port is chosen");
    })
    .await;
}

async fn who_is_not_to_be_trusted_is_named(world: World) {
    let server = world.server_at("tls://localhost:0").tls(certificates::showing()).on("echo", echo);
    let server = server.serve().await.expect("a port is free");
    let Address::Tls { port, .. } = *server.address() else { panic!("it is of another transport") };
    let strangers = ClientTls::trusting(certificates::file("server.pem")).expect("it is a certificate");
    let refused = async |host: &str, tls: ClientTls| {
        let address = Address::Tls { host: host.into(), port };
        match world.client(address).tls(tls).connect().await {
            Err(Error::Tls(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    let error = refused("localhost", strangers).await;
    assert_eq!(error.to_string(), "the tls handshake failed: invalid peer certificate: UnknownIssuer");
    let error = refused("elsewhere.test", certificates::trusting()).await;
    let TlsError::Handshake(rustls::Error::InvalidCertificate(why)) = &*error else { panic!("{error:?}") };
    assert!(matches!(why, CertificateError::NotValidForNameContext { .. }), "{why:?}");
    assert!(error.to_string().contains("elsewhere.test") && error.to_string().contains("localhost"), "{error}");
    let error = refused("no..name", certificates::trusting()).await;
    assert!(matches!(&*error, TlsError::BadName(name) if name == "no..name"), "{error:?}");
    let client = world.client(server.address()).tls(certificates::trusting()).connect().await;
    still_works(&client.expect("it is the one")).await;
}

async fn tls_without_its_settings_is_refused(world: World) {
    match world.server_at("tls://localhost:0").serve().await {
        Err(Error::Tls(error)) => assert!(matches!(*error, TlsError::NothingToShow), "{error:?}"),
        other => panic!("{other:?}"),
    }
    match world.client("tls://localhost:1").connect().await {
        Err(Error::Tls(error)) => assert!(matches!(*error, TlsError::NobodyToTrust), "{error:?}"),
        // All features are on.
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
        other => panic!("{other:?}"),
    }
}

async fn who_speaks_no_tls_is_turned_away(world: World) {
    let server = world.server_at("tls://localhost:0").tls(certificates::showing()).on("echo", echo);
    let server = server.serve().await.expect("a port is free");
    let (mut stream, _) = world.connect(&beneath(server.address())).await;
    write_all(&mut stream, &hello()).await.expect("the server reads");
    // An alert, and the end.
    assert_eq!(read_to_end(&mut stream).await[0], 0x15);
    let plain = world.server().on("echo", echo).serve().await.expect("the address is free");
    let Address::Tcp { host, port } = plain.address().clone() else { panic!("it is of another transport") };
    match world.client(Address::Tls { host, port }).tls(certificates::trusting()).connect().await {
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof),
        other => panic!("{other:?}"),
    }
}

async fn each_end_sees_what_the_other_shows(world: World) {
    let (give, take) = queue();
    // Looked at by who is to say what the client may do, before its first message.
    let server = world.server_at("tls://localhost:0").tls(certificates::asking()).on_line(move |line| {
        give.put(line.endpoints().peer_certificates().to_vec());
        async { Ok(()) }
    });
    let server = server.serve().await.expect("a port is free");
    let client = world.client(server.address()).tls(certificates::showing_as_client()).connect().await;
    let client = client.expect("each trusts the other");
    assert_eq!(take.next().await, certificates::chain("client.pem"));
    assert_eq!(client.endpoints().peer_certificates(), certificates::chain("server.pem"));
    let plain = world.server_at("tls://localhost:0").tls(certificates::showing()).on_line(|line| async move {
        assert!(line.endpoints().peer_certificates().is_empty(), "nobody asked for any");
        Ok(())
    });
    let plain = plain.on("echo", echo).serve().await.expect("a port is free");
    let client = world.client(plain.address()).tls(certificates::showing_as_client()).connect().await;
    still_works(&client.expect("it is trusted")).await;
}

async fn who_is_asked_and_shows_nothing_is_turned_away(world: World) {
    let server = world.server_at("tls://localhost:0").tls(certificates::asking()).on("echo", echo);
    let server = server.serve().await.expect("a port is free");
    match world.client(server.address()).tls(certificates::trusting()).connect().await {
        // With TLS 1.3 a client is through before it is turned away.
        Err(Error::Tls(_) | Error::Closed(_) | Error::Io(_)) => {}
        other => panic!("{other:?}"),
    }
    assert!(server.lines().is_empty());
    let client = world.client(server.address()).tls(certificates::showing_as_client()).connect().await;
    still_works(&client.expect("each trusts the other")).await;
}
