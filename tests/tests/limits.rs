//! Limits: the sender is told first, and the receiver enforces them all the same; nothing provoked piles up.

use ropeway_core::wire::{self, Define, Frame, Notice, Open, Response};
use ropeway_core::{
    Accept, Action, Body, CHARGE, Code, Config, Connection, Event, Field, Instant, Kind, LaneId, Limit, Limits, Offer,
    PeerError, Reason, Refused, Respond, Send, Side, Table, Until,
};
use ropeway_tests::hand::{HUGE, Hand, PEER, bytes, frames, hello};
use ropeway_tests::say::{
    self, ACCEPTED, ACTION, IN, OPENED, abort, accept, begin, body, data, lane_credit, notice, piece, request, update,
};
use ropeway_tests::storage::{arrays, boxes};

fn offer(flow: u16, name: &str) -> Frame<'_> {
    Frame::Offer(wire::Offer { flow, side: Side::Us, lane: 0, push: true, size: None, media: "", name })
}

/// A server whose peer takes little.
fn modest() -> Hand {
    let peer = Limits { frame: 64, message: 100, lanes: 2, flows: 2, name: 8, definitions: 2, attached: 1, ..PEER };
    Hand::greeted(Config::SMALL, true, arrays(), peer)
}

fn too_large(field: Field, asked: u64, allowed: u64) -> Refused {
    Refused::TooLarge(Limit { field, asked, allowed })
}

#[test]
fn the_sender_is_told_which_limit_and_how_much() {
    type Verb = fn(&mut Hand) -> Result<(), Refused>;
    let cases: Vec<(Refused, Verb)> = vec![
        (too_large(Field::Message, 101, 100), |h| h.line.notify(h.now, &Send::bytes(ACTION, &[0; 101])).map(drop)),
        (too_large(Field::Message, 101, 100), |h| h.line.request(h.now, &Send::bytes(ACTION, &[0; 101])).map(drop)),
        (too_large(Field::Message, 1 << 40, 100), |h| {
            h.line.request(h.now, &Send { size: Some(1 << 40), ..Send::bytes(ACTION, b"x") }).map(drop)
        }),
        (too_large(Field::Message, 101, 100), |h| {
            h.say(&request(0, None, 0)).unwrap();
            h.line.respond(ACCEPTED, &Respond::bytes(&[0; 101])).map(drop)
        }),
        (too_large(Field::Attached, 2, 1), |h| {
            h.line.request(h.now, &Send { attached: 2, ..Send::bytes(ACTION, b"x") }).map(drop)
        }),
        (too_large(Field::Name, 9, 8), |h| h.line.define(Table::Actions, "ninechars", None).map(drop)),
        (too_large(Field::Definitions, 3, 2), |h| {
            h.line.define(Table::Types, "a", None)?;
            h.line.define(Table::Types, "b", None)?;
            h.line.define(Table::Actions, "a", None)?;
            h.line.define(Table::Types, "c", None).map(drop)
        }),
        (too_large(Field::Name, 9, 8), |h| {
            let sent = h.line.request(h.now, &Send { attached: 1, ..Send::bytes(ACTION, b"x") })?;
            h.line.offer(sent.lane.unwrap(), &Offer::file("ninechars", 1)).map(drop)
        }),
        (too_large(Field::Name, 9, 8), |h| {
            let sent = h.line.request(h.now, &Send { attached: 1, ..Send::bytes(ACTION, b"x") })?;
            h.line.offer(sent.lane.unwrap(), &Offer { media: "ninechars", ..Offer::STREAM }).map(drop)
        }),
        (too_large(Field::Frame, 60, 30), |h| {
            h.say(&request(0, None, 0)).unwrap();
            h.line.update(ACCEPTED, body(&[0; 60]))
        }),
    ];
    for (error, verb) in cases {
        assert_eq!(verb(&mut modest()), Err(error));
    }
    let none = Limits { lanes: 0, flows: 0, ..PEER };
    let mut hand = Hand::greeted(Config::SMALL, true, arrays(), none);
    assert_eq!(hand.line.request(hand.now, &Send::text(ACTION, "")), Err(too_large(Field::Lanes, 1, 0)));
    assert!(hand.line.notify(hand.now, &Send::text(ACTION, "")).is_ok());
    hand.say(&request(0, None, 0)).unwrap();
    hand.line.respond(ACCEPTED, &Respond::text("x")).unwrap();
}

