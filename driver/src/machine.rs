//! The machine as the driver and the handles have it: nothing changes it but by one of the methods here.
//!
//! How things stand is read of the connection itself; it can't be had mutably, so that a tap on these methods misses nothing.

use std::ops::Deref;

use ropeway_core::{
    Accept, Body, CloseCode, Code, Connection, Event, FlowId, Instant, LaneId, Offer, PeerError, Refused, Respond,
    Send, Sent, Step, Table,
};

use crate::memory::Grown;

#[derive(Debug)]
pub(crate) struct Machine {
    connection: Connection<Grown>,
}

impl Deref for Machine {
    type Target = Connection<Grown>;

    fn deref(&self) -> &Connection<Grown> {
        &self.connection
    }
}

impl Machine {
    pub(crate) fn new(connection: Connection<Grown>) -> Machine {
        Machine { connection }
    }

    // ---- the world

    #[inline]
    pub(crate) fn handle_input<'b>(&mut self, now: Instant, input: &'b mut [u8]) -> Result<Step<'b>, PeerError> {
        self.connection.handle_input(now, input)
    }

    #[inline]
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Event<&'static [u8]>> {
        self.connection.handle_timeout(now)
    }

    #[inline]
    pub(crate) fn handle_eof(&mut self) -> Option<Event<&'static [u8]>> {
        self.connection.handle_eof()
    }

    #[inline]
    pub(crate) fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> usize {
        self.connection.poll_transmit(now, out)
    }

    // ---- the line

    pub(crate) fn ping(&mut self) -> Result<(), Refused> {
        self.connection.ping()
    }

    pub(crate) fn go_away(&mut self) -> Result<(), Refused> {
        self.connection.go_away()
    }

    pub(crate) fn close(&mut self, code: CloseCode, reason: &str) {
        self.connection.close(code, reason);
    }

    pub(crate) fn define(&mut self, table: Table, name: &str, fingerprint: Option<u64>) -> Result<u16, Refused> {
        self.connection.define(table, name, fingerprint)
    }

    // ---- messages

    #[inline]
    pub(crate) fn notify(&mut self, now: Instant, message: &Send<'_>) -> Result<Sent, Refused> {
        self.connection.notify(now, message)
    }

    #[inline]
    pub(crate) fn request(&mut self, now: Instant, message: &Send<'_>) -> Result<Sent, Refused> {
        self.connection.request(now, message)
    }

    #[inline]
    pub(crate) fn respond(&mut self, lane: LaneId, response: &Respond<'_>) -> Result<Sent, Refused> {
        self.connection.respond(lane, response)
    }

    #[inline]
    pub(crate) fn respond_code(&mut self, lane: LaneId, code: Code) -> Result<(), Refused> {
        self.connection.respond_code(lane, code)
    }

    pub(crate) fn update(&mut self, lane: LaneId, body: Body<&[u8]>) -> Result<(), Refused> {
        self.connection.update(lane, body)
    }

    pub(crate) fn body(&mut self, now: Instant, lane: LaneId, bytes: &[u8]) -> Result<usize, Refused> {
        self.connection.body(now, lane, bytes)
    }

    pub(crate) fn abort(&mut self, lane: LaneId, code: Code) -> Result<(), Refused> {
        self.connection.abort(lane, code)
    }

    #[inline]
    pub(crate) fn take_message(&mut self, len: usize) {
        self.connection.take_message(len);
    }

    #[inline]
    pub(crate) fn take_lane(&mut self, lane: LaneId, len: usize) {
        self.connection.take_lane(lane, len);
    }

    // ---- flows

    pub(crate) fn offer(&mut self, lane: LaneId, offer: &Offer<'_>) -> Result<FlowId, Refused> {
        self.connection.offer(lane, offer)
    }

    pub(crate) fn accept(&mut self, flow: FlowId, accept: &Accept) -> Result<(), Refused> {
        self.connection.accept(flow, accept)
    }

    pub(crate) fn begin(&mut self, now: Instant, flow: FlowId, start: u64) -> Result<(), Refused> {
        self.connection.begin(now, flow, start)
    }

    pub(crate) fn data(&mut self, now: Instant, flow: FlowId, bytes: &[u8]) -> Result<usize, Refused> {
        self.connection.data(now, flow, bytes)
    }

    pub(crate) fn finish(&mut self, now: Instant, flow: FlowId, digest: Option<[u8; 32]>) -> Result<(), Refused> {
        self.connection.finish(now, flow, digest)
    }

    pub(crate) fn cancel(&mut self, flow: FlowId, code: Code) -> Result<(), Refused> {
        self.connection.cancel(flow, code)
    }

    pub(crate) fn done(&mut self, flow: FlowId, code: Code) -> Result<(), Refused> {
        self.connection.done(flow, code)
    }

    pub(crate) fn pause(&mut self, flow: FlowId, on: bool) -> Result<(), Refused> {
        self.connection.pause(flow, on)
    }

    pub(crate) fn take_flow(&mut self, flow: FlowId, len: usize) {
        self.connection.take_flow(flow, len);
    }
}
