//! Memory: what a line costs, and that no peer can make it cost more.
//!
//! Each scenario measures the heap of its process, and so must be alone in it: see [`heap`].

mod hand;
pub(super) mod peer;

use std::fs;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use ropeway_driver::core::wire::{self, Body, Frame, Kind, Notice, Open, Piece, Response, Update};
use ropeway_driver::core::{self, CHARGE, CloseCode, Code, PeerError, Reason, Side};
use ropeway_driver::{Address, Client, Config, Ended, Error, Line, Runtime, Server, SocketOptions, Uploading};

use self::hand::{Doing, Hand};
use self::peer::{GREEDY, Peer, hello};
use super::by_hand::{turn, write_all};
use super::files_by_hand::{Folder, offered};
use crate::heap;
use crate::weather::pipe;

/// What a peer may cost that has not said hello.
const UNGREETED: usize = 8 * 1024;
/// What the driver may keep of a write that the transport took in part.
const UNWRITTEN: usize = 256 * 1024;
/// What the driver keeps of each message, answer or piece besides its octets, row by row, the rows doubled as they grow.
const ROW: usize = 160;
/// What is as good as nothing: names, and rows with room for a few.
const LITTLE: usize = 8 * 1024;
/// A task that sends, with its handles.
const TASK: usize = 2 * 1024;
/// What a line and its tasks cost by themselves, and what growing row by row wastes.
const SMALL: usize = 64 * 1024;

// ---- before the hello

/// C1. However much of a hello a peer says.
pub fn a_peer_without_hello_costs_little_and_is_gone_in_time() {
    let (hand, config) = (warm(), Config::DEFAULT);
    let whole = hello(GREEDY);
    let longest = [&b"\xf2RWY\x00\x04"[..], &[0; 1023]].concat();
    for (what, said) in
        [("nothing", &[][..]), ("a start", &whole[..3]), ("most", &whole[..whole.len() - 1]), ("the longest", &longest)]
    {
        const PEERS: usize = 200;
        let pipes: Vec<_> = (0..PEERS).map(|_| pipe(PIPE)).collect();
        let mut lines = Vec::with_capacity(PEERS);
        let mark = heap::mark();
        for (near, far) in pipes {
            lines.push((hand.server(far, config.clone()), near));
        }
        for (_, near) in &mut lines {
            // Slowly, and every piece is kept.
            for piece in said.chunks(7) {
                hand.finish(write_all(near, piece)).expect("it reads");
            }
        }
        hand.run();
        let each = mark.peak() / PEERS;
        assert!(each <= UNGREETED, "{what}: {each} octets a peer");
        let moment = Duration::from_millis(1);
        hand.pass(config.protocol.hello_timeout - moment);
        assert!(lines.iter().all(|((_, ended), _)| ended.done().is_none()), "{what}: gone early");
        hand.pass(moment);
        for ((_, ended), _) in &lines {
            let Some(Ended { reason, .. }) = ended.done() else { panic!("{what}: still there") };
            assert_eq!(reason, Reason::HelloTimeout, "{what}");
        }
        lines.clear();
        assert!(mark.held() < SMALL, "{what}: {} octets are left of them", mark.held());
    }
}

// ---- what a peer says

