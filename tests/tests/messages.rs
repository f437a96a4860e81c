//! Exchanges: answers, bodies in pieces, deadlines, and every way to give one up.

use std::time::Duration;

use ropeway_core::wire::{Frame, Open, Piece, Response, Update};
use ropeway_core::{
    Action, Body, CloseCode, Code, Config, Connection, Event, Instant, Kind, LaneId, Message, PeerError, Refused,
    Respond, Room, Send, Side, Storage, Table,
};
use ropeway_tests::hand::{Hand, PEER, frames, hear, hello};
use ropeway_tests::storage::{arrays, boxes};

const US: LaneId = LaneId::new(0, Side::Us);
const THEM: LaneId = LaneId::new(0, Side::Them);
const ACTION: Action = Action::Number(1);

fn body(bytes: &[u8]) -> Body<&[u8]> {
    Body { kind: Kind::Bytes, bytes }
}

/// The peer opens lane 0.
fn opens(hand: &mut Hand, wants_answer: bool, size: Option<u64>) {
    let open = Open { lane: 0, action: ACTION, body: body(b"1234"), wants_answer, timeout: None, size, attached: 0 };
    assert!(matches!(hand.say(&Frame::Open(open)), Ok(Some(Event::Message(_)))));
    hand.line.take_message(4);
}

fn response(bytes: &[u8], size: Option<u64>, more: bool) -> Frame<'_> {
    Frame::Response(Response { lane: 0, code: Code::OK, body: body(bytes), more, size, attached: 0 })
}

fn piece(side: Side, bytes: &[u8]) -> Frame<'_> {
    Frame::Body(Piece { side, lane: 0, bytes })
}

/// This end opens lane 0, with the first piece of a body of `size` octets.
fn requests(hand: &mut Hand, size: u64) {
    let send = Send { size: Some(size), ..Send::bytes(ACTION, b"1234") };
    assert_eq!(hand.line.request(hand.now, &send).unwrap().lane, Some(US));
    hand.hear();
}

fn aborts(side: Side, code: Code) -> Frame<'static> {
    Frame::Abort { side, lane: 0, code }
}

// ---- answers

