//! Frames of messages: what opens an exchange, what answers it, and the rest of a large body.

use super::bytes::{Reader, Writer};
use super::{bit, code, flag, fragment, kind, only, side};
use crate::error::PeerError;
use crate::id::{Action, Code, Side};

/// What the octets of a body are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// There is no body.
    #[default]
    None,
    /// Raw octets.
    Bytes,
    /// Text; UTF-8 as a whole, not in each piece. The receiving application checks it.
    Text,
    /// A value of the type with this index, defined on this session.
    Typed(u16),
}

/// A body, or its first piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Body<P> {
    /// What it is.
    pub kind: Kind,
    /// Its octets.
    pub bytes: P,
}

impl<P> Body<P> {
    /// The same with other octets.
    pub fn map<Q>(self, f: impl FnOnce(P) -> Q) -> Body<Q> {
        Body { kind: self.kind, bytes: f(self.bytes) }
    }
}

/// Kinds as they stand in the lower two flags.
const BYTES: u8 = 0;
const TEXT: u8 = 1;
const TYPED: u8 = 2;
const NONE: u8 = 3;
/// The third flag: an octet of extras follows, then what it names, in the order of its bits.
const EXTRAS: u8 = 4;

const NO_ANSWER: u8 = 1;
const TIMEOUT: u8 = 2;
const MORE: u8 = 1;
const CODE: u8 = 2;
const LARGE: u8 = 4;
const ATTACHED: u8 = 8;

impl Kind {
    const fn flags(self) -> u8 {
        match self {
            Kind::Bytes => BYTES,
            Kind::Text => TEXT,
            Kind::Typed(_) => TYPED,
            Kind::None => NONE,
        }
    }

    #[inline]
    fn read(flags: u8, r: &mut Reader<'_>) -> Option<Kind> {
        Some(match flags & 3 {
            BYTES => Kind::Bytes,
            TEXT => Kind::Text,
            TYPED => Kind::Typed(r.u16()?),
            _ => Kind::None,
        })
    }

    #[inline]
    fn write(self, w: &mut Writer<'_>) {
        if let Kind::Typed(index) = self {
            w.varint(u64::from(index));
        }
    }
}

impl<'a> Body<&'a [u8]> {
    #[inline]
    fn read(kind: Kind, r: &mut Reader<'a>) -> Option<Body<&'a [u8]>> {
        Some(Body { kind, bytes: if kind == Kind::None { &[] } else { r.block()? } })
    }

    #[inline]
    fn write(&self, w: &mut Writer<'_>) {
        if self.kind != Kind::None {
            w.block(self.bytes);
        }
    }
}

fn head(w: &mut Writer<'_>, kind: u8, flags: u8) {
    w.u8((kind << 3) | flags);
}

fn action(r: &mut Reader<'_>) -> Option<Action> {
    Action::from_wire(r.varint()?).or_else(|| r.bad(PeerError::BadAction))
}

/// `head · action · [type] · [len · octets]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice<'a> {
    /// What it is for.
    pub action: Action,
    /// All of its body.
    pub body: Body<&'a [u8]>,
}

impl<'a> Notice<'a> {
    #[inline]
    pub(super) fn read(flags: u8, r: &mut Reader<'a>) -> Option<Notice<'a>> {
        only(kind::NOTICE, flags, 3, r)?;
        let action = action(r)?;
        let kind = Kind::read(flags, r)?;
        Some(Notice { action, body: Body::read(kind, r)? })
    }

    #[inline]
    pub(super) fn write(&self, w: &mut Writer<'_>) {
        head(w, kind::NOTICE, self.body.kind.flags());
        w.varint(self.action.to_wire());
        self.body.kind.write(w);
        self.body.write(w);
    }
}

/// `head · lane · action · [type] · [extras · [timeout] · [size] · [attached]] · [len · octets]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open<'a> {
    /// The lane, opened by the frame's sender.
    pub lane: u16,
    /// What it is for.
    pub action: Action,
    /// Its body, or the first piece.
    pub body: Body<&'a [u8]>,
    /// Whether an answer is wanted.
    pub wants_answer: bool,
    /// Milliseconds until the sender gives up, 0 for never; without it, the sender's announced timeout.
    pub timeout: Option<u32>,
    /// The size of the whole body when more follows.
    pub size: Option<u64>,
    /// How many flows belong to the message.
    pub attached: u16,
}

impl<'a> Open<'a> {
    pub(super) fn read(flags: u8, r: &mut Reader<'a>) -> Option<Open<'a>> {
        let lane = r.u16()?;
        let action = action(r)?;
        let kind = Kind::read(flags, r)?;
        let bits = extras(kind::OPEN, flags, r, NO_ANSWER | TIMEOUT | LARGE | ATTACHED)?;
        let timeout = if bits & TIMEOUT != 0 { Some(r.u32()?) } else { None };
        let (size, attached) = rest(kind::OPEN, bits, kind, r)?;
        let body = first(kind, size, r)?;
        Some(Open { lane, action, body, wants_answer: bits & NO_ANSWER == 0, timeout, size, attached })
    }

    #[inline]
    pub(super) fn write(&self, w: &mut Writer<'_>) {
        let bits = flag(NO_ANSWER, !self.wants_answer)
            | flag(TIMEOUT, self.timeout.is_some())
            | rest_bits(self.size, self.attached);
        head(w, kind::OPEN, self.body.kind.flags() | flag(EXTRAS, bits != 0));
        w.varint(u64::from(self.lane));
        w.varint(self.action.to_wire());
        self.body.kind.write(w);
        if bits != 0 {
            w.u8(bits);
            if let Some(timeout) = self.timeout {
                w.varint(u64::from(timeout));
            }
            write_rest(w, self.size, self.attached);
        }
        self.body.write(w);
    }
}

/// `head · lane · [type] · [extras · [code] · [size] · [attached]] · [len · octets]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The lane, opened by the receiver of the frame.
    pub lane: u16,
    /// How it went; [`Code::OK`] when not said.
    pub code: Code,
    /// Its body, or the first piece.
    pub body: Body<&'a [u8]>,
    /// Whether more answers follow this one.
    pub more: bool,
    /// The size of the whole body when more follows.
    pub size: Option<u64>,
    /// How many flows belong to the response.
    pub attached: u16,
}

