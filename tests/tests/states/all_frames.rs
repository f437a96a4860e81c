//! Every frame there is.

use ropeway_core::wire::{Close, Define, Frame};
use ropeway_core::{CloseCode, Code, Table};
use ropeway_tests::hand::{PEER, bytes, hello};
use ropeway_tests::say::{
    ACCEPTED, CANCEL, CODE, FINISH, OPENED, abort, accept, begin, data, done, lane_credit, large_notice, notice, offer,
    pause, piece, request, response, update,
};

/// A goodbye.
pub(crate) const CLOSE: Close<'static> = Close { code: CloseCode::DONE, reason: "" };

/// Every frame there is. Sides are seen from the machine: `us` is a lane that the machine opened.
pub(crate) fn all_frames() -> Vec<(&'static str, Vec<u8>)> {
    let define = Define { table: Table::Actions, index: 0, fingerprint: None, name: "a" };
    let mut all: Vec<(&str, Vec<u8>)> = [
        ("DEFINE", Frame::Define(define)),
        ("NOTICE", notice(b"1234")),
        ("OPEN", request(0, None, 0)),
        ("OPEN-notice", large_notice(12)),
        ("RESPONSE", response(b"1234", None, false)),
        ("RESPONSE-more", response(b"1234", None, true)),
        ("CODE", CODE),
        ("UPDATE", update(b"1234")),
        ("BODY-us", piece(OPENED, b"5678")),
        ("BODY-them", piece(ACCEPTED, b"5678")),
        ("ABORT-us", abort(OPENED, Code::REJECTED)),
        ("ABORT-them", abort(ACCEPTED, Code::REJECTED)),
        ("END", Frame::End { lane: 0 }),
        ("OFFER-us", offer(OPENED, false, Some(8))),
        ("OFFER-them", offer(ACCEPTED, false, Some(8))),
        ("ACCEPT", accept(0, None, None)),
        ("BEGIN", begin(0)),
        ("DATA", data(b"1234")),
        ("FINISH", FINISH),
        ("CANCEL", CANCEL),
        ("DONE", done(Code::OK)),
        ("PAUSE-by-sender", pause(true, false)),
        ("PAUSE-by-receiver", pause(true, true)),
        ("AWAY", Frame::Away),
        ("CLOSE", Frame::Close(CLOSE)),
        ("ACK", Frame::Ack { count: 0 }),
        ("ACK-too-much", Frame::Ack { count: 1000 }),
        ("PING", Frame::Ping { id: 1 }),
        ("PONG", Frame::Pong { id: 1 }),
        ("WINDOW", Frame::Window { limit: 1 << 30 }),
        ("LANE_CREDIT-us", lane_credit(OPENED, 1 << 30)),
        ("LANE_CREDIT-them", lane_credit(ACCEPTED, 1 << 30)),
        ("CREDIT", Frame::Credit { flow: 0, limit: 1 << 30 }),
        ("ignorable", Frame::Skipped { kind: 30, bytes: b"x" }),
    ]
    .into_iter()
    .map(|(name, frame)| (name, bytes(&frame)))
    .collect();
    all.push(("HELLO-client", hello(true, PEER)));
    all.push(("HELLO-server", hello(false, PEER)));
    for (name, kind) in [("type-0", 0u8), ("type-19", 19), ("type-27", 27)] {
        all.push((name, vec![kind << 3]));
    }
    all
}
