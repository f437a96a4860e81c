//! How lines end: in peace, in time, or at once.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ropeway_driver::{CloseCode, Code, Ended, Error, Line, Reason, Router};

use super::by_hand::{
    cut_short, echo, octets, pass_until, queue, read_stream, read_to_end, still_works, turn, until, write_stream,
};
use super::{Scenario, scenarios};
use crate::lab::Duplex;
use crate::transport::Transport;
use crate::weather::{Op, Outdoors, Verdict, Way, Weather};
use crate::world::{World, patient, tight};

pub(super) const LIST: &[Scenario] = scenarios![
    what_was_said_before_the_goodbye_arrives,
    the_goodbye_has_a_code_and_a_reason,
    no_verb_works_behind_the_goodbye,
    the_goodbye_is_flushed_before_the_transport_is_closed,
    both_may_close_at_once,
    closing_before_the_hello_ends_it,
    what_is_pending_when_the_line_dies_fails_at_once,
    a_cut_ends_it_at_once_at_both_ends,
    closing_returns_though_the_peer_does_not_read,
    a_cut_lets_go_of_a_peer_that_does_not_read,
    going_away_stops_new_exchanges_and_no_others,
    idle_waits_for_what_is_open,
    idle_waits_for_what_nobody_took,
    idle_waits_for_a_handler_that_does_not_wait_itself,
    shutdown_lets_what_is_open_end,
    shutdown_returns_by_its_deadline_whatever_peers_do,
    shutdown_stops_listening,
    shutdown_lets_go_of_some_lines_at_a_time if |transport| transport == Transport::Mem,
];

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(1);

async fn what_was_said_before_the_goodbye_arrives(world: World) {
    let (near, far) = world.pair().await;
    let many = world.much(4 * 1024 * 1024) / 4096;
    let line = far.clone();
    let hearer = world.spawn(async move {
        let (mut messages, mut heard) = (line.messages(), 0);
        while let Some(mut message) = messages.next().await {
            let body: Vec<u8> = message.decode().await.expect("it is whole");
            assert!(body == octets(4096, heard), "notice {heard} is torn");
            heard += 1;
        }
        heard
    });
    let line = near.clone();
    let speaker = world.spawn(async move {
        for number in 0..many {
            line.notify("any", &octets(4096, number)).await.expect("the line is up");
        }
        line.close(CloseCode::DONE, "").await
    });
    assert_eq!(speaker.await.reason, Reason::ByUs(CloseCode::DONE));
    assert_eq!(far.ended().await.reason, Reason::ByPeer(CloseCode::DONE));
    assert_eq!(hearer.await, many);
    let (sent, received) = (near.stats().sent, far.stats().received);
    assert_eq!((sent.notices, sent.frames, sent.octets), (received.notices, received.frames, received.octets));
}

async fn the_goodbye_has_a_code_and_a_reason(world: World) {
    let own = CloseCode::new(1234).expect("below 4096");
    let (near, far) = world.pair().await;
    let ended = near.close(own, "enough of this").await;
    assert_eq!(ended, Ended { reason: Reason::ByUs(own), text: "".into() });
    let ended = far.ended().await;
    assert_eq!(ended, Ended { reason: Reason::ByPeer(own), text: "enough of this".into() });
    assert_eq!(ended.to_string(), "closed by the peer: code 1234: enough of this");
    assert!(near.is_over() && far.is_over());
    assert_eq!(near.close(CloseCode::DONE, "").await.reason, Reason::ByUs(own), "once is enough");
}

