//! Streams that are connected already, and what is particular to a transport.

use std::io::ErrorKind;
use std::time::Duration;

use ropeway_driver::rustls::{self, CertificateError};
use ropeway_driver::{Address, ClientTls, Endpoint, Endpoints, Error, Line, TlsError};

use super::by_hand::{
    echo, hello, mirror, octets, pass_until, queue, read_some, read_stream, read_to_end, still_works, turn, write_all,
    write_stream,
};
use super::{Scenario, scenarios};
use crate::certificates;
use crate::transport::{Sky, Transport};
use crate::world::{World, patient};

pub(super) const LIST: &[Scenario] = scenarios![
    a_stream_that_is_connected_already_is_a_line,
    streams_that_are_given_to_a_server_count_as_its_lines,
    within_a_process_lines_go_by_name if once,
    tls_carries_all_there_is_in_any_weather if in_all_weathers,
    who_is_not_to_be_trusted_is_named if once,
    tls_without_its_settings_is_refused if once,
    who_speaks_no_tls_is_turned_away if once,
    a_tls_handshake_takes_only_so_long_and_holds_up_nobody if in_all_weathers,
    a_tls_handshake_is_given_up_in_time if once,
];

/// What brings its own transport runs over one.
fn once(transport: Transport) -> bool {
    transport == Transport::Pipe(Sky::Fair)
}

fn in_all_weathers(transport: Transport) -> bool {
    matches!(transport, Transport::Pipe(_) | Transport::Tcp)
}

async fn a_stream_that_is_connected_already_is_a_line(world: World) {
    let (listener, address) = world.listen().await;
    let (near, _) = world.connect(&address).await;
    let (far, _) = world.accept(&listener).await;
    let server = world.server_at("mem://").on("echo", echo).serve().await.expect("there is a name left");
    server.serve_stream(far).await;
    let client = world.client_over(near).on("echo", echo).connect().await.expect("the server answers");
    assert_eq!(client.endpoints(), &Endpoints::default());
    still_works(&client).await;
    let far = server.lines().remove(0);
    still_works(&far).await;
    world.part(client, far).await;
}

async fn streams_that_are_given_to_a_server_count_as_its_lines(world: World) {
    let (listener, address) = world.listen().await;
    let server = world.server_at("mem://").max_lines(1).on("echo", echo).serve().await.expect("there is a name left");
    let server = std::sync::Arc::new(server);
    let mut ends = Vec::new();
    for _ in 0..2 {
        let (near, _) = world.connect(&address).await;
        ends.push((near, world.accept(&listener).await.0));
    }
    let mut sides = Vec::new();
    for (near, far) in ends {
        let (client, server) = (world.client_over(near), server.clone());
        let (connecting, giving) =
            (world.spawn(client.connect()), world.spawn(async move { server.serve_stream(far).await }));
        for _ in 0..20 {
            turn().await;
        }
        sides.push((connecting, giving));
    }
    let (second, waiting) = sides.pop().expect("there are two");
    let (first, given) = sides.pop().expect("there are two");
    given.await;
    let first = first.await.expect("there is a place for it");
    still_works(&first).await;
    assert!(!waiting.is_done() && !second.is_done(), "its place is taken");
    drop(first);
    waiting.await;
    still_works(&second.await.expect("there is a place for it now")).await;
}

async fn within_a_process_lines_go_by_name(world: World) {
    let (give, take) = queue();
    let server = world.server_at("mem://by-name").on("echo", echo).on_line(move |line| {
        give.put(line.endpoints().clone());
        async { Ok(()) }
    });
    let server = server.serve().await.expect("the name is free");
    assert_eq!(server.address(), &Address::Mem("by-name".into()));
    let client = world.client(server.address()).connect().await.expect("it listens");
    let (named, unnamed) = (Some(Endpoint::Mem(Some("by-name".into()))), Some(Endpoint::Mem(None)));
    assert_eq!(client.endpoints(), &Endpoints::new(unnamed.clone(), named.clone()));
    assert_eq!(take.next().await, Endpoints::new(named, unnamed));
    still_works(&client).await;
    match world.server_at("mem://by-name").serve().await {
        Err(Error::Io(error)) => assert_eq!(
            (error.kind(), &*error.to_string()),
            (std::io::ErrorKind::AddrInUse, "somebody in this process listens already on mem://by-name")
        ),
        other => panic!("{other:?}"),
    }
    let (far, elsewhere) = (server.lines().remove(0), world.client("mem://elsewhere").connect().await);
    match elsewhere {
        Err(Error::Io(error)) => assert_eq!(
            (error.kind(), &*error.to_string()),
            (std::io::ErrorKind::ConnectionRefused, "nobody in this process listens on mem://elsewhere")
        ),
        other => panic!("{other:?}"),
    }
    world.part(client, far).await;
}

