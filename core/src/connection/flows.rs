//! Verbs of flows: offer, accept, begin, data, finish, and how either end stops.

use super::Connection;
use super::messages::within;
use crate::error::{Refused, Until};
use crate::flow::{Flow, Owes, State};
use crate::id::{Code, FlowId, LaneId, Side};
use crate::memory::Storage;
use crate::time::Instant;
use crate::window::{charge, payload, should_tell};
use crate::wire::hello::Field;
use crate::wire::{self, Frame};

/// A stream or file to offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer<'a> {
    /// A stream that begins at once; otherwise the peer accepts or declines.
    pub push: bool,
    /// The size in octets, if it is known.
    pub size: Option<u64>,
    /// The media type; may be empty.
    pub media: &'a str,
    /// The name; may be empty.
    pub name: &'a str,
}

impl<'a> Offer<'a> {
    /// A stream without a name.
    pub const STREAM: Offer<'static> = Offer { push: true, size: None, media: "", name: "" };

    /// A file of known size.
    pub const fn file(name: &'a str, size: u64) -> Offer<'a> {
        Offer { push: false, size: Some(size), media: "", name }
    }
}

/// What is wanted of an offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accept {
    /// Offset of the first byte.
    pub start: u64,
    /// Offset behind the last byte; `None` for all there is.
    pub end: Option<u64>,
    /// BLAKE3 of the bytes before `start` that are here already. If the sender's differ it begins at 0.
    pub prefix: Option<[u8; 32]>,
}

impl<S: Storage> Connection<S> {
    /// Offers a stream or file that belongs to the message or response being sent on `lane`. Each message takes as many
    /// offers as it announced.
    pub fn offer(&mut self, lane: LaneId, offer: &Offer<'_>) -> Result<FlowId, Refused> {
        self.may_speak()?;
        let half = self.lane(lane).filter(|slot| !slot.out.ended).ok_or(Refused::NoLane)?.out;
        if half.flows == 0 {
            return Err(Refused::WrongState);
        }
        within(Field::Flows, 1, u64::from(self.theirs.flows))?;
        let name = u64::from(self.theirs.name);
        within(Field::Name, offer.name.len() as u64, name)?;
        within(Field::Name, offer.media.len() as u64, name)?;
        let octets = (offer.name.len() as u64).saturating_add(offer.media.len() as u64).saturating_add(24);
        within(Field::Frame, octets, self.largest() as u64)?;
        let number = self.sending.peek_free().ok_or(Refused::Later(Until::Flow))?;
        let sealed = self.is_sealed_on(lane);
        let frame = Frame::Offer(wire::Offer {
            flow: number,
            side: lane.side,
            lane: lane.number,
            push: offer.push,
            size: offer.size,
            media: offer.media,
            name: offer.name,
        });
        self.push_as(sealed, &frame)?;
        let (credit, exchange) = (self.theirs.flow_credit, self.exchange(lane));
        if let Some((_, flow)) = self.sending.take_free() {
            flow.push = offer.push;
            flow.sealed = sealed;
            flow.state = if offer.push { State::Running } else { State::Offered };
            flow.size = offer.size.unwrap_or(u64::MAX);
            flow.limit = credit;
            (flow.lane, flow.serial) = exchange;
        }
        if let Some(slot) = self.lane_mut(lane) {
            slot.out.flows = slot.out.flows.saturating_sub(1);
            slot.out.settle();
        }
        self.settle(lane);
        self.stats.sent.flows = self.stats.sent.flows.saturating_add(1);
        Ok(FlowId { number, side: Side::Us })
    }

