//! Streams that are connected already, and what is particular to a transport.

use ropeway_driver::{Address, Endpoint, Endpoints, Error};

use super::by_hand::{echo, queue, still_works, turn};
use super::{Scenario, scenarios};
use crate::transport::{Sky, Transport};
use crate::world::World;

pub(super) const LIST: &[Scenario] = scenarios![
    a_stream_that_is_connected_already_is_a_line,
    streams_that_are_given_to_a_server_count_as_its_lines,
    within_a_process_lines_go_by_name if once,
];

/// What brings its own transport runs over one.
fn once(transport: Transport) -> bool {
    transport == Transport::Pipe(Sky::Fair)
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
