//! Every state answers every frame: with an event, with silence, or with an error that has a name.

use std::fmt::Write as _;

use ropeway_core::wire::{self, Close, Define, Frame, Notice, Open, Pause, Piece, Response, Update};
use ropeway_core::{
    Accept, Action, Body, CloseCode, Code, Config, Event, FlowId, Kind, LaneId, Offer, Reason, Respond, Send, Side,
    Table,
};
use ropeway_tests::hand::{Hand, bytes, frames};

/// The table, checked in to be read. With `BLESS` set in the environment it is written anew.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/states.txt");

#[test]
fn every_state_answers_every_frame() {
    let mut table = String::from(
        "What each frame does in every state of the machine: `!` is the error that ends the line, `-` silence.\n\
         Lane 0 and flow 0 are meant. What a lane or a flow does not name, it does as an open line does.\n",
    );
    let frames = all_frames();
    let open: Vec<String> = frames.iter().map(|(name, octets)| answer(Hand::server(), name, octets)).collect();
    for (state, make) in states() {
        let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
        for ((name, octets), usual) in frames.iter().zip(&open) {
            let outcome = answer(make(), name, octets);
            if outcome == *usual && !state.starts_with("line") {
                continue;
            }
            match rows.iter_mut().find(|(known, _)| *known == outcome) {
                Some((_, names)) => names.push(name),
                None => rows.push((outcome, vec![name])),
            }
        }
        write!(table, "\n{state}\n").unwrap();
        for (outcome, names) in rows {
            writeln!(table, "    {outcome:<24} {}", names.join(" ")).unwrap();
        }
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(TABLE, &table).unwrap();
    }
    let known = std::fs::read_to_string(TABLE).unwrap_or_default();
    for (new, old) in table.lines().zip(known.lines()) {
        assert_eq!(new, old, "the table differs; look at it after BLESS=1");
    }
    assert_eq!(table.len(), known.len(), "the table differs; look at it after BLESS=1");
}

/// What a machine does with a frame, after which it must be sound still.
fn answer(mut hand: Hand, name: &str, octets: &[u8]) -> String {
    let was_over = hand.line.closed().is_some() || ignores(&hand);
    let was_ready = hand.line.is_ready();
    let mut octets = octets.to_vec();
    if !was_ready && hand.line.peer().is_none() && !was_over {
        // What is no hello is told after four octets.
        octets.resize(octets.len().max(4), 0);
    }
    match hand.say_bytes(&octets) {
        Ok(event) => {
            let said = hand.hear();
            if was_ready && !octets.starts_with(&bytes(&Frame::Close(CLOSE))) {
                assert!(hand.line.is_ready(), "{name}");
                frames(&said);
                hand.tell(&Frame::Ping { id: 77 });
                assert!(hand.heard().iter().any(|f| f.contains("77")), "no pong after {name}");
            }
            match event {
                None if was_over => "ignored".into(),
                None => "-".into(),
                Some(event) => word(&event),
            }
        }
        Err(error) => {
            let said = hand.hear();
            if let Some(Reason::PeerError(told)) = hand.line.closed() {
                assert_eq!(told, error);
            } else {
                panic!("{name}: {error} leaves the line at {:?}", hand.line.closed());
            }
            if was_ready {
                let last = frames(&said).last().copied();
                let Some(Frame::Close(Close { code, .. })) = last else { panic!("{name}: no goodbye but {last:?}") };
                assert_eq!(code, error.code(), "{name}");
            }
            assert_eq!(hand.say(&Frame::Away), Ok(None), "an error is the last word");
            assert!(hand.hear().is_empty());
            format!("! {}", word(&error))
        }
    }
}

/// A line that failed takes everything and heeds nothing.
fn ignores(hand: &Hand) -> bool {
    !hand.line.is_ready() && hand.line.peer().is_some() && format!("{:?}", hand.line).contains("PeerError")
}

/// The name of a variant, and of what it holds if that is another one.
fn word(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let end = text.find([' ', '{']).unwrap_or(text.len());
    let text = &text[..end];
    // Of what is nested only the outer name counts, unless it is short.
    if text.ends_with(')') { text.into() } else { text.split('(').next().unwrap_or_default().into() }
}

