//! Addresses, and what is known of the two ends.

use std::future::poll_fn;
use std::io::IoSlice;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use futures_io::AsyncWrite;
use ropeway_driver::{Address, AddressError, Endpoint, Error, Runtime, SocketOptions};

use super::by_hand::{echo, pass_until, queue, read_to_end, still_works, until};
use super::{Scenario, scenarios};
use crate::transport::Transport;
use crate::world::{World, patient};

pub(super) const LIST: &[Scenario] = scenarios![
    both_ends_know_where_the_other_is if |transport| transport == Transport::Tcp,
    a_client_binds_where_it_is_told if |transport| transport == Transport::Tcp,
    every_address_of_a_host_is_tried if |transport| transport == Transport::Tcp,
    only_addresses_that_the_local_one_can_reach_are_tried if |transport| transport == Transport::Tcp,
    connecting_to_who_does_not_answer_is_given_up
        if |transport| cfg!(target_os = "linux") && transport == Transport::Tcp,
    several_pieces_go_in_one_call if |transport| matches!(transport, Transport::Tcp | Transport::Unix),
    delay_is_switchable if |transport| transport == Transport::Tcp,
    a_path_is_known_and_removed_in_the_end if |transport| transport == Transport::Unix,
    a_path_that_became_anothers_stays if |transport| transport == Transport::Unix,
    a_path_left_behind_is_taken_over if |transport| transport == Transport::Unix,
    an_address_is_taken_once if |transport| !matches!(transport, Transport::Pipe(_) | Transport::Layered(..) | Transport::Sealed(_)),
    who_does_not_listen_can_not_be_reached,
    connecting_takes_only_so_long,
    what_is_no_address_is_refused,
];

async fn both_ends_know_where_the_other_is(world: World) {
    let (give, take) = queue();
    let server = world.server().on_line(move |line| {
        give.put(line.endpoints().clone());
        async { Ok(()) }
    });
    let server = server.serve().await.expect("the address is free");
    let Address::Tcp { host, port } = server.address().clone() else { panic!("it is of another transport") };
    assert!(host == "127.0.0.1" && port > 0, "the system picks a port");
    let client = world.client(server.address()).connect().await.expect("it listens");
    let (ours, theirs) = (client.endpoints().clone(), take.next().await);
    assert_eq!(ours.peer, Some(Endpoint::Tcp((Ipv4Addr::LOCALHOST, port).into())));
    assert_eq!((ours.local, ours.peer), (theirs.peer, theirs.local));
}

async fn a_client_binds_where_it_is_told(world: World) {
    let server = world.server().on("echo", echo).serve().await.expect("the address is free");
    let mut socket = SocketOptions::default();
    let local = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), 0));
    socket.local = Some(local);
    let client = world.client(server.address()).socket(socket).connect().await.expect("it listens");
    match client.endpoints().local {
        Some(Endpoint::Tcp(bound)) => assert_eq!(bound.ip(), local.ip()),
        ref other => panic!("{other:?}"),
    }
    still_works(&client).await;
}

/// A name may have an address of each family, and only one of them listens.
async fn every_address_of_a_host_is_tried(world: World) {
    let server = world.server().on("echo", echo).serve().await.expect("the address is free");
    let Address::Tcp { port, .. } = *server.address() else { panic!("it is of another transport") };
    let client = world.client(Address::Tcp { host: "localhost".into(), port }).connect().await;
    still_works(&client.expect("one of them listens")).await;
}

async fn only_addresses_that_the_local_one_can_reach_are_tried(world: World) {
    let server = world.server().on("echo", echo).serve().await.expect("the address is free");
    let Address::Tcp { port, .. } = *server.address() else { panic!("it is of another transport") };
    let mut socket = SocketOptions::default();
    socket.local = Some((Ipv4Addr::LOCALHOST, 0).into());
    let named = Address::Tcp { host: "localhost".into(), port };
    let client = world.client(named).socket(socket.clone()).connect().await.expect("it listens");
    still_works(&client).await;
    socket.local = Some((Ipv6Addr::LOCALHOST, 0).into());
    match world.client(server.address()).socket(socket).connect().await {
        Err(Error::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
        other => panic!("{other:?}"),
    }
}

/// A listener whose backlog is full drops who knocks.
async fn connecting_to_who_does_not_answer_is_given_up(world: World) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let mut knocked = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(20)) {
        knocked.push(stream);
    }
    let mut config = patient();
    config.connect_timeout = Duration::from_secs(5);
    let client = world.client(address).config(config);
    let connecting = world.spawn(async move { client.connect().await });
    assert!(pass_until(&world, &connecting).await >= Duration::from_secs(5));
    match connecting.await {
        Err(Error::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::TimedOut),
        other => panic!("{other:?}"),
    }
    drop(listener);
}

/// TLS hands over a record at a time: a call each would cost more than the ciphers.
async fn several_pieces_go_in_one_call(world: World) {
    let (listener, address) = world.listen().await;
    let (mut near, _) = world.connect(&address).await;
    let (mut far, _) = world.accept(&listener).await;
    let pieces = [IoSlice::new(b"by "), IoSlice::new(b""), IoSlice::new(b"cable")];
    let taken = poll_fn(|cx| Pin::new(&mut near).poll_write_vectored(cx, &pieces)).await;
    assert_eq!(taken.expect("the peer is there"), 8);
    drop(near);
    assert_eq!(read_to_end(&mut far).await, b"by cable");
}

