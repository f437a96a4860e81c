//! Bytes to values and back. No state: what a frame means here and now is the connection's matter.
//!
//! Every frame starts with one octet, its type in the upper five bits and flags in the lower three. Types below
//! [`FIRST_UNCOUNTED`] are counted and acknowledged; types from [`FIRST_IGNORABLE`] may be skipped by a peer that does
//! not know them.

mod auth;
pub(crate) mod bytes;
mod control;
mod flow;
pub mod hello;
mod message;
pub(crate) mod seal;

pub use auth::Auth;
pub use control::{Close, Define, MAX_REASON, Table};
pub use flow::{Accept, Offer, Pause};
pub use message::{Body, Kind, Notice, Open, Piece, Response, Update};
pub use seal::{Rekey, Switch};

use crate::error::PeerError;
use crate::id::{Code, Side};
use bytes::{Reader, Stop, Writer};

/// Frames of this type and above are not counted: each says how things stand, so a later one replaces it.
pub const FIRST_UNCOUNTED: u8 = 20;
/// Frames of this type and above are `head · len · octets` and are skipped when unknown.
pub const FIRST_IGNORABLE: u8 = 28;

/// The head that is no frame's: a hello begins with it.
const HELLO: u8 = {
    let [first, ..] = hello::MAGIC;
    first
};

/// Frame types.
pub(crate) mod kind {
    pub(crate) const AUTH: u8 = 0;
    pub(crate) const DEFINE: u8 = 1;
    pub(crate) const NOTICE: u8 = 2;
    pub(crate) const OPEN: u8 = 3;
    pub(crate) const RESPONSE: u8 = 4;
    pub(crate) const CODE: u8 = 5;
    pub(crate) const UPDATE: u8 = 6;
    pub(crate) const BODY: u8 = 7;
    pub(crate) const ABORT: u8 = 8;
    pub(crate) const END: u8 = 9;
    pub(crate) const OFFER: u8 = 10;
    pub(crate) const ACCEPT: u8 = 11;
    pub(crate) const BEGIN: u8 = 12;
    pub(crate) const DATA: u8 = 13;
    pub(crate) const FINISH: u8 = 14;
    pub(crate) const CANCEL: u8 = 15;
    pub(crate) const DONE: u8 = 16;
    pub(crate) const PAUSE: u8 = 17;
    pub(crate) const AWAY: u8 = 18;
    pub(crate) const SWITCH: u8 = 19;
    pub(crate) const CLOSE: u8 = 20;
    pub(crate) const ACK: u8 = 21;
    pub(crate) const PING: u8 = 22;
    pub(crate) const PONG: u8 = 23;
    pub(crate) const WINDOW: u8 = 24;
    pub(crate) const LANE_CREDIT: u8 = 25;
    pub(crate) const CREDIT: u8 = 26;
    pub(crate) const SEALED: u8 = 27;
}

