//! Window and credit, to the octet.

use ropeway_core::wire::Frame;
use ropeway_core::{Code, Config, Event, Offer, PeerError, Room, Send};
use ropeway_tests::hand::Hand;
use ropeway_tests::say::{
    ACCEPTED, ACTION, IN, OPENED, OUT, data, lane_credit, notice, offer, piece, request, response, update,
};

const WINDOW: u64 = Config::SMALL.window;
const LANE: u64 = Config::SMALL.lane_credit;
const FLOW: u64 = Config::SMALL.flow_credit;

/// A client that has asked for something.
fn asking() -> Hand {
    let mut hand = Hand::client();
    hand.requests(4);
    hand
}

/// A server that is sent a stream.
fn receiving() -> Hand {
    let mut hand = Hand::server();
    hand.say(&request(0, None, 1)).unwrap();
    hand.say(&offer(ACCEPTED, true, None)).unwrap();
    hand
}

/// A client that sends a stream.
fn sending() -> Hand {
    let mut hand = Hand::client();
    hand.line.request(hand.now, &Send { attached: 1, ..Send::bytes(ACTION, b"") }).unwrap();
    hand.line.offer(OPENED, &Offer::STREAM).unwrap();
    hand.hear();
    hand
}

#[test]
fn an_account_holds_what_was_announced_and_not_an_octet_more() {
    fn check(make: impl Fn() -> Hand, frame: impl Fn(&[u8]) -> Frame<'_>, account: u64, error: PeerError) {
        for more in [0, 1] {
            let (mut hand, mut left) = (make(), account);
            while left >= 232 + 33 {
                assert!(hand.say(&frame(&[0; 200])).is_ok());
                left -= 232;
            }
            let last = vec![0; left as usize - 32 + more];
            let result = hand.say(&frame(&last)).map(drop);
            assert_eq!(result, if more == 0 { Ok(()) } else { Err(error) }, "{:?}", frame(b"x"));
        }
    }
    let asked = || {
        let mut hand = Hand::server();
        hand.opens(true, Some(1000));
        hand
    };
    let stopped = || {
        let mut hand = receiving();
        hand.line.done(IN, Code::REJECTED).unwrap();
        hand.hear();
        hand
    };
    check(Hand::server, notice, WINDOW, PeerError::Window);
    check(asking, update, LANE, PeerError::Credit);
    check(asking, |bytes| response(bytes, None, true), LANE, PeerError::Credit);
    check(asked, |bytes| piece(ACCEPTED, bytes), LANE, PeerError::Credit);
    check(receiving, data, FLOW, PeerError::Credit);
    // What is dropped is charged all the same.
    check(stopped, data, FLOW, PeerError::Credit);
}

#[test]
fn room_is_told_when_half_of_it_is_free_again_and_not_before() {
    let mut hand = Hand::server();
    for _ in 0..2 {
        hand.say(&notice(&[0; 112])).unwrap();
    }
    hand.line.take_message(112);
    assert!(hand.heard().is_empty());
    hand.line.take_message(112);
    assert_eq!(hand.heard(), ["Window { limit: 864 }"]);

    let mut hand = receiving();
    for _ in 0..2 {
        hand.say(&data(&[0; 112])).unwrap();
    }
    hand.line.take_flow(IN, 112);
    assert!(hand.heard().is_empty());
    hand.line.take_flow(IN, 112);
    assert_eq!(hand.heard(), ["Credit { flow: 0, limit: 864 }"]);
    hand.line.pause(IN, true).unwrap();
    assert_eq!(hand.heard(), ["Pause(Pause { flow: 0, on: true, by_receiver: true })"], "credit is told once");
}

#[test]
fn taking_more_than_came_on_a_lane_gives_no_more_credit_than_there_is() {
    let mut hand = asking();
    hand.say(&update(b"1234")).unwrap();
    hand.line.take_lane(OPENED, 1 << 20);
    assert_eq!(hand.heard(), ["LaneCredit { side: Us, lane: 0, limit: 324 }"]);
}

#[test]
fn the_largest_limit_is_taken_and_one_more_is_an_error() {
    fn check(make: fn() -> Hand, frame: fn(u64) -> Frame<'static>, room: Room) {
        assert_eq!(make().say(&frame(1 << 56)), Ok(Some(Event::Room(room))));
        assert_eq!(make().say(&frame((1 << 56) + 1)), Err(PeerError::CreditOverflow));
    }
    check(Hand::client, |limit| Frame::Window { limit }, Room::Messages);
    check(sending, |limit| Frame::Credit { flow: 0, limit }, Room::Flow(OUT));
    fn long() -> Hand {
        let mut hand = Hand::client();
        hand.requests(1000);
        hand
    }
    check(long, |limit| lane_credit(OPENED, limit), Room::Lane(OPENED));
}

#[test]
fn what_an_event_brought_is_taken_in_one_call() {
    let requested = || {
        let mut hand = Hand::server();
        hand.opens(true, Some(1 << 10));
        hand
    };
    let check = |mut hand: Hand, frame: Frame<'_>| {
        for round in 0..50 {
            let event = hand.say(&frame).unwrap_or_else(|error| panic!("{frame:?}, {round}: {error}"));
            hand.line.take(&event.expect("something came"));
            hand.hear();
        }
    };
    check(Hand::server(), notice(&[0; 200]));
    check(asking(), update(&[0; 200]));
    check(asking(), response(&[0; 200], None, true));
    check(requested(), piece(ACCEPTED, &[0; 16]));
    check(receiving(), data(&[0; 200]));
}
