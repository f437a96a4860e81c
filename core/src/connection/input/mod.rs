//! What arrives: the hello, and which frame goes where. What a frame does stands in the files of its family.

mod flows;
mod messages;

use super::{Connection, State, Step};
use crate::error::{PeerError, Reason};
use crate::event::{Event, Ready, Room};
use crate::id::{LaneId, Side};
use crate::liveness::Timer;
use crate::memory::Storage;
use crate::sealing::Inner;
use crate::time::Instant;
use crate::window::raise;
use crate::wire::bytes::Stop;
use crate::wire::hello::{Hello, VERSION};
use crate::wire::{Close, Define, Frame};

/// What a frame leads to.
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
        let deaf = matches!(self.state, State::Closed(_) | State::Closing { reason: Reason::PeerError(_), .. });
        if deaf || self.is_shown_out(now) {
            return Ok(Step { consumed: input.len(), event: None });
        }
        // A piece of a large frame on a slow line is a sign of life, too. What was left the last time is none.
        if input.len() > self.left {
            self.last_heard = now;
        }
        self.left = input.len();
        if input.len() < self.need {
            return Ok(Step { consumed: 0, event: None });
        }
        // Filled in where it is, for an event is large to hand on.
        let mut step = Step { consumed: 0, event: None };
        let result = match self.state {
            State::Hello { .. } => self.hello(now, input, &mut step),
            State::Agreeing { .. } if S::Sealer::SEALS => self.agree(now, input, &mut step),
            _ if S::Sealer::SEALS => self.sealed_frame(now, input, &mut step),
            _ => self.frame(now, input, &mut step),
        };
        match result {
            Ok(()) => {
                // Of a record that is open all is there.
                let (left, behind) = if S::Sealer::SEALS { self.sealer.opened() } else { (0, 0) };
                self.need = left.saturating_add(behind).max(1);
                self.left = self.left.saturating_sub(step.consumed);
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

    fn hello<'b>(&mut self, now: Instant, input: &'b [u8], step: &mut Step<'b>) -> Result<(), Stop> {
        let State::Hello { unsaid } = self.state else { return Err(Stop::Need(1)) };
        let (hello, offer, consumed) = Hello::read(input)?;
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
        let unsaid = unsaid || self.is_server;
        step.consumed = consumed;
        self.state = State::Agreeing { unsaid };
        if !self.sealer.heard_hello(input.get(..consumed).unwrap_or_default(), offer)? {
            step.event = Some(self.ready(now, unsaid));
        }
        Ok(())
    }

    /// The line opens.
    pub(super) fn ready(&mut self, now: Instant, unsaid: bool) -> Event<&'static [u8]> {
        self.state = State::Open { unsaid };
        self.was_open = true;
        self.timers.set(Timer::Hello, Instant::NEVER);
        if !self.heartbeat.is_zero() {
            self.timers.set(Timer::Ping, now.after(self.heartbeat));
            if self.misses > 0 {
                self.timers.set(Timer::Dead, now.after_micros(self.patience()));
            }
        }
        Event::Ready(Ready { version: VERSION, session: self.session, peer: self.theirs })
    }

    #[inline]
    pub(super) fn frame<'b>(&mut self, now: Instant, input: &'b [u8], step: &mut Step<'b>) -> Result<(), Stop> {
        let most = if S::Sealer::SEALS { self.most_content() as u32 } else { self.ours.frame };
        let (frame, consumed) = Frame::read_if(false, input, most)?;
        if S::Sealer::SEALS && self.is_torn(&frame) {
            return Err(PeerError::NotSealed.into());
        }
        if frame.is_counted() {
            self.acks.count(now, consumed, &mut self.timers);
            self.stats.received.frames = self.stats.received.frames.saturating_add(1);
        }
        step.consumed = consumed;
        self.dispatch(now, frame, &mut step.event)?;
        Ok(())
    }

    #[inline]
    pub(super) fn dispatch<'b>(
        &mut self,
        now: Instant,
        frame: Frame<'b>,
        event: &mut Option<Event<&'b [u8]>>,
    ) -> Result<(), PeerError> {
        let kind = frame.kind();
        *event = match frame {
            Frame::Notice(notice) => self.on_notice(notice)?,
            Frame::Open(open) => self.on_open(open)?,
            Frame::Response(response) => self.on_response(now, response)?,
            Frame::Code { lane, code } => self.on_code(lane, code, kind)?,
            Frame::Update(update) => self.on_update(now, update)?,
            Frame::Body(piece) => self.on_piece(now, piece)?,
            Frame::Abort { side, lane, code } => self.on_abort(from_peer(side, lane), code, kind)?,
            Frame::End { lane } => self.on_end(lane, kind)?,
            Frame::Define(define) => self.on_define(define)?,
            Frame::Offer(offer) => self.on_offer(now, offer)?,
            Frame::Accept(accept) => self.on_accept(now, accept)?,
            Frame::Begin { flow, start } => self.on_begin(now, flow, start, kind)?,
            Frame::Data { flow, bytes } => self.on_data(now, flow, bytes, kind)?,
            Frame::Finish { flow, digest } => self.on_finish(now, flow, digest, kind)?,
            Frame::Cancel { flow, code } => self.on_cancel(now, flow, code, kind)?,
            Frame::Done { flow, code } => self.on_done(now, flow, code, kind)?,
            Frame::Pause(pause) => self.on_pause(now, pause, kind)?,
            Frame::Credit { flow, limit } => self.on_credit(now, flow, limit, kind)?,
            Frame::LaneCredit { side, lane, limit } => self.on_lane_credit(now, from_peer(side, lane), limit, kind)?,
            Frame::Window { limit } => raise(&mut self.window_out.limit, limit)?.then_some(Event::Room(Room::Messages)),
            Frame::Ack { count } => {
                if count > self.outbox.written() {
                    return Err(PeerError::BadAck);
                }
                self.acks.acked(count, &mut self.timers);
                None
            }
            Frame::Ping { id } => {
                self.pings.answer = Some(id);
                None
            }
            Frame::Pong { id } => self.pings.answered(now, id).map(|rtt| Event::Pong { rtt }),
            Frame::Away => {
                self.peer_away = true;
                Some(Event::Away)
            }
            Frame::Close(Close { code, reason }) => Some(match self.end(Reason::ByPeer(code)) {
                Event::Closed { reason: why, .. } => Event::Closed { reason: why, text: reason.as_bytes() },
                other => other,
            }),
            // What is said of records is said in records.
            Frame::Auth(_) | Frame::Switch(_) | Frame::Rekey(_) => return Err(PeerError::Unexpected(kind)),
            Frame::Skipped { .. } => None,
        };
        Ok(())
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

    pub(super) fn check_name(&self, name: &str) -> Result<(), PeerError> {
        if name.len() > usize::from(self.ours.name) { Err(PeerError::BadName) } else { Ok(()) }
    }
}

/// A lane as the peer names it: who opened it is the other way round here.
pub(super) const fn from_peer(side: Side, number: u16) -> LaneId {
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
    use crate::wire::{Body, Kind, Notice};
    use crate::{Action, Config, Flow, Lane, Memory};

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