const CLOSE: Close<'static> = Close { code: CloseCode::DONE, reason: "" };
const BODY: Body<&[u8]> = Body { kind: Kind::Bytes, bytes: b"1234" };
const LANE: u16 = 0;
const OURS: LaneId = LaneId::new(0, Side::Us);
const THEIRS: LaneId = LaneId::new(0, Side::Them);
const OUT: FlowId = FlowId::new(0, Side::Us);
const IN: FlowId = FlowId::new(0, Side::Them);

fn open(wants_answer: bool, size: Option<u64>, attached: u16) -> Frame<'static> {
    Frame::Open(Open { lane: LANE, action: Action::Number(1), body: BODY, wants_answer, timeout: None, size, attached })
}

fn response(more: bool, size: Option<u64>, attached: u16) -> Frame<'static> {
    Frame::Response(Response { lane: LANE, code: Code::OK, body: BODY, more, size, attached })
}

fn offer(push: bool, side: Side) -> Frame<'static> {
    Frame::Offer(wire::Offer { flow: 0, side, lane: LANE, push, size: Some(8), media: "", name: "n" })
}

fn data() -> Frame<'static> {
    Frame::Data { flow: 0, bytes: b"1234" }
}

fn pause(by_receiver: bool) -> Frame<'static> {
    Frame::Pause(Pause { flow: 0, on: true, by_receiver })
}

fn body(side: Side) -> Frame<'static> {
    Frame::Body(Piece { side, lane: LANE, bytes: b"5678" })
}

/// Every frame there is. Sides are seen from the machine: `us` is a lane that the machine opened.
fn all_frames() -> Vec<(&'static str, Vec<u8>)> {
    let abort = |side| Frame::Abort { side, lane: LANE, code: Code::REJECTED };
    let credit = |side| Frame::LaneCredit { side, lane: LANE, limit: 1 << 30 };
    let define = Define { table: Table::Actions, index: 0, fingerprint: None, name: "a" };
    let accept = wire::Accept { flow: 0, start: 0, end: None, prefix: None };
    let mut all: Vec<(&str, Vec<u8>)> = [
        ("DEFINE", Frame::Define(define)),
        ("NOTICE", Frame::Notice(Notice { action: Action::Number(1), body: BODY })),
        ("OPEN", open(true, None, 0)),
        ("OPEN-notice", open(false, None, 0)),
        ("RESPONSE", response(false, None, 0)),
        ("RESPONSE-more", response(true, None, 0)),
        ("CODE", Frame::Code { lane: LANE, code: Code::OK }),
        ("UPDATE", Frame::Update(Update { lane: LANE, body: BODY })),
        ("BODY-us", body(Side::Them)),
        ("BODY-them", body(Side::Us)),
        ("ABORT-us", abort(Side::Them)),
        ("ABORT-them", abort(Side::Us)),
        ("END", Frame::End { lane: LANE }),
        ("OFFER-us", offer(false, Side::Them)),
        ("OFFER-them", offer(false, Side::Us)),
        ("ACCEPT", Frame::Accept(accept)),
        ("BEGIN", Frame::Begin { flow: 0, start: 0 }),
        ("DATA", data()),
        ("FINISH", Frame::Finish { flow: 0, digest: None }),
        ("CANCEL", Frame::Cancel { flow: 0, code: Code::IO }),
        ("DONE", Frame::Done { flow: 0, code: Code::OK }),
        ("PAUSE-by-sender", pause(false)),
        ("PAUSE-by-receiver", pause(true)),
        ("AWAY", Frame::Away),
        ("CLOSE", Frame::Close(CLOSE)),
        ("ACK", Frame::Ack { count: 0 }),
        ("ACK-too-much", Frame::Ack { count: 1000 }),
        ("PING", Frame::Ping { id: 1 }),
        ("PONG", Frame::Pong { id: 1 }),
        ("WINDOW", Frame::Window { limit: 1 << 30 }),
        ("LANE_CREDIT-us", credit(Side::Them)),
        ("LANE_CREDIT-them", credit(Side::Us)),
        ("CREDIT", Frame::Credit { flow: 0, limit: 1 << 30 }),
        ("ignorable", Frame::Skipped { kind: 30, bytes: b"x" }),
    ]
    .into_iter()
    .map(|(name, frame)| (name, bytes(&frame)))
    .collect();
    for (name, kind) in [("type-0", 0u8), ("type-19", 19), ("type-27", 27)] {
        all.push((name, vec![kind << 3]));
    }
    all
}

