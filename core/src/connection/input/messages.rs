//! Messages, answers, and what else comes on a lane.

use super::{Outcome, from_peer};
use crate::config::from_millis;
use crate::connection::Connection;
use crate::error::PeerError;
use crate::event::{Answer, Event, Message, Room};
use crate::id::{Action, Code, LaneId, Side};
use crate::lane;
use crate::memory::Storage;
use crate::time::Instant;
use crate::window::{charge, raise};
use crate::wire::{Body, Kind, Notice, Open, Piece, Response, Table, Update, kind};

impl<S: Storage> Connection<S> {
    #[inline]
    pub(super) fn on_notice<'b>(&mut self, notice: Notice<'b>) -> Outcome<'b> {
        let size = notice.body.bytes.len() as u64;
        self.check_message(notice.action, &notice.body, size, 0)?;
        self.window_in.charge(notice.body.bytes.len())?;
        self.stats.received.notices = self.stats.received.notices.saturating_add(1);
        Ok(Some(Event::Message(Message {
            id: self.next_id(Side::Them),
            lane: None,
            action: notice.action,
            wants_answer: false,
            timeout: None,
            body: notice.body,
            size,
            attached: 0,
            sealed: self.is_in_record(),
        })))
    }

    #[inline]
    pub(super) fn on_open<'b>(&mut self, open: Open<'b>) -> Outcome<'b> {
        let here = open.body.bytes.len();
        let size = open.size.unwrap_or(here as u64);
        if open.lane >= self.ours.lanes {
            return Err(PeerError::LaneLimit(open.lane));
        }
        self.check_message(open.action, &open.body, size, open.attached)?;
        self.window_in.charge(here)?;
        let millis = open.timeout.unwrap_or(self.theirs.timeout);
        let (out, input) = (self.theirs.lane_credit, self.ours.lane_credit);
        let sealed = self.is_in_record();
        let lane = self.accepted.take(open.lane).ok_or(PeerError::LaneInUse(open.lane))?;
        lane.request = open.wants_answer;
        lane.sealed = sealed;
        lane.out.limit = out;
        lane.input.limit = input;
        lane.input.begin(size.saturating_sub(here as u64), open.attached, true);
        let lane = LaneId { number: open.lane, side: Side::Them };
        self.end_notice(lane);
        let count =
            if open.wants_answer { &mut self.stats.received.requests } else { &mut self.stats.received.notices };
        *count = count.saturating_add(1);
        Ok(Some(Event::Message(Message {
            id: self.next_id(Side::Them),
            lane: Some(lane),
            action: open.action,
            wants_answer: open.wants_answer,
            timeout: Some(from_millis(millis)).filter(|_| open.wants_answer && millis > 0),
            body: open.body,
            size,
            attached: open.attached,
            sealed: self.is_in_record(),
        })))
    }

    fn check_message(&self, action: Action, body: &Body<&[u8]>, size: u64, attached: u16) -> Result<(), PeerError> {
        if let Action::Name(index) = action
            && index >= self.learned.get(Table::Actions)
        {
            return Err(PeerError::Definition(index));
        }
        self.check_heard(body, size, attached)
    }

    fn check_heard(&self, body: &Body<&[u8]>, size: u64, attached: u16) -> Result<(), PeerError> {
        if let Kind::Typed(index) = body.kind
            && index >= self.learned.get(Table::Types)
        {
            return Err(PeerError::Definition(index));
        }
        if size > self.ours.message {
            return Err(PeerError::MessageTooLarge { size, limit: self.ours.message });
        }
        if attached > self.ours.attached { Err(PeerError::FlowLimit(attached)) } else { Ok(()) }
    }

    #[inline]
    pub(super) fn on_response<'b>(&mut self, now: Instant, response: Response<'b>) -> Outcome<'b> {
        let Response { lane: number, code, body, more, size, attached } = response;
        let here = body.bytes.len();
        let size = size.unwrap_or(here as u64);
        self.check_heard(&body, size, attached)?;
        let id = self.next_id(Side::Them);
        self.stats.received.responses = self.stats.received.responses.saturating_add(1);
        let (lane, half, aborted) = self.answered(number, kind::RESPONSE)?;
        if half.is_busy() {
            return Err(PeerError::Unexpected(kind::RESPONSE));
        }
        half.charge(here)?;
        half.begin(size.saturating_sub(here as u64), attached, !more);
        let last = !more;
        self.prolong(now, lane);
        self.settle(lane);
        if aborted {
            self.drop_answer(here);
            return Ok(None);
        }
        Ok(Some(Event::Response(Answer { id, lane, code, body, size, attached, last })))
    }

    #[inline]
    pub(super) fn on_code<'b>(&mut self, number: u16, code: Code, kind: u8) -> Outcome<'b> {
        let (lane, half, aborted) = self.answered(number, kind)?;
        if half.is_busy() {
            return Err(PeerError::Unexpected(kind));
        }
        half.ended = true;
        self.settle(lane);
        self.stats.received.codes = self.stats.received.codes.saturating_add(1);
        if aborted {
            self.drop_answer(0);
            return Ok(None);
        }
        Ok(Some(Event::Code { lane, code }))
    }

    pub(super) fn on_update<'b>(&mut self, now: Instant, update: Update<'b>) -> Outcome<'b> {
        self.check_heard(&update.body, update.body.bytes.len() as u64, 0)?;
        let (lane, half, aborted) = self.answered(update.lane, kind::UPDATE)?;
        half.charge(update.body.bytes.len())?;
        self.stats.received.updates = self.stats.received.updates.saturating_add(1);
        if aborted {
            self.drop_answer(update.body.bytes.len());
            return Ok(None);
        }
        self.prolong(now, lane);
        Ok(Some(Event::Update { lane, body: update.body }))
    }

    /// The peer's half of an exchange that this end opened and that is to be answered; whether this end gave it up.
    #[inline]
    fn answered(&mut self, number: u16, kind: u8) -> Result<(LaneId, &mut lane::Half, bool), PeerError> {
        let open = self.opened.get_mut(number).filter(|lane| lane.request && !lane.input.ended);
        let lane = open.ok_or(PeerError::Unexpected(kind))?;
        Ok((LaneId { number, side: Side::Us }, &mut lane.input, lane.out.aborted))
    }

    fn drop_answer(&mut self, octets: usize) {
        let dropped = &mut self.stats.dropped;
        dropped.answers = dropped.answers.saturating_add(1);
        dropped.body_octets = dropped.body_octets.saturating_add(octets as u64);
    }

    pub(super) fn on_piece<'b>(&mut self, now: Instant, piece: Piece<'b>) -> Outcome<'b> {
        let lane = from_peer(piece.side, piece.lane);
        let unexpected = PeerError::Unexpected(kind::BODY);
        let slot = self.lane_mut(lane).filter(|slot| !slot.input.ended).ok_or(unexpected)?;
        let aborted = slot.out.aborted;
        let half = &mut slot.input;
        let len = piece.bytes.len() as u64;
        if len > half.left {
            return Err(PeerError::BodyOverrun);
        }
        half.charge(piece.bytes.len())?;
        half.left = half.left.saturating_sub(len);
        let last = half.left == 0;
        half.settle();
        self.prolong(now, lane);
        self.settle(lane);
        if aborted {
            self.stats.dropped.body_octets = self.stats.dropped.body_octets.saturating_add(len);
            return Ok(None);
        }
        Ok(Some(Event::Piece { lane, bytes: piece.bytes, last }))
    }

    pub(super) fn on_abort<'b>(&mut self, lane: LaneId, code: Code, kind: u8) -> Outcome<'b> {
        let Some(slot) = self.lane_mut(lane) else {
            // Our last answer and the peer's abort crossed. The other way round the peer's word would have ended it.
            if lane.side == Side::Us || lane.number >= self.ours.lanes {
                return Err(PeerError::Unexpected(kind));
            }
            self.stats.received.aborts = self.stats.received.aborts.saturating_add(1);
            return Ok(None);
        };
        // The accepting end's last word ends its half for good; the opener may give up behind its own.
        if slot.input.aborted || (slot.input.ended && lane.side == Side::Us) {
            return Err(PeerError::Unexpected(kind));
        }
        let (ours, unanswered) = (slot.out.aborted, !slot.out.ended);
        slot.input.aborted = true;
        slot.input.ended = true;
        if unanswered {
            // What this end still had to say is void; the peer waits for the word that the lane is free.
            slot.out.ended = true;
            (slot.owes, slot.code) = (lane::Owes::Abort, code);
            self.lane_due(lane);
        }
        self.stats.received.aborts = self.stats.received.aborts.saturating_add(1);
        if unanswered && lane.side == Side::Them {
            self.aborts = self.aborts.saturating_add(1);
            if self.aborts > self.max_aborts {
                return Err(PeerError::AbortFlood);
            }
        }
        self.settle(lane);
        Ok(if ours { None } else { Some(Event::Aborted { lane, code }) })
    }

    pub(super) fn on_end<'b>(&mut self, number: u16, kind: u8) -> Outcome<'b> {
        let unexpected = PeerError::Unexpected(kind);
        let open = self.opened.get_mut(number).filter(|lane| !lane.request && lane.out.ended && !lane.input.ended);
        let lane = open.ok_or(unexpected)?;
        lane.input.ended = true;
        let aborted = lane.out.aborted;
        let lane = LaneId { number, side: Side::Us };
        self.settle(lane);
        Ok(if aborted { None } else { Some(Event::Taken { lane }) })
    }

    pub(super) fn on_lane_credit<'b>(&mut self, now: Instant, lane: LaneId, limit: u64, kind: u8) -> Outcome<'b> {
        let known = lane.side == Side::Them && lane.number < self.ours.lanes;
        let Some(slot) = self.lane_mut(lane) else {
            // Our last answer and the credit for more crossed. The other way round none is given behind the last word.
            return if known { Ok(None) } else { Err(PeerError::Unexpected(kind)) };
        };
        let tell = raise(&mut slot.out.limit, limit)? && !slot.out.ended;
        self.prolong(now, lane);
        Ok(tell.then_some(Event::Room(Room::Lane(lane))))
    }
}

impl lane::Half {
    /// Charges a frame with `len` octets of payload, if it is allowed.
    fn charge(&mut self, len: usize) -> Result<(), PeerError> {
        let used = self.used.saturating_add(charge(len));
        if used > self.limit {
            return Err(PeerError::Credit);
        }
        self.used = used;
        Ok(())
    }
}
