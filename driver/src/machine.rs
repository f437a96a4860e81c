//! The machine as the driver and the handles have it: nothing changes it but by one of the methods here.
//!
//! How things stand is read of the connection itself; it can't be had mutably, so that the tap on these methods misses nothing.
//! Without one they cost a look whether there is one.

use std::ops::Deref;
#[cfg(feature = "seal")]
use std::time::Duration;

use ropeway_core::{
    Accept, Body, CloseCode, Code, Connection, Event, FlowId, Instant, LaneId, Offer, PeerError, Reason, Refused,
    Respond, Send, Sent, Step, Table,
};

use crate::memory::Grown;
use crate::trace::{Call, Given, MOST, MOST_OUTPUT, Outcome, Said, Tap};

#[derive(Debug)]
pub(crate) struct Machine {
    connection: Connection<Grown>,
    tap: Option<Box<Tap>>,
}

impl Deref for Machine {
    type Target = Connection<Grown>;

    fn deref(&self) -> &Connection<Grown> {
        &self.connection
    }
}

impl Machine {
    pub(crate) fn new(connection: Connection<Grown>, tap: Option<Box<Tap>>) -> Machine {
        Machine { connection, tap }
    }

    /// What was noted since it was last asked for.
    pub(crate) fn take_notes(&mut self) -> Vec<u8> {
        self.tap.as_mut().map_or_else(Vec::new, |tap| tap.take_notes())
    }

    /// The last of it. What follows is not noted.
    pub(crate) fn end_notes(&mut self) -> Option<Vec<u8>> {
        self.tap.take().map(|tap| tap.end())
    }

