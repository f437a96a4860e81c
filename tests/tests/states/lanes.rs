//! States of a lane at the end that opened it and at the other, and how to get there.

use ropeway_core::wire::{Frame, Response};
use ropeway_core::{Code, Respond, Send};
use ropeway_tests::hand::Hand;
use ropeway_tests::say::{ACCEPTED, ACTION, CODE, OPENED, abort, body, large_notice, piece, request, response};

use crate::lines::Make;

/// A client that has opened lane 0 and said four octets.
pub(crate) fn opened(size: u64, attached: u16, answered: bool) -> Hand {
    let mut hand = Hand::client();
    let send = Send { size: Some(size), attached, ..Send::bytes(ACTION, b"1234") };
    let (line, now) = (&mut hand.line, hand.now);
    if answered { line.request(now, &send) } else { line.notify(now, &send) }.unwrap();
    hand.hear();
    hand
}

/// At the end that opened it.
pub(crate) fn opened_lanes() -> Vec<(&'static str, Make)> {
    fn asking() -> Hand {
        opened(4, 0, true)
    }
    vec![
        ("opened: request said, no answer yet", asking),
        ("opened: request, part of its body said", || opened(8, 0, true)),
        ("opened: request, its flow not offered", || opened(4, 1, true)),
        ("opened: request, an answer has come, more follow", || {
            let mut hand = asking();
            hand.say(&response(b"1234", None, true)).unwrap();
            hand
        }),
        ("opened: request, part of the last answer has come", || {
            let mut hand = asking();
            hand.say(&response(b"1234", Some(12), false)).unwrap();
            hand
        }),
        ("opened: request, the last answer's flow not offered", || {
            let mut hand = asking();
            let response = Response { lane: 0, code: Code::OK, body: body(b""), more: false, size: None, attached: 1 };
            hand.say(&Frame::Response(response)).unwrap();
            hand
        }),
        ("opened: request, answered before its flow was offered", || {
            let mut hand = opened(4, 1, true);
            hand.say(&CODE).unwrap();
            hand
        }),
        ("opened: request, answered before its body was said", || {
            let mut hand = opened(8, 0, true);
            hand.say(&CODE).unwrap();
            hand
        }),
        ("opened: request given up, not yet said so", || {
            let mut hand = asking();
            hand.line.abort(OPENED, Code::CANCELLED).unwrap();
            hand
        }),
        ("opened: request given up", || {
            let mut hand = asking();
            hand.line.abort(OPENED, Code::CANCELLED).unwrap();
            hand.hear();
            hand
        }),
        ("opened: request given up by the peer, not yet confirmed", || {
            let mut hand = opened(8, 0, true);
            hand.say(&abort(OPENED, Code::REJECTED)).unwrap();
            hand
        }),
        ("opened: notice said, not yet taken", || {
            let mut hand = opened(8, 0, false);
            hand.line.body(hand.now, OPENED, b"5678").unwrap_or_default();
            while let Ok(_taken) = hand.line.body(hand.now, OPENED, b"8") {}
            hand.hear();
            hand
        }),
        ("opened: notice, part of its body said", || opened(8, 0, false)),
        ("opened: notice given up", || {
            let mut hand = opened(8, 0, false);
            hand.line.abort(OPENED, Code::CANCELLED).unwrap();
            hand.hear();
            hand
        }),
        ("opened: free again", || {
            let mut hand = asking();
            hand.say(&CODE).unwrap();
            hand
        }),
    ]
}

/// A server that has heard one frame.
pub(crate) fn accepted(frame: Frame<'_>) -> Hand {
    let mut hand = Hand::server();
    hand.say(&frame).unwrap();
    hand
}

/// At the other end.
pub(crate) fn accepted_lanes() -> Vec<(&'static str, Make)> {
    fn asked() -> Hand {
        accepted(request(0, None, 0))
    }
    /// With the outbox full, what is said last waits in the slot.
    fn fill(hand: &mut Hand) {
        while hand.line.notify(hand.now, &Send::bytes(ACTION, &[0; 64])).is_ok() {}
        while hand.line.notify(hand.now, &Send::bytes(ACTION, b"")).is_ok() {}
    }
    vec![
        ("accepted: request to be answered", asked),
        ("accepted: request, part of its body has come", || accepted(request(0, Some(12), 0))),
        ("accepted: request, its flow not offered", || accepted(request(0, None, 1))),
        ("accepted: request, part of the answer said", || {
            let mut hand = asked();
            let answer = Respond { size: Some(9), ..Respond::bytes(b"1234") };
            hand.line.respond(ACCEPTED, &answer).unwrap();
            hand.hear();
            hand
        }),
        ("accepted: request answered before its body came", || {
            let mut hand = accepted(request(0, Some(12), 0));
            hand.line.respond_code(ACCEPTED, Code::OK).unwrap();
            hand.hear();
            hand
        }),
        ("accepted: request answered, the code waits for room", || {
            let mut hand = asked();
            fill(&mut hand);
            hand.line.respond_code(ACCEPTED, Code::OK).unwrap();
            hand
        }),
        ("accepted: request given up, not yet said so", || {
            let mut hand = asked();
            hand.line.abort(ACCEPTED, Code::CANCELLED).unwrap();
            hand
        }),
        ("accepted: request given up before its body came", || {
            let mut hand = accepted(request(0, Some(12), 0));
            hand.line.abort(ACCEPTED, Code::CANCELLED).unwrap();
            hand.hear();
            hand
        }),
        ("accepted: request given up by the peer, not yet confirmed", || {
            let mut hand = asked();
            hand.say(&abort(ACCEPTED, Code::REJECTED)).unwrap();
            hand
        }),
        ("accepted: notice, part of its body has come", || accepted(large_notice(12))),
        ("accepted: notice, all has come and is not taken", || {
            let mut hand = accepted(large_notice(8));
            hand.say(&piece(ACCEPTED, b"5678")).unwrap();
            hand
        }),
        ("accepted: notice given up before its body came", || {
            let mut hand = accepted(large_notice(12));
            hand.line.abort(ACCEPTED, Code::CANCELLED).unwrap();
            hand.hear();
            hand
        }),
        ("accepted: free again", || {
            let mut hand = asked();
            hand.line.respond_code(ACCEPTED, Code::OK).unwrap();
            hand.hear();
            hand
        }),
    ]
}
