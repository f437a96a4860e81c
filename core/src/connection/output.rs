//! What is transmitted: the hello, what flags and slots have to say, and the outbox.

use super::{Connection, State};
use crate::flow;
use crate::id::Side;
use crate::lane;
use crate::memory::Storage;
use crate::time::Instant;
use crate::wire::hello::{Hello, VERSION};
use crate::wire::{Close, Frame, Pause};

impl<S: Storage> Connection<S> {
    /// Writes what is to be sent to the start of `out`: how many octets. 0 means that nothing is due, or that `out` is
    /// too short for the smallest thing that is; 128 octets are always enough.
    ///
    /// What it gave is gone from the machine: the caller sends all of it, in order.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> usize {
        let mut at = self.transmit_hello(out);
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
            State::Open { unsaid } => {
                unsaid
                    || self.outbox.unsent() > 0
                    || self.window_due
                    || self.pings.due
                    || self.pings.answer.is_some()
                    || self.acks.due
                    || self.has_slots_due()
            }
        }
    }

    fn has_slots_due(&self) -> bool {
        self.opened.has_due() || self.accepted.has_due() || self.sending.has_due() || self.receiving.has_due()
    }

    fn transmit_hello(&mut self, out: &mut [u8]) -> usize {
        let (State::Hello { unsaid } | State::Open { unsaid } | State::Closing { unsaid, .. }) = &mut self.state else {
            return 0;
        };
        if !*unsaid {
            return 0;
        }
        let session = if self.is_server { self.session } else { [0; 16] };
        let hello = Hello { oldest: VERSION, newest: VERSION, session, limits: self.ours };
        let Some(len) = hello.encode(out) else { return 0 };
        *unsaid = false;
        len
    }

    /// Frames computed from flags, straight to `out`, and those that slots owe, to the outbox. Only between frames.
    fn transmit_control(&mut self, now: Instant, out: &mut [u8], mut at: usize) -> usize {
        if !matches!(self.state, State::Open { unsaid: false }) {
            return at;
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
        if self.window_due {
            let limit = self.window_in.taken.saturating_add(self.ours.window);
            if put(out, &mut at, &Frame::Window { limit }) {
                self.window_in.limit = limit;
                self.window_due = false;
            }
        }
        at = self.lanes_due(Side::Us, out, at);
        at = self.lanes_due(Side::Them, out, at);
        self.sending_due();
        at = self.receiving_due(out, at);
        // An acknowledgement rides along with anything else.
        let rides = at > 0 || self.outbox.unsent() > 0;
        if (self.acks.due || (rides && self.acks.is_behind()))
            && put(out, &mut at, &Frame::Ack { count: self.acks.received() })
        {
            self.acks.tell(&mut self.timers);
        }
        at
    }

    fn lanes_due(&mut self, side: Side, out: &mut [u8], mut at: usize) -> usize {
        let Connection { opened, accepted, outbox, stats, aborts, ours, .. } = self;
        let (pool, opener) = match side {
            Side::Us => (opened, Side::Us),
            Side::Them => (accepted, Side::Them),
        };
        while let Some((number, slot)) = pool.peek_due() {
            if crate::pool::Slot::is_used(slot) {
                let frame = match slot.owes {
                    lane::Owes::Nothing => None,
                    lane::Owes::Code => Some(Frame::Code { lane: number, code: slot.code }),
                    lane::Owes::End => Some(Frame::End { lane: number }),
                    lane::Owes::Abort => Some(Frame::Abort { side: opener, lane: number, code: slot.code }),
                };
                if let Some(frame) = frame {
                    if outbox.push(&frame).is_err() {
                        break;
                    }
                    stats.sent.frames = stats.sent.frames.saturating_add(1);
                    slot.owes = lane::Owes::Nothing;
                }
                if slot.input.credit_due && !slot.input.ended && !slot.aborted {
                    let limit = slot.input.taken.saturating_add(ours.lane_credit);
                    if !put(out, &mut at, &Frame::LaneCredit { side: opener, lane: number, limit }) {
                        break;
                    }
                    slot.input.limit = limit;
                }
                slot.input.credit_due = false;
                if slot.is_over() {
                    *aborts = aborts.saturating_sub(1);
                    pool.pop_due();
                    match side {
                        Side::Us => pool.release_own(number),
                        Side::Them => pool.release(number),
                    }
                    continue;
                }
            }
            pool.pop_due();
        }
        at
    }

    fn sending_due(&mut self) {
        while let Some((number, slot)) = self.sending.peek_due() {
            if crate::pool::Slot::is_used(slot) {
                let [by_us, _] = slot.paused;
                let frame = match slot.owes {
                    flow::Owes::Pause => Frame::Pause(Pause { flow: number, on: by_us, by_receiver: false }),
                    flow::Owes::Cancel => Frame::Cancel { flow: number, code: slot.code },
                    flow::Owes::Nothing | flow::Owes::Done => {
                        self.sending.pop_due();
                        continue;
                    }
                };
                if self.outbox.push(&frame).is_err() {
                    return;
                }
                self.stats.sent.frames = self.stats.sent.frames.saturating_add(1);
                slot.owes = flow::Owes::Nothing;
                if slot.state == flow::State::Stopped {
                    self.sending.pop_due();
                    self.sending.release_own(number);
                    continue;
                }
            }
            self.sending.pop_due();
        }
    }

    fn receiving_due(&mut self, out: &mut [u8], mut at: usize) -> usize {
        while let Some((number, slot)) = self.receiving.peek_due() {
            if crate::pool::Slot::is_used(slot) {
                let [_, by_us] = slot.paused;
                let frame = match slot.owes {
                    flow::Owes::Pause => Some(Frame::Pause(Pause { flow: number, on: by_us, by_receiver: true })),
                    flow::Owes::Done => Some(Frame::Done { flow: number, code: slot.code }),
                    flow::Owes::Nothing | flow::Owes::Cancel => None,
                };
                if let Some(frame) = frame {
                    if self.outbox.push(&frame).is_err() {
                        break;
                    }
                    self.stats.sent.frames = self.stats.sent.frames.saturating_add(1);
                    let over = slot.owes == flow::Owes::Done && slot.state != flow::State::Stopped;
                    slot.owes = flow::Owes::Nothing;
                    if over {
                        self.receiving.pop_due();
                        self.receiving.release(number);
                        continue;
                    }
                }
                if slot.credit_due && !matches!(slot.state, flow::State::Finished | flow::State::Cancelled) {
                    let limit = slot.taken.saturating_add(self.ours.flow_credit);
                    if !put(out, &mut at, &Frame::Credit { flow: number, limit }) {
                        break;
                    }
                    slot.limit = limit;
                }
                slot.credit_due = false;
            }
            self.receiving.pop_due();
        }
        at
    }

    /// The goodbye, once everything before it is out.
    fn transmit_close(&mut self, out: &mut [u8], mut at: usize) -> usize {
        let State::Closing { reason, queued, unsaid: false } = self.state else { return at };
        if self.outbox.unsent() > 0 {
            return at;
        }
        let code = match reason {
            crate::Reason::ByUs(code) => code,
            crate::Reason::PeerError(error) => error.code(),
            _ => crate::CloseCode::DONE,
        };
        if queued || put(out, &mut at, &Frame::Close(Close { code, reason: "" })) {
            self.state = State::Closed(reason);
        }
        at
    }
}

/// Encodes a frame to `out` at `at`, which moves behind it; whether it fitted.
fn put(out: &mut [u8], at: &mut usize, frame: &Frame<'_>) -> bool {
    match out.get_mut(*at..).and_then(|out| frame.encode(out)) {
        Some(len) => {
            *at = at.saturating_add(len);
            true
        }
        None => false,
    }
}