    /// Out of the way of those who are not recorded.
    #[cold]
    #[inline(never)]
    fn note<'a>(&mut self, now: Option<Instant>, call: impl FnOnce() -> Call<'a>, outcome: impl Into<Outcome<'a>>) {
        if let Some(tap) = &mut self.tap {
            tap.note(now, call(), outcome.into());
        }
    }

    /// A verb that is noted if there is a tap.
    #[inline(always)]
    fn verb<'a, T: Copy + Into<Outcome<'a>>>(
        &mut self,
        now: Option<Instant>,
        verb: impl FnOnce(&mut Connection<Grown>) -> T,
        call: impl FnOnce() -> Call<'a>,
    ) -> T {
        if self.tap.is_none() {
            return verb(&mut self.connection);
        }
        self.noted(now, verb, call)
    }

    #[cold]
    #[inline(never)]
    fn noted<'a, T: Copy + Into<Outcome<'a>>>(
        &mut self,
        now: Option<Instant>,
        verb: impl FnOnce(&mut Connection<Grown>) -> T,
        call: impl FnOnce() -> Call<'a>,
    ) -> T {
        let came = verb(&mut self.connection);
        self.note(now, call, came);
        came
    }

    /// What the machine is given of octets to send: if that is to be noted, no more than it could take at once.
    #[inline]
    fn give<'o>(&self, octets: &'o [u8]) -> &'o [u8] {
        if self.tap.is_some() { &octets[..octets.len().min(MOST)] } else { octets }
    }

    // ---- the world

    #[inline]
    pub(crate) fn handle_input<'b>(&mut self, now: Instant, input: &'b mut [u8]) -> Result<Step<'b>, PeerError> {
        if self.tap.is_none() {
            return self.connection.handle_input(now, input);
        }
        self.noted_input(now, input)
    }

    #[cold]
    #[inline(never)]
    fn noted_input<'b>(&mut self, now: Instant, input: &'b mut [u8]) -> Result<Step<'b>, PeerError> {
        let over = self.closed().is_some() || matches!(self.ending(), Some(Reason::PeerError(_)));
        // The event borrows from the input, of which a copy is wanted, too: meanwhile it is told where its octets lie.
        let (start, len) = (input.as_ptr().addr(), input.len());
        let locate = |octets: &[u8]| {
            let at = octets.as_ptr().addr().wrapping_sub(start);
            if at < len { at..at.saturating_add(octets.len()).min(len) } else { 0..0 }
        };
        let step = self.connection.handle_input(now, &mut *input);
        let step = step.map(|step| (step.consumed, step.event.map(|event| event.map(locate))));
        let input: &'b [u8] = input;
        match step {
            Ok((consumed, event)) => {
                let event = event.map(|event| event.map(|range| &input[range]));
                let call = match consumed {
                    _ if over => Call::Ignored { len: consumed as u64 },
                    0 => Call::Partial { len: len as u64 },
                    _ => Call::Input { octets: &input[..consumed] },
                };
                self.note(Some(now), || call, event);
                Ok(Step { consumed, event })
            }
            Err(error) => {
                // No frame is as large.
                let octets = &input[..len.min(MOST)];
                self.note(Some(now), || Call::Input { octets }, Outcome::Erred(error));
                Err(error)
            }
        }
    }

    #[inline]
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Event<&'static [u8]>> {
        self.verb(Some(now), |connection| connection.handle_timeout(now), || Call::Timeout)
    }

    pub(crate) fn handle_eof(&mut self) -> Option<Event<&'static [u8]>> {
        self.verb(None, Connection::handle_eof, || Call::Eof)
    }

    #[inline]
    pub(crate) fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> usize {
        if self.tap.is_none() {
            return self.connection.poll_transmit(now, out);
        }
        self.noted_transmit(now, out)
    }

    #[cold]
    #[inline(never)]
    fn noted_transmit(&mut self, now: Instant, out: &mut [u8]) -> usize {
        let room = out.len().min(MOST_OUTPUT);
        let wanted = self.wants_transmit();
        let len = self.connection.poll_transmit(now, &mut out[..room]);
        // A machine that wants nothing is asked very often, and nothing comes of it.
        if wanted || len > 0 {
            self.note(Some(now), || Call::Transmit { room }, Outcome::Output(&out[..len]));
        }
        len
    }

    // ---- the line

    pub(crate) fn ping(&mut self) -> Result<(), Refused> {
        self.verb(None, Connection::ping, || Call::Ping)
    }

    pub(crate) fn go_away(&mut self) -> Result<(), Refused> {
        self.verb(None, Connection::go_away, || Call::GoAway)
    }

    pub(crate) fn close(&mut self, code: CloseCode, reason: &str) {
        let end = (0..=reason.len().min(MOST)).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or(0);
        let reason = &reason[..end];
        self.verb(None, |connection| connection.close(code, reason), || Call::Close { code, reason });
    }

    pub(crate) fn define(&mut self, table: Table, name: &str, fingerprint: Option<u64>) -> Result<u16, Refused> {
        let defined = self.connection.define(table, name, fingerprint);
        // A name that no frame holds was refused, and nothing changed.
        if self.tap.is_some() && name.len() <= MOST {
            self.note(None, || Call::Define { table, name, fingerprint }, defined);
        }
        defined
    }

    // ---- sealing; lines that are sealed are not recorded

    /// What there is to say of an error of the peer's, besides.
    #[cfg(feature = "seal")]
    pub(crate) fn about(&self, error: PeerError) -> String {
        crate::seal::about(error, self.connection.sealer())
    }

    /// What there is to say of an error of the peer's, besides.
    #[cfg(not(feature = "seal"))]
    pub(crate) fn about(&self, _: PeerError) -> String {
        String::new()
    }

    #[cfg(feature = "seal")]
    pub(crate) fn seal(&mut self, on: bool) -> Result<(), Refused> {
        self.connection.seal(on)
    }

    #[cfg(feature = "seal")]
    pub(crate) fn ask_to_seal(&mut self, on: bool) -> Result<(), Refused> {
        self.connection.ask_to_seal(on)
    }

    #[cfg(feature = "seal")]
    pub(crate) fn rekey(&mut self) -> Result<(), Refused> {
        self.connection.rekey()
    }

    #[cfg(feature = "seal")]
    pub(crate) fn rekey_afresh(&mut self, entropy: [u8; 32]) -> Result<(), Refused> {
        self.connection.rekey_afresh(entropy)
    }

    #[cfg(feature = "seal")]
    pub(crate) fn prove(&mut self, credential: &ropeway_core::Credential<'_>) -> Result<(), Refused> {
        self.connection.prove(credential)
    }

    #[cfg(feature = "seal")]
    pub(crate) fn grant(&mut self, now: Instant, name: &str, lifetime: Option<Duration>) -> Result<(), Refused> {
        self.connection.grant(now, name, lifetime).map(drop)
    }

    #[cfg(feature = "seal")]
    pub(crate) fn deny(&mut self, now: Instant, code: Code) -> Result<(), Refused> {
        self.connection.deny(now, code)
    }

    // ---- messages

    #[inline]
    pub(crate) fn notify(&mut self, now: Instant, message: &Send<'_>) -> Result<Sent, Refused> {
        if self.tap.is_none() {
            return self.connection.notify(now, message);
        }
        self.noted_message(now, message, false)
    }

    #[inline]
    pub(crate) fn request(&mut self, now: Instant, message: &Send<'_>) -> Result<Sent, Refused> {
        if self.tap.is_none() {
            return self.connection.request(now, message);
        }
        self.noted_message(now, message, true)
    }

    #[cold]
    #[inline(never)]
    fn noted_message(&mut self, now: Instant, message: &Send<'_>, wants_answer: bool) -> Result<Sent, Refused> {
        let (body, size) = cut(message.body, message.size);
        let message = Send { body, size, ..*message };
        let sent = match wants_answer {
            true => self.connection.request(now, &message),
            false => self.connection.notify(now, &message),
        };
        let Send { action, body: Body { kind, bytes }, size, attached, timeout, sealed: _ } = message;
        let given = given(bytes, sent.map(|sent| sent.taken));
        let said = Said { action, kind, size, attached, timeout, given };
        self.note(Some(now), || if wants_answer { Call::Request(said) } else { Call::Notify(said) }, sent);
        sent
    }

    #[inline]
    pub(crate) fn respond(&mut self, lane: LaneId, response: &Respond<'_>) -> Result<Sent, Refused> {
        if self.tap.is_none() {
            return self.connection.respond(lane, response);
        }
        self.noted_response(lane, response)
    }

    #[cold]
    #[inline(never)]
    fn noted_response(&mut self, lane: LaneId, response: &Respond<'_>) -> Result<Sent, Refused> {
        let (body, size) = cut(response.body, response.size);
        let response = Respond { body, size, ..*response };
        let sent = self.connection.respond(lane, &response);
        let Respond { code, body: Body { kind, bytes }, size, attached, more } = response;
        let given = given(bytes, sent.map(|sent| sent.taken));
        self.note(None, || Call::Respond { lane, code, kind, size, attached, more, given }, sent);
        sent
    }

    #[inline]
    pub(crate) fn respond_code(&mut self, lane: LaneId, code: Code) -> Result<(), Refused> {
        self.verb(None, |connection| connection.respond_code(lane, code), || Call::RespondCode { lane, code })
    }

    pub(crate) fn update(&mut self, lane: LaneId, body: Body<&[u8]>) -> Result<(), Refused> {
        let done = self.connection.update(lane, body);
        // What no frame holds was refused, and nothing changed.
        if self.tap.is_some() && body.bytes.len() <= MOST {
            let given = given(body.bytes, done.map(|()| body.bytes.len()));
            self.note(None, || Call::Update { lane, kind: body.kind, given }, done);
        }
        done
    }

    pub(crate) fn body(&mut self, now: Instant, lane: LaneId, bytes: &[u8]) -> Result<usize, Refused> {
        let bytes = self.give(bytes);
        let taken = self.connection.body(now, lane, bytes);
        if self.tap.is_some() {
            self.note(Some(now), || Call::Body { lane, given: given(bytes, taken) }, taken);
        }
        taken
    }

    pub(crate) fn abort(&mut self, lane: LaneId, code: Code) -> Result<(), Refused> {
        self.verb(None, |connection| connection.abort(lane, code), || Call::Abort { lane, code })
    }

    #[inline]
    pub(crate) fn take_messages(&mut self, lens: impl Iterator<Item = usize>) {
        if self.tap.is_none() {
            return lens.for_each(|len| self.connection.take_message(len));
        }
        for len in lens {
            self.noted(None, |connection| connection.take_message(len), || Call::TakeMessage { len });
        }
    }

    #[inline]
    pub(crate) fn take_lane(&mut self, lane: LaneId, len: usize) {
        self.verb(None, |connection| connection.take_lane(lane, len), || Call::TakeLane { lane, len });
    }

    // ---- flows

    pub(crate) fn offer(&mut self, lane: LaneId, offer: &Offer<'_>) -> Result<FlowId, Refused> {
        let offered = self.connection.offer(lane, offer);
        let Offer { push, size, media, name } = *offer;
        // Names that no frame holds were refused, and nothing changed.
        if self.tap.is_some() && media.len().saturating_add(name.len()) <= MOST {
            self.note(None, || Call::Offer { lane, push, size, media, name }, offered);
        }
        offered
    }

    pub(crate) fn accept(&mut self, flow: FlowId, accept: &Accept) -> Result<(), Refused> {
        self.verb(None, |connection| connection.accept(flow, accept), || Call::Accept { flow, accept: *accept })
    }

    pub(crate) fn begin(&mut self, now: Instant, flow: FlowId, start: u64) -> Result<(), Refused> {
        self.verb(Some(now), |connection| connection.begin(now, flow, start), || Call::Begin { flow, start })
    }

    pub(crate) fn data(&mut self, now: Instant, flow: FlowId, bytes: &[u8]) -> Result<usize, Refused> {
        let bytes = self.give(bytes);
        let taken = self.connection.data(now, flow, bytes);
        if self.tap.is_some() {
            self.note(Some(now), || Call::Data { flow, given: given(bytes, taken) }, taken);
        }
        taken
    }

    pub(crate) fn finish(&mut self, now: Instant, flow: FlowId, digest: Option<[u8; 32]>) -> Result<(), Refused> {
        self.verb(Some(now), |connection| connection.finish(now, flow, digest), || Call::Finish { flow, digest })
    }

    pub(crate) fn cancel(&mut self, flow: FlowId, code: Code) -> Result<(), Refused> {
        self.verb(None, |connection| connection.cancel(flow, code), || Call::Cancel { flow, code })
    }

    pub(crate) fn done(&mut self, flow: FlowId, code: Code) -> Result<(), Refused> {
        self.verb(None, |connection| connection.done(flow, code), || Call::Done { flow, code })
    }

    pub(crate) fn pause(&mut self, flow: FlowId, on: bool) -> Result<(), Refused> {
        self.verb(None, |connection| connection.pause(flow, on), || Call::Pause { flow, on })
    }

    pub(crate) fn take_flow(&mut self, flow: FlowId, len: usize) {
        self.verb(None, |connection| connection.take_flow(flow, len), || Call::TakeFlow { flow, len });
    }
}

/// A body, and its size, with no more of it at hand than a machine could take at once.
fn cut(body: Body<&[u8]>, size: Option<u64>) -> (Body<&[u8]>, Option<u64>) {
    let here = body.bytes.len();
    if here <= MOST {
        return (body, size);
    }
    let size = match size.unwrap_or(here as u64) {
        // It is refused, and stays so.
        size if size < here as u64 => size.min(MOST as u64 - 1),
        size => size,
    };
    (body.map(|bytes| &bytes[..MOST]), Some(size))
}

fn given(octets: &[u8], taken: Result<usize, Refused>) -> Given<'_> {
    Given { len: octets.len(), taken: &octets[..taken.unwrap_or(0)] }
}