/// A1. What is announced is believed when it comes.
pub fn declared_lengths_allocate_nothing() {
    let message = Config::DEFAULT.protocol.max_message;
    let head = |kind: u8, fields: &[u8]| [&[kind << 3], fields].concat();
    let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let size = |size| repeat(&Frame::Open(Open { size: Some(size), ..open() }), 1);
    let response = Response { lane: 0, code: Code::OK, body: EMPTY, more: false, size: None, attached: 0 };
    let answer = |size| repeat(&Frame::Response(Response { size: Some(size), ..response }), 1);
    let files = |attached| repeat(&Frame::Open(Open { attached, ..open() }), 1);
    // What is said; whether the line survives it.
    let cases = [
        ("a body of 16 MiB", size(message), true),
        ("an answer of 16 MiB", answer(message), true),
        ("an answer of one octet more", answer(message + 1), false),
        ("a body of one octet more", size(message + 1), false),
        ("a body of 2^64-1", size(u64::MAX), false),
        ("a notice of 4 GiB", head(2, &[&[2][..], &huge].concat()), false),
        ("data of 4 GiB", head(13, &[&[0][..], &huge].concat()), false),
        ("a name of 4 GiB", head(1, &[&[0][..], &huge].concat()), false),
        ("a goodbye of 4 GiB", head(20, &[&[0][..], &huge].concat()), false),
        ("something unknown of 4 GiB", head(28, &huge), false),
        ("a frame as long as may be", head(28, &[0xf0, 0xff, 0x01]), true),
        ("256 files to come", files(256), true),
        ("257 files to come", files(257), false),
    ];
    for (what, said, survives) in cases {
        let hand = warm();
        let (near, far) = pipe(1024);
        let (line, _) = hand.server(far, Config::DEFAULT);
        let mut peer = hand.finish(Peer::greet(near, GREEDY)).expect("it is greeted");
        let taking = take_all(&hand, &line);
        let asked = line.clone();
        let asking = hand.start(async move { asked.request::<_, String>(1, "").await });
        hand.run();
        let mark = heap::mark();
        hand.finish(peer.say_octets(&said)).expect("it reads");
        hand.run();
        assert!(mark.peak() < 4096, "{what}: {} octets", mark.peak());
        assert_eq!(line.is_over(), !survives, "{what}");
        drop((line, taking, asking));
    }
}

/// A10. As many pieces as the peer is allowed, each as small as can be, while nobody takes them; one more is an error.
pub fn tiny_fragments_cost_what_was_allowed() {
    let config = Config::DEFAULT.protocol;
    let x = Body { kind: Kind::Bytes, bytes: &b"x"[..] };
    let whole = Open { size: Some(config.max_message), ..open() };
    let bringing = Open { attached: 1, ..open() };
    let stream = wire::Offer { flow: 0, side: Side::Us, lane: 0, push: true, size: None, media: "", name: "" };
    let response = Response { lane: 0, code: Code::OK, body: EMPTY, more: true, size: None, attached: 0 };
    let notice = Frame::Notice(Notice { action: ACTION, body: EMPTY });
    let piece = Frame::Body(Piece { side: Side::Us, lane: 0, bytes: b"x" });
    let update = Frame::Update(Update { lane: 0, body: x });
    let data = Frame::Data { flow: 0, bytes: b"x" };
    let [window, lane, flow] = [config.window, config.lane_credit, config.flow_credit].map(to_usize);
    for (what, first, tiny, len, allowed, error) in [
        ("notices", &[][..], notice, 0, window, PeerError::Window),
        ("pieces of a body", &[Frame::Open(whole)], piece, 1, lane, PeerError::Credit),
        ("data", &[Frame::Open(bringing), Frame::Offer(stream)], data, 1, flow, PeerError::Credit),
        ("updates", &[], update, 1, lane, PeerError::Credit),
        ("responses", &[], Frame::Response(response), 0, lane, PeerError::Credit),
    ] {
        let hand = warm();
        let (near, far) = pipe(PIPE);
        let (line, _) = hand.server(far, Config::DEFAULT);
        let mut peer = hand.finish(Peer::greet(near, GREEDY)).expect("it is greeted");
        // For what answers it.
        let asking = line.open(7, "").timeout(Duration::ZERO).send();
        let asking = hand.finish(asking).expect("it is open");
        for frame in first {
            hand.finish(peer.say(frame)).expect("it reads");
        }
        let count = allowed / (CHARGE as usize + len);
        let said = repeat(&tiny, count);
        hand.run();
        let mark = heap::mark();
        hand.finish(peer.say_octets(&said)).expect("it reads");
        hand.run();
        let most = mark.peak();
        let bound = count * (len + ROW) + SMALL;
        assert!(most <= bound, "{what}: {most} octets, and {bound} are the most");
        assert!(!line.is_over(), "{what}: that was allowed");
        hand.finish(peer.say(&tiny)).expect("it reads");
        let ended = hand.finish(line.ended());
        assert_eq!(ended.reason, Reason::PeerError(error), "{what}");
        drop((asking, line));
    }
}