#[test]
fn arguments_out_of_range_are_refused() {
    let mut hand = Hand::server();
    for send in [
        Send::text(Action::Number(Action::MAX_NUMBER + 1), ""),
        Send::text(Action::Name(0), ""),
        Send::new(ACTION, Kind::Typed(0), b"x"),
        Send::new(ACTION, Kind::None, b"x"),
        Send { size: Some(1), ..Send::new(ACTION, Kind::None, b"") },
        Send { size: Some(2), ..Send::text(ACTION, "abc") },
    ] {
        assert_eq!(hand.line.notify(hand.now, &send), Err(Refused::BadArgument), "{send:?}");
        assert_eq!(hand.line.request(hand.now, &send), Err(Refused::BadArgument), "{send:?}");
    }
    hand.line.request(hand.now, &Send { size: Some(9), ..Send::text(ACTION, "abc") }).unwrap();
    let lane = LaneId::new(0, Side::Us);
    assert_eq!(hand.line.body(hand.now, lane, b""), Err(Refused::BadArgument));
    assert_eq!(hand.line.body(hand.now, lane, &[0; 7]), Err(Refused::BadArgument));
}

#[test]
fn the_number_of_lanes_and_flows_is_kept_by_waiting() {
    let mut hand = modest();
    for lane in 0..2 {
        let sent = hand.line.request(hand.now, &Send { attached: 1, ..Send::text(ACTION, "x") }).unwrap();
        assert_eq!(sent.lane, Some(LaneId::new(lane, Side::Us)));
        hand.line.offer(sent.lane.unwrap(), &Offer::STREAM).unwrap();
    }
    assert!(!hand.line.has_free_lane() && !hand.line.has_free_flow());
    assert_eq!(hand.line.request(hand.now, &Send::text(ACTION, "x")), Err(Refused::Later(Until::Lane)));
    hand.hear();
    assert!(hand.say(&Frame::Code { lane: 1, code: Code::OK }).is_ok());
    assert!(hand.line.has_free_lane());
    let sent = hand.line.request(hand.now, &Send { attached: 1, ..Send::text(ACTION, "x") }).unwrap();
    assert_eq!(hand.line.offer(sent.lane.unwrap(), &Offer::STREAM), Err(Refused::Later(Until::Flow)));
}

