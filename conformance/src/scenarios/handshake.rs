//! The hello: who is let in, how long that may take, and what limits it sets.

use std::time::Duration;

use ropeway_driver::protocol::{Field, Foreign, Limit, MAGIC, PeerError};
use ropeway_driver::{CloseCode, Error, Line, Reason, Router};

use super::by_hand::{echo, octets, queue, read_some, read_to_end, still_works, until, write_all};
use super::{Scenario, scenarios};
use crate::weather::Way;
use crate::world::{World, patient};

pub(super) const LIST: &[Scenario] = scenarios![
    foreign_protocols_are_turned_away_and_harm_no_other_line,
    a_foreign_server_is_named,
    a_peer_without_a_hello_is_gone_in_time,
    a_server_without_a_hello_is_given_up_in_time,
    first_messages_right_behind_the_hello_are_not_lost,
    each_end_knows_what_the_other_takes,
    what_is_too_large_is_refused_at_the_sender_with_the_limit,
];

const FOREIGNERS: &[(&[u8], Foreign)] = &[
    (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", Foreign::Http),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", Foreign::Http),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", Foreign::Tls),
    (b"SSH-2.0-OpenSSH_9.2\r\n", Foreign::Ssh),
    (b"\0\0\0\0\0\0\0\0", Foreign::Unknown),
    (b"\xf2RWX\xff\xff\xff\xff", Foreign::Unknown),
];

async fn foreign_protocols_are_turned_away_and_harm_no_other_line(world: World) {
    let (give, unopened) = queue();
    let server = world.server().on("echo", echo).on_unopened(move |_, ended| give.put(ended.reason));
    let server = server.serve().await.expect("the address is free");
    let line = world.client(server.address()).connect().await.expect("it listens");
    let noise = octets(3000, 1);
    for (said, foreign) in FOREIGNERS.iter().copied().chain([(&noise[..], Foreign::Unknown)]) {
        let (mut stream, _) = world.connect(server.address()).await;
        // The server may hang up before all is written.
        let _ = write_all(&mut stream, said).await;
        assert_eq!(read_to_end(&mut stream).await, b"", "nothing is answered");
        assert_eq!(unopened.next().await, Reason::PeerError(PeerError::NotRopeway(foreign)));
        still_works(&line).await;
        assert_eq!(server.lines().len(), 1);
    }
    let far = server.lines().remove(0);
    world.part(line, far).await;
}

