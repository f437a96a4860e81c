//! Frames of flows: offers, and what becomes of them.

use super::bytes::{Reader, Writer};
use super::{bit, flag, kind, only, side};
use crate::error::PeerError;
use crate::id::Side;

const PUSH: u8 = 2;
const SIZED: u8 = 4;
const END: u8 = 1;
const PREFIX: u8 = 2;
const ON: u8 = 1;
const BY_RECEIVER: u8 = 2;

/// `head · flow · lane · [size] · len · media type · len · name`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer<'a> {
    /// The flow, sent by the frame's sender.
    pub flow: u16,
    /// Who opened the lane whose message this belongs to, seen from the frame's sender.
    pub side: Side,
    /// That lane.
    pub lane: u16,
    /// Whether the bytes come unasked: a stream. Otherwise the receiver accepts or declines.
    pub push: bool,
    /// The size in octets, if it is known.
    pub size: Option<u64>,
    /// The media type; may be empty.
    pub media: &'a str,
    /// The name; may be empty. It is the peer's word, not a path.
    pub name: &'a str,
}

impl<'a> Offer<'a> {
    pub(super) fn read(flags: u8, r: &mut Reader<'a>) -> Option<Offer<'a>> {
        let flow = r.u16()?;
        let lane = r.u16()?;
        let size = if flags & SIZED != 0 { Some(r.varint()?) } else { None };
        let (media, name) = (r.text()?, r.text()?);
        Some(Offer { flow, side: side(flags & 1), lane, push: flags & PUSH != 0, size, media, name })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        let flags = bit(self.side) | flag(PUSH, self.push) | flag(SIZED, self.size.is_some());
        w.u8((kind::OFFER << 3) | flags);
        w.varint(u64::from(self.flow));
        w.varint(u64::from(self.lane));
        if let Some(size) = self.size {
            w.varint(size);
        }
        w.block(self.media.as_bytes());
        w.block(self.name.as_bytes());
    }
}

/// `head · flow · start · [end] · [digest of what lies before start]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept {
    /// The flow.
    pub flow: u16,
    /// Offset of the first byte wanted.
    pub start: u64,
    /// Offset behind the last byte wanted; to the end without it.
    pub end: Option<u64>,
    /// BLAKE3 of the bytes before `start`, which the receiver has already; if the sender's differ, it begins at 0.
    pub prefix: Option<[u8; 32]>,
}

impl Accept {
    pub(super) fn read(flags: u8, r: &mut Reader<'_>) -> Option<Accept> {
        only(kind::ACCEPT, flags, END | PREFIX, r)?;
        let (flow, start) = (r.u16()?, r.varint()?);
        let end = if flags & END != 0 { Some(r.varint()?) } else { None };
        if end.is_some_and(|end| end <= start) {
            return r.bad(PeerError::Range);
        }
        let prefix = if flags & PREFIX != 0 { Some(r.array()?) } else { None };
        Some(Accept { flow, start, end, prefix })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        let flags = flag(END, self.end.is_some()) | flag(PREFIX, self.prefix.is_some());
        w.u8((kind::ACCEPT << 3) | flags);
        w.varint(u64::from(self.flow));
        w.varint(self.start);
        if let Some(end) = self.end {
            w.varint(end);
        }
        if let Some(prefix) = &self.prefix {
            w.bytes(prefix);
        }
    }
}

/// `head · flow`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The flow.
    pub flow: u16,
    /// Whether it rests from now on, or goes on.
    pub on: bool,
    /// Whether the flow's receiver says so, or its sender.
    pub by_receiver: bool,
}

impl Pause {
    pub(super) fn read(flags: u8, r: &mut Reader<'_>) -> Option<Pause> {
        only(kind::PAUSE, flags, ON | BY_RECEIVER, r)?;
        Some(Pause { flow: r.u16()?, on: flags & ON != 0, by_receiver: flags & BY_RECEIVER != 0 })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        let flags = flag(ON, self.on) | flag(BY_RECEIVER, self.by_receiver);
        w.u8((kind::PAUSE << 3) | flags);
        w.varint(u64::from(self.flow));
    }
}
