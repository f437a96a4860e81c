//! What is transmitted: the hello, what flags and slots have to say, and the outbox.

use super::{Connection, State};
use crate::error::{CloseCode, Reason};
use crate::flow;
use crate::id::{LaneId, Side};
use crate::lane;
use crate::memory::Storage;
use crate::sealing::Inner;
use crate::time::Instant;
use crate::window::should_tell;
use crate::wire::hello::{Hello, VERSION};
use crate::wire::{Close, Frame, Pause};

impl<S: Storage> Connection<S> {
    /// Writes what is to be sent to the start of `out`: how many octets. 0 means that nothing is due, or that `out` is
    /// too short for the smallest thing that is; 128 octets are always enough, but on a line with keys, where no frame is cut:
    /// there it takes [`SEALED_BY`](crate::SEALED_BY) more than the [`largest`](Connection::largest).
    ///
    /// What it gave is gone from the machine: the caller sends all of it, in order.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> usize {
        if self.is_over() {
            return 0;
        }
        let len = self.transmit(now, out);
        if self.is_over() {
            self.sealer.forget();
        }
        len
    }

    fn transmit(&mut self, now: Instant, out: &mut [u8]) -> usize {
        let Some(mut at) = self.transmit_hello(out) else { return 0 };
        if S::Sealer::SEALS && self.sealer.is_agreed() {
            at = self.transmit_sealed(now, out, at);
            self.stats.sent.octets = self.stats.sent.octets.saturating_add(at as u64);
            return at;
        }
        loop {
            if self.run == 0 {
                at = self.transmit_control(now, out, at);
                self.run = self.outbox.unsent();
            }
            let room = out.get_mut(at..).unwrap_or_default();
            let len = self.outbox.transmit(self.run, room);
            self.run = self.run.saturating_sub(len);
            at = at.saturating_add(len);
            // What slots had to say may have found room only now.
            if len == 0 || self.run > 0 || !self.has_slots_due() {
                break;
            }
        }
        if self.outbox.unsent() == 0 && matches!(self.state, State::Open { .. }) && at > 0 {
            self.acks.watch(now, self.outbox.written(), &mut self.timers);
        }
        at = self.transmit_close(out, at);
        self.stats.sent.octets = self.stats.sent.octets.saturating_add(at as u64);
        at
    }

    /// Whether [`poll_transmit`](Connection::poll_transmit) has something to give.
    pub fn wants_transmit(&self) -> bool {
        match self.state {
            State::Closed(_) => false,
            State::Closing { .. } => true,
            State::Hello { unsaid } => unsaid,
            State::Agreeing { unsaid } | State::Proving { unsaid } => {
                unsaid || self.sealer.wants_handshake() || self.outbox.unsent() > 0
            }
            State::Open { unsaid } => {
                unsaid
                    || self.sealer.wants_handshake()
                    || self.sealer.wants_rekey()
                    || self.sealer.asked().is_some()
                    || self.outbox.unsent() > 0
                    || self.window_due
                    || self.pings.due
                    || self.pings.answer.is_some()
                    || self.acks.due
                    || self.has_slots_due()
            }
        }
    }

    pub(super) fn has_slots_due(&self) -> bool {
        self.opened.has_due() || self.accepted.has_due() || self.sending.has_due() || self.receiving.has_due()
    }

    /// The hello if it is still to be said: how long it is. `None` if it finds no room, for nothing may go before it.
    fn transmit_hello(&mut self, out: &mut [u8]) -> Option<usize> {
        let (State::Hello { unsaid }
        | State::Agreeing { unsaid }
        | State::Proving { unsaid }
        | State::Open { unsaid }
        | State::Closing { unsaid, .. }) = &mut self.state
        else {
            return Some(0);
        };
        if !*unsaid {
            return Some(0);
        }
        let session = if self.is_server { self.session } else { [0; 16] };
        let hello = Hello { oldest: VERSION, newest: VERSION, session, limits: self.ours };
        let len = hello.encode_with(out, |out| self.sealer.write_offer(out))?;
        self.sealer.said_hello(out.get(..len)?);
        *unsaid = false;
        Some(len)
    }

    /// Frames computed from flags, straight to `out`, and those that slots owe, to the outbox. Only between frames.
    pub(super) fn transmit_control(&mut self, now: Instant, out: &mut [u8], mut at: usize) -> usize {
        match self.state {
            State::Open { unsaid: false } => {}
            // What was said before the goodbye goes before it.
            State::Closing { reason: Reason::ByUs(_), unsaid: false, queued: false } => {
                return self.slots_due(out, at);
            }
            _ => return at,
        }
        if let Some(id) = self.pings.answer
            && put(out, &mut at, &Frame::Pong { id })
        {
            self.pings.answer = None;
        }
        // The id is chosen when it is certain to go.
        if self.pings.due && out.len().saturating_sub(at) >= 8 {
            let id = self.pings.send(now);
            put(out, &mut at, &Frame::Ping { id });
        }
        self.honour_wish();
        if self.window_due {
            let limit = self.window_in.taken.saturating_add(self.ours.window);
            if put(out, &mut at, &Frame::Window { limit }) {
                self.window_in.limit = limit;
                self.window_due = false;
            }
        }
        at = self.slots_due(out, at);
        // An acknowledgement rides along with anything else.
        let rides = at > 0 || self.outbox.unsent() > 0;
        if (self.acks.due || (rides && self.acks.is_behind()))
            && put(out, &mut at, &Frame::Ack { count: self.acks.received() })
        {
            self.acks.tell(&mut self.timers);
        }
        at
    }

    /// What slots owe, as far as there is room.
    pub(super) fn slots_due(&mut self, out: &mut [u8], mut at: usize) -> usize {
        while let Some((number, _)) = self.opened.peek_due() {
            let lane = LaneId { number, side: Side::Us };
            if !self.lane_speaks(lane, out, &mut at) {
                break;
            }
            self.opened.pop_due();
            self.settle(lane);
        }
        while let Some((number, _)) = self.accepted.peek_due() {
            let lane = LaneId { number, side: Side::Them };
            if !self.lane_speaks(lane, out, &mut at) {
                break;
            }
            self.accepted.pop_due();
            self.settle(lane);
        }
        while let Some((number, _)) = self.sending.peek_due() {
            if !self.sender_speaks(number) {
                break;
            }
            self.sending.pop_due();
        }
        while let Some((number, _)) = self.receiving.peek_due() {
            if !self.receiver_speaks(number, out, &mut at) {
                break;
            }
            self.receiving.pop_due();
        }
        at
    }

    /// Whether all that the lane owes has found room.
    fn lane_speaks(&mut self, lane: LaneId, out: &mut [u8], at: &mut usize) -> bool {
        let Some(slot) = self.lane(lane) else { return true };
        let number = lane.number;
        let frame = match slot.owes {
            lane::Owes::Nothing => None,
            lane::Owes::Code => Some(Frame::Code { lane: number, code: slot.code }),
            lane::Owes::End => Some(Frame::End { lane: number }),
            lane::Owes::Abort => Some(Frame::Abort { side: lane.side, lane: number, code: slot.code }),
        };
        let sealed = slot.sealed;
        if let Some(frame) = frame {
            if self.push_as(sealed, &frame).is_err() {
                return false;
            }
            let aborts = u64::from(matches!(frame, Frame::Abort { .. }));
            self.stats.sent.aborts = self.stats.sent.aborts.saturating_add(aborts);
        }
        let (is_open, credit, largest) = (self.is_ready(), self.ours.lane_credit, self.ours.frame);
        let Some(slot) = self.lane_mut(lane) else { return true };
        slot.owes = lane::Owes::Nothing;
        let tell = should_tell(slot.taken, slot.input.limit, credit, largest);
        if tell && slot.wants_more(lane.side) && is_open {
            let limit = slot.taken.saturating_add(credit);
            if !put(out, at, &Frame::LaneCredit { side: lane.side, lane: number, limit }) {
                return false;
            }
            slot.input.limit = limit;
        }
        true
    }

    /// Whether all that a flow owes the one who receives it has found room.
    fn sender_speaks(&mut self, number: u16) -> bool {
        let Some(slot) = self.sending.get_mut(number) else { return true };
        let frame = match slot.owes {
            flow::Owes::Pause => Frame::Pause(Pause { flow: number, on: slot.paused.by(false), by_receiver: false }),
            flow::Owes::Cancel => Frame::Cancel { flow: number, code: slot.code },
            flow::Owes::Nothing | flow::Owes::Done => return true,
        };
        let (stopped, sealed) = (slot.state == flow::State::Stopped, slot.sealed);
        if self.push_as(sealed, &frame).is_err() {
            return false;
        }
        match self.sending.get_mut(number) {
            Some(_) if stopped => self.sending.release_own(number),
            Some(slot) => slot.owes = flow::Owes::Nothing,
            None => {}
        }
        true
    }

    /// Whether all that a flow owes the one who sends it has found room.
    fn receiver_speaks(&mut self, number: u16, out: &mut [u8], at: &mut usize) -> bool {
        let Some(slot) = self.receiving.get_mut(number) else { return true };
        let frame = match slot.owes {
            flow::Owes::Pause => {
                Some(Frame::Pause(Pause { flow: number, on: slot.paused.by(true), by_receiver: true }))
            }
            flow::Owes::Done => Some(Frame::Done { flow: number, code: slot.code }),
            flow::Owes::Nothing | flow::Owes::Cancel => None,
        };
        let over = slot.owes == flow::Owes::Done && slot.state != flow::State::Stopped;
        let sealed = slot.sealed;
        if frame.is_some_and(|frame| self.push_as(sealed, &frame).is_err()) {
            return false;
        }
        if over {
            self.receiving.release(number);
            return true;
        }
        let (is_open, credit, largest) = (self.is_ready(), self.ours.flow_credit, self.ours.frame);
        let Some(slot) = self.receiving.get_mut(number) else { return true };
        slot.owes = flow::Owes::Nothing;
        let tell = should_tell(slot.taken, slot.limit, credit, largest);
        if tell && slot.takes_more() && is_open {
            let limit = slot.taken.saturating_add(credit);
            if !put(out, at, &Frame::Credit { flow: number, limit }) {
                return false;
            }
            slot.limit = limit;
        }
        true
    }

    /// The goodbye, once everything before it is out.
    pub(super) fn transmit_close(&mut self, out: &mut [u8], mut at: usize) -> usize {
        let State::Closing { reason, queued, unsaid: false } = self.state else { return at };
        // What waited in slots is in the outbox by now, or out.
        if self.outbox.unsent() > 0 {
            return at;
        }
        let code = match reason {
            Reason::ByUs(code) => code,
            Reason::PeerError(error) => error.code(),
            _ => CloseCode::DONE,
        };
        if queued || put(out, &mut at, &Frame::Close(Close { code, reason: "" })) {
            self.state = State::Closed(reason);
        }
        at
    }
}

/// Encodes a frame to `out` at `at`, which moves behind it; whether it fitted.
fn put(out: &mut [u8], at: &mut usize, frame: &Frame<'_>) -> bool {
    match out.get_mut(*at..).and_then(|out| frame.encode_if(false, out)) {
        Some(len) => {
            *at = at.saturating_add(len);
            true
        }
        None => false,
    }
}
