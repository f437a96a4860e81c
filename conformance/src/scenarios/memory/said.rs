//! What a peer says, however much and however small.

use std::time::Duration;

use ropeway_driver::protocol::wire::{self, Body, Frame, Kind, Notice, Open, Piece, Response, Update};
use ropeway_driver::protocol::{self, CHARGE, PeerError, Side};
use ropeway_driver::{Code, Config, Line, Reason};

use super::hand::{Doing, Hand};
use super::peer::{GREEDY, Peer};
use super::{LITTLE, PIPE, ROW, SMALL, UNWRITTEN, take_all, to_usize, warm};
use crate::heap;
use crate::weather::pipe;

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

const ACTION: protocol::Action = protocol::Action::Number(1);

const EMPTY: Body<&[u8]> = Body { kind: Kind::Bytes, bytes: &[] };

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
