//! A plain model of deadlines: what one end's requests have had as signs of life, learnt from verbs and frames alone.

use std::collections::BTreeMap;
use std::time::Duration;

use ropeway_core::wire::Frame;
use ropeway_core::{FlowId, Instant, LaneId, Side};

/// What an end opened and still waits for.
#[derive(Debug, Default)]
pub struct Life {
    /// By lane.
    open: BTreeMap<u16, Exchange>,
    /// By number, and whether this end sends it: to which exchange a flow belongs, and whether FINISH was its last word.
    flows: BTreeMap<(u16, bool), (usize, bool)>,
    count: usize,
}

#[derive(Debug)]
struct Exchange {
    id: usize,
    timeout: Duration,
    /// When there was a sign of life for certain, and the latest that may have been one.
    certain: Instant,
    latest: Instant,
    /// What is left of the answer: octets and offers, and whether it is the last.
    left: u64,
    offers: u16,
    last: bool,
}

impl Life {
    /// This end opened an exchange; a timeout of zero is none.
    pub fn opens(&mut self, now: Instant, lane: LaneId, timeout: Duration) {
        let id = self.count;
        self.count += 1;
        let exchange = Exchange { id, timeout, certain: now, latest: now, left: 0, offers: 0, last: false };
        self.open.insert(lane.number(), exchange);
    }

    /// This end, or the peer, gave an exchange up.
    pub fn ends(&mut self, lane: LaneId) {
        if lane.opened_by() == Side::Us {
            self.open.remove(&lane.number());
        }
    }

    /// Something moved on a lane.
    pub fn lane(&mut self, now: Instant, lane: LaneId) {
        if let Some(exchange) = self.exchange(lane) {
            (exchange.certain, exchange.latest) = (now, now);
        }
    }

    /// A flow was offered on a lane.
    pub fn offers(&mut self, flow: FlowId, lane: LaneId) {
        let id = self.exchange(lane).map_or(usize::MAX, |exchange| exchange.id);
        self.flows.insert(key(flow), (id, false));
    }

    /// Something moved on a flow.
    pub fn flow(&mut self, now: Instant, flow: FlowId) {
        let id = self.flows.get(&key(flow)).map(|(id, _)| *id);
        for exchange in self.open.values_mut().filter(|exchange| Some(exchange.id) == id) {
            (exchange.certain, exchange.latest) = (now, now);
        }
    }

    /// The peer said a frame, and it was taken.
    pub fn hears(&mut self, now: Instant, frame: &Frame<'_>) {
        let (from, to) = (|number| FlowId::new(number, Side::Them), |number| FlowId::new(number, Side::Us));
        let opened = |number| LaneId::new(number, Side::Us);
        match *frame {
            Frame::Response(response) => {
                self.lane(now, opened(response.lane));
                let here = response.body.bytes.len() as u64;
                self.answers(response.lane, |exchange| {
                    exchange.left = response.size.map_or(0, |size| size - here);
                    (exchange.offers, exchange.last) = (response.attached, !response.more);
                });
            }
            Frame::Update(update) => self.lane(now, opened(update.lane)),
            Frame::Body(piece) if piece.side == Side::Them => {
                self.lane(now, opened(piece.lane));
                self.answers(piece.lane, |exchange| exchange.left -= piece.bytes.len() as u64);
            }
            Frame::Offer(offer) => {
                let lane = LaneId::new(offer.lane, other(offer.side));
                self.offers(from(offer.flow), lane);
                self.lane(now, lane);
                if lane.opened_by() == Side::Us {
                    self.answers(lane.number(), |exchange| exchange.offers -= 1);
                }
            }
            Frame::Code { lane, .. } | Frame::End { lane } => self.ends(opened(lane)),
            Frame::Abort { side, lane, .. } => self.ends(LaneId::new(lane, other(side))),
            Frame::LaneCredit { side, lane, .. } => self.lane(now, LaneId::new(lane, other(side))),
            Frame::Accept(accept) => self.flow(now, to(accept.flow)),
            Frame::Done { flow, .. } | Frame::Credit { flow, .. } => self.flow(now, to(flow)),
            Frame::Begin { flow, .. } => {
                self.flow(now, from(flow));
                self.finished(from(flow), false);
            }
            Frame::Data { flow, .. } => self.flow(now, from(flow)),
            Frame::Finish { flow, .. } => {
                self.flow(now, from(flow));
                self.finished(from(flow), true);
            }
            Frame::Cancel { flow, .. } => self.cancels(now, from(flow)),
            Frame::Pause(pause) if pause.by_receiver => self.flow(now, to(pause.flow)),
            Frame::Pause(pause) => self.flow(now, from(pause.flow)),
            _ => {}
        }
    }

    /// A request expired: not too early.
    pub fn expires(&mut self, now: Instant, lane: LaneId) {
        let exchange = self.open.remove(&lane.number()).expect("it is waited for");
        assert!(!exchange.timeout.is_zero() && exchange.certain.after(exchange.timeout) <= now, "early: {exchange:?}");
    }

    /// All that was due has expired: nothing is late.
    pub fn is_in_time(&self, now: Instant) {
        for exchange in self.open.values().filter(|exchange| !exchange.timeout.is_zero()) {
            assert!(now < exchange.latest.after(exchange.timeout), "late: {exchange:?}");
        }
    }

    fn exchange(&mut self, lane: LaneId) -> Option<&mut Exchange> {
        self.open.get_mut(&lane.number()).filter(|_| lane.opened_by() == Side::Us)
    }

    /// Part of an answer came. With all of the last one the end waits no more.
    fn answers(&mut self, lane: u16, part: impl FnOnce(&mut Exchange)) {
        let Some(exchange) = self.open.get_mut(&lane) else { return };
        part(exchange);
        if exchange.last && exchange.left == 0 && exchange.offers == 0 {
            self.open.remove(&lane);
        }
    }

    fn finished(&mut self, flow: FlowId, finished: bool) {
        if let Some(known) = self.flows.get_mut(&key(flow)) {
            known.1 = finished;
        }
    }

    /// Behind FINISH the flow may be free already, and CANCEL speaks of nothing.
    fn cancels(&mut self, now: Instant, flow: FlowId) {
        let Some((id, finished)) = self.flows.get(&key(flow)).copied() else { return };
        for exchange in self.open.values_mut().filter(|exchange| exchange.id == id) {
            exchange.latest = now;
            if !finished {
                exchange.certain = now;
            }
        }
    }
}

fn key(flow: FlowId) -> (u16, bool) {
    (flow.number(), flow.sent_by() == Side::Us)
}

/// A side as the peer puts it.
fn other(side: Side) -> Side {
    match side {
        Side::Us => Side::Them,
        Side::Them => Side::Us,
    }
}
