//! A sealed line: keys are agreed on, frames go in records, directions are switched, keys are changed.

use super::{Connection, State, Step};
use crate::error::{PeerError, Reason, Refused};
use crate::event::Event;
use crate::id::{LaneId, Side};
use crate::memory::Storage;
use crate::sealing::Inner;
use crate::time::Instant;
use crate::wire::bytes::Stop;
use crate::wire::seal::{HANDSHAKE, MOST_HANDSHAKE, OVERHEAD, PREFIX, RECORD, prefix};
use crate::wire::{Accept, Close, FIRST_UNCOUNTED, Frame, Offer, Pause, Piece, Rekey, Response, Switch, Update, kind};

impl<S: Storage> Connection<S> {
    // ---- the application tells the machine

    /// Seals what this end says, or stops that, behind all it has said. It takes keys, and both ends' policy must leave it open.
    pub fn seal(&mut self, on: bool) -> Result<(), Refused> {
        self.may_switch(Side::Us)?;
        if self.sealer.will_seal() != on {
            self.push_enveloped(&Frame::Switch(Switch { on, ask: false }))?;
            self.sealer.set_will_seal(on);
        }
        // The last wish counts.
        self.sealer.set_asked(None);
        Ok(())
    }

    /// Asks the peer to seal what it says, or to stop that. It does, and [`Event::Sealed`] tells from where on.
    pub fn ask_to_seal(&mut self, on: bool) -> Result<(), Refused> {
        self.may_switch(Side::Them)?;
        self.push_enveloped(&Frame::Switch(Switch { on, ask: true }))
    }

    /// Seals what this end says with the next key, of which no earlier one follows. That happens by itself, too. Each change is
    /// paid for with records: one that comes too early waits until the line was used.
    pub fn rekey(&mut self) -> Result<(), Refused> {
        self.may_speak()?;
        self.may_rekey()?;
        self.sealer.want_next();
        Ok(())
    }

    /// Agrees on fresh keys for both directions: who has read all that this end knew before does not know them, if `entropy`, of
    /// which the same is true as of that of [`client`](Connection::client), was drawn since. The other end's answer follows from what
    /// that knew: if it was read, it has to ask. It waits like [`rekey`](Connection::rekey), and costs more.
    pub fn rekey_afresh(&mut self, entropy: [u8; 32]) -> Result<(), Refused> {
        self.may_speak()?;
        self.may_rekey()?;
        self.sealer.want_fresh(&entropy);
        Ok(())
    }

    // ---- how things stand

    /// Whether what a side says is sealed now.
    pub fn is_sealed(&self, by: Side) -> bool {
        self.sealer.is_sealed(by)
    }

    /// Whether what this end says from now on will be sealed: behind what waits to be transmitted.
    pub fn will_seal(&self) -> bool {
        self.sealer.will_seal()
    }

    /// What the line is sealed by.
    pub fn sealer(&self) -> &S::Sealer {
        &self.sealer
    }

    // ---- inside: verbs

    /// Switches as the peer has asked for, as soon as there is room. Until then there is room for nothing else.
    pub(super) fn honour_wish(&mut self) {
        if let Some(on) = self.sealer.asked()
            && self.seal(on).is_ok()
        {
            self.sealer.set_asked(None);
        }
    }

    /// A frame of something that is sealed by itself, or is not.
    #[inline]
    pub(super) fn push_as(&mut self, sealed: bool, frame: &Frame<'_>) -> Result<(), Refused> {
        if S::Sealer::SEALS && sealed && self.sealer.needs_envelopes() {
            self.push_enveloped(frame)
        } else {
            self.push(frame)
        }
    }

    /// Whether the frame that is looked at came in a record.
    #[inline]
    pub(super) fn is_in_record(&self) -> bool {
        S::Sealer::SEALS && self.in_record
    }

