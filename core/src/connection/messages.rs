//! Verbs of messages: notices, requests, answers, bodies, abort; and what is taken.

use core::time::Duration;

use super::Connection;
use crate::config::millis;
use crate::error::{Limit, Refused, Until};
use crate::id::{Action, Code, LaneId, MessageId, Side};
use crate::lane::Owes;
use crate::memory::Storage;
use crate::sealing::Inner;
use crate::time::Instant;
use crate::window::{charge, payload, should_tell};
use crate::wire::hello::Field;
use crate::wire::{Body, Define, Frame, Kind, Notice, Open, Piece, Response, Table, Update};

/// The most octets that come before the payload of a message: head, lane, action, type, extras, code or timeout, size,
/// attached, length.
const MESSAGE_HEAD: usize = 1 + 3 + 5 + 3 + 1 + 5 + 10 + 3 + 3;
/// The most octets before the payload of a piece or of data: head, lane or flow, length.
pub(super) const PIECE_HEAD: usize = 1 + 3 + 3;
/// Frames with more payload are large: they wait until no other large one is unsent, so that small ones pass. So do all
/// pieces of bodies and flows, which may be many.
pub const BULK: usize = 4096;

/// A message to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send<'a> {
    /// What it is for.
    pub action: Action,
    /// The body, or as much of it as is at hand.
    pub body: Body<&'a [u8]>,
    /// The size of the whole body in octets, if `body` is not all of it.
    pub size: Option<u64>,
    /// How many flows will be offered with it.
    pub attached: u16,
    /// How long a request waits for a sign of life, as [`Event::Expired`](crate::Event::Expired) has it: `None` for the
    /// configured time, zero for ever. Whole milliseconds.
    pub timeout: Option<Duration>,
    /// Whether it is sealed even on a line that is not, with all that belongs to it and what is answered. It takes keys. The names
    /// of its action and type may have been said before.
    pub sealed: bool,
}