type Make = fn() -> Hand;

/// Every state, and how to get there.
fn states() -> Vec<(&'static str, Make)> {
    let mut all: Vec<(&str, Make)> = vec![
        ("line: a server before hello", || Hand::new(Config::SMALL, true)),
        ("line: a client before hello", || {
            let mut hand = Hand::new(Config::SMALL, false);
            hand.hear();
            hand
        }),
        ("line: open", Hand::server),
        ("line: open, the peer is going away", || {
            let mut hand = Hand::server();
            hand.say(&Frame::Away).unwrap();
            hand
        }),
        ("line: closing", || {
            let mut hand = Hand::server();
            hand.line.notify(hand.now, &Send::text(Action::Number(1), "last words")).unwrap();
            hand.line.close(CloseCode::DONE, "");
            hand
        }),
        ("line: closing after an error", || {
            let mut hand = Hand::server();
            hand.say(&Frame::Code { lane: 9, code: Code::OK }).unwrap_err();
            hand
        }),
        ("line: closed", || {
            let mut hand = Hand::server();
            hand.say(&Frame::Close(CLOSE)).unwrap();
            hand
        }),
    ];
    all.extend(opened_lanes());
    all.extend(accepted_lanes());
    all.extend(sent_flows());
    all.extend(received_flows());
    all
}

fn opened(size: u64, attached: u16, answered: bool) -> Hand {
    let mut hand = Hand::client();
    let send = Send { size: Some(size), attached, ..Send::bytes(Action::Number(1), b"1234") };
    let (line, now) = (&mut hand.line, hand.now);
    if answered { line.request(now, &send) } else { line.notify(now, &send) }.unwrap();
    hand.hear();
    hand
}

fn opened_lanes() -> Vec<(&'static str, Make)> {
    fn request() -> Hand {
        opened(4, 0, true)
    }
    vec![
        ("opened: request said, no answer yet", request),
        ("opened: request, part of its body said", || opened(8, 0, true)),
        ("opened: request, its flow not offered", || opened(4, 1, true)),
        ("opened: request, an answer has come, more follow", || {
            let mut hand = request();
            hand.say(&response(true, None, 0)).unwrap();
            hand
        }),
        ("opened: request, part of the last answer has come", || {
            let mut hand = request();
            hand.say(&response(false, Some(12), 0)).unwrap();
            hand
        }),
        ("opened: request, the last answer's flow not offered", || {
            let mut hand = request();
            hand.say(&response(false, None, 1)).unwrap();
            hand
        }),
        ("opened: request, answered before its flow was offered", || {
            let mut hand = opened(4, 1, true);
            hand.say(&Frame::Code { lane: LANE, code: Code::OK }).unwrap();
            hand
        }),
        ("opened: request, answered before its body was said", || {
            let mut hand = opened(8, 0, true);
            hand.say(&Frame::Code { lane: LANE, code: Code::OK }).unwrap();
            hand
        }),
        ("opened: request given up, not yet said so", || {
            let mut hand = request();
            hand.line.abort(OURS, Code::CANCELLED).unwrap();
            hand
        }),
        ("opened: request given up", || {
            let mut hand = request();
            hand.line.abort(OURS, Code::CANCELLED).unwrap();
            hand.hear();
            hand
        }),
        ("opened: request given up by the peer, not yet confirmed", || {
            let mut hand = opened(8, 0, true);
            hand.say(&Frame::Abort { side: Side::Them, lane: LANE, code: Code::REJECTED }).unwrap();
            hand
        }),
        ("opened: notice said, not yet taken", || {
            let mut hand = opened(8, 0, false);
            hand.line.body(hand.now, OURS, b"5678").unwrap_or_default();
            while let Ok(_taken) = hand.line.body(hand.now, OURS, b"8") {}
            hand.hear();
            hand
        }),
        ("opened: notice, part of its body said", || opened(8, 0, false)),
        ("opened: notice given up", || {
            let mut hand = opened(8, 0, false);
            hand.line.abort(OURS, Code::CANCELLED).unwrap();
            hand.hear();
            hand
        }),
        ("opened: free again", || {
            let mut hand = request();
            hand.say(&Frame::Code { lane: LANE, code: Code::OK }).unwrap();
            hand
        }),
    ]
}