async fn tls_carries_all_there_is_in_any_weather(world: World) {
    let server = world.server_at("tls://localhost:0").tls(certificates::showing());
    let server = server.on("echo", echo).on_message("mirror", mirror).serve().await.expect("a port is free");
    let Address::Tls { host, port } = server.address() else { panic!("it is of another transport") };
    assert!(host == "localhost" && *port > 0, "the name stays, the port is chosen");
    let client = world.client(server.address()).tls(certificates::trusting()).on("echo", echo);
    let client = client.connect().await.expect("it is to be trusted");
    carries_all_there_is(&world, &client).await;
    let far = server.lines().remove(0);
    still_works(&far).await;
    world.part(client, far).await;
}

/// A request, a large body, and streams each way at once.
async fn carries_all_there_is(world: &World, client: &Line) {
    still_works(client).await;
    let text = "tatze".repeat(world.much(200_000));
    let answer = client.request::<_, String>("echo", &text).await.expect("it answers");
    assert!(answer == text);
    let content = octets(world.much(1_000_000), 1);
    let (writer, mut reader) = client.open("mirror", &()).into_stream().await.expect("it is taken");
    let sent = content.clone();
    let writing = world.spawn(async move { write_stream(writer, &sent).await });
    assert!(read_stream(&mut reader).await.expect("it is complete") == content);
    writing.await.expect("it is read");
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
    match world
        .client(Address::Tls { host: host.replace("pipe", "localhost"), port })
        .tls(certificates::trusting())
        .connect()
        .await
    {
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof),
        other => panic!("{other:?}"),
    }
}

async fn a_tls_handshake_takes_only_so_long_and_holds_up_nobody(world: World) {
    let mut config = patient();
    config.protocol.hello_timeout = Duration::from_secs(3);
    let server = world.server_at("tls://localhost:0").tls(certificates::showing()).config(config);
    let server = server.on("echo", echo).serve().await.expect("a port is free");
    let mut silent = Vec::new();
    for says in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let (mut stream, _) = world.connect(&beneath(server.address())).await;
        write_all(&mut stream, says).await.expect("the server reads");
        silent.push(stream);
    }
    // Who comes behind them is served, by a server that has taken them.
    let client = world.client(server.address()).tls(certificates::trusting()).connect().await;
    let client = client.expect("it listens");
    still_works(&client).await;
    world.time().pass(Duration::from_secs(3)).await;
    for mut stream in silent {
        assert_eq!(read_to_end(&mut stream).await, b"");
    }
    still_works(&client).await;
    let far = server.lines().remove(0);
    world.part(client, far).await;
}

async fn a_tls_handshake_is_given_up_in_time(world: World) {
    let (listener, address) = world.listen().await;
    let Address::Tcp { port, .. } = address else { panic!("it is of another transport") };
    let mut config = patient();
    config.connect_timeout = Duration::from_secs(5);
    let client = world.client(Address::Tls { host: "localhost".into(), port }).tls(certificates::trusting());
    let client = client.config(config);
    let connecting = world.spawn(async move { client.connect().await });
    let (mut stream, _) = world.accept(&listener).await;
    assert_eq!(read_some(&mut stream).await[0], 0x16);
    assert!(pass_until(&world, &connecting).await >= Duration::from_secs(5));
    match connecting.await {
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::TimedOut),
        other => panic!("{other:?}"),
    }
}

/// The socket under an address.
fn beneath(address: &Address) -> Address {
    match address.clone() {
        Address::Tls { host, port } => Address::Tcp { host, port },
        other => other,
    }
}
