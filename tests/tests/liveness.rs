//! Signs of life: pings, round-trip time, acknowledgements, and when a peer is dead.

use std::time::Duration;

use ropeway_core::wire::{Body, Frame, Notice};
use ropeway_core::{
    Action, CloseCode, Code, Config, Event, FlowId, Kind, LaneId, Offer, PeerError, Reason, Send, Side,
};
use ropeway_tests::hand::{Hand, PEER, bytes, frames};
use ropeway_tests::storage::boxes;

fn dead() -> Vec<Event<Vec<u8>>> {
    vec![Event::Closed { reason: Reason::Dead, text: vec![] }]
}

/// C3.
#[test]
fn a_silent_peer_is_dead_after_the_misses() {
    let mut hand = Hand::server();
    assert_eq!(hand.pass(15_000), []);
    assert_eq!(hand.heard().len(), 1, "a ping");
    assert_eq!(hand.pass(14_999), []);
    assert_eq!(hand.pass(1), dead());
    assert!(hand.hear().is_empty());
}

#[test]
fn its_own_pings_do_not_keep_a_line_alive() {
    let mut hand = Hand::server();
    for _ in 0..29 {
        assert_eq!(hand.pass(1000), []);
        hand.line.ping().unwrap();
        assert_eq!(hand.heard().len(), 1);
    }
    assert_eq!(hand.pass(1000), dead());
}

#[test]
fn any_octets_of_the_peer_are_a_sign_of_life() {
    let mut hand = Hand::server();
    hand.pass(20_000);
    hand.say(&Frame::Ack { count: 0 }).unwrap();
    assert_eq!(hand.pass(29_999), []);
    assert_eq!(hand.pass(1), dead());
}

#[test]
fn a_large_frame_on_a_slow_line_is_a_sign_of_life() {
    let mut hand = Hand::server();
    let notice = Notice { action: Action::Number(1), body: Body { kind: Kind::Bytes, bytes: &[1; 100] } };
    let octets = bytes(&Frame::Notice(notice));
    for len in 1..octets.len() {
        hand.now = hand.now.after(Duration::from_secs(14));
        assert_eq!(hand.line.handle_input(hand.now, &mut octets[..len].to_vec()).unwrap().consumed, 0);
        assert_eq!(hand.pass(0), [], "after {len} octets");
    }
}

#[test]
fn a_line_without_heartbeat_lives_forever() {
    for config in [Config { heartbeat: Duration::ZERO, ..Config::SMALL }, Config { misses: 0, ..Config::SMALL }] {
        let mut hand = Hand::greeted(config, true, boxes(1, 1, 256), PEER);
        assert_eq!(hand.pass(1_000_000_000), []);
    }
}

#[test]
fn the_round_trip_time_is_smoothed() {
    let mut hand = Hand::server();
    assert_eq!(hand.line.rtt(), None);
    for (took, smoothed) in [(100, 100.0), (100, 100.0), (200, 120.0), (20, 100.0)] {
        hand.line.ping().unwrap();
        let octets = hand.hear();
        let [Frame::Ping { id }] = frames(&octets)[..] else { panic!("{octets:?}") };
        hand.pass(took);
        let event = hand.say(&Frame::Pong { id }).unwrap();
        assert_eq!(event, Some(Event::Pong { rtt: Duration::from_millis(took) }));
        assert_eq!(hand.line.rtt(), Some(Duration::from_micros((smoothed * 1000.0) as u64)));
    }
    hand.tell(&Frame::Pong { id: 999 });
    // Whoever asks while a ping is under way asks the same, so asking often does not put the answer off.
    hand.line.ping().unwrap();
    assert_eq!(hand.heard(), ["Ping { id: 5 }"]);
    hand.pass(100);
    hand.line.ping().unwrap();
    assert_eq!(hand.heard(), ["Ping { id: 5 }"]);
    hand.tell(&Frame::Pong { id: 6 });
    let told = hand.say(&Frame::Pong { id: 5 });
    assert_eq!(told, Ok(Some(Event::Pong { rtt: Duration::from_millis(100) })));
    hand.tell(&Frame::Pong { id: 5 });
}

/// B2.
#[test]
fn a_flood_of_pings_costs_one_answer() {
    let mut hand = Hand::server();
    for id in 0..10_000 {
        hand.tell(&Frame::Ping { id });
    }
    assert_eq!(hand.heard(), ["Pong { id: 9999 }"]);
}

#[test]
fn what_has_come_before_is_no_sign_of_life() {
    for held in [0, 3] {
        let mut hand = Hand::server();
        let mut piece = bytes(&Frame::Notice(Notice {
            action: Action::Number(1),
            body: Body { kind: ropeway_core::Kind::Bytes, bytes: b"slow" },
        }));
        let mut ended = vec![];
        for second in 0..40 {
            if !ended.is_empty() {
                assert!(second >= 30, "too early, at {second} s");
                break;
            }
            // A loop that looks at what it holds each time it wakes.
            assert_eq!(hand.line.handle_input(hand.now, &mut piece[..held]).map(|step| step.consumed), Ok(0));
            ended = hand.pass(1000);
        }
        assert_eq!(ended, [Event::Closed { reason: Reason::Dead, text: vec![] }], "{held} octets held");
    }
}

