//! Deadlines: they travel, they are prolonged, and they expire.

use std::time::Duration;

use ropeway_core::{Code, Config, Event, LaneId, Message, Send, Side};
use ropeway_tests::hand::{Hand, exchange};
use ropeway_tests::say::{ACTION, CODE, OPENED, abort, piece, response, update};

#[test]
fn a_request_without_a_sign_of_life_expires() {
    let mut hand = Hand::client();
    hand.requests(4);
    assert_eq!(hand.pass(4999), []);
    assert_eq!(hand.pass(1), [Event::Expired { lane: OPENED }]);
    assert_eq!(hand.heard(), ["Abort { side: Us, lane: 0, code: Code(timed out (7)) }"]);
    assert_eq!(hand.line.stats().expired, 1);
    assert_eq!(hand.line.lanes(), (1, 0), "until the peer confirms");
    hand.tell(&abort(OPENED, Code::TIMEOUT));
    assert_eq!(hand.line.lanes(), (0, 0));
}

#[test]
fn every_sign_of_life_prolongs_a_deadline() {
    let mut hand = Hand::client();
    hand.requests(4);
    for frame in [update(b"1%"), response(b"first", None, true), response(b"se", Some(6), false), piece(OPENED, b"co")]
    {
        assert_eq!(hand.pass(4000), []);
        hand.say(&frame).unwrap();
    }
    assert_eq!(hand.pass(4999), []);
    assert_eq!(hand.pass(1), [Event::Expired { lane: OPENED }]);
    // What this end says of its own body is one, too.
    let mut hand = Hand::client();
    hand.requests(1000);
    assert_eq!(hand.pass(4000), []);
    hand.line.body(hand.now, OPENED, b"more").unwrap();
    assert_eq!(hand.pass(4999), []);
    assert_eq!(hand.pass(1), [Event::Expired { lane: OPENED }]);
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
    hand.requests(4);
    hand.say(&response(b"done", None, false)).unwrap();
    assert_eq!(hand.pass(20_000), []);
    // Nor does one that still has a flow to offer.
    let mut hand = Hand::client();
    hand.line.request(hand.now, &Send { attached: 1, ..Send::bytes(ACTION, b"") }).unwrap();
    hand.hear();
    hand.say(&CODE).unwrap();
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
