//! Streams that are connected already, and what is particular to a transport.

pub(super) mod tls;
pub(super) mod websocket;

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ropeway_driver::{Address, ClientBuilder, Endpoint, Endpoints, Error, ServerBuilder};

use super::by_hand::{
    echo, mirror, octets, pass_until, queue, read_some, read_stream, read_to_end, still_works, turn, write_all,
    write_stream,
};
use super::{Scenario, scenarios};
use crate::certificates;
use crate::lab::Lab;
use crate::transport::{Sky, Transport};
use crate::world::{World, patient};

pub(super) const LIST: &[Scenario] = scenarios![
    a_stream_that_is_connected_already_is_a_line,
    streams_that_are_given_to_a_server_count_as_its_lines,
    within_a_process_lines_go_by_name if once,
    a_handshake_takes_only_so_long_and_holds_up_nobody if in_all_weathers,
    a_handshake_is_given_up_in_time if once,
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
    let server = Arc::new(server);
    let mut ends = Vec::new();
    for _ in 0..2 {
        let (near, _) = world.connect(&address).await;
        ends.push((near, world.accept(&listener).await.0));
    }
    let give = |(near, far)| {
        let (client, server) = (world.client_over(near), server.clone());
        (world.spawn(client.connect()), world.spawn(async move { server.serve_stream(far).await }))
    };
    let (second_end, first_end) = (ends.pop().expect("there are two"), ends.pop().expect("there are two"));
    let (first, given) = give(first_end);
    given.await;
    let first = first.await.expect("there is a place for it");
    let (second, waiting) = give(second_end);
    for _ in 0..20 {
        turn().await;
    }
    still_works(&first).await;
    assert!(!waiting.is_done() && !second.is_done(), "its place is taken");
    drop(first);
    waiting.await;
    still_works(&second.await.expect("there is a place for it now")).await;
}

async fn within_a_process_lines_go_by_name(world: World) {
    // The scenario may run twice at once.
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let name = format!("by-name-{}", RUNS.fetch_add(1, Ordering::Relaxed));
    let at = format!("mem://{name}");
    let (give, take) = queue();
    let server = world.server_at(&*at).on("echo", echo).on_line(move |line| {
        give.put(line.endpoints().clone());
        async { Ok(()) }
    });
    let server = server.serve().await.expect("the name is free");
    assert_eq!(server.address(), &Address::Mem(name.clone()));
    let client = world.client(server.address()).connect().await.expect("it listens");
    let (named, unnamed) = (Some(Endpoint::Mem(Some(name))), Some(Endpoint::Mem(None)));
    assert_eq!(client.endpoints(), &Endpoints::new(unnamed.clone(), named.clone()));
    assert_eq!(take.next().await, Endpoints::new(named, unnamed));
    still_works(&client).await;
    match world.server_at(&*at).serve().await {
        Err(Error::Io(error)) => assert_eq!(
            (error.kind(), &*error.to_string()),
            (ErrorKind::AddrInUse, &*format!("can't listen on {at}: somebody in this process listens there already"))
        ),
        other => panic!("{other:?}"),
    }
    let (far, elsewhere) = (server.lines().remove(0), world.client("mem://elsewhere").connect().await);
    match elsewhere {
        Err(Error::Io(error)) => assert_eq!(
            (error.kind(), &*error.to_string()),
            (ErrorKind::ConnectionRefused, "no line to mem://elsewhere: nobody in this process listens there")
        ),
        other => panic!("{other:?}"),
    }
    world.part(client, far).await;
}

async fn a_handshake_takes_only_so_long_and_holds_up_nobody(world: World) {
    let mut config = patient();
    config.protocol.hello_timeout = Duration::from_secs(3);
    for (listening, begins) in [
        ("tls://localhost:0", &b"\x16\x03\x01\x02\x00\x01"[..]),
        ("ws://localhost:0/line", b"GET /line HTTP/1.1\r\nHost: localhost\r\n"),
        ("wss://localhost:0/line", b"\x16\x03\x01\x02\x00\x01"),
    ] {
        let server = server_at(&world, listening).config(config.clone()).on("echo", echo);
        let server = server.serve().await.expect("a port is free");
        let mut silent = Vec::new();
        for says in [&b""[..], begins] {
            let (mut stream, _) = world.connect(&beneath(server.address())).await;
            write_all(&mut stream, says).await.expect("the server reads");
            silent.push(stream);
        }
        // Who comes behind them is served, by a server that has taken them.
        let client = client_of(&world, server.address()).connect().await.expect("it listens");
        still_works(&client).await;
        world.time().pass(Duration::from_secs(3)).await;
        for mut stream in silent {
            assert_eq!(read_to_end(&mut stream).await, b"", "{listening}");
        }
        still_works(&client).await;
        let far = server.lines().remove(0);
        world.part(client, far).await;
    }
}

async fn a_handshake_is_given_up_in_time(world: World) {
    let mut config = patient();
    config.connect_timeout = Duration::from_secs(5);
    for scheme in ["tls", "ws", "wss"] {
        let (listener, address) = world.listen().await;
        let Address::Tcp { port, .. } = address else { panic!("it is of another transport") };
        let client = client_of(&world, &format!("{scheme}://localhost:{port}").parse().expect("it is an address"));
        let client = client.config(config.clone());
        let connecting = world.spawn(async move { client.connect().await });
        let (mut stream, _) = world.accept(&listener).await;
        assert!(!read_some(&mut stream).await.is_empty(), "the client speaks first");
        assert!(pass_until(&world, &connecting).await >= Duration::from_secs(5));
        match connecting.await {
            Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::TimedOut, "{scheme}"),
            other => panic!("{scheme}: {other:?}"),
        }
    }
}

/// A server that has what any transport needs.
fn server_at(world: &World, address: &str) -> ServerBuilder<Lab> {
    world.server_at(address).tls(certificates::showing())
}

/// A client that has what any transport needs.
fn client_of(world: &World, address: &Address) -> ClientBuilder<Lab> {
    world.client(address).tls(certificates::trusting())
}

/// Lines over a transport carry requests either way, a large body, and streams each way at once.
async fn carries_all_there_is(world: &World, listening: &str, check: impl FnOnce(&Address)) {
    let server = server_at(world, listening).on("echo", echo).on_message("mirror", mirror);
    let server = server.serve().await.expect("a port is free");
    check(server.address());
    let client = client_of(world, server.address()).on("echo", echo).connect().await.expect("it is let in");
    still_works(&client).await;
    let text = "tatze".repeat(world.much(200_000));
    let answer = client.request::<_, String>("echo", &text).await.expect("it answers");
    assert!(answer == text);
    let content = octets(world.much(1_000_000), 1);
    let (writer, mut reader) = client.open("mirror", &()).into_stream().await.expect("it is taken");
    let sent = content.clone();
    let writing = world.spawn(async move { write_stream(writer, &sent).await });
    assert!(read_stream(&mut reader).await.expect("it is complete") == content);
    writing.await.expect("it is read");
    let far = server.lines().remove(0);
    still_works(&far).await;
    world.part(client, far).await;
}

/// The socket under an address.
fn beneath(address: &Address) -> Address {
    match address.clone() {
        Address::Tls { host, port } | Address::Ws { host, port, .. } | Address::Wss { host, port, .. } => {
            Address::Tcp { host, port }
        }
        other => other,
    }
}