#[test]
fn an_acknowledgement_rides_along_or_goes_after_a_second() {
    let mut hand = Hand::server();
    let notice = Frame::Notice(Notice { action: Action::Number(1), body: Body::default() });
    hand.say(&notice).unwrap();
    assert!(hand.hear().is_empty(), "no need to hurry");
    assert_eq!(hand.pass(1000), []);
    assert_eq!(frames(&hand.hear()), [Frame::Ack { count: 1 }]);
    hand.say(&notice).unwrap();
    hand.tell(&Frame::Ping { id: 1 });
    assert_eq!(frames(&hand.hear()), [Frame::Pong { id: 1 }, Frame::Ack { count: 2 }]);
    hand.say(&notice).unwrap();
    hand.line.go_away().unwrap();
    assert_eq!(frames(&hand.hear()), [Frame::Ack { count: 3 }, Frame::Away]);
    hand.pass(5000);
    assert!(hand.hear().is_empty(), "nothing to acknowledge");
}

#[test]
fn overdue_acknowledgements_are_counted() {
    let mut hand = Hand::server();
    let say = |hand: &mut Hand| {
        hand.line.notify(hand.now, &Send::text(Action::Number(1), "x")).unwrap();
        hand.hear();
    };
    say(&mut hand);
    hand.pass(2400);
    hand.tell(&Frame::Ack { count: 1 });
    hand.pass(5000);
    assert_eq!(hand.line.stats().overdue_acks, 0);
    say(&mut hand);
    hand.pass(2500);
    assert_eq!(hand.line.stats().overdue_acks, 1);
    hand.tell(&Frame::Ack { count: 2 });
    say(&mut hand);
    hand.tell(&Frame::Ack { count: 3 });
    hand.pass(5000);
    assert_eq!(hand.line.stats().overdue_acks, 1);
    // One that never comes does not hide the next.
    for overdue in 2..4 {
        say(&mut hand);
        hand.pass(2500);
        assert_eq!(hand.line.stats().overdue_acks, overdue);
    }
}

#[test]
fn what_was_never_sent_is_not_acknowledged() {
    let mut hand = Hand::server();
    assert_eq!(hand.say(&Frame::Ack { count: 1 }), Err(PeerError::BadAck));
    let mut hand = Hand::server();
    hand.line.go_away().unwrap();
    hand.hear();
    hand.tell(&Frame::Ack { count: 1 });
    assert_eq!(hand.say(&Frame::Ack { count: 2 }), Err(PeerError::BadAck));
}

#[test]
fn a_ping_passes_between_the_chunks_of_a_file() {
    for chunk in [100, 4096, 1 << 20] {
        let mut hand = Hand::greeted(Config::DEFAULT, false, boxes(4, 4, 1 << 17), PEER);
        let lane = hand.line.request(hand.now, &Send { attached: 1, ..Send::bytes(Action::Number(1), b"") });
        let flow = hand.line.offer(lane.unwrap().lane.unwrap(), &Offer::STREAM).unwrap();
        hand.hear();
        let file = vec![7; chunk];
        while hand.line.data(hand.now, flow, &file).is_ok() {}
        let mut out = [0; 10];
        assert_eq!(hand.line.poll_transmit(hand.now, &mut out), 10, "the first chunk has begun");
        hand.line.ping().unwrap();
        hand.tell(&Frame::Ping { id: 3 });
        // The application goes on as fast as it can.
        let mut before = 10;
        loop {
            while hand.line.data(hand.now, flow, &file).is_ok() {}
            let mut out = [0; 64];
            let len = hand.line.poll_transmit(hand.now, &mut out);
            assert!(len > 0, "never a ping in chunks of {chunk}");
            if out[..len].windows(2).any(|w| w == bytes(&Frame::Pong { id: 3 })) {
                break;
            }
            before += len;
        }
        assert!(before <= PEER.frame as usize + 64, "{before} octets before the ping, in chunks of {chunk}");
        assert_eq!(flow, FlowId::new(0, Side::Us));
    }
}

#[test]
fn time_may_pass_on_a_closing_line() {
    let mut hand = Hand::server();
    hand.line.request(hand.now, &Send::text(Action::Number(1), "x")).unwrap();
    hand.line.close(CloseCode::DONE, "");
    assert_eq!(hand.pass(6_000), [Event::Expired { lane: LaneId::new(0, Side::Us) }]);
    let mut hand = Hand::server();
    hand.line.request(hand.now, &Send::text(Action::Number(1), "x")).unwrap();
    hand.line.abort(LaneId::new(0, Side::Us), Code::CANCELLED).unwrap();
    hand.line.close(CloseCode::DONE, "");
    assert!(hand.pass(10_000).is_empty());
}