    /// Asks for what was offered, or for another range once a range has come.
    pub fn accept(&mut self, flow: FlowId, accept: &Accept) -> Result<(), Refused> {
        self.may_speak()?;
        let slot = *self.receiver(flow)?;
        if slot.push || !matches!(slot.state, State::Offered | State::Finished) || slot.owes == Owes::Done {
            return Err(Refused::WrongState);
        }
        let end = accept.end.unwrap_or(u64::MAX);
        let known = slot.size != u64::MAX;
        // Nothing is an empty range, except all of what is empty or already here.
        let wrong =
            accept.start > slot.size || accept.end.is_some_and(|end| end <= accept.start || (known && end > slot.size));
        if wrong {
            return Err(Refused::BadArgument);
        }
        let frame = Frame::Accept(wire::Accept {
            flow: flow.number,
            start: accept.start,
            end: accept.end,
            prefix: accept.prefix,
        });
        self.push_as(slot.sealed, &frame)?;
        if let Some(slot) = self.receiving.get_mut(flow.number) {
            slot.state = State::Asked;
            slot.at = accept.start;
            slot.end = end;
        }
        Ok(())
    }

    /// Begins to send what the peer accepted: at the start it asked for, or at 0 if what it has before that differs.
    ///
    /// Like `data` and `finish` it prolongs the deadline of the request that the flow belongs to.
    pub fn begin(&mut self, now: Instant, flow: FlowId, start: u64) -> Result<(), Refused> {
        self.may_speak()?;
        let slot = *self.sender(flow)?;
        if slot.state != State::Asked {
            return Err(Refused::WrongState);
        }
        if start != slot.at && start != 0 {
            return Err(Refused::BadArgument);
        }
        self.push_as(slot.sealed, &Frame::Begin { flow: flow.number, start })?;
        if let Some(slot) = self.sending.get_mut(flow.number) {
            slot.state = State::Running;
            slot.at = start;
            slot.moves(now, &mut self.opened, &mut self.timers);
        }
        Ok(())
    }

    /// Sends bytes of a flow; how many were taken, at least one.
    ///
    /// Waits for [`Until::Credit`] while the flow has no credit or is paused, for [`Until::Transmit`] while another large
    /// frame is unsent.
    pub fn data(&mut self, now: Instant, flow: FlowId, bytes: &[u8]) -> Result<usize, Refused> {
        self.may_speak()?;
        let slot = *self.sender(flow)?;
        if slot.state != State::Running {
            return Err(Refused::WrongState);
        }
        let left = slot.end.min(slot.size).saturating_sub(slot.at);
        if bytes.is_empty() || bytes.len() as u64 > left {
            return Err(Refused::BadArgument);
        }
        if slot.paused.is_on() {
            return Err(Refused::Later(Until::Credit));
        }
        let credit = payload(slot.limit.saturating_sub(slot.used));
        let len = self.piece_len(bytes.len(), credit)?;
        let bytes = bytes.get(..len).unwrap_or(bytes);
        self.push_as(slot.sealed, &Frame::Data { flow: flow.number, bytes })?;
        self.mark_piece(len);
        if let Some(slot) = self.sending.get_mut(flow.number) {
            slot.used = slot.used.saturating_add(charge(len));
            slot.at = slot.at.saturating_add(len as u64);
            slot.moves(now, &mut self.opened, &mut self.timers);
        }
        self.stats.sent.flow_octets = self.stats.sent.flow_octets.saturating_add(len as u64);
        Ok(len)
    }

    /// Ends a stream, or the range that was asked for, and with it any pause. `digest` is BLAKE3 of the content: of all
    /// of it from offset 0 when no end was asked for, otherwise of the range. Of a sized flow everything asked for must
    /// have been sent.
    pub fn finish(&mut self, now: Instant, flow: FlowId, digest: Option<[u8; 32]>) -> Result<(), Refused> {
        self.may_speak()?;
        let slot = *self.sender(flow)?;
        if slot.state != State::Running {
            return Err(Refused::WrongState);
        }
        if slot.size != u64::MAX && slot.at != slot.end.min(slot.size) {
            return Err(Refused::BadArgument);
        }
        self.push_as(slot.sealed, &Frame::Finish { flow: flow.number, digest })?;
        if let Some(slot) = self.sending.get_mut(flow.number) {
            slot.state = State::Finished;
            slot.end_pause();
            slot.moves(now, &mut self.opened, &mut self.timers);
        }
        Ok(())
    }

