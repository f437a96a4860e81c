//! What arrives: the table of states and frames.

use core::time::Duration;

use super::{Connection, State, Step};
use crate::error::{PeerError, Reason};
use crate::event::{Answer, Event, Message, Ready, Room};
use crate::flow::{self, Flow};
use crate::id::{Action, Code, FlowId, LaneId, Side};
use crate::lane;
use crate::liveness::Timer;
use crate::memory::Storage;
use crate::time::Instant;
use crate::window::{charge, raise};
use crate::wire::bytes::Stop;
use crate::wire::hello::{Hello, VERSION};
use crate::wire::{
    Accept, Body, Close, Define, Frame, Kind, Notice, Offer, Open, Pause, Piece, Response, Table, Update,
};

type Outcome<'b> = Result<Option<Event<&'b [u8]>>, PeerError>;

impl<S: Storage> Connection<S> {
    /// Bytes arrived. Takes one frame from the start of `input`, which is opened in place, and gives at most one event
    /// that borrows from it. Call again with the rest until `consumed` is 0, then with more bytes behind the rest.
    ///
    /// `now` is when the bytes were read.
    ///
    /// # Errors
    /// What the peer did wrong. The line is over but for the goodbye that
    /// [`poll_transmit`](Connection::poll_transmit) gives; from then on all input is consumed and ignored.
    pub fn handle_input<'b>(&mut self, now: Instant, input: &'b mut [u8]) -> Result<Step<'b>, PeerError> {
        let input: &'b [u8] = input;
        if matches!(self.state, State::Closed(_) | State::Closing { reason: Reason::PeerError(_), .. }) {
            return Ok(Step { consumed: input.len(), event: None });
        }
        // A piece of a large frame on a slow line is a sign of life, too.
        self.last_heard = now;
        if input.len() < self.need {
            return Ok(Step { consumed: 0, event: None });
        }
        let result = match self.state {
            State::Hello { .. } => self.hello(now, input),
            _ => self.frame(now, input),
        };
        match result {
            Ok(step) => {
                self.need = 1;
                let octets = &mut self.stats.received.octets;
                *octets = octets.saturating_add(step.consumed as u64);
                Ok(step)
            }
            Err(Stop::Need(need)) => {
                self.need = need;
                Ok(Step { consumed: 0, event: None })
            }
            Err(Stop::Bad(error)) => {
                self.fail(error);
                Err(error)
            }
        }
    }

    fn hello<'b>(&mut self, now: Instant, input: &'b [u8]) -> Result<Step<'b>, Stop> {
        let State::Hello { unsaid } = self.state else { return Err(Stop::Need(1)) };
        let (hello, consumed) = Hello::decode(input)?;
        let theirs = hello.limits;
        // The client has no id to offer; the server must give one.
        if (hello.session == [0; 16]) != self.is_server {
            return Err(PeerError::BadHello(crate::Field::Session).into());
        }
        if !self.is_server {
            self.session = hello.session;
        }
        self.theirs = theirs;
        self.opened.narrow(theirs.lanes);
        self.sending.narrow(theirs.flows);
        self.window_out.limit = theirs.window;
        self.state = State::Open { unsaid: unsaid || self.is_server };
        self.timers.set(Timer::Hello, Instant::NEVER);
        if !self.config.heartbeat.is_zero() {
            self.timers.set(Timer::Ping, now.after(self.config.heartbeat));
            if self.config.misses > 0 {
                self.timers.set(Timer::Dead, now.after(self.patience()));
            }
        }
        let ready = Ready { version: VERSION, session: self.session, peer: theirs };
        Ok(Step { consumed, event: Some(Event::Ready(ready)) })
    }

    #[inline]
    fn frame<'b>(&mut self, now: Instant, input: &'b [u8]) -> Result<Step<'b>, Stop> {
        let (frame, consumed) = Frame::read(input, self.ours.frame)?;
        if frame.is_counted() {
            self.acks.count(now, consumed, &mut self.timers);
            self.stats.received.frames = self.stats.received.frames.saturating_add(1);
        }
        let event = self.dispatch(now, frame)?;
        Ok(Step { consumed, event })
    }

    #[inline]
    fn dispatch<'b>(&mut self, now: Instant, frame: Frame<'b>) -> Outcome<'b> {
        let kind = frame.kind();
        match frame {
            Frame::Notice(notice) => self.on_notice(notice),
            Frame::Open(open) => self.on_open(open),
            Frame::Response(response) => self.on_response(now, response),
            Frame::Code { lane, code } => self.on_code(lane, code, kind),
            Frame::Update(update) => self.on_update(now, update),
            Frame::Body(piece) => self.on_piece(now, piece),
            Frame::Abort { side, lane, code } => self.on_abort(from_peer(side, lane), code, kind),
            Frame::End { lane } => self.on_end(lane, kind),
            Frame::Define(define) => self.on_define(define),
            Frame::Offer(offer) => self.on_offer(offer),
            Frame::Accept(accept) => self.on_accept(accept),
            Frame::Begin { flow, start } => self.on_begin(flow, start, kind),
            Frame::Data { flow, bytes } => self.on_data(flow, bytes, kind),
            Frame::Finish { flow, digest } => self.on_finish(flow, digest, kind),
            Frame::Cancel { flow, code } => self.on_cancel(flow, code, kind),
            Frame::Done { flow, code } => self.on_done(flow, code, kind),
            Frame::Pause(pause) => self.on_pause(pause, kind),
            Frame::Credit { flow, limit } => self.on_credit(flow, limit, kind),
            Frame::LaneCredit { side, lane, limit } => self.on_lane_credit(from_peer(side, lane), limit, kind),
            Frame::Window { limit } => {
                Ok(raise(&mut self.window_out.limit, limit)?.then_some(Event::Room(Room::Messages)))
            }
            Frame::Ack { count } => {
                if count > self.outbox.written() {
                    return Err(PeerError::BadAck);
                }
                self.acks.acked(count, &mut self.timers);
                Ok(None)
            }
            Frame::Ping { id } => {
                self.pings.answer = Some(id);
                Ok(None)
            }
            Frame::Pong { id } => Ok(self.pings.answered(now, id).map(|rtt| Event::Pong { rtt })),
            Frame::Away => {
                self.peer_away = true;
                Ok(Some(Event::Away))
            }
            Frame::Close(Close { code, reason }) => {
                let end = self.end(Reason::ByPeer(code));
                Ok(Some(match end {
                    Event::Closed { reason: why, .. } => Event::Closed { reason: why, text: reason.as_bytes() },
                    other => other,
                }))
            }
            Frame::Skipped { .. } => Ok(None),
        }
    }

    // ---- messages

    #[inline]
    fn on_notice<'b>(&mut self, notice: Notice<'b>) -> Outcome<'b> {
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
        })))
    }

    #[inline]
    fn on_open<'b>(&mut self, open: Open<'b>) -> Outcome<'b> {
        let here = open.body.bytes.len();
        let size = open.size.unwrap_or(here as u64);
        if open.lane >= self.ours.lanes {
            return Err(PeerError::LaneLimit(open.lane));
        }
        self.check_message(open.action, &open.body, size, open.attached)?;
        self.window_in.charge(here)?;
        let millis = open.timeout.unwrap_or(self.theirs.timeout);
        let (out, input) = (self.theirs.lane_credit, self.ours.lane_credit);
        let lane = self.accepted.take(open.lane).ok_or(PeerError::LaneInUse(open.lane))?;
        lane.request = open.wants_answer;
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
            timeout: Some(Duration::from_millis(u64::from(millis))).filter(|_| open.wants_answer && millis > 0),
            body: open.body,
            size,
            attached: open.attached,
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
    fn on_response<'b>(&mut self, now: Instant, response: Response<'b>) -> Outcome<'b> {
        let Response { lane: number, code, body, more, size, attached } = response;
        let here = body.bytes.len();
        let size = size.unwrap_or(here as u64);
        self.check_heard(&body, size, attached)?;
        let id = self.next_id(Side::Them);
        self.stats.received.responses = self.stats.received.responses.saturating_add(1);
        let (lane, half, aborted) = self.answered(number, crate::wire::kind::RESPONSE)?;
        if half.is_busy() {
            return Err(PeerError::Unexpected(crate::wire::kind::RESPONSE));
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
    fn on_code<'b>(&mut self, number: u16, code: Code, kind: u8) -> Outcome<'b> {
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

    fn on_update<'b>(&mut self, now: Instant, update: Update<'b>) -> Outcome<'b> {
        self.check_heard(&update.body, update.body.bytes.len() as u64, 0)?;
        let (lane, half, aborted) = self.answered(update.lane, crate::wire::kind::UPDATE)?;
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
        Ok((LaneId { number, side: Side::Us }, &mut lane.input, lane.aborted))
    }

    fn drop_answer(&mut self, octets: usize) {
        let dropped = &mut self.stats.dropped;
        dropped.answers = dropped.answers.saturating_add(1);
        dropped.body_octets = dropped.body_octets.saturating_add(octets as u64);
    }

    fn on_piece<'b>(&mut self, now: Instant, piece: Piece<'b>) -> Outcome<'b> {
        let lane = from_peer(piece.side, piece.lane);
        let unexpected = PeerError::Unexpected(crate::wire::kind::BODY);
        let slot = self.lane_mut(lane).filter(|slot| !slot.input.ended).ok_or(unexpected)?;
        let aborted = slot.aborted;
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

    fn on_abort<'b>(&mut self, lane: LaneId, code: Code, kind: u8) -> Outcome<'b> {
        let Some(slot) = self.lane_mut(lane) else {
            // Our last answer and the peer's abort crossed. The other way round the peer's word would have ended it.
            if lane.side == Side::Us || lane.number >= self.ours.lanes {
                return Err(PeerError::Unexpected(kind));
            }
            self.stats.received.aborts = self.stats.received.aborts.saturating_add(1);
            return Ok(None);
        };
        // The accepting end's last word ends its half for good; the opener may give up behind its own.
        if slot.peer_aborted || (slot.input.ended && lane.side == Side::Us) {
            return Err(PeerError::Unexpected(kind));
        }
        let (ours, unanswered) = (slot.aborted, !slot.out.ended);
        slot.peer_aborted = true;
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
            if self.aborts > self.config.max_aborts {
                return Err(PeerError::AbortFlood);
            }
        }
        self.settle(lane);
        Ok(if ours { None } else { Some(Event::Aborted { lane, code }) })
    }

    fn on_end<'b>(&mut self, number: u16, kind: u8) -> Outcome<'b> {
        let unexpected = PeerError::Unexpected(kind);
        let open = self.opened.get_mut(number).filter(|lane| !lane.request && lane.out.ended && !lane.input.ended);
        let lane = open.ok_or(unexpected)?;
        lane.input.ended = true;
        let aborted = lane.aborted;
        let lane = LaneId { number, side: Side::Us };
        self.settle(lane);
        Ok(if aborted { None } else { Some(Event::Taken { lane }) })
    }

    fn on_lane_credit<'b>(&mut self, lane: LaneId, limit: u64, kind: u8) -> Outcome<'b> {
        let known = lane.side == Side::Them && lane.number < self.ours.lanes;
        let Some(slot) = self.lane_mut(lane) else {
            // Our last answer and the credit for more crossed. The other way round none is given behind the last word.
            return if known { Ok(None) } else { Err(PeerError::Unexpected(kind)) };
        };
        let grew = raise(&mut slot.out.limit, limit)?;
        Ok((grew && !slot.out.ended).then_some(Event::Room(Room::Lane(lane))))
    }

    fn on_define<'b>(&mut self, define: Define<'b>) -> Outcome<'b> {
        let Define { table, index, fingerprint, name } = define;
        let count = self.learned.get_mut(table);
        if index != *count || index >= self.ours.definitions {
            return Err(PeerError::Definition(index));
        }
        *count = count.saturating_add(1);
        self.check_name(name)?;
        Ok(Some(Event::Defined { table, index, fingerprint, name: name.as_bytes() }))
    }

    fn check_name(&self, name: &str) -> Result<(), PeerError> {
        if name.len() > usize::from(self.ours.name) { Err(PeerError::BadName) } else { Ok(()) }
    }

    // ---- flows

    fn on_offer<'b>(&mut self, offer: Offer<'b>) -> Outcome<'b> {
        let Offer { flow: number, push, size, media, name, .. } = offer;
        let lane = from_peer(offer.side, offer.lane);
        if number >= self.ours.flows {
            return Err(PeerError::FlowLimit(number));
        }
        self.check_name(name)?;
        self.check_name(media)?;
        let slot = self.lane_mut(lane).filter(|slot| slot.input.flows > 0 && !slot.input.ended);
        let slot = slot.ok_or(PeerError::FlowInUse(number))?;
        let given_up = slot.aborted.then_some(slot.code);
        slot.input.flows = slot.input.flows.saturating_sub(1);
        slot.input.settle();
        let credit = self.ours.flow_credit;
        let flow = self.receiving.take(number).ok_or(PeerError::FlowInUse(number))?;
        flow.push = push;
        flow.state = if push { flow::State::Running } else { flow::State::Offered };
        flow.size = size.unwrap_or(u64::MAX);
        flow.limit = credit;
        self.end_notice(lane);
        self.settle(lane);
        self.stats.received.flows = self.stats.received.flows.saturating_add(1);
        let flow = FlowId { number, side: Side::Them };
        if let Some(code) = given_up {
            // For the same reason as the message it belongs to.
            let _ = self.done(flow, code);
            return Ok(None);
        }
        Ok(Some(Event::Offer { flow, lane, push, size, media: media.as_bytes(), name: name.as_bytes() }))
    }

    fn on_accept<'b>(&mut self, accept: Accept) -> Outcome<'b> {
        let Accept { flow: number, start, end, prefix } = accept;
        let slot = self.sent(number, crate::wire::kind::ACCEPT)?;
        match slot.state {
            flow::State::Offered | flow::State::Finished if !slot.push => {}
            flow::State::Cancelled => return Ok(None),
            _ => return Err(PeerError::Unexpected(crate::wire::kind::ACCEPT)),
        }
        let known = slot.size != u64::MAX;
        if start > slot.size || (known && end.is_some_and(|end| end > slot.size)) {
            // Nothing was broken: an application asked for what is not there.
            let flow = FlowId { number, side: Side::Us };
            let _ = self.cancel(flow, Code::BAD_RANGE);
            return Ok(None);
        }
        slot.state = flow::State::Asked;
        slot.at = start;
        slot.end = end.unwrap_or(u64::MAX);
        Ok(Some(Event::Accepted { flow: FlowId { number, side: Side::Us }, start, end, prefix }))
    }

    fn on_done<'b>(&mut self, number: u16, code: Code, kind: u8) -> Outcome<'b> {
        let slot = self.sent(number, kind)?;
        match slot.state {
            flow::State::Finished | flow::State::Cancelled if slot.owes != flow::Owes::Cancel => {
                self.sending.release_own(number);
            }
            flow::State::Stopped => return Err(PeerError::Unexpected(kind)),
            _ => {
                // The peer waits for this end's last word before it frees the number.
                slot.state = flow::State::Stopped;
                (slot.owes, slot.code) = (flow::Owes::Cancel, code);
                self.sending.due(number);
            }
        }
        Ok(Some(Event::Done { flow: FlowId { number, side: Side::Us }, code }))
    }

    fn on_credit<'b>(&mut self, number: u16, limit: u64, kind: u8) -> Outcome<'b> {
        let slot = self.sent(number, kind)?;
        let grew = raise(&mut slot.limit, limit)? && slot.state == flow::State::Running;
        Ok(grew.then_some(Event::Room(Room::Flow(FlowId { number, side: Side::Us }))))
    }

    fn on_begin<'b>(&mut self, number: u16, start: u64, kind: u8) -> Outcome<'b> {
        let slot = self.received(number, kind)?;
        match slot.state {
            flow::State::Asked => {}
            flow::State::Stopped => return Ok(None),
            _ => return Err(PeerError::Unexpected(kind)),
        }
        if start != slot.at && start != 0 {
            return Err(PeerError::Range);
        }
        slot.at = start;
        slot.state = flow::State::Running;
        Ok(Some(Event::Began { flow: FlowId { number, side: Side::Them }, start }))
    }

    #[inline]
    fn on_data<'b>(&mut self, number: u16, bytes: &'b [u8], kind: u8) -> Outcome<'b> {
        let slot = self.received(number, kind)?;
        let len = bytes.len() as u64;
        let used = slot.used.saturating_add(charge(bytes.len()));
        if used > slot.limit {
            return Err(PeerError::Credit);
        }
        slot.used = used;
        match slot.state {
            flow::State::Running => {}
            flow::State::Stopped => {
                self.stats.dropped.flow_octets = self.stats.dropped.flow_octets.saturating_add(len);
                return Ok(None);
            }
            _ => return Err(PeerError::Unexpected(kind)),
        }
        let offset = slot.at;
        slot.at = offset.saturating_add(len);
        if slot.at > slot.end.min(slot.size) {
            return Err(PeerError::Range);
        }
        self.stats.received.flow_octets = self.stats.received.flow_octets.saturating_add(len);
        Ok(Some(Event::Data { flow: FlowId { number, side: Side::Them }, offset, bytes }))
    }

    fn on_finish<'b>(&mut self, number: u16, digest: Option<[u8; 32]>, kind: u8) -> Outcome<'b> {
        let slot = self.received(number, kind)?;
        match slot.state {
            flow::State::Running => {}
            flow::State::Stopped => {
                self.last_heard_of(number);
                return Ok(None);
            }
            _ => return Err(PeerError::Unexpected(kind)),
        }
        if slot.size != u64::MAX && slot.at != slot.end.min(slot.size) {
            return Err(PeerError::Range);
        }
        slot.state = flow::State::Finished;
        slot.end_pause();
        if slot.last_word() {
            self.receiving.due(number);
        }
        Ok(Some(Event::Finished { flow: FlowId { number, side: Side::Them }, digest }))
    }

    fn on_cancel<'b>(&mut self, number: u16, code: Code, kind: u8) -> Outcome<'b> {
        let known = number < self.ours.flows;
        let Some(slot) = self.receiving.get_mut(number) else {
            // It was finished, and our last word crossed this one.
            return if known { Ok(None) } else { Err(PeerError::FlowLimit(number)) };
        };
        match slot.state {
            flow::State::Cancelled => return Err(PeerError::Unexpected(kind)),
            flow::State::Stopped => {
                self.last_heard_of(number);
                return Ok(None);
            }
            // Our last word is on its way already.
            flow::State::Finished if slot.owes == flow::Owes::Done => return Ok(None),
            _ => {}
        }
        slot.state = flow::State::Cancelled;
        slot.code = code;
        if slot.last_word() {
            self.receiving.due(number);
        }
        Ok(Some(Event::Cancelled { flow: FlowId { number, side: Side::Them }, code }))
    }

    fn on_pause<'b>(&mut self, pause: Pause, kind: u8) -> Outcome<'b> {
        let Pause { flow: number, on, by_receiver } = pause;
        let (slot, side) =
            if by_receiver { (self.sent(number, kind)?, Side::Us) } else { (self.received(number, kind)?, Side::Them) };
        if !slot.can_pause() {
            // It crossed the end.
            return Ok(None);
        }
        let [sender, receiver] = &mut slot.paused;
        *(if by_receiver { receiver } else { sender }) = on;
        Ok(Some(Event::Paused { flow: FlowId { number, side }, on }))
    }

    /// The peer's last word on a flow that this end stopped. If ours has gone out, the number is free.
    fn last_heard_of(&mut self, number: u16) {
        if let Some(slot) = self.receiving.get_mut(number) {
            if slot.owes == flow::Owes::Done {
                slot.state = flow::State::Finished;
            } else {
                self.receiving.release(number);
            }
        }
    }

    fn sent(&mut self, number: u16, kind: u8) -> Result<&mut Flow, PeerError> {
        self.sending.get_mut(number).ok_or(PeerError::Unexpected(kind))
    }

    fn received(&mut self, number: u16, kind: u8) -> Result<&mut Flow, PeerError> {
        self.receiving.get_mut(number).ok_or(PeerError::Unexpected(kind))
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

/// A lane as the peer names it: who opened it is the other way round here.
const fn from_peer(side: Side, number: u16) -> LaneId {
    let side = match side {
        Side::Us => Side::Them,
        Side::Them => Side::Us,
    };
    LaneId { number, side }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::{Config, Lane, Memory};

    /// A7: what drips is looked at a few times while its length is unknown, and then not before all of it is there.
    #[test]
    fn a_frame_that_drips_is_not_looked_at_again_and_again() {
        let memory = || Memory {
            opened: [Lane::EMPTY; 1],
            accepted: [Lane::EMPTY; 1],
            sending: [Flow::EMPTY; 1],
            receiving: [Flow::EMPTY; 1],
            outbox: [0; 256],
        };
        let now = Instant::ZERO;
        let mut client = Connection::client(now, Config::DEFAULT, [1; 32], memory());
        let mut server = Connection::server(now, Config::DEFAULT, [2; 32], memory());
        let mut hello = [0; 128];
        let len = client.poll_transmit(now, &mut hello);
        let bytes = std::vec![b'x'; 30_000];
        let body = Body { kind: Kind::Bytes, bytes: &bytes[..] };
        let mut frame = std::vec![0; 40_000];
        let written = Frame::Notice(Notice { action: Action::Number(1), body }).encode(&mut frame).unwrap();
        for input in [&mut hello[..len], &mut frame[..written]] {
            let whole = input.len();
            let mut looks = Vec::new();
            for len in 1..whole {
                if len >= server.need {
                    looks.push(len);
                }
                assert_eq!(server.handle_input(now, &mut input[..len]).unwrap().consumed, 0);
            }
            assert!(looks.iter().sum::<usize>() < 50, "looked at {looks:?} octets of {whole}");
            assert_eq!(server.handle_input(now, input).unwrap().consumed, whole);
        }
    }
}