async fn a_foreign_server_is_named(world: World) {
    for (said, foreign) in FOREIGNERS {
        let (listener, address) = world.listen().await;
        let client = world.client(&address);
        let connecting = world.spawn(async move { client.connect().await });
        let (mut stream, _) = world.accept(&listener).await;
        // The client may hang up before all is written.
        let _ = write_all(&mut stream, said).await;
        match connecting.await {
            Err(Error::Closed(ended)) => {
                assert_eq!(ended.reason, Reason::PeerError(PeerError::NotRopeway(*foreign)));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// C1. Silent, or slow enough to seem alive.
async fn a_peer_without_a_hello_is_gone_in_time(world: World) {
    let mut config = patient();
    config.protocol.hello_timeout = Duration::from_secs(3);
    let server = world.server().config(config).on("echo", echo).serve().await.expect("the address is free");
    let line = world.client(server.address()).connect().await.expect("it listens");
    // The server may need more than the client to be so far.
    still_works(&line).await;
    for says in [&b""[..], b"\xf2RWY\x30\0\x01\x01\0\0"] {
        let gate = world.gate_far();
        gate.shut(Way::Read);
        let (mut stream, _) = world.connect(server.address()).await;
        // Its time begins when the server has it.
        gate.held(Way::Read).await;
        gate.open(Way::Read);
        let (first, rest) = says.split_at(says.len() / 2);
        write_all(&mut stream, first).await.expect("the server waits");
        world.time().pass(Duration::from_millis(2999)).await;
        write_all(&mut stream, rest).await.expect("the server still waits");
        world.time().pass(Duration::from_millis(1)).await;
        assert_eq!(read_to_end(&mut stream).await, b"");
        still_works(&line).await;
    }
    let far = server.lines().remove(0);
    world.part(line, far).await;
}

async fn a_server_without_a_hello_is_given_up_in_time(world: World) {
    let mut config = patient();
    config.protocol.hello_timeout = Duration::from_secs(3);
    let (listener, address) = world.listen().await;
    let client = world.client(&address).config(config);
    let connecting = world.spawn(async move { client.connect().await });
    let (mut stream, _) = world.accept(&listener).await;
    // The client speaks first, so when it has it also waits.
    assert_eq!(read_some(&mut stream).await[0], MAGIC[0]);
    world.time().pass(Duration::from_secs(3)).await;
    match connecting.await {
        Err(Error::Closed(ended)) => assert_eq!(ended.reason, Reason::HelloTimeout),
        other => panic!("{other:?}"),
    }
}

async fn first_messages_right_behind_the_hello_are_not_lost(world: World) {
    const MANY: u32 = 100;
    async fn speak(line: Line) {
        for number in 0..MANY {
            line.notify("count", &number).await.expect("the hello comes");
        }
    }
    async fn hear(line: Line) {
        let mut messages = line.messages();
        for number in 0..MANY {
            let mut message = messages.next().await.expect("it comes");
            assert_eq!(message.decode::<u32>().await.expect("a number"), number);
        }
    }
    let (near, far) = world.strangers(patient(), patient()).await;
    let sides = [
        world.spawn(speak(near.clone())),
        world.spawn(hear(near.clone())),
        world.spawn(speak(far.clone())),
        world.spawn(hear(far.clone())),
    ];
    for side in sides {
        side.await;
    }
    world.part(near, far).await;
}

async fn each_end_knows_what_the_other_takes(world: World) {
    let (mut ours, mut theirs) = (patient(), patient());
    ours.lanes = 3;
    ours.protocol.max_message = 5000;
    theirs.flows = 2;
    theirs.protocol.max_name = 9;
    let (near, far) = world.pair_with(ours, theirs).await;
    let (of_near, of_far) = (far.peer_limits().expect("it said hello"), near.peer_limits().expect("it said hello"));
    assert_eq!((of_near.lanes, of_near.message, of_near.flows), (3, 5000, 256));
    assert_eq!((of_far.flows, of_far.name, of_far.lanes), (2, 9, 1024));
    world.part(near, far).await;
}

async fn what_is_too_large_is_refused_at_the_sender_with_the_limit(world: World) {
    let mut config = patient();
    config.protocol.max_message = 1000;
    config.protocol.max_name = 9;
    config.protocol.max_definitions = 2;
    config.protocol.max_attached = 0;
    let (near, far) = world.pair_with(patient(), config).await;
    world.serve(&far, Router::new().on("echo", echo));
    let check = |outcome: Result<(), Error>, field, asked, allowed| match outcome {
        Err(Error::TooLarge(limit)) => assert_eq!(limit, Limit { field, asked, allowed }),
        other => panic!("{other:?}"),
    };
    check(near.notify("echo", &octets(1001, 1)).await, Field::Message, 1001, 1000);
    check(near.request::<_, ()>("echo", &octets(5000, 1)).await, Field::Message, 5000, 1000);
    check(near.notify("ten octets", &()).await, Field::Name, 10, 9);
    check(near.open("echo", "").into_stream().await.map(drop), Field::Attached, 1, 0);
    near.notify("second", &octets(1000, 1)).await.expect("as large as may be");
    check(near.notify("third", &()).await, Field::Definitions, 3, 2);
    still_works(&near).await;
    // Nothing of what was refused went.
    until(|| far.stats().received.notices == 1).await;
    assert_eq!(far.stats().received.requests, 1);
    let long = "ä".repeat(200);
    let ended = near.close(CloseCode::new(77).expect("below 4096"), &long).await;
    assert_eq!(ended.reason, Reason::ByUs(CloseCode::new(77).expect("below 4096")));
    let ended = far.ended().await;
    assert!(long.starts_with(&*ended.text) && ended.text.len() > 100, "a reason that is too long is cut");
}