    /// Whether a frame in the clear is one of an exchange that came, or went, in records from its beginning, or one that names
    /// what such an exchange is for. Credit is neither: it says nothing of what is exchanged.
    pub(super) fn is_torn(&self, frame: &Frame<'_>) -> bool {
        let lane = |side, number| self.is_sealed_on(super::input::from_peer(side, number));
        let sent = |number| self.sending.get(number).is_some_and(|slot| slot.sealed);
        let received = |number| self.receiving.get(number).is_some_and(|slot| slot.sealed);
        match *frame {
            Frame::Response(Response { lane: number, .. })
            | Frame::Update(Update { lane: number, .. })
            | Frame::Code { lane: number, .. }
            | Frame::End { lane: number } => lane(Side::Them, number),
            Frame::Body(Piece { side, lane: number, .. })
            | Frame::Offer(Offer { side, lane: number, .. })
            | Frame::Abort { side, lane: number, .. } => lane(side, number),
            Frame::Begin { flow, .. }
            | Frame::Data { flow, .. }
            | Frame::Finish { flow, .. }
            | Frame::Cancel { flow, .. }
            | Frame::Pause(Pause { flow, by_receiver: false, .. }) => received(flow),
            Frame::Accept(Accept { flow, .. })
            | Frame::Done { flow, .. }
            | Frame::Pause(Pause { flow, by_receiver: true, .. }) => sent(flow),
            Frame::Define(_) => self.sealer.is_agreed(),
            _ => false,
        }
    }

    /// Whether what this end says on a lane is sealed by itself.
    pub(super) fn is_sealed_on(&self, lane: LaneId) -> bool {
        S::Sealer::SEALS && self.lane(lane).is_some_and(|slot| slot.sealed)
    }

    fn may_switch(&self, by: Side) -> Result<(), Refused> {
        self.may_speak()?;
        self.may_rekey()?;
        if self.sealer.may_switch(by) { Ok(()) } else { Err(Refused::Policy(by)) }
    }

    pub(super) fn may_rekey(&self) -> Result<(), Refused> {
        if self.sealer.is_agreed() { Ok(()) } else { Err(Refused::NoKeys) }
    }

    /// A frame that goes in a record even where its direction is not sealed.
    pub(super) fn push_enveloped(&mut self, frame: &Frame<'_>) -> Result<(), Refused> {
        if !matches!(frame, Frame::Switch(Switch { ask: false, .. })) {
            self.honour_wish();
        }
        self.outbox.push_enveloped(frame).map_err(|_| self.no_room())?;
        self.stats.sent.frames = self.stats.sent.frames.saturating_add(u64::from(frame.is_counted()));
        Ok(())
    }

    // ---- inside: input