/// A10. A million of them, taken as they come: nothing piles up, and nothing is left.
pub fn a_million_tiny_fragments_pass_through() {
    let stream = wire::Offer { flow: 0, side: Side::Us, lane: 0, push: true, size: None, media: "", name: "" };
    let bringing = Frame::Open(Open { attached: 1, wants_answer: false, ..open() });
    let notice = Frame::Notice(Notice { action: ACTION, body: EMPTY });
    let data = Frame::Data { flow: 0, bytes: b"x" };
    let config = Config::DEFAULT.protocol;
    for (what, first, tiny, len, allowed) in [
        ("notices", &[][..], notice, 0, config.window),
        ("data", &[bringing, Frame::Offer(stream)], data, 1, config.flow_credit),
    ] {
        let hand = warm();
        let (near, far) = pipe(PIPE);
        let (line, _) = hand.server(far, Config::DEFAULT);
        let mut peer = hand.finish(Peer::greet(near, GREEDY)).expect("it is greeted");
        let _reading = read_all(&hand, &line);
        for frame in first {
            hand.finish(peer.say(frame)).expect("it reads");
        }
        // More is allowed once half of what was allowed is taken.
        let count = to_usize((allowed / 2).div_ceil(CHARGE + len));
        let said = repeat(&tiny, count);
        hand.run();
        let mark = heap::mark();
        for _ in 0..1_000_000 / count + 1 {
            hand.finish(peer.say_octets(&said)).expect("it reads");
            hand.run();
            let told = |frame: Frame<'_>| matches!(frame, Frame::Window { .. } | Frame::Credit { .. }).then_some(());
            hand.finish(peer.hear(told)).expect("it speaks").expect("it goes on");
        }
        assert!(mark.peak() < count * ROW + SMALL, "{what}: {} octets", mark.peak());
        hand.pass(3 * config.heartbeat / 2);
        assert!(mark.held() < LITTLE, "{what}: {} octets are left", mark.held());
    }
}

/// What says how things stand has one place to be heard in, however often it is said.
pub fn floods_of_control_cost_nothing() {
    let bringing = Frame::Open(Open { attached: 1, ..open() });
    let file = wire::Offer { flow: 0, side: Side::Us, lane: 0, push: false, size: None, media: "", name: "" };
    let pause = |on| Frame::Pause(wire::Pause { flow: 0, on, by_receiver: false });
    for flood in [
        Frame::Ping { id: 7 },
        Frame::Pong { id: 7 },
        Frame::Ack { count: 0 },
        Frame::Away,
        Frame::Window { limit: 1 << 40 },
        pause(true),
        pause(false),
        Frame::Skipped { kind: wire::FIRST_IGNORABLE, bytes: b"abc" },
    ] {
        let hand = warm();
        let (near, far) = pipe(PIPE);
        let (line, _) = hand.server(far, Config::DEFAULT);
        let mut peer = hand.finish(Peer::greet(near, GREEDY)).expect("it is greeted");
        for first in [bringing, Frame::Offer(file), flood] {
            hand.finish(peer.say(&first)).expect("it reads");
        }
        let said = repeat(&flood, 10_000);
        hand.run();
        let mark = heap::mark();
        for _ in 0..10 {
            // Its answers are not read.
            hand.finish(peer.say_octets(&said)).expect("it reads");
            hand.run();
        }
        assert!(!line.is_over(), "{flood:?}");
        assert!(mark.peak() < UNWRITTEN / 8, "{flood:?}: {} octets", mark.peak());
    }
}

// ---- a peer that does not read

