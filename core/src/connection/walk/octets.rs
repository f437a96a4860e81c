//! What goes on the wire, as everyone may see it, and as anybody could say it.

use std::vec::Vec;

use super::glass::TAG;
use crate::error::{CloseCode, PeerError};
use crate::id::{Action, Code, Side};
use crate::wire::hello::MAGIC;
use crate::wire::seal::{HANDSHAKE, PREFIX, RECORD};
use crate::wire::{
    Accept, Body, Close, Define, Frame, Kind, Notice, Offer, Open, Pause, Piece, Rekey, Response, Switch, Table, Update,
};

/// The hello, messages of the handshake, records and frames, one by one.
pub(super) fn parts(mut octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let u16 = |at: usize| usize::from(u16::from_le_bytes([octets[at], octets[at + 1]]));
        let (part, rest) = octets.split_at(match *octets.first()? {
            _ if octets.starts_with(&MAGIC) => 6 + u16(4),
            HANDSHAKE | RECORD => PREFIX + u16(1),
            _ => Frame::read(octets, u32::MAX).unwrap().1,
        });
        octets = rest;
        Some(part)
    })
}

/// What everyone may know of octets: kinds of frames, in records or not; acknowledgements left out. What `must` be sealed is.
pub(super) fn seen(octets: &[u8], must: bool) -> Vec<u8> {
    let mut seen = Vec::new();
    for part in parts(octets) {
        seen.push(part[0]);
        assert!(!must || part.starts_with(&MAGIC) || matches!(part[0], HANDSHAKE | RECORD), "in the clear: {part:?}");
        let mut content = if part[0] == RECORD { &part[PREFIX..part.len() - TAG] } else { &[] };
        while !content.is_empty() {
            let (frame, len) = Frame::read(content, u32::MAX).unwrap();
            if !matches!(frame, Frame::Ack { .. }) {
                seen.push(content[0]);
            }
            content = &content[len..];
        }
        seen.push(0xff);
    }
    seen
}

/// A frame of each type, as anybody could say it, and what belongs before them.
pub(super) fn plain() -> Vec<Vec<u8>> {
    let body = Body { kind: Kind::Bytes, bytes: &b"x"[..] };
    let (lane, flow, code, side) = (0, 0, Code::OK, Side::Us);
    let action = Action::Number(1);
    let frames = [
        Frame::Auth(crate::wire::Auth::Key),
        Frame::Define(Define { table: Table::Actions, index: 0, fingerprint: None, name: "n" }),
        Frame::Notice(Notice { action, body }),
        Frame::Open(Open { lane, action, body, wants_answer: true, timeout: None, size: None, attached: 0 }),
        Frame::Response(Response { lane, code, body, more: false, size: None, attached: 0 }),
        Frame::Code { lane, code },
        Frame::Update(Update { lane, body }),
        Frame::Body(Piece { side, lane, bytes: b"x" }),
        Frame::Abort { side, lane, code },
        Frame::End { lane },
        Frame::Offer(Offer { flow, side, lane, push: true, size: None, media: "", name: "" }),
        Frame::Accept(Accept { flow, start: 0, end: None, prefix: None }),
        Frame::Begin { flow, start: 0 },
        Frame::Data { flow, bytes: b"x" },
        Frame::Finish { flow, digest: None },
        Frame::Cancel { flow, code },
        Frame::Done { flow, code },
        Frame::Pause(Pause { flow, on: true, by_receiver: true }),
        Frame::Away,
        Frame::Switch(Switch { on: true, ask: false }),
        Frame::Switch(Switch { on: false, ask: false }),
        Frame::Switch(Switch { on: false, ask: true }),
        Frame::Close(Close { code: CloseCode::DONE, reason: "" }),
        Frame::Close(Close { code: PeerError::Forged.code(), reason: "" }),
        Frame::Ack { count: 0 },
        Frame::Ping { id: 1 },
        Frame::Pong { id: 1 },
        Frame::Window { limit: 1 << 20 },
        Frame::LaneCredit { side, lane, limit: 1 << 20 },
        Frame::Credit { flow, limit: 1 << 20 },
        Frame::Rekey(Rekey::Next),
        Frame::Rekey(Rekey::Share([9; 32])),
        Frame::Rekey(Rekey::Fresh),
        Frame::Skipped { kind: 28, bytes: b"x" },
        Frame::Skipped { kind: 31, bytes: b"" },
    ];
    let mut kinds: Vec<u8> = frames.iter().map(Frame::kind).collect();
    kinds.dedup();
    assert_eq!(kinds[..28], (0..28).collect::<Vec<u8>>()[..]);
    let mut octets = [0; 64];
    let encoded = frames.iter().map(|frame| {
        let len = frame.encode(&mut octets).unwrap();
        octets[..len].to_vec()
    });
    let encoded: Vec<_> = encoded.collect();
    [encoded, [HANDSHAKE, RECORD].map(|head| std::vec![head, 2, 0, 1, 2]).to_vec()].concat()
}
