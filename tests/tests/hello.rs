//! The hello: what is refused, what is answered, and what a line is before it.

use std::time::Duration;

use ropeway_core::wire::hello::Hello;
use ropeway_core::wire::{Close, Frame};
use ropeway_core::{
    Action, CHARGE, CloseCode, Config, Event, Field, Foreign, Limits, PeerError, Reason, Refused, Send, VERSION,
};
use ropeway_tests::hand::{HUGE, Hand, PEER, frames, hello};

type Heard = Result<Option<Event<Vec<u8>>>, PeerError>;

/// What a machine makes of the first octets of its peer.
fn check(is_server: bool, octets: &[u8]) -> (Heard, Vec<u8>) {
    let mut hand = Hand::new(Config::SMALL, is_server);
    let mut before = hand.hear();
    let result = hand.say_bytes(octets);
    let answer = hand.hear();
    before.extend_from_slice(&answer);
    (result, answer)
}

/// A hello to a server, changed.
fn changed(change: impl FnOnce(&mut Hello)) -> Vec<u8> {
    let mut hello = Hello { oldest: VERSION, newest: VERSION, session: [0; 16], limits: PEER };
    change(&mut hello);
    let mut out = vec![0; 256];
    let len = hello.encode(&mut out).unwrap();
    out.truncate(len);
    out
}

#[test]
fn another_protocol_is_named_within_four_octets_and_not_answered() {
    for (octets, foreign) in [
        (b"GET ", Foreign::Http),
        (b"POST", Foreign::Http),
        (b"PRI ", Foreign::Http),
        (b"HTTP", Foreign::Http),
        (&[0x16, 0x03, 0x01, 0x02], Foreign::Tls),
        (&[0x15, 0x03, 0x03, 0x00], Foreign::Tls),
        (b"SSH-", Foreign::Ssh),
        (b"EHLO", Foreign::Unknown),
        (&[0; 4], Foreign::Unknown),
        (&[0xff; 4], Foreign::Unknown),
        (b"\xf2RWZ", Foreign::Unknown),
    ] {
        for is_server in [true, false] {
            let (result, answer) = check(is_server, octets);
            assert_eq!(result, Err(PeerError::NotRopeway(foreign)), "{octets:?}");
            assert!(answer.is_empty(), "{octets:?} was answered");
        }
    }
}

/// A4.
#[test]
fn every_wrong_value_in_a_hello_is_refused_by_its_name() {
    let least = u64::from(PEER.frame) + CHARGE;
    let most = Limits::MAX_OCTETS;
    type Set = fn(&mut Limits, u64);
    let cases: Vec<(Field, Set, Vec<u64>, Vec<u64>)> = vec![
        (Field::Frame, |l, v| l.frame = v as u32, vec![0, 63, 0xfe01, u64::from(u32::MAX)], vec![64, 4096]),
        (Field::Message, |l, v| l.message = v, vec![most + 1, u64::MAX], vec![0, most]),
        (Field::Lanes, |l, v| l.lanes = v as u16, vec![4097, 0xffff], vec![0, 4096]),
        (Field::Flows, |l, v| l.flows = v as u16, vec![4097, 0xffff], vec![0, 4096]),
        (Field::Window, |l, v| l.window = v, vec![0, least - 1, most + 1, u64::MAX], vec![least, most]),
        (Field::LaneCredit, |l, v| l.lane_credit = v, vec![0, least - 1, most + 1, u64::MAX], vec![least, most]),
        (Field::FlowCredit, |l, v| l.flow_credit = v, vec![0, least - 1, most + 1, u64::MAX], vec![least, most]),
        (Field::Name, |l, v| l.name = v as u16, vec![1025, 0xffff], vec![0, 1024]),
        (Field::Attached, |l, v| l.attached = v as u16, vec![4097, 0xffff], vec![0, 4096]),
        (Field::Definitions, |l, v| l.definitions = v as u16, vec![], vec![0, 0xffff]),
        (Field::Timeout, |l, v| l.timeout = v as u32, vec![], vec![0, u64::from(u32::MAX)]),
    ];
    for (field, set, wrong, right) in cases {
        for value in wrong {
            let (result, answer) = check(true, &changed(|h| set(&mut h.limits, value)));
            assert_eq!(result, Err(PeerError::BadHello(field)), "{field} = {value}");
            let (_, goodbye) = split_hello(&answer);
            assert_eq!(goodbye, [Frame::Close(Close { code: PeerError::BadHello(field).code(), reason: "" })]);
        }
        for value in right {
            let (result, _) = check(true, &changed(|h| set(&mut h.limits, value)));
            assert!(matches!(result, Ok(Some(Event::Ready(_)))), "{field} = {value}: {result:?}");
        }
    }
}