/// One frame, decoded. Slices borrow from the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame<'a> {
    /// A name gets an index for the rest of the session.
    Define(Define<'a>),
    /// A whole message that wants no answer and needs no lane.
    Notice(Notice<'a>),
    /// A message opens a lane.
    Open(Open<'a>),
    /// An answer.
    Response(Response<'a>),
    /// The last answer, without a body.
    Code {
        /// The lane, opened by the receiver of this frame.
        lane: u16,
        /// The answer.
        code: Code,
    },
    /// Progress on a request; prolongs its deadline.
    Update(Update<'a>),
    /// More of a body larger than its first frame.
    Body(Piece<'a>),
    /// Ends the sender's half of an exchange and asks for the other.
    Abort {
        /// Who opened the lane, seen from the frame's sender.
        side: Side,
        /// The lane.
        lane: u16,
        /// Why.
        code: Code,
    },
    /// Ends the receiving half of a message that wanted no answer.
    End {
        /// The lane, opened by the receiver of this frame.
        lane: u16,
    },
    /// A flow: a stream that begins at once, or something to accept.
    Offer(Offer<'a>),
    /// Asks for a range of what was offered.
    Accept(Accept),
    /// Where the bytes that follow begin.
    Begin {
        /// The flow.
        flow: u16,
        /// Offset of the first byte, in octets.
        start: u64,
    },
    /// Bytes of a flow.
    Data {
        /// The flow.
        flow: u16,
        /// At least one.
        bytes: &'a [u8],
    },
    /// The end of what was asked for.
    Finish {
        /// The flow.
        flow: u16,
        /// BLAKE3 of the content, from offset 0 or the start of the range; see the protocol's description.
        digest: Option<[u8; 32]>,
    },
    /// The flow's sender gives it up.
    Cancel {
        /// The flow.
        flow: u16,
        /// Why.
        code: Code,
    },
    /// The flow's receiver is done with it: it has all, or wants no more.
    Done {
        /// The flow.
        flow: u16,
        /// [`Code::OK`] or why not.
        code: Code,
    },
    /// A flow rests or goes on.
    Pause(Pause),
    /// No new exchange is taken; open ones may end.
    Away,
    /// Goodbye. The last frame.
    Close(Close<'a>),
    /// How many counted frames have arrived since the session began.
    Ack {
        /// The count.
        count: u64,
    },
    /// Asks for a pong.
    Ping {
        /// Comes back.
        id: u32,
    },
    /// Answers the latest ping.
    Pong {
        /// The ping's.
        id: u32,
    },
    /// Octets of messages allowed since the session began.
    Window {
        /// The count.
        limit: u64,
    },
    /// Octets allowed on a lane since it was opened.
    LaneCredit {
        /// Who opened the lane, seen from the frame's sender.
        side: Side,
        /// The lane.
        lane: u16,
        /// The count.
        limit: u64,
    },
    /// Octets allowed on a flow since it was offered.
    Credit {
        /// The flow.
        flow: u16,
        /// The count.
        limit: u64,
    },
    /// Who the client is, and whether it may. Only in a record.
    Auth(Auth<'a>),
    /// A direction is sealed, or not any more, or should be. Only in a record.
    Switch(Switch),
    /// A direction's key changes. Only in a record.
    Rekey(Rekey),
    /// A frame of a type that may be skipped, and is.
    Skipped {
        /// Its type.
        kind: u8,
        /// Its octets.
        bytes: &'a [u8],
    },
}

impl<'a> Frame<'a> {
    /// Decodes the frame at the start of `input`, none larger than `limit` octets: the frame and its length.
    ///
    /// `Ok(None)` when it goes on behind the end of `input`.
    ///
    /// # Errors
    /// What makes it no frame, as soon as that is certain.
    pub fn decode(input: &'a [u8], limit: u32) -> Result<Option<(Frame<'a>, usize)>, PeerError> {
        match Frame::read(input, limit) {
            Ok(found) => Ok(Some(found)),
            Err(Stop::Need(_)) => Ok(None),
            Err(Stop::Bad(error)) => Err(error),
        }
    }

    pub(crate) fn read(input: &'a [u8], limit: u32) -> Result<(Frame<'a>, usize), Stop> {
        Frame::read_if(true, input, limit)
    }

    /// Those of records only if it is in one: a device that never seals has no code for them.
    #[inline]
    pub(crate) fn read_if(in_record: bool, input: &'a [u8], limit: u32) -> Result<(Frame<'a>, usize), Stop> {
        let mut reader = Reader::new(input, limit);
        match Frame::fields(in_record, &mut reader) {
            Some(frame) => Ok((frame, reader.at())),
            None => Err(reader.stop()),
        }
    }

    #[inline]
    fn fields(in_record: bool, r: &mut Reader<'a>) -> Option<Frame<'a>> {
        let head = r.u8()?;
        let (kind, flags) = (head >> 3, head & 7);
        if !in_record && matches!(kind, kind::AUTH | kind::SWITCH | kind::SEALED) {
            return r.bad(PeerError::Unexpected(kind));
        }
        Some(match kind {
            kind::NOTICE => Frame::Notice(Notice::read(flags, r)?),
            kind::OPEN => Frame::Open(Open::read(flags, r)?),
            kind::RESPONSE => Frame::Response(Response::read(flags, r)?),
            kind::UPDATE => Frame::Update(Update::read(flags, r)?),
            kind::BODY => Frame::Body(Piece::read(flags, r)?),
            kind::DEFINE => Frame::Define(Define::read(flags, r)?),
            kind::OFFER => Frame::Offer(Offer::read(flags, r)?),
            kind::ACCEPT => Frame::Accept(Accept::read(flags, r)?),
            kind::PAUSE => Frame::Pause(Pause::read(flags, r)?),
            kind::CLOSE => Frame::Close(Close::read(flags, r)?),
            kind::AUTH => Frame::Auth(Auth::read(flags, r)?),
            kind::SWITCH => Frame::Switch(Switch::read(flags, r)?),
            kind::SEALED => Frame::Rekey(Rekey::read(flags, r)?),
            kind::ABORT => {
                let side = side(only(kind, flags, 1, r)?);
                Frame::Abort { side, lane: r.u16()?, code: code(r)? }
            }
            kind::LANE_CREDIT => {
                let side = side(only(kind, flags, 1, r)?);
                Frame::LaneCredit { side, lane: r.u16()?, limit: r.varint()? }
            }
            kind::FINISH => {
                let digest = only(kind, flags, 1, r)? == 1;
                let flow = r.u16()?;
                Frame::Finish { flow, digest: if digest { Some(r.array()?) } else { None } }
            }
            kind::CODE
            | kind::END
            | kind::BEGIN
            | kind::DATA
            | kind::CANCEL
            | kind::DONE
            | kind::AWAY
            | kind::ACK
            | kind::PING
            | kind::PONG
            | kind::WINDOW
            | kind::CREDIT => {
                only(kind, flags, 0, r)?;
                Frame::read_simple(kind, r)?
            }
            FIRST_IGNORABLE.. if head == HELLO => return r.bad(PeerError::SecondHello),
            FIRST_IGNORABLE.. => Frame::Skipped { kind, bytes: r.block()? },
        })
    }

    fn read_simple(kind: u8, r: &mut Reader<'a>) -> Option<Frame<'a>> {
        Some(match kind {
            kind::CODE => Frame::Code { lane: r.u16()?, code: code(r)? },
            kind::END => Frame::End { lane: r.u16()? },
            kind::BEGIN => Frame::Begin { flow: r.u16()?, start: r.varint()? },
            kind::DATA => Frame::Data { flow: r.u16()?, bytes: fragment(r)? },
            kind::CANCEL => Frame::Cancel { flow: r.u16()?, code: code(r)? },
            kind::DONE => Frame::Done { flow: r.u16()?, code: code(r)? },
            kind::ACK => Frame::Ack { count: r.varint()? },
            kind::PING => Frame::Ping { id: r.u32()? },
            kind::PONG => Frame::Pong { id: r.u32()? },
            kind::WINDOW => Frame::Window { limit: r.varint()? },
            kind::CREDIT => Frame::Credit { flow: r.u16()?, limit: r.varint()? },
            _ => Frame::Away,
        })
    }

    /// Encodes the frame to the start of `out`: the number of octets, `None` if `out` is too short.
    ///
    /// It decodes to itself if its values are ones that a frame can have. That is the caller's matter: what
    /// breaks one of these rules is written as another frame, or as octets that are none.
    ///
    /// - [`Frame::Body`] and [`Frame::Data`] bring at least one octet.
    /// - A body of [`Kind::None`] has no octets and no `size`; any other `size` is above the octets that are here.
    /// - [`Action::Number`](crate::Action::Number) is at most [`Action::MAX_NUMBER`](crate::Action::MAX_NUMBER).
    /// - The `end` of [`Frame::Accept`] is above its `start`.
    /// - The `reason` of [`Frame::Close`] has at most [`MAX_REASON`] octets.
    /// - The type of [`Frame::Skipped`] is [`FIRST_IGNORABLE`] to 31.
    /// - The whole is no longer than the limit with which it is decoded.
    pub fn encode(&self, out: &mut [u8]) -> Option<usize> {
        self.encode_if(true, out)
    }

    /// As [`read_if`](Frame::read_if) reads.
    pub(crate) fn encode_if(&self, in_record: bool, out: &mut [u8]) -> Option<usize> {
        let mut writer = Writer::new(out);
        let w = &mut writer;
        let head = |w: &mut Writer<'_>, flags: u8| w.u8((self.kind() << 3) | flags);
        match self {
            Frame::Define(frame) => frame.write(w),
            Frame::Notice(frame) => frame.write(w),
            Frame::Open(frame) => frame.write(w),
            Frame::Response(frame) => frame.write(w),
            Frame::Update(frame) => frame.write(w),
            Frame::Body(frame) => frame.write(w),
            Frame::Offer(frame) => frame.write(w),
            Frame::Accept(frame) => frame.write(w),
            Frame::Pause(frame) => frame.write(w),
            Frame::Close(frame) => frame.write(w),
            Frame::Auth(_) | Frame::Switch(_) | Frame::Rekey(_) if !in_record => return None,
            Frame::Auth(frame) => frame.write(w),
            Frame::Switch(frame) => frame.write(w),
            Frame::Rekey(frame) => frame.write(w),
            Frame::Code { lane: number, code }
            | Frame::Cancel { flow: number, code }
            | Frame::Done { flow: number, code } => {
                head(w, 0);
                w.varint(u64::from(*number));
                w.varint(u64::from(code.value()));
            }
            Frame::Abort { side, lane, code } => {
                head(w, bit(*side));
                w.varint(u64::from(*lane));
                w.varint(u64::from(code.value()));
            }
            Frame::LaneCredit { side, lane, limit } => {
                head(w, bit(*side));
                w.varint(u64::from(*lane));
                w.varint(*limit);
            }
            Frame::Begin { flow, start: value } | Frame::Credit { flow, limit: value } => {
                head(w, 0);
                w.varint(u64::from(*flow));
                w.varint(*value);
            }
            Frame::Data { flow, bytes } => {
                head(w, 0);
                w.varint(u64::from(*flow));
                w.block(bytes);
            }
            Frame::Finish { flow, digest } => {
                head(w, u8::from(digest.is_some()));
                w.varint(u64::from(*flow));
                w.bytes(digest.as_ref().map_or(&[][..], |digest| digest));
            }
            Frame::End { lane } => {
                head(w, 0);
                w.varint(u64::from(*lane));
            }
            Frame::Away => head(w, 0),
            Frame::Ack { count: value } | Frame::Window { limit: value } => {
                head(w, 0);
                w.varint(*value);
            }
            Frame::Ping { id } | Frame::Pong { id } => {
                head(w, 0);
                w.varint(u64::from(*id));
            }
            Frame::Skipped { bytes, .. } => {
                head(w, 0);
                w.block(bytes);
            }
        }
        writer.finish()
    }

    /// The frame's type.
    pub fn kind(&self) -> u8 {
        match self {
            Frame::Define(_) => kind::DEFINE,
            Frame::Notice(_) => kind::NOTICE,
            Frame::Open(_) => kind::OPEN,
            Frame::Response(_) => kind::RESPONSE,
            Frame::Code { .. } => kind::CODE,
            Frame::Update(_) => kind::UPDATE,
            Frame::Body(_) => kind::BODY,
            Frame::Abort { .. } => kind::ABORT,
            Frame::End { .. } => kind::END,
            Frame::Offer(_) => kind::OFFER,
            Frame::Accept(_) => kind::ACCEPT,
            Frame::Begin { .. } => kind::BEGIN,
            Frame::Data { .. } => kind::DATA,
            Frame::Finish { .. } => kind::FINISH,
            Frame::Cancel { .. } => kind::CANCEL,
            Frame::Done { .. } => kind::DONE,
            Frame::Pause(_) => kind::PAUSE,
            Frame::Away => kind::AWAY,
            Frame::Close(_) => kind::CLOSE,
            Frame::Ack { .. } => kind::ACK,
            Frame::Ping { .. } => kind::PING,
            Frame::Pong { .. } => kind::PONG,
            Frame::Window { .. } => kind::WINDOW,
            Frame::LaneCredit { .. } => kind::LANE_CREDIT,
            Frame::Credit { .. } => kind::CREDIT,
            Frame::Auth(_) => kind::AUTH,
            Frame::Switch(_) => kind::SWITCH,
            Frame::Rekey(_) => kind::SEALED,
            Frame::Skipped { kind, .. } => *kind,
        }
    }

    /// Whether the frame is counted and acknowledged.
    pub fn is_counted(&self) -> bool {
        self.kind() < FIRST_UNCOUNTED
    }
}

/// Octets of a fragment; never none, or a flood of them would be free.
fn fragment<'a>(r: &mut Reader<'a>) -> Option<&'a [u8]> {
    let bytes = r.block()?;
    if bytes.is_empty() { r.bad(PeerError::EmptyFragment) } else { Some(bytes) }
}

fn code(r: &mut Reader<'_>) -> Option<Code> {
    u16::try_from(r.varint()?).ok().and_then(Code::new).or_else(|| r.bad(PeerError::BadCode))
}

/// The flags, if none but those of `mask` are set.
#[inline]
fn only(kind: u8, flags: u8, mask: u8, r: &mut Reader<'_>) -> Option<u8> {
    if flags & !mask == 0 { Some(flags) } else { r.bad(PeerError::ReservedBits(kind)) }
}

/// The flag if it is set.
const fn flag(flag: u8, set: bool) -> u8 {
    if set { flag } else { 0 }
}

/// A lane's opener on the wire: 0 the frame's sender, 1 its receiver.
const fn bit(side: Side) -> u8 {
    match side {
        Side::Us => 0,
        Side::Them => 1,
    }
}

const fn side(bit: u8) -> Side {
    if bit & 1 == 0 { Side::Us } else { Side::Them }
}