/// To close is not to flush: a stream may lose what it still keeps.
async fn the_goodbye_is_flushed_before_the_transport_is_closed(world: World) {
    /// Flushes at the second try.
    #[derive(Default)]
    struct Keeps {
        something: bool,
        tried: bool,
    }
    impl Weather for Keeps {
        fn admit(&mut self, cx: &mut Context<'_>, op: Op, len: usize) -> Poll<Verdict> {
            assert!(op != Op::Close || !self.something, "it is closed before it is flushed");
            if op == Op::Flush && !std::mem::replace(&mut self.tried, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(Verdict::Pass(len))
        }

        fn seen(&mut self, _: &mut Context<'_>, op: Op, outcome: &Poll<io::Result<usize>>) {
            match (op, outcome) {
                (Op::Write, Poll::Ready(Ok(_))) => *self = Keeps { something: true, tried: false },
                (Op::Flush, Poll::Ready(Ok(_))) => self.something = false,
                _ => {}
            }
        }
    }
    let (listener, address) = world.listen().await;
    let (stream, ends) = world.connect(&address).await;
    let stream: Duplex = Box::new(stream.under(Keeps::default()));
    let (near, driver) = world.near_end((stream, ends), patient());
    world.background(driver);
    let (far, driver) = world.far_end(world.accept(&listener).await, patient());
    world.background(driver);
    near.notify("any", &octets(1000, 1)).await.expect("the line is up");
    assert_eq!(near.close(CloseCode::DONE, "").await.reason, Reason::ByUs(CloseCode::DONE));
    assert_eq!(far.ended().await.reason, Reason::ByPeer(CloseCode::DONE));
}

async fn no_verb_works_behind_the_goodbye(world: World) {
    let (near, far) = world.pair().await;
    near.close(CloseCode::DONE, "").await;
    far.ended().await;
    for line in [&near, &far] {
        assert!(matches!(line.notify("any", "").await, Err(Error::Closed(_))));
        assert!(matches!(line.request::<_, ()>("any", "").await, Err(Error::Closed(_))));
        assert!(matches!(line.open("any", "").send().await, Err(Error::Closed(_))));
        assert!(matches!(line.open("any", "").into_stream().await, Err(Error::Closed(_))));
        assert!(matches!(line.ping().await, Err(Error::Closed(_))));
        assert!(matches!(line.go_away().await, Err(Error::Closed(_))));
        assert!(line.messages().next().await.is_none());
        line.idle().await;
    }
}

async fn both_may_close_at_once(world: World) {
    let (near, far) = world.pair().await;
    let sides = [near, far].map(|line| world.spawn(async move { line.close(CloseCode::DONE, "").await }));
    for side in sides {
        let reason = side.await.reason;
        let done = CloseCode::DONE;
        assert!(reason == Reason::ByUs(done) || reason == Reason::ByPeer(done), "{reason}");
    }
}

async fn closing_before_the_hello_ends_it(world: World) {
    // Whether the driver has begun: then the hello is said, and over some transports waits for their own handshake.
    for begun in [false, true] {
        let (listener, address) = world.listen().await;
        let (near, mut driver) = world.near_end(world.connect(&address).await, patient());
        if begun {
            assert!(poll_fn(|cx| Poll::Ready(Pin::new(&mut driver).poll(cx))).await.is_pending());
        }
        assert_eq!(near.close(CloseCode::DONE, "").await.reason, Reason::ByUs(CloseCode::DONE));
        let driving = world.spawn(driver);
        let by_us = Reason::ByUs(CloseCode::DONE);
        if world.transport().has_handshake() {
            // Nobody answers that yet, and the hello would come behind it.
            assert_eq!(driving.await.reason, by_us);
            let (mut stream, _) = world.accept(&listener).await;
            assert_eq!(read_to_end(&mut stream).await, b"");
        } else {
            let (mut stream, _) = world.accept(&listener).await;
            read_to_end(&mut stream).await;
            drop(stream);
            assert_eq!(driving.await.reason, by_us);
        }
    }
}

async fn what_is_pending_when_the_line_dies_fails_at_once(world: World) {
    let mut config = tight();
    config.lanes = 8;
    let (near, far) = world.pair_with(patient(), config).await;
    let own = || near.clone();
    let closed = |error: Error| match error {
        Error::Closed(ended) => assert_eq!(ended.reason, Reason::Eof),
        other => panic!("{other:?}"),
    };
    // All that a program can wait for.
    let (writer, mut reader) = near.open("any", &()).into_stream().await.expect("the line is up");
    let mut second = near.open("any", &()).into_stream().await.expect("the line is up").0;
    second.send(b"some").await.expect("there is credit");
    let mut asked = near.open("any", &()).send().await.expect("the line is up");
    let mut streaming = near.open("any", &()).send().await.expect("the line is up");
    let (line, mut sides) = (own(), Vec::new());
    sides.push(world.spawn(async move { line.request::<_, ()>("any", &()).await.expect_err("nobody answers") }));
    sides.push(world.spawn(async move { asked.next().await.expect("it fails").expect_err("nobody answers") }));
    sides.push(world.spawn(async move { streaming.stream().await.expect_err("nobody answers") }));
    let line = own();
    sides.push(
        world.spawn(async move { line.request::<_, ()>("any", &octets(800_000, 1)).await.expect_err("too much") }),
    );
    let line = own();
    sides.push(world.spawn(async move {
        loop {
            if let Err(error) = line.notify("any", &octets(1000, 1)).await {
                return error;
            }
        }
    }));
    sides.push(world.spawn(async move { write_stream(writer, &octets(800_000, 1)).await.expect_err("nobody reads") }));
    sides.push(world.spawn(async move { second.finish().await.expect_err("nobody reads") }));
    sides.push(world.spawn(async move { reader.chunk().await.expect_err("nobody writes") }));
    let line = own();
    let over = world.spawn(async move { line.messages().next().await.is_none() });
    let (one, two) = (own(), own());
    let idle = world.spawn(async move { one.idle().await });
    let ended = world.spawn(async move { two.ended().await });
    // Until everyone waits: the window and the credit are used up.
    until(|| far.stats().received.notices > 15 && far.stats().received.flow_octets > 25_000).await;
    far.cut();
    for side in sides {
        closed(side.await);
    }
    assert!(over.await);
    idle.await;
    assert_eq!(ended.await.reason, Reason::Eof);
}

async fn a_cut_ends_it_at_once_at_both_ends(world: World) {
    let (near, far) = world.pair().await;
    let line = far.clone();
    let asker = world.spawn(async move { line.request::<_, ()>("any", &()).await });
    let message = near.messages().next().await.expect("it comes");
    near.cut();
    assert_eq!(near.ended().await.reason, Reason::Eof);
    assert_eq!(far.ended().await.reason, Reason::Eof);
    assert!(matches!(asker.await, Err(Error::Closed(_))));
    drop(message);
}

/// C10. With the patience it was given, and no other.
async fn closing_returns_though_the_peer_does_not_read(world: World) {
    let mut config = patient();
    config.close_timeout = 5 * SECOND;
    config.protocol.heartbeat = Duration::ZERO;
    let gate = world.gate_near();
    let (near, far) = world.pair_with(config, patient()).await;
    gate.shut(Way::Write);
    near.notify("any", &octets(1000, 1)).await.expect("there is room for it");
    gate.held(Way::Write).await;
    let line = near.clone();
    let closing = world.spawn(async move { line.close(CloseCode::DONE, "").await });
    assert!(pass_until(&world, &closing).await >= 5 * SECOND);
    assert_eq!(closing.await.reason, Reason::ByUs(CloseCode::DONE));
    assert_eq!(far.ended().await.reason, Reason::Eof, "the transport is let go of");
}

async fn a_cut_lets_go_of_a_peer_that_does_not_read(world: World) {
    let mut config = patient();
    config.protocol.heartbeat = Duration::ZERO;
    let gate = world.gate_near();
    let (near, far) = world.pair_with(config, patient()).await;
    gate.shut(Way::Write);
    near.notify("any", &octets(1000, 1)).await.expect("there is room for it");
    gate.held(Way::Write).await;
    near.cut();
    assert_eq!(near.ended().await.reason, Reason::Eof);
    assert_eq!(far.ended().await.reason, Reason::Eof, "the transport is let go of");
}

async fn going_away_stops_new_exchanges_and_no_others(world: World) {
    let (near, far) = world.pair().await;
    let line = far.clone();
    let asker = world.spawn(async move { line.request::<_, u32>("any", &()).await });
    let message = near.messages().next().await.expect("it comes");
    near.go_away().await.expect("the line is up");
    until(|| far.is_peer_away()).await;
    assert!(matches!(far.notify("any", "").await, Err(Error::Away)));
    assert!(matches!(far.request::<_, ()>("any", "").await, Err(Error::Away)));
    assert!(matches!(far.open("any", "").into_stream().await, Err(Error::Away)));
    assert!(!near.is_peer_away());
    // What is open goes on, and the other way is free.
    message.answer(&5u32).await.expect("it is waited for");
    assert_eq!(asker.await.expect("it is answered"), 5);
    world.serve(&far, Router::new().on("echo", echo));
    still_works(&near).await;
    near.idle().await;
    near.close(CloseCode::AWAY, "").await;
    assert_eq!(far.ended().await.reason, Reason::ByPeer(CloseCode::AWAY));
}

async fn idle_waits_for_what_is_open(world: World) {
    let (near, far) = world.pair().await;
    near.idle().await;
    // A request, and a stream that outlives it.
    let (writer, mut reader) = near.open("any", &()).into_stream().await.expect("the line is up");
    let mut message = far.messages().next().await.expect("it comes");
    let idle = [near.clone(), far.clone()].map(|line| world.spawn(async move { line.idle().await }));
    let mut stream = message.stream().await.expect("it brings one");
    message.code(Code::OK);
    reader.chunk().await.expect_err("it is answered without a stream");
    assert!(idle.iter().all(|side| !side.is_done()));
    let writing = world.spawn(async move { write_stream(writer, &octets(1000, 1)).await });
    assert!(read_stream(&mut stream).await.expect("it is complete") == octets(1000, 1));
    writing.await.expect("it was read");
    for side in idle {
        side.await;
    }
    drop((reader, stream));
    world.part(near, far).await;
}

async fn idle_waits_for_what_nobody_took(world: World) {
    let (near, far) = world.pair().await;
    for many in 1..4 {
        for _ in 0..many {
            near.notify("any", "").await.expect("the line is up");
        }
        until(|| far.stats().received.notices == (1..=many).sum()).await;
        let line = far.clone();
        let idle = world.spawn(async move { line.idle().await });
        for _ in 0..20 {
            turn().await;
        }
        assert!(!idle.is_done());
        let mut messages = far.messages();
        for _ in 0..many {
            messages.next().await.expect("it comes");
        }
        idle.await;
    }
    world.part(near, far).await;
}

async fn idle_waits_for_a_handler_that_does_not_wait_itself(world: World) {
    let (near, far) = world.pair().await;
    let (give, take) = queue();
    let router = Router::new().on_message("log", move |message| {
        let give = give.clone();
        async move {
            give.put(cut_short(1, message.line().idle()).await.is_none());
            Ok(())
        }
    });
    let mut run = Box::pin(Arc::new(router).serve(far.clone(), 1));
    for many in 1..4 {
        for _ in 0..many {
            near.notify("log", "").await.expect("the line is up");
        }
        until(|| far.stats().received.notices == (1..=many).sum()).await;
        assert!(cut_short(1, &mut run).await.is_none());
        for _ in 0..many {
            assert!(take.next().await, "it was taken for idle while a handler ran");
        }
        far.idle().await;
    }
    drop(run);
    world.part(near, far).await;
}

async fn shutdown_lets_what_is_open_end(world: World) {
    let (give, take) = queue();
    let server = world.server().on_message("work", move |message| {
        give.put(message);
        async { Ok(()) }
    });
    let server = server.serve().await.expect("the address is free");
    let client = world.client(server.address()).connect().await.expect("it listens");
    let idler = world.client(server.address()).connect().await.expect("it listens");
    let line = client.clone();
    let asker = world.spawn(async move { line.request::<_, String>("work", &()).await });
    let message = take.next().await;
    // A line of a server may open behind its client's.
    until(|| server.lines().len() == 2).await;
    let ending = world.spawn(async move { server.shutdown(3600 * SECOND).await });
    assert_eq!(idler.ended().await.reason, Reason::ByPeer(CloseCode::AWAY));
    until(|| client.is_peer_away()).await;
    assert!(!ending.is_done() && !client.is_over());
    message.answer("done").await.expect("it is waited for");
    assert_eq!(asker.await.expect("it is answered"), "done");
    assert_eq!(client.ended().await.reason, Reason::ByPeer(CloseCode::AWAY));
    let went = ending.await;
    assert_eq!((went.closed, went.cut), (2, 0));
}

/// C10. One peer never said hello, one does not read, one waits for an answer that never comes.
async fn shutdown_returns_by_its_deadline_whatever_peers_do(world: World) {
    let (give, take) = queue();
    let server = world
        .server()
        .on_line(move |line| {
            give.put(line);
            async { Ok(()) }
        })
        .on_message("never", |message| async move {
            std::future::pending::<()>().await;
            message.code(Code::OK);
            Ok(())
        });
    let server = server.serve().await.expect("the address is free");
    let gate = world.gate_far();
    let deaf = world.client(server.address()).connect().await.expect("it listens");
    let to_deaf = take.next().await;
    let waiter = world.client(server.address()).connect().await.expect("it listens");
    let to_waiter = take.next().await;
    let line = waiter.clone();
    let asker = world.spawn(async move { line.request::<_, ()>("never", &()).await });
    until(|| to_waiter.stats().received.requests == 1).await;
    let strangers = world.gate_far();
    strangers.shut(Way::Read);
    let (mut stranger, _) = world.connect(server.address()).await;
    strangers.held(Way::Read).await;
    gate.shut(Way::Write);
    to_deaf.notify("any", &octets(1000, 1)).await.expect("there is room for it");
    gate.held(Way::Write).await;
    drop((to_deaf, to_waiter));
    let ending = world.spawn(async move { server.shutdown(10 * SECOND).await });
    until(|| waiter.is_peer_away()).await;
    assert!(!ending.is_done());
    let took = pass_until(&world, &ending).await;
    // Time runs ahead of who is told of it; every other timer is hours away.
    assert!((10 * SECOND..3600 * SECOND).contains(&took), "{took:?}");
    let went = ending.await;
    assert_eq!((went.closed, went.cut), (0, 2));
    assert!(matches!(asker.await, Err(Error::Closed(_))));
    let told = waiter.ended().await.reason;
    // What the transport does not take there and then is not waited for.
    let reached = told == Reason::ByPeer(CloseCode::AWAY) || (world.transport().is_slow() && told == Reason::Eof);
    assert!(reached, "{told:?}");
    assert_eq!(deaf.ended().await.reason, Reason::Eof);
    assert_eq!(read_to_end(&mut stranger).await, b"");
}

async fn shutdown_stops_listening(world: World) {
    let server = world.server().on("echo", echo).serve().await.expect("the address is free");
    let address = server.address().clone();
    let client = world.client(&address).connect().await.expect("it listens");
    still_works(&client).await;
    let went = server.shutdown(3600 * SECOND).await;
    assert_eq!((went.closed, went.cut), (1, 0));
    client.ended().await;
    match world.client(&address).connect().await {
        Err(Error::Io(_)) => {}
        other => panic!("somebody listens: {other:?}"),
    }
    // Whoever comes next may have the address, however little there was to wait for.
    for _ in 0..20 {
        let server = world.server_at(&address).serve().await.expect("the address is free again");
        server.shutdown(3600 * SECOND).await;
    }
}

async fn shutdown_lets_go_of_some_lines_at_a_time(world: World) {
    const BATCH: usize = 256;
    let (give, take) = queue();
    let server = world.server().on_message("work", move |message| {
        give.put(message);
        async { Ok(()) }
    });
    let server = server.serve().await.expect("the address is free");
    let mut clients = Vec::new();
    for _ in 0..2 * BATCH + 1 {
        clients.push(world.client(server.address()).connect().await.expect("it listens"));
    }
    let busy = clients[0].clone();
    let asker = world.spawn(async move { busy.request::<_, String>("work", &()).await });
    let message = take.next().await;
    let ending = world.spawn(async move { server.shutdown(30 * SECOND).await });
    let (firsts, others) = clients.split_at(BATCH);
    let gone = async |lines: &[Line]| {
        for line in lines {
            assert_eq!(line.ended().await.reason, Reason::ByPeer(CloseCode::AWAY));
        }
    };
    gone(&firsts[1..]).await;
    assert!(!others.iter().any(Line::is_over), "no more than so many at once");
    // One of them works: the next go when these have had a third of the time.
    world.time().pass(10 * SECOND - MOMENT).await;
    assert!(!others.iter().any(Line::is_over), "it is not their turn");
    world.time().pass(MOMENT).await;
    // Those that come after them need not wait any more.
    gone(others).await;
    assert!(!firsts[0].is_over());
    message.answer("done").await.expect("it is waited for");
    assert_eq!(asker.await.expect("it is answered"), "done");
    let went = ending.await;
    assert_eq!((went.closed, went.cut), (clients.len(), 0));
}