    /// Gives up sending. Never refused for want of room. The flow is over when [`Event::Done`](crate::Event::Done) comes.
    pub fn cancel(&mut self, flow: FlowId, code: Code) -> Result<(), Refused> {
        self.may_speak()?;
        self.sender(flow)?;
        let Some(slot) = self.sending.get_mut(flow.number) else { return Err(Refused::NoFlow) };
        if matches!(slot.state, State::Cancelled | State::Stopped) {
            return Err(Refused::WrongState);
        }
        slot.state = State::Cancelled;
        (slot.owes, slot.code) = (Owes::Cancel, code);
        self.sending.due(flow.number);
        Ok(())
    }

    /// The receiving end is done: it has all it wants ([`Code::OK`]) and has verified it, or wants no more. Declines an
    /// offer too. Never refused for want of room; what still comes is dropped.
    pub fn done(&mut self, flow: FlowId, code: Code) -> Result<(), Refused> {
        self.may_speak()?;
        self.receiver(flow)?;
        let Some(slot) = self.receiving.get_mut(flow.number) else { return Err(Refused::NoFlow) };
        if slot.state == State::Stopped || slot.owes == Owes::Done {
            return Err(Refused::WrongState);
        }
        if !matches!(slot.state, State::Finished | State::Cancelled) {
            slot.state = State::Stopped;
        }
        (slot.owes, slot.code) = (Owes::Done, code);
        self.receiving.due(flow.number);
        Ok(())
    }

    /// Pauses a flow, or lets it go on, from either end, until what was asked for is finished. Never refused for want of
    /// room.
    pub fn pause(&mut self, flow: FlowId, on: bool) -> Result<(), Refused> {
        self.may_speak()?;
        let pool = match flow.side {
            Side::Us => &mut self.sending,
            Side::Them => &mut self.receiving,
        };
        let slot = pool.get_mut(flow.number).ok_or(Refused::NoFlow)?;
        if !slot.can_pause() {
            return Err(Refused::WrongState);
        }
        slot.paused.set(flow.side == Side::Them, on);
        slot.owes = Owes::Pause;
        pool.due(flow.number);
        Ok(())
    }

    /// The application is done with data of `len` octets. To be told once for each [`Event::Data`](crate::Event::Data).
    pub fn take_flow(&mut self, flow: FlowId, len: usize) {
        let (credit, frame) = (self.ours.flow_credit, self.ours.frame);
        let Some(slot) = self.receiving.get_mut(flow.number).filter(|_| flow.side == Side::Them) else { return };
        slot.taken = slot.taken.saturating_add(charge(len)).min(slot.used);
        let tell = slot.takes_more() && should_tell(slot.taken, slot.limit, credit, frame);
        if tell | slot.last_word() {
            self.receiving.due(flow.number);
        }
    }

    // ---- inside

    /// To which exchange a flow on `lane` belongs, if its deadline is kept here: its lane, and which on that.
    pub(super) fn exchange(&self, lane: LaneId) -> (u16, u32) {
        match self.opened.get(lane.number).filter(|_| lane.side == Side::Us) {
            Some(slot) => (lane.number, slot.serial),
            None => (Flow::NO_LANE, 0),
        }
    }

    fn sender(&self, flow: FlowId) -> Result<&Flow, Refused> {
        self.sending.get(flow.number).filter(|_| flow.side == Side::Us).ok_or(Refused::NoFlow)
    }

    fn receiver(&self, flow: FlowId) -> Result<&Flow, Refused> {
        self.receiving.get(flow.number).filter(|_| flow.side == Side::Them).ok_or(Refused::NoFlow)
    }
}

impl Flow {
    /// At the receiver: the flow needs no decision of the application, all of it was taken, so it is over. Whether the
    /// last word is to be said.
    pub(super) fn last_word(&mut self) -> bool {
        let over = self.state == State::Cancelled || (self.state == State::Finished && self.push);
        if over && self.taken == self.used && self.owes != Owes::Done {
            self.owes = Owes::Done;
            return true;
        }
        false
    }
}
