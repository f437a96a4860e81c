//! Exchanges given up, ends that go away, and lines that close.

use ropeway_core::wire::Frame;
use ropeway_core::{
    CloseCode, Code, Config, Event, Kind, LaneId, Limits, PeerError, Reason, Refused, Respond, Send, Side,
};
use ropeway_tests::hand::{Hand, PEER, frames, hear};
use ropeway_tests::say::{ACCEPTED, ACTION, CODE, OPENED, abort, lane_credit, piece, request, response, update};
use ropeway_tests::storage::boxes;

#[test]
fn an_exchange_given_up_is_silent_and_free_once_the_peer_confirms() {
    let mut hand = Hand::client();
    hand.requests(4);
    hand.line.abort(OPENED, Code::CANCELLED).unwrap();
    assert_eq!(hand.line.abort(OPENED, Code::CANCELLED), Err(Refused::WrongState));
    assert_eq!(hand.heard(), ["Abort { side: Us, lane: 0, code: Code(cancelled (6)) }"]);
    hand.tell(&response(b"late", None, true));
    hand.tell(&update(b"later"));
    hand.tell(&response(b"la", Some(6), false));
    hand.tell(&piece(OPENED, b"te"));
    assert_eq!(hand.line.lanes(), (1, 0));
    hand.tell(&abort(OPENED, Code::CANCELLED));
    assert_eq!(hand.line.lanes(), (0, 0));
    let dropped = hand.line.stats().dropped;
    assert_eq!((dropped.answers, dropped.body_octets), (3, 4 + 5 + 2 + 2));
}

#[test]
fn both_may_give_up_at_once() {
    // Each end says so before it hears the other; each order of saying and hearing.
    for said in [false, true] {
        let mut hand = Hand::client();
        hand.requests(4);
        hand.line.abort(OPENED, Code::CANCELLED).unwrap();
        if said {
            hand.hear();
        }
        hand.tell(&abort(OPENED, Code::BUSY));
        assert_eq!(hand.heard().len(), usize::from(!said));
        assert_eq!(hand.line.lanes(), (0, 0));

        for size in [None, Some(8)] {
            let mut hand = Hand::server();
            hand.opens(true, size);
            hand.line.abort(ACCEPTED, Code::BUSY).unwrap();
            if said {
                hand.hear();
                if size.is_none() {
                    assert_eq!(hand.line.lanes(), (0, 0), "all of the request had come");
                }
            }
            hand.tell(&abort(ACCEPTED, Code::CANCELLED));
            assert_eq!(hand.heard().len(), usize::from(!said));
            assert_eq!(hand.line.lanes(), (0, 0));
        }
    }
}

#[test]
fn an_answer_and_an_abort_may_cross() {
    let mut hand = Hand::server();
    hand.opens(true, None);
    hand.line.respond_code(ACCEPTED, Code::OK).unwrap();
    hand.hear();
    hand.tell(&abort(ACCEPTED, Code::CANCELLED));
    hand.tell(&lane_credit(ACCEPTED, 1 << 21));
    hand.opens(true, None);
    let mut hand = Hand::client();
    hand.requests(4);
    hand.line.abort(OPENED, Code::CANCELLED).unwrap();
    hand.tell(&CODE);
    assert_eq!(hand.line.lanes(), (1, 0), "not before it has said so");
    assert_eq!(hand.heard().len(), 1);
    assert_eq!(hand.line.lanes(), (0, 0));
}

#[test]
fn the_peer_may_give_up_a_request_half_said() {
    let mut hand = Hand::client();
    hand.requests(1000);
    let event = hand.say(&abort(OPENED, Code::BUSY));
    assert_eq!(event, Ok(Some(Event::Aborted { lane: OPENED, code: Code::BUSY })));
    assert_eq!(hand.line.body(hand.now, OPENED, b"x"), Err(Refused::NoLane));
    assert_eq!(hand.line.abort(OPENED, Code::BUSY), Err(Refused::WrongState));
    assert_eq!(hand.heard(), ["Abort { side: Us, lane: 0, code: Code(busy (10)) }"], "the lane is confirmed free");
    assert_eq!(hand.line.lanes(), (0, 0));
}

/// B1.
#[test]
fn a_flood_of_requests_given_up_ends_the_line() {
    let mut hand = Hand::server();
    let most = Config::SMALL.max_aborts;
    for _ in 0..most {
        hand.opens(true, None);
        assert!(hand.say(&abort(ACCEPTED, Code::CANCELLED)).is_ok());
        hand.hear();
    }
    hand.opens(true, None);
    assert_eq!(hand.say(&abort(ACCEPTED, Code::CANCELLED)), Err(PeerError::AbortFlood));
}

#[test]
fn as_many_exchanges_may_be_given_up_as_end_well() {
    let mut hand = Hand::server();
    for round in 0..10 * Config::SMALL.max_aborts {
        hand.opens(true, None);
        assert!(hand.say(&abort(ACCEPTED, Code::CANCELLED)).is_ok(), "{round}");
        opens_after(&mut hand);
        hand.line.respond_code(ACCEPTED, Code::OK).unwrap();
        hand.hear();
    }
    // What this end gives up itself, or opened itself, neither counts nor makes up for any.
    let mut hand = Hand::server();
    for _ in 0..2 * Config::SMALL.max_aborts {
        hand.opens(true, None);
        hand.line.abort(ACCEPTED, Code::BUSY).unwrap();
        hand.hear();
        hand.requests(4);
        hand.say(&CODE).unwrap();
    }
}

fn opens_after(hand: &mut Hand) {
    hand.hear();
    hand.opens(true, None);
}