impl<'a> Response<'a> {
    #[inline]
    pub(super) fn read(flags: u8, r: &mut Reader<'a>) -> Option<Response<'a>> {
        let lane = r.u16()?;
        let kind = Kind::read(flags, r)?;
        let bits = extras(kind::RESPONSE, flags, r, MORE | CODE | LARGE | ATTACHED)?;
        let code = if bits & CODE != 0 { code(r)? } else { Code::OK };
        if bits & CODE != 0 && code == Code::OK {
            return r.bad(PeerError::ReservedBits(kind::RESPONSE));
        }
        let (size, attached) = rest(kind::RESPONSE, bits, kind, r)?;
        let body = first(kind, size, r)?;
        Some(Response { lane, code, body, more: bits & MORE != 0, size, attached })
    }

    #[inline]
    pub(super) fn write(&self, w: &mut Writer<'_>) {
        let bits = flag(MORE, self.more) | flag(CODE, self.code != Code::OK) | rest_bits(self.size, self.attached);
        head(w, kind::RESPONSE, self.body.kind.flags() | flag(EXTRAS, bits != 0));
        w.varint(u64::from(self.lane));
        self.body.kind.write(w);
        if bits != 0 {
            w.u8(bits);
            if self.code != Code::OK {
                w.varint(u64::from(self.code.value()));
            }
            write_rest(w, self.size, self.attached);
        }
        self.body.write(w);
    }
}

/// `head · lane · [type] · [len · octets]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update<'a> {
    /// The lane, opened by the receiver of the frame.
    pub lane: u16,
    /// How far it is.
    pub body: Body<&'a [u8]>,
}

impl<'a> Update<'a> {
    pub(super) fn read(flags: u8, r: &mut Reader<'a>) -> Option<Update<'a>> {
        only(kind::UPDATE, flags, 3, r)?;
        let lane = r.u16()?;
        let kind = Kind::read(flags, r)?;
        Some(Update { lane, body: Body::read(kind, r)? })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        head(w, kind::UPDATE, self.body.kind.flags());
        w.varint(u64::from(self.lane));
        self.body.kind.write(w);
        self.body.write(w);
    }
}

/// `head · lane · len · octets`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Who opened the lane, seen from the frame's sender.
    pub side: Side,
    /// The lane.
    pub lane: u16,
    /// At least one.
    pub bytes: &'a [u8],
}

impl<'a> Piece<'a> {
    pub(super) fn read(flags: u8, r: &mut Reader<'a>) -> Option<Piece<'a>> {
        let side = side(only(kind::BODY, flags, 1, r)?);
        Some(Piece { side, lane: r.u16()?, bytes: fragment(r)? })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        head(w, kind::BODY, bit(self.side));
        w.varint(u64::from(self.lane));
        w.block(self.bytes);
    }
}

/// The octet of extras, 0 when there is none: then it must not be there.
#[inline]
fn extras(kind: u8, flags: u8, r: &mut Reader<'_>, known: u8) -> Option<u8> {
    if flags & EXTRAS == 0 {
        return Some(0);
    }
    let bits = r.u8()?;
    if bits == 0 || bits & !known != 0 { r.bad(PeerError::ReservedBits(kind)) } else { Some(bits) }
}

/// Size and number of flows. A size of nothing and no flows are not written.
///
/// Every message that opens an exchange goes through it. A device is better off with one of it.
#[cfg_attr(target_os = "none", inline)]
#[cfg_attr(not(target_os = "none"), inline(always))]
fn rest(kind: u8, bits: u8, body: Kind, r: &mut Reader<'_>) -> Option<(Option<u64>, u16)> {
    let size = if bits & LARGE != 0 { Some(r.varint()?) } else { None };
    let attached = if bits & ATTACHED != 0 { r.u16()? } else { 0 };
    if (size.is_some() && body == Kind::None) || (bits & ATTACHED != 0 && attached == 0) {
        return r.bad(PeerError::ReservedBits(kind));
    }
    Some((size, attached))
}

/// A body, or its first piece: one whose size is declared has more to come.
#[inline]
fn first<'a>(kind: Kind, size: Option<u64>, r: &mut Reader<'a>) -> Option<Body<&'a [u8]>> {
    let body = Body::read(kind, r)?;
    if size.is_some_and(|size| size <= body.bytes.len() as u64) { r.bad(PeerError::BodyOverrun) } else { Some(body) }
}

#[inline]
fn rest_bits(size: Option<u64>, attached: u16) -> u8 {
    flag(LARGE, size.is_some()) | flag(ATTACHED, attached > 0)
}

fn write_rest(w: &mut Writer<'_>, size: Option<u64>, attached: u16) {
    if let Some(size) = size {
        w.varint(size);
    }
    if attached > 0 {
        w.varint(u64::from(attached));
    }
}