#[test]
fn a_value_wider_than_its_field_is_refused_by_the_field() {
    // Limits begin behind magic, length, versions and session: the first is the frame, in three octets.
    let mut octets = hello(true, PEER);
    octets.splice(24..26, [0xff, 0xff, 0xff, 0xff, 0x7f]);
    octets[4] += 3;
    assert_eq!(check(true, &octets).0, Err(PeerError::BadHello(Field::Frame)));
}

#[test]
fn a_hello_of_the_wrong_length_is_refused() {
    for (change, field) in [(-1i8, Field::Length), (1, Field::Length)] {
        let mut octets = hello(true, PEER);
        octets[4] = octets[4].wrapping_add_signed(change);
        octets.push(0);
        octets.truncate(6 + usize::from(octets[4]));
        assert_eq!(check(true, &octets).0, Err(PeerError::BadHello(field)), "{change}");
    }
    let long = [0xf2, b'R', b'W', b'Y', 0x01, 0x04];
    assert_eq!(check(true, &long).0, Err(PeerError::BadHello(Field::Length)), "1025 octets announced");
}

#[test]
fn a_session_is_the_servers_to_give() {
    let bad = Err(PeerError::BadHello(Field::Session));
    assert_eq!(check(true, &changed(|h| h.session = [1; 16])).0, bad, "a new client has none");
    assert_eq!(check(false, &changed(|_| ())).0, bad, "a server must give one");
}

#[test]
fn extensions_are_skipped_unless_they_must_be_understood() {
    let bad = Err(PeerError::BadHello(Field::Extension));
    for (extensions, right) in [
        (&[2, 0][..], true),
        (&[2, 1, 9, 4, 0], true),
        (&[1, 0], false),
        (&[4, 0, 2, 0], false),
        (&[2, 0, 2, 0], false),
    ] {
        let mut octets = hello(true, PEER);
        octets[4] += extensions.len() as u8;
        octets.extend_from_slice(extensions);
        let (result, _) = check(true, &octets);
        assert_eq!(result.is_ok(), right, "{extensions:?}");
        if !right {
            assert_eq!(result, bad);
        }
    }
}

#[test]
fn a_peer_of_another_version_is_told_ours() {
    for (oldest, newest) in [(2, 2), (2, 9)] {
        let octets = changed(|h| (h.oldest, h.newest) = (oldest, newest));
        let (result, answer) = check(true, &octets);
        assert_eq!(result, Err(PeerError::Version { oldest, newest }));
        let (ours, goodbye) = split_hello(&answer);
        assert_eq!(ours[6..8], [VERSION, VERSION]);
        assert_eq!(goodbye, [Frame::Close(Close { code: CloseCode::new(18).unwrap(), reason: "" })]);
    }
    for (oldest, newest) in [(0, 1), (2, 1), (0, 0)] {
        let octets = changed(|h| (h.oldest, h.newest) = (oldest, newest));
        assert_eq!(check(true, &octets).0, Err(PeerError::BadHello(Field::Versions)));
    }
    // A range that holds ours is right.
    assert!(check(true, &changed(|h| h.newest = 7)).0.is_ok());
}