#[test]
fn the_receiver_enforces_every_limit() {
    let small = Config::SMALL;
    let name = "n".repeat(usize::from(small.max_name) + 1);
    let define = |index, name| Frame::Define(Define { table: Table::Types, index, fingerprint: None, name });
    let typed = Body { kind: Kind::Typed(0), bytes: &b"x"[..] };
    for (frames, error) in [
        (vec![request(4, None, 0)], PeerError::LaneLimit(4)),
        (vec![request(u16::MAX, None, 0)], PeerError::LaneLimit(u16::MAX)),
        (vec![request(0, Some(1025), 0)], PeerError::MessageTooLarge { size: 1025, limit: 1024 }),
        (vec![request(0, Some(u64::MAX), 0)], PeerError::MessageTooLarge { size: u64::MAX, limit: 1024 }),
        (vec![request(0, None, 3)], PeerError::FlowLimit(3)),
        (vec![request(0, None, 1), offer(4, "")], PeerError::FlowLimit(4)),
        (vec![request(0, None, 1), offer(0, &name)], PeerError::BadName),
        (vec![request(0, None, 1), offer(0, ""), offer(1, "")], PeerError::FlowInUse(1)),
        (vec![request(0, None, 2), offer(0, ""), offer(0, "")], PeerError::FlowInUse(0)),
        (vec![define(0, &name)], PeerError::BadName),
        (vec![define(1, "b")], PeerError::Definition(1)),
        (vec![define(0, "a"), define(0, "a")], PeerError::Definition(0)),
        (vec![Frame::Notice(Notice { action: Action::Name(0), body: body(b"") })], PeerError::Definition(0)),
        (vec![Frame::Notice(Notice { action: ACTION, body: typed })], PeerError::Definition(0)),
        (vec![request(0, None, 0), update(b"")], PeerError::Unexpected(6)),
        // B12.
        (vec![request(0, None, 0), request(0, None, 0)], PeerError::LaneInUse(0)),
        (vec![abort(OPENED, Code::OK)], PeerError::Unexpected(8)),
        (vec![request(0, Some(6), 0), piece(ACCEPTED, b"123")], PeerError::BodyOverrun),
        (vec![request(0, Some(6), 0), piece(OPENED, b"1")], PeerError::Unexpected(7)),
    ] {
        let mut hand = Hand::server();
        let (last, before) = frames.split_last().unwrap();
        for frame in before {
            assert!(hand.say(frame).is_ok(), "{frame:?}");
        }
        assert_eq!(hand.say(last), Err(error), "{frames:?}");
        assert_eq!(hand.heard().last().map(|frame| frame.starts_with("Close")), Some(true));
    }
    let mut hand = Hand::server();
    for index in 0..small.max_definitions {
        hand.say(&define(index, "same")).unwrap();
    }
    assert_eq!(hand.say(&define(small.max_definitions, "x")), Err(PeerError::Definition(small.max_definitions)));
}

/// A1.
#[test]
fn a_length_beyond_the_limit_is_refused_on_its_header() {
    let most = u64::from(Config::SMALL.max_frame);
    for (head, len) in [
        (&[2 << 3, 0][..], 0xffff_ffff_u64),
        (&[2 << 3, 0], most),
        (&[2 << 3, 0], u64::MAX),
        (&[13 << 3, 0], 0xffff_ffff),
        (&[7 << 3, 0], 1 << 63),
        (&[30 << 3], 0xffff_ffff),
        (&[20 << 3, 0], 1 << 40),
    ] {
        let mut octets = head.to_vec();
        let mut left = len;
        while left >= 0x80 {
            octets.push(left as u8 | 0x80);
            left >>= 7;
        }
        octets.push(left as u8);
        let result = Hand::server().say_bytes(&octets);
        assert!(matches!(result, Err(PeerError::FrameTooLarge { limit: 256, .. })), "{head:?} {len}: {result:?}");
    }
}

/// A2: the arithmetic is checked at the edges of its types.
#[test]
fn numbers_at_the_edge_do_not_overflow() {
    let edges = [u64::MAX, u64::MAX - 1, 1 << 63, 1 << 56, u64::from(u32::MAX)];
    for edge in edges {
        let mut hand = Hand::server();
        hand.say(&request(0, None, 2)).unwrap();
        hand.say(&say::offer(ACCEPTED, false, Some(edge))).unwrap();
        if hand.line.accept(IN, &Accept { start: edge, ..Accept::default() }).is_ok() {
            hand.say(&begin(edge)).unwrap();
            let _ = hand.say(&data(&[1; 100]));
        }
        for frame in [
            Frame::Window { limit: edge },
            Frame::Credit { flow: 0, limit: edge },
            lane_credit(ACCEPTED, edge),
            Frame::Ack { count: edge },
            accept(edge, Some(edge), None),
        ] {
            let mut hand = Hand::server();
            hand.say(&request(0, None, 0)).unwrap();
            let _ = hand.say(&frame);
            hand.hear();
        }
    }
}

