//! Exchanges: answers, and bodies in pieces.

use std::time::Duration;

use ropeway_core::wire::{Frame, Open};
use ropeway_core::{
    Code, Config, Event, Kind, LaneId, Message, PeerError, Refused, Respond, Send, Side, Storage, Until,
};
use ropeway_tests::hand::{Hand, exchange, frames};
use ropeway_tests::say::{ACCEPTED, ACTION, CODE, OPENED, abort, body, piece, response, update};
use ropeway_tests::storage::boxes;

#[test]
fn many_answers_and_updates_arrive_in_order_until_the_last() {
    let mut hand = Hand::client();
    hand.requests(4);
    for (frame, last) in [
        (response(b"one", None, true), Some(false)),
        (update(b"half"), None),
        (response(b"two", None, true), Some(false)),
        (response(b"three", None, false), Some(true)),
    ] {
        match (hand.say(&frame), last) {
            (Ok(Some(Event::Response(answer))), Some(last)) => assert_eq!(answer.last, last),
            (Ok(Some(Event::Update { lane, .. })), None) => assert_eq!(lane, OPENED),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(hand.line.lanes(), (0, 0));
    assert_eq!(hand.say(&response(b"four", None, false)), Err(PeerError::Unexpected(4)));
}

#[test]
fn an_answer_may_not_begin_inside_another() {
    let mut hand = Hand::client();
    hand.requests(4);
    hand.say(&response(b"12", Some(4), true)).unwrap();
    let update = update(b"half");
    assert!(hand.say(&update).is_ok(), "an update may come between");
    assert_eq!(hand.say(&CODE), Err(PeerError::Unexpected(5)));
    let mut hand = Hand::server();
    hand.opens(true, None);
    hand.line.respond(ACCEPTED, &Respond { size: Some(9), ..Respond::text("begin") }).unwrap();
    assert_eq!(hand.line.respond(ACCEPTED, &Respond::text("x")), Err(Refused::WrongState));
    assert_eq!(hand.line.respond_code(ACCEPTED, Code::OK), Err(Refused::WrongState));
}

#[test]
fn only_requests_are_answered() {
    let mut hand = Hand::server();
    hand.opens(false, Some(8));
    assert_eq!(hand.line.respond(ACCEPTED, &Respond::text("x")), Err(Refused::NoLane));
    assert_eq!(hand.line.respond_code(ACCEPTED, Code::OK), Err(Refused::NoLane));
    assert_eq!(hand.line.update(ACCEPTED, body(b"x")), Err(Refused::NoLane));
    let mut hand = Hand::client();
    hand.requests(4);
    assert_eq!(hand.line.respond_code(OPENED, Code::OK), Err(Refused::NoLane), "not by the one who asked");
    let send = Send { size: Some(8), ..Send::bytes(ACTION, b"1234") };
    let notice = hand.line.notify(hand.now, &send).unwrap().lane.unwrap();
    hand.hear();
    let code = Frame::Code { lane: notice.number(), code: Code::OK };
    assert_eq!(hand.say(&code), Err(PeerError::Unexpected(5)), "a notice is not answered");
}

#[test]
fn ids_are_equal_at_both_ends() {
    let (mut client, mut server) = (Hand::new(Config::SMALL, false), Hand::new(Config::SMALL, true));
    let mut heard = Vec::new();
    exchange(&mut client, &mut server, &mut heard);
    let mut said = Vec::new();
    for round in 0..3u8 {
        let notice = client.line.notify(client.now, &Send::bytes(ACTION, &[round])).unwrap();
        let request = client.line.request(client.now, &Send::bytes(ACTION, &[round])).unwrap();
        said.extend([notice.id, request.id]);
        let notice = server.line.notify(server.now, &Send::bytes(ACTION, &[round])).unwrap();
        exchange(&mut client, &mut server, &mut heard);
        let lane = LaneId::new(request.lane.unwrap().number(), Side::Them);
        let response = server.line.respond(lane, &Respond::bytes(&[round])).unwrap();
        said.extend([notice.id, response.id]);
        exchange(&mut client, &mut server, &mut heard);
    }
    let mut ids: Vec<_> = heard
        .into_iter()
        .filter_map(|event| match event {
            Event::Message(message) => Some(message.id),
            Event::Response(answer) => Some(answer.id),
            _ => None,
        })
        .collect();
    let mut unique = said.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), 12);
    ids.sort();
    assert_eq!(ids, unique);
    for id in ids {
        assert_eq!((id.to_bytes()[6] >> 4, id.to_bytes()[8] >> 6), (8, 2), "{id} is no UUID of version 8");
    }
}