/// A machine's hello, and the frames behind it.
fn split_hello(octets: &[u8]) -> (&[u8], Vec<Frame<'_>>) {
    let len = 6 + usize::from(u16::from_le_bytes([octets[4], octets[5]]));
    (&octets[..len], frames(&octets[len..]))
}

#[test]
fn a_server_says_nothing_before_it_has_heard_a_hello() {
    let mut hand = Hand::new(Config::SMALL, true);
    assert!(hand.hear().is_empty());
    assert!(!hand.line.wants_transmit());
    let half = hello(true, PEER);
    let mut input = half[..10].to_vec();
    assert_eq!(hand.line.handle_input(hand.now, &mut input).unwrap().consumed, 0);
    assert!(hand.hear().is_empty());
}

/// C1.
#[test]
fn a_peer_that_never_says_hello_is_gone_in_time() {
    for is_server in [true, false] {
        let mut hand = Hand::new(Config::SMALL, is_server);
        hand.hear();
        let start = hand.now;
        assert_eq!(hand.line.poll_timeout(), Some(start.after(Duration::from_secs(3))));
        // One octet at a time changes nothing.
        let octets = hello(is_server, PEER);
        let mut input = Vec::new();
        for octet in &octets[..octets.len() - 1] {
            input.push(*octet);
            assert_eq!(hand.line.handle_input(hand.now, &mut input).unwrap().consumed, 0);
            assert_eq!(hand.pass(40), []);
        }
        assert_eq!(hand.pass(2999), [Event::Closed { reason: Reason::HelloTimeout, text: vec![] }]);
        assert!(hand.hear().is_empty());
        assert_eq!(hand.line.poll_timeout(), None);
        assert_eq!(hand.line.handle_eof(), None, "closed is told once");
    }
}

#[test]
fn no_verb_is_taken_before_the_handshake() {
    let mut hand = Hand::new(Config::SMALL, false);
    assert_eq!(hand.line.notify(hand.now, &Send::text(Action::Number(1), "x")), Err(Refused::NotReady));
    assert_eq!(hand.line.ping(), Err(Refused::NotReady));
    assert_eq!(hand.line.go_away(), Err(Refused::NotReady));
    assert_eq!(hand.line.peer(), None);
    hand.hear();
    hand.say_bytes(&hello(false, PEER)).unwrap();
    assert_eq!(hand.line.peer(), Some(&PEER));
    assert_eq!(hand.line.ping(), Ok(()));
}

#[test]
fn closing_before_the_handshake_ends_the_line_at_once() {
    for said in [false, true] {
        let mut hand = Hand::new(Config::SMALL, false);
        if said {
            hand.hear();
        }
        hand.line.close(CloseCode::DONE, "never mind");
        assert_eq!(hand.line.closed(), Some(Reason::ByUs(CloseCode::DONE)));
        assert!(hand.hear().is_empty());
        assert_eq!(hand.say_bytes(&hello(false, PEER)), Ok(None));
    }
}

#[test]
fn a_server_that_closes_at_once_says_hello_first() {
    let mut hand = Hand::new(Config::SMALL, true);
    hand.say_bytes(&hello(true, PEER)).unwrap();
    hand.line.close(CloseCode::BUSY, "full");
    let octets = hand.hear();
    let (_, goodbye) = split_hello(&octets);
    assert_eq!(goodbye, [Frame::Close(Close { code: CloseCode::BUSY, reason: "full" })]);
    assert_eq!(hand.line.closed(), Some(Reason::ByUs(CloseCode::BUSY)));
}

#[test]
fn what_a_config_asks_for_is_always_a_right_hello() {
    let small = Config { max_frame: 1, window: 0, lane_credit: 0, flow_credit: 0, ..Config::SMALL };
    for config in [Config::DEFAULT, Config::SMALL, small, HUGE] {
        let hand = Hand::new(config, true);
        assert_eq!(hand.line.limits().fault(), None, "{config:?}");
    }
}