/// Whoever sends waits, whatever is sent; and all of it comes once the peer reads.
pub fn a_peer_that_does_not_read_stops_its_sender() {
    type Send = fn(Line, &'static str) -> Job;
    let notify: Send = |line, body| {
        job(async move {
            loop {
                line.notify(1, body).await?
            }
        })
    };
    let request: Send = |line, body| {
        job(async move {
            loop {
                line.request::<_, ()>(1, body).await?
            }
        })
    };
    let stream: Send = |line, body| job(pour(line, body));
    // What; how; how large each is, how many tasks send it, how often each task has it in memory.
    for (what, send, size, tasks, copies) in [
        ("small notices", notify, 64, 64, 0),
        ("notices of a frame", notify, 30_000, 64, 1),
        ("large notices", notify, 1 << 20, 8, 1),
        ("small requests", request, 64, 2000, 0),
        ("large requests", request, 1 << 20, 8, 1),
        ("streams", stream, 1 << 20, 64, 0),
    ] {
        let hand = warm();
        let (near, far) = pipe(PIPE);
        let (line, _) = hand.server(far, Config::DEFAULT);
        let peer = hand.finish(Peer::greet(near, GREEDY)).expect("it is greeted");
        let body: &'static str = "x".repeat(size).leak();
        hand.run();
        let mark = heap::mark();
        let sending: Vec<_> = (0..tasks).map(|_| hand.start(send(line.clone(), body))).collect();
        hand.run();
        assert!(sending.iter().all(|sending| sending.done().is_none()), "{what}: they wait");
        let most = mark.peak();
        let bound = Config::DEFAULT.outbox + UNWRITTEN + tasks * (copies * size + TASK) + SMALL;
        assert!(most <= bound, "{what}: {most} octets, and {bound} are the most");
        drop(peer);
        hand.run();
        assert!(sending.iter().all(|sending| sending.done().is_some()), "{what}: they are told");
    }
}

/// Files wait as well, at what was read ahead of them.
pub fn files_to_a_peer_that_does_not_read_wait() {
    const FILES: u16 = 8;
    /// What is read at once of a file, and what is read ahead meanwhile.
    const AHEAD: usize = 2 * 256 * 1024;
    let folder = Folder::new();
    let path = folder.put("hole", b"");
    let made = fs::File::options().write(true).open(&path).and_then(|file| file.set_len(1 << 30));
    made.expect("a hole takes no room");
    let path: fn(&Path) -> Uploading = |path| Uploading::from_path(path);
    let reader: fn(&Path) -> Uploading = |_| Uploading::from_reader("endless", Endless);
    for (what, source) in [("paths", path), ("readers", reader)] {
        let hand = warm();
        let (near, far) = pipe(PIPE);
        let (line, _) = hand.server(far, Config::DEFAULT);
        let mut peer = hand.finish(Peer::greet(near, GREEDY)).expect("it is greeted");
        let mark = heap::mark();
        let mut uploads = Vec::new();
        for flow in 0..FILES {
            uploads.push(hand.finish(line.send_file(source(&folder.at("hole")))).expect("it is offered"));
            let offer = peer.hear(|frame| matches!(frame, Frame::Offer(_)).then_some(()));
            hand.finish(offer).expect("it speaks").expect("it offers");
            let all = wire::Accept { flow, start: 0, end: None, prefix: None };
            peer.put(&Frame::Accept(all));
        }
        hand.finish(peer.say_octets(&[])).expect("it reads");
        hand.run();
        let bound = Config::DEFAULT.outbox + UNWRITTEN + usize::from(FILES) * (AHEAD + TASK) + SMALL;
        assert!(mark.peak() <= bound, "{what}: {} octets, and {bound} are the most", mark.peak());
        drop(peer);
        for upload in uploads {
            let told = hand.finish(upload.finished());
            assert!(matches!(told, Err(Error::Closed(_))), "{what}: {told:?}");
        }
    }
}

/// B13. A queue for each peer, and none that fills for another's sake: what does not fit is the application's to drop.
pub fn a_slow_reader_costs_its_own_queue_and_nobody_else() {
    const COUNT: usize = 20_000;
    let hand = warm();
    let (slow_near, slow_far) = pipe(PIPE);
    let (slow, _) = hand.server(slow_far, Config::DEFAULT);
    let _peer = hand.finish(Peer::greet(slow_near, GREEDY)).expect("it is greeted");
    let quick: Vec<_> = (0..3).map(|_| hand.lines(Config::DEFAULT, Config::DEFAULT)).collect();
    let taken = Arc::new(AtomicUsize::new(0));
    let taking: Vec<_> = quick.iter().map(|(client, _)| hand.start(count(client.clone(), taken.clone()))).collect();
    let body: &'static str = "x".repeat(200).leak();
    hand.run();
    let mark = heap::mark();
    let mut dropped = 0;
    for _ in 0..COUNT {
        for (_, server) in &quick {
            hand.finish(server.notify(1, body)).expect("it is sent");
        }
        hand.run();
        // Sent at once or not at all.
        if is_pending(slow.notify(1, body)) {
            dropped += 1;
        }
    }
    hand.run();
    assert_eq!(taken.load(Ordering::Relaxed), 3 * COUNT, "all of it, to everyone else");
    let queued = COUNT - dropped;
    let most = Config::DEFAULT.outbox + UNWRITTEN + PIPE;
    assert!(queued * body.len() <= most && queued * body.len() >= most / 2, "{queued} are queued");
    assert!(mark.peak() <= most + SMALL, "{} octets", mark.peak());
    drop(taking);
}

// ---- an application that does not take

/// The peer waits, and what is here is what was allowed.
pub fn what_is_not_taken_is_what_was_allowed() {
    let config = Config::DEFAULT.protocol;
    let [window, lane, flow] = [config.window, config.lane_credit, config.flow_credit].map(to_usize);
    // What; the sender, the receiver; how much the receiver allows, in pieces of about what size.
    let cases: [(&str, Part, Part, usize, usize); 7] = [
        (
            "small notices",
            |line| {
                job(async move {
                    loop {
                        line.notify(1, small()).await?
                    }
                })
            },
            |line| job(hold(line)),
            window,
            small().len(),
        ),
        (
            "a large notice",
            |line| job(async move { line.notify(1, large()).await }),
            |line| job(hold(line)),
            window + lane,
            PIECE,
        ),
        ("a stream that nobody asked for", |line| job(pour(line, large())), |line| job(hold(line)), flow, PIECE),
        (
            "a stream in crumbs",
            |line| job(pour(line, "x")),
            |line| {
                job(async move {
                    let mut message = line.messages().next().await.ok_or(Error::Missing("message"))?;
                    let _stream = message.stream().await?;
                    pending().await
                })
            },
            flow,
            1,
        ),
        (
            "a file to a writer that is stuck",
            |line| job(async move { line.send_file(Uploading::from_reader("endless", Endless)).await?.finished().await }),
            |line| {
                job(async move {
                    let (_, file) = offered(&line).await;
                    file.write_to(Stuck).await?.finished().await.map(|_| ())
                })
            },
            flow,
            PIECE,
        ),
        (
            "answers",
            |line| {
                job(async move {
                    let mut message = line.messages().next().await.ok_or(Error::Missing("message"))?;
                    loop {
                        message.respond(small()).more().send().await?;
                    }
                })
            },
            |line| {
                job(async move {
                    let _exchange = line.open(1, "").send().await?;
                    pending().await
                })
            },
            lane,
            small().len(),
        ),
        (
            "a large answer",
            |line| {
                job(async move {
                    let message = line.messages().next().await.ok_or(Error::Missing("message"))?;
                    message.answer(large()).await
                })
            },
            |line| {
                job(async move {
                    let _exchange = line.open(1, "").send().await?;
                    pending().await
                })
            },
            lane,
            PIECE,
        ),
    ];
    for (what, send, take, allowed, piece) in cases {
        let hand = warm();
        let (near, far) = hand.lines(Config::DEFAULT, Config::DEFAULT);
        let _warm = (small(), large());
        hand.run();
        let mark = heap::mark();
        let taking = hand.start(take(far.clone()));
        let sending = hand.start(send(near.clone()));
        hand.run();
        let most = mark.peak();
        for doing in [taking, sending] {
            if let Some(result) = doing.done() {
                panic!("{what}: it does not wait: {result:?}");
            }
        }
        let here = allowed + allowed / (piece + CHARGE as usize) * ROW;
        // A large body is there once more, to be sent from.
        let there = Config::DEFAULT.outbox + UNWRITTEN + if piece == PIECE { 2 * large().len() } else { 0 };
        assert!(most <= here + there + SMALL, "{what}: {most} octets");
        hand.finish(near.close(CloseCode::DONE, ""));
    }
}

// ---- afterwards

/// What a burst took is given back once the line is idle for two heartbeats.
pub fn an_idle_line_gives_back_what_a_burst_took() {
    let hand = warm();
    let idle = 3 * Config::DEFAULT.protocol.heartbeat;
    let (near, far) = hand.lines(Config::DEFAULT, Config::DEFAULT);
    let serving = hand.start(serve(far.clone()));
    hand.finish(burst(&hand, &near, 1));
    hand.pass(idle);
    let mark = heap::mark();
    hand.finish(burst(&hand, &near, 1000));
    let most = mark.peak();
    hand.pass(idle);
    assert!(most > 1 << 20, "it was a burst: {most} octets");
    assert!(mark.held() < LITTLE, "{} octets are left", mark.held());
    assert!(serving.done().is_none() && !near.is_over() && !far.is_over());
}

/// B1. Whoever opens requests and gives them up leaves nothing behind, at either end.
pub fn requests_given_up_leave_nothing() {
    let hand = warm();
    let mut config = Config::DEFAULT;
    config.protocol.max_aborts = u32::MAX;
    let (near, far) = hand.lines(config.clone(), config.clone());
    let holding = hand.start(hold_all(far.clone()));
    let ask = |count: usize| {
        for number in 0..count {
            let mut request = pin!(near.open(1, small()).send());
            // Given up while it is being sent, while it is under way, and when it has arrived.
            match number % 3 {
                0 => assert!(!is_pending(request), "there is room"),
                1 => drop(hand.finish(request)),
                _ => {
                    let exchange = hand.finish(&mut request).expect("it is sent");
                    hand.run();
                    drop(exchange);
                }
            }
            if number % 7 == 0 {
                hand.run();
            }
        }
        hand.pass(3 * config.protocol.heartbeat);
    };
    ask(10);
    let mark = heap::mark();
    ask(10_000);
    assert!(mark.held() < LITTLE, "{} octets are left", mark.held());
    assert!(mark.peak() < (1 << 20), "{} octets at once", mark.peak());
    assert!(holding.done().is_none() && !near.is_over() && !far.is_over());
}

// ---- over sockets

/// C1. Over sockets, with all that a server keeps for each; and who does say hello is served meanwhile.
pub async fn connections_without_hello_cost_little_and_are_gone_in_time<R: Runtime + Default>(address: Address) {
    const PEERS: usize = 200;
    let mut config = Config::DEFAULT;
    config.protocol.hello_timeout = Duration::from_millis(500);
    let server = Server::<R>::bind(address).config(config).on("echo", |text: String| async move { Ok(text) });
    let server = server.serve().await.expect("it listens");
    let echo = async || {
        let client = Client::<R>::connect(server.address()).await?;
        let text: String = client.request("echo", small()).await?;
        client.close(CloseCode::DONE, "").await;
        assert_eq!(text, small());
        Ok::<_, Error>(())
    };
    // What all lines share is there from now on.
    echo().await.expect("it serves");
    let mut peers = Vec::with_capacity(PEERS);
    let mark = heap::mark();
    for number in 0..PEERS {
        let connected = R::default().connect(server.address(), &SocketOptions::default()).await;
        let (mut stream, _) = connected.expect("it accepts");
        write_all(&mut stream, &hello(GREEDY)[..number % 40]).await.expect("it reads");
        peers.push(stream);
    }
    echo().await.expect("it serves all the same");
    for mut stream in peers {
        let gone = poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, &mut [0; 64])).await;
        assert!(matches!(gone, Ok(0) | Err(_)), "it says nothing: {gone:?}");
    }
    // Both ends of the sockets are in this process.
    let each = mark.peak() / PEERS;
    assert!(each <= UNGREETED, "{each} octets a peer");
    server.shutdown(Duration::from_secs(5)).await;
    // Tasks that waited for them are still to be told.
    for _ in 0..1000 {
        turn().await;
    }
    assert!(mark.held() < SMALL, "{} octets are left of them", mark.held());
}