/// B1: what was given up and not yet confirmed counts.
#[test]
fn lanes_given_up_are_in_use_until_confirmed() {
    let mut hand = Hand::server();
    hand.opens(true, None);
    hand.say(&abort(ACCEPTED, Code::CANCELLED)).unwrap();
    let open = request(0, None, 0);
    assert_eq!(hand.say(&open), Err(PeerError::LaneInUse(0)));
}

#[test]
fn a_peer_that_goes_away_gets_no_new_exchange_and_open_ones_end() {
    let mut hand = Hand::client();
    hand.requests(8);
    hand.opens(true, None);
    assert_eq!(hand.say(&Frame::Away), Ok(Some(Event::Away)));
    assert_eq!(hand.line.notify(hand.now, &Send::text(ACTION, "x")), Err(Refused::Away));
    assert_eq!(hand.line.request(hand.now, &Send::text(ACTION, "x")), Err(Refused::Away));
    hand.line.body(hand.now, OPENED, b"5678").unwrap();
    hand.line.respond(ACCEPTED, &Respond::text("yes")).unwrap();
    assert!(hand.say(&response(b"yes", None, false)).is_ok());
    assert_eq!(hand.line.lanes(), (0, 0));
}

#[test]
fn going_away_still_takes_what_crossed_it() {
    let mut hand = Hand::server();
    hand.line.go_away().unwrap();
    assert_eq!(hand.heard(), ["Away"]);
    hand.opens(true, None);
    hand.line.respond_code(ACCEPTED, Code::OK).unwrap();
    assert!(hand.line.notify(hand.now, &Send::text(ACTION, "x")).is_ok());
}

#[test]
fn close_flushes_all_that_was_said_before() {
    for (outbox, stretch) in [(64, 4096), (128, 4096), (1024, 4096), (1024, 128), (1024, 7)] {
        let mut hand = Hand::greeted(Config::SMALL, true, boxes(4, 4, outbox), PEER);
        for lane in 0..3 {
            let open = request(lane, None, 0);
            hand.say(&open).unwrap();
        }
        while hand.line.notify(hand.now, &Send::bytes(ACTION, &[1; 20])).is_ok() {}
        while hand.line.notify(hand.now, &Send::new(ACTION, Kind::None, &[])).is_ok() {}
        for lane in 0..3 {
            hand.line.respond_code(LaneId::new(lane, Side::Them), Code::OK).unwrap();
        }
        hand.line.close(CloseCode::DONE, "bye");
        assert_eq!(hand.line.notify(hand.now, &Send::text(ACTION, "x")), Err(Refused::Closed));
        let octets = hear(&mut hand.line, hand.now, stretch);
        let heard = frames(&octets);
        let codes = heard.iter().filter(|frame| matches!(frame, Frame::Code { .. })).count();
        assert_eq!(codes, 3, "outbox of {outbox}: {heard:?}");
        assert!(matches!(heard.last(), Some(Frame::Close(_))), "{heard:?}");
        assert!(hand.line.closed().is_some());
        assert!(!hand.line.wants_transmit());
    }
}

#[test]
fn a_reason_goes_behind_what_waits_in_slots_if_there_is_room() {
    let mut hand = Hand::server();
    hand.opens(true, None);
    hand.line.abort(ACCEPTED, Code::BUSY).unwrap();
    hand.line.close(CloseCode::DONE, "bye");
    let octets = hand.hear();
    let heard: Vec<Frame<'_>> = frames(&octets).into_iter().filter(Frame::is_counted).collect();
    assert_eq!(heard, [abort(OPENED, Code::BUSY)], "as this end puts it, the peer opened the lane");
    let Some(Frame::Close(close)) = frames(&octets).last().copied() else { panic!("no goodbye") };
    assert_eq!(close.reason, "bye");
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
fn a_goodbye_fits_the_peers_frames() {
    let peer = Limits { frame: 64, ..PEER };
    let mut hand = Hand::greeted(Config::SMALL, true, boxes(1, 1, 1024), peer);
    hand.line.close(CloseCode::INTERNAL, &"x".repeat(100));
    let len = hand.hear().len();
    assert!((50..=64).contains(&len), "{len} octets");
}

#[test]
fn a_line_that_closes_is_not_over_before_its_goodbye_is_out() {
    for stretch in [7, 30, 4096] {
        let mut hand = Hand::server();
        for _ in 0..3 {
            hand.line.notify(hand.now, &Send::bytes(ACTION, &[1; 50])).unwrap();
        }
        hand.line.close(CloseCode::DONE, "bye");
        assert_eq!((hand.line.closed(), hand.line.ending()), (None, Some(Reason::ByUs(CloseCode::DONE))));
        let octets = hear(&mut hand.line, hand.now, stretch);
        let kinds: Vec<u8> = frames(&octets).iter().map(Frame::kind).collect();
        assert_eq!(kinds, [2, 2, 2, 20], "{stretch} octets at a time");
        assert_eq!(hand.line.closed(), Some(Reason::ByUs(CloseCode::DONE)));
    }
}

#[test]
fn a_line_that_was_closing_keeps_its_reason_whatever_ends_it() {
    let reason = Reason::ByUs(CloseCode::INTERNAL);
    let closing = || {
        let mut hand = Hand::server();
        hand.line.close(CloseCode::INTERNAL, "");
        hand
    };
    assert_eq!(closing().line.handle_eof(), Some(Event::Closed { reason, text: &[][..] }));
    assert_eq!(closing().pass(30_000), [Event::Closed { reason, text: vec![] }]);
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