#[test]
fn a_large_body_arrives_whole_whatever_the_frames() {
    for (frame, outbox, len) in
        [(64, 1024, 0), (64, 256, 1000), (256, 128, 1000), (256, 64, 333), (4096, 1 << 16, 70_000)]
    {
        let config = Config { max_frame: frame, max_message: 1 << 20, timeout: Duration::ZERO, ..Config::SMALL };
        for answer in [false, true] {
            let mut client = Hand::on(config, false, boxes(1, 1, outbox));
            let mut server = Hand::on(config, true, boxes(1, 1, outbox));
            exchange(&mut client, &mut server, &mut vec![]);
            let whole: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
            let mut got = Vec::new();
            let mut taken;
            if answer {
                let lane = client.line.request(client.now, &Send::bytes(ACTION, b"")).unwrap().lane.unwrap();
                exchange(&mut client, &mut server, &mut vec![]);
                let lane = LaneId::new(lane.number(), Side::Them);
                taken = server.line.respond(lane, &Respond::bytes(&whole)).unwrap().taken;
                carry(&mut server, &mut client, ACCEPTED, &whole, &mut taken, &mut got);
            } else {
                let send = Send::bytes(ACTION, &whole);
                let sent = client.line.notify(client.now, &send).unwrap();
                taken = sent.taken;
                carry(&mut client, &mut server, OPENED, &whole, &mut taken, &mut got);
            }
            assert_eq!(taken, len);
            assert!(got == whole, "frames of {frame}, outbox of {outbox}, {len} octets: {} arrived", got.len());
            assert_eq!((client.line.lanes(), server.line.lanes()), ((0, 0), (0, 0)));
        }
    }
}

