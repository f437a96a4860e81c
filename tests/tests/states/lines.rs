//! States of a line, and how to get there.

use ropeway_core::wire::Frame;
use ropeway_core::{CloseCode, Code, Config, Send};
use ropeway_tests::hand::Hand;
use ropeway_tests::say::ACTION;

use crate::all_frames::CLOSE;

/// How to get to a state.
pub(crate) type Make = fn() -> Hand;

/// Before, between and after.
pub(crate) fn states() -> Vec<(&'static str, Make)> {
    vec![
        ("line: a server before hello", || Hand::new(Config::SMALL, true)),
        ("line: a client before hello", || {
            let mut hand = Hand::new(Config::SMALL, false);
            hand.hear();
            hand
        }),
        ("line: open", Hand::server),
        ("line: open, the peer is going away", || {
            let mut hand = Hand::server();
            hand.say(&Frame::Away).unwrap();
            hand
        }),
        ("line: closing", || {
            let mut hand = Hand::server();
            hand.line.notify(hand.now, &Send::text(ACTION, "last words")).unwrap();
            hand.line.close(CloseCode::DONE, "");
            hand
        }),
        ("line: closing after an error", || {
            let mut hand = Hand::server();
            hand.say(&Frame::Code { lane: 9, code: Code::OK }).unwrap_err();
            hand
        }),
        ("line: closed", || {
            let mut hand = Hand::server();
            hand.say(&Frame::Close(CLOSE)).unwrap();
            hand
        }),
    ]
}