    /// While keys are agreed on nothing else is heard but a goodbye.
    pub(super) fn agree<'b>(&mut self, now: Instant, input: &'b [u8], step: &mut Step<'b>) -> Result<(), Stop> {
        let State::Agreeing { unsaid } = self.state else { return Err(Stop::Need(1)) };
        match input.first() {
            None => return Err(Stop::Need(1)),
            Some(&HANDSHAKE) => {}
            Some(head) if head >> 3 == kind::CLOSE => return self.plain_goodbye(input, step),
            Some(head) => return Err(PeerError::Unexpected(head >> 3).into()),
        }
        let end = extent(input, MOST_HANDSHAKE)?;
        let message = input.get(PREFIX..end).ok_or(Stop::Need(end))?;
        step.consumed = end;
        if self.sealer.read_handshake(now, message)? {
            step.event = self.agreed(now, unsaid);
        }
        Ok(())
    }

    /// A frame of a record, of a new one or of one that is open; or one that is in none.
    pub(super) fn sealed_frame<'b>(
        &mut self,
        now: Instant,
        input: &'b mut [u8],
        step: &mut Step<'b>,
    ) -> Result<(), Stop> {
        let (mut left, mut behind) = self.sealer.opened();
        let mut start = 0;
        if left == 0 {
            if input.first() != Some(&RECORD) {
                // Nothing is looked at that ought to be sealed; but a peer that found no keys can only say so like this.
                return match input.first() {
                    Some(head) if self.sealer.is_sealed(Side::Them) => {
                        if head >> 3 != kind::CLOSE || self.sealer.has_opened() {
                            return Err(PeerError::NotSealed.into());
                        }
                        self.plain_goodbye(input, step)
                    }
                    Some(head) if self.is_too_early(head >> 3) => Err(PeerError::Unexpected(head >> 3).into()),
                    _ => self.frame(now, input, step),
                };
            }
            let end = extent(input, self.most_content().saturating_add(OVERHEAD))?;
            let record = input.get_mut(PREFIX..end).ok_or(Stop::Need(end))?;
            let len = record.len();
            left = self.sealer.open(record)?;
            behind = len.saturating_sub(left);
            start = PREFIX;
            if left == 0 {
                return Err(PeerError::EmptyFragment.into());
            }
            let limit = self.most_content();
            if left > limit {
                return Err(PeerError::FrameTooLarge { size: left as u64, limit: limit as u32 }.into());
            }
        }
        let input: &'b [u8] = input;
        let upto = start.saturating_add(left);
        let whole = upto.saturating_add(behind);
        let content = input.get(start..upto).filter(|_| input.len() >= whole).ok_or(Stop::Need(whole))?;
        let (frame, len) = match Frame::read(content, self.ours.frame) {
            // A record is of whole frames.
            Err(Stop::Need(_)) => return Err(PeerError::Forged.into()),
            read => read?,
        };
        left = left.saturating_sub(len);
        step.consumed = if left == 0 { whole } else { start.saturating_add(len) };
        self.sealer.set_opened(left, if left == 0 { 0 } else { behind });
        if frame.is_counted() {
            self.acks.count(now, len, &mut self.timers);
            self.stats.received.frames = self.stats.received.frames.saturating_add(1);
        }
        self.in_record = true;
        let dispatched = self.dispatch_sealed(now, frame, left == 0, &mut step.event);
        self.in_record = false;
        Ok(dispatched?)
    }

    fn dispatch_sealed<'b>(
        &mut self,
        now: Instant,
        frame: Frame<'b>,
        last: bool,
        event: &mut Option<Event<&'b [u8]>>,
    ) -> Result<(), PeerError> {
        match frame {
            Frame::Auth(auth) => *event = self.on_auth(now, auth)?,
            Frame::Close(_) => self.dispatch(now, frame, event)?,
            frame if self.is_too_early(frame.kind()) => return Err(PeerError::Unexpected(frame.kind())),
            Frame::Switch(switch) => *event = self.on_switch(switch, last)?,
            Frame::Rekey(rekey) => self.on_rekey(now, rekey, last)?,
            frame => self.dispatch(now, frame, event)?,
        }
        Ok(())
    }

    /// Whether a frame of this kind comes before the line was open. Of a client that is unknown nothing is heard but claims and a
    /// goodbye, not even while it is shown out. What a server says of how things stand may overtake its answer.
    fn is_too_early(&self, kind: u8) -> bool {
        !self.was_open && kind != kind::CLOSE && (self.is_server || kind < FIRST_UNCOUNTED)
    }

    /// Octets that a record may hold, or a frame in the clear. What a client that is unknown may say is short, and more is not kept
    /// of it.
    pub(super) fn most_content(&self) -> usize {
        let most = self.ours.frame as usize;
        if self.is_server && !self.was_open {
            most.min(usize::from(self.ours.name).saturating_add(UNKNOWN))
        } else {
            most
        }
    }

    /// Who can cut the line can say this; so it is heard only if it says no more than that something went wrong.
    fn plain_goodbye<'b>(&mut self, input: &'b [u8], step: &mut Step<'b>) -> Result<(), Stop> {
        let (frame, consumed) = Frame::read(input, self.most_content() as u32)?;
        let Frame::Close(Close { code, .. }) = frame else { return Err(PeerError::NotSealed.into()) };
        if !code.is_error() {
            return Err(PeerError::NotSealed.into());
        }
        step.consumed = consumed;
        step.event = Some(self.end(Reason::ByPeer(code)));
        Ok(())
    }

    fn on_switch(&mut self, Switch { on, ask }: Switch, last: bool) -> Result<Option<Event<&'static [u8]>>, PeerError> {
        let by = if ask { Side::Us } else { Side::Them };
        if !self.sealer.may_switch(by) {
            return Err(PeerError::SealPolicy);
        }
        if ask {
            let will_seal = self.sealer.will_seal();
            // What it asked for last may not have been said yet, and the application knows of it.
            let changes = self.sealer.asked().unwrap_or(will_seal) != on;
            self.sealer.set_asked((will_seal != on).then_some(on));
            self.honour_wish();
            return Ok(changes.then_some(Event::Sealed { by, on }));
        }
        // What follows in the record would not be where it says it is.
        if !last || self.sealer.is_sealed(by) == on {
            return Err(PeerError::Unexpected(kind::SWITCH));
        }
        self.sealer.switch(by, on);
        Ok(Some(Event::Sealed { by, on }))
    }

    fn on_rekey(&mut self, now: Instant, rekey: Rekey, last: bool) -> Result<(), PeerError> {
        if !last && !matches!(rekey, Rekey::Share(_)) {
            return Err(PeerError::Unexpected(kind::SEALED));
        }
        self.sealer.rekey_heard(now, rekey)
    }

    // ---- inside: output

    /// Messages of the handshake, then frames, in records or not, always whole ones.
    pub(super) fn transmit_sealed(&mut self, now: Instant, out: &mut [u8], mut at: usize) -> usize {
        // To who is not to be trusted nothing more is told.
        while (self.sealer.has_keys() || matches!(self.state, State::Agreeing { .. })) && self.sealer.wants_handshake()
        {
            let Some(len) = out.get_mut(at..).and_then(|out| self.sealer.write_handshake(out)) else { return at };
            at = at.saturating_add(len);
        }
        if !self.sealer.has_keys() {
            // Nothing that was to be sealed may go out now. If there will be no keys, only that is said.
            if matches!(self.state, State::Closing { reason: Reason::PeerError(_), .. }) {
                self.outbox.forget();
                at = self.transmit_close(out, at);
            }
            return at;
        }
        loop {
            let room = out.get_mut(at..).unwrap_or_default();
            let sealed = self.sealer.is_sealed(Side::Us);
            let len = if sealed { self.record(now, room, false) } else { self.unsealed(now, room) };
            at = at.saturating_add(len);
            if len == 0 || self.is_over() {
                break;
            }
        }
        if self.outbox.unsent() == 0 && matches!(self.state, State::Open { .. }) && at > 0 {
            self.acks.watch(now, self.outbox.written(), &mut self.timers);
        }
        at
    }

    /// What is due, in one record; how long it is. `alone`: of the outbox nothing but the next frame, which is why.
    fn record(&mut self, now: Instant, out: &mut [u8], alone: bool) -> usize {
        let overhead = self.sealer.overhead();
        let most = out.len().saturating_sub(PREFIX).saturating_sub(overhead).min(self.theirs.frame as usize);
        let Some(content) = out.get_mut(PREFIX..PREFIX.saturating_add(most)) else { return 0 };
        let mut len = 0;
        let mut turn = None;
        // Before all else: frames that fill every record would never leave room for it.
        while turn.is_none() && matches!(self.state, State::Open { .. }) {
            let Some(rekey) = self.sealer.rekey_due(now) else { break };
            let Some(put) = content.get_mut(len..).and_then(|out| Frame::Rekey(rekey).encode(out)) else { break };
            len = len.saturating_add(put);
            match rekey {
                Rekey::Share(_) => self.sealer.rekey_said(now, rekey),
                Rekey::Next | Rekey::Fresh => turn = Some(Turn::Rekey(rekey)),
            }
        }
        if turn.is_none() && !alone {
            len = self.control_in_turn(now, content, len);
        }
        while turn.is_none() {
            let room = content.get_mut(len..).unwrap_or_default();
            let all = if alone { 0 } else { self.outbox.transmit_all(room) };
            len = len.saturating_add(all);
            if all == 0 {
                let Some(next) = self.outbox.next() else { break };
                if next.len > room.len() {
                    self.run = next.len;
                    break;
                }
                len = len.saturating_add(self.outbox.transmit_next(&next, room));
                turn = next.switch.map(Turn::Switch);
            }
            self.run = 0;
            if alone {
                break;
            }
            // Behind a switch is behind its record.
            if turn.is_none() && self.outbox.unsent() == 0 && self.has_slots_due() {
                len = self.slots_due(content, len);
            }
        }
        // Behind a switch nothing goes in the same record.
        if !alone && turn.is_none() {
            len = self.transmit_close(content, len);
        }
        if len == 0 {
            return 0;
        }
        let sealed = out.get_mut(PREFIX..).and_then(|record| self.sealer.seal(record, len));
        let Some((sealed, prefix)) = sealed.and_then(|len| Some((len, prefix(RECORD, len)?))) else {
            // The key has sealed all it may, and there never was room to say that the next one follows.
            self.state = State::Closed(Reason::PeerError(PeerError::RekeyOverdue));
            return 0;
        };
        if let Some(head) = out.get_mut(..PREFIX) {
            head.copy_from_slice(&prefix);
        }
        match turn {
            Some(Turn::Switch(on)) => self.sealer.switch(Side::Us, on),
            Some(Turn::Rekey(rekey)) => self.sealer.rekey_said(now, rekey),
            None => {}
        }
        sealed.saturating_add(PREFIX)
    }

    /// What flags and slots have to say; but a frame that found no room behind that the last time goes before it this time. Where
    /// the output is no longer than a frame it would never go otherwise.
    fn control_in_turn(&mut self, now: Instant, out: &mut [u8], at: usize) -> usize {
        let room = out.len().saturating_sub(at);
        if self.run > 0 && self.run <= room { at } else { self.transmit_control(now, out, at) }
    }

    /// What is due, as it is; but a frame that wants it, and what is said of keys, in a record.
    fn unsealed(&mut self, now: Instant, out: &mut [u8]) -> usize {
        let mut len = self.control_in_turn(now, out, 0);
        while self.outbox.unsent() > 0 {
            let room = out.get_mut(len..).unwrap_or_default();
            let all = self.outbox.transmit_all(room);
            len = len.saturating_add(all);
            if all == 0 {
                let Some(next) = self.outbox.next() else { return len };
                if next.enveloped {
                    let record = self.record(now, room, true);
                    len = len.saturating_add(record);
                    if record == 0 {
                        self.run = next.len.saturating_add(PREFIX).saturating_add(self.sealer.overhead());
                    }
                    if record == 0 || self.sealer.is_sealed(Side::Us) {
                        return len;
                    }
                    continue;
                }
                if next.len > room.len() {
                    self.run = next.len;
                    return len;
                }
                len = len.saturating_add(self.outbox.transmit_next(&next, room));
            }
            self.run = 0;
            if self.outbox.unsent() == 0 && self.has_slots_due() {
                len = self.slots_due(out, len);
            }
        }
        len = self.transmit_close(out, len);
        if self.sealer.wants_rekey() {
            let room = out.get_mut(len..).unwrap_or_default();
            len = len.saturating_add(self.record(now, room, true));
        }
        len
    }
}

/// The most octets of what a client says to prove who it is, and of a goodbye, besides the name.
const UNKNOWN: usize = 256;

/// What happens behind a record.
enum Turn {
    Switch(bool),
    Rekey(Rekey),
}

/// Where what begins with a head and a length ends, at most `most` octets behind them.
fn extent(input: &[u8], most: usize) -> Result<usize, Stop> {
    let Some(&[_, low, high]) = input.first_chunk() else { return Err(Stop::Need(PREFIX)) };
    let len = usize::from(u16::from_le_bytes([low, high]));
    if len > most {
        let (size, limit) = (len.saturating_add(PREFIX) as u64, most.saturating_add(PREFIX) as u32);
        return Err(PeerError::FrameTooLarge { size, limit }.into());
    }
    Ok(len.saturating_add(PREFIX))
}