/// A peer on a socket does not read: its sender waits; and once the peer reads, all comes, in order.
pub async fn a_socket_that_is_not_read_stops_its_sender<R: Runtime + Default>(address: Address) {
    // More than a system keeps for a socket.
    const COUNT: usize = 60_000;
    let body = &large()[..256];
    let sent = Arc::new(AtomicUsize::new(0));
    let sending = sent.clone();
    let server = Server::<R>::bind(address).on_line(move |line| {
        let sent = sending.clone();
        async move {
            for number in 0..COUNT {
                line.notify(number as u32, body).await?;
                sent.store(number + 1, Ordering::Relaxed);
            }
            Ok(())
        }
    });
    let server = server.serve().await.expect("it listens");
    let connected = R::default().connect(server.address(), &SocketOptions::default()).await;
    let (stream, _) = connected.expect("it accepts");
    let mut peer = Peer::greet(stream, GREEDY).await.expect("it is greeted");
    let mark = heap::mark();
    let mut before = usize::MAX;
    while before != sent.load(Ordering::Relaxed) {
        before = sent.load(Ordering::Relaxed);
        for _ in 0..1000 {
            turn().await;
        }
    }
    assert!(before < COUNT, "it does not wait");
    for number in 0..COUNT {
        let notice = peer.hear(|frame| match frame {
            Frame::Notice(Notice { action, body }) => Some((action, body.bytes.len())),
            _ => None,
        });
        let notice = notice.await.expect("it speaks");
        assert_eq!(notice, Some((core::Action::Number(number as u32), body.len())));
    }
    let bound = Config::DEFAULT.outbox + UNWRITTEN + body.len() + SMALL;
    assert!(mark.peak() <= bound, "{} octets, and {bound} are the most", mark.peak());
}

