//! What a peer written by hand says, most of it about lane 0 and flow 0.

use ropeway_core::wire::{Accept, Frame, Notice, Offer, Open, Pause, Piece, Response, Update};
use ropeway_core::{Action, Body, Code, FlowId, Kind, LaneId, Side};

/// The lane that the machine opened.
pub const OPENED: LaneId = LaneId::new(0, Side::Us);
/// The lane that the peer opened.
pub const ACCEPTED: LaneId = LaneId::new(0, Side::Them);
/// The flow that the machine sends.
pub const OUT: FlowId = FlowId::new(0, Side::Us);
/// The flow that the peer sends.
pub const IN: FlowId = FlowId::new(0, Side::Them);
/// What every message is for.
pub const ACTION: Action = Action::Number(1);

/// The end of a range.
pub const FINISH: Frame<'static> = Frame::Finish { flow: 0, digest: None };
/// The sender gives up.
pub const CANCEL: Frame<'static> = Frame::Cancel { flow: 0, code: Code::IO };
/// The last answer.
pub const CODE: Frame<'static> = Frame::Code { lane: 0, code: Code::OK };

/// Raw octets.
pub const fn body(bytes: &[u8]) -> Body<&[u8]> {
    Body { kind: Kind::Bytes, bytes }
}

/// A message without a lane.
pub const fn notice(bytes: &[u8]) -> Frame<'_> {
    Frame::Notice(Notice { action: ACTION, body: body(bytes) })
}

/// A request of four octets, or as many of a larger one, on a lane.
pub const fn request(lane: u16, size: Option<u64>, attached: u16) -> Frame<'static> {
    let body = body(b"1234");
    Frame::Open(Open { lane, action: ACTION, body, wants_answer: true, timeout: None, size, attached })
}

/// The first four octets of a notice.
pub const fn large_notice(size: u64) -> Frame<'static> {
    let (body, size) = (body(b"1234"), Some(size));
    Frame::Open(Open { lane: 0, action: ACTION, body, wants_answer: false, timeout: None, size, attached: 0 })
}

/// An answer, or the beginning of one of `size` octets.
pub const fn response(bytes: &[u8], size: Option<u64>, more: bool) -> Frame<'_> {
    Frame::Response(Response { lane: 0, code: Code::OK, body: body(bytes), more, size, attached: 0 })
}

/// Progress.
pub const fn update(bytes: &[u8]) -> Frame<'_> {
    Frame::Update(Update { lane: 0, body: body(bytes) })
}

/// More of a body, on the lane that one end opened, seen from the machine.
pub const fn piece(lane: LaneId, bytes: &[u8]) -> Frame<'_> {
    Frame::Body(Piece { side: opener(lane), lane: lane.number(), bytes })
}

/// The peer gives up.
pub const fn abort(lane: LaneId, code: Code) -> Frame<'static> {
    Frame::Abort { side: opener(lane), lane: lane.number(), code }
}

/// The peer allows more on a lane.
pub const fn lane_credit(lane: LaneId, limit: u64) -> Frame<'static> {
    Frame::LaneCredit { side: opener(lane), lane: lane.number(), limit }
}

/// Something to accept, or a stream.
pub const fn offer(lane: LaneId, push: bool, size: Option<u64>) -> Frame<'static> {
    Frame::Offer(Offer { flow: 0, side: opener(lane), lane: lane.number(), push, size, media: "", name: "f" })
}

/// A range is wanted.
pub const fn accept(start: u64, end: Option<u64>, prefix: Option<[u8; 32]>) -> Frame<'static> {
    Frame::Accept(Accept { flow: 0, start, end, prefix })
}

/// Bytes follow, from an offset on.
pub const fn begin(start: u64) -> Frame<'static> {
    Frame::Begin { flow: 0, start }
}

/// Bytes of a flow.
pub const fn data(bytes: &[u8]) -> Frame<'_> {
    Frame::Data { flow: 0, bytes }
}

/// The receiver's last word.
pub const fn done(code: Code) -> Frame<'static> {
    Frame::Done { flow: 0, code }
}

/// A flow rests, or goes on.
pub const fn pause(on: bool, by_receiver: bool) -> Frame<'static> {
    Frame::Pause(Pause { flow: 0, on, by_receiver })
}

/// Who opened a lane, as the peer puts it.
const fn opener(lane: LaneId) -> Side {
    match lane.opened_by() {
        Side::Us => Side::Them,
        Side::Them => Side::Us,
    }
}
