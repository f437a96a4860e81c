//! Memory: what a line costs, and that no peer can make it cost more.
//!
//! Each scenario measures the heap of its process, and so must be alone in it: see [`heap`].

mod hand;
mod peer;

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use futures_io::AsyncWrite;
use ropeway_driver::core::wire::{self, Body, Frame, Kind, Notice, Open, Piece, Response, Update};
use ropeway_driver::core::{self, CHARGE, CloseCode, Code, PeerError, Reason, Side};
use ropeway_driver::{Config, Ended, Line};

use self::hand::{Doing, Hand};
use self::peer::{GREEDY, Peer, hello};
use crate::heap;
use crate::weather::{End, pipe};

/// What a peer may cost that has not said hello.
const UNGREETED: usize = 8 * 1024;
/// What the driver may keep of a write that the transport took in part.
const UNWRITTEN: usize = 128 * 1024;
/// What the driver keeps of each message, answer or piece besides its octets, row by row, the rows doubled as they grow.
const ROW: usize = 144;
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
        let pipes: Vec<_> = (0..PEERS).map(|_| pipe(16)).collect();
        let mut lines = Vec::with_capacity(PEERS);
        let mark = heap::mark();
        for (near, far) in pipes {
            lines.push((hand.server(far, config.clone()), near));
        }
        for (_, near) in &mut lines {
            // Slowly, and every piece is kept.
            for piece in said.chunks(7) {
                hand.finish(write(near, piece));
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
    let files = |attached| repeat(&Frame::Open(Open { attached, ..open() }), 1);
    // What is said; whether the line survives it.
    let cases = [
        ("a body of 16 MiB", size(message), true),
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
        hand.run();
        let mark = heap::mark();
        hand.finish(peer.say_octets(&said)).expect("it reads");
        hand.run();
        assert!(mark.peak() < 4096, "{what}: {} octets", mark.peak());
        assert_eq!(line.is_over(), !survives, "{what}");
        drop((line, taking));
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

/// Takes messages, and drops them.
fn take_all(hand: &Hand, line: &Line) -> Doing<()> {
    let mut messages = line.messages();
    hand.start(async move { while messages.next().await.is_some() {} })
}

async fn write(end: &mut End, mut octets: &[u8]) {
    while !octets.is_empty() {
        let written = poll_fn(|cx| Pin::new(&mut *end).poll_write(cx, octets)).await.expect("the other end reads");
        octets = &octets[written..];
    }
}
