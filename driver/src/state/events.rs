//! What happened is put where it is waited for.

use std::collections::VecDeque;
use std::sync::Arc;

use ropeway_core as core;
use ropeway_core::{Answer, Code, Event, FlowId, Instant, LaneId, Message as Heard, Room, Side, Table};

use super::State;
use super::exchanges::{Arrived, Raw, RawReply, Served};
use super::flows::In;
use crate::body::{Octets, Shape};
use crate::error::Ended;
use crate::recycled::Recycled;
use crate::slab::Key;

impl State {
    /// What happened is put where it is waited for.
    #[cfg_attr(not(feature = "seal"), expect(unused_variables, reason = "only grants count from a time"))]
    pub(crate) fn on_event(&mut self, now: Instant, event: &Event<&[u8]>) {
        match *event {
            Event::Message(ref message) => self.on_message(message),
            Event::Response(ref answer) => self.on_response(answer),
            Event::Code { lane, code } => self.on_reply(lane, RawReply::Code(code)),
            Event::Update { lane, body } => {
                let octets = Octets::copy(body.bytes);
                self.on_reply(lane, RawReply::Update { kind: body.kind, octets });
            }
            Event::Piece { lane, bytes, .. } => {
                let (taken, whole) = self.heard(lane).map_or((true, false), |heard| heard.push_piece(bytes));
                if whole {
                    self.wake_heard(lane);
                }
                if taken {
                    self.machine.take_lane(lane, bytes.len());
                }
                self.check_over(lane);
            }
            Event::Taken { lane } => {
                if let Some(call) = self.calls.get_mut(self.opened.get(lane.number())) {
                    call.taken = true;
                }
                self.call_over(lane);
            }
            Event::Aborted { lane, code } => {
                if let Some(heard) = self.heard(lane) {
                    heard.aborted = Some(code);
                    heard.take_pieces();
                }
                self.wake_heard(lane);
                match lane.opened_by() {
                    Side::Us => self.call_over(lane),
                    Side::Them => {
                        self.stale = !self.inbox.is_empty();
                        self.served_over(lane);
                    }
                }
            }
            Event::Expired { lane } => {
                if let Some(call) = self.calls.get_mut(self.opened.get(lane.number())) {
                    call.expired = true;
                }
                self.call_over(lane);
            }
            Event::Offer { flow, lane, push, size, media, name } => self.on_offer(flow, lane, push, size, media, name),
            Event::Data { flow, bytes, .. } => {
                let key = self.receiving.get(flow.number());
                match self.ins.get_mut(key) {
                    Some(input) => {
                        let chunk = input.memory.copy(bytes);
                        input.queue.push_back(chunk);
                        let waker = input.waker.take();
                        self.wakes.extend(waker);
                    }
                    None => self.machine.take_flow(flow, bytes.len()),
                }
            }
            Event::Finished { flow, digest } => self.on_in(flow, |input| {
                input.finished = Some(digest);
                input.paused = false;
            }),
            Event::Cancelled { flow, code } => {
                let key = self.receiving.get(flow.number());
                if let Some(input) = self.ins.get_mut(key) {
                    // What is queued is of no use without the rest.
                    for octets in std::mem::take(&mut input.queue) {
                        self.machine.take_flow(flow, octets.len());
                    }
                }
                self.on_in(flow, |input| input.cancelled = Some(code));
            }
            Event::Began { flow, start } => self.on_in(flow, |input| input.began = Some(start)),
            Event::Accepted { flow, start, end, prefix } => {
                self.on_out(flow, |out| out.accepted = Some(core::Accept { start, end, prefix }));
            }
            Event::Done { flow, code } => {
                self.on_out(flow, |out| out.done = Some(code));
                self.sending.set(flow.number(), Key::NONE);
                let next = self.flow_waiters.pop();
                self.wakes.extend(next);
            }
            Event::Paused { flow, on } => match flow.sent_by() {
                Side::Us => self.on_out(flow, |out| out.paused = on),
                Side::Them => self.on_in(flow, |input| input.paused = on),
            },
            Event::Room(Room::Messages) => self.after_window(),
            Event::Room(Room::Lane(lane)) => {
                let writer = match lane.opened_by() {
                    Side::Us => self.calls.get_mut(self.opened.get(lane.number())).and_then(|call| call.writer.take()),
                    Side::Them => {
                        self.served.get_mut(self.accepted.get(lane.number())).and_then(|served| served.writer.take())
                    }
                };
                self.wakes.extend(writer);
            }
            Event::Room(Room::Flow(flow)) => self.on_out(flow, |_| ()),
            Event::Defined { table, name, fingerprint, .. } => {
                let name = Arc::from(String::from_utf8_lossy(name));
                match table {
                    Table::Actions => self.names.actions.push(name),
                    Table::Types => self.names.types.push(Shape::told(name, fingerprint)),
                }
            }
            Event::Ready(_) => self.phase_changed(),
            Event::Pong { rtt } => {
                self.pongs = (self.pongs.0 + 1, rtt);
                self.phase_changed();
            }
            #[cfg(feature = "seal")]
            Event::Prove => {
                self.auth.asked = true;
                self.phase_changed();
            }
            #[cfg(feature = "seal")]
            Event::Claim { name, proof } => {
                self.auth.claimed(&String::from_utf8_lossy(name), proof);
                self.phase_changed();
            }
            #[cfg(feature = "seal")]
            Event::Granted { name, lifetime } => {
                self.auth.granted(now, &String::from_utf8_lossy(name), lifetime);
                self.phase_changed();
            }
            #[cfg(feature = "seal")]
            Event::Denied { code } => {
                self.auth.denied(code);
                self.phase_changed();
            }
            Event::Sealed { .. } => self.phase_changed(),
            Event::Away => {
                self.peer_away = true;
                self.phase_changed();
                self.wakes.extend(self.lane_waiters.drain());
                self.wakes.extend(self.room_waiters.drain());
                self.wakes.extend(self.window_waiters.drain());
                self.wakes.extend(self.inbox_waiters.drain());
            }
            Event::Closed { reason, text } => {
                self.end(Ended { reason, text: String::from_utf8_lossy(text).into() });
            }
            // Core may tell more one day.
            _ => {}
        }
    }