fn accepted(frame: Frame<'_>) -> Hand {
    let mut hand = Hand::server();
    hand.say(&frame).unwrap();
    hand
}

fn accepted_lanes() -> Vec<(&'static str, Make)> {
    fn request() -> Hand {
        accepted(open(true, None, 0))
    }
    /// With the outbox full, what is said last waits in the slot.
    fn fill(hand: &mut Hand) {
        while hand.line.notify(hand.now, &Send::bytes(Action::Number(1), &[0; 64])).is_ok() {}
        while hand.line.notify(hand.now, &Send::bytes(Action::Number(1), b"")).is_ok() {}
    }
    vec![
        ("accepted: request to be answered", request),
        ("accepted: request, part of its body has come", || accepted(open(true, Some(12), 0))),
        ("accepted: request, its flow not offered", || accepted(open(true, None, 1))),
        ("accepted: request, part of the answer said", || {
            let mut hand = request();
            let answer = Respond { size: Some(9), ..Respond::bytes(b"1234") };
            hand.line.respond(THEIRS, &answer).unwrap();
            hand.hear();
            hand
        }),
        ("accepted: request answered before its body came", || {
            let mut hand = accepted(open(true, Some(12), 0));
            hand.line.respond_code(THEIRS, Code::OK).unwrap();
            hand.hear();
            hand
        }),
        ("accepted: request answered, the code waits for room", || {
            let mut hand = request();
            fill(&mut hand);
            hand.line.respond_code(THEIRS, Code::OK).unwrap();
            hand
        }),
        ("accepted: request given up, not yet said so", || {
            let mut hand = request();
            hand.line.abort(THEIRS, Code::CANCELLED).unwrap();
            hand
        }),
        ("accepted: request given up before its body came", || {
            let mut hand = accepted(open(true, Some(12), 0));
            hand.line.abort(THEIRS, Code::CANCELLED).unwrap();
            hand.hear();
            hand
        }),
        ("accepted: request given up by the peer, not yet confirmed", || {
            let mut hand = request();
            hand.say(&Frame::Abort { side: Side::Us, lane: LANE, code: Code::REJECTED }).unwrap();
            hand
        }),
        ("accepted: notice, part of its body has come", || accepted(open(false, Some(12), 0))),
        ("accepted: notice, all has come and is not taken", || {
            let mut hand = accepted(open(false, Some(8), 0));
            hand.say(&body(Side::Us)).unwrap();
            hand
        }),
        ("accepted: notice given up before its body came", || {
            let mut hand = accepted(open(false, Some(12), 0));
            hand.line.abort(THEIRS, Code::CANCELLED).unwrap();
            hand.hear();
            hand
        }),
        ("accepted: free again", || {
            let mut hand = request();
            hand.line.respond_code(THEIRS, Code::OK).unwrap();
            hand.hear();
            hand
        }),
    ]
}

fn sent(push: bool) -> Hand {
    let mut hand = opened(4, 1, true);
    hand.line.offer(OURS, &Offer { push, size: Some(8), media: "", name: "n" }).unwrap();
    hand.hear();
    hand
}