async fn delay_is_switchable(world: World) {
    for no_delay in [true, false] {
        let mut socket = SocketOptions::default();
        assert!(socket.no_delay, "what belongs together is gathered by the driver");
        socket.no_delay = no_delay;
        let server = world.server().socket(socket.clone()).on("echo", echo);
        let server = server.serve().await.expect("the address is free");
        let client = world.client(server.address()).socket(socket).connect().await.expect("it listens");
        still_works(&client).await;
    }
}

async fn a_path_is_known_and_removed_in_the_end(world: World) {
    let (give, take) = queue();
    let server = world.server().on_line(move |line| {
        give.put(line.endpoints().clone());
        async { Ok(()) }
    });
    let server = server.serve().await.expect("the address is free");
    let Address::Unix(path) = server.address().clone() else { panic!("it is of another transport") };
    let client = world.client(server.address()).connect().await.expect("it listens");
    assert_eq!(client.endpoints().peer, Some(Endpoint::Unix(Some(path.clone()))));
    assert_eq!(take.next().await.peer, Some(Endpoint::Unix(None)), "a client's has no path");
    assert!(Path::exists(&path));
    drop(server);
    until(|| !Path::exists(&path)).await;
    client.ended().await;
}

async fn a_path_that_became_anothers_stays(world: World) {
    let first = world.server().serve().await.expect("the address is free");
    let Address::Unix(path) = first.address().clone() else { panic!("it is of another transport") };
    std::fs::remove_file(&path).expect("it is there");
    let second = world.server_at(first.address()).on("echo", echo).serve().await.expect("the path is free");
    first.shutdown(Duration::from_secs(3600)).await;
    let client = world.client(second.address()).connect().await.expect("it is still there");
    still_works(&client).await;
}

/// By a process that was killed. What is no socket is somebody's file.
async fn a_path_left_behind_is_taken_over(world: World) {
    let (listener, address) = world.listen().await;
    drop(listener);
    let Address::Unix(path) = &address else { panic!("it is of another transport") };
    std::fs::write(path, "precious").expect("the folder is there");
    match world.server_at(&address).serve().await {
        Err(Error::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse),
        other => panic!("{other:?}"),
    }
    assert_eq!(std::fs::read(path).expect("it is still there"), b"precious");
    std::fs::remove_file(path).expect("it is still there");
    drop(std::os::unix::net::UnixListener::bind(path).expect("the path is free"));
    assert!(Path::exists(path), "the system leaves it");
    let server = world.server_at(&address).on("echo", echo).serve().await.expect("nobody listens");
    still_works(&world.client(server.address()).connect().await.expect("it listens")).await;
}

async fn an_address_is_taken_once(world: World) {
    let server = world.server().on("echo", echo).serve().await.expect("the address is free");
    let twice = world.server_at(server.address()).serve().await;
    match twice {
        Err(Error::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse),
        other => panic!("{other:?}"),
    }
    let client = world.client(server.address()).connect().await.expect("the first one listens still");
    still_works(&client).await;
}

async fn who_does_not_listen_can_not_be_reached(world: World) {
    let (listener, address) = world.listen().await;
    drop(listener);
    match world.client(&address).connect().await {
        Err(Error::Io(error)) => {
            let kind = error.kind();
            assert!(matches!(kind, std::io::ErrorKind::ConnectionRefused | std::io::ErrorKind::NotFound), "{kind}");
        }
        other => panic!("{other:?}"),
    }
}

async fn connecting_takes_only_so_long(world: World) {
    let (_listener, address) = world.listen().await;
    let mut config = patient();
    config.connect_timeout = Duration::from_secs(5);
    world.hang_connecting();
    let client = world.client(&address).config(config);
    let connecting = world.spawn(async move { client.connect().await });
    assert!(pass_until(&world, &connecting).await >= Duration::from_secs(5));
    match connecting.await {
        Err(Error::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::TimedOut),
        other => panic!("{other:?}"),
    }
}

async fn what_is_no_address_is_refused(world: World) {
    match world.client("http://localhost:80").connect().await {
        Err(Error::Address(error)) => assert_eq!(error, AddressError::UnknownScheme("http".into())),
        other => panic!("{other:?}"),
    }
    match world.server_at("tcp://localhost").serve().await {
        Err(Error::Address(error)) => assert_eq!(error, AddressError::NoPort),
        other => panic!("{other:?}"),
    }
}

/// Over TCP. It is for the binding to say whether its stream does.
pub async fn small_segments_go_at_once_unless_told<R: Runtime + Default>(at_once: fn(&R::Stream) -> bool) {
    let runtime = R::default();
    let any = Address::Tcp { host: "127.0.0.1".into(), port: 0 };
    let (listener, address) = runtime.listen(&any).await.expect("a port is free");
    for no_delay in [SocketOptions::default().no_delay, false, true] {
        let mut options = SocketOptions::default();
        options.no_delay = no_delay;
        // The system connects them before the one is accepted.
        let (near, _) = runtime.connect(&address, &options).await.expect("it listens");
        let (far, _) = runtime.accept(&listener, &options).await.expect("it connects");
        assert_eq!((at_once(&near), at_once(&far)), (no_delay, no_delay));
    }
}
