//! Flows: what the receiver of one that is sent here says, and the sender of one that is received.

use super::{Outcome, from_peer};
use crate::connection::Connection;
use crate::error::PeerError;
use crate::event::{Event, Room};
use crate::flow::{self, Flow};
use crate::id::{Code, FlowId, Side};
use crate::memory::Storage;
use crate::time::Instant;
use crate::window::{charge, raise};
use crate::wire::{Accept, Offer, Pause, kind};

impl<S: Storage> Connection<S> {
    pub(super) fn on_offer<'b>(&mut self, now: Instant, offer: Offer<'b>) -> Outcome<'b> {
        let Offer { flow: number, push, size, media, name, .. } = offer;
        let lane = from_peer(offer.side, offer.lane);
        if number >= self.ours.flows {
            return Err(PeerError::FlowLimit(number));
        }
        self.check_name(name)?;
        self.check_name(media)?;
        let slot = self.lane_mut(lane).filter(|slot| slot.input.flows > 0 && !slot.input.ended);
        let slot = slot.ok_or(PeerError::FlowInUse(number))?;
        let given_up = slot.out.aborted.then_some(slot.code);
        slot.input.flows = slot.input.flows.saturating_sub(1);
        slot.input.settle();
        let (credit, exchange, sealed) = (self.ours.flow_credit, self.exchange(lane), self.is_sealed_on(lane));
        let flow = self.receiving.take(number).ok_or(PeerError::FlowInUse(number))?;
        flow.push = push;
        flow.sealed = sealed;
        flow.state = if push { flow::State::Running } else { flow::State::Offered };
        flow.size = size.unwrap_or(u64::MAX);
        flow.limit = credit;
        (flow.lane, flow.serial) = exchange;
        flow.moves(now, &mut self.opened, &mut self.timers);
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

    pub(super) fn on_accept<'b>(&mut self, now: Instant, accept: Accept) -> Outcome<'b> {
        let Accept { flow: number, start, end, prefix } = accept;
        let slot = self.sent(now, number, kind::ACCEPT)?;
        match slot.state {
            flow::State::Offered | flow::State::Finished if !slot.push => {}
            flow::State::Cancelled => return Ok(None),
            _ => return Err(PeerError::Unexpected(kind::ACCEPT)),
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

    pub(super) fn on_done<'b>(&mut self, now: Instant, number: u16, code: Code, kind: u8) -> Outcome<'b> {
        let slot = self.sent(now, number, kind)?;
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

    pub(super) fn on_credit<'b>(&mut self, now: Instant, number: u16, limit: u64, kind: u8) -> Outcome<'b> {
        let slot = self.sent(now, number, kind)?;
        let grew = raise(&mut slot.limit, limit)? && slot.state == flow::State::Running;
        Ok(grew.then_some(Event::Room(Room::Flow(FlowId { number, side: Side::Us }))))
    }

    pub(super) fn on_begin<'b>(&mut self, now: Instant, number: u16, start: u64, kind: u8) -> Outcome<'b> {
        let slot = self.received(now, number, kind)?;
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
    pub(super) fn on_data<'b>(&mut self, now: Instant, number: u16, bytes: &'b [u8], kind: u8) -> Outcome<'b> {
        let slot = self.received(now, number, kind)?;
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

    pub(super) fn on_finish<'b>(
        &mut self,
        now: Instant,
        number: u16,
        digest: Option<[u8; 32]>,
        kind: u8,
    ) -> Outcome<'b> {
        let slot = self.received(now, number, kind)?;
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

    pub(super) fn on_cancel<'b>(&mut self, now: Instant, number: u16, code: Code, kind: u8) -> Outcome<'b> {
        let known = number < self.ours.flows;
        let Ok(slot) = self.received(now, number, kind) else {
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

    pub(super) fn on_pause<'b>(&mut self, now: Instant, pause: Pause, kind: u8) -> Outcome<'b> {
        let Pause { flow: number, on, by_receiver } = pause;
        let (slot, side) = if by_receiver {
            (self.sent(now, number, kind)?, Side::Us)
        } else {
            (self.received(now, number, kind)?, Side::Them)
        };
        if !slot.can_pause() {
            // It crossed the end.
            return Ok(None);
        }
        slot.paused.set(by_receiver, on);
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

    /// A flow that this end sends and the peer speaks of.
    fn sent(&mut self, now: Instant, number: u16, kind: u8) -> Result<&mut Flow, PeerError> {
        let slot = self.sending.get_mut(number).ok_or(PeerError::Unexpected(kind))?;
        slot.moves(now, &mut self.opened, &mut self.timers);
        Ok(slot)
    }

    /// A flow that the peer sends and speaks of.
    fn received(&mut self, now: Instant, number: u16, kind: u8) -> Result<&mut Flow, PeerError> {
        let slot = self.receiving.get_mut(number).ok_or(PeerError::Unexpected(kind))?;
        slot.moves(now, &mut self.opened, &mut self.timers);
        Ok(slot)
    }
}