#[test]
fn many_answers_and_updates_arrive_in_order_until_the_last() {
    let mut hand = Hand::client();
    requests(&mut hand, 4);
    for (frame, last) in [
        (response(b"one", None, true), Some(false)),
        (Frame::Update(Update { lane: 0, body: body(b"half") }), None),
        (response(b"two", None, true), Some(false)),
        (response(b"three", None, false), Some(true)),
    ] {
        match (hand.say(&frame), last) {
            (Ok(Some(Event::Response(answer))), Some(last)) => assert_eq!(answer.last, last),
            (Ok(Some(Event::Update { lane, .. })), None) => assert_eq!(lane, US),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(hand.line.lanes(), (0, 0));
    assert_eq!(hand.say(&response(b"four", None, false)), Err(PeerError::Unexpected(4)));
}

#[test]
fn an_answer_may_not_begin_inside_another() {
    let mut hand = Hand::client();
    requests(&mut hand, 4);
    hand.say(&response(b"12", Some(4), true)).unwrap();
    let update = Frame::Update(Update { lane: 0, body: body(b"half") });
    assert!(hand.say(&update).is_ok(), "an update may come between");
    assert_eq!(hand.say(&Frame::Code { lane: 0, code: Code::OK }), Err(PeerError::Unexpected(5)));
    let mut hand = Hand::server();
    opens(&mut hand, true, None);
    hand.line.respond(THEM, &Respond { size: Some(9), ..Respond::text("begin") }).unwrap();
    assert_eq!(hand.line.respond(THEM, &Respond::text("x")), Err(Refused::WrongState));
    assert_eq!(hand.line.respond_code(THEM, Code::OK), Err(Refused::WrongState));
}

#[test]
fn only_requests_are_answered() {
    let mut hand = Hand::server();
    opens(&mut hand, false, Some(8));
    assert_eq!(hand.line.respond(THEM, &Respond::text("x")), Err(Refused::NoLane));
    assert_eq!(hand.line.respond_code(THEM, Code::OK), Err(Refused::NoLane));
    assert_eq!(hand.line.update(THEM, body(b"x")), Err(Refused::NoLane));
    let mut hand = Hand::client();
    requests(&mut hand, 4);
    assert_eq!(hand.line.respond_code(US, Code::OK), Err(Refused::NoLane), "not by the one who asked");
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
        assert_eq!((id.as_bytes()[6] >> 4, id.as_bytes()[8] >> 6), (8, 2), "{id} is no UUID of version 8");
    }
}

/// Moves everything there is between two machines.
fn exchange<A: Storage, B: Storage>(a: &mut Hand<A>, b: &mut Hand<B>, heard: &mut Vec<Event<Vec<u8>>>) {
    loop {
        let (from_a, from_b) = (a.hear(), b.hear());
        if from_a.is_empty() && from_b.is_empty() {
            return;
        }
        feed(&mut b.line, b.now, from_a, heard);
        feed(&mut a.line, a.now, from_b, heard);
    }
}

fn feed<S: Storage>(line: &mut Connection<S>, now: Instant, mut octets: Vec<u8>, heard: &mut Vec<Event<Vec<u8>>>) {
    while !octets.is_empty() {
        let step = line.handle_input(now, &mut octets).unwrap();
        heard.extend(step.event.map(|event| event.map(<[u8]>::to_vec)));
        let consumed = step.consumed;
        assert!(consumed > 0);
        octets.drain(..consumed);
    }
}

// ---- bodies

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
                carry(&mut server, &mut client, THEM, &whole, &mut taken, &mut got);
            } else {
                let send = Send::bytes(ACTION, &whole);
                let sent = client.line.notify(client.now, &send).unwrap();
                taken = sent.taken;
                carry(&mut client, &mut server, US, &whole, &mut taken, &mut got);
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
                Err(refused) => assert_eq!(refused, Refused::Later),
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
    opens(&mut hand, true, Some(1000));
    hand.line.respond_code(THEM, Code::NOT_IMPLEMENTED).unwrap();
    hand.hear();
    for _ in 0..8 {
        assert!(matches!(hand.say(&piece(Side::Us, &[0; 4])), Ok(Some(Event::Piece { .. }))), "already on its way");
        hand.line.take_lane(THEM, 4);
    }
    assert_eq!(hand.heard(), Vec::<String>::new(), "no credit behind the last word: the lane may be open anew by then");
    assert_eq!(
        hand.say(&aborts(Side::Us, Code::CANCELLED)),
        Ok(Some(Event::Aborted { lane: THEM, code: Code::CANCELLED }))
    );
    assert_eq!(hand.line.lanes(), (0, 0));
    // The asking end.
    let mut hand = Hand::client();
    requests(&mut hand, 1000);
    hand.say(&Frame::Code { lane: 0, code: Code::NOT_IMPLEMENTED }).unwrap();
    assert_eq!(hand.line.body(hand.now, US, &[0; 4]), Err(Refused::NoLane));
    assert!(frames(&hand.hear()).contains(&aborts(Side::Us, Code::CANCELLED)));
    assert_eq!(hand.line.lanes(), (0, 0));
}