/// A3.
#[test]
fn unknown_frames_are_skipped_only_where_that_is_agreed() {
    for kind in 0..32u8 {
        let octets = [kind << 3, 3, 1, 2, 3];
        let mut hand = Hand::server();
        match kind {
            28.. => assert_eq!(hand.say_bytes(&octets), Ok(None), "{kind}"),
            // Those of records, where there are none.
            0 | 19 | 27 => assert_eq!(hand.say_bytes(&octets), Err(PeerError::Unexpected(kind))),
            _ => {}
        }
    }
    // Reserved flags: those that the type does not know, and in the octet of extras.
    for (octets, kind) in [
        (&[(2 << 3) | 4, 0, 0][..], 2),
        (&[(5 << 3) | 1, 0, 0], 5),
        (&[(8 << 3) | 2, 0, 0], 8),
        (&[(18 << 3) | 1], 18),
        (&[(22 << 3) | 7, 0], 22),
        (&[(14 << 3) | 2, 0], 14),
        (&[(3 << 3) | 4, 0, 0, 0x10, 0], 3),
        (&[(3 << 3) | 4, 0, 0, 0, 0], 3),
        (&[(4 << 3) | 4, 0, 0x80, 0], 4),
    ] {
        assert_eq!(Hand::server().say_bytes(octets), Err(PeerError::ReservedBits(kind)), "{octets:?}");
    }
}

/// A5.
#[test]
fn a_message_with_more_than_it_declares_is_an_error() {
    for size in [0, 1, 4] {
        assert_eq!(Hand::server().say(&request(0, Some(size), 0)), Err(PeerError::BodyOverrun), "{size}");
    }
    let mut hand = Hand::client();
    hand.line.request(hand.now, &Send::text(ACTION, "")).unwrap();
    let response = Response { lane: 0, code: Code::OK, body: body(b"1234"), more: false, size: Some(3), attached: 0 };
    assert_eq!(hand.say(&Frame::Response(response)), Err(PeerError::BodyOverrun));
}

/// A10.
#[test]
fn tiny_fragments_cost_more_than_they_carry_and_empty_ones_are_errors() {
    let tiny = [
        Frame::Notice(Notice { action: ACTION, body: Body { kind: Kind::None, bytes: &[][..] } }),
        piece(ACCEPTED, b"x"),
        data(b"x"),
    ];
    for frame in tiny {
        let mut hand = Hand::server();
        hand.say(&request(0, Some(1000), 1)).unwrap();
        hand.say(&offer(0, "")).unwrap();
        let error = (0..100).find_map(|_| hand.say(&frame).err());
        assert!(matches!(error, Some(PeerError::Window | PeerError::Credit)), "{frame:?}: {error:?}");
    }
    for octets in [[7 << 3, 0, 0], [13 << 3, 0, 0]] {
        assert_eq!(Hand::server().say_bytes(&octets), Err(PeerError::EmptyFragment));
    }
}

/// A12.
#[test]
fn every_value_has_one_form() {
    for octets in [
        // A number with a needless octet: of an action, a lane, a length, a code.
        &[2 << 3, 0x80, 0x00, 0][..],
        &[5 << 3, 0x80, 0x00, 0],
        &[2 << 3, 0, 0x81, 0x00, 0],
        &[5 << 3, 0, 0xff, 0x00],
    ] {
        assert_eq!(Hand::server().say_bytes(octets), Err(PeerError::BadVarint), "{octets:?}");
    }
    // What is the rule is not said: code 0 of a response, no flows, a size of nothing.
    for octets in [[(4 << 3) | 4, 0, 2, 0, 0], [(4 << 3) | 4, 0, 8, 0, 0]] {
        assert_eq!(Hand::server().say_bytes(&octets), Err(PeerError::ReservedBits(4)), "{octets:?}");
    }
    for (octets, error) in [
        (&[5 << 3, 0, 0x80, 0x20][..], PeerError::BadCode),
        (&[2 << 3, 0x80, 0x80, 0x80, 0x80, 0x10, 0], PeerError::BadAction),
        (&[2 << 3, 0x81, 0x80, 0x08, 0], PeerError::BadAction),
        (&[1 << 3, 0, 2, 0xff, 0xfe], PeerError::BadName),
    ] {
        assert_eq!(Hand::server().say_bytes(octets), Err(error), "{octets:?}");
    }
}