impl<'a> Send<'a> {
    /// A message with a body, and nothing else.
    pub const fn new(action: Action, kind: Kind, bytes: &'a [u8]) -> Send<'a> {
        Send { action, body: Body { kind, bytes }, size: None, attached: 0, timeout: None, sealed: false }
    }

    /// A message with a text.
    pub const fn text(action: Action, text: &'a str) -> Send<'a> {
        Send::new(action, Kind::Text, text.as_bytes())
    }

    /// A message with raw octets.
    pub const fn bytes(action: Action, bytes: &'a [u8]) -> Send<'a> {
        Send::new(action, Kind::Bytes, bytes)
    }
}

/// A response to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Respond<'a> {
    /// How it went.
    pub code: Code,
    /// The body, or as much of it as is at hand.
    pub body: Body<&'a [u8]>,
    /// The size of the whole body in octets, if `body` is not all of it.
    pub size: Option<u64>,
    /// How many flows will be offered with it.
    pub attached: u16,
    /// Whether more answers follow.
    pub more: bool,
}

impl<'a> Respond<'a> {
    /// The only response, with a body.
    pub const fn new(kind: Kind, bytes: &'a [u8]) -> Respond<'a> {
        Respond { code: Code::OK, body: Body { kind, bytes }, size: None, attached: 0, more: false }
    }

    /// The only response, with a text.
    pub const fn text(text: &'a str) -> Respond<'a> {
        Respond::new(Kind::Text, text.as_bytes())
    }

    /// The only response, with raw octets.
    pub const fn bytes(bytes: &'a [u8]) -> Respond<'a> {
        Respond::new(Kind::Bytes, bytes)
    }
}

/// What was sent of a message or response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its id.
    pub id: MessageId,
    /// Its exchange; a notice of one frame has none.
    pub lane: Option<LaneId>,
    /// Octets of the body that were taken. Give the rest to [`body`](Connection::body).
    pub taken: usize,
}

impl<S: Storage> Connection<S> {
    /// Names an action or a type for the rest of the session; the index by which it is used.
    ///
    /// Give each name once: the machine does not remember names.
    pub fn define(&mut self, table: Table, name: &str, fingerprint: Option<u64>) -> Result<u16, Refused> {
        self.may_speak()?;
        within(Field::Name, name.len() as u64, u64::from(self.theirs.name))?;
        let index = self.defined.get(table);
        within(Field::Definitions, u64::from(index).saturating_add(1), u64::from(self.theirs.definitions))?;
        // The name must fit a frame with index and fingerprint before it.
        within(Field::Frame, (name.len() as u64).saturating_add(16), self.largest() as u64)?;
        // What sealed messages are for is sealed, too.
        self.push_as(true, &Frame::Define(Define { table, index, fingerprint, name }))?;
        *self.defined.get_mut(table) = index.saturating_add(1);
        Ok(index)
    }

    /// Sends a message that wants no answer. One that fits a frame, and brings no flows, needs no lane.
    pub fn notify(&mut self, now: Instant, message: &Send<'_>) -> Result<Sent, Refused> {
        let size = self.check(message)?;
        if self.needs_lane(message) {
            return self.open(now, message, size, false);
        }
        let bytes = message.body.bytes;
        self.has_room(bytes.len(), self.window_out.room())?;
        self.push_as(message.sealed, &Frame::Notice(Notice { action: message.action, body: message.body }))?;
        self.said_message(bytes.len(), false);
        Ok(Sent { id: self.next_id(Side::Us), lane: None, taken: bytes.len() })
    }

    /// Whether [`notify`](Connection::notify) would open an exchange for this message. If not, it never waits for a lane.
    pub fn needs_lane(&self, message: &Send<'_>) -> bool {
        let here = message.body.bytes.len();
        message.attached > 0 || message.size.is_some_and(|size| size > here as u64) || !self.fits(here)
    }

    /// Sends a message that wants an answer: an exchange opens.
    pub fn request(&mut self, now: Instant, message: &Send<'_>) -> Result<Sent, Refused> {
        let size = self.check(message)?;
        self.open(now, message, size, true)
    }

    /// Answers with a body or flows. While a response is incomplete no other can begin.
    ///
    /// A last answer says as well that no more of the request's body is wanted than has come: the peer stops sending it.
    pub fn respond(&mut self, lane: LaneId, response: &Respond<'_>) -> Result<Sent, Refused> {
        let half = self.answering(lane)?;
        if half.is_busy() {
            return Err(Refused::WrongState);
        }
        let room = half.limit.saturating_sub(half.used);
        self.check_body(&response.body, response.attached)?;
        let bytes = response.body.bytes;
        let size = self.whole(response.body, response.size)?;
        let is_whole = size == bytes.len() as u64 && self.fits(bytes.len());
        let first = if is_whole { bytes.len() } else { self.first_piece(bytes.len(), size, room) };
        self.has_room(first, room)?;
        let piece = bytes.get(..first).unwrap_or(bytes);
        let frame = Frame::Response(Response {
            lane: lane.number,
            code: response.code,
            body: Body { kind: response.body.kind, bytes: piece },
            more: response.more,
            size: if is_whole { None } else { Some(size) },
            attached: response.attached,
        });
        self.push_as(self.is_sealed_on(lane), &frame)?;
        self.mark_bulk(first);
        if let Some(lane) = self.lane_mut(lane) {
            lane.out.used = lane.out.used.saturating_add(charge(first));
            lane.out.begin(size.saturating_sub(first as u64), response.attached, !response.more);
        }
        self.settle(lane);
        self.stats.sent.responses = self.stats.sent.responses.saturating_add(1);
        Ok(Sent { id: self.next_id(Side::Us), lane: Some(lane), taken: first })
    }

    /// Answers with a bare code: the last answer. Never refused for want of room.
    pub fn respond_code(&mut self, lane: LaneId, code: Code) -> Result<(), Refused> {
        if self.answering(lane)?.is_busy() {
            return Err(Refused::WrongState);
        }
        let frame = Frame::Code { lane: lane.number, code };
        let pushed = self.push_as(self.is_sealed_on(lane), &frame).is_ok();
        if let Some(lane) = self.lane_mut(lane) {
            lane.out.ended = true;
            if !pushed {
                (lane.owes, lane.code) = (Owes::Code, code);
            }
        }
        if !pushed {
            self.lane_due(lane);
        }
        self.settle(lane);
        self.stats.sent.codes = self.stats.sent.codes.saturating_add(1);
        Ok(())
    }

    /// Reports progress on a request, which prolongs its deadline. Must fit a frame.
    pub fn update(&mut self, lane: LaneId, body: Body<&[u8]>) -> Result<(), Refused> {
        let half = self.answering(lane)?;
        let room = half.limit.saturating_sub(half.used);
        self.check_body(&body, 0)?;
        let len = body.bytes.len();
        if !self.fits(len) {
            let allowed = self.largest().saturating_sub(MESSAGE_HEAD) as u64;
            return Err(Refused::TooLarge(Limit { field: Field::Frame, asked: len as u64, allowed }));
        }
        self.has_room(len, room)?;
        self.push_as(self.is_sealed_on(lane), &Frame::Update(Update { lane: lane.number, body }))?;
        self.mark_bulk(len);
        if let Some(lane) = self.lane_mut(lane) {
            lane.out.used = lane.out.used.saturating_add(charge(len));
        }
        self.stats.sent.updates = self.stats.sent.updates.saturating_add(1);
        Ok(())
    }

    /// Sends more of a body, which prolongs the deadline of a request; how many octets were taken, at least one.
    pub fn body(&mut self, now: Instant, lane: LaneId, bytes: &[u8]) -> Result<usize, Refused> {
        self.may_speak()?;
        let half = self.lane(lane).filter(|lane| !lane.out.ended).ok_or(Refused::NoLane)?.out;
        if bytes.is_empty() || bytes.len() as u64 > half.left {
            return Err(if half.left == 0 { Refused::WrongState } else { Refused::BadArgument });
        }
        let room = half.limit.saturating_sub(half.used);
        let len = self.piece_len(bytes.len(), payload(room))?;
        let bytes = bytes.get(..len).unwrap_or(bytes);
        // Seen from the frame's sender, a lane's opener is what it is for us.
        let frame = Frame::Body(Piece { side: lane.side, lane: lane.number, bytes });
        self.push_as(self.is_sealed_on(lane), &frame)?;
        self.mark_piece(len);
        if let Some(lane) = self.lane_mut(lane) {
            lane.out.used = lane.out.used.saturating_add(charge(len));
            lane.out.left = lane.out.left.saturating_sub(len as u64);
            lane.out.settle();
        }
        self.prolong(now, lane);
        self.settle(lane);
        Ok(len)
    }

    /// Gives an exchange up, and asks the peer to. Never refused for want of room; nothing that arrives on it is told any
    /// more.
    pub fn abort(&mut self, lane: LaneId, code: Code) -> Result<(), Refused> {
        self.may_speak()?;
        let slot = self.lane(lane).ok_or(Refused::NoLane)?;
        // Once the accepting end has said its last word, the opener may use the number again.
        if slot.out.aborted || slot.input.aborted || (slot.out.ended && lane.side == Side::Them) {
            return Err(Refused::WrongState);
        }
        self.give_up(lane, code);
        Ok(())
    }

    /// The application is done with the body of an [`Event::Message`](crate::Event::Message): its window grows again.
    ///
    /// To be told once for each such event, with the octets that came with it, even if there were none.
    pub fn take_message(&mut self, len: usize) {
        let window = &mut self.window_in;
        window.taken = window.taken.saturating_add(charge(len)).min(window.used);
        if should_tell(window.taken, window.limit, self.ours.window, self.ours.frame) {
            self.window_due = true;
        }
    }

    /// The application is done with an answer, update or piece of `len` octets. To be told once for each such event.
    pub fn take_lane(&mut self, lane: LaneId, len: usize) {
        let (credit, frame) = (self.ours.lane_credit, self.ours.frame);
        let Some(slot) = self.lane_mut(lane) else { return };
        slot.taken = slot.taken.saturating_add(charge(len)).min(slot.input.used);
        if slot.input.ended {
            self.end_notice(lane);
        } else if should_tell(slot.taken, slot.input.limit, credit, frame) {
            self.lane_due(lane);
        }
    }

    // ---- inside

    /// A notice on a lane ends when all of it has come and was taken: only then may the peer use the lane again.
    pub(super) fn end_notice(&mut self, lane: LaneId) {
        let Some(slot) = self.lane_mut(lane) else { return };
        let half = &slot.input;
        if !slot.request && half.ended && slot.taken == half.used && !slot.out.ended && lane.side == Side::Them {
            slot.out.ended = true;
            slot.owes = Owes::End;
            self.lane_due(lane);
        }
    }

    fn open(&mut self, now: Instant, message: &Send<'_>, size: u64, wants_answer: bool) -> Result<Sent, Refused> {
        within(Field::Lanes, 1, u64::from(self.opened.limit()))?;
        let number = self.opened.peek_free().ok_or(Refused::Later(Until::Lane))?;
        let bytes = message.body.bytes;
        let is_whole = size == bytes.len() as u64 && self.fits(bytes.len());
        let room = self.window_out.room();
        let first = if is_whole { bytes.len() } else { self.first_piece(bytes.len(), size, room) };
        self.has_room(first, room)?;
        let timeout = match message.timeout {
            Some(timeout) => millis(timeout),
            None => self.ours.timeout,
        };
        let piece = bytes.get(..first).unwrap_or(bytes);
        let frame = Frame::Open(Open {
            lane: number,
            action: message.action,
            body: Body { kind: message.body.kind, bytes: piece },
            wants_answer,
            timeout: Some(timeout).filter(|timeout| wants_answer && *timeout != self.ours.timeout),
            size: if is_whole { None } else { Some(size) },
            attached: message.attached,
        });
        // What begins in a record goes on in records: for the peer there is no difference.
        let sealed = message.sealed || self.sealer.will_seal();
        self.push_as(sealed, &frame)?;
        self.said_message(first, wants_answer);
        let (out, input) = (self.theirs.lane_credit, self.ours.lane_credit);
        // Each message has its own ordinal. A flow would have to outlive 2^32 of them to be taken for another's.
        let serial = self.said as u32;
        if let Some((_, lane)) = self.opened.take_free() {
            lane.serial = serial;
            lane.request = wants_answer;
            lane.sealed = sealed;
            lane.out.limit = out;
            lane.input.limit = input;
            lane.out.begin(size.saturating_sub(first as u64), message.attached, true);
            lane.timeout = if wants_answer { timeout } else { 0 };
        }
        let lane = LaneId { number, side: Side::Us };
        self.prolong(now, lane);
        Ok(Sent { id: self.next_id(Side::Us), lane: Some(lane), taken: first })
    }

    /// The half on which a request is answered.
    fn answering(&self, lane: LaneId) -> Result<crate::lane::Half, Refused> {
        self.may_speak()?;
        let open = self.lane(lane).filter(|slot| lane.side == Side::Them && slot.request && !slot.out.ended);
        Ok(open.ok_or(Refused::NoLane)?.out)
    }

    fn said_message(&mut self, len: usize, wants_answer: bool) {
        self.mark_bulk(len);
        self.window_out.used = self.window_out.used.saturating_add(charge(len));
        let count = if wants_answer { &mut self.stats.sent.requests } else { &mut self.stats.sent.notices };
        *count = count.saturating_add(1);
    }

    /// Whether a message is one that could be sent if there were a lane and room for it; the size of its whole body.
    pub fn check(&self, message: &Send<'_>) -> Result<u64, Refused> {
        self.may_speak()?;
        if self.peer_away {
            return Err(Refused::Away);
        }
        let known = match message.action {
            Action::Name(index) => index < self.defined.get(Table::Actions),
            Action::Number(number) => number <= Action::MAX_NUMBER,
        };
        if !known {
            return Err(Refused::BadArgument);
        }
        if message.sealed {
            self.may_rekey()?;
        }
        self.check_body(&message.body, message.attached)?;
        self.whole(message.body, message.size)
    }

    fn check_body(&self, body: &Body<&[u8]>, attached: u16) -> Result<(), Refused> {
        let known = match body.kind {
            Kind::None => body.bytes.is_empty(),
            Kind::Typed(index) => index < self.defined.get(Table::Types),
            Kind::Bytes | Kind::Text => true,
        };
        if !known {
            return Err(Refused::BadArgument);
        }
        within(Field::Attached, u64::from(attached), u64::from(self.theirs.attached.min(self.sending.limit())))
    }

    /// The size of a whole body.
    fn whole(&self, body: Body<&[u8]>, size: Option<u64>) -> Result<u64, Refused> {
        let here = body.bytes.len() as u64;
        let size = size.unwrap_or(here);
        if size < here || (body.kind == Kind::None && size > 0) {
            return Err(Refused::BadArgument);
        }
        within(Field::Message, size, self.theirs.message)?;
        Ok(size)
    }

    /// Whether a message or answer with a body of `len` octets goes in one frame. What fits a frame fits any window.
    #[inline]
    pub fn fits(&self, len: usize) -> bool {
        len == 0 || len.saturating_add(MESSAGE_HEAD) <= self.largest()
    }

    /// Whether a frame with `len` octets of payload may go now.
    #[inline]
    fn has_room(&self, len: usize, room: u64) -> Result<(), Refused> {
        let waits =
            len > BULK && self.outbox.bulk() > 0 && self.outbox.bulk().saturating_add(len) > self.theirs.frame as usize;
        if charge(len) > room {
            return Err(Refused::Later(Until::Credit));
        }
        if waits { Err(Refused::Later(Until::Transmit)) } else { Ok(()) }
    }

    fn mark_bulk(&mut self, len: usize) {
        if len > BULK {
            self.outbox.mark_bulk(len);
        }
    }

    /// Pieces count however small they are: many small ones take as long as a large one.
    pub(super) fn mark_piece(&mut self, len: usize) {
        self.outbox.mark_bulk(len.saturating_add(PIECE_HEAD));
    }

    /// How much of the `len` octets at hand of a large body goes into its first frame: what there is room for, less than
    /// its whole `size`, perhaps nothing.
    fn first_piece(&self, len: usize, size: u64, room: u64) -> usize {
        let most = self.outbox.room().min(self.largest()).saturating_sub(MESSAGE_HEAD).min(payload(room));
        let most = if self.outbox.bulk() > 0 { most.min(BULK) } else { most };
        most.min(if size > len as u64 { len } else { len.saturating_sub(1) })
    }

    /// How much of a stretch of body or data goes into the next frame, unless it must wait.
    ///
    /// While pieces worth a frame are unsent the next one waits, so that what other lanes have to say comes between. To
    /// keep pieces large, one waits for room rather than go in crumbs.
    pub(super) fn piece_len(&self, len: usize, credit: usize) -> Result<usize, Refused> {
        let whole = self.largest();
        let room = self.outbox.room().min(whole.saturating_sub(self.outbox.bulk())).saturating_sub(PIECE_HEAD);
        let worth = len.min(whole.saturating_sub(PIECE_HEAD) >> 2).max(1);
        if credit < worth {
            return Err(Refused::Later(Until::Credit));
        }
        if room < worth { Err(Refused::Later(Until::Transmit)) } else { Ok(len.min(room).min(credit)) }
    }
}

/// Refuses what is more than the peer allows.
pub(super) fn within(field: Field, asked: u64, allowed: u64) -> Result<(), Refused> {
    if asked > allowed { Err(Refused::TooLarge(Limit { field, asked, allowed })) } else { Ok(()) }
}