    #[inline]
    pub(super) fn on_message(&mut self, message: &Heard<&[u8]>) {
        let Heard { id, lane, action, wants_answer, timeout, body, size, attached, sealed } = *message;
        let lane = lane.map(|lane| {
            let key = self.served.insert(Served {
                lane: Some(lane),
                id,
                heard: Arrived::default(),
                writer: None,
                watcher: Key::NONE,
                answered: false,
            });
            self.accepted.set(lane.number(), key);
            (lane, key)
        });
        let octets = Octets::copy(body.bytes);
        let charged = body.bytes.len();
        self.inbox.push_back(Raw {
            id,
            action,
            kind: body.kind,
            octets,
            size,
            wants_answer,
            timeout,
            attached,
            charged,
            lane,
            sealed,
        });
        if !self.inbox_waiters.is_empty() {
            self.wakes.extend(self.inbox_waiters.drain());
        }
    }

    #[inline]
    pub(super) fn on_response(&mut self, answer: &Answer<&[u8]>) {
        let Answer { id, lane, code, body, size, attached, last } = *answer;
        let octets = Octets::copy(body.bytes);
        self.on_reply(lane, RawReply::Response { id, code, kind: body.kind, octets, size, attached, last });
    }

    #[inline]
    pub(super) fn on_reply(&mut self, lane: LaneId, reply: RawReply) {
        let over = !self.machine.is_live(lane);
        let key = self.opened.get(lane.number());
        match self.calls.get_mut(key) {
            Some(call) => {
                call.push_reply(reply);
                if over {
                    call.lane = None;
                    // The rest of its body is not wanted.
                    self.wakes.extend(call.writer.take());
                }
                if let Some(waker) = call.heard.waker.take() {
                    self.wakes.push(waker);
                }
            }
            None => self.take_reply(lane, &reply),
        }
        if over {
            self.opened.set(lane.number(), Key::NONE);
            self.after_freeing();
        }
    }

    pub(super) fn on_offer(
        &mut self,
        flow: FlowId,
        lane: LaneId,
        push: bool,
        size: Option<u64>,
        media: &[u8],
        name: &[u8],
    ) {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into();
        let key = self.ins.insert(In {
            flow,
            push,
            size,
            media: text(media),
            name: text(name),
            waker: None,
            began: push.then_some(0),
            queue: VecDeque::new(),
            memory: Recycled::default(),
            paused: false,
            finished: None,
            cancelled: None,
        });
        self.receiving.set(flow.number(), key);
        match self.heard(lane) {
            Some(heard) => {
                heard.push_offer(key);
                self.wake_heard(lane);
            }
            None => self.drop_in(key, Code::CANCELLED),
        }
        self.check_over(lane);
    }
}