/// B2.
#[test]
fn what_the_peer_provokes_does_not_pile_up() {
    let mut hand = Hand::server();
    // Nothing is ever transmitted; the peer opens, gives up, declines, pings and takes all it can.
    while hand.line.notify(hand.now, &Send::bytes(ACTION, b"")).is_ok() {}
    let full = hand.line.unsent();
    for lane in 0..4 {
        hand.say(&request(lane, None, 0)).unwrap();
        hand.line.take_message(4);
        assert!(hand.say(&Frame::Abort { side: Side::Us, lane, code: Code::CANCELLED }).is_ok());
    }
    for id in 0..1000 {
        hand.tell(&Frame::Ping { id });
    }
    assert!(hand.line.unsent() < full + 16, "{} octets wait", hand.line.unsent());
    assert_eq!(hand.line.lanes(), (0, 4));
    let heard = hand.heard();
    assert_eq!(heard.iter().filter(|frame| frame.starts_with("Abort")).count(), 4);
    assert_eq!(heard.iter().filter(|frame| frame.starts_with("Pong")).count(), 1);
    assert_eq!(hand.line.lanes(), (0, 0));
}

/// B6, of messages: the window.
#[test]
fn messages_beyond_the_window_are_refused_and_the_sender_stops_before() {
    let window = Config::SMALL.window;
    let notice = notice(&[0; 112]);
    let mut hand = Hand::server();
    for _ in 0..window / (112 + CHARGE) {
        assert!(hand.say(&notice).is_ok());
    }
    assert_eq!(hand.say(&notice), Err(PeerError::Window));

    let mut hand = Hand::greeted(Config::SMALL, true, arrays(), Limits { frame: 256, window: 600, ..PEER });
    let sent = (0..).take_while(|_| hand.line.notify(hand.now, &Send::bytes(ACTION, &[0; 118])).is_ok()).count();
    assert_eq!(sent, 4);
    hand.say(&Frame::Window { limit: 750 }).unwrap();
    hand.hear();
    assert!(hand.line.notify(hand.now, &Send::bytes(ACTION, &[0; 118])).is_ok());
    // Control is exempt.
    hand.say(&request(0, None, 0)).unwrap();
    hand.line.respond_code(ACCEPTED, Code::OK).unwrap();
    hand.line.ping().unwrap();
    assert_eq!(hand.heard().len(), 3);
}

// ---- what frames cost

#[test]
fn small_messages_cost_few_octets() {
    let payload = [7; 64];
    let check = |most: usize, frame: Frame<'_>| {
        let over = bytes(&frame).len() - payload.len();
        assert!(over <= most, "{over} octets of overhead, at most {most}: {frame:?}");
    };
    for (number, notice, request) in [(7, 4, 4), (1000, 4, 5), (Action::MAX_NUMBER, 9, 9)] {
        let action = Action::Number(number);
        check(notice, Frame::Notice(Notice { action, body: body(&payload) }));
        let lane = if number == Action::MAX_NUMBER { 4095 } else { 3 };
        let open =
            Open { lane, action, body: body(&payload), wants_answer: true, timeout: None, size: None, attached: 0 };
        check(request, Frame::Open(open));
        let response = Response { lane, code: Code::OK, body: body(&payload), more: false, size: None, attached: 0 };
        check(if lane < 128 { 3 } else { 4 }, Frame::Response(response));
        assert!(bytes(&Frame::Code { lane, code: Code::new(4095).unwrap() }).len() <= 5);
    }
    check(4, Frame::Notice(Notice { action: Action::Name(60), body: body(&payload) }));
    // And that is what a machine says.
    let mut hand = Hand::server();
    hand.line.notify(hand.now, &Send::bytes(ACTION, &payload)).unwrap();
    assert_eq!(hand.hear().len(), 64 + 3);
    hand.line.request(hand.now, &Send::bytes(ACTION, &payload)).unwrap();
    assert_eq!(hand.hear().len(), 64 + 4);
    hand.say(&request(0, None, 0)).unwrap();
    hand.line.respond(ACCEPTED, &Respond::bytes(&payload)).unwrap();
    let octets = hand.hear();
    let response = frames(&octets).into_iter().find(|frame| matches!(frame, Frame::Response(_))).unwrap();
    assert_eq!(bytes(&response).len(), 64 + 3);
}