// ---- what they have in common

const ACTION: core::Action = core::Action::Number(1);
const EMPTY: Body<&[u8]> = Body { kind: Kind::Bytes, bytes: &[] };
/// Room in a transport: less than anything that is measured.
const PIPE: usize = 16 * 1024;

/// A request without all that it may have.
fn open() -> Open<'static> {
    Open { lane: 0, action: ACTION, body: EMPTY, wants_answer: true, timeout: None, size: None, attached: 0 }
}

/// The same frame, so many times.
fn repeat(frame: &Frame<'_>, count: usize) -> Vec<u8> {
    let mut octets = vec![0; 1024];
    let len = frame.encode(&mut octets).expect("it is short");
    octets[..len].repeat(count)
}

fn to_usize(octets: u64) -> usize {
    octets.try_into().expect("less than there is memory")
}

/// A thread on which lines have run, so that what they share is there.
fn warm() -> Hand {
    let hand = Hand::new();
    let (client, server) = hand.lines(Config::DEFAULT, Config::DEFAULT);
    let taking = take_all(&hand, &server);
    hand.finish(client.notify(1, "warm")).expect("it is sent");
    hand.finish(client.close(CloseCode::DONE, ""));
    hand.run();
    assert!(taking.done().is_some());
    drop((client, server));
    hand.pass(Duration::from_secs(60));
    hand
}