#[test]
fn a_notice_on_a_lane_is_over_when_it_is_taken() {
    let mut hand = Hand::server();
    opens(&mut hand, false, Some(8));
    hand.say(&piece(Side::Us, b"5678")).unwrap();
    assert!(hand.heard().is_empty());
    assert_eq!(hand.line.lanes(), (0, 1));
    hand.line.take_lane(THEM, 4);
    assert_eq!(hand.heard(), ["End { lane: 0 }"]);
    assert_eq!(hand.line.lanes(), (0, 0));
    let mut hand = Hand::client();
    let sent = hand.line.notify(hand.now, &Send { size: Some(8), ..Send::bytes(ACTION, b"1234") }).unwrap();
    while hand.line.body(hand.now, sent.lane.unwrap(), b"5").is_ok() {}
    hand.hear();
    assert_eq!(hand.say(&Frame::End { lane: 0 }), Ok(Some(Event::Taken { lane: US })));
    assert_eq!(hand.line.lanes(), (0, 0));
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

// ---- deadlines

#[test]
fn a_request_without_a_sign_of_life_expires() {
    let mut hand = Hand::client();
    requests(&mut hand, 4);
    assert_eq!(hand.pass(4999), []);
    assert_eq!(hand.pass(1), [Event::Expired { lane: US }]);
    assert_eq!(hand.heard(), ["Abort { side: Us, lane: 0, code: Code(timed out (7)) }"]);
    assert_eq!(hand.line.stats().expired, 1);
    assert_eq!(hand.line.lanes(), (1, 0), "until the peer confirms");
    hand.tell(&aborts(Side::Them, Code::TIMEOUT));
    assert_eq!(hand.line.lanes(), (0, 0));
}

#[test]
fn every_sign_of_life_prolongs_a_deadline() {
    let mut hand = Hand::client();
    requests(&mut hand, 4);
    for frame in [
        Frame::Update(Update { lane: 0, body: body(b"1%") }),
        response(b"first", None, true),
        response(b"se", Some(6), false),
        piece(Side::Them, b"co"),
    ] {
        assert_eq!(hand.pass(4000), []);
        hand.say(&frame).unwrap();
    }
    assert_eq!(hand.pass(4999), []);
    assert_eq!(hand.pass(1), [Event::Expired { lane: US }]);
}

#[test]
fn many_requests_expire_each_at_its_time() {
    let mut hand = Hand::client();
    let millis = [300, 100, 400, 200];
    for wait in millis {
        let send = Send { timeout: Some(Duration::from_millis(wait)), ..Send::bytes(ACTION, b"") };
        hand.line.request(hand.now, &send).unwrap();
    }
    hand.hear();
    let start = hand.now;
    for (wait, lane) in [(100, 1), (200, 3), (300, 0), (400, 2)] {
        while hand.line.poll_timeout().unwrap() < start.after(Duration::from_millis(wait)) {
            let next = hand.line.poll_timeout().unwrap();
            let events = hand.pass(next.since(hand.now).as_millis() as u64);
            assert_eq!(events, [], "a timer is a lower bound");
        }
        assert_eq!(hand.line.poll_timeout(), Some(start.after(Duration::from_millis(wait))));
        let left = start.after(Duration::from_millis(wait)).since(hand.now).as_millis() as u64;
        assert_eq!(hand.pass(left), [Event::Expired { lane: LaneId::new(lane, Side::Us) }]);
    }
}

#[test]
fn an_answered_request_does_not_expire() {
    let mut hand = Hand::client();
    requests(&mut hand, 4);
    hand.say(&response(b"done", None, false)).unwrap();
    assert_eq!(hand.pass(20_000), []);
    // Nor does one that still has a flow to offer.
    let mut hand = Hand::client();
    hand.line.request(hand.now, &Send { attached: 1, ..Send::bytes(ACTION, b"") }).unwrap();
    hand.hear();
    hand.say(&Frame::Code { lane: 0, code: Code::OK }).unwrap();
    assert_eq!(hand.pass(20_000), []);
}

#[test]
fn a_deadline_travels_with_its_request() {
    for (timeout, travels) in [
        (None, Some(Duration::from_secs(5))),
        (Some(Duration::ZERO), None),
        (Some(Duration::from_millis(20)), Some(Duration::from_millis(20))),
        (Some(Duration::from_micros(1)), Some(Duration::from_millis(1))),
        (Some(Duration::from_micros(2001)), Some(Duration::from_millis(3))),
    ] {
        let (mut client, mut server) = (Hand::new(Config::SMALL, false), Hand::new(Config::SMALL, true));
        exchange(&mut client, &mut server, &mut vec![]);
        client.line.request(client.now, &Send { timeout, ..Send::bytes(ACTION, b"") }).unwrap();
        let mut heard = vec![];
        exchange(&mut client, &mut server, &mut heard);
        let [Event::Message(Message { timeout: arrived, .. })] = heard[..] else { panic!("{heard:?}") };
        assert_eq!(arrived, travels, "{timeout:?}");
    }
}

// ---- giving up

#[test]
fn an_exchange_given_up_is_silent_and_free_once_the_peer_confirms() {
    let mut hand = Hand::client();
    requests(&mut hand, 4);
    hand.line.abort(US, Code::CANCELLED).unwrap();
    assert_eq!(hand.line.abort(US, Code::CANCELLED), Err(Refused::WrongState));
    assert_eq!(hand.heard(), ["Abort { side: Us, lane: 0, code: Code(cancelled (6)) }"]);
    hand.tell(&response(b"late", None, true));
    hand.tell(&Frame::Update(Update { lane: 0, body: body(b"later") }));
    hand.tell(&response(b"la", Some(6), false));
    hand.tell(&piece(Side::Them, b"te"));
    assert_eq!(hand.line.lanes(), (1, 0));
    hand.tell(&aborts(Side::Them, Code::CANCELLED));
    assert_eq!(hand.line.lanes(), (0, 0));
    let dropped = hand.line.stats().dropped;
    assert_eq!((dropped.answers, dropped.body_octets), (3, 4 + 5 + 2 + 2));
}

#[test]
fn both_may_give_up_at_once() {
    // Each end says so before it hears the other; each order of saying and hearing.
    for said in [false, true] {
        let mut hand = Hand::client();
        requests(&mut hand, 4);
        hand.line.abort(US, Code::CANCELLED).unwrap();
        if said {
            hand.hear();
        }
        hand.tell(&aborts(Side::Them, Code::BUSY));
        assert_eq!(hand.heard().len(), usize::from(!said));
        assert_eq!(hand.line.lanes(), (0, 0));

        for size in [None, Some(8)] {
            let mut hand = Hand::server();
            opens(&mut hand, true, size);
            hand.line.abort(THEM, Code::BUSY).unwrap();
            if said {
                hand.hear();
                if size.is_none() {
                    assert_eq!(hand.line.lanes(), (0, 0), "all of the request had come");
                }
            }
            hand.tell(&aborts(Side::Us, Code::CANCELLED));
            assert_eq!(hand.heard().len(), usize::from(!said));
            assert_eq!(hand.line.lanes(), (0, 0));
        }
    }
}

#[test]
fn an_answer_and_an_abort_may_cross() {
    let mut hand = Hand::server();
    opens(&mut hand, true, None);
    hand.line.respond_code(THEM, Code::OK).unwrap();
    hand.hear();
    hand.tell(&aborts(Side::Us, Code::CANCELLED));
    hand.tell(&Frame::LaneCredit { side: Side::Us, lane: 0, limit: 1 << 21 });
    opens(&mut hand, true, None);
    let mut hand = Hand::client();
    requests(&mut hand, 4);
    hand.line.abort(US, Code::CANCELLED).unwrap();
    hand.tell(&Frame::Code { lane: 0, code: Code::OK });
    assert_eq!(hand.line.lanes(), (1, 0), "not before it has said so");
    assert_eq!(hand.heard().len(), 1);
    assert_eq!(hand.line.lanes(), (0, 0));
}

#[test]
fn the_peer_may_give_up_a_request_half_said() {
    let mut hand = Hand::client();
    requests(&mut hand, 1000);
    let event = hand.say(&aborts(Side::Them, Code::BUSY));
    assert_eq!(event, Ok(Some(Event::Aborted { lane: US, code: Code::BUSY })));
    assert_eq!(hand.line.body(hand.now, US, b"x"), Err(Refused::NoLane));
    assert_eq!(hand.line.abort(US, Code::BUSY), Err(Refused::WrongState));
    assert_eq!(hand.heard().len(), 1, "the lane is confirmed free");
    assert_eq!(hand.line.lanes(), (0, 0));
}

/// B1.
#[test]
fn a_flood_of_requests_given_up_ends_the_line() {
    let mut hand = Hand::server();
    let most = Config::SMALL.max_aborts;
    for _ in 0..most {
        opens(&mut hand, true, None);
        assert!(hand.say(&aborts(Side::Us, Code::CANCELLED)).is_ok());
        hand.hear();
    }
    opens(&mut hand, true, None);
    assert_eq!(hand.say(&aborts(Side::Us, Code::CANCELLED)), Err(PeerError::AbortFlood));
}

#[test]
fn as_many_exchanges_may_be_given_up_as_end_well() {
    let mut hand = Hand::server();
    for round in 0..10 * Config::SMALL.max_aborts {
        opens(&mut hand, true, None);
        assert!(hand.say(&aborts(Side::Us, Code::CANCELLED)).is_ok(), "{round}");
        opens_after(&mut hand);
        hand.line.respond_code(THEM, Code::OK).unwrap();
        hand.hear();
    }
    // What this end gives up itself, or opened itself, neither counts nor makes up for any.
    let mut hand = Hand::server();
    for _ in 0..2 * Config::SMALL.max_aborts {
        opens(&mut hand, true, None);
        hand.line.abort(THEM, Code::BUSY).unwrap();
        hand.hear();
        requests(&mut hand, 4);
        hand.say(&Frame::Code { lane: 0, code: Code::OK }).unwrap();
    }
}

fn opens_after(hand: &mut Hand) {
    hand.hear();
    opens(hand, true, None);
}

/// B1: what was given up and not yet confirmed counts.
#[test]
fn lanes_given_up_are_in_use_until_confirmed() {
    let mut hand = Hand::server();
    opens(&mut hand, true, None);
    hand.say(&aborts(Side::Us, Code::CANCELLED)).unwrap();
    let open =
        Open { lane: 0, action: ACTION, body: body(b""), wants_answer: true, timeout: None, size: None, attached: 0 };
    assert_eq!(hand.say(&Frame::Open(open)), Err(PeerError::LaneInUse(0)));
}

// ---- going away

#[test]
fn a_peer_that_goes_away_gets_no_new_exchange_and_open_ones_end() {
    let mut hand = Hand::client();
    requests(&mut hand, 8);
    opens(&mut hand, true, None);
    assert_eq!(hand.say(&Frame::Away), Ok(Some(Event::Away)));
    assert_eq!(hand.line.notify(hand.now, &Send::text(ACTION, "x")), Err(Refused::Away));
    assert_eq!(hand.line.request(hand.now, &Send::text(ACTION, "x")), Err(Refused::Away));
    hand.line.body(hand.now, US, b"5678").unwrap();
    hand.line.respond(THEM, &Respond::text("yes")).unwrap();
    assert!(hand.say(&response(b"yes", None, false)).is_ok());
    assert_eq!(hand.line.lanes(), (0, 0));
}

#[test]
fn going_away_still_takes_what_crossed_it() {
    let mut hand = Hand::server();
    hand.line.go_away().unwrap();
    assert_eq!(hand.heard(), ["Away"]);
    opens(&mut hand, true, None);
    hand.line.respond_code(THEM, Code::OK).unwrap();
    assert!(hand.line.notify(hand.now, &Send::text(ACTION, "x")).is_ok());
}

// ---- closing

#[test]
fn close_flushes_all_that_was_said_before() {
    for outbox in [64, 128, 1024] {
        let mut hand = Hand::greeted(Config::SMALL, true, boxes(4, 4, outbox), PEER);
        for lane in 0..3 {
            let open = Open {
                lane,
                action: ACTION,
                body: body(b""),
                wants_answer: true,
                timeout: None,
                size: None,
                attached: 0,
            };
            hand.say(&Frame::Open(open)).unwrap();
        }
        while hand.line.notify(hand.now, &Send::bytes(ACTION, &[1; 20])).is_ok() {}
        while hand.line.notify(hand.now, &Send::new(ACTION, Kind::None, &[])).is_ok() {}
        for lane in 0..3 {
            hand.line.respond_code(LaneId::new(lane, Side::Them), Code::OK).unwrap();
        }
        hand.line.close(CloseCode::DONE, "bye");
        assert_eq!(hand.line.notify(hand.now, &Send::text(ACTION, "x")), Err(Refused::Closed));
        let octets = hand.hear();
        let heard = frames(&octets);
        let codes = heard.iter().filter(|frame| matches!(frame, Frame::Code { .. })).count();
        assert_eq!(codes, 3, "outbox of {outbox}: {heard:?}");
        assert!(matches!(heard.last(), Some(Frame::Close(_))), "{heard:?}");
        assert!(hand.line.closed().is_some());
        assert!(!hand.line.wants_transmit());
    }
}

#[test]
fn a_reason_that_is_too_long_is_cut_between_letters() {
    let mut hand = Hand::server();
    hand.line.close(CloseCode::INTERNAL, &"ä".repeat(100));
    let octets = hand.hear();
    let [Frame::Close(close)] = frames(&octets)[..] else { panic!() };
    assert_eq!(close.reason, "ä".repeat(60));
}

#[test]
fn nothing_is_sent_once_the_peer_has_closed() {
    let mut hand = Hand::server();
    hand.line.notify(hand.now, &Send::text(ACTION, "in vain")).unwrap();
    let close = Frame::Close(ropeway_core::wire::Close { code: CloseCode::DONE, reason: "" });
    assert!(matches!(hand.say(&close), Ok(Some(Event::Closed { .. }))));
    assert!(hand.hear().is_empty());
    assert!(!hand.line.wants_transmit());
}

// ---- room

#[test]
fn room_is_told_when_window_or_credit_grows() {
    let mut hand = Hand::client();
    requests(&mut hand, 1000);
    assert_eq!(hand.say(&Frame::Window { limit: 1 << 30 }), Ok(Some(Event::Room(Room::Messages))));
    hand.tell(&Frame::Window { limit: 1 << 20 });
    let credit = Frame::LaneCredit { side: Side::Them, lane: 0, limit: 1 << 30 };
    assert_eq!(hand.say(&credit), Ok(Some(Event::Room(Room::Lane(US)))));
    hand.tell(&credit);
}

#[test]
fn a_full_outbox_refuses_and_loses_nothing() {
    let mut hand = Hand::greeted(Config::SMALL, true, boxes(4, 4, 100), PEER);
    let mut said = Vec::new();
    let mut octets = Vec::new();
    for value in 0..200u8 {
        let send = Send::bytes(ACTION, std::slice::from_ref(&value));
        while let Err(refused) = hand.line.notify(hand.now, &send) {
            assert_eq!(refused, Refused::Later);
            octets.extend(hear(&mut hand.line, hand.now, 7).drain(..));
        }
        said.push(value);
    }
    octets.extend(hand.hear());
    let heard: Vec<u8> = frames(&octets)
        .iter()
        .map(|frame| match frame {
            Frame::Notice(notice) => notice.body.bytes[0],
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(heard, said);
    assert_eq!(hand.line.stats().sent.notices, 200);
}

#[test]
fn what_can_never_fit_the_outbox_is_an_error_and_not_later() {
    let mut hand = Hand::greeted(Config::SMALL, true, boxes(4, 4, 64), PEER);
    let name = "n".repeat(100);
    for _ in 0..2 {
        assert!(matches!(hand.line.define(Table::Actions, &name, None), Err(Refused::TooLarge(_))));
        let send = Send { attached: 1, ..Send::bytes(ACTION, b"") };
        let lane = hand.line.request(hand.now, &send).unwrap().lane.unwrap();
        let offer = ropeway_core::Offer::file(&name, 1);
        assert!(matches!(hand.line.offer(lane, &offer), Err(Refused::TooLarge(_))));
        hand.hear();
    }
}

#[test]
fn codes_and_aborts_never_wait_for_room() {
    let mut hand = Hand::server();
    for lane in 0..4 {
        let open =
            Open { lane, action: ACTION, body: body(b""), wants_answer: true, timeout: None, size: None, attached: 0 };
        hand.say(&Frame::Open(open)).unwrap();
    }
    while hand.line.notify(hand.now, &Send::new(ACTION, Kind::None, &[])).is_ok() {}
    for lane in 0..4 {
        let lane = LaneId::new(lane, Side::Them);
        match lane.number() % 2 {
            0 => hand.line.respond_code(lane, Code::REJECTED).unwrap(),
            _ => hand.line.abort(lane, Code::BUSY).unwrap(),
        }
    }
    assert_eq!(hand.line.lanes(), (0, 4));
    let heard = hand.heard();
    assert_eq!(heard.iter().filter(|f| f.starts_with("Code")).count(), 2);
    assert_eq!(heard.iter().filter(|f| f.starts_with("Abort")).count(), 2);
    assert_eq!(hand.line.lanes(), (0, 0));
}

#[test]
fn names_of_the_other_end_and_of_nothing_are_refused() {
    let mut hand = Hand::server();
    for lane in [US, THEM, LaneId::new(3, Side::Us), LaneId::new(u16::MAX, Side::Them), LaneId::new(4, Side::Them)] {
        assert_eq!(hand.line.respond_code(lane, Code::OK), Err(Refused::NoLane));
        assert_eq!(hand.line.respond(lane, &Respond::text("")), Err(Refused::NoLane));
        assert_eq!(hand.line.update(lane, body(b"")), Err(Refused::NoLane));
        assert_eq!(hand.line.body(hand.now, lane, b"x"), Err(Refused::NoLane));
        assert_eq!(hand.line.abort(lane, Code::OK), Err(Refused::NoLane));
        assert_eq!(hand.line.offer(lane, &ropeway_core::Offer::STREAM), Err(Refused::NoLane));
        hand.line.take_lane(lane, 1 << 40);
    }
    hand.line.take_message(usize::MAX);
    assert!(hand.heard().is_empty(), "nothing was taken");
}

#[test]
fn a_machine_greets_its_like() {
    let mut hand = Hand::on(Config::DEFAULT, true, arrays());
    assert!(matches!(hand.say_bytes(&hello(true, PEER)), Ok(Some(Event::Ready(_)))));
}