// ---- fair turns

#[test]
fn small_requests_pass_between_the_pieces_of_large_ones() {
    let mut hand = Hand::greeted(Config::DEFAULT, false, boxes(8, 8, 1 << 17), Limits { frame: 32 * 1024, ..PEER });
    let large = vec![1; 1 << 20];
    let lanes: Vec<LaneId> = (0..3)
        .map(|_| {
            hand.line
                .request(hand.now, &Send { size: Some(1 << 20), ..Send::bytes(ACTION, b"") })
                .unwrap()
                .lane
                .unwrap()
        })
        .collect();
    hand.hear();
    let mut turns = [0; 3];
    for round in 0..60 {
        // Each large body tries first, the small request last.
        for (turn, lane) in turns.iter_mut().zip(&lanes) {
            if let Ok(len) = hand.line.body(hand.now, *lane, &large[..32 * 1024]) {
                *turn += len;
            }
        }
        assert!(hand.line.notify(hand.now, &Send::bytes(Action::Number(round), b"small")).is_ok());
        let octets = hand.hear();
        assert!(octets.len() < 34_000, "{} octets before the small one", octets.len());
        assert!(frames(&octets).iter().any(|frame| matches!(frame, Frame::Notice(_))));
    }
}

#[test]
fn a_large_message_waits_for_another_and_small_ones_pass_it() {
    let mut hand = Hand::greeted(Config::DEFAULT, false, boxes(8, 8, 1 << 17), Limits { frame: 32 * 1024, ..PEER });
    let notify = |hand: &mut Hand<_>, len| hand.line.notify(hand.now, &Send::bytes(ACTION, &vec![1; len])).map(drop);
    for _ in 0..3 {
        assert_eq!(notify(&mut hand, 20_000), Ok(()));
        assert!(!hand.line.has_bulk_room());
        assert_eq!(notify(&mut hand, 20_000), Err(Refused::Later(Until::Transmit)));
        assert_eq!(notify(&mut hand, 4096), Ok(()));
        assert_eq!(notify(&mut hand, 10_000), Ok(()), "both fit a frame");
        hand.hear();
        assert!(hand.line.has_bulk_room());
    }
}

// ---- stretches to transmit

#[test]
fn octets_are_the_same_however_few_are_asked_for() {
    let say = |most: usize| {
        let now = Instant::from_millis(1);
        let mut line = Connection::server(now, Config::SMALL, [7; 32], arrays());
        let mut input = hello(true, PEER);
        line.handle_input(now, &mut input).unwrap();
        line.define(Table::Actions, "action", Some(5)).unwrap();
        for len in [0, 100, 30, 200] {
            line.notify(now, &Send::bytes(ACTION, &vec![len as u8; len])).unwrap();
        }
        line.request(now, &Send::text(ACTION, "why?")).unwrap();
        ropeway_tests::hand::hear(&mut line, now, most)
    };
    let right = say(4096);
    let hello = 6 + usize::from(right[4]);
    assert!(hello <= 128, "128 octets are always enough");
    for most in 1..200 {
        let said = say(most);
        if most < hello {
            assert!(said.is_empty(), "nothing goes before the hello, {most} octets at a time");
        } else {
            assert!(said == right, "{most} octets at a time");
        }
    }
}

#[test]
fn a_hello_fits_128_octets_whatever_it_says() {
    let mut line = Connection::client(Instant::ZERO, HUGE, [1; 32], boxes(4096, 4096, 128));
    assert!(line.poll_transmit(Instant::ZERO, &mut [0; 128]) > 0);
}

#[test]
fn an_end_of_the_transport_is_told_once() {
    let mut hand = Hand::server();
    assert_eq!(hand.line.handle_eof(), Some(Event::Closed { reason: Reason::Eof, text: &[][..] }));
    assert_eq!(hand.line.handle_eof(), None);
    assert_eq!(hand.pass(1 << 30), []);
}