/// Sends what is left of a body, and takes it at the other end.
fn carry<A: Storage, B: Storage>(
    from: &mut Hand<A>,
    to: &mut Hand<B>,
    lane: LaneId,
    whole: &[u8],
    taken: &mut usize,
    got: &mut Vec<u8>,
) {
    for _ in 0..10_000 {
        let mut events = Vec::new();
        if *taken < whole.len() {
            match from.line.body(from.now, lane, &whole[*taken..]) {
                Ok(len) => *taken += len,
                Err(refused) => {
                    assert!(matches!(refused, Refused::Later(Until::Credit | Until::Transmit)), "{refused}")
                }
            }
        }
        exchange(from, to, &mut events);
        for event in events {
            match event {
                Event::Message(Message { body, .. }) => {
                    to.line.take_message(body.bytes.len());
                    got.extend(body.bytes);
                }
                Event::Response(answer) => {
                    to.line.take_lane(answer.lane, answer.body.bytes.len());
                    got.extend(answer.body.bytes);
                }
                Event::Piece { lane, bytes, .. } => {
                    to.line.take_lane(lane, bytes.len());
                    got.extend(bytes);
                }
                Event::Room(_) | Event::Taken { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        exchange(from, to, &mut vec![]);
        if *taken == whole.len() && got.len() >= whole.len() {
            return;
        }
    }
}

#[test]
fn small_messages_never_wait_for_a_window_that_is_free() {
    // The smallest window there may be: one frame.
    let config = Config { window: 0, lane_credit: 0, ..Config::SMALL };
    let (mut client, mut server) = (Hand::new(config, false), Hand::new(config, true));
    exchange(&mut client, &mut server, &mut vec![]);
    for len in [64, 200, 1, 222, 64, 64, 222, 100, 200] {
        let sent = client.line.notify(client.now, &Send::bytes(ACTION, &vec![1; len]));
        assert!(sent.is_ok_and(|sent| sent.lane.is_none()), "{len}");
        let mut events = vec![];
        exchange(&mut client, &mut server, &mut events);
        assert!(matches!(events[0], Event::Message(_)));
        server.line.take_message(len);
        exchange(&mut client, &mut server, &mut vec![]);
    }
    // Likewise what is said on a lane.
    let lane = client.line.request(client.now, &Send::bytes(ACTION, b"")).unwrap().lane.unwrap();
    exchange(&mut client, &mut server, &mut vec![]);
    for len in [64, 200, 1, 222, 64, 64, 222, 100, 200] {
        server
            .line
            .update(LaneId::new(lane.number(), Side::Them), body(&vec![1; len]))
            .unwrap_or_else(|e| panic!("{len}: {e}"));
        exchange(&mut client, &mut server, &mut vec![]);
        client.line.take_lane(lane, len);
        exchange(&mut client, &mut server, &mut vec![]);
    }
}

#[test]
fn a_message_with_more_to_come_sends_all_that_is_at_hand() {
    let mut hand = Hand::client();
    let sent = hand.line.request(hand.now, &Send { size: Some(8), ..Send::bytes(ACTION, b"1234") }).unwrap();
    assert_eq!(sent.taken, 4);
}

#[test]
fn an_early_last_answer_ends_the_request_and_frees_its_lane_at_both_ends() {
    // The answering end.
    let mut hand = Hand::server();
    hand.opens(true, Some(1000));
    hand.line.respond_code(ACCEPTED, Code::NOT_IMPLEMENTED).unwrap();
    hand.hear();
    for _ in 0..8 {
        assert!(matches!(hand.say(&piece(ACCEPTED, &[0; 4])), Ok(Some(Event::Piece { .. }))), "already on its way");
        hand.line.take_lane(ACCEPTED, 4);
    }
    assert_eq!(hand.heard(), Vec::<String>::new(), "no credit behind the last word: the lane may be open anew by then");
    assert_eq!(
        hand.say(&abort(ACCEPTED, Code::CANCELLED)),
        Ok(Some(Event::Aborted { lane: ACCEPTED, code: Code::CANCELLED }))
    );
    assert_eq!(hand.line.lanes(), (0, 0));
    // The asking end.
    let mut hand = Hand::client();
    hand.requests(1000);
    hand.say(&Frame::Code { lane: 0, code: Code::NOT_IMPLEMENTED }).unwrap();
    assert_eq!(hand.line.body(hand.now, OPENED, &[0; 4]), Err(Refused::NoLane));
    assert!(frames(&hand.hear()).contains(&abort(ACCEPTED, Code::CANCELLED)));
    assert_eq!(hand.line.lanes(), (0, 0));
}

#[test]
fn a_notice_on_a_lane_is_over_when_it_is_taken() {
    let mut hand = Hand::server();
    hand.opens(false, Some(12));
    hand.say(&piece(ACCEPTED, b"5678")).unwrap();
    hand.say(&piece(ACCEPTED, b"9abc")).unwrap();
    hand.line.take_lane(ACCEPTED, 4);
    assert!(hand.heard().is_empty(), "not all is taken");
    assert_eq!(hand.line.lanes(), (0, 1));
    hand.line.take_lane(ACCEPTED, 4);
    assert_eq!(hand.heard(), ["End { lane: 0 }"]);
    assert_eq!(hand.line.lanes(), (0, 0));
    let mut hand = Hand::client();
    let sent = hand.line.notify(hand.now, &Send { size: Some(8), ..Send::bytes(ACTION, b"1234") }).unwrap();
    while hand.line.body(hand.now, sent.lane.unwrap(), b"5").is_ok() {}
    hand.hear();
    assert_eq!(hand.say(&Frame::End { lane: 0 }), Ok(Some(Event::Taken { lane: OPENED })));
    assert_eq!(hand.line.lanes(), (0, 0));
}

#[test]
fn a_notice_whole_in_its_first_frame_is_over_at_once() {
    let mut hand = Hand::server();
    let (lane, body) = (0, body(b"1234"));
    // A deadline is without meaning on a notice.
    let timeout = Some(5);
    let open = Open { lane, action: ACTION, body, wants_answer: false, timeout, size: None, attached: 0 };
    let event = hand.say(&Frame::Open(open));
    assert!(matches!(event, Ok(Some(Event::Message(Message { wants_answer: false, timeout: None, .. })))), "{event:?}");
    assert_eq!(hand.heard(), ["End { lane: 0 }"]);
    assert_eq!(hand.line.lanes(), (0, 0));
}

#[test]
fn an_exchange_is_live_while_there_is_something_to_hear_or_to_say() {
    fn check(attached: u16, frame: Option<Frame<'_>>, open: bool, live: bool) {
        let mut hand = Hand::client();
        hand.line.request(hand.now, &Send { attached, ..Send::bytes(ACTION, b"") }).unwrap();
        hand.hear();
        match frame {
            Some(frame) => drop(hand.say(&frame)),
            None => hand.line.abort(OPENED, Code::CANCELLED).unwrap(),
        }
        assert_eq!((hand.line.is_open(OPENED), hand.line.is_live(OPENED)), (open, live), "{attached}, {frame:?}");
    }
    // Given up, it is open until the peer confirms.
    check(0, None, true, false);
    check(0, Some(response(b"", None, true)), true, true);
    check(0, Some(CODE), false, false);
    check(1, Some(CODE), true, true);
    check(1, Some(abort(OPENED, Code::BUSY)), true, false);
}

#[test]
fn a_notice_that_only_brings_flows_is_over_when_they_are_offered() {
    let (mut client, mut server) = (Hand::new(Config::SMALL, false), Hand::new(Config::SMALL, true));
    let mut heard = vec![];
    exchange(&mut client, &mut server, &mut heard);
    let send = Send { attached: 2, ..Send::new(ACTION, Kind::None, b"") };
    let lane = client.line.notify(client.now, &send).unwrap().lane.unwrap();
    exchange(&mut client, &mut server, &mut heard);
    client.line.offer(lane, &ropeway_core::Offer::STREAM).unwrap();
    exchange(&mut client, &mut server, &mut heard);
    assert_eq!((client.line.lanes(), server.line.lanes()), ((1, 0), (0, 1)));
    client.line.offer(lane, &ropeway_core::Offer::STREAM).unwrap();
    exchange(&mut client, &mut server, &mut heard);
    assert_eq!((client.line.lanes(), server.line.lanes()), ((0, 0), (0, 0)));
    assert_eq!(heard.last(), Some(&Event::Taken { lane }));
}