/// Takes messages, and drops them; reads the stream of one that brings one.
fn read_all(hand: &Hand, line: &Line) -> Doing<()> {
    let mut messages = line.messages();
    hand.start(async move {
        while let Some(mut message) = messages.next().await {
            if let Ok(mut stream) = message.stream().await {
                while let Ok(Some(_)) = stream.chunk().await {}
            }
        }
    })
}

/// Takes messages, each as a whole, and drops them.
fn take_all(hand: &Hand, line: &Line) -> Doing<()> {
    let mut messages = line.messages();
    hand.start(async move {
        while let Some(mut message) = messages.next().await {
            // It may never come.
            let _ = message.body().await;
        }
    })
}

type Job = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// What one end does.
type Part = fn(Line) -> Job;

fn job(work: impl Future<Output = Result<(), Error>> + Send + 'static) -> Job {
    Box::pin(work)
}

/// About what a frame carries.
const PIECE: usize = 16 * 1024;

fn small() -> &'static str {
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
}

/// A mebibyte.
fn large() -> &'static str {
    static LARGE: OnceLock<String> = OnceLock::new();
    LARGE.get_or_init(|| small().repeat(16 * 1024))
}

/// Content without end.
struct Endless;

impl AsyncRead for Endless {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(out.len()))
    }
}