fn sent_flows() -> Vec<(&'static str, Make)> {
    fn accept() -> Frame<'static> {
        Frame::Accept(wire::Accept { flow: 0, start: 0, end: Some(4), prefix: None })
    }
    fn running() -> Hand {
        let mut hand = sent(false);
        hand.say(&accept()).unwrap();
        hand.line.begin(OUT, 0).unwrap();
        hand.hear();
        hand
    }
    fn finished() -> Hand {
        let mut hand = running();
        hand.line.data(OUT, b"1234").unwrap();
        hand.line.finish(OUT, None).unwrap();
        hand.hear();
        hand
    }
    vec![
        ("sent flow: offered", || sent(false)),
        ("sent flow: asked for", || {
            let mut hand = sent(false);
            hand.say(&accept()).unwrap();
            hand
        }),
        ("sent flow: running", running),
        ("sent flow: a stream, running", || sent(true)),
        ("sent flow: running, paused by both", || {
            let mut hand = running();
            hand.line.pause(OUT, true).unwrap();
            hand.hear();
            hand.say(&pause(true)).unwrap();
            hand
        }),
        ("sent flow: a range finished", finished),
        ("sent flow: cancelled, not yet said so", || {
            let mut hand = running();
            hand.line.cancel(OUT, Code::IO).unwrap();
            hand
        }),
        ("sent flow: cancelled", || {
            let mut hand = running();
            hand.line.cancel(OUT, Code::IO).unwrap();
            hand.hear();
            hand
        }),
        ("sent flow: cancelled after a range was finished", || {
            let mut hand = finished();
            hand.line.cancel(OUT, Code::IO).unwrap();
            hand.hear();
            hand
        }),
        ("sent flow: stopped by the peer, not yet confirmed", || {
            let mut hand = running();
            hand.say(&Frame::Done { flow: 0, code: Code::REJECTED }).unwrap();
            hand
        }),
        ("sent flow: free again", || {
            let mut hand = finished();
            hand.say(&Frame::Done { flow: 0, code: Code::OK }).unwrap();
            hand
        }),
    ]
}

fn received(push: bool) -> Hand {
    let mut hand = accepted(open(true, None, 1));
    hand.say(&offer(push, Side::Us)).unwrap();
    hand
}

fn received_flows() -> Vec<(&'static str, Make)> {
    fn asked() -> Hand {
        let mut hand = received(false);
        hand.line.accept(IN, &Accept::default()).unwrap();
        hand.hear();
        hand
    }
    fn running() -> Hand {
        let mut hand = asked();
        hand.say(&Frame::Begin { flow: 0, start: 0 }).unwrap();
        hand
    }
    fn finished(mut hand: Hand) -> Hand {
        hand.say(&data()).unwrap();
        hand.say(&data()).unwrap();
        hand.say(&Frame::Finish { flow: 0, digest: None }).unwrap();
        hand.hear();
        hand
    }
    vec![
        ("received flow: offered", || received(false)),
        ("received flow: asked for", asked),
        ("received flow: running", running),
        ("received flow: a stream, running", || received(true)),
        ("received flow: all has come", || {
            let mut hand = running();
            hand.say(&data()).unwrap();
            hand.say(&data()).unwrap();
            hand
        }),
        ("received flow: finished", || finished(running())),
        ("received flow: a stream, finished and not all taken", || finished(received(true))),
        ("received flow: finished and done, not yet said so", || {
            let mut hand = finished(running());
            hand.line.done(IN, Code::OK).unwrap();
            hand
        }),
        ("received flow: cancelled and not all taken", || {
            let mut hand = running();
            hand.say(&data()).unwrap();
            hand.say(&Frame::Cancel { flow: 0, code: Code::IO }).unwrap();
            hand
        }),
        ("received flow: stopped, not yet said so", || {
            let mut hand = running();
            hand.line.done(IN, Code::REJECTED).unwrap();
            hand
        }),
        ("received flow: stopped", || {
            let mut hand = running();
            hand.line.done(IN, Code::REJECTED).unwrap();
            hand.hear();
            hand
        }),
        ("received flow: free again", || {
            let mut hand = finished(running());
            hand.line.done(IN, Code::OK).unwrap();
            hand.hear();
            hand
        }),
    ]
}

#[test]
fn a_closed_line_tells_why() {
    let mut hand = Hand::server();
    let event = hand.say(&Frame::Close(Close { code: CloseCode::AWAY, reason: "so long" }));
    assert_eq!(event, Ok(Some(Event::Closed { reason: Reason::ByPeer(CloseCode::AWAY), text: b"so long".to_vec() })));
}
