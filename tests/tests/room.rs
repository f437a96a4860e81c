//! Room in the outbox, the window and the credit; and what is asked of nothing.

use ropeway_core::wire::Frame;
use ropeway_core::{Code, Config, Event, Kind, LaneId, Offer, Refused, Respond, Room, Send, Side, Table, Until};
use ropeway_tests::hand::{Hand, PEER, frames, hear, hello};
use ropeway_tests::say::{ACCEPTED, ACTION, CODE, OPENED, OUT, abort, body, done, lane_credit, request, response};
use ropeway_tests::storage::{FLOWS, LANES, arrays, boxes};

#[test]
fn room_is_told_when_window_or_credit_grows() {
    let mut hand = Hand::client();
    hand.requests(1000);
    assert_eq!(hand.say(&Frame::Window { limit: 1 << 30 }), Ok(Some(Event::Room(Room::Messages))));
    hand.tell(&Frame::Window { limit: 1 << 20 });
    let credit = lane_credit(OPENED, 1 << 30);
    assert_eq!(hand.say(&credit), Ok(Some(Event::Room(Room::Lane(OPENED)))));
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
            assert_eq!(refused, Refused::Later(Until::Transmit));
            octets.append(&mut hear(&mut hand.line, hand.now, 7));
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
        let offer = Offer::file(&name, 1);
        assert!(matches!(hand.line.offer(lane, &offer), Err(Refused::TooLarge(_))));
        hand.hear();
    }
}

#[test]
fn codes_and_aborts_never_wait_for_room() {
    let mut hand = Hand::server();
    for lane in 0..4 {
        let open = request(lane, None, 0);
        hand.say(&open).unwrap();
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
fn a_lane_is_free_again_however_its_exchange_ended() {
    fn check(size: u64, end: fn(&mut Hand)) {
        let mut hand = Hand::client();
        for _ in 0..3 * LANES {
            // On lane 0, every time.
            hand.requests(size);
            end(&mut hand);
            hand.hear();
            assert_eq!(hand.line.lanes(), (0, 0));
        }
    }
    check(4, |hand| drop(hand.say(&CODE).unwrap()));
    check(4, |hand| drop(hand.say(&response(b"", None, false)).unwrap()));
    check(1000, |hand| drop(hand.say(&CODE).unwrap()));
    check(1000, |hand| drop(hand.say(&abort(OPENED, Code::BUSY)).unwrap()));
    check(4, |hand| {
        hand.line.abort(OPENED, Code::CANCELLED).unwrap();
        hand.hear();
        hand.tell(&abort(OPENED, Code::CANCELLED));
    });
}

#[test]
fn a_flow_is_free_again_however_it_ended() {
    fn check(end: fn(&mut Hand)) {
        let mut hand = Hand::client();
        for _ in 0..3 * FLOWS {
            hand.line.request(hand.now, &Send { attached: 1, ..Send::bytes(ACTION, b"") }).unwrap();
            assert_eq!(hand.line.offer(OPENED, &Offer::STREAM), Ok(OUT));
            hand.say(&CODE).unwrap();
            hand.hear();
            end(&mut hand);
            hand.hear();
            assert_eq!(hand.line.flows(), (0, 0));
        }
    }
    check(|hand| drop(hand.say(&done(Code::REJECTED)).unwrap()));
    check(|hand| {
        hand.line.finish(hand.now, OUT, None).unwrap();
        hand.say(&done(Code::OK)).unwrap();
    });
    check(|hand| {
        hand.line.cancel(OUT, Code::IO).unwrap();
        hand.hear();
        hand.say(&done(Code::IO)).unwrap();
    });
    // Its CANCEL crosses the peer's DONE.
    check(|hand| {
        hand.line.cancel(OUT, Code::IO).unwrap();
        hand.say(&done(Code::REJECTED)).unwrap();
    });
}

#[test]
fn names_of_the_other_end_and_of_nothing_are_refused() {
    let mut hand = Hand::server();
    for lane in
        [OPENED, ACCEPTED, LaneId::new(3, Side::Us), LaneId::new(u16::MAX, Side::Them), LaneId::new(4, Side::Them)]
    {
        assert_eq!(hand.line.respond_code(lane, Code::OK), Err(Refused::NoLane));
        assert_eq!(hand.line.respond(lane, &Respond::text("")), Err(Refused::NoLane));
        assert_eq!(hand.line.update(lane, body(b"")), Err(Refused::NoLane));
        assert_eq!(hand.line.body(hand.now, lane, b"x"), Err(Refused::NoLane));
        assert_eq!(hand.line.abort(lane, Code::OK), Err(Refused::NoLane));
        assert_eq!(hand.line.offer(lane, &Offer::STREAM), Err(Refused::NoLane));
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

#[test]
fn large_pieces_wait_for_room_rather_than_go_in_crumbs() {
    let mut hand = Hand::greeted(Config::SMALL, true, boxes(4, 4, 1000), PEER);
    let lane =
        hand.line.request(hand.now, &Send { size: Some(5000), ..Send::bytes(ACTION, b"") }).unwrap().lane.unwrap();
    while hand.line.unsent() < 900 {
        hand.line.notify(hand.now, &Send::bytes(ACTION, &[0; 10])).unwrap();
    }
    assert_eq!(hand.line.body(hand.now, lane, &[0; 3000]), Err(Refused::Later(Until::Transmit)));
    assert_eq!(hand.line.body(hand.now, lane, &[0; 20]), Ok(20), "a small one is no crumb");
    hand.hear();
    assert!(hand.line.body(hand.now, lane, &[0; 3000]).is_ok_and(|len| len > 900));
}