/// A writer that takes nothing, for ever.
struct Stuck;

impl AsyncWrite for Stuck {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

/// Keeps the line, and takes nothing.
async fn hold(line: Line) -> Result<(), Error> {
    let _line = line;
    pending().await
}

/// Takes requests, and holds each until it is given up.
async fn hold_all(line: Line) {
    let mut messages = line.messages();
    let mut held = Vec::new();
    while let Some(message) = messages.next().await {
        held.push(message);
        if held.len() == 16 {
            held.clear();
        }
    }
}

/// Sends a stream without end.
async fn pour(line: Line, piece: &str) -> Result<(), Error> {
    let (mut writer, _reader) = line.open(1, "").timeout(Duration::ZERO).into_stream().await?;
    loop {
        writer.send(piece.as_bytes()).await?;
    }
}

/// Answers requests with what they say, and takes streams and files.
async fn serve(line: Line) {
    let mut messages = line.messages();
    while let Some(mut message) = messages.next().await {
        if *message.action() == "file" {
            let Ok(Some(file)) = message.file().await else { continue };
            let Ok(download) = file.write_to(Vec::new()).await else { continue };
            let _ = download.finished().await;
        } else if message.attached() > 0 {
            let Ok(mut stream) = message.stream().await else { continue };
            while let Ok(Some(_)) = stream.chunk().await {}
            message.code(Code::OK);
        } else if let Ok(text) = message.decode::<String>().await {
            let _ = message.answer(&text).await;
        }
    }
}

/// A little of everything, so many times at once.
async fn burst(hand: &Hand, line: &Line, times: usize) {
    let mut doing = Vec::new();
    for number in 0..times {
        let line = line.clone();
        doing.push(hand.start(async move {
            line.notify(1, small()).await?;
            line.request::<_, String>("echo", small()).await?;
            if number % 100 == 0 {
                line.notify(2, large()).await?;
                line.request::<_, String>("echo", large()).await?;
                let (mut writer, _reader) = line.open(3, "").timeout(Duration::ZERO).into_stream().await?;
                writer.send(large().as_bytes()).await?;
                writer.finish().await?;
                line.send_file(Uploading::from_bytes("x", large())).await?.finished().await?;
            }
            Ok::<_, Error>(())
        }));
    }
    hand.run();
    for doing in doing {
        doing.done().expect("it is done").expect("it went well");
    }
}

/// Whether it waits. It is given up if it does.
fn is_pending(work: impl Future) -> bool {
    pin!(work).poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

/// Takes messages, and counts them.
async fn count(line: Line, taken: Arc<AtomicUsize>) {
    let mut messages = line.messages();
    while messages.next().await.is_some() {
        taken.fetch_add(1, Ordering::Relaxed);
    }
}
